package failpoint_test

import (
	"slices"
	"testing"

	"tidemark/pkg/failpoint"
)

// A place that nothing arms is passed in every build.
func TestHitPasses(t *testing.T) {
	t.Parallel()
	for _, name := range failpoint.Names() {
		failpoint.Hit(name)
	}
}

func TestNamesAreUnique(t *testing.T) {
	t.Parallel()
	names := failpoint.Names()
	slices.Sort(names)
	if got := len(slices.Compact(names)); got != len(failpoint.Names()) {
		t.Errorf("got %d different names, want %d", got, len(failpoint.Names()))
	}
}
