package engine_test

import (
	"testing"

	"tidemark/pkg/engine"
	"tidemark/pkg/store/memory"
	"tidemark/scoring"
)

// Who has a domain depends on the order of the inputs, within a round too.
func TestDomainsAreResolvedInOrder(t *testing.T) {
	t.Parallel()
	s := memory.New(shards)
	e := setup{memory: s}.engine(t)
	assign(t, e, web, profiles)
	process(t, e, round(
		guest(web, 0, "acme.example", start), profile(profiles, 0, "acme", start, "acme.example"), guest(web, 1, "acme.example", start),
		profile(profiles, 1, "bert", start, "acme.example"), guest(web, 2, "acme.example", start), guest(web, 3, "acme.example", start),
		profile(profiles, 2, "bert", start), guest(web, 4, "acme.example", start)))
	wantScore(t, s, "acme.example", start, 40)
	wantScore(t, s, "acme", start, 20)
	wantScore(t, s, "bert", start, 40)
}

// A domain leads to who claims it, else to who claims its nearest parent of the
// same owner, else to itself.
func TestADomainLeadsToTheNearestParentThatIsClaimed(t *testing.T) {
	t.Parallel()
	s := memory.New(shards)
	e := setup{memory: s}.engine(t)
	assign(t, e, web, profiles)
	process(t, e, round(
		profile(profiles, 0, "acme", start, "acme.co.uk"), profile(profiles, 1, "eu", start, "eu.acme.co.uk"), profile(profiles, 2, "suffix", start, "co.uk"),
		guest(web, 0, "mail.acme.co.uk", start), guest(web, 1, "mail.eu.acme.co.uk", start), guest(web, 2, "mail.birch.co.uk", start)))
	wantScore(t, s, "acme", start, 20)
	wantScore(t, s, "eu", start, 20)
	wantScore(t, s, "mail.birch.co.uk", start, 20)
	wantScore(t, s, "suffix", start, 0)
}

// A crash between an event without a subject and the profile that claims its
// domain, or after it, neither counts the event twice nor loses it.
func TestACrashAroundAClaimCountsEventsOnce(t *testing.T) {
	t.Parallel()
	names := apart(8) // one in every shard
	domain, acme := names[0], names[1]
	inputs := []engine.Input{guest(web, 0, domain, start), visit(web, 1, acme, start), profile(profiles, 0, acme, start, domain), guest(web, 2, domain, start)}
	for dead := range shards {
		for _, after := range []int{0, 1, 2, 3} { // steps that shard does before it dies
			s := memory.New(shards)
			f := &faulty{Store: s}
			e := setup{memory: s, store: f}.engine(t)
			assign(t, e, web, profiles)
			n := 0
			f.step = func(step engine.Step) faultKind {
				if step.Shard != dead {
					return fine
				}
				if n++; n > after {
					return diesBefore
				}
				return fine
			}
			_ = e.Process(t.Context(), round(clones(inputs)...)) // it may come to its end first
			f.step = nil
			next := setup{memory: s.Peer()}.engine(t)
			from := assign(t, next, web, profiles)
			var again []engine.Input
			for _, in := range clones(inputs) {
				if in.Offset >= from[in.Partition] {
					again = append(again, in)
				}
			}
			process(t, next, round(again...))
			wantScore(t, s, domain, start, 20)
			wantScore(t, s, acme, start, 40)
			if t.Failed() {
				t.Fatalf("shard %d died after %d steps", dead, after)
			}
		}
	}
}

// clones gives inputs that were never resolved.
func clones(inputs []engine.Input) []engine.Input {
	out := make([]engine.Input, len(inputs))
	for i, in := range inputs {
		e := *in.Event
		in.Event = &e
		out[i] = in
	}
	return out
}

// A record of several events may be cut where a domain has to wait for a profile.
func TestARecordOfSeveralEventsStaysWhole(t *testing.T) {
	t.Parallel()
	s := memory.New(1) // everything in one shard
	e := setup{memory: s}.engine(t)
	assign(t, e, web)
	one := profile(web, 0, "acme", start, "acme.example")
	two, three := guest(web, 0, "acme.example", start), visit(web, 0, "acme", start)
	two.Event.ID, three.Event.ID = "two", "three"
	process(t, e, round(one, two, three, visit(web, 1, "acme", start)))
	wantScore(t, s, "acme", start, 60)
	if ends := checkpoint(t, e); ends[web] != 2 {
		t.Errorf("got end %d, want 2", ends[web])
	}
}

// Domains go back when the account is erased.
func TestErasedAccountsGiveTheirDomainsBack(t *testing.T) {
	t.Parallel()
	s := memory.New(shards)
	e := setup{memory: s}.engine(t)
	assign(t, e, web, profiles)
	gone := profile(profiles, 1, "acme", start)
	gone.Event.Kind, gone.Event.Profile = scoring.KindTombstone, nil
	early := guest(web, 0, "acme.example", start)
	early.Event.Type = "web.demo"
	process(t, e, round(profile(profiles, 0, "acme", start, "acme.example"), early))
	if e.NextDue() == engine.NoDue {
		t.Fatal("nothing is due, so nothing can be seen to be forgotten")
	}
	process(t, e, round(gone, guest(web, 1, "acme.example", start)))
	if due, err := s.NextDue(t.Context(), []int{engine.ShardOf("acme", shards)}); err != nil || due[0] != engine.NoDue {
		t.Errorf("got %v, %v: the erased account's due instant is still there", due, err)
	}
	wantScore(t, s, "acme", start, 0)
	wantScore(t, s, "acme.example", start, 20)
	if a := account(t, s, compile(t, spec()), "acme"); a != nil && a.Begun {
		t.Error("the account is still there")
	}
}
