package codec

import (
	"strconv"

	"tidemark/scoring"
)

// segmentCall are the members of a Segment or RudderStack call that mean something,
// none where they are not there.
type segmentCall struct {
	kind, messageID, userID, anonymousID, groupID, sourceID, projectID int
	timestamp, originalTimestamp, sentAt, receivedAt                   int
	event, name, category                                              int
	properties, traits, context                                        int
	batch                                                              int

	doc          *document
	page         int // context.page
	personTraits int // context.traits
	campaign     int // context.campaign
	userAgent    int // context.userAgent
	contextGroup int // context.groupId
}

// emptyCall has nothing in it.
var emptyCall = segmentCall{
	kind: none, messageID: none, userID: none, anonymousID: none, groupID: none, sourceID: none, projectID: none,
	timestamp: none, originalTimestamp: none, sentAt: none, receivedAt: none,
	event: none, name: none, category: none, properties: none, traits: none, context: none, batch: none,
	page: none, personTraits: none, campaign: none, userAgent: none, contextGroup: none,
}

// segment reads a record of a topic in Segment's format: one call, or an object
// with several in `batch`, as the HTTP API takes them.
func (d *Decoder) segment(doc *document, r *Record) ([]*scoring.Event, []*Bad) {
	switch {
	case r.Value == nil:
		return nil, []*Bad{bad(Malformed, "value: null, which only the profiles topic may hold")}
	case !doc.parse(r.Value):
		return nil, []*Bad{bad(Malformed, "value: %s", doc.fault)}
	case doc.kind(0) != kindObject:
		return nil, []*Bad{bad(Malformed, "value: %s, a Segment call is an object", doc.kind(0))}
	}
	call := &doc.call
	doc.readCall(call, 0)
	if doc.kind(call.kind) == kindNull && doc.kind(call.batch) == kindList {
		return d.segmentBatch(doc, r, call.batch, call.sentAt)
	}
	s := doc.slot()
	found, fault := d.fillSegment(call, r.Time, s)
	switch {
	case fault != nil:
		return nil, []*Bad{fault}
	case !found:
		return nil, nil
	}
	return doc.only(s, nil), nil
}

// segmentBatch reads the calls of a list.
func (d *Decoder) segmentBatch(doc *document, r *Record, list, sentAt int) ([]*scoring.Event, []*Bad) {
	c := collection{refused: r.Refused}
	i := -1
	doc.elements(list, func(n int) bool {
		i++
		if len(c.refused) > 0 && c.passes(batchPlace(i)) {
			return true
		}
		if kind := doc.kind(n); kind != kindObject {
			c.fault(batchPlace(i), bad(Malformed, "%s, a Segment call is an object", kind))
			return true
		}
		one := &doc.call
		doc.readCall(one, n)
		// One moment of sending holds for all that were sent together.
		if one.sentAt == none {
			one.sentAt = sentAt
		}
		s := doc.slot()
		if found, fault := d.fillSegment(one, r.Time, s); fault != nil {
			c.fault(batchPlace(i), fault)
		} else if found {
			c.events = append(c.events, at(&s.event, batchPlace(i)))
		}
		return true
	})
	return c.end()
}

// readCall finds the members of the call at n. Of duplicate keys the last counts.
func (d *document) readCall(c *segmentCall, n int) {
	*c = emptyCall
	c.doc = d
	d.members(n, func(key []byte, value int) {
		switch string(key) {
		case "type":
			c.kind = value
		case "messageId":
			c.messageID = value
		case "userId":
			c.userID = value
		case "anonymousId":
			c.anonymousID = value
		case "groupId":
			c.groupID = value
		case "sourceId":
			c.sourceID = value
		case "projectId":
			c.projectID = value
		case "timestamp":
			c.timestamp = value
		case "originalTimestamp":
			c.originalTimestamp = value
		case "sentAt":
			c.sentAt = value
		case "receivedAt":
			c.receivedAt = value
		case "event":
			c.event = value
		case "name":
			c.name = value
		case "category":
			c.category = value
		case "properties":
			c.properties = value
		case "traits":
			c.traits = value
		case "context":
			c.context = value
		case "batch":
			c.batch = value
		}
	})
	if d.kind(c.context) == kindObject {
		d.readContext(c)
	}
}

func (d *document) readContext(c *segmentCall) {
	d.members(c.context, func(key []byte, value int) {
		switch string(key) {
		case "page":
			c.page = value
		case "traits":
			c.personTraits = value
		case "campaign":
			c.campaign = value
		case "userAgent":
			c.userAgent = value
		case "groupId":
			c.contextGroup = value
		}
	})
}

// fillSegment makes the event of a call; false where a call says nothing of an
// account: an alias, or a group without traits.
func (d *Decoder) fillSegment(c *segmentCall, arrived int64, s *slot) (found bool, fault *Bad) {
	event := &s.event
	event.Arrived = arrived
	if event.Type, fault = c.eventType(); fault != nil || event.Type == "" {
		return false, fault
	}
	event.Kind = kindOf(event.Type)
	if event.ID, fault = c.id("messageId", c.messageID); fault != nil {
		return false, fault
	}
	if event.ID == "" {
		return false, bad(MissingAttribute, "messageId: missing, a string that is not empty is required")
	}
	if event.Source, fault = c.source(); fault != nil {
		return false, fault
	}
	if event.Time, fault = c.time(); fault != nil {
		return false, fault
	}
	if fault = d.checkTime(event); fault != nil {
		return false, fault
	}
	if event.Account, fault = c.account(); fault != nil {
		return false, fault
	}
	if event.Kind == scoring.KindProfile {
		return d.fillGroupCall(c, s)
	}
	return true, d.fillCall(c, s)
}

