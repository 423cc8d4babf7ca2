package mapping

import (
	"fmt"

	"tidemark/scoring"
	"tidemark/streams/codec"
)

// Map implements codec.Mapper.
func (m *Mapping) Map(in *codec.Message, take func(codec.Mapped)) {
	vm := machines.Get().(*machine)
	defer func() {
		clear(vm.env) // a pooled machine must not keep a message alive
		clear(vm.vm.Variables)
		machines.Put(vm)
	}()
	vm.env["message"], vm.env["row"], vm.env["topic"], vm.env["arrived"] = in.Value, in.Value, in.Topic, int(in.Time)
	vm.env["key"], vm.env["headers"] = in.Key, in.Headers
	r := runner{Mapping: m, machine: vm, take: take}
	if m.each == nil {
		r.row(-1)
		return
	}
	rows, fault := r.rows()
	if fault != nil {
		take(codec.Mapped{Item: -1, Entry: -1, Fault: fault})
		return
	}
	for i, row := range rows {
		vm.env["row"] = row
		r.row(i)
	}
}

// runner maps one message.
type runner struct {
	*Mapping
	*machine
	take func(codec.Mapped)
	seen []identity // of the row in hand
}

type identity struct{ source, id string }

func (r *runner) rows() ([]any, *codec.Bad) {
	value, err := r.run(r.each)
	if err != nil {
		return nil, r.failed("each", r.each, err)
	}
	rows, ok := toJSONList(value)
	if !ok {
		return nil, r.wrong(codec.BadAttribute, "each", r.each, kindOf(value)+", must be a list")
	}
	return rows, nil
}

// row gives what the entries make of the row in hand.
func (r *runner) row(index int) {
	holds, fault := r.holds(r.when)
	if fault != nil {
		r.take(codec.Mapped{Item: index, Entry: -1, Fault: fault})
		return
	}
	if !holds {
		return
	}
	r.seen = r.seen[:0]
	for i := range r.entries {
		entry := -1
		if len(r.entries) > 1 {
			entry = i
		}
		e := &r.entries[i]
		holds, fault := r.holds(e.when)
		if fault == nil && !holds {
			continue
		}
		out := codec.Mapped{Item: index, Entry: entry, Fault: fault}
		if fault == nil {
			out.Fault = r.draft(e, &out.Draft)
		}
		r.take(out)
	}
}

// holds reports whether a filter lets through. Null does not; neither does no filter
// hold back.
func (r *runner) holds(when *expression) (bool, *codec.Bad) {
	if when == nil {
		return true, nil
	}
	value, err := r.run(when)
	if err != nil {
		return false, r.failed("when", when, err)
	}
	holds, ok := value.(bool)
	if !ok && value != nil {
		return false, r.wrong(codec.BadAttribute, "when", when, kindOf(value)+", must be true or false")
	}
	return holds, nil
}

func (r *runner) failed(name string, e *expression, err error) *codec.Bad {
	return &codec.Bad{Reason: codec.BadAttribute, Message: fmt.Sprintf("%s: the expression on line %d of %s fails: %s", name, e.line, r.name, err)}
}

func (r *runner) wrong(reason codec.Reason, name string, e *expression, what string) *codec.Bad {
	return &codec.Bad{Reason: reason, Message: fmt.Sprintf("%s: %s (line %d of %s)", name, what, e.line, r.name)}
}

// toJSONList is a list of rows as []any.
func toJSONList(v any) ([]any, bool) {
	if rows, ok := v.([]any); ok {
		return rows, true
	}
	rows, ok := otherJSON(v).([]any)
	return rows, ok && v != nil
}

// draft fills what an entry makes of the row.
func (r *runner) draft(e *entry, d *codec.Draft) *codec.Bad {
	for _, at := range [...]struct {
		name string
		e    *expression
		to   *string
	}{
		{"id", e.id, &d.ID},
		{"source", e.source, &d.Source},
		{"type", e.typ, &d.Type},
		{"subject", e.subject, &d.Subject},
		{"domain", e.domain, &d.Domain},
		{"user", e.user, &d.User},
	} {
		if fault := r.text(at.name, at.e, at.to); fault != nil {
			return fault
		}
	}
	if fault := r.unlike(e, d); fault != nil {
		return fault
	}
	if fault := r.time(e, d); fault != nil {
		return fault
	}
	switch {
	case e.erases != "":
		d.Erases = true
		return nil
	case e.profile:
		return r.profile(e, d)
	}
	return r.activity(e, d)
}

