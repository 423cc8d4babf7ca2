package modelfile

import (
	"tidemark/pkg/config/yamltree"
	"tidemark/scoring"
)

func (d *decoder) holds(s *scoring.HoldsSpec) yamltree.Field {
	return d.Require(d.Object(yamltree.Fields{
		{"released_by", d.release(&s.ReleasedBy)},
		{"rules", yamltree.ListOf(&d.Decoder, &s.Rules, d.holdRule)},
	}), "rules")
}

func (d *decoder) release(s *scoring.ReleaseSpec) yamltree.Field {
	return d.Object(yamltree.Fields{
		{"signals", d.Texts(&s.Signals)},
		{"when", d.expression(&s.When)},
	})
}

func (d *decoder) holdRule(s *scoring.HoldRuleSpec) yamltree.Field {
	return d.Require(d.Object(yamltree.Fields{
		{"name", d.Text(&s.Name)},
		{"signals", d.Texts(&s.Signals)},
		{"when", d.expression(&s.When)},
		{"burst", yamltree.Optional(&s.Burst, d.burst)},
	}), "name", "signals")
}

func (d *decoder) burst(s *scoring.BurstSpec) yamltree.Field {
	return d.Require(d.Object(yamltree.Fields{
		{"of", d.Int(&s.Of)},
		{"within", d.positive(&s.Within)},
	}), "of", "within")
}
