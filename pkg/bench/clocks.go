package bench

import (
	"errors"
	"os"
	"time"
)

// spent is processor time by program.
type spent struct {
	serve, redis, kafka, bench time.Duration
	others                     time.Duration // all other processes of the machine, and the hypervisor
}

// clocks reads the processor time used so far; that of serve by its process id.
func (b *bench) clocks(serve int) (s spent, err error) {
	var faults []error
	read := func(pid int) time.Duration {
		d, err := cpuOf(pid)
		faults = append(faults, err)
		return d
	}
	s.serve, s.redis, s.kafka, s.bench = read(serve), read(b.opts.RedisPID), read(b.opts.KafkaPID), read(os.Getpid())
	busy, stolen, err := machineCPU()
	s.others = busy + stolen - s.serve - s.redis - s.kafka - s.bench
	return s, errors.Join(append(faults, err)...)
}

// since is what was used after an earlier reading.
func (s spent) since(from spent) spent {
	// What others used is a difference of readings that were not taken at one instant.
	others := max(0, s.others-from.others)
	return spent{s.serve - from.serve, s.redis - from.redis, s.kafka - from.kafka, s.bench - from.bench, others}
}
