// Package store holds the words that the stores share: what lies in an outbox,
// what an alias, a watermark and a stored model are. The engine's own contract
// is engine.Store; DESIGN.md in this folder says how the stores keep it.
//
// The implementations are store/redis (production) and store/memory (unit
// tests); store/storetest is the contract as a suite. The API is internal to
// this repository and may change with it.
package store

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"tidemark/pkg/engine"
)

// ErrCursor is returned by listings for a cursor that none of them gave out.
// The caller's input is wrong: do not retry.
var ErrCursor = errors.New("unknown cursor")

// CheckStep refuses a step that leaves open when an account is due that it moves to another
// tier: there the account stands by its due instant, which the store would have to look for.
func CheckStep(step engine.Step) error {
	for i := range step.Writes {
		if w := &step.Writes[i]; w.State != nil && w.Tier != w.TierWas && w.Due == engine.KeepDue {
			return fmt.Errorf("account %q goes from tier %q to %q and keeps a due instant that is not named", w.Account, w.TierWas, w.Tier)
		}
	}
	return nil
}

// FormatCursor is the cursor of a listing that goes on behind an account of a shard.
func FormatCursor(shard int, account string) string { return strconv.Itoa(shard) + ":" + account }

// ParseCursor is the shard and the account behind which a listing of so many shards
// goes on; "" is its beginning. Anything that FormatCursor did not make is ErrCursor.
func ParseCursor(cursor string, shards int) (shard int, after string, err error) {
	if cursor == "" {
		return 0, "", nil
	}
	number, after, whole := strings.Cut(cursor, ":")
	shard, err = strconv.Atoi(number)
	if err != nil || !whole || after == "" || shard < 0 || shard >= shards {
		return 0, "", ErrCursor
	}
	return shard, after, nil
}

// Entry is one message that waits in a shard's outbox. Publish it before
// trimming it; entries of one shard are in the order of their commits.
type Entry struct {
	// ID orders the entries of a shard. It is opaque: pass it back as it is.
	ID      string
	Account string // the Kafka key
	Value   []byte
	// Appended is the Kafka timestamp of the input that led to it, Unix milliseconds. 0: none did.
	Appended int64
	// Trace is the trace context of that input, opaque. Empty: none.
	Trace string
}

// Alias says that a domain belongs to an account, since Time.
type Alias struct {
	Domain, Account string
	// Time is the instant of the profile that claims the domain, in Unix
	// milliseconds: of two claims the later one has it.
	Time int64
}

// UserSwap is the change of one record of what is known of a user, from what it was
// to what it is now. An empty one is none.
type UserSwap struct {
	Key uint64 // the fingerprint under which it is kept
	// Was and Now are opaque to the store.
	Was, Now []byte
}

// Watermark is what an instance says about one input partition. Both are
// instants in Unix milliseconds and opaque to the store.
type Watermark struct {
	Consumed, Frontier int64
}

// Model is a model that was in force from EffectiveAt on.
type Model struct {
	Hash    string `json:"hash"`
	Name    string `json:"name"`
	Version string `json:"version"`
	// EffectiveAt is in Unix milliseconds.
	EffectiveAt int64 `json:"effective_at"`
	// Source is the file as it was written.
	Source string `json:"source"`
	// Epoch counts the changes of the model: the states that stand under it say so. It is
	// 0 for all models that were in force before states said anything.
	Epoch uint64 `json:"epoch,omitempty"`
	// Switched is true once every instance under the models before has stopped: from
	// then on accounts are put under the model, each when it comes in hand.
	Switched bool `json:"switched,omitempty"`
	// Adopted is true once every account is under the model.
	Adopted bool `json:"adopted"`
}

// Stage is how far the model has come into force, in one word.
func (m *Model) Stage() string {
	switch {
	case m.Adopted:
		return "adopted"
	case m.Switched:
		return "switched"
	}
	return "announced"
}
