package engine

import "github.com/cespare/xxhash/v2"

// ShardOf is the shard of an account. It must never change: states would be lost
// from sight.
func ShardOf(account string, shards int) int {
	return int(xxhash.Sum64String(account) % uint64(shards))
}
