package doctor

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Level says how bad a finding is; a worse one is a greater number.
type Level int

// The levels.
const (
	OK      Level = iota
	Unknown       // it could not be found out; no reason to act by itself
	Warn          // it works, and will not one day
	Fail          // serve does not work so, or loses what it must not
)

var levelNames = [...]string{"OK", "UNKNOWN", "WARN", "FAIL"}

// String is the level's word.
func (l Level) String() string { return levelNames[l] }

// MarshalText makes it a word in JSON.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads the word.
func (l *Level) UnmarshalText(text []byte) error {
	for i, name := range levelNames {
		if name == string(text) {
			*l = Level(i)
			return nil
		}
	}
	return fmt.Errorf("level %q is not one of %q", text, levelNames)
}

// Finding is what was found about one thing.
type Finding struct {
	Level Level `json:"level"`
	// Check names what was looked at, such as topic.retention, and Subject what of.
	Check   string `json:"check"`
	Subject string `json:"subject"`
	What    string `json:"what"`
	// Why it matters and Do, the way out; both empty where it is OK.
	Why string `json:"why,omitempty"`
	Do  string `json:"do,omitempty"`
}

// Worst is the worst level of findings.
func Worst(findings []Finding) Level {
	worst := OK
	for _, f := range findings {
		worst = max(worst, f.Level)
	}
	return worst
}

// Write prints findings for people: a table of all, then each that is not OK with its way out.
func Write(w io.Writer, findings []Finding) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "LEVEL\tCHECK\tSUBJECT\tFOUND")
	count := map[Level]int{}
	for _, f := range findings {
		count[f.Level]++
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", f.Level, f.Check, f.Subject, f.What)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for level := Fail; level > OK; level-- {
		for _, f := range findings {
			if f.Level == level {
				fmt.Fprintf(w, "\n%s %s %s: %s\n  why: %s\n  do:  %s\n", f.Level, f.Check, f.Subject, f.What, f.Why, indent(f.Do))
			}
		}
	}
	_, err := fmt.Fprintf(w, "\n%d FAIL, %d WARN, %d UNKNOWN, %d OK\n", count[Fail], count[Warn], count[Unknown], count[OK])
	return err
}

func indent(text string) string { return strings.ReplaceAll(text, "\n", "\n       ") }

// report gathers findings.
type report struct{ findings []Finding }

func (r *report) ok(check, subject, what string, args ...any) {
	r.findings = append(r.findings, Finding{Level: OK, Check: check, Subject: subject, What: fmt.Sprintf(what, args...)})
}

// bad adds what is not OK.
func (r *report) bad(level Level, check, subject, what, why, do string) {
	r.findings = append(r.findings, Finding{level, check, subject, what, why, do})
}
