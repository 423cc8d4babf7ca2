package modelfile

import (
	"strconv"

	"tidemark/pkg/config/yamltree"
)

// canonical appends what a tree says, without how it is written. Order is kept:
// sums follow the declared order, so it is part of the model.
func canonical(out []byte, n *yamltree.Node) []byte {
	switch n.Kind {
	case yamltree.Bool:
		return strconv.AppendBool(out, n.Truth)
	case yamltree.Number:
		return strconv.AppendFloat(out, n.Float, 'g', -1, 64)
	case yamltree.Text:
		return strconv.AppendQuote(out, n.Raw)
	case yamltree.List:
		out = append(out, '[')
		for _, item := range n.Items {
			out = append(canonical(out, item), ',')
		}
		return append(out, ']')
	case yamltree.Map:
		out = append(out, '{')
		for _, e := range n.Entries {
			out = append(strconv.AppendQuote(out, e.Key), ':')
			out = append(canonical(out, e.Value), ',')
		}
		return append(out, '}')
	}
	return append(out, "null"...)
}
