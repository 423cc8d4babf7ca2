package route

import (
	"fmt"
	"os"

	"tidemark/pkg/config/yamltree"
)

// ReadFile reads the routing file at path. Every fault of the file is in the error, each
// with its line and path.
func ReadFile(path string, expressions Expressions) (*Plan, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read routing: %w", err)
	}
	return Parse(path, data, expressions)
}

// Parse is ReadFile for a file that is read already; name is for messages.
func Parse(name string, data []byte, expressions Expressions) (*Plan, error) {
	faults := &yamltree.Faults{Name: name}
	spec := defaults()
	root := yamltree.Parse(data, faults)
	if root != nil {
		d := &decoder{yamltree.Decoder{Faults: faults}}
		d.spec(&spec)(root, "")
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	p := compile(&spec, expressions, func(path, format string, args ...any) {
		faults.Add(root.Locate(path), path, format, args...)
	})
	if err := faults.Err(); err != nil {
		return nil, err
	}
	p.hash = hashOf(data)
	return p, nil
}

// decoder fills a Spec. Each method is one map of the file.
type decoder struct {
	yamltree.Decoder
}

func (d *decoder) spec(s *Spec) yamltree.Field {
	return d.Require(d.Object(yamltree.Fields{
		{"fallback", d.Text(&s.Fallback)},
		{"clock", d.clock(&s.Clock)},
		{"teams", yamltree.ListOf(&d.Decoder, &s.Teams, d.team)},
		{"reps", yamltree.ListOf(&d.Decoder, &s.Reps, d.rep)},
		{"rules", yamltree.ListOf(&d.Decoder, &s.Rules, d.rule)},
		{"rejection", d.Object(yamltree.Fields{
			{"reasons", yamltree.ListOf(&d.Decoder, &s.Rejection.Reasons, d.reason)},
		})},
	}), "fallback")
}

func (d *decoder) clock(s *ClockSpec) yamltree.Field {
	return d.Object(yamltree.Fields{
		{"deadline", d.duration(&s.Deadline)},
		{"hours", d.choice(&s.Working, "wall", "working")},
		{"until", d.choice(&s.Decided, "acknowledged", "decided")},
		{"remind_before", yamltree.ListOf(&d.Decoder, &s.Remind, d.duration)},
		{"reassign", d.Require(d.Object(yamltree.Fields{
			{"after", d.duration(&s.Reassign.After)},
			{"times", d.Int(&s.Reassign.Times)},
		}), "after", "times")},
		{"at_breach", d.Text(&s.AtBreach)},
	})
}

func (d *decoder) team(s *TeamSpec) yamltree.Field {
	return d.Require(d.Object(yamltree.Fields{
		{"id", d.Text(&s.ID)},
		{"time_zone", d.Text(&s.TimeZone)},
		{"hours", d.Entries(func(days string, n *yamltree.Node, path string) {
			h := HoursSpec{Days: days}
			d.Text(&h.Hours)(n, path)
			s.Hours = append(s.Hours, h)
		})},
		{"holidays", d.Texts(&s.Holidays)},
		{"lead", d.Text(&s.Lead)},
	}), "id", "time_zone")
}

func (d *decoder) rep(s *RepSpec) yamltree.Field {
	s.Weight = 1
	return d.Require(d.Object(yamltree.Fields{
		{"id", d.Text(&s.ID)},
		{"teams", d.Texts(&s.Teams)},
		{"known_as", d.Texts(&s.KnownAs)},
		{"weight", d.Int(&s.Weight)},
		{"cap", d.Int(&s.Cap)},
		{"absences", yamltree.ListOf(&d.Decoder, &s.Absences, d.absence)},
	}), "id", "teams")
}

func (d *decoder) absence(s *AbsenceSpec) yamltree.Field {
	return d.Require(d.Object(yamltree.Fields{
		{"from", d.Text(&s.From)},
		{"to", d.Text(&s.To)},
	}), "from", "to")
}

func (d *decoder) rule(s *RuleSpec) yamltree.Field {
	return d.Require(d.Object(yamltree.Fields{
		{"name", d.Text(&s.Name)},
		{"when", d.Text(&s.When)},
		{"owner", d.Text(&s.Owner)},
		{"team", d.Text(&s.Team)},
		{"rep", d.Text(&s.Rep)},
	}), "name")
}

func (d *decoder) reason(s *ReasonSpec) yamltree.Field {
	return d.Require(d.Object(yamltree.Fields{
		{"name", d.Text(&s.Name)},
		{"snooze", d.duration(&s.Snooze)},
		{"unless_points", d.Number(&s.Points)},
	}), "name")
}

func (d *decoder) duration(to *int64) yamltree.Field {
	return func(n *yamltree.Node, path string) {
		if n.Kind != yamltree.Text && n.Kind != yamltree.Number {
			d.Faults.Add(n.Position, path, "%s is not a duration such as 24h", n.Brief())
			return
		}
		ms, err := yamltree.ParseDuration(n.Raw)
		if err != nil {
			d.Faults.Add(n.Position, path, "%s %s", n.Brief(), err)
		}
		*to = ms
	}
}

// choice is one of two words; the second sets to.
func (d *decoder) choice(to *bool, no, yes string) yamltree.Field {
	return func(n *yamltree.Node, path string) {
		if n.Kind != yamltree.Text || n.Raw != no && n.Raw != yes {
			d.Faults.Add(n.Position, path, "%s is not one of %s, %s", n.Brief(), no, yes)
			return
		}
		*to = n.Raw == yes
	}
}
