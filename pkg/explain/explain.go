// Package explain puts a receipt into words and a table that a salesperson can
// follow. It decides nothing: every figure comes from scoring.
package explain

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"tidemark/scoring"
)

// Facts are what there is to tell of an account.
type Facts struct {
	At       int64 // Unix milliseconds
	Tier     string
	Demotion *int64 // Unix milliseconds; nil: never by time alone
	NextTier string // empty in the best tier
	NextMin  float64
	Receipt  scoring.Receipt
	Into     string // the account that it was merged into, empty for none
}

// Write tells where the account's score comes from and what comes next.
func Write(w io.Writer, account string, f Facts) error {
	if f.Into != "" {
		_, err := fmt.Fprintf(w, "%s was merged into %s: its events count there, and its history ended in tier %s.\n", account, f.Into, f.Tier)
		return err
	}
	_, err := fmt.Fprintf(w, "%s is in tier %s with %s points on %s.\n\n%s\n\n%s\n",
		account, f.Tier, points(f.Receipt.Score), day(f.At), arithmetic(&f.Receipt).Render(), strings.Join(outlook(f), "\n"))
	return err
}

// arithmetic is the receipt as a table whose points add up to the score.
func arithmetic(r *scoring.Receipt) table.Writer {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Format.Footer = text.FormatDefault
	t.Style().Format.Header = text.FormatDefault
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 2, Align: text.AlignRight, AlignFooter: text.AlignRight}})
	t.AppendHeader(table.Row{"what", "points", "because"})
	fit(t, &r.Fit)
	for i := range r.Groups {
		group(t, &r.Groups[i])
	}
	if r.Committee.Points != 0 || r.Committee.People > 0 {
		t.AppendRow(table.Row{"buying committee", points(r.Committee.Points), committee(&r.Committee)})
	}
	for _, s := range r.Surges {
		t.AppendRow(table.Row{"surge: " + s.Name, points(s.Points), "far more activity lately than usual"})
	}
	if math.Abs(r.Adjustment) > 1e-9 {
		t.AppendRow(table.Row{"limit", points(r.Adjustment), limit(r)})
	}
	t.AppendFooter(table.Row{"score", points(r.Score), ""})
	return t
}

func fit(t table.Writer, f *scoring.FitReceipt) {
	var names []string
	for _, r := range f.Rules {
		names = append(names, fmt.Sprintf("%s %s", r.Name, points(r.Points)))
	}
	why := strings.Join(names, ", ")
	switch {
	case len(names) == 0:
		why = "nothing in the profile earns points"
	case f.Cap != nil:
		why += fmt.Sprintf("; capped at %s", points(*f.Cap))
	case f.Points != f.Sum:
		why += "; not below 0"
	}
	t.AppendRow(table.Row{"fit", points(f.Points), why})
}

func group(t table.Writer, g *scoring.GroupReceipt) {
	if len(g.Signals) == 0 && g.Points == 0 {
		return
	}
	why := ""
	switch {
	case g.Cap != nil:
		why = fmt.Sprintf("%s, capped at %s", points(g.Sum), points(*g.Cap))
	case g.Floor != nil:
		why = fmt.Sprintf("%s, not below %s", points(g.Sum), points(*g.Floor))
	}
	t.AppendRow(table.Row{g.Name, points(g.Points), why})
	for _, s := range g.Signals {
		t.AppendRow(table.Row{"  " + s.Name, "(" + points(s.Points) + ")", signal(&s)})
	}
}

func signal(s *scoring.SignalReceipt) string {
	out := counted(s)
	if s.Held > 0 {
		out += fmt.Sprintf("; %s more held back as machine-like (%s points)", intensity(s.Held), points(s.HeldPoints))
	}
	return out
}

func counted(s *scoring.SignalReceipt) string {
	out := fmt.Sprintf("%s × %s", points(s.Weight), intensity(s.Intensity))
	if s.Limit != nil && s.Intensity > *s.Limit {
		out = fmt.Sprintf("%s × %s, as at most %s of %s count", points(s.Weight), intensity(*s.Limit), intensity(*s.Limit), intensity(s.Intensity))
	}
	if s.HalfLife == "never" {
		return out + "; does not fade"
	}
	return out + "; halves every " + s.HalfLife
}

func committee(c *scoring.CommitteeReceipt) string {
	people := "1 active person"
	if c.People != 1 {
		people = fmt.Sprintf("%d active people", c.People)
	}
	if len(c.Roles) == 0 {
		return people + ", no known role"
	}
	return people + ": " + strings.Join(c.Roles, ", ")
}

func limit(r *scoring.Receipt) string {
	if !r.ICP.Inside {
		return "outside the ideal customer profile: " + strings.Join(r.ICP.Unmet, "; ")
	}
	return "the score's own bounds"
}

// outlook says what would happen next.
func outlook(f Facts) []string {
	var lines []string
	switch {
	case f.Demotion == nil:
		lines = append(lines, "Time alone will not demote it.")
	case *f.Demotion <= f.At:
		lines = append(lines, fmt.Sprintf("It is due to leave tier %s since %s.", f.Tier, day(*f.Demotion)))
	default:
		lines = append(lines, fmt.Sprintf("If nothing more happens it leaves tier %s on %s.", f.Tier, day(*f.Demotion)))
	}
	if f.NextTier != "" {
		if gap := f.NextMin - f.Receipt.Score; gap > 0 {
			lines = append(lines, fmt.Sprintf("It is %s points short of tier %s (%s).", points(gap), f.NextTier, points(f.NextMin)))
		} else {
			lines = append(lines, fmt.Sprintf("It has the points for tier %s (%s); a requirement or a cool-down holds it back.", f.NextTier, points(f.NextMin)))
		}
	}
	if !f.Receipt.ICP.Inside {
		lines = append(lines, "It is outside the ideal customer profile: "+strings.Join(f.Receipt.ICP.Unmet, "; ")+".")
	}
	return lines
}

func points(x float64) string {
	s := fmt.Sprintf("%.1f", x)
	if s == "-0.0" {
		return "0.0"
	}
	return s
}

func intensity(x float64) string { return fmt.Sprintf("%.2f", x) }

func day(ms int64) string { return time.UnixMilli(ms).UTC().Format("2 January 2006, 15:04 UTC") }
