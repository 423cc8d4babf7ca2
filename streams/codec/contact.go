package codec

import (
	"strings"

	"tidemark/scoring"
)

// contact reads data.contact. Null and an object without a member that is not
// null are no contact.
func (e *envelope) contact(n int, fields bool) (*scoring.Contact, *Bad) {
	switch kind := e.doc.kind(n); kind {
	case kindNull:
		return nil, nil
	case kindObject:
	default:
		return nil, bad(BadAttribute, "data.contact: %s, must be an object", kind)
	}
	// The last of duplicate keys counts, so types are checked afterwards.
	at := [len(contactFields)]int{none, none, none, none, none}
	other := false
	e.doc.members(n, func(key []byte, value int) {
		if i := contactField(key); i != none {
			at[i] = value
		} else if e.doc.kind(value) != kindNull {
			other = true
		}
	})
	c := e.person
	if c == nil {
		c = &scoring.Contact{}
	}
	given := other
	for i, target := range [len(contactFields)]*string{&c.ID, &c.Email, &c.Title, &c.Seniority, &c.Role} {
		given = given || e.doc.kind(at[i]) != kindNull
		if fault := e.text(contactFields[i], at[i], target); fault != nil {
			return nil, fault
		}
	}
	if !given {
		return nil, nil
	}
	if fields {
		c.Fields = e.doc.keepObject(n)
	}
	return c, nil
}

var contactFields = [...]string{
	"data.contact.id", "data.contact.email", "data.contact.title", "data.contact.seniority", "data.contact.role",
}

// contactField is the index of a member of data.contact, or none.
func contactField(key []byte) int {
	switch string(key) {
	case "id":
		return 0
	case "email":
		return 1
	case "title":
		return 2
	case "seniority":
		return 3
	case "role":
		return 4
	}
	return none
}

// text reads a member that is a string or null. Its value is never shown: it is
// personal.
func (e *envelope) text(name string, n int, target *string) *Bad {
	switch kind := e.doc.kind(n); kind {
	case kindNull:
	case kindString:
		*target = e.doc.string(n)
	default:
		return bad(BadAttribute, "%s: %s, must be a string", name, kind)
	}
	return nil
}

// fillErasure reads whom a contact.erased names.
func (e *envelope) fillErasure(event *scoring.Event) *Bad {
	data, fault := e.members()
	if fault != nil {
		return fault
	}
	c, fault := e.contact(data.contact, false)
	if fault != nil {
		return fault
	}
	if c == nil || c.ID == "" && c.Email == "" {
		return bad(MissingAttribute, "data.contact: neither id nor email, one of them is required to erase a contact")
	}
	event.Order = &scoring.Order{Erased: identities(c)}
	event.Contact = c
	fault = e.resolveDomain(event, data.domain)
	// What is to be forgotten is not carried any further than needed.
	event.Contact = nil
	return fault
}

// identities are those by which a contact may be known: its id and its lower-cased
// e-mail address, one or both.
func identities(c *scoring.Contact) (out []string) {
	for _, identity := range []string{c.ID, strings.ToLower(c.Email)} {
		if identity != "" {
			out = append(out, identity)
		}
	}
	return out
}
