package engine_test

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"tidemark/pkg/engine"
	"tidemark/pkg/store/memory"
	"tidemark/scoring"
)

// What an input says of who is who is decided once: a crash, an old memory or a store that
// is set back leads to the same, whatever came behind it.

var ads = engine.Partition{Topic: "intent", ID: 0}

// tardy is a model with late identification.
func tardy(t *testing.T) *scoring.Model {
	return compile(t, late())
}

func late() scoring.Spec {
	s := spec()
	s.Identity.Late = true
	return s
}

// setsBack gives what sets the accounts' shards back to where they are now.
func setsBack(s *memory.Store, accounts ...string) func() {
	var shard []int
	for _, a := range accounts {
		shard = append(shard, engine.ShardOf(a, shards))
	}
	return s.Save(shard...)
}

// wantScores wants accounts to have scores at the start of the histories, or nearly so.
func wantScores(t *testing.T, s engine.Store, want map[string]float64) {
	t.Helper()
	for name, score := range want {
		wantNear(t, s, name, start, score)
	}
}

// again has a new engine read from where the store stands.
func again(t *testing.T, s *memory.Store, m *scoring.Model, log []engine.Input, partitions ...engine.Partition) {
	t.Helper()
	e := setup{memory: s, store: s.Peer(), model: m}.engine(t)
	from := assign(t, e, partitions...)
	process(t, e, round(slices.DeleteFunc(clones(log), func(in engine.Input) bool { return in.Offset < from[in.Partition] })...))
}

// losing is a store whose process dies where it would write an account.
func losing(s *memory.Store, account string) engine.Store {
	return &faulty{Store: s.Peer(), step: func(step engine.Step) faultKind {
		if slices.ContainsFunc(step.Writes, func(w engine.Write) bool { return w.Account == account }) {
			return diesBefore
		}
		return fine
	}}
}

// cut wants a round not to be stored whole, as the process dies in it.
func cut(t *testing.T, dying *engine.Engine, log []engine.Input) {
	t.Helper()
	if err := dying.Process(t.Context(), round(clones(log)...)); err == nil {
		t.Fatal("the round is stored, want it cut")
	}
}

// A profile that is read again does not move what came to its domain since.
func TestAProfileReadAgainMovesNoLaterEvents(t *testing.T) {
	t.Parallel()
	names := apart(2)
	owner, domain := names[0], names[1]
	log := []engine.Input{profile(profiles, 0, owner, start, domain), visit(web, 0, domain, start)}
	s := memory.New(shards)
	e := setup{memory: s, model: tardy(t)}.engine(t)
	assign(t, e, web, profiles)
	process(t, e, round(clones(log[:1])...))
	process(t, e, round(clones(log[1:])...))
	again(t, s, tardy(t), log, web, profiles)
	wantScores(t, s, map[string]float64{owner: 0, domain: 20})
}

// That holds where the step of the profile is lost, and what came behind it in the round
// could have been stored.
func TestWhatNamesADomainWaitsForItsProfile(t *testing.T) {
	t.Parallel()
	names := apart(2)
	owner, domain := names[0], names[1]
	log := []engine.Input{profile(profiles, 0, owner, start, domain), visit(web, 0, domain, start)}
	s := memory.New(shards)
	dying := setup{memory: s, model: tardy(t), lanes: 1, store: losing(s, owner)}.engine(t)
	assign(t, dying, web, profiles)
	cut(t, dying, log)
	again(t, s, tardy(t), log, web, profiles)
	wantScores(t, s, map[string]float64{owner: 0, domain: 20})
}

// Whether a domain has events is asked of the store: what is in memory may be older than
// what another instance did.
func TestADomainIsLookedUpInTheStore(t *testing.T) {
	t.Parallel()
	names := apart(2)
	owner, domain := names[0], names[1]
	s := memory.New(shards)
	e, other := setup{memory: s, store: s.Peer(), model: tardy(t)}.engine(t), setup{memory: s, store: s.Peer(), model: tardy(t)}.engine(t)
	assign(t, e, profiles)
	assign(t, other, web)
	gone := profile(profiles, 0, domain, start)
	gone.Event.Kind, gone.Event.Profile = scoring.KindTombstone, nil
	process(t, e, round(gone))
	process(t, other, round(visit(web, 0, domain, start)))
	process(t, e, round(profile(profiles, 1, owner, start, domain)))
	wantScores(t, s, map[string]float64{owner: 20, domain: 0})
}

