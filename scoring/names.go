package scoring

import "strings"

// Names is the dictionary that packed states use in place of names. It is
// append-only: a number, once given, keeps its name for ever, so that models can
// change without touching states. It is immutable; build a longer one to add.
type Names struct {
	list    []string
	numbers map[string]uint32
	roles   map[string]named // by the role's own name
}

// named is a number with the name as the dictionary holds it.
type named struct {
	number uint32
	name   string
}

// role is a copy of a role's name that may be kept: an event's text may not.
func (n *Names) role(name string) string {
	if known, ok := n.roles[name]; ok {
		return known.name
	}
	return strings.Clone(name)
}

// NewNames makes a dictionary from a list in number order, as stored.
func NewNames(list []string) *Names {
	n := &Names{list: list, numbers: make(map[string]uint32, len(list)), roles: map[string]named{}}
	for i, name := range list {
		n.numbers[name] = uint32(i)
		if role, ok := strings.CutPrefix(name, roleName("")); ok {
			n.roles[role] = named{uint32(i), role}
		}
	}
	return n
}

// number is the name's number. Compile's contract is that all names are there.
func (n *Names) number(name string) uint32 { return n.numbers[name] }

// lookup is the name of a number.
func (n *Names) lookup(number uint32) (string, bool) {
	if int(number) >= len(n.list) {
		return "", false
	}
	return n.list[number], true
}

func signalName(name string) string { return "signal:" + name }
func surgeName(name string) string  { return "surge:" + name }
func tierName(name string) string   { return "tier:" + name }
func roleName(name string) string   { return "role:" + name }

// Names are the names that states of this model need, in declared order.
func (s *Spec) Names() []string {
	var names []string
	for _, t := range s.Tiers {
		names = append(names, tierName(t.Name))
	}
	for _, x := range s.Signals {
		names = append(names, signalName(x.Name))
	}
	for _, x := range s.Surge {
		names = append(names, surgeName(x.Name))
	}
	names = append(names, roleName(unknownLabel))
	for _, p := range s.Contacts.Roles {
		names = append(names, roleName(p.Is))
	}
	return names
}
