package engine

// Cached is how many decoded accounts are in memory, and how many the lanes think
// there are.
func (e *Engine) Cached() (held, counted int) {
	for _, l := range e.lanes {
		counted += l.kept
		for _, s := range l.shards {
			held += len(s.accounts)
		}
	}
	return held, counted
}
