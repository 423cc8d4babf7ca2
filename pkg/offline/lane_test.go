package offline

import (
	"testing"

	"tidemark/scoring"
)

// Accounts whose names have the same hash are two all the same.
func TestAccountsWithTheSameHashAreKeptApart(t *testing.T) {
	t.Parallel()
	m, err := scoring.Compile(scoring.Spec{Name: "m", Version: 1, Tiers: []scoring.TierSpec{{Name: "A"}}}, "", nil, scoring.NewNames(nil))
	if err != nil {
		t.Fatal(err)
	}
	l := &lane{Runner: &Runner{model: m}, accounts: map[uint64]*account{}}
	names := []string{"a", "b", "c"}
	for _, name := range names {
		if l.find(name, 7) != nil {
			t.Errorf("%s: found before it was made", name)
		}
		made := l.account(name, 7)
		if made.name != name || l.account(name, 7) != made {
			t.Errorf("%s: got %s", name, made.name)
		}
	}
	n := 0
	for range l.all {
		n++
	}
	if n != len(names) {
		t.Errorf("got %d accounts, want %d", n, len(names))
	}
}