// unlike refuses a second event of a row with the identity of the first: it would
// count as a repeat.
func (r *runner) unlike(e *entry, d *codec.Draft) *codec.Bad {
	who := identity{d.Source, d.ID}
	for _, other := range r.seen {
		if other == who {
			return r.wrong(codec.BadAttribute, "id", e.id, "is that of another event of the row, so it would count as a repeat; add something to it, as in hash(row.id, \"second\")")
		}
	}
	r.seen = append(r.seen, who)
	return nil
}

func (r *runner) text(name string, e *expression, to *string) *codec.Bad {
	if e == nil {
		return nil
	}
	value, err := r.run(e)
	if err != nil {
		return r.failed(name, e, err)
	}
	if *to, err = toText(value); err != nil {
		return r.wrong(codec.BadAttribute, name, e, err.Error())
	}
	return nil
}

func (r *runner) time(e *entry, d *codec.Draft) *codec.Bad {
	value, err := r.run(e.time)
	if err != nil {
		return r.failed("time", e.time, err)
	}
	if value == nil {
		return r.wrong(codec.MissingAttribute, "time", e.time, "null, an instant is required")
	}
	if d.Time, err = r.unit.toTime(value); err != nil {
		return r.wrong(codec.BadTime, "time", e.time, err.Error())
	}
	return nil
}

// activity fills what only events have.
func (r *runner) activity(e *entry, d *codec.Draft) *codec.Bad {
	d.Strength = 1
	if e.strength != nil {
		value, err := r.run(e.strength)
		if err != nil {
			return r.failed("strength", e.strength, err)
		}
		if value != nil {
			if d.Strength, err = toNumber(value); err != nil {
				return r.wrong(codec.BadAttribute, "strength", e.strength, err.Error())
			}
		}
	}
	if fault := r.contact(e, d); fault != nil {
		return fault
	}
	var fault *codec.Bad
	d.Properties, fault = r.fields("properties", &e.properties)
	return fault
}

func (r *runner) contact(e *entry, d *codec.Draft) *codec.Bad {
	if len(e.contact) == 0 {
		return nil
	}
	c, given := &scoring.Contact{}, scoring.Map{}
	for _, f := range e.contact {
		var text string
		if fault := r.text("contact."+f.name, f.expression, &text); fault != nil {
			return fault
		}
		if text == "" {
			continue
		}
		given[f.name] = text
		switch f.name {
		case "id":
			c.ID = text
		case "email":
			c.Email = text
		case "title":
			c.Title = text
		case "seniority":
			c.Seniority = text
		case "role":
			c.Role = text
		}
	}
	if len(given) > 0 {
		c.Fields = given
		d.Contact = c
	}
	return nil
}

// fields is an object; nil where nothing is given.
func (r *runner) fields(name string, from *fields) (map[string]any, *codec.Bad) {
	if from.whole != nil {
		value, err := r.run(from.whole)
		if err != nil {
			return nil, r.failed(name, from.whole, err)
		}
		if value == nil {
			return nil, nil
		}
		out, ok := toJSON(value).(map[string]any)
		if !ok {
			return nil, r.wrong(codec.BadAttribute, name, from.whole, kindOf(value)+", must be an object")
		}
		return out, nil
	}
	if from.named == nil {
		return nil, nil
	}
	out := make(map[string]any, len(from.named))
	for _, f := range from.named {
		value, err := r.run(f.expression)
		if err != nil {
			return nil, r.failed(name+"."+f.name, f.expression, err)
		}
		if value != nil {
			out[f.name] = toJSON(value)
		}
	}
	return out, nil
}

// profile fills what only profiles have.
func (r *runner) profile(e *entry, d *codec.Draft) *codec.Bad {
	p := &codec.DraftProfile{}
	var fault *codec.Bad
	if p.Attributes, fault = r.fields("attributes", &e.attributes); fault != nil {
		return fault
	}
	if fault := r.text("parent", e.parent, &p.Parent); fault != nil {
		return fault
	}
	if e.domains != nil {
		value, err := r.run(e.domains)
		if err != nil {
			return r.failed("domains", e.domains, err)
		}
		if p.Domains, err = toTexts(value); err != nil {
			return r.wrong(codec.BadAttribute, "domains", e.domains, err.Error())
		}
	}
	d.Profile = p
	return nil
}
