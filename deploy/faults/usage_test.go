package faults

import (
	"fmt"
	"time"
)

// usage is what an instance took at an instant.
type usage struct {
	at                        time.Time
	memory, goroutines, files float64
	// stored is what the accounts take in Redis, in bytes. They grow until they are at
	// their bounds (256 identities a day, 64 people), and an instance's memory of them with them.
	stored float64
}

func (u usage) String() string {
	return fmt.Sprintf("%.0f MB, %.0f goroutines, %.0f files beside %.1f MB of accounts in Redis", u.memory/1e6, u.goroutines, u.files, u.stored/1e6)
}

// sample notes what each instance takes. One that does not answer is busy with a
// fault.
func (g *stage) sample() {
	stored, err := g.stored()
	if err != nil {
		return // Redis is the one that is harmed
	}
	for _, i := range append([]*instance{g.steady}, g.guests...) {
		if !i.logged(`"message":"serving"`) {
			continue
		}
		if figures, err := i.metrics(); err == nil {
			g.usage[i] = append(g.usage[i], usage{
				time.Now(), figures["process_resident_memory_bytes"], figures["go_goroutines"], figures["process_open_fds"], stored,
			})
		}
	}
}

// stored is how many bytes the accounts take in Redis.
func (g *stage) stored() (float64, error) {
	var sum float64
	for shard := range g.w.cfg.Redis.Shards {
		n, err := g.server.Do("MEMORY", "USAGE", fmt.Sprintf("%s:{%03d}:accounts", g.w.cfg.Namespace, shard))
		if err != nil {
			return 0, err
		}
		if bytes, ok := n.(int64); ok { // nil: nobody is there yet
			sum += float64(bytes)
		}
	}
	return sum, nil
}

// perStored is how much memory a stored byte may take in an instance: decoded it is
// about twice as long, and the collector lets as much again wait.
const perStored = 4

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
		grown := max(after.stored-before.stored, 0)
		if after.memory > 1.3*before.memory+perStored*grown || after.goroutines > before.goroutines+20 || after.files > before.files+20 {
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
		u.stored = max(u.stored, v.stored)
	}
	return u
}
