package storetest

import (
	"testing"

	"tidemark/pkg/engine"
)

// Peers opens one more Store on a namespace, as another process would. The Store
// lives until the test ends.
type Peers func() engine.Store

// Run checks the contract. fresh makes an empty namespace of at least four shards.
func Run(t *testing.T, fresh func(t *testing.T) Peers) {
	for name, test := range map[string]func(*testing.T, Peers){
		"an empty store":                                        emptyStore,
		"load answers in the order asked":                       loadOrder,
		"a step stores states, positions, due, outbox together": wholeStep,
		"states and messages are any bytes":                     anyBytes,
		"versions count the writes":                             versions,
		"a profile is kept, replaced and removed":               profiles,
		"a nil state removes the account":                       removal,
		"a removed account begins again at version 1":           rebirth,
		"due instants are set, kept and removed":                dueInstants,
		"due accounts come earliest first, up to the limit":     dueOrder,
		"next due is of the shards asked":                       nextDue,
		"many due accounts come in parts, none twice":           manyDue,
		"positions are per shard and partition":                 positions,
		"a position elsewhere is stale, nothing is written":     stale,
		"one position elsewhere stales the whole step":          staleOfMany,
		"a version elsewhere is a conflict, nothing is written": conflict,
		"a removal checks the version":                          removalConflict,
		"a repeated step is done once":                          repeated,
		"a step done by another process is done":                doneByAnother,
		"a step that only moves a position is done once":        onlyMoves,
		"moves that do not move still fence":                    fence,
		"steps of one call take effect in order":                ordered,
		"a step after a failed one is checked":                  afterFailed,
		"alone on a shard, nothing is shared":                   alone,
		"another's write is shared, once":                       shared,
		"shards are shared each by itself":                      sharedByShard,
		"records prepared before sharing was known are checked": preparedBefore,
		"what was prepared in one call is checked throughout":   preparedTogether,
		"several processes lose no write":                       noLostWrite,
		"a shard that is none fails alone":                      noShard,
		"a context that has ended fails":                        endedContext,
		"a large step":                                          largeStep,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, fresh(t))
		})
	}
}
