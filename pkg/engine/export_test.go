package engine

// Cached is how many decoded accounts are in memory.
func (e *Engine) Cached() (n int) {
	for _, l := range e.lanes {
		n += l.kept()
	}
	return n
}
