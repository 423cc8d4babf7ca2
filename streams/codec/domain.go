package codec

import (
	"strings"
	"unicode"

	"tidemark/pkg/domain"
	"tidemark/scoring"
)

// maxDomainBytes is the longest name that DNS allows.
const maxDomainBytes = 253

// resolveDomain gives an event without a subject the domain by which its account
// is to be found: that of the contact's e-mail address, else data.domain. A
// free-mail domain is as good as none, and so is one that is no company's.
func (e *envelope) resolveDomain(event *scoring.Event, n int) *Bad {
	if event.Account != "" {
		return nil
	}
	found := "subject, data.contact.email and data.domain are missing"
	if event.Contact != nil && event.Contact.Email != "" {
		if event.Domain = companyDomain(event.Contact.Email); event.Domain != "" {
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
	var fault *Bad
	event.Domain, fault = givenDomain("data.domain", e.doc.string(n))
	return fault
}

// givenDomain is a domain that an event names itself.
func givenDomain(what, text string) (string, *Bad) {
	name := domainName(text)
	switch {
	case name == "" && domain.Nobodys(strings.TrimSpace(text)):
		return "", bad(NoAccount, "%s: %s is an IP address, which names no account", what, show([]byte(text)))
	case name == "":
		return "", bad(BadAttribute, "%s: %s is not a domain name such as acme.example", what, show([]byte(text)))
	case domain.Freemail(name):
		return "", bad(NoAccount, "%s: %s is a free-mail domain, which names no account", what, show([]byte(name)))
	case domain.Nobodys(name):
		return "", bad(NoAccount, "%s: %s is an IP address or a public suffix, which names no account", what, show([]byte(name)))
	}
	return name, nil
}

// companyDomain is the domain of an e-mail address at a company, else empty.
func companyDomain(address string) string {
	name := emailDomain(address)
	if name == "" || domain.Freemail(name) || domain.Nobodys(name) {
		return ""
	}
	return name
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
