package desk_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"tidemark/pkg/desk"
	"tidemark/pkg/modelfile"
	"tidemark/pkg/route"
	"tidemark/pkg/store"
	"tidemark/pkg/store/memory"
)

// bench is a desk on a store that can be set back, and what was published of it.
type bench struct {
	*testing.T
	plan  *route.Plan
	store *memory.Desk
	topic [][]byte
	now   int64
	desk  *desk.Desk
	gate  *desk.Gate
}

func newBench(t *testing.T) *bench {
	t.Helper()
	p, err := route.Parse("routing.yaml", []byte(`
fallback: ops
clock: {deadline: 24h, remind_before: [4h]}
teams: [{id: all, time_zone: UTC}]
reps: [{id: ana, teams: [all], cap: 2}, {id: bo, teams: [all]}]
rules: [{name: own, owner: owner}, {name: all, team: all}]
rejection: {reasons: [{name: not-now, snooze: 3d}]}
`), modelfile.Conditions())
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{T: t, plan: p, store: memory.NewDesk(), now: 1_792_497_600_000}
	b.begin()
	return b
}

// begin is a process that takes the desk over; it returns which MQAs it corrected.
func (b *bench) begin() []string {
	b.Helper()
	return b.beginWith(nil)
}

// beginWith is one that let entries out before, and does not know what became of them.
func (b *bench) beginWith(lent []store.Entry) []string {
	b.Helper()
	var err error
	b.desk, err = desk.New(desk.Config{Plan: b.plan, Store: b.store, Namespace: "tm", Topic: "changes", Now: func() int64 { return b.now }})
	if err != nil {
		b.Fatal(err)
	}
	stand, err := b.desk.Begin(b.Context(), desk.Beginning{
		First: func(context.Context) (map[int]int64, error) { return map[int]int64{0: 0}, nil },
		Published: func(_ context.Context, from map[int]int64, use func([]byte) error) error {
			for _, value := range b.topic[from[0]:] {
				if err := use(value); err != nil {
					return err
				}
			}
			return nil
		},
		Lent: lent,
	})
	if err != nil {
		b.Fatal(err)
	}
	b.gate = desk.NewGate(b.store, func(context.Context) (map[int]int64, error) { return map[int]int64{0: int64(len(b.topic))}, nil })
	b.gate.Open(stand.Mark)
	return stand.Upheld
}

// publish publishes what waits, and returns it in few words.
func (b *bench) publish() string {
	b.Helper()
	entries, err := b.gate.Outbox(b.Context(), 100)
	if err != nil {
		b.Fatal(err)
	}
	var ids, told []string
	for _, e := range entries {
		b.topic = append(b.topic, e.Value)
		s := parseStep(b.T, e.Value)
		ids, told = append(ids, e.ID), append(told, fmt.Sprintf("%s %s %s", s.ID, s.Data.Step, s.Data.Owner))
	}
	if len(ids) > 0 {
		if err := b.gate.Trim(b.Context(), ids); err != nil {
			b.Fatal(err)
		}
	}
	return strings.Join(told, "; ")
}

func (b *bench) enter(offset int64, account, owner string) {
	b.Helper()
	c := &route.Change{Account: account, Seq: 1, At: b.now, To: "A", MQA: true, Stays: true, Score: 60, Signal: "demo", Profile: map[string]any{"owner": owner}}
	if err := b.desk.Take(b.Context(), 0, offset, c); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) do(verb route.Verb, account, reason string) {
	b.Helper()
	if _, err := b.desk.Do(b.Context(), route.Command{Verb: verb, Account: account, Reason: reason}, ""); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) want(got, want string) {
	b.Helper()
	if got != want {
		b.Errorf("got  %q\nwant %q", got, want)
	}
}

