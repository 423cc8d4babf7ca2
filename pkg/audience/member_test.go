package audience

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"tidemark/pkg/follow"
)

// one parses a file of one audience.
func one(t *testing.T, keys string) *Audience {
	t.Helper()
	list, err := Parse("audiences.yaml", []byte("audiences: [{name: x, topic: feed, "+keys+"}]"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return list[0]
}

var start = time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)

func change(seq uint64, after time.Duration, tier string, profile map[string]any) *follow.Change {
	return &follow.Change{Time: start.Add(after), Data: follow.Data{Account: "acme.example", Seq: seq, To: tier, Profile: profile}}
}

// written is a sequence of moves as text.
func written(moves []Move) string {
	var out []string
	for _, m := range moves {
		sign := "-"
		if m.Member.In() {
			sign = "+"
		}
		out = append(out, fmt.Sprintf("%s%s", sign, time.UnixMilli(m.At).Sub(start)))
	}
	return strings.Join(out, " ")
}

func TestLeastDwell(t *testing.T) {
	t.Parallel()
	a := one(t, `where: 'tier == "B"', min_dwell: 24h`)
	for _, row := range []struct {
		name  string
		tiers string // a tier for each hour given
		hours []int
		until int
		want  string
	}{
		{"stays its time", "BC", []int{0, 30}, 40, "+0s -30h0m0s"},
		{"leaves when the time is over", "BC", []int{0, 2}, 40, "+0s -24h0m0s"},
		{"back in time", "BCB", []int{0, 2, 23}, 100, "+0s"},
		{"back in time, and away again", "BCBC", []int{0, 2, 23, 30}, 100, "+0s -30h0m0s"},
		{"back too late", "BCB", []int{0, 2, 25}, 100, "+0s -24h0m0s +25h0m0s"},
		{"not yet over", "BC", []int{0, 2}, 23, "+0s"},
		{"never selected", "CA", []int{0, 2}, 40, ""},
	} {
		var m Member
		var moves []Move
		for i, hour := range row.hours {
			moves = append(moves, a.Apply(&m, change(uint64(i+1), time.Duration(hour)*time.Hour, row.tiers[i:i+1], nil))...)
		}
		moves = append(moves, a.Pass(&m, "acme.example", start.Add(time.Duration(row.until)*time.Hour).UnixMilli())...)
		if got := written(moves); got != row.want {
			t.Errorf("%s: got %s, want %s", row.name, got, row.want)
		}
	}
}

func TestDefinitions(t *testing.T) {
	t.Parallel()
	a := one(t, `where: 'tier == "B" and profile.region == "DACH"', except: 'profile.customer'`)
	for want, profiles := range map[bool][]map[string]any{
		true:  {{"region": "DACH"}, {"region": "DACH", "customer": false}},
		false: {{"region": "DACH", "customer": true}, {"region": "UK"}, nil},
	} {
		for _, profile := range profiles {
			var m Member
			if a.Apply(&m, change(1, 0, "B", profile)); m.In() != want {
				t.Errorf("%v is in: %v, want %v", profile, m.In(), want)
			}
		}
	}
}

// Enters and exits alternate whatever happens, repeats change nothing, and sweeps in between make
// no difference to where it ends.
func TestMovesAlternate(t *testing.T) {
	t.Parallel()
	a := one(t, `where: 'tier == "B"', min_dwell: 3h`)
	for seed := range uint64(300) {
		dice := rand.New(rand.NewPCG(seed, 2))
		var plain, swept Member
		var moves, sweptMoves []Move
		at := time.Duration(0)
		for seq := range uint64(20) {
			at += time.Duration(dice.IntN(5)) * time.Hour
			c := change(seq+1, at, string("ABC"[dice.IntN(3)]), nil)
			moves = append(moves, a.Apply(&plain, c)...)
			sweptMoves = append(sweptMoves, a.Pass(&swept, "acme.example", c.Time.UnixMilli()-1)...)
			sweptMoves = append(sweptMoves, a.Apply(&swept, c)...)
			if again := a.Apply(&swept, c); len(again) > 0 {
				t.Errorf("seed %d: a repeat makes %v", seed, again)
			}
		}
		if written(moves) != written(sweptMoves) {
			t.Errorf("seed %d: %s, swept %s", seed, written(moves), written(sweptMoves))
		}
		for i, m := range moves {
			if m.Member.N != uint64(i+1) || i > 0 && m.At < moves[i-1].At {
				t.Errorf("seed %d: move %d of %s", seed, i, written(moves))
			}
		}
	}
}

func TestFaultsOfFiles(t *testing.T) {
	t.Parallel()
	for keys, want := range map[string]string{
		"{name: X, where: 'true', topic: t}":                  "lower-case letters",
		"{name: x, where: 'teir == 1', topic: t}":             "unknown name teir",
		"{name: x, where: 'true'}":                            "nobody would learn",
		"{name: x, topic: t}":                                 "where: is missing",
		"{name: x, where: 'true', topic: t, min_dwell: soon}": "min_dwell",
		"{name: x, where: 'true', http: {url: 'https://a.example', unsigned: true, batch: 0}}":    "batch: 0 is not",
		"{name: x, where: 'true', topic: t}, {name: x, where: 'true', topic: u}":                  "is the name of audiences[0] too",
		"{name: x, where: 'true', topic: t}, {name: y, where: 'true', topic: t}":                  "is the topic of audiences[0] too",
		"{name: x, where: 'true', http: {url: 'https://a.example', unsigned: true, every: '9w'}}": "every: 9w is not between",
	} {
		if _, err := Parse("audiences.yaml", []byte("audiences: ["+keys+"]"), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", keys, err, want)
		}
	}
}
