package codec

import (
	"maps"
	"slices"
	"unicode/utf8"

	"tidemark/scoring"
)

// fillProfile reads an account.profile. Without data it erases the account, as a
// Kafka tombstone does.
func (e *envelope) fillProfile(event *scoring.Event) *Bad {
	if event.Account == "" {
		return bad(NoAccount, "subject: missing, a profile must name its account")
	}
	if e.doc.kind(e.data) == kindNull {
		event.Kind = scoring.KindTombstone
		return nil
	}
	data, fault := e.members()
	if fault != nil {
		return fault
	}
	p := &scoring.Profile{Attributes: map[string]any{}}
	if fault = e.attributesOf(data.attributes, p); fault != nil {
		return fault
	}
	if fault = e.domainsOf(data.domains, p); fault != nil {
		return fault
	}
	var parent string
	if fault = e.text("data.parent", data.parent, &parent); fault != nil {
		return fault
	}
	if p.Parent, fault = accountID("data.parent", []byte(parent)); fault != nil {
		return fault
	}
	event.Profile = p
	return nil
}

// attributesOf reads data.attributes. Null attributes are left out.
func (e *envelope) attributesOf(n int, p *scoring.Profile) *Bad {
	switch kind := e.doc.kind(n); kind {
	case kindNull:
		return nil
	case kindObject:
	default:
		return bad(BadAttribute, "data.attributes: %s, must be an object", kind)
	}
	p.Attributes = e.doc.mapping(n)
	return checkAttributes("data.attributes", p)
}

// checkAttributes leaves out what is null and refuses what no attribute can be.
func checkAttributes(what string, p *scoring.Profile) *Bad {
	// In order of name, so that the same bytes always give the same message.
	for _, name := range slices.Sorted(maps.Keys(p.Attributes)) {
		value := p.Attributes[name]
		if value == nil {
			delete(p.Attributes, name)
		} else if !flat(value) {
			return bad(BadAttribute, "%s: %s must be a string, a number, a boolean or a list of strings", what, show([]byte(name)))
		}
	}
	return nil
}

// flat tells whether a value can be an attribute's.
func flat(value any) bool {
	switch v := value.(type) {
	case map[string]any:
		return false
	case []any:
		return !slices.ContainsFunc(v, func(item any) bool {
			_, ok := item.(string)
			return !ok
		})
	}
	return true
}

// domainsOf reads data.domains: each once, in the order given.
func (e *envelope) domainsOf(n int, p *scoring.Profile) *Bad {
	kind := e.doc.kind(n)
	if kind == kindNull {
		return nil
	}
	if kind != kindList {
		return bad(BadAttribute, "data.domains: %s, must be a list of strings", kind)
	}
	var fault *Bad
	seen := map[string]bool{}
	e.doc.elements(n, func(value int) bool {
		if kind := e.doc.kind(value); kind != kindString {
			fault = bad(BadAttribute, "data.domains: %s within, must be a list of strings", kind)
			return false
		}
		fault = claim("data.domains", p, seen, e.doc.string(value))
		return fault == nil
	})
	return fault
}

// claim adds a domain to a profile, unless it was seen.
func claim(what string, p *scoring.Profile, seen map[string]bool, text string) *Bad {
	domain := domainName(text)
	if domain == "" {
		return bad(BadAttribute, "%s: %s is not a domain name such as acme.example", what, show([]byte(text)))
	}
	if !seen[domain] {
		seen[domain] = true
		p.Domains = append(p.Domains, domain)
	}
	return nil
}

// tombstone reads a record without a value on the profiles topic. Its timestamp
// is the only time there is, so one that runs ahead of the clock is taken as now:
// an erasure is a duty, whatever a producer's clock says.
func (d *Decoder) tombstone(r *Record, event *scoring.Event) *Bad {
	if !utf8.Valid(r.Key) {
		return bad(Malformed, "key: not valid UTF-8")
	}
	account, fault := accountID("key", r.Key)
	if fault != nil {
		return fault
	}
	if account == "" {
		return bad(NoAccount, "key: empty, the key of a record without a value must name the account to erase")
	}
	event.Kind, event.Account, event.Time = scoring.KindTombstone, account, r.Time
	if d.rules.Now != nil {
		event.Time = min(r.Time, d.rules.Now()+d.rules.FutureTolerance)
	}
	return nil
}
