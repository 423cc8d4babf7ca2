package faults

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"tidemark/deploy/testenv"
)

// An outage is told of when it begins and when it is over, by whoever meets it, and not
// for each attempt: so an hour of it has no more lines than the half minute here. Lines of
// level debug show that it was tried meanwhile. (pkg/engine has an hour on a virtual clock.)
func TestOutageOfRedisIsAHandfulOfLines(t *testing.T) {
	t.Parallel()
	r := testenv.StartRedisFor(t)
	w := newWorld(t, setup{redis: []string{r.Addr()}, env: []string{"TIDEMARK_LOG_LEVEL=debug", "TIDEMARK_CANARY_EVERY=1s"}})
	i := w.serve()
	tr := w.traffic(usualMix(61))
	w.flowing(50)
	begun := len(i.lines())
	done(t, r.Kill())
	const attempts = 10
	eventually(t, 2*time.Minute, func() error {
		if n := count(i.lines()[begun:], "leases not renewed"); n < attempts {
			return fmt.Errorf("%d attempts of the leases, which are one of those who try", n)
		}
		return nil
	})
	if told := above(i.lines()[begun:]); len(told) == 0 || len(told) > 6 {
		t.Errorf("%d lines above debug while it lasted, want one to 6:\n%q", len(told), told)
	}
	done(t, r.Restart())
	w.fresh()
	tr.stop()
	all := i.lines()[begun:]
	if told := above(all); len(told) > 15 {
		t.Errorf("%d lines above debug for one outage, want a handful:\n%q", len(told), told)
	}
	t.Logf("%d lines above debug of %d, begin to end", len(above(all)), len(all))
	i.stop()
}

// above are the lines that are not for debugging.
func above(lines []logged) []logged {
	return slices.DeleteFunc(slices.Clone(lines), func(l logged) bool { return l.Level == "debug" || l.Level == "trace" })
}

// logged is a line of an instance's log.
type logged struct{ Level, Message, Error string }

func (i *instance) lines() (out []logged) {
	i.t.Helper()
	data, err := os.ReadFile(i.log)
	done(i.t, err)
	for line := range bytes.Lines(data) {
		var l logged
		if json.Unmarshal(line, &l) == nil {
			out = append(out, l)
		}
	}
	return out
}

func count(lines []logged, message string) (n int) {
	for _, l := range lines {
		if l.Message == message {
			n++
		}
	}
	return n
}
