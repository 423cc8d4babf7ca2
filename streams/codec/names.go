package codec

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Snake is a name in lower case, its words apart by underscores.
func Snake(name string) string { return string(snake(nil, []byte(name))) }

// Host is the host of a web address, without www., or the text itself.
func Host(text string) string { return hostOf(text) }

// ParseTime reads an RFC 3339 date and time as Unix milliseconds.
func ParseTime(text string) (ms int64, ok bool) { return parseInstant([]byte(text)) }

// Show quotes a value for a message: shortened, and hidden altogether where it may be
// an e-mail address.
func Show(value string) string { return show([]byte(value)) }

// snake appends a name in lower case, its words apart by underscores: "CTA Clicked"
// is cta_clicked, and so are "ctaClicked" and "CTAClicked".
func snake(to, name []byte) []byte {
	start, before := len(to), rune(0)
	gap := false // something that is neither letter nor digit was passed
	for i := 0; i < len(name); {
		r, size := utf8.DecodeRune(name[i:])
		i += size
		if !unicode.In(r, unicode.L, unicode.M, unicode.N) {
			gap = true
			continue
		}
		next, _ := utf8.DecodeRune(name[i:])
		hump := unicode.IsUpper(r) && (unicode.IsLower(before) || unicode.IsNumber(before) || unicode.IsUpper(before) && unicode.IsLower(next))
		if (gap || hump) && len(to) > start {
			to = append(to, '_')
		}
		to = utf8.AppendRune(to, unicode.ToLower(r))
		before, gap = r, false
	}
	return to
}

// hostOf is the host of a web address, without www., or the text itself.
func hostOf(text string) string {
	if _, rest, found := strings.Cut(text, "://"); found {
		text = rest
	}
	if end := strings.IndexAny(text, "/?#"); end >= 0 {
		text = text[:end]
	}
	if at := strings.LastIndexByte(text, '@'); at >= 0 {
		text = text[at+1:]
	}
	host, _, _ := strings.Cut(text, ":")
	if len(host) > 4 && strings.EqualFold(host[:4], "www.") {
		host = host[4:]
	}
	return host
}
