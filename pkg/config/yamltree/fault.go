package yamltree

import (
	"fmt"
	"sort"
	"strings"
)

// Fault is one mistake: where it is, and what is allowed instead.
type Fault struct {
	Position
	Path string // signals[3].half_life; empty for the file as a whole
	Text string
}

// Faults are the mistakes of one file. The zero value has none.
type Faults struct {
	Name string // the file
	List []Fault
}

// Add notes a mistake.
func (f *Faults) Add(at Position, path, format string, args ...any) {
	f.List = append(f.List, Fault{at, path, fmt.Sprintf(format, args...)})
}

// Err is nil without faults, else an error that says each on its own line, in
// the file's order.
func (f *Faults) Err() error {
	if len(f.List) == 0 {
		return nil
	}
	sort.SliceStable(f.List, func(i, j int) bool {
		a, b := f.List[i], f.List[j]
		if a.Line != b.Line {
			return a.Line < b.Line
		}
		return a.Column < b.Column
	})
	return &Error{Name: f.Name, Faults: f.List}
}

// Error is all the mistakes of one file.
type Error struct {
	Name   string
	Faults []Fault
}

func (e *Error) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = fmt.Sprintf("%s:%d:%d: ", e.Name, f.Line, f.Column)
		if f.Path != "" {
			lines[i] += f.Path + ": "
		}
		lines[i] += f.Text
	}
	return strings.Join(lines, "\n")
}
