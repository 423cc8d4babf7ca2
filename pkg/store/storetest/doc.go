// Package storetest is the contract of engine.Store as a suite: each sentence is
// a subtest, and every implementation runs it. RunExtras does the same for what
// the stores offer beside the contract.
//
// The suites open a fresh namespace for each subtest and need nothing else, so
// that they run in parallel on one server.
package storetest
