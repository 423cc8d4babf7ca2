package codec

import (
	"strings"
	"unicode"

	"tidemark/scoring"
)

// maxDomainBytes is the longest name that DNS allows.
const maxDomainBytes = 253

// resolveDomain gives an event without a subject the domain by which its account
// is to be found: that of the contact's e-mail address, else data.domain. A
// free-mail domain is as good as none.
func (e *envelope) resolveDomain(event *scoring.Event, n int) *Bad {
	if event.Account != "" {
		return nil
	}
	found := "subject, data.contact.email and data.domain are missing"
	if event.Contact != nil && event.Contact.Email != "" {
		domain := emailDomain(event.Contact.Email)
		if domain != "" && !freemail[domain] {
			event.Domain = domain
			return nil
		}
		found = "the subject is missing and the domain of data.contact.email is not a company's"
	}
	switch kind := e.doc.kind(n); kind {
	case kindNull:
		return bad(NoAccount, "%s; a subject, an e-mail address at a company or a company's domain is required", found)
	case kindString:
	default:
		return bad(BadAttribute, "data.domain: %s, must be a string", kind)
	}
	domain := domainName(e.doc.string(n))
	if domain == "" {
		return bad(BadAttribute, "data.domain: %s is not a domain name such as acme.example", show(e.doc.bytes(n)))
	}
	if freemail[domain] {
		return bad(NoAccount, "data.domain: %s is a free-mail domain, which names no account", show([]byte(domain)))
	}
	event.Domain = domain
	return nil
}

// emailDomain is the domain of an e-mail address, empty where there is none.
func emailDomain(address string) string {
	at := strings.LastIndexByte(address, '@')
	if at < 1 {
		return ""
	}
	return domainName(address[at+1:])
}

// domainName is a domain name in lower case without a dot at its end, or empty
// if the text is not one. Letters of any script are let through.
func domainName(text string) string {
	name := strings.ToLower(strings.TrimSuffix(strings.TrimSpace(text), "."))
	if name == "" || len(name) > maxDomainBytes || strings.Contains("."+name+".", "..") {
		return ""
	}
	for _, r := range name {
		if r != '.' && r != '-' && r != '_' && !unicode.In(r, unicode.L, unicode.M, unicode.N) {
			return ""
		}
	}
	return name
}

// IsDomain reports whether a text is a domain name such as profiles may claim.
func IsDomain(text string) bool { return domainName(text) != "" }
