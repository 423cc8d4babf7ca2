package modelfile

import (
	"fmt"
	"slices"
	"strings"

	"tidemark/pkg/config/yamltree"
	"tidemark/scoring"
)

// scope says which names an expression may use, and reads them.
type scope interface {
	// check refuses a name at load.
	check(name string) error
	// read returns the value of a name; false where it is missing or null.
	read(s subject, name string) (any, bool)
	// whole is what $env stands for; false where it may not be used as a value.
	whole(s subject) (map[string]any, bool)
	open() bool // any name is allowed, so $env has a meaning
}

// profileScope is the attributes of a profile.
type profileScope struct{}

func (profileScope) check(string) error { return nil }

func (profileScope) read(s subject, name string) (any, bool) {
	v := s.attributes[name]
	return v, v != nil
}

func (profileScope) whole(s subject) (map[string]any, bool) { return s.attributes, true }

func (profileScope) open() bool { return true }

// eventScope is an event.
type eventScope struct{}

var eventNames = []string{"type", "source", "strength", "properties", "contact"}

func (eventScope) check(name string) error {
	if slices.Contains(eventNames, name) {
		return nil
	}
	return fmt.Errorf("unknown name %s%s (an event has %s)", name,
		yamltree.Suggest(name, eventNames), strings.Join(eventNames, ", "))
}

func (eventScope) read(s subject, name string) (any, bool) {
	e := s.event
	switch name {
	case "type":
		return e.Type, true
	case "source":
		return e.Source, true
	case "strength":
		return e.Strength, true
	case "properties":
		if o := propertiesOf(s); o != nil {
			m := o.Map()
			return m, m != nil
		}
	case "contact":
		if o := contactOf(s); o != nil {
			if m := o.Map(); len(m) > 0 {
				return m, true
			}
		}
	}
	return nil, false
}

func propertiesOf(s subject) scoring.Object { return s.event.Properties }

func contactOf(s subject) scoring.Object {
	if c := s.event.Contact; c != nil {
		return c.Fields
	}
	return nil
}

func (eventScope) whole(subject) (map[string]any, bool) { return nil, false }

func (eventScope) open() bool { return false }
