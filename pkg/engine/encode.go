package engine

import "tidemark/scoring"

// changeChunk is how many bytes are allocated for tier changes at once, and usualChange
// the room from which on one more is written there. Who keeps a message keeps the chunk.
const (
	changeChunk = 16 << 10
	usualChange = 2 << 10
)

// encode is the message that tells of a crossing. Nobody writes to it again.
func (l *lane) encode(account string, c *scoring.Crossing) ([]byte, error) {
	if cap(l.changes)-len(l.changes) < usualChange {
		l.changes = make([]byte, 0, changeChunk)
	}
	used := len(l.changes)
	b, err := l.e.encoder.AppendChange(l.changes[used:used], account, c)
	if err != nil {
		return nil, err
	}
	if end := used + len(b); end <= cap(l.changes) { // else it has memory of its own
		l.changes = l.changes[:end]
	}
	return b[:len(b):len(b)], nil
}
