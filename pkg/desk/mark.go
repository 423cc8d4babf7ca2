package desk

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
)

// mark says up to where the published log comes from the desk that it lies beside:
// whatever was published before Ends was committed before the mark was. A store that
// is set back takes its mark back with it, so that what was published since is found.
type mark struct {
	// ID is another in each mark: a mark that came again is seen.
	ID string `json:"id"`
	// Ends are offsets of the published log by partition. A partition that it does not
	// name counts from its beginning.
	Ends map[int]int64 `json:"ends"`
}

// readMark reads a mark; "" is that of a desk that nothing was published of.
func readMark(text string) (m mark, err error) {
	if text == "" {
		return m, nil
	}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return m, fmt.Errorf("the desk's mark in the store: %w", err)
	}
	return m, nil
}

// moved is a new mark at these ends, as it is stored.
func (m mark) moved(ends map[int]int64) string {
	next := mark{ID: rand.Text(), Ends: maps.Clone(m.Ends)}
	if next.Ends == nil {
		next.Ends = map[int]int64{}
	}
	maps.Copy(next.Ends, ends)
	text, err := json.Marshal(next)
	if err != nil {
		panic(err) // strings and numbers
	}
	return string(text)
}
