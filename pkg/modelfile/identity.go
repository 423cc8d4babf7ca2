package modelfile

import (
	"tidemark/pkg/config/yamltree"
	"tidemark/scoring"
)

// identity is Tidemark's own addition to the specification's model.
func (d *decoder) identity(s *scoring.IdentitySpec) yamltree.Field {
	return d.Object(yamltree.Fields{
		{"late", d.Bool(&s.Late)},
	})
}