// view is an MQA in few words.
func (b *bench) view(account string) string {
	b.Helper()
	list, err := b.desk.List(b.Context(), desk.Filter{Account: account})
	if err != nil {
		b.Fatal(err)
	}
	if len(list) == 0 {
		return "gone"
	}
	m := list[0]
	return fmt.Sprintf("%s %s until %s breached %v", m.State, m.Owner, m.Deadline, m.Breached)
}

// An empty store: MQAs that are not closed stand on the desk again, with their owners
// and promises, and a breach is told once.
func TestDeskThatLostAll(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.enter(0, "a", "ana")
	b.enter(1, "b", "bo")
	b.do(route.Reject, "b", "not-now")
	b.want(b.publish(), "a/1/1 opened ana; b/1/1 opened bo; b/1/2 rejected bo")
	a, rejected := b.view("a"), b.view("b")
	b.store.SetBack(memory.NewDesk())
	b.want(fmt.Sprint(b.begin()), "[a b]")
	b.want(b.view("a"), a)
	b.want(b.view("b"), rejected)
	b.want(fmt.Sprint(b.begin()), "[]")
	b.enter(0, "a", "ana") // it is read again
	b.now += 25 * hour
	if _, _, err := b.desk.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.want(b.publish(), "a/1/2 breached ana")
	b.want(fmt.Sprint(b.begin()), "[]")
}

// What a person said to a desk that was set back, before anybody knew, is done behind
// what was published; a step that the desk took in place of a published one is dropped.
func TestCommandToADeskThatWasSetBack(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.enter(0, "a", "ana")
	b.want(b.publish(), "a/1/1 opened ana")
	before := b.store.Copy()
	b.do(route.ReassignVerb, "a", "")
	b.want(b.publish(), "a/1/2 reassigned bo")
	b.store.SetBack(before)
	b.do(route.Accept, "a", "")
	b.want(b.publish(), "") // the gate is shut
	b.want(fmt.Sprint(b.begin()), "[a]")
	b.want(b.publish(), "a/1/3 accepted bo")
}

// The cap of the day counts what was published.
func TestCapsBehindALoss(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	before := b.store.Copy()
	b.enter(0, "a", "ana")
	b.enter(1, "b", "ana")
	b.want(b.publish(), "a/1/1 opened ana; b/1/1 opened ana")
	b.store.SetBack(before)
	b.begin()
	b.enter(2, "c", "ana")
	b.want(b.publish(), "c/1/1 opened ops") // it waits for her
}

// What was let out and is lost, and may yet get into the log, is published again as it
// was; what the desk made of it meanwhile is dropped.
func TestLentEntriesStand(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	before := b.store.Copy()
	b.enter(0, "a", "ana")
	lent, err := b.gate.Outbox(t.Context(), 100)
	if err != nil || len(lent) != 1 {
		t.Fatal(lent, err)
	}
	b.store.SetBack(before)
	b.begin()
	b.now += 1000
	b.enter(0, "a", "bo") // another owner, at another instant
	b.want(fmt.Sprint(b.beginWith(lent)), "[a]")
	b.want(b.publish(), "a/1/1 opened ana")
	if len(b.topic) != 1 || string(b.topic[0]) != string(lent[0].Value) {
		t.Errorf("published %s, want %s", b.topic, lent[0].Value)
	}
	b.want(fmt.Sprint(b.beginWith(lent)), "[]")
}

// Another mark than the one that was seen shuts the gate.
func TestGateShuts(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.enter(0, "a", "ana")
	empty := b.store.Copy()
	entries, err := b.gate.Outbox(t.Context(), 100)
	if err != nil || len(entries) != 1 || len(b.gate.Lent()) != 1 {
		t.Fatal(entries, err)
	}
	b.want(b.publish(), "a/1/1 opened ana")
	b.store.SetBack(empty)
	b.want(b.publish(), "")
	if some, err := b.gate.Waits(t.Context()); some || err != nil {
		t.Errorf("a gate that is shut says that something waits: %v", err)
	}
}
