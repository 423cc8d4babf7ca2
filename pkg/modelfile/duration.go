package modelfile

import (
	"errors"

	"tidemark/pkg/config/yamltree"
	"tidemark/scoring"
)

var errZero = errors.New("must be more than 0")

// duration takes a duration that may be 0.
func (d *decoder) duration(to *int64) yamltree.Field {
	return func(n *yamltree.Node, path string) {
		ms, err := scalarDuration(n)
		if err != nil {
			d.Faults.Add(n.Position, path, "%s %s", n.Brief(), err)
			return
		}
		*to = ms
	}
}

// positive takes a duration that a Spec could not tell from "not given" if it were 0.
func (d *decoder) positive(to *int64) yamltree.Field {
	return func(n *yamltree.Node, path string) {
		ms, err := scalarDuration(n)
		if err == nil && ms == 0 {
			err = errZero
		}
		if err != nil {
			d.Faults.Add(n.Position, path, "%s %s", n.Brief(), err)
			return
		}
		*to = ms
	}
}

// halfLife takes a positive duration, or never.
func (d *decoder) halfLife(to *int64) yamltree.Field {
	return func(n *yamltree.Node, path string) {
		if n.Kind == yamltree.Text && n.Raw == "never" {
			*to = scoring.Never
			return
		}
		ms, err := scalarDuration(n)
		switch {
		case errors.Is(err, yamltree.ErrDuration):
			d.Faults.Add(n.Position, path, "%s is not a duration: a number and a unit (ms s m h d w), a sum such as 1d12h, or never", n.Brief())
		case errors.Is(err, yamltree.ErrLong):
			d.Faults.Add(n.Position, path, "%s %s: write never for what does not decay", n.Brief(), err)
		case err != nil:
			d.Faults.Add(n.Position, path, "%s %s", n.Brief(), err)
		case ms == 0:
			d.Faults.Add(n.Position, path, "%s %s, or never", n.Brief(), errZero)
		default:
			*to = ms
		}
	}
}

func scalarDuration(n *yamltree.Node) (int64, error) {
	if n.Kind != yamltree.Text && n.Kind != yamltree.Number {
		return 0, yamltree.ErrDuration
	}
	return yamltree.ParseDuration(n.Raw)
}
