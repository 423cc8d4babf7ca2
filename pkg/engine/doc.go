// Package engine takes inputs to committed state: load, apply, commit, sweep.
//
// Accounts belong to shards, shards to lanes; a lane is one goroutine at a time,
// so no two inputs race on an account within the process. Process takes a round
// of inputs in order, scores them lane by lane and stores, for each shard, states,
// due instants, tier changes and input positions in one atomic step. Whatever
// fails or is overtaken by another instance ends in loading again and applying
// again, which the positions make harmless.
//
// An account may stand under a model before the one in force: it is put under that one
// when it comes in hand, by whatever, and Rescore takes in hand who is left. See Past.
//
// The engine knows neither Kafka nor Redis: it declares Store and what else it
// needs, and pkg/app wires them.
package engine
