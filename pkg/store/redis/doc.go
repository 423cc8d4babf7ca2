// Package redis keeps the engine's shards in Redis: a single server, a Redis
// Cluster, or a server behind Sentinel.
//
// Store implements engine.Store: one Lua script call for each step, whole or not
// at all, safe to repeat in any interleaving with other processes and with late
// copies of itself. ../DESIGN.md holds the picture of the keys, the commit
// protocol and its argument.
//
// Beside the contract the Store offers what the other rooms need from the same
// Redis: outbox, leases, aliases, signal names, watermarks, models and listings.
// Every one of these calls is idempotent and is repeated here after errors that
// heal; an error that comes out carries its Class. Commit reports it in the
// Outcome, all others return it.
//
// Callers name a shard for every account; how accounts map to shards is theirs.
// This is the only package that imports go-redis. Its API is internal to this
// repository.
package redis
