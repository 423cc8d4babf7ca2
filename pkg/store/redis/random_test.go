package redis

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"pgregory.net/rapid"

	"tidemark/pkg/engine"
)

// process is what an engine does with a Store, at its most careless: it keeps
// records and positions until an outcome tells it not to.
type process struct {
	name    string
	store   *Store
	faults  *faults
	records map[string]engine.Record
	checked map[string]int // others, when the record was read or written
	others  int            // how often steps met another's
	at      map[engine.Partition]int64
	failed  *engine.Step // to be repeated as it is
	said    int
}

// TestRandomInterleavings lets two processes count in shared accounts while
// requests and replies get lost and copies of old commits arrive at any time.
// Each batch and each message must take effect exactly once.
func TestRandomInterleavings(t *testing.T) {
	t.Parallel()
	m := miniredis.RunT(t)
	rapid.Check(t, func(rt *rapid.T) {
		cfg := miniConfig(m, nextNamespace())
		cfg.Shards, cfg.Retries, cfg.PoolSize = 1, 0, 2
		var processes []*process
		for _, name := range []string{"a", "b"} {
			s, f := openFaulty(rt, cfg)
			defer func() { _ = s.Close() }() // rapid has no cleanup of its own for a failed check
			processes = append(processes, &process{name: name, store: s, faults: f})
		}
		for _, p := range processes {
			p.forget(rt)
		}
		any2 := rapid.SampledFrom(processes)
		rt.Repeat(map[string]func(*rapid.T){
			"batch": func(rt *rapid.T) { any2.Draw(rt, "process").batch(rt) },
			"sweep": func(rt *rapid.T) { any2.Draw(rt, "process").sweep(rt) },
			"late":  func(rt *rapid.T) { any2.Draw(rt, "process").late(rt) },
			"crash": func(rt *rapid.T) { any2.Draw(rt, "process").forget(rt) },
			"":      func(rt *rapid.T) { wantCounts(rt, processes[0].store) },
		})
	})
}

var accountNames = rapid.SampledFrom([]string{"w", "x", "y", "z"})

// forget reads the positions again, and the records when they are needed.
func (p *process) forget(rt *rapid.T) {
	positions, err := p.store.Positions(context.Background())
	if err != nil {
		rt.Fatalf("positions: %v", err)
	}
	p.records, p.at, p.failed = map[string]engine.Record{}, positions[0], nil
	p.checked = map[string]int{}
}

func (p *process) record(rt *rapid.T, account string) engine.Record {
	if r, known := p.records[account]; known {
		return r
	}
	r, err := p.store.Load(context.Background(), engine.Wanted{Accounts: []string{account}})
	if err != nil {
		rt.Fatalf("load: %v", err)
	}
	p.records[account], p.checked[account] = r[0], p.others
	return r[0]
}

// batch counts one or two accounts up for some offsets of a partition.
func (p *process) batch(rt *rapid.T) {
	from := engine.Partition{Topic: "in", ID: rapid.IntRange(0, 1).Draw(rt, "partition")}
	to := p.at[from] + int64(rapid.IntRange(1, 3).Draw(rt, "offsets"))
	step := engine.Step{Moves: []engine.Move{{Partition: from, From: p.at[from], To: to}}}
	p.commit(rt, p.counting(rt, step))
}

// sweep counts without a position: only numbers and versions protect it.
func (p *process) sweep(rt *rapid.T) { p.commit(rt, p.counting(rt, engine.Step{})) }

func (p *process) counting(rt *rapid.T, step engine.Step) engine.Step {
	for _, account := range rapid.SliceOfNDistinct(accountNames, 0, 2, rapid.ID).Draw(rt, "accounts") {
		r := p.record(rt, account)
		n, _ := strconv.Atoi(string(r.State))
		step.Check = step.Check || p.checked[account] != p.others
		p.said++
		step.Writes = append(step.Writes, engine.Write{
			Account: account, Was: r.Version, State: []byte(strconv.Itoa(n + 1)), Due: engine.KeepDue,
		})
		step.Outbox = append(step.Outbox, engine.Message{Account: account, Value: fmt.Appendf(nil, "%s%d", p.name, p.said)})
	}
	return step
}

func (p *process) commit(rt *rapid.T, step engine.Step) {
	if p.failed != nil {
		step = *p.failed
	}
	p.faults.plan(rapid.SampledFrom([]fault{fine, fine, fine, lostRequest, lostReply}).Draw(rt, "fault"))
	out := p.store.Commit(context.Background(), []engine.Step{step})[0]
	p.failed = nil
	switch {
	case out.Result == engine.Failed:
		p.failed = &step
	case out.Result != engine.OK, out.Overwritten:
		p.forget(rt)
	default:
		if out.Shared {
			p.others++
		}
		for _, w := range step.Writes {
			p.records[w.Account] = engine.Record{Account: w.Account, Version: w.Was + 1, State: w.State}
			p.checked[w.Account] = p.others
		}
		for _, m := range step.Moves {
			p.at[m.Partition] = m.To
		}
	}
}

func (p *process) late(rt *rapid.T) {
	if n := p.faults.lateOnes(); n > 0 {
		i := rapid.IntRange(max(0, n-4), n-1).Draw(rt, "copy")
		if _, err := p.faults.deliver(i); err != nil {
			rt.Fatalf("late copy: %v", err)
		}
	}
}

// wantCounts compares each account with the messages that name it.
func wantCounts(rt *rapid.T, s *Store) {
	entries, err := s.Outbox(context.Background(), 0, "", 10_000)
	if err != nil {
		rt.Fatalf("outbox: %v", err)
	}
	counts, said := map[string]int{}, []string(nil)
	for _, e := range entries {
		counts[e.Account]++
		said = append(said, string(e.Value))
	}
	slices.Sort(said)
	if len(slices.Compact(said)) != len(entries) {
		rt.Fatalf("a message was stored twice: %q", said)
	}
	records, err := s.Load(context.Background(), engine.Wanted{Accounts: []string{"w", "x", "y", "z"}})
	if err != nil {
		rt.Fatalf("load: %v", err)
	}
	for _, r := range records {
		if n, _ := strconv.Atoi(string(r.State)); n != counts[r.Account] || r.Version != uint64(n) {
			rt.Fatalf("account %s counts %d at version %d, but %d messages name it", r.Account, n, r.Version, counts[r.Account])
		}
	}
}
