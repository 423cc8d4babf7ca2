package profilecsv

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"tidemark/streams/codec"
)

// The types of attributes.
const (
	typeText    = "text"
	typeNumber  = "number"
	typeBoolean = "boolean"
	typeList    = "list"
)

// column is one of the file's.
type column struct {
	name string
	kind string // a type; empty while it is to be found out
	// bool and number are whether all cells so far could be one.
	boolean, number, filled bool
}

// File is a CSV file that was checked.
type File struct {
	name    string
	columns []column
	account int // index of the column
	rows    int
	faults  []error
	beyond  int
	lines   map[string]int // where each account was met
}

// Rows is how many profiles the file holds.
func (f *File) Rows() int { return f.rows }

// shownFaults is how many faults are told.
const shownFaults = 20

func (f *File) fault(line, col int, format string, args ...any) {
	if len(f.faults) == shownFaults {
		f.beyond++
		return
	}
	f.faults = append(f.faults, fmt.Errorf("%s:%d:%d: %s", f.name, line, col, fmt.Sprintf(format, args...)))
}

// Check reads the whole file. The error says each of the first faults on a line of
// its own, with the file's line and column.
func Check(name string, in io.Reader) (*File, error) {
	f := &File{name: name, account: -1, lines: map[string]int{}}
	err := f.each(in, f.checkRow)
	if err == nil && f.rows == 0 && len(f.faults) == 0 {
		f.fault(1, 1, "no row below the header")
	}
	if err != nil {
		f.faults = append(f.faults, err)
	}
	if f.beyond > 0 {
		f.faults = append(f.faults, fmt.Errorf("%s: %d more faults", name, f.beyond))
	}
	if len(f.faults) > 0 {
		return nil, errors.Join(f.faults...)
	}
	for i := range f.columns {
		f.columns[i].settle()
	}
	f.lines = nil
	return f, nil
}

// each reads the header, unless it is known, and calls row for every row.
func (f *File) each(in io.Reader, row func(r *csv.Reader, cells []string)) error {
	r := csv.NewReader(in)
	r.FieldsPerRecord = -1 // told with the line's own words
	r.ReuseRecord = true
	header, err := r.Read()
	if err != nil {
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("%s:1:1: the file is empty: a header is expected", f.name)
		}
		return f.unreadable(err)
	}
	if f.columns == nil {
		f.readHeader(r, header)
	}
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return f.unreadable(err)
		}
		row(r, cells)
	}
}

func (f *File) unreadable(err error) error {
	var known *csv.ParseError
	if errors.As(err, &known) {
		return fmt.Errorf("%s:%d:%d: %w", f.name, known.Line, known.Column, known.Err)
	}
	return fmt.Errorf("%s: %w", f.name, err)
}

func (f *File) readHeader(r *csv.Reader, header []string) {
	seen := map[string]int{}
	for i, cell := range header {
		line, col := r.FieldPos(i)
		cell = strings.TrimSpace(strings.TrimPrefix(cell, "\ufeff"))
		name, kind, typed := strings.Cut(cell, ":")
		c := column{name: name, kind: kind, boolean: true, number: true}
		switch {
		case name == "":
			f.fault(line, col, "column %d has no name", i+1)
		case seen[name] > 0:
			f.fault(line, col, "column %q is here twice: first as column %d", name, seen[name])
		case typed && !slices.Contains([]string{typeText, typeNumber, typeBoolean, typeList}, kind):
			f.fault(line, col, "column %q: %q is not one of text, number, boolean and list", name, kind)
		case typed && reserved(name):
			f.fault(line, col, "column %q takes no type", name)
		}
		if name == "account" {
			f.account = i
		}
		seen[name] = i + 1
		f.columns = append(f.columns, c)
	}
	if f.account < 0 {
		f.fault(1, 1, "no column is named account: it must hold each account's id")
	}
}

func reserved(name string) bool {
	return name == "account" || name == "domain" || name == "domains" || name == "parent"
}

// checkRow holds a row against the columns' types, and learns those.
func (f *File) checkRow(r *csv.Reader, cells []string) {
	f.rows++
	line, _ := r.FieldPos(0)
	if len(cells) != len(f.columns) {
		f.fault(line, 1, "%d cells, the header has %d", len(cells), len(f.columns))
		return
	}
	for i := range cells {
		line, col := r.FieldPos(i)
		cell, c := strings.TrimSpace(cells[i]), &f.columns[i]
		if i == f.account {
			f.checkAccount(line, col, cell)
			continue
		}
		if cell == "" {
			continue
		}
		switch {
		case c.name == "domain" || c.name == "domains":
			f.checkDomains(line, col, cell)
		case reserved(c.name):
		case c.kind == typeNumber && !isNumber(cell):
			f.fault(line, col, "%s: %s is not a number", c.name, codec.Show(cell))
		case c.kind == typeBoolean && !isBoolean(cell):
			f.fault(line, col, "%s: %s is neither true nor false", c.name, codec.Show(cell))
		default:
			c.filled = true
			c.boolean, c.number = c.boolean && isBoolean(cell), c.number && isNumber(cell)
		}
	}
}

func (f *File) checkAccount(line, col int, cell string) {
	id := strings.ToLower(cell)
	if id == "" {
		f.fault(line, col, "account: is empty")
		return
	}
	if first := f.lines[id]; first > 0 {
		f.fault(line, col, "account: %s is on line %d too; a profile is the whole of what is known, so one row is needed", codec.Show(id), first)
		return
	}
	f.lines[id] = line
}

func (f *File) checkDomains(line, col int, cell string) {
	for _, domain := range domainsOf(cell) {
		if !codec.IsDomain(domain) {
			f.fault(line, col, "%s is not a domain name such as acme.example", codec.Show(domain))
		}
	}
}

// settle decides the type of a column that does not say it.
func (c *column) settle() {
	switch {
	case c.kind != "":
	case c.filled && c.boolean:
		c.kind = typeBoolean
	case c.filled && c.number:
		c.kind = typeNumber
	default:
		c.kind = typeText
	}
}
