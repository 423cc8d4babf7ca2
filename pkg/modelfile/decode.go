package modelfile

import (
	"tidemark/pkg/config/yamltree"
	"tidemark/scoring"
)

// decoder fills a Spec. Each method is one map of the model file.
type decoder struct {
	yamltree.Decoder
}

func decode(root *yamltree.Node, s *scoring.Spec, faults *yamltree.Faults) {
	d := &decoder{yamltree.Decoder{Faults: faults}}
	d.Object(yamltree.Fields{
		{"name", d.Text(&s.Name)},
		{"version", d.Int(&s.Version)},
		{"reviewed", d.Text(&s.Reviewed)},
		{"review_every", d.positive(&s.ReviewEvery)},
		{"icp", yamltree.Optional(&s.ICP, d.icp)},
		{"fit", d.fit(&s.Fit)},
		{"contacts", d.contacts(&s.Contacts)},
		{"groups", d.Entries(d.group(&s.Groups))},
		{"signals", yamltree.ListOf(&d.Decoder, &s.Signals, d.signal)},
		{"committee", yamltree.Optional(&s.Committee, d.committee)},
		{"surge", yamltree.ListOf(&d.Decoder, &s.Surge, d.surge)},
		{"score", d.score(&s.Score)},
		{"tiers", yamltree.ListOf(&d.Decoder, &s.Tiers, d.tier)},
		{"holds", yamltree.Optional(&s.Holds, d.holds)},
		{"publish_attributes", d.Texts(&s.PublishAttributes)},
		{"identity", d.identity(&s.Identity)},
		{"portfolio", yamltree.Optional(&s.Portfolio, d.portfolio)},
	})(root, "")
}

func (d *decoder) icp(s *scoring.ICPSpec) yamltree.Field {
	return d.Object(yamltree.Fields{
		{"require", yamltree.ListOf(&d.Decoder, &s.Require, d.expression)},
		{"exclude", yamltree.ListOf(&d.Decoder, &s.Exclude, d.expression)},
		{"unknown", d.insideOutside(&s.UnknownInside)},
		{"outside_max", d.figure(&s.OutsideMax)},
	})
}

func (d *decoder) fit(s *scoring.FitSpec) yamltree.Field {
	return d.Object(yamltree.Fields{
		{"cap", d.figure(&s.Cap)},
		{"rules", yamltree.ListOf(&d.Decoder, &s.Rules, d.fitRule)},
	})
}

func (d *decoder) fitRule(s *scoring.FitRuleSpec) yamltree.Field {
	return d.Require(d.Object(yamltree.Fields{
		{"name", d.Text(&s.Name)},
		{"when", d.expression(&s.When)},
		{"points", d.Number(&s.Points)},
	}), "name", "when", "points")
}

func (d *decoder) contacts(s *scoring.ContactsSpec) yamltree.Field {
	return d.Object(yamltree.Fields{
		{"seniority", yamltree.ListOf(&d.Decoder, &s.Seniority, d.pattern)},
		{"multipliers", d.Entries(func(label string, n *yamltree.Node, path string) {
			var figure float64
			d.Number(&figure)(n, path)
			if s.Multipliers == nil {
				s.Multipliers = map[string]float64{}
			}
			s.Multipliers[label] = figure
		})},
		{"roles", yamltree.ListOf(&d.Decoder, &s.Roles, d.pattern)},
	})
}

func (d *decoder) pattern(s *scoring.PatternSpec) yamltree.Field {
	return d.Require(d.Object(yamltree.Fields{
		{"match", d.Text(&s.Match)},
		{"is", d.Text(&s.Is)},
	}), "match", "is")
}

func (d *decoder) group(to *[]scoring.GroupSpec) func(string, *yamltree.Node, string) {
	return func(name string, n *yamltree.Node, path string) {
		s := scoring.GroupSpec{Name: name}
		d.Object(yamltree.Fields{
			{"cap", d.figure(&s.Cap)},
			{"floor", d.figure(&s.Floor)},
		})(n, path)
		*to = append(*to, s)
	}
}

func (d *decoder) signal(s *scoring.SignalSpec) yamltree.Field {
	return d.Require(d.Object(yamltree.Fields{
		{"name", d.Text(&s.Name)},
		{"group", d.Text(&s.Group)},
		{"match", d.match(s)},
		{"points", d.Number(&s.Points)},
		{"half_life", d.halfLife(&s.HalfLife)},
		{"limit", d.figure(&s.Limit)},
		{"once_per", d.duration(&s.OncePer)},
		{"by_seniority", d.not(&s.IgnoreSeniority)},
	}), "name", "group", "match", "points", "half_life")
}

func (d *decoder) match(s *scoring.SignalSpec) yamltree.Field {
	return d.Require(d.Object(yamltree.Fields{
		{"type", d.Text(&s.Type)},
		{"where", d.expression(&s.Where)},
	}), "type")
}
