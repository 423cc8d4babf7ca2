//go:build failpoints

package failpoint

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

// variable names the environment variable that arms places.
const variable = "TIDEMARK_TEST_FAILPOINT"

// point is an armed place: its action happens when left reaches 0.
type point struct {
	kill bool
	left atomic.Int64
}

// armed is read once, at the first place that is passed.
var armed = sync.OnceValue(func() map[string]*point {
	points, err := parse(os.Getenv(variable))
	if err != nil {
		panic(err) // a test that arms nothing would prove nothing
	}
	return points
})

// Hit passes a place, and does what the environment says for it.
func Hit(name string) {
	p := armed()[name]
	if p == nil || p.left.Add(-1) != 0 {
		return
	}
	if p.kill {
		_ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
	}
	select {} // for ever, or until the signal arrives
}

// parse reads "name:action[:pass],…".
func parse(text string) (map[string]*point, error) {
	points := map[string]*point{}
	if text == "" {
		return points, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		fields := strings.Split(part, ":")
		if len(fields) < 2 || len(fields) > 3 || !slices.Contains(Names(), fields[0]) || fields[1] != "kill" && fields[1] != "hang" {
			return nil, fmt.Errorf("%s: %q is not name:kill or name:hang with one of the names %v", variable, part, Names())
		}
		p, pass := &point{kill: fields[1] == "kill"}, int64(1)
		if len(fields) == 3 {
			var err error
			if pass, err = strconv.ParseInt(fields[2], 10, 64); err != nil || pass < 1 {
				return nil, fmt.Errorf("%s: %q: the pass is not a number from 1 on", variable, part)
			}
		}
		p.left.Store(pass)
		points[fields[0]] = p
	}
	return points, nil
}
