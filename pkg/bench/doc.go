// Package bench measures Tidemark from outside: it loads a seeded workload into
// real Kafka topics, runs `tidemark serve` as a process of its own beside them, and
// reports what an operator would pay and get: events per second as a ratio to
// reading the same topics and doing nothing, processor seconds per event by
// program, memory, latency at fixed loads, and what time itself costs.
//
// It promises that whatever it starts has ended, by its process id, when Run
// returns, that topics and keys it made are removed, and that a load's latency
// counts from the instant at which an event was due to be sent, so that a system
// that stalls cannot make its own measurement look better (no coordinated omission).
//
// It leaves starting Kafka and Redis to its caller, and knows nothing of the
// program's inside beyond its metrics, its log's "serving" line, and the published
// contracts of its stores and of its engine, by which accounts are seeded. The API is internal to Tidemark and may change.
package bench
