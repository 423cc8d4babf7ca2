package engine_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"tidemark/pkg/engine"
	"tidemark/pkg/store/memory"
	"tidemark/scoring"
)

// Where rounds begin and end changes nothing, late events or not: the low
// watermark rises with the inputs, as it does for who reads them one by one.
func TestHistoryDoesNotDependOnRounds(t *testing.T) {
	t.Parallel()
	const inputs = 3000
	history := func() []engine.Input {
		r := rand.New(rand.NewPCG(7, 7))
		at := start
		out := make([]engine.Input, inputs)
		for i := range out {
			at += r.Int64N(hour / 2)
			when := at
			if r.IntN(5) == 0 {
				when -= r.Int64N(2 * day) // late
			}
			out[i] = visit(web, int64(i), fmt.Sprintf("firm%d.example", r.IntN(12)), when)
		}
		return out
	}
	now := start + 1000*day
	want := oneByOne(t, history())
	for _, size := range []int{1, 7, 500, inputs} {
		s := memory.New(shards)
		e := setup{memory: s}.engine(t)
		assign(t, e, web)
		rest := history()
		for len(rest) > 0 {
			n := min(size, len(rest))
			r := round(rest[:n]...)
			r.Watermark, r.Until, r.Behind = engine.UnknownWatermark, now, true
			process(t, e, r)
			rest = rest[n:]
		}
		sameOutbox(t, rawOutbox(t, s), want)
	}
}

// oneByOne applies inputs as `score` does: each with the latest time before it as
// the low watermark.
func oneByOne(t *testing.T, inputs []engine.Input) map[string][]string {
	m := compile(t, spec())
	accounts := map[string]*scoring.Account{}
	out := map[string][]string{}
	level := engine.UnknownWatermark
	for _, in := range inputs {
		name := in.Event.Account
		a := accounts[name]
		if a == nil {
			a = &scoring.Account{}
			m.Open(a)
			accounts[name] = a
		}
		done := m.Apply(a, in.Event, level)
		level = max(level, in.Event.Time)
		for i := range done.Crossings {
			value, err := lines{}.Change(name, &done.Crossings[i])
			if err != nil {
				t.Fatal(err)
			}
			out[name] = append(out[name], string(value))
		}
	}
	return out
}
