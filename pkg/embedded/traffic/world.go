package traffic

import (
	"cmp"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"time"
)

// World is a set of firms and all that ever happens in them. It does not change
// and may be used from several goroutines.
type World struct {
	seed  uint64
	firms []*Firm
}

// New makes a world of so many firms.
func New(seed uint64, firms int) *World {
	w := &World{seed: seed}
	all := map[Persona]int{}
	for i := range firms {
		all[mix[i%len(mix)]]++
	}
	nth, taken := map[Persona]int{}, map[string]bool{}
	for i := range firms {
		p := mix[i%len(mix)]
		w.firms = append(w.firms, found(w.random(i, -1), i, p, nth[p], all[p], taken))
		nth[p]++
	}
	return w
}

// Firms are the world's firms. The slice must not be changed.
func (w *World) Firms() []*Firm { return w.firms }

// Profiles are what the CRM knows of each firm, at the world's beginning.
func (w *World) Profiles() []Event {
	out := make([]Event, len(w.firms))
	for i, f := range w.firms {
		out[i] = f.profile()
	}
	return out
}

// Events are all that happens, in order of time, without end.
func (w *World) Events() iter.Seq[Event] {
	return func(yield func(Event) bool) {
		// A day in the east begins on the eve in UTC, one in the west ends on the
		// morrow. What is earlier than tomorrow's first hour in the east is settled.
		var waiting []Event
		for date := 0; ; date++ {
			waiting = append(waiting, w.day(date)...)
			slices.SortStableFunc(waiting, func(a, b Event) int { return cmp.Compare(a.At, b.At) })
			settled := time.Duration(date+1)*day - eastmost
			n := 0
			for ; n < len(waiting) && waiting[n].At < settled; n++ {
				if !yield(waiting[n]) {
					return
				}
			}
			waiting = slices.Delete(waiting, 0, n)
		}
	}
}

// eastmost is the largest offset of a region's time from UTC.
const eastmost = 8 * time.Hour

// day is what happens on a date, the first being 0, in no particular order.
func (w *World) day(date int) []Event {
	weekday := date % 7
	if weekday > 4 {
		return nil
	}
	var out []Event
	for i, f := range w.firms {
		d := diary{Firm: f, date: date, rand: w.random(i, date)}
		d.live(date/7*5 + weekday)
		out = append(out, d.events...)
		if len(d.events) > 0 && d.chance(3) {
			// A sender that did not hear of its success sends again.
			again := d.events[d.rand.IntN(len(d.events))]
			again.At += time.Duration(1+d.rand.IntN(300)) * time.Second
			out = append(out, again)
		}
	}
	if weekday == 1 || weekday == 3 {
		out = append(out, w.broken(date))
	}
	return out
}

// broken is a record that can't be used: it ends as a dead letter.
func (w *World) broken(date int) Event {
	f := w.firms[w.random(0, date).IntN(len(w.firms))]
	return Event{
		At: time.Duration(date)*day + 11*time.Hour, Feed: Intent, ID: fmt.Sprintf("x-%03d", date), Source: "/partner-export",
		Type: researchTopic, Account: f.Account, Broken: true,
	}
}

// random is the randomness of a firm on a date, so that no day depends on how many
// others were asked for.
func (w *World) random(firm, date int) *rand.Rand {
	return rand.New(rand.NewPCG(w.seed, uint64(firm)<<32|uint64(uint32(date))))
}
