package codec

import (
	"strconv"
	"unicode/utf8"

	"tidemark/scoring"
)

// Mapper makes events of JSON of any shape. It must give the same for the same
// message, keep nothing of it, and be safe for concurrent use.
type Mapper interface {
	// Map calls take for each event that the message gives, and for each that it should
	// give and cannot, in order.
	Map(m *Message, take func(Mapped))
}

// Message is a record as a Mapper sees it.
type Message struct {
	Topic   string
	Time    int64 // the Kafka timestamp, Unix milliseconds
	Key     string
	Headers map[string]any // texts; of a key that comes more than once the last
	// Value is what encoding/json makes of the record's, except that a whole number is
	// an int where that can hold it: as a float64, ids of 17 digits would be taken for
	// one another.
	Value any
}

// Mapped is one event of a message before it is checked, or why there is none.
type Mapped struct {
	// Item and Entry say which it is: the row of the message and, of several events of
	// a row, which of them. -1: there is but one.
	Item, Entry int
	Draft       Draft
	Fault       *Bad // nil: Draft counts
}

// place is as Bad.Place.
func (m *Mapped) place() string {
	switch {
	case m.Entry >= 0:
		return "item[" + strconv.Itoa(max(m.Item, 0)) + "].events[" + strconv.Itoa(m.Entry) + "]"
	case m.Item >= 0:
		return "item[" + strconv.Itoa(m.Item) + "]"
	}
	return ""
}

// Draft is an event of another format: its attributes as they were found. The codec
// holds them against the same rules as those of CloudEvents.
type Draft struct {
	ID, Source, Type string // a profile and an erasure need no type
	Time             int64  // Unix milliseconds
	Subject, Domain  string
	User             string // who acted, as a format with users knows them
	Contact          *scoring.Contact
	Strength         float64
	Properties       map[string]any
	Profile          *DraftProfile // not nil: this is a profile
	Erases           bool          // the account is to be erased
}

// DraftProfile is what a Draft says of an account.
type DraftProfile struct {
	Attributes map[string]any
	Domains    []string
	Parent     string
}

// mapped reads a record by a Mapper.
func (d *Decoder) mapped(doc *document, r *Record, m Mapper) ([]*scoring.Event, []*Bad) {
	switch {
	case r.Value == nil:
		return nil, []*Bad{bad(Malformed, "value: null, which only the profiles topic may hold")}
	case !doc.parse(r.Value):
		return nil, []*Bad{bad(Malformed, "value: %s", doc.fault)}
	case !utf8.Valid(r.Key):
		return nil, []*Bad{bad(Malformed, "key: not valid UTF-8")}
	}
	message := Message{Topic: r.Topic, Time: r.Time, Key: string(r.Key), Headers: map[string]any{}, Value: doc.exact(0)}
	for _, h := range r.Headers {
		if utf8.Valid(h.Value) {
			message.Headers[h.Key] = string(h.Value)
		}
	}
	c := collection{refused: r.Refused}
	m.Map(&message, func(item Mapped) {
		if len(c.refused) > 0 && c.passes(item.place()) {
			return
		}
		fault := item.Fault
		if fault == nil {
			s := doc.slot()
			s.event.Arrived = r.Time
			if fault = d.admit(&item.Draft, s); fault == nil {
				c.events = append(c.events, at(&s.event, item.place()))
				return
			}
		}
		c.fault(item.place(), fault)
	})
	return c.end()
}

// exact is any with whole numbers as int, where they fit.
func (d *document) exact(n int) any {
	switch d.nodes[n].kind {
	case kindNumber:
		if i, err := strconv.Atoi(string(d.raw(n))); err == nil {
			return i
		}
		return d.float(n)
	case kindList:
		list := []any{}
		d.elements(n, func(value int) bool {
			list = append(list, d.exact(value))
			return true
		})
		return list
	case kindObject:
		m := map[string]any{}
		d.members(n, func(key []byte, value int) { m[string(key)] = d.exact(value) })
		return m
	}
	return d.any(n)
}

