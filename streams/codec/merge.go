package codec

import "tidemark/scoring"

// fillMerge reads an account.merged: the subject goes into data.into.
func (e *envelope) fillMerge(event *scoring.Event) *Bad {
	if event.Account == "" {
		return bad(NoAccount, "subject: missing, a merge must name the account that goes")
	}
	switch kind := e.doc.kind(e.data); kind {
	case kindNull, kindObject:
	default:
		return bad(BadAttribute, "data: %s, must be an object", kind)
	}
	into := none
	if e.doc.kind(e.data) == kindObject {
		e.doc.members(e.data, func(key []byte, value int) {
			if string(key) == "into" {
				into = value
			}
		})
	}
	var text string
	fault := e.text("data.into", into, &text)
	if fault != nil {
		return fault
	}
	name, fault := accountID("data.into", []byte(text))
	if fault != nil {
		return fault
	}
	switch name {
	case "":
		return bad(MissingAttribute, "data.into: missing, a merge must name the account that the subject goes into")
	case event.Account:
		return bad(BadAttribute, "data.into: %s is the subject itself, an account can't go into itself", show([]byte(name)))
	}
	event.Order = &scoring.Order{Into: name}
	return nil
}
