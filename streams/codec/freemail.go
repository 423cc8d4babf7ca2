package codec

import (
	_ "embed"
	"strings"
)

// freemail.txt is kept by hand: the providers' own domains as their sign-up
// pages offer them. It is deliberately short; a company's domain in it would
// lose that company's events.
//
//go:embed freemail.txt
var freemailText string

// freemail is the set of domains at which anyone can have an address, so that
// they say nothing of the account. Read only.
var freemail = lines(freemailText)

func lines(text string) map[string]bool {
	set := map[string]bool{}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			set[line] = true
		}
	}
	return set
}
