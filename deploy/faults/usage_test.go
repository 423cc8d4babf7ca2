package faults

import (
	"fmt"
	"time"
)

// usage is what an instance took at an instant.
type usage struct {
	at                        time.Time
	memory, goroutines, files float64
}

func (u usage) String() string {
	return fmt.Sprintf("%.0f MB, %.0f goroutines, %.0f files", u.memory/1e6, u.goroutines, u.files)
}

// sample notes what each instance takes. One that does not answer is busy with a
// fault.
func (g *stage) sample() {
	for _, i := range append([]*instance{g.steady}, g.guests...) {
		if !i.logged(`"message":"serving"`) {
			continue
		}
		if figures, err := i.metrics(); err == nil {
			g.usage[i] = append(g.usage[i], usage{
				time.Now(), figures["process_resident_memory_bytes"], figures["go_goroutines"], figures["process_open_fds"],
			})
		}
	}
}

// longEnough is the life of which an instance's figures must be flat: in a shorter
// one its caches still fill.
const longEnough = 8 * time.Minute

// flat wants that no instance takes more at the end of a long life than it did in
// its first third, but for noise. It returns the figures in words.
func (g *stage) flat() string {
	g.t.Helper()
	var most usage
	for i, all := range g.usage {
		most = most.and(all...)
		if all[len(all)-1].at.Sub(all[0].at) < longEnough {
			continue
		}
		third := len(all) / 3
		before, after := usage{}.and(all[:third]...), usage{}.and(all[2*third:]...)
		if after.memory > 1.3*before.memory || after.goroutines > before.goroutines+20 || after.files > before.files+20 {
			g.t.Errorf("instance %d grew: most in its first third %s, in its last %s", i.cmd.Process.Pid, before, after)
		}
	}
	steady := g.usage[g.steady]
	third := len(steady) / 3
	return fmt.Sprintf("steady instance at most %s in the first third, %s in the last; any of %d instances at most %s",
		usage{}.and(steady[:third]...), usage{}.and(steady[2*third:]...), len(g.usage), most)
}

// and is the most of each figure.
func (u usage) and(all ...usage) usage {
	for _, v := range all {
		u.memory, u.goroutines, u.files = max(u.memory, v.memory), max(u.goroutines, v.goroutines), max(u.files, v.files)
	}
	return u
}
