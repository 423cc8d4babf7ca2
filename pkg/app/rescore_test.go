package app

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"tidemark/pkg/engine"
	"tidemark/pkg/store"
	"tidemark/scoring"
	"tidemark/streams/codec"
	"tidemark/streams/conn"
	"tidemark/streams/tail"
)

// portions is an engine with so many portions of accounts left, each of which takes 10 ms.
type portions struct {
	mine   int
	others atomic.Int64
	err    error
	looks  int
}

func (p *portions) Rescore(context.Context, engine.Scanner) (bool, error) {
	if p.err != nil {
		return true, p.err
	}
	if p.mine > 0 {
		<-time.After(10 * time.Millisecond) // of the bubble's clock
		p.mine--
	}
	return p.mine > 0, nil
}

func (p *portions) Unscored(context.Context) (int, error) {
	p.looks++
	return min(p.mine+int(p.others.Load()), 1), nil
}

func (p *portions) Adopted() int64 { return 7 }

// steps lets a rescorer do what is due until it is over, and returns how long that takes.
func steps(t *testing.T, r *rescorer, busy bool, most int) time.Duration {
	t.Helper()
	begun := time.Now()
	for range most {
		at, due := r.due()
		if !due {
			return time.Since(begun)
		}
		<-time.After(time.Until(at))
		if err := r.step(t.Context(), busy); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatalf("not over after %d steps", most)
	return 0
}

// Beside events a rescore takes its part of the time, without them all of it; it ends
// when no instance has accounts left, and that is noted once.
func TestARescoreLeavesTimeForEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var noted []store.Model
		p := &portions{mine: 20}
		r := &rescorer{engine: p, log: zerolog.Nop(), adopted: func(_ context.Context, m store.Model) error {
			noted = append(noted, m)
			return nil
		}}
		r.begin(store.Model{Hash: "h", Epoch: 3, Switched: true})
		r.joined()
		if took := steps(t, r, true, 30); took < 900*time.Millisecond || took > 1100*time.Millisecond {
			t.Errorf("beside events 20 portions of 10 ms took %s, want a second", took)
		}
		if len(noted) != 1 || !noted[0].Adopted || noted[0].Epoch != 3 {
			t.Errorf("noted %+v, want one model that is adopted", noted)
		}
		p.mine = 20 // a node was set back
		r.joined()
		if took := steps(t, r, false, 30); took > 250*time.Millisecond {
			t.Errorf("without events 20 portions of 10 ms took %s", took)
		}
		if len(noted) != 1 {
			t.Errorf("noted %+v again", noted[1:])
		}
	})
}

// An instance that has no accounts left waits for the others.
func TestARescoreIsOverWhenAllInstancesAreDone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &portions{}
		p.others.Store(1)
		r := &rescorer{engine: p, log: zerolog.Nop(), adopted: func(context.Context, store.Model) error { return nil }}
		r.begin(store.Model{Hash: "h", Epoch: 1, Switched: true})
		r.joined()
		go func() {
			<-time.After(3 * time.Second)
			p.others.Store(0)
		}()
		took := steps(t, r, true, 30)
		if took < 3*time.Second || took > 4*time.Second || p.looks > 8 {
			t.Errorf("over after %s and %d looks, want 3 s and few", took, p.looks)
		}
		if r.notes() != nil {
			t.Errorf("notes %q of a rescore that is over", r.notes())
		}
	})
}

func TestARescoreThatCannotHealEndsTheSession(t *testing.T) {
	t.Parallel()
	r := &rescorer{engine: &portions{err: engine.ErrLaterModel}, log: zerolog.Nop()}
	r.begin(store.Model{Hash: "h", Epoch: 1})
	r.joined()
	err := r.step(t.Context(), false)
	if !errors.Is(err, engine.ErrLaterModel) || healing(err) {
		t.Errorf("got %v, want an error that does not heal", err)
	}
}

// changed waits until all accounts are under a version of the model.
func (d *deployment) changed(version int) store.Model {
	d.t.Helper()
	var last store.Model
	d.eventually(func() error {
		var err error
		if last, _, err = d.store.LatestModel(d.t.Context()); err != nil || !last.Adopted || last.Version != fmt.Sprint(version) {
			return fmt.Errorf("the model in force is %+v, %w", last, err)
		}
		return nil
	})
	return last
}

// published are the tier changes of all accounts.
func (d *deployment) published() (changes []codec.Published, err error) {
	kafka, err := KafkaConfig(d.cfg, nil)
	if err != nil {
		return nil, err
	}
	transport, err := conn.NewTransport(kafka)
	if err != nil {
		return nil, err
	}
	defer transport.Close()
	log, err := tail.New(tail.Config{Transport: transport, Topic: d.cfg.Kafka.Topics.TierChanges}, zerolog.Nop())
	if err != nil {
		return nil, err
	}
	partitions, err := log.Partitions(d.t.Context())
	for _, p := range partitions {
		err = errors.Join(err, eachPublished(d.t.Context(), log, p, 0, func(c *codec.Published, _ []byte) error {
			changes = append(changes, *c)
			return nil
		}))
	}
	return changes, err
}

// told is how often each account was moved, as published. It waits for so many in all.
func (d *deployment) told(all int) map[string]int {
	d.t.Helper()
	told := map[string]int{}
	d.eventually(func() error {
		clear(told)
		changes, err := d.published()
		for _, c := range changes {
			told[c.Account]++
		}
		if err != nil || len(changes) < all {
			return fmt.Errorf("%d tier changes are published, want %d, %w", len(changes), all, err)
		}
		return nil
	})
	return told
}

