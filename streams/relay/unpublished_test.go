package relay

import (
	"slices"
	"testing"
)

func TestWhatIsAcknowledgedGoesAgainBehindWhatIsNot(t *testing.T) {
	t.Parallel()
	entry := func(id, account, value string) Entry { return Entry{ID: id, Account: account, Value: []byte(value)} }
	acked := map[string]Entry{"3": entry("3", "a", "three"), "5": entry("5", "b", "five")}
	for _, row := range []struct {
		name    string
		entries []Entry
		want    []string
	}{
		{"nothing else", []Entry{entry("3", "a", "three"), entry("5", "b", "five")}, nil},
		{"others behind", []Entry{entry("3", "a", "three"), entry("6", "a", "six")}, []string{"6"}},
		{"earlier ones are back", []Entry{entry("1", "a", "one"), entry("3", "a", "three"), entry("5", "b", "five")}, []string{"1", "3"}},
		{"another under the same id", []Entry{entry("3", "a", "other"), entry("5", "a", "five")}, []string{"3", "5"}},
	} {
		var got []string
		for _, e := range (&shard{acked: acked}).unpublished(row.entries) {
			got = append(got, e.ID)
		}
		if !slices.Equal(got, row.want) {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
}
