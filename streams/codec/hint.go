package codec

import "tidemark/scoring"

// hint is the next free one. It is allocated beside the slot: only formats that know
// users need it.
func (d *document) hint() *scoring.Hint {
	if len(d.hints) == 0 {
		d.hints = make([]scoring.Hint, slab)
	}
	h := &d.hints[0]
	d.hints = d.hints[1:]
	return h
}

// hint is who made the call, nil where that is nobody. An identify says that all its
// names are one person's.
func (c *segmentCall) hint(person *scoring.Contact) *scoring.Hint {
	if person == nil || person.ID == "" && person.Email == "" {
		return nil
	}
	h := c.doc.hint()
	h.Email = person.Email
	h.Same = string(c.doc.textOf(c.kind)) == "identify"
	// The contact has the user's id, or else the anonymous one; both were checked.
	anonymous, _ := c.idText("anonymousId", c.anonymousID)
	if user, _ := c.idText("userId", c.userID); len(user) > 0 {
		h.User, h.Anonymous = person.ID, c.doc.keep(anonymous)
	} else {
		h.Anonymous = person.ID
	}
	return h
}

// textOf is the bytes of a string, else nothing.
func (d *document) textOf(n int) []byte {
	if d.kind(n) != kindString {
		return nil
	}
	return d.bytes(n)
}

// unlessKnown is the fault of an event without account and domain: none yet where it
// names a user, who may be known.
func unlessKnown(event *scoring.Event, fault *Bad) *Bad {
	if event.Hint == nil {
		return fault
	}
	event.Hint.Otherwise = fault
	return nil
}

// at says of an event, of a record that holds several, where it stands.
func at(event *scoring.Event, place string) *scoring.Event {
	if event.Hint != nil {
		if fault, ok := event.Hint.Otherwise.(*Bad); ok {
			event.Hint.Otherwise = fault.in(place)
		}
	}
	return event
}

// fillGroupCall makes a profile of a group call or, where that is not to be or has
// nothing in it, a notice of who belongs to the group.
func (d *Decoder) fillGroupCall(c *segmentCall, s *slot) (found bool, fault *Bad) {
	event := &s.event
	if event.Account == "" {
		return false, bad(NoAccount, "groupId: missing, a group must be named")
	}
	if d.rules.Users {
		person, fault := c.contact(&s.contact, false)
		if fault != nil {
			return false, fault
		}
		event.Hint = c.hint(person)
	}
	if !c.doc.noProfiles {
		found, fault = c.fillGroup(event)
	}
	if fault != nil || found || event.Hint == nil {
		return found, fault
	}
	event.Kind = scoring.KindNotice
	return true, nil
}
