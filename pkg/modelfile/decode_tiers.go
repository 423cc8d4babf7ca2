package modelfile

import (
	"tidemark/pkg/config/yamltree"
	"tidemark/scoring"
)

func (d *decoder) committee(s *scoring.CommitteeSpec) yamltree.Field {
	return d.Object(yamltree.Fields{
		{"window", d.positive(&s.Window)},
		{"points_per_role", d.Number(&s.PointsPerRole)},
		{"cap", d.figure(&s.Cap)},
	})
}

func (d *decoder) surge(s *scoring.SurgeSpec) yamltree.Field {
	return d.Require(d.Object(yamltree.Fields{
		{"name", d.Text(&s.Name)},
		{"group", d.Text(&s.Group)},
		{"short", d.positive(&s.Short)},
		{"long", d.positive(&s.Long)},
		{"ratio", d.Number(&s.Ratio)},
		{"min", d.Number(&s.Min)},
		{"points", d.Number(&s.Points)},
	}), "name", "group", "short", "long", "ratio", "points")
}

func (d *decoder) score(s *scoring.ScoreSpec) yamltree.Field {
	return d.Object(yamltree.Fields{
		{"min", d.figure(&s.Min)},
		{"max", d.figure(&s.Max)},
	})
}

func (d *decoder) tier(s *scoring.TierSpec) yamltree.Field {
	return d.Require(d.Object(yamltree.Fields{
		{"name", d.Text(&s.Name)},
		{"min", d.figure(&s.Min)},
		{"mqa", d.Bool(&s.MQA)},
		{"hysteresis", d.Number(&s.Hysteresis)},
		{"min_dwell", d.duration(&s.MinDwell)},
		{"cooldown", d.duration(&s.Cooldown)},
		{"requires", d.requires(&s.Requires)},
	}), "name")
}

func (d *decoder) requires(s *scoring.RequiresSpec) yamltree.Field {
	return d.Object(yamltree.Fields{
		{"people", d.Int(&s.People)},
		{"roles", d.Int(&s.Roles)},
		{"groups", d.Entries(func(name string, n *yamltree.Node, path string) {
			g := scoring.GroupFigure{Group: name}
			d.Number(&g.Min)(n, path)
			s.Groups = append(s.Groups, g)
		})},
	})
}

func (d *decoder) portfolio(s *scoring.PortfolioSpec) yamltree.Field {
	return d.Object(yamltree.Fields{
		{"attractiveness", yamltree.ListOf(&d.Decoder, &s.Attractiveness, d.axisRule)},
		{"potential", yamltree.ListOf(&d.Decoder, &s.Potential, d.axisRule)},
		{"classes", yamltree.ListOf(&d.Decoder, &s.Classes, d.class)},
	})
}

func (d *decoder) axisRule(s *scoring.AxisRuleSpec) yamltree.Field {
	return d.Require(d.Object(yamltree.Fields{
		{"when", d.expression(&s.When)},
		{"points", d.Number(&s.Points)},
	}), "when", "points")
}

func (d *decoder) class(s *scoring.ClassSpec) yamltree.Field {
	return d.Require(d.Object(yamltree.Fields{
		{"name", d.Text(&s.Name)},
		{"attractiveness", d.figure(&s.Attractiveness)},
		{"potential", d.figure(&s.Potential)},
		{"capacity", d.Int(&s.Capacity)},
		{"cluster_by", d.Text(&s.ClusterBy)},
		{"cluster_size", d.Int(&s.ClusterSize)},
	}), "name")
}

// figure is a number that may be left out.
func (d *decoder) figure(to **float64) yamltree.Field {
	return yamltree.Optional(to, d.Number)
}

// not is a boolean whose opposite the Spec keeps.
func (d *decoder) not(to *bool) yamltree.Field {
	return func(n *yamltree.Node, path string) {
		truth := !*to
		d.Bool(&truth)(n, path)
		*to = !truth
	}
}

// expression is text; YAML takes `when: true` for a boolean, but it is one too.
func (d *decoder) expression(to *string) yamltree.Field {
	return func(n *yamltree.Node, path string) {
		switch {
		case n.Kind == yamltree.List || n.Kind == yamltree.Map || n.Kind == yamltree.Null:
			d.Faults.Add(n.Position, path, "%s is not an expression", n.Brief())
		case n.Raw == "":
			d.Faults.Add(n.Position, path, "the expression is empty")
		default:
			*to = n.Raw
		}
	}
}

func (d *decoder) insideOutside(inside *bool) yamltree.Field {
	return func(n *yamltree.Node, path string) {
		if n.Kind != yamltree.Text || n.Raw != "inside" && n.Raw != "outside" {
			d.Faults.Add(n.Position, path, "%s is neither outside nor inside", n.Brief())
			return
		}
		*inside = n.Raw == "inside"
	}
}