// The types that calls become. Those of track end in the event's name.
const (
	segmentPrefix = "segment."
	segmentTrack  = segmentPrefix + "track."
)

// eventType is the type of the call's event, empty for one to pass over.
func (c *segmentCall) eventType() (string, *Bad) {
	switch kind := c.doc.kind(c.kind); kind {
	case kindNull:
		return "", bad(MissingAttribute, "type: missing, one of track, page, screen, identify, group and alias is required")
	case kindString:
	default:
		return "", bad(BadAttribute, "type: %s, must be a string", kind)
	}
	switch string(c.doc.bytes(c.kind)) {
	case "page":
		return segmentPrefix + "page", nil
	case "screen":
		return segmentPrefix + "screen", nil
	case "identify":
		return segmentPrefix + "identify", nil
	case "group":
		return typeProfile, nil
	case "alias":
		return "", nil
	case "track":
		return c.trackType()
	}
	return "", bad(BadAttribute, "type: %s is not one of track, page, screen, identify, group and alias", show(c.doc.bytes(c.kind)))
}

func (c *segmentCall) trackType() (string, *Bad) {
	switch kind := c.doc.kind(c.event); kind {
	case kindString:
		name := snake(append(c.doc.scratch[:0], segmentTrack...), c.doc.bytes(c.event))
		c.doc.scratch = name
		if len(name) > len(segmentTrack) {
			return c.doc.keep(name), nil
		}
		fallthrough
	case kindNull:
		return "", bad(MissingAttribute, "event: missing, the name of what is tracked is required")
	default:
		return "", bad(BadAttribute, "event: %s, must be a string", kind)
	}
}

// id reads an identity: a string, or a number as it is written, since some libraries
// send those. Missing and null are empty.
func (c *segmentCall) id(name string, n int) (string, *Bad) {
	text, fault := c.idText(name, n)
	return c.doc.keep(text), fault
}

func (c *segmentCall) idText(name string, n int) ([]byte, *Bad) {
	switch kind := c.doc.kind(n); kind {
	case kindNull:
		return nil, nil
	case kindString:
		return c.doc.bytes(n), nil
	case kindNumber:
		return c.doc.raw(n), nil
	default:
		return nil, bad(BadAttribute, "%s: %s, must be a string", name, kind)
	}
}

// source is segment/ and the source's or the project's id where the call has one.
// The write key is left out: it lets others write.
func (c *segmentCall) source() (string, *Bad) {
	for _, at := range [...]struct {
		name string
		n    int
	}{{"sourceId", c.sourceID}, {"projectId", c.projectID}} {
		text, fault := c.idText(at.name, at.n)
		if fault != nil {
			return "", fault
		}
		if len(text) > 0 {
			return c.doc.join("segment/", text), nil
		}
	}
	return "segment", nil
}

// account is the group's id: of the call itself where it is a group call, else the one
// that the context says.
func (c *segmentCall) account() (string, *Bad) {
	for _, at := range [...]struct {
		name string
		n    int
	}{{"groupId", c.groupID}, {"context.groupId", c.contextGroup}} {
		text, fault := c.idText(at.name, at.n)
		if fault != nil {
			return "", fault
		}
		if len(text) == 0 {
			continue
		}
		if plainID(text) {
			return c.doc.keep(text), nil
		}
		if account, fault := accountID(at.name, text); fault != nil || account != "" {
			return account, fault
		}
	}
	return "", nil
}

// time is when it happened. `timestamp` is that, corrected for the client's clock by
// Segment. A call that never went through Segment has it corrected here, in the
// same way: as much before receivedAt as originalTimestamp is before sentAt.
func (c *segmentCall) time() (int64, *Bad) {
	at, has, fault := c.instant("timestamp", c.timestamp)
	if has || fault != nil {
		return at, fault
	}
	original, hasOriginal, fault := c.instant("originalTimestamp", c.originalTimestamp)
	if fault != nil {
		return 0, fault
	}
	sent, hasSent, fault := c.instant("sentAt", c.sentAt)
	if fault != nil {
		return 0, fault
	}
	received, hasReceived, fault := c.instant("receivedAt", c.receivedAt)
	if fault != nil {
		return 0, fault
	}
	switch {
	case hasOriginal && hasSent && hasReceived:
		return received - max(sent-original, 0), nil
	case hasOriginal:
		return original, nil
	case hasReceived:
		return received, nil
	}
	return 0, bad(MissingAttribute, "timestamp: missing, and so are originalTimestamp and receivedAt; one of them is required")
}

func (c *segmentCall) instant(name string, n int) (ms int64, has bool, fault *Bad) {
	switch kind := c.doc.kind(n); kind {
	case kindNull:
		return 0, false, nil
	case kindString:
	default:
		return 0, false, bad(BadTime, "%s: %s, must be a string such as 2026-11-02T09:30:00Z", name, kind)
	}
	text := c.doc.bytes(n)
	ms, ok := parseInstant(text)
	if !ok {
		return 0, false, bad(BadTime, "%s: %s is not RFC 3339, such as 2026-11-02T09:30:00Z", name, show(text))
	}
	return ms, true, nil
}

// object is n where it is an object, none where it is missing or null.
func (c *segmentCall) object(name string, n int) (int, *Bad) {
	switch kind := c.doc.kind(n); kind {
	case kindNull:
		return none, nil
	case kindObject:
		return n, nil
	default:
		return none, bad(BadAttribute, "%s: %s, must be an object", name, kind)
	}
}

// batchPlace is where an event of several stands.
func batchPlace(i int) string { return "batch[" + strconv.Itoa(i) + "]" }
