package identity

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"tidemark/pkg/engine"
)

// What a claim says of whose record it is in. The letters are stored.
const (
	belongs = 'a' // to the account
	atHome  = 'd' // at the domain, which leads to the account as an event's own does
	same    = 'l' // as who has the fingerprint, in hexadecimal
	erased  = 'x' // the account, whose record this is: what was claimed of it before is void
)

// claim is what one event said.
type claim struct {
	kind      byte
	time      int64 // of the event, Unix milliseconds
	partition engine.Partition
	offset    int64
	value     string
	// hidden: the event is still to be read again, so that it has said nothing yet.
	hidden bool
}

// record is what is known under one fingerprint.
type record struct {
	stored []byte // as it is in the store; nil: it is not
	claims []claim
	dirty  bool
}

// confirmed is how much later a claim must be to be noted where it says nothing new,
// in milliseconds: users who are named in every event would be written with each.
const confirmed = int64(60 * 60 * 1000)

// mostClaims bounds a record. Only a user who changes accounts more often than this
// within what is read again after a crash loses some, the oldest.
const mostClaims = 32

// add takes a claim, unless one of a later event has it. What says nothing new is
// noted now and then only, unless it is to be noted anyway.
func (r *record) add(c claim, anyway bool) {
	for i := range r.claims {
		if h := &r.claims[i]; h.hidden && h.kind == c.kind && h.partition == c.partition && h.offset == c.offset && h.value == c.value {
			h.hidden = false // it said so before
			return
		}
	}
	if now, ok := r.now(c.kind); ok && (c.time < now.time || !anyway && c.value == now.value && c.time-now.time < confirmed) {
		return
	}
	r.claims = append(r.claims, c)
	r.dirty = true
}

// now is the claim of a kind that has it.
func (r *record) now(kind byte) (out claim, found bool) {
	for _, c := range r.claims {
		if c.kind == kind && !c.hidden && (!found || c.time >= out.time) {
			out, found = c, true
		}
	}
	return out, found
}

// forget drops everything.
func (r *record) forget() {
	r.dirty = r.dirty || len(r.claims) > 0 || r.stored != nil
	r.claims = nil
}

// prune drops what can never have it again: final says which claims are never read again.
func (r *record) prune(final func(engine.Partition, int64) bool) {
	for _, kind := range []byte{belongs, atHome, same, erased} {
		best := -1
		for i, c := range r.claims {
			if c.kind == kind && final(c.partition, c.offset) && (best < 0 || c.time >= r.claims[best].time) {
				best = i
			}
		}
		i := -1
		r.claims = slices.DeleteFunc(r.claims, func(c claim) bool {
			i++
			return c.kind == kind && i != best && final(c.partition, c.offset)
		})
	}
	if over := len(r.claims) - mostClaims; over > 0 {
		r.claims = slices.Delete(r.claims, 0, over)
	}
}

// encode is the stored form: a line for each claim, its letter, time, place and value.
func (r *record) encode() []byte {
	var b []byte
	for _, c := range r.claims {
		b = fmt.Appendf(b, "%c %d %s/%d@%d %s\n", c.kind, c.time, c.partition.Topic, c.partition.ID, c.offset, c.value)
	}
	return b
}

// decode reads what encode wrote.
func decode(stored []byte, hidden func(engine.Partition, int64) bool) (*record, error) {
	r := &record{stored: stored}
	for line := range strings.Lines(string(stored)) {
		c, ok := parse(strings.TrimSuffix(line, "\n"))
		if !ok {
			return nil, fmt.Errorf("broken record of a user: %d bytes", len(stored))
		}
		c.hidden = hidden(c.partition, c.offset)
		r.claims = append(r.claims, c)
	}
	return r, nil
}

func parse(line string) (c claim, ok bool) {
	parts := strings.SplitN(line, " ", 4)
	if len(parts) != 4 || len(parts[0]) != 1 {
		return c, false
	}
	c.kind, c.value = parts[0][0], parts[3]
	at := strings.LastIndexByte(parts[2], '@')
	slash := strings.LastIndexByte(parts[2][:max(at, 0)], '/')
	if slash < 0 {
		return c, false
	}
	c.partition.Topic = parts[2][:slash]
	var faults [3]error
	c.time, faults[0] = strconv.ParseInt(parts[1], 10, 64)
	c.partition.ID, faults[1] = strconv.Atoi(parts[2][slash+1 : at])
	c.offset, faults[2] = strconv.ParseInt(parts[2][at+1:], 10, 64)
	return c, faults == [3]error{}
}
