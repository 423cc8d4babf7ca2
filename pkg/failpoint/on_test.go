//go:build failpoints

package failpoint

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

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

func TestClock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clock")
	t.Setenv(clockVariable, path)
	now := Clock(func() int64 { return 1000 })
	for _, c := range []struct {
		text string
		want int64
	}{{"", 1000}, {"1m", 61_000}, {"-500ms\n", 500}, {"0s", 1000}} {
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(10 * time.Second); now() != c.want; {
			if time.Now().After(deadline) {
				t.Fatalf("%q: got %d, want %d", c.text, now(), c.want)
			}
		}
	}
}
