package mapping

import (
	"slices"

	"tidemark/pkg/config/yamltree"
)

// decoder fills a Mapping. Each method is one map of the file.
type decoder struct {
	yamltree.Decoder
}

func (d *decoder) mapping(m *Mapping) yamltree.Field {
	object := d.Require(d.Object(yamltree.Fields{
		{Key: "each", Use: d.expression(&m.each)},
		{Key: "when", Use: d.expression(&m.when)},
		{Key: "time_unit", Use: d.unit(&m.unit)},
		{Key: "events", Use: yamltree.ListOf(&d.Decoder, &m.entries, d.entry)},
	}), "events")
	return func(n *yamltree.Node, path string) {
		object(n, path)
		if events := n.Get("events"); events != nil && events.Kind == yamltree.List && len(events.Items) == 0 {
			d.Faults.Add(events.Position, "events", "is empty: at least one event or profile is needed")
		}
	}
}

func (d *decoder) entry(e *entry) yamltree.Field {
	object := d.Object(yamltree.Fields{
		{Key: "when", Use: d.expression(&e.when)},
		{Key: "id", Use: d.expression(&e.id)},
		{Key: "source", Use: d.expression(&e.source)},
		{Key: "type", Use: d.expression(&e.typ)},
		{Key: "time", Use: d.expression(&e.time)},
		{Key: "subject", Use: d.expression(&e.subject)},
		{Key: "domain", Use: d.expression(&e.domain)},
		{Key: "user", Use: d.expression(&e.user)},
		{Key: "contact", Use: d.contact(&e.contact)},
		{Key: "strength", Use: d.expression(&e.strength)},
		{Key: "properties", Use: d.fields(&e.properties)},
		{Key: "attributes", Use: d.fields(&e.attributes)},
		{Key: "domains", Use: d.expression(&e.domains)},
		{Key: "parent", Use: d.expression(&e.parent)},
		{Key: "erases", Use: d.erases(&e.erases)},
	})
	return func(n *yamltree.Node, path string) {
		object(n, path)
		d.check(e, n, path)
	}
}

// check holds the keys of an entry against what it is.
func (d *decoder) check(e *entry, n *yamltree.Node, path string) {
	e.profile = n.Get("attributes") != nil || n.Get("domains") != nil || n.Get("parent") != nil
	needed, foreign, what := []string{"id", "source", "type", "time"}, []string{}, "an event"
	switch {
	case e.erases != "":
		what, needed = "an erasure", []string{"id", "source", "time", "subject"}
		foreign = []string{"type", "domain", "user", "contact", "strength", "properties", "attributes", "domains", "parent"}
	case e.profile:
		what, needed = "a profile", []string{"id", "source", "time", "subject"}
		foreign = []string{"type", "domain", "user", "contact", "strength", "properties"}
	}
	for _, key := range needed {
		if n.Get(key) == nil {
			d.Faults.Add(n.Position, yamltree.Join(path, key), "is missing: %s needs it", what)
		}
	}
	for _, x := range n.Entries {
		if slices.Contains(foreign, x.Key) {
			d.Faults.Add(x.At, yamltree.Join(path, x.Key), "%s has none (an entry with attributes, domains or parent is a profile)", what)
		}
	}
	if what == "an event" && n.Get("subject") == nil && n.Get("domain") == nil && n.Get("user") == nil && n.Get("contact") == nil {
		d.Faults.Add(n.Position, yamltree.Join(path, "subject"), "is missing: an event needs subject, user, domain or contact.email to find its account")
	}
}

// The members of a contact.
var contactNames = []string{"id", "email", "title", "seniority", "role"}

func (d *decoder) contact(to *[]field) yamltree.Field {
	return func(n *yamltree.Node, path string) {
		d.Entries(func(key string, v *yamltree.Node, path string) {
			if !slices.Contains(contactNames, key) {
				d.Faults.Add(v.Position, path, "unknown key%s", yamltree.Suggest(key, contactNames))
				return
			}
			d.named(to, key)(v, path)
		})(n, path)
	}
}

// fields is one expression, or a map of them.
func (d *decoder) fields(to *fields) yamltree.Field {
	return func(n *yamltree.Node, path string) {
		if n.Kind != yamltree.Map {
			d.expression(&to.whole)(n, path)
			return
		}
		to.named = []field{}
		d.Entries(func(key string, v *yamltree.Node, path string) { d.named(&to.named, key)(v, path) })(n, path)
	}
}

func (d *decoder) named(to *[]field, key string) yamltree.Field {
	return func(n *yamltree.Node, path string) {
		f := field{name: key}
		d.expression(&f.expression)(n, path)
		*to = append(*to, f)
	}
}

// expression compiles. Numbers and booleans are expressions too.
func (d *decoder) expression(to **expression) yamltree.Field {
	return func(n *yamltree.Node, path string) {
		if n.Kind != yamltree.Text && n.Kind != yamltree.Number && n.Kind != yamltree.Bool {
			d.Faults.Add(n.Position, path, "%s is not an expression", n.Brief())
			return
		}
		compiled, err := compile(n.Raw)
		if err != nil {
			d.Faults.Add(n.Position, path, "%s", err)
			return
		}
		compiled.line = n.Line
		*to = compiled
	}
}

func (d *decoder) unit(to *unit) yamltree.Field {
	return func(n *yamltree.Node, path string) {
		for i, name := range unitNames {
			if i > 0 && n.Raw == name {
				*to = unit(i)
				return
			}
		}
		d.Faults.Add(n.Position, path, "%s is not one of s, ms and us; leave it out where times are RFC 3339", n.Brief())
	}
}

func (d *decoder) erases(to *string) yamltree.Field {
	return func(n *yamltree.Node, path string) {
		if n.Raw != "account" {
			d.Faults.Add(n.Position, path, `%s is not account, the only thing that can be erased so; for a person, give the type "contact.erased"`, n.Brief())
		}
		*to = "account"
	}
}
