package domain

import (
	"net/netip"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// Nobodys reports whether a name is no company's: a public suffix such as co.uk,
// under which everybody registers, or an IP address. Names under which a company
// lets others register, such as github.io, are that company's own. A name that no
// list knows, such as a host of an inner network, may be anybody's.
func Nobodys(name string) bool {
	if address(name) {
		return true
	}
	ascii, ok := ascii(name)
	if !ok {
		return false
	}
	suffix, icann := publicsuffix.PublicSuffix(ascii)
	return icann && suffix == ascii
}

// address reports whether a name is an IP address. Few names end in a digit, so few are parsed.
func address(name string) bool {
	if name == "" || name[len(name)-1] > '9' && strings.IndexByte(name, ':') < 0 {
		return false
	}
	_, err := netip.ParseAddr(name)
	return err == nil
}

// Parent is the domain above a name as far as it is the same owner's, up to the
// registrable one: mail.eu.acme.co.uk → eu.acme.co.uk → acme.co.uk → "".
func Parent(name string) string {
	_, parent, found := strings.Cut(name, ".")
	if !found || !strings.Contains(parent, ".") {
		return "" // above a name of two labels there is no owner
	}
	ascii, ok := ascii(name)
	if !ok || Nobodys(name) {
		return ""
	}
	if suffix, _ := publicsuffix.PublicSuffix(ascii); strings.Count(suffix, ".") >= strings.Count(parent, ".") {
		return ""
	}
	return parent
}

// ascii is a name as the list of public suffixes has it.
func ascii(name string) (string, bool) {
	for i := range len(name) {
		if name[i] >= 0x80 {
			out, err := idna.Punycode.ToASCII(name)
			return out, err == nil
		}
	}
	return name, true
}
