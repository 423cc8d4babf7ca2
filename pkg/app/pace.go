package app

import (
	"slices"
	"time"

	"tidemark/streams/source"
)

// quietPeriod is the longest time between two rounds while nothing waits: each wakes the
// process up. What comes, or is due meanwhile, begins one of its own.
const quietPeriod = time.Second

// atRest reports whether the latest round left nothing that another one could find by
// looking: all partitions are caught up, and whatever is due is so later.
func (p *pump) atRest(marks []source.Mark) bool {
	return p.tide.alone() && p.engine.NextDue() > p.now() &&
		!slices.ContainsFunc(marks, func(m source.Mark) bool { return !m.CaughtUp })
}
