// Package faults proves on real servers that nothing is lost and nothing counts
// twice, whatever crashes, hangs or repeats: a catalogue of named faults, a runner
// of random ones, and mutations of the program that the suite must notice.
//
// The tests run the program as an operator would, as processes built with the tag
// `failpoints`, and hold what is in Kafka and Redis afterwards against the
// specification (package verify). `go test` runs the faults that are marked quick;
// `make test-faults` runs all and writes streams/FAULTS.md, `make soak MINUTES=30`
// the random ones. Upgrades are tested with a second build of a copy of the tree, to
// which a patch of testdata/builds is applied.
//
// Proxy stands between the program and a server to harm the connections. It is ours
// and not toxiproxy because it must do what that does not, let a request through
// and lose the answer, and it drags in no HTTP router and no protobuf.
package faults
