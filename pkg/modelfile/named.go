package modelfile

import (
	"fmt"
	"slices"
	"strings"

	"tidemark/pkg/config/yamltree"
	"tidemark/scoring"
)

// Named compiles an expression in which the given names may be used, as filters of
// webhooks and audiences are. It means what an expression of a model means: what reads
// a missing or null member is unknown. The result may be called by any number of goroutines.
func Named(expr string, names ...string) (func(map[string]any) scoring.Truth, error) {
	eval, err := compile(expr, namedScope{names: names})
	if err != nil {
		return nil, err
	}
	return func(values map[string]any) scoring.Truth { return eval(subject{attributes: values}) }, nil
}

// namedScope is a fixed list of names.
type namedScope struct {
	profileScope
	names []string
}

func (s namedScope) check(name string) error {
	if slices.Contains(s.names, name) {
		return nil
	}
	return fmt.Errorf("unknown name %s%s (there are %s)", name, yamltree.Suggest(name, s.names), strings.Join(s.names, ", "))
}

func (namedScope) whole(subject) (map[string]any, bool) { return nil, false }

func (namedScope) open() bool { return false }