// admit checks a draft and makes the event of it.
func (d *Decoder) admit(draft *Draft, s *slot) (fault *Bad) {
	event := &s.event
	event.ID, event.Source, event.Type, event.Time = draft.ID, draft.Source, draft.Type, draft.Time
	if draft.Profile != nil || draft.Erases {
		event.Type = typeProfile
	} else if event.Type == typeProfile {
		return bad(BadAttribute, "type: %s is for entries with attributes", typeProfile)
	}
	for i, text := range [...]string{event.ID, event.Source, event.Type} {
		if text == "" {
			return bad(MissingAttribute, "%s: missing, a text that is not empty is required", names[id+i])
		}
		if !utf8.ValidString(text) {
			return bad(BadAttribute, "%s: not valid UTF-8", names[id+i])
		}
	}
	event.Kind = kindOf(event.Type)
	if fault = d.checkTime(event); fault != nil {
		return fault
	}
	if event.Account, fault = accountID("subject", []byte(draft.Subject)); fault != nil {
		return fault
	}
	switch {
	case draft.Erases || draft.Profile != nil:
		return draft.fillProfile(event)
	case event.Kind == scoring.KindErasure:
		return draft.fillErasure(event)
	}
	return d.fillDraft(draft, event)
}

func (draft *Draft) fillProfile(event *scoring.Event) *Bad {
	if event.Account == "" {
		return bad(NoAccount, "subject: missing, a profile must name its account")
	}
	if draft.Erases {
		event.Kind = scoring.KindTombstone
		return nil
	}
	p := &scoring.Profile{Attributes: map[string]any{}}
	if draft.Profile.Attributes != nil {
		p.Attributes = draft.Profile.Attributes
	}
	if fault := checkAttributes("attributes", p); fault != nil {
		return fault
	}
	seen := map[string]bool{}
	for _, text := range draft.Profile.Domains {
		if fault := claim("domains", p, seen, text); fault != nil {
			return fault
		}
	}
	var fault *Bad
	if p.Parent, fault = accountID("parent", []byte(draft.Profile.Parent)); fault != nil {
		return fault
	}
	event.Profile = p
	return nil
}

func (draft *Draft) fillErasure(event *scoring.Event) *Bad {
	c := draft.Contact
	if c == nil || c.ID == "" && c.Email == "" {
		return bad(MissingAttribute, "contact: neither id nor email, one of them is required to erase a contact")
	}
	event.Order = &scoring.Order{Erased: identities(c)}
	return draft.find(event)
}

func (d *Decoder) fillDraft(draft *Draft, event *scoring.Event) *Bad {
	if !(draft.Strength >= 0 && draft.Strength <= 10) {
		return bad(BadAttribute, "strength: %s, must be from 0 to 10", strconv.FormatFloat(draft.Strength, 'g', 6, 64))
	}
	// The sum makes a plain zero of -0.
	event.Strength = draft.Strength + 0
	event.Contact = draft.Contact
	var properties, fields bool
	if d.rules.Reads != nil {
		properties, fields = d.rules.Reads(event.Type)
	}
	if properties && draft.Properties != nil {
		event.Properties = scoring.Map(draft.Properties)
	}
	if event.Contact != nil && !fields {
		event.Contact.Fields = nil
	}
	if d.rules.Users {
		event.Hint = draft.hint()
	}
	fault := draft.find(event)
	if fault == nil || fault.Reason != NoAccount {
		return fault
	}
	return unlessKnown(event, fault)
}

// hint is who acted, nil where the draft names no user. What stands in one row of them
// is one person's.
func (draft *Draft) hint() *scoring.Hint {
	if draft.User == "" {
		return nil
	}
	h := &scoring.Hint{User: draft.User, Same: true}
	if draft.Contact != nil {
		h.Email = draft.Contact.Email
	}
	return h
}

// find gives an event without a subject its domain.
func (draft *Draft) find(event *scoring.Event) *Bad {
	if event.Account != "" {
		return nil
	}
	if draft.Contact != nil {
		if event.Domain = companyDomain(draft.Contact.Email); event.Domain != "" {
			return nil
		}
	}
	if draft.Domain == "" {
		return bad(NoAccount, "subject: missing, and so are domain and an e-mail address at a company in contact.email; one of them is required")
	}
	var fault *Bad
	event.Domain, fault = givenDomain("domain", draft.Domain)
	return fault
}
