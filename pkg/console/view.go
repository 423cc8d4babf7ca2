package console

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// Change is a tier change as it is shown.
type Change struct {
	Time     time.Time
	Account  string
	From, To string
	Up, MQA  bool
	Score    float64
	Cause    string // in words
}

// Options say how to show.
type Options struct {
	// Live is for a terminal: the status line stays at the bottom.
	Live bool
	// Color is for a terminal whose user has not refused it.
	Color bool
	// Width is the terminal's width in columns, asked anew each time. Nil, or 0
	// from it: unknown, and nothing is cut.
	Width func() int
}

// View is the view. It is safe for concurrent use; what writers give it appears
// line by line.
type View struct {
	mu     sync.Mutex // guards what follows and the writer: lines must not mix
	out    io.Writer
	opts   Options
	status string // shown at the bottom now
	rest   []byte // of a line that Write has not seen the end of
	err    error
}

// New makes a View that writes to out.
func New(out io.Writer, o Options) *View { return &View{out: out, opts: o} }

// Change shows a tier change.
func (v *View) Change(c Change) {
	arrow, paint := "▼", yellow
	if c.Up {
		arrow, paint = "▲", green
	}
	mark := "    "
	if c.MQA {
		mark, paint = " MQA", bold+green
	}
	move := fmt.Sprintf("%s %s → %s%s", arrow, c.From, c.To, mark)
	line := fmt.Sprintf("%s  %s  %5.1f  %-32s %s",
		v.paint(dim, c.Time.UTC().Format("Mon 02 Jan 15:04")), v.paint(paint, move), c.Score, c.Account, v.paint(dim, c.Cause))
	v.Line(line)
}

// Line shows a line of text, above the status line if there is one.
func (v *View) Line(text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.lines(text + "\n")
}

// Status replaces the status line; where the view is not live it is a line like
// any other.
func (v *View) Status(text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.opts.Live {
		v.write("-- " + text + "\n")
		return
	}
	v.status = text
	v.write(wipe + v.bottom())
}

// Write shows the lines of a log among the others.
func (v *View) Write(p []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.rest = append(v.rest, p...)
	if end := bytes.LastIndexByte(v.rest, '\n'); end >= 0 {
		v.lines(string(v.rest[:end+1]))
		v.rest = append(v.rest[:0], v.rest[end+1:]...)
	}
	return len(p), nil
}

// Close leaves the terminal as it was, without the status line, and returns the
// first error of the writer.
func (v *View) Close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.rest) > 0 {
		v.lines(string(v.rest) + "\n")
		v.rest = nil
	}
	if v.opts.Live && v.status != "" {
		v.write(wipe)
		v.status = ""
	}
	return v.err
}

// lines writes whole lines.
func (v *View) lines(text string) {
	if v.opts.Live && v.status != "" {
		text = wipe + text + v.bottom()
	}
	v.write(text)
}

func (v *View) write(text string) {
	if _, err := io.WriteString(v.out, text); v.err == nil {
		v.err = err
	}
}

// bottom is the status line, cut to the terminal: a line that wraps could not be
// cleared again.
func (v *View) bottom() string {
	text := v.status
	if v.opts.Width != nil {
		if width := v.opts.Width(); width > 1 && utf8.RuneCountInString(text) >= width {
			text = string([]rune(text)[:width-2]) + "…"
		}
	}
	return v.paint(reverse, text)
}

// What terminals understand.
const (
	wipe    = "\r\x1b[2K"
	reset   = "\x1b[0m"
	bold    = "\x1b[1m"
	dim     = "\x1b[2m"
	reverse = "\x1b[7m"
	green   = "\x1b[32m"
	yellow  = "\x1b[33m"
)

func (v *View) paint(how, text string) string {
	if !v.opts.Color || text == "" {
		return text
	}
	return how + text + reset
}

// Span writes a time without events for people: "9 quiet days".
func Span(d time.Duration) string {
	count := func(n int, unit string) string {
		if n != 1 {
			unit += "s"
		}
		return fmt.Sprintf("%d quiet %s", n, unit)
	}
	if d < 48*time.Hour {
		return count(int(d.Round(time.Hour).Hours()), "hour")
	}
	return count(int(d.Round(24*time.Hour).Hours()/24), "day")
}

// Tiers writes how many accounts are in each tier: "A 3 · B 11 · C 46".
func Tiers(names []string, counts map[string]int) string {
	parts := make([]string, len(names))
	for i, name := range names {
		parts[i] = fmt.Sprintf("%s %d", name, counts[name])
	}
	return strings.Join(parts, " · ")
}
