package modelfile

import (
	"regexp"
	"slices"
	"strings"

	"tidemark/pkg/config/yamltree"
	"tidemark/scoring"
)

// Difference is something that two model files say differently, at a path in the words of
// the file: signals[pricing-page].points. Nil is for what a file does not say.
type Difference struct {
	Path   string  `json:"path"`
	Before *string `json:"before"`
	After  *string `json:"after"`
	Effect Effect  `json:"effect,omitempty"`
}

// Effect says what a new model's difference does to what has happened already.
type Effect string

// The effects; empty for what scores nothing.
const (
	// AtOnce is for what applies to history as soon as the model is in force.
	AtOnce Effect = "at once"
	// FromThenOn is for what applies to later events, and to the past only by a rebuild.
	FromThenOn Effect = "from then on"
)

// Diff is how the second file differs from the first, in the order of the files. What is
// only written differently is no difference: a comment, 7d and 168h, a default.
func Diff(a, b *File) []Difference {
	d := &differ{}
	d.maps("", a.root, b.root)
	return d.found
}

type differ struct{ found []Difference }

// nodes compares two values at a path; nil is none.
func (d *differ) nodes(path string, a, b *yamltree.Node) {
	if a == nil || b == nil {
		a, b = section(path, a, b), section(path, b, a)
	}
	switch {
	case a != nil && b != nil && a.Kind == yamltree.Map && b.Kind == yamltree.Map:
		d.maps(path, a, b)
	case a != nil && b != nil && a.Kind == yamltree.List && b.Kind == yamltree.List:
		d.lists(path, a, b)
	case !same(told(path, a), told(path, b)):
		d.found = append(d.found, Difference{path, text(a), text(b), effect(path, b == nil)})
	}
}

// section is a value, or an empty one in its place where the other file has a section: then
// the section's members are told, and not all of it. What has a name is told whole.
func section(path string, n, other *yamltree.Node) *yamltree.Node {
	if n == nil && (other.Kind == yamltree.Map || other.Kind == yamltree.List) && !strings.HasSuffix(path, "]") && !strings.HasPrefix(path, "groups.") {
		return &yamltree.Node{Kind: other.Kind}
	}
	return n
}

// told is a value, or nil where the same would hold without it.
func told(path string, n *yamltree.Node) *yamltree.Node {
	if usual(path, n) {
		return nil
	}
	return n
}

func (d *differ) maps(path string, a, b *yamltree.Node) {
	for _, e := range a.Entries {
		d.nodes(yamltree.Join(path, e.Key), e.Value, b.Get(e.Key))
	}
	for _, e := range b.Entries {
		if a.Get(e.Key) == nil {
			d.nodes(yamltree.Join(path, e.Key), nil, e.Value)
		}
	}
}

// lists compares items of the same name; the order is told where it means something.
func (d *differ) lists(path string, a, b *yamltree.Node) {
	before, after := named(a), named(b)
	for i, name := range before.names {
		d.nodes(path+"["+name+"]", a.Items[i], after.items[name])
	}
	for i, name := range after.names {
		if before.items[name] == nil {
			d.nodes(path+"["+name+"]", nil, b.Items[i])
		}
	}
	if !firstWins(path) {
		return
	}
	rest := func(names []string, of map[string]*yamltree.Node) string {
		return strings.Join(slices.DeleteFunc(slices.Clone(names), func(n string) bool { return of[n] == nil }), ", ")
	}
	if x, y := rest(before.names, after.items), rest(after.names, before.items); x != y {
		d.found = append(d.found, Difference{path + " (order)", &x, &y, effect(path, false)})
	}
}

// firstWins reports whether the first of a list's items that fits wins.
func firstWins(path string) bool {
	return slices.Contains([]string{"contacts.seniority", "contacts.roles", "holds.rules", "portfolio.classes"}, path)
}

// itemNames are the items of a list by name.
type itemNames struct {
	names []string
	items map[string]*yamltree.Node
}

// named names the items of a list by what tells them apart; the second of a name by a mark.
func named(list *yamltree.Node) itemNames {
	out := itemNames{items: map[string]*yamltree.Node{}}
	for _, item := range list.Items {
		name := item.Raw
		for _, key := range []string{"when", "match", "name"} {
			if v := item.Get(key); v != nil && v.Kind != yamltree.Map {
				name = v.Raw
			}
		}
		for out.items[name] != nil {
			name += "'"
		}
		out.names, out.items[name] = append(out.names, name), item
	}
	return out
}

// same reports whether two values say the same.
func same(a, b *yamltree.Node) bool {
	if a == nil || b == nil {
		return a == b
	}
	if string(canonical(nil, a)) == string(canonical(nil, b)) {
		return true
	}
	x, fault := scalarDuration(a)
	y, fault2 := scalarDuration(b)
	return fault == nil && fault2 == nil && a.Kind == yamltree.Text && b.Kind == yamltree.Text && x == y
}

// usuals are the defaults of keys, by the end of their path.
var usuals = map[string]string{
	".by_seniority": "true", ".mqa": "false", ".hysteresis": "0", ".min_dwell": "0s", ".cooldown": "0s", "icp.unknown": `"outside"`,
	"score.min": "0", "score.max": "100", "committee.window": `"30d"`, "identity.late": "false",
}

// usual reports whether a value is what holds without it.
func usual(path string, n *yamltree.Node) bool {
	if n == nil {
		return false
	}
	for end, value := range usuals {
		if strings.HasSuffix(path, end) && string(canonical(nil, n)) == value {
			return true
		}
	}
	if n.Kind == yamltree.Text && (strings.HasSuffix(path, ".min_dwell") || strings.HasSuffix(path, ".cooldown") || path == "committee.window") {
		ms, err := scalarDuration(n)
		return err == nil && (ms == 0 || path == "committee.window" && ms == 30*scoring.Day)
	}
	return false
}

// text is a value in one line.
func text(n *yamltree.Node) *string {
	if n == nil {
		return nil
	}
	out := flow(n)
	return &out
}

func flow(n *yamltree.Node) string {
	var parts []string
	switch n.Kind {
	case yamltree.List:
		for _, item := range n.Items {
			parts = append(parts, flow(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case yamltree.Map:
		for _, e := range n.Entries {
			parts = append(parts, e.Key+": "+flow(e.Value))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return n.Raw
}

var (
	// An event was multiplied, matched and remembered as the model of its time said.
	lasting = regexp.MustCompile(`^signals\[.*\](\.half_life|\.match|\.match\..*|\.once_per|\.by_seniority)?$|^contacts(\.|$)|^surge(\[.*\](\.group|\.short|\.long)?)?$|^holds(\.|$)|^identity`)
	silent  = regexp.MustCompile(`^(name|version|reviewed|review_every|publish_attributes)($|\[)`)
	gone    = regexp.MustCompile(`^(signals|surge)\[[^]]*\]$`)
)

// effect is that of a difference at a path; removed says that the second file lacks it.
func effect(path string, removed bool) Effect {
	switch {
	case silent.MatchString(path):
		return ""
	case removed && gone.MatchString(path):
		return AtOnce
	case lasting.MatchString(path):
		return FromThenOn
	}
	return AtOnce
}
