package codec

import (
	"bytes"
	"strings"

	"tidemark/pkg/domain"
	"tidemark/scoring"
)

// fillCall fills what a track, page, screen or identify call says of who did what.
func (d *Decoder) fillCall(c *segmentCall, s *slot) (fault *Bad) {
	event := &s.event
	event.Strength = 1
	if fault = c.objects(); fault != nil {
		return fault
	}
	var properties, fields bool
	if d.rules.Reads != nil {
		properties, fields = d.rules.Reads(event.Type)
	}
	if event.Contact, fault = c.contact(&s.contact, fields); fault != nil {
		return fault
	}
	if properties {
		event.Properties = scoring.Map(c.propertiesOf(event.Type))
	}
	if d.rules.Users {
		event.Hint = c.hint(event.Contact)
	}
	if event.Account != "" {
		return nil
	}
	if event.Contact != nil {
		if event.Domain = companyDomain(event.Contact.Email); event.Domain != "" {
			return nil
		}
	}
	return unlessKnown(event, bad(NoAccount, "groupId and context.groupId are missing, and there is no e-mail address at a company in the traits; one of them is required"))
}

// objects checks the members that must be objects, if there.
func (c *segmentCall) objects() (fault *Bad) {
	for _, at := range [...]struct {
		name string
		n    *int
	}{
		{"properties", &c.properties},
		{"traits", &c.traits},
		{"context", &c.context},
		{"context.traits", &c.personTraits},
	} {
		if *at.n, fault = c.object(at.name, *at.n); fault != nil {
			return fault
		}
	}
	return nil
}

// contact is who acted: userId, else anonymousId. What is known of people stands in
// the traits, which are free, so what does not fit there is passed over.
func (c *segmentCall) contact(person *scoring.Contact, fields bool) (*scoring.Contact, *Bad) {
	user, fault := c.idText("userId", c.userID)
	if fault != nil {
		return nil, fault
	}
	anonymous, fault := c.idText("anonymousId", c.anonymousID)
	if fault != nil {
		return nil, fault
	}
	id := user
	if len(id) == 0 {
		id = anonymous
	}
	email := c.trait("email", c.personTraits, c.traits, c.properties)
	if len(email) == 0 && bytes.IndexByte(user, '@') > 0 {
		email = user
	}
	title := c.trait("title", c.personTraits, c.traits)
	if len(id) == 0 && len(email) == 0 && len(title) == 0 {
		return nil, nil
	}
	person.ID, person.Email, person.Title = c.doc.keep(id), c.doc.keep(email), c.doc.keep(title)
	if fields {
		person.Fields = scoring.Map(c.fields(person))
	}
	return person, nil
}

// trait is the first text of a name in the objects given.
func (c *segmentCall) trait(name string, objects ...int) []byte {
	for _, n := range objects {
		if n == none {
			continue
		}
		if at := c.doc.member(n, name); c.doc.kind(at) == kindString {
			if text := c.doc.bytes(at); len(text) > 0 {
				return text
			}
		}
	}
	return nil
}

// fields are the person's traits, for expressions, with what Tidemark calls them.
func (c *segmentCall) fields(person *scoring.Contact) map[string]any {
	fields := map[string]any{}
	for _, n := range [...]int{c.traits, c.personTraits} {
		if n != none {
			c.doc.members(n, func(key []byte, value int) { fields[string(key)] = c.doc.any(value) })
		}
	}
	for name, value := range map[string]string{"id": person.ID, "email": person.Email, "title": person.Title} {
		if value != "" {
			fields[name] = value
		}
	}
	return fields
}

// propertiesOf are the call's properties (the traits, of an identify), and what else
// rules ask for, unless a property has that name: event or name and category, where
// it was seen (page), what led there (campaign) and by what program (user_agent).
func (c *segmentCall) propertiesOf(typ string) map[string]any {
	own := c.properties
	if typ == segmentPrefix+"identify" {
		own = c.traits
	}
	out := map[string]any{}
	if own != none {
		out = c.doc.mapping(own)
	}
	add := func(name string, n int) {
		if _, taken := out[name]; !taken && c.doc.kind(n) != kindNull {
			out[name] = c.doc.any(n)
		}
	}
	if strings.HasPrefix(typ, segmentTrack) {
		add("event", c.event)
	} else {
		add("name", c.name)
		add("category", c.category)
	}
	add("page", c.page)
	add("campaign", c.campaign)
	add("user_agent", c.userAgent)
	if typ == segmentPrefix+"page" && c.doc.kind(c.page) == kindObject {
		c.doc.members(c.page, func(key []byte, value int) { add(string(key), value) })
	}
	return out
}

// fillGroup makes a profile of a group call. Attributes that no profile can have are
// left out, e-mail addresses among them, and so are domains that are none. A group
// without anything left only says who belongs to it: it is passed over, so that the
// account's profile stays.
func (c *segmentCall) fillGroup(event *scoring.Event) (found bool, fault *Bad) {
	if c.traits, fault = c.object("traits", c.traits); fault != nil || c.traits == none {
		return false, fault
	}
	p := &scoring.Profile{Attributes: map[string]any{}}
	c.doc.members(c.traits, func(key []byte, value int) {
		name, v := string(key), c.doc.any(value)
		if text, ok := v.(string); v == nil || !flat(v) || ok && emailDomain(text) != "" {
			delete(p.Attributes, name)
			return
		}
		p.Attributes[name] = v
	})
	seen := map[string]bool{}
	for _, name := range [...]string{"domain", "domains", "website"} {
		c.addDomains(p, seen, c.doc.member(c.traits, name))
	}
	if len(p.Attributes) == 0 {
		return false, nil
	}
	event.Profile = p
	return true, nil
}

// addDomains adds the domain that a text, or each text of a list, names. What names no
// company is left out.
func (c *segmentCall) addDomains(p *scoring.Profile, seen map[string]bool, n int) {
	add := func(n int) bool {
		if c.doc.kind(n) == kindString {
			name := domainName(hostOf(c.doc.string(n)))
			if strings.Contains(name, ".") && !domain.Freemail(name) && !domain.Nobodys(name) && !seen[name] {
				seen[name] = true
				p.Domains = append(p.Domains, name)
			}
		}
		return true
	}
	if c.doc.kind(n) == kindList {
		c.doc.elements(n, add)
		return
	}
	add(n)
}
