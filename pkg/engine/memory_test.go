package engine

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// States that grow and shrink in memory that is used again never lie in each other's.
func TestStatesKeepApartInMemoryUsedAgain(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	var m states
	kept, want := make([][]byte, 100), make([][]byte, 100)
	for range 4_000 {
		i := r.IntN(len(kept))
		state := bytes.Repeat([]byte{byte(r.Uint32())}, r.IntN(2*largeState))
		kept[i], want[i] = m.keep(kept[i], state), state
		if r.IntN(10) == 0 {
			m.leave(kept[i])
			kept[i], want[i] = nil, nil
		}
		for k := range kept {
			if !bytes.Equal(kept[k], want[k]) {
				t.Fatalf("state %d is other than what was kept, after state %d was", k, i)
			}
		}
	}
	for size, spare := range m.spare {
		if len(spare) > spareStates {
			t.Errorf("%d states of size %d are kept for nobody, want %d at most", len(spare), size, spareStates)
		}
	}
}

// A state that shrank does not hold the memory that it needed once.
func TestASmallStateHoldsNoLargeMemory(t *testing.T) {
	t.Parallel()
	var m states
	state := m.keep(nil, make([]byte, 900))
	if state = m.keep(state, make([]byte, 100)); cap(state) > 2*100+2*stateStep {
		t.Errorf("100 bytes lie in %d", cap(state))
	}
}

// What is dropped serves the next account, of which nothing is known.
func TestADroppedEntryIsBlankForTheNext(t *testing.T) {
	t.Parallel()
	s := &shard{accounts: map[string]*entry{}}
	e := s.blank("acme.com")
	e.version, e.tier, e.state, e.touched = 7, "A", []byte("state"), true
	s.drop(e, &states{})
	for range slab {
		if e := s.blank("globex.com"); e.version != 0 || e.tier != "" || e.state != nil || e.touched || e.account != nil {
			t.Fatalf("a blank entry holds %+v", e)
		}
	}
	if s.accounts["acme.com"] != nil {
		t.Error("a dropped account is still there")
	}
}
