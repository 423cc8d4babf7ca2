//go:build failpoints

package failpoint

import "testing"

func TestParse(t *testing.T) {
	t.Parallel()
	points, err := parse("store.sent:kill:20,relay.read:hang")
	if err != nil {
		t.Fatal(err)
	}
	if p := points[AfterCommit]; p == nil || !p.kill || p.left.Load() != 20 {
		t.Errorf("got %+v, want kill at pass 20", p)
	}
	if p := points[RelayRead]; p == nil || p.kill || p.left.Load() != 1 {
		t.Errorf("got %+v, want hang at pass 1", p)
	}
	for _, bad := range []string{"store.sent", "store.sent:explode", "nowhere:kill", "store.sent:kill:0", "store.sent:kill:1:2"} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}
