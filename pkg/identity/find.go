package identity

import (
	"strconv"
	"strings"

	"tidemark/scoring"
)

// names are the fingerprints of those who are named in a hint, 0 for nobody.
type names struct{ user, anonymous, email uint64 }

// The fingerprints of ids of different kinds must differ though the ids be equal.
const (
	userPrefix      = "user\x00"
	anonymousPrefix = "anonymous\x00"
	emailPrefix     = "email\x00"
	accountPrefix   = "account\x00"
)

func (r *Resolver) names(h *scoring.Hint) (n names) {
	if h.User != "" {
		n.user = r.hash(userPrefix + h.User)
	}
	if h.Anonymous != "" {
		n.anonymous = r.hash(anonymousPrefix + h.Anonymous)
	}
	if h.Email != "" {
		n.email = r.hash(emailPrefix + strings.ToLower(h.Email))
	}
	return n
}

// list are those that there are, the surest first.
func (n names) list() (out []uint64) {
	for _, key := range [...]uint64{n.user, n.anonymous, n.email} {
		if key != 0 {
			out = append(out, key)
		}
	}
	return out
}

// teach takes what an event says of its user.
func (w *work) teach(n names, e *scoring.Event, at claim) {
	list := n.list()
	if len(list) == 0 {
		return
	}
	who := w.known[list[0]]
	say := func(r *record, kind byte, value string) {
		at.kind, at.value = kind, value
		_, holds := w.valid(r, kind)
		r.add(at, !holds)
	}
	if e.Account != "" {
		say(who, belongs, e.Account)
	}
	if !e.Hint.Same {
		return
	}
	if e.Domain != "" {
		say(who, atHome, e.Domain)
	}
	for _, other := range list[1:] {
		say(w.known[other], same, strconv.FormatUint(list[0], 16))
	}
	if n.user != 0 && n.anonymous != 0 {
		say(who, same, strconv.FormatUint(n.anonymous, 16))
	}
}

// find is the latest claim of a kind about who is named. A user's own goes before
// that of the browser that was last seen with them; of a browser, which several may
// use, and of an address, the later counts, their own or that of who was last seen there.
func (w *work) find(n names, kind byte) (string, bool) {
	for _, key := range n.list() {
		own, found := w.valid(w.known[key], kind)
		if found && key == n.user {
			return own.value, true
		}
		if other, linked := w.known[key].linked(); linked {
			if c, ok := w.valid(w.known[other], kind); ok && (!found || c.time > own.time) {
				own, found = c, true
			}
		}
		if found {
			return own.value, true
		}
	}
	return "", false
}

// valid is the claim that has it, unless its account was erased since.
func (w *work) valid(r *record, kind byte) (claim, bool) {
	c, found := r.now(kind)
	if !found || kind != belongs {
		return c, found
	}
	end, gone := w.known[w.hash(accountPrefix+c.value)].now(erased)
	return c, !gone || end.time < c.time
}

// linked is who is the same as whose record it is.
func (r *record) linked() (uint64, bool) {
	c, found := r.now(same)
	if !found {
		return 0, false
	}
	key, err := strconv.ParseUint(c.value, 16, 64)
	return key, err == nil && key != 0
}