// Who lost a partition does not merge by an input that the next owner is past.
func TestAProfileThatOthersDealtWithMovesNothing(t *testing.T) {
	t.Parallel()
	names := apart(2)
	owner, domain := names[0], names[1]
	s := memory.New(shards)
	late, next := setup{memory: s, store: s.Peer(), model: tardy(t)}.engine(t), setup{memory: s, store: s.Peer(), model: tardy(t)}.engine(t)
	assign(t, late, web, profiles)
	assign(t, next, web, profiles)
	said := profile(profiles, 0, owner, start, domain)
	process(t, next, round(clones([]engine.Input{said})...))
	checkpoint(t, next)
	process(t, next, round(visit(web, 0, domain, start)))
	process(t, late, round(said))
	wantScores(t, s, map[string]float64{owner: 0, domain: 20})
}

// A domain whose store is set back goes again to who took it, merged by now or not.
func TestADomainThatIsSetBackGoesAgain(t *testing.T) {
	t.Parallel()
	for _, on := range []bool{false, true} {
		names := apart(3)
		owner, domain, next := names[0], names[1], names[2]
		log := []engine.Input{visit(web, 0, domain, start), profile(profiles, 0, owner, start, domain), visit(web, 1, domain, start)}
		want := map[string]float64{owner: 40, domain: 0}
		if on {
			log = append(log, merged(web, 2, owner, next, start))
			want[owner], want[next] = 0, 40
		}
		s := memory.New(shards)
		e := setup{memory: s, model: tardy(t)}.engine(t)
		assign(t, e, web, profiles)
		back := setsBack(s, domain)
		process(t, e, round(clones(log)...))
		wantScores(t, s, want)
		back()
		again(t, s, tardy(t), log, web, profiles)
		wantScores(t, s, want)
		if a := account(t, s, tardy(t), domain); a.Into() != owner {
			t.Errorf("the domain went into %q, want %q", a.Into(), owner)
		}
	}
}

// A loser whose store is set back goes into the heir that it had, though that one was
// merged since: what the heir left has all that came to it by the loser's name.
func TestAMergeReadAgainNamesItsFormerHeir(t *testing.T) {
	t.Parallel()
	names := apart(3)
	loser, heir, last := names[0], names[1], names[2]
	log := []engine.Input{
		visit(web, 0, loser, start), merged(web, 1, loser, heir, start), visit(web, 2, loser, start),
		merged(web, 3, heir, last, start), visit(web, 4, loser, start),
	}
	s := memory.New(shards)
	e := setup{memory: s}.engine(t)
	assign(t, e, web)
	back := setsBack(s, loser, last)
	process(t, e, round(clones(log)...))
	back()
	again(t, s, nil, log, web)
	wantScores(t, s, map[string]float64{loser: 0, heir: 0, last: 60})
	if a := account(t, s, compile(t, spec()), loser); a.Into() != heir {
		t.Errorf("the loser went into %q, want %q", a.Into(), heir)
	}
}

// A merge that a crash cut before its position was stored is read again, and its heir was
// set back: it gets the estate again.
func TestACutMergeIsOfferedToAnHeirThatWasSetBack(t *testing.T) {
	t.Parallel()
	names := apart(2)
	loser, heir := names[0], names[1]
	log := []engine.Input{visit(web, 0, loser, start), merged(web, 1, loser, heir, start)}
	s := memory.New(shards)
	dying := setup{memory: s, store: &faulty{Store: s.Peer(), step: func(step engine.Step) faultKind {
		if slices.ContainsFunc(step.Moves, func(m engine.Move) bool { return m.Partition == web && m.To == 2 }) {
			return diesBefore
		}
		return fine
	}}}.engine(t)
	assign(t, dying, web)
	back := setsBack(s, heir)
	cut(t, dying, log)
	wantScores(t, s, map[string]float64{loser: 0, heir: 20})
	back()
	again(t, s, nil, log, web)
	wantScores(t, s, map[string]float64{loser: 0, heir: 20})
}

