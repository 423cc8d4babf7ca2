package engine

// trace tells that an input with a letter was scored, and gives its trace to the
// messages that it led to, which are those from first on that did not come by time.
func (l *lane) trace(w *work, in *Input, first int) {
	if l.e.hooks.Scored == nil {
		return
	}
	trace := l.e.hooks.Scored(in)
	for i := range w.step.Outbox[first:] {
		if m := &w.step.Outbox[first+i]; m.Appended != 0 {
			m.Trace = trace
		}
	}
}
