package domain

import (
	_ "embed"
	"strings"
	"sync"
)

//go:embed freemail_kept.txt
var keptText string

//go:embed freemail_more.txt
var moreText string

//go:embed freemail_not.txt
var notText string

// freemail is read at the first question: most commands never ask.
var freemail = sync.OnceValue(func() map[string]struct{} {
	set := make(map[string]struct{}, 1<<14)
	for _, text := range [...]string{keptText, moreText} {
		each(text, func(name string) { set[name] = struct{}{} })
	}
	each(notText, func(name string) { delete(set, name) })
	return set
})

// Freemail reports whether anybody can have an address at a domain, so that it says
// nothing of the account.
func Freemail(name string) bool {
	_, found := freemail()[name]
	return found
}

// each calls take with every line that is neither empty nor a comment.
func each(text string, take func(string)) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			take(line)
		}
	}
}
