// Package testenv starts and stops real servers (Redis, Redis Cluster, Redis
// Sentinel, Kafka) for tests and for the bench.
//
// Every server listens on loopback ports that this process has reserved, keeps
// its files in a directory of its own, and dies with the process that started
// it. A server that does not start gives an error with the tail of its log.
// Nothing on the machine that runs already is used or touched.
//
// The programs come from `make servers` (install.sh in this folder): redis-server
// on the PATH, and Kafka's jars in the cache folder. A test whose servers are not
// installed fails and says so; it is never skipped.
//
// The API serves this repository only and may change with it.
package testenv