// Two changes of the model, the second before all accounts are under the first, move each
// account once for each, beside the events that keep coming.
func TestModelsChangeOneAfterTheOther(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	const accounts = 30
	name := func(i int) string { return fmt.Sprintf("firm%d.example", i) }
	stop := d.serve(d.cfg)
	for i := range accounts {
		d.visits(name(i), 5)
	}
	d.told(accounts)
	ends(t, stop)
	next := d.cfg
	next.Model = d.model(2, 60)
	stop = d.serve(next)
	ends(t, stop) // at once
	next.Model = d.model(3, 20)
	stop, other := d.serve(next), d.serve(next)
	d.visits("late.example", 3)
	m := d.changed(3)
	if m.Epoch != 2 || !m.Switched {
		t.Errorf("the model in force is %+v, want the second change", m)
	}
	told := d.told(3*accounts + 1)
	for i := range accounts {
		if told[name(i)] != 3 {
			t.Errorf("%s was moved %d times, want 3", name(i), told[name(i)])
		}
		if in, a := d.account(name(i)); in.Version() != 3 || in.Tier(a) != "A" || a.Seq != 3 {
			t.Errorf("%s: got tier %s, seq %d under model %d", name(i), in.Tier(a), a.Seq, in.Version())
		}
	}
	ends(t, stop)
	ends(t, other)
}

func ends(t *testing.T, stop func() (time.Duration, error)) {
	t.Helper()
	if _, err := stop(); err != nil {
		t.Error(err)
	}
}

// A change that an earlier version of the program announced and did not finish is
// finished: some of the accounts are under the new model, and do not say so.
func TestAChangeOfAnEarlierVersionIsFinished(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	stop := d.serve(d.cfg)
	d.visits("acme.example", 5)
	d.told(1)
	ends(t, stop)
	next := d.cfg
	next.Model = d.model(2, 60)
	file, err := ReadModel(next.Model)
	if err != nil {
		t.Fatal(err)
	}
	announced := store.Model{Hash: file.Hash, Name: "test", Version: "2", EffectiveAt: d.now.Load(), Source: string(file.Source)}
	if err := d.store.AddModel(t.Context(), announced); err != nil {
		t.Fatal(err)
	}
	stop = d.serve(next)
	if m := d.changed(2); m.Epoch != 1 || m.EffectiveAt != announced.EffectiveAt {
		t.Errorf("the model in force is %+v, want epoch 1 since %d", m, announced.EffectiveAt)
	}
	if told := d.told(2); told["acme.example"] != 2 {
		t.Errorf("moved %v times, want twice", told)
	}
	ends(t, stop)
}

// The list of models says which change each belongs to, whatever version wrote it.
func TestModelsAreNumbered(t *testing.T) {
	t.Parallel()
	m := func(hash string, at int64, epoch uint64, stage string) store.Model {
		return store.Model{Hash: hash, EffectiveAt: at, Epoch: epoch, Switched: stage == "switched", Adopted: stage == "adopted"}
	}
	for name, c := range map[string]struct {
		list []store.Model
		want []uint64
	}{
		"first":             {[]store.Model{m("a", 1, 0, "adopted")}, []uint64{0}},
		"of before":         {[]store.Model{m("a", 1, 0, "adopted"), m("b", 2, 0, ""), m("b", 2, 0, "adopted")}, []uint64{0, 0, 0}},
		"unfinished":        {[]store.Model{m("a", 1, 0, "adopted"), m("b", 2, 0, "")}, []uint64{0, 1}},
		"finished by this":  {[]store.Model{m("a", 1, 0, "adopted"), m("b", 2, 0, ""), m("b", 2, 1, "switched"), m("b", 2, 1, "adopted")}, []uint64{0, 1, 1, 1}},
		"passed over":       {[]store.Model{m("a", 1, 0, "adopted"), m("b", 2, 0, ""), m("c", 3, 2, "")}, []uint64{0, 1, 2}},
		"one after another": {[]store.Model{m("a", 1, 0, "adopted"), m("b", 2, 1, "switched"), m("c", 3, 2, "switched"), m("c", 3, 2, "adopted")}, []uint64{0, 1, 2, 2}},
	} {
		for i, got := range numbered(c.list) {
			if got.Epoch != c.want[i] {
				t.Errorf("%s: model %d is of epoch %d, want %d", name, i, got.Epoch, c.want[i])
			}
		}
	}
}

// The past holds what accounts may still stand under, and a little more where that can be had.
func TestThePastHoldsWhatIsNeeded(t *testing.T) {
	t.Parallel()
	list := []store.Model{{Hash: "a", EffectiveAt: 10, Adopted: true}}
	for i, hash := range []string{"b", "c", "d", "e", "f"} {
		list = append(list, store.Model{Hash: hash, EffectiveAt: int64(20 + 10*i), Epoch: uint64(i + 1), Switched: true, Adopted: hash == "d"})
	}
	compile := func(broken ...string) func(store.Model) (*scoring.Model, error) {
		return func(m store.Model) (*scoring.Model, error) {
			for _, b := range broken {
				if m.Hash == b {
					return nil, errors.New("broken")
				}
			}
			return nil, nil
		}
	}
	until := func(p engine.Past) (out []int64) {
		for _, m := range p.Models {
			out = append(out, m.Until)
		}
		return out
	}
	for name, c := range map[string]struct {
		broken []string
		want   string
		fails  bool
	}{
		"all":             {nil, "[30 40 50 60]", false}, // b c d e
		"one of before":   {[]string{"b"}, "[40 50 60]", false},
		"one that counts": {[]string{"d"}, "", true},
	} {
		p, err := pastOf(list, compile(c.broken...))
		if (err != nil) != c.fails || err == nil && (fmt.Sprint(until(p)) != c.want || p.Epoch != 5) {
			t.Errorf("%s: got %v at %d (%v), want %s", name, until(p), p.Epoch, err, c.want)
		}
	}
}