// An estate that another instance gave and did not bring is brought by whoever reads the
// merge next, though it learned of merges before.
func TestWhoReadsAMergeBringsItsEstate(t *testing.T) {
	t.Parallel()
	names := apart(2)
	loser, heir := names[0], names[1]
	log := []engine.Input{visit(web, 0, loser, start), merged(web, 1, loser, heir, start)}
	s := memory.New(shards)
	dying := setup{memory: s, store: losing(s, heir)}.engine(t)
	next := setup{memory: s, store: s.Peer()}.engine(t)
	assign(t, dying, web)
	assign(t, next, web)
	cut(t, dying, log)
	process(t, next, round(clones(log)...))
	wantScores(t, s, map[string]float64{loser: 0, heir: 20})
}

// A merge puts up the fence of its own place, and not of those that its loser's shard has.
func TestAFenceStandsWhereTheMergeDoes(t *testing.T) {
	t.Parallel()
	names := apart(3)
	a, b, c := names[0], names[1], names[2]
	for range 20 { // an order of maps hid the wrong one
		s := memory.New(shards)
		e := setup{memory: s}.engine(t)
		assign(t, e, web, ads)
		process(t, e, round(visit(web, 0, a, start), merged(web, 1, a, b, start), merged(ads, 5, b, c, start)))
		all, err := s.Positions(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		fences := all[engine.ShardOf(c, shards)]
		maps.DeleteFunc(fences, func(row engine.Partition, _ int64) bool { return !strings.HasPrefix(row.Topic, "@") })
		if want := map[engine.Partition]int64{{Topic: "@intent"}: 6}; !maps.Equal(fences, want) {
			t.Fatalf("got fences %v, want %v", fences, want)
		}
	}
}

// A domain that gave what it had when the instance died is brought to its owner by who
// starts next: the profile alone would not tell.
func TestADomainThatGaveIsBroughtAfterACrash(t *testing.T) {
	t.Parallel()
	names := apart(2)
	owner, domain := names[0], names[1]
	log := []engine.Input{visit(web, 0, domain, start), profile(profiles, 0, owner, start, domain)}
	s := memory.New(shards)
	dying := setup{memory: s, model: tardy(t), store: losing(s, owner)}.engine(t)
	assign(t, dying, web, profiles)
	cut(t, dying, log)
	again(t, s, tardy(t), log, web, profiles)
	wantScores(t, s, map[string]float64{owner: 20, domain: 0})
}

// Accounts that went into each other at once stay one when their merges are read again,
// though the one had taken what the other left before it went too.
func TestACircleReadAgainStaysOpen(t *testing.T) {
	t.Parallel()
	names := apart(2)
	slices.Sort(names)
	for _, stays := range []int{0, 1} {
		s := memory.New(shards)
		// The one that gives first waits until the other has looked where that one goes,
		// and the other until that one's estate is taken.
		first, looked, taken := names[stays], make(chan bool), make(chan bool)
		var log []engine.Input
		var done sync.WaitGroup
		for i, p := range []engine.Partition{web, ads} {
			inputs := []engine.Input{visit(p, 0, names[i], start), merged(p, 1, names[i], names[1-i], start), visit(p, 2, names[i], start)}
			log = append(log, inputs...)
			gave := 0
			e := setup{memory: s, model: compile(t, faint()), lanes: 1, store: &faulty{Store: s.Peer(), step: func(step engine.Step) faultKind {
				if len(step.Writes) == 1 && step.Writes[0].Account == names[i] && step.Writes[0].Tier == engine.MergedListing {
					gave++
					switch {
					case names[i] == first && gave == 1:
						<-looked
					case names[i] == first && gave == 2:
						close(taken)
					case gave == 1:
						close(looked)
						<-taken
					}
				}
				if slices.ContainsFunc(step.Moves, func(m engine.Move) bool { return m.Partition == p && m.To > 1 }) {
					return diesBefore
				}
				return fine
			}}}.engine(t)
			assign(t, e, p)
			done.Go(func() {
				if err := e.Process(t.Context(), round(clones(inputs)...)); err == nil {
					t.Error("the round is stored, want it cut behind the merge")
				}
			})
		}
		done.Wait()
		third := engine.Partition{Topic: "engagement", ID: 1}
		again(t, s, compile(t, faint()), []engine.Input{visit(third, 0, names[0], start)}, third)
		again(t, s, compile(t, faint()), log, web, ads)
		m := compile(t, faint())
		for _, name := range names {
			if a := account(t, s, m, name); (a.Into() == "") != (name == names[0]) {
				t.Errorf("%s went into %q, want %s to stay", name, a.Into(), names[0])
			}
		}
		if got := m.Score(account(t, s, m, names[0]), start); math.Abs(got-0.5) > 1e-9 {
			t.Errorf("score of %s where %s went first: got %v, want 0.5", names[0], first, got)
		}
	}
}

// openEnd is what a round leaves that was cut: an heir's shard is past an event of a loser that
// is stored nowhere, by that of another account that it took before, whose name lies where the
// loser's does.
type openEnd struct {
	*memory.Store
	merges              *engine.Engine // who read the first merge
	loser, heir, before string
	log                 []engine.Input
}

func openRound(t *testing.T) *openEnd {
	t.Helper()
	names := apart(2)
	o := &openEnd{Store: memory.New(shards), loser: names[0], heir: names[1], before: names[0]}
	for i := 0; o.before == o.loser || engine.ShardOf(o.before, shards) != engine.ShardOf(o.loser, shards); i++ {
		o.before = fmt.Sprintf("earlier%d.example", i)
	}
	o.log = []engine.Input{visit(web, 0, o.loser, start), visit(web, 1, o.before, start)}
	o.merges = setup{memory: o.Store, store: o.Peer()}.engine(t)
	assign(t, o.merges, profiles)
	process(t, o.merges, round(merged(profiles, 0, o.before, o.heir, start)))
	dying := setup{memory: o.Store, lanes: 1, store: losing(o.Store, o.loser)}.engine(t)
	assign(t, dying, web)
	cut(t, dying, o.log)
	return o
}

// countsAgain reads the events again, twice, and wants both with the heir.
func (o *openEnd) countsAgain(t *testing.T) {
	t.Helper()
	for range 2 {
		again(t, o.Store, nil, o.log, web)
		wantScores(t, o.Store, map[string]float64{o.loser: 0, o.before: 0, o.heir: 40})
	}
}

// A round that was cut may have moved the heir's shard past events of a loser that are stored
// nowhere: by another account's, whose name lies in the same shard. They count.
func TestWhatARoundCutOffCountsForTheHeir(t *testing.T) {
	t.Parallel()
	o := openRound(t)
	wantScores(t, o.Store, map[string]float64{o.loser: 0, o.heir: 20})
	process(t, o.merges, round(merged(profiles, 1, o.loser, o.heir, start)))
	o.countsAgain(t)
}

// The same where the loser's shard is set back behind the merge before its event is read
// again: what the cut round left open lay with the loser alone.
func TestWhatARoundCutOffCountsForTheHeirOfALoserThatWasSetBack(t *testing.T) {
	t.Parallel()
	o := openRound(t)
	setBack := o.Save(engine.ShardOf(o.loser, shards))
	for range 2 { // the merge, and after the set-back the merge again
		e := setup{memory: o.Store, store: o.Peer()}.engine(t)
		assign(t, e, profiles)
		process(t, e, round(merged(profiles, 1, o.loser, o.heir, start)))
		if setBack != nil {
			setBack()
			setBack = nil
		}
	}
	o.countsAgain(t)
}

// A history in which profiles declared the domains of accounts, of which one went into
// another, came out differently in every fifth crash while a profile that was read again
// decided anew.
func TestProfilesReadAgainAmongMergesDecideAsBefore(t *testing.T) {
	t.Parallel()
	for draw := range uint64(15) {
		t.Run(fmt.Sprint(draw), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(16, 18))
			log := drawMerges(r, drawLog(r, 120+r.IntN(200)))[:86]
			endAsOneFileDoes(t, rand.New(rand.NewPCG(draw, 99)), late(), log, log[len(log)-1].Event.Time+12*day)
		})
	}
}
