package engine

import (
	"math"
	"strings"

	"tidemark/scoring"
)

// canaryPrefix begins the accounts of canaries. Ids of accounts are lower-cased, so no
// event of anybody else's can be of one.
const canaryPrefix = "Tidemark-Canary/"

// Canary is an input that goes the way of an event and leaves no trace: it earns
// nothing, has no state, and moves no clock or watermark. Its effect is a message in
// the outbox of the shard that the name falls into. sent is in Unix milliseconds.
func Canary(name string, sent int64) *scoring.Event {
	return &scoring.Event{Account: canaryPrefix + name, Time: math.MinInt64, Arrived: sent}
}

// IsCanary reports whether Canary made the event.
func IsCanary(e *scoring.Event) bool { return IsCanaryAccount(e.Account) }

// IsCanaryAccount reports whether an account, as of a message of the outbox, is that of
// a canary: such a message has come all the way and goes nowhere.
func IsCanaryAccount(account string) bool { return strings.HasPrefix(account, canaryPrefix) }

// returned sends a canary on its way back, with the positions of its round.
func (w *work) returned(e *scoring.Event) {
	w.canaries++
	w.step.Outbox = append(w.step.Outbox, Message{Account: e.Account, Value: []byte("{}"), Appended: e.Arrived})
}
