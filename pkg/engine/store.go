package engine

import "context"

// Store keeps what the engine knows, shard by shard. An account always belongs to
// the same shard. The contract below is a suite in pkg/store/storetest; every
// implementation passes it.
//
// All methods may be called by several goroutines; for one shard, one caller at a
// time commits within a process. Other processes may write the same shards: the
// store notices, by positions and versions, and says so.
//
// An error is taken to heal unless it has a method Retryable() bool that says no.
type Store interface {
	// Shards is how many shards there are: fixed when the namespace was made.
	Shards() int

	// Positions returns, for each shard, the next offset to apply of every
	// partition that the shard has ever moved. len(result) == Shards().
	Positions(ctx context.Context) ([]map[Partition]int64, error)

	// Load returns the records of accounts of some shards, all in the order asked.
	// An account that is not stored has Version 0 and a nil State.
	Load(ctx context.Context, wanted ...Wanted) ([]Record, error)

	// Commit does each step whole or not at all, in the order given, and returns
	// an outcome for each. Repeating a step whose outcome is an error is safe:
	// a step that took effect once does not take effect again.
	Commit(ctx context.Context, steps []Step) []Outcome

	// Due returns, for each shard asked for, at most limit accounts whose due instant
	// is at or before upTo (Unix milliseconds), the earliest first, and when to look
	// again for the others. Where many are due, it may return fewer.
	Due(ctx context.Context, shards []int, upTo int64, limit int) ([]DueList, error)

	// NextDue returns the earliest due instant of each shard asked for, or
	// NoDue where nothing is due ever.
	NextDue(ctx context.Context, shards []int) ([]int64, error)

	// AccountsByTier returns at most limit accounts of a listing by tier (see
	// Write.Tier), beginning after cursor ("" at the start), and the cursor of the
	// rest, "" at the end. One that stays in it meanwhile is listed exactly once.
	AccountsByTier(ctx context.Context, tier, cursor string, limit int) (accounts []string, next string, err error)
}

// Partition names one partition of one input topic.
type Partition struct {
	Topic string
	ID    int
}

// NoDue is the due instant of an account that no time alone will ever move.
const NoDue = int64(1<<63 - 1)

// KeepDue leaves the stored due instant as it is.
const KeepDue = int64(-1 << 63)

// Wanted are some accounts of a shard.
type Wanted struct {
	Shard    int
	Accounts []string
}

// WantedOf sorts accounts by their shards, of which there are so many.
func WantedOf(accounts []string, shards int) []Wanted {
	at := map[int]int{} // of each shard, its place
	var all []Wanted
	for _, account := range accounts {
		n := ShardOf(account, shards)
		i, ok := at[n]
		if !ok {
			i = len(all)
			at[n], all = i, append(all, Wanted{Shard: n})
		}
		all[i].Accounts = append(all[i].Accounts, account)
	}
	return all
}

// Record is an account as stored.
type Record struct {
	Account string
	// Version is that of the latest Write of this account. 0: not stored.
	Version uint64
	// State is the account's state, opaque to the store. Nil: not stored.
	State []byte
	// Profile is the account's profile, opaque to the store. Nil: none.
	Profile []byte
}

// Due is an account and the instant at which time alone may move it.
type Due struct {
	Account string
	At      int64 // Unix milliseconds
	// Tier is the listing in which the account was found: what Write.TierWas must say, so
	// that it does not stay there, whatever else is thought of it.
	Tier string
}

// DueList is what is due of a shard.
type DueList struct {
	Accounts []Due
	// Next is an instant before which nobody else is due, NoDue where nobody is: none of
	// Accounts is due after it. Asked again and again by it, Due comes to everybody who is due.
	Next int64
}

// Step is one atomic change of one shard.
type Step struct {
	Shard int
	// Moves are the input positions that go with the change. From must be what
	// is stored (0 where nothing is stored), else the outcome is Stale.
	Moves []Move
	// Writes are the accounts that change. Was must be the stored version, else
	// the outcome is Conflict. An account stands in Writes at most once.
	Writes []Write
	// Outbox are messages appended to the shard's outbox, in order.
	Outbox []Message
	// Drop are entries of the outbox, by their IDs, that are taken out of it. Those
	// that are gone already are no error.
	Drop []string
	// Check has the versions of Writes checked even where nobody else wrote to the shard
	// since this process's last step there: what was read of them is older than that.
	Check bool
}

// Move takes a partition's position in a shard from one offset to another.
type Move struct {
	Partition Partition
	From, To  int64
}

// Write is the new value of one account.
type Write struct {
	Account string
	Was     uint64 // the version that is stored
	// Now is the version from then on. It must be one that the account never had: when
	// a store is set back and written again from there, who remembers the account from
	// before must not meet its number. 0 stands for Was + 1.
	Now uint64
	// State replaces the stored state. Nil removes the account from the shard:
	// state, profile, due instant and tier listing.
	State []byte
	// Profile replaces the stored profile. Nil keeps it, empty removes it.
	Profile []byte
	// Due replaces the stored due instant: Unix milliseconds, NoDue to remove
	// it, KeepDue to leave it. Where the tier changes it can't be left: the outcome is Failed.
	Due int64
	// TierWas and Tier keep the listing by tier: the account leaves the one and
	// enters the other. Equal or both empty: no change. Tier "" leaves all.
	TierWas, Tier string
}

// Message is an entry for the outbox: what the relay will publish.
type Message struct {
	Account string // the Kafka key
	Value   []byte
	// Appended is the Kafka timestamp of the input that led to it, Unix milliseconds. 0: none did.
	Appended int64
	// Trace is the trace context of that input, opaque. Empty: none, as always where nothing is traced.
	Trace string
}

// Result says how a step ended.
type Result uint8

// How a step ends. After Stale or Conflict nothing of the step was written.
const (
	// OK: the step is stored, now or by an earlier attempt.
	OK Result = iota
	// Stale: a position is not what the step expected. Another instance owns the
	// partition, or the store was set back. Read the positions again.
	Stale
	// Conflict: another writer changed an account. Load again and apply again.
	Conflict
	// Failed: Outcome.Err says why; whether the step took effect is unknown.
	Failed
)

// Outcome is how one step of a Commit ended.
type Outcome struct {
	Result Result
	// Shared is true when someone else wrote to the shard since this process's
	// last step there: what the caller remembers of its accounts may be old. Those in
	// the step were checked; for others see Step.Check.
	Shared bool
	// Overwritten is true when the step took effect by an earlier attempt and someone else
	// may have written since: even what it wrote may be old.
	Overwritten bool
	// Appended are the IDs that the step's messages got in the outbox; nil where the store
	// does not know them.
	Appended []string
	// Behind is the entry of the outbox before the first of Appended; "" where the store
	// does not know it.
	Behind string
	Err    error
}
