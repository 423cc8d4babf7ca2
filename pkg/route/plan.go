package route

import (
	"crypto/sha256"
	"encoding/hex"

	"tidemark/scoring"
)

// Expressions compiles the conditions of rules, over an account's published
// attributes and the change's fields. modelfile.Conditions is one.
type Expressions interface {
	Profile(expr string) (func(map[string]any) scoring.Truth, error)
}

// Plan is a compiled routing file. It is immutable.
type Plan struct {
	hash     string
	fallback string
	clock    ClockSpec
	teams    map[string]*team
	reps     []*rep // in the file's order
	byID     map[string]*rep
	byName   map[string]*rep // by id and by every other name
	rules    []rule
	reasons  []ReasonSpec
}

type team struct {
	id       string
	calendar calendar
	lead     string
	reps     []*rep // in the file's order
}

type rep struct {
	id      string
	home    *team
	weight  int
	cap     int // 0: none
	absent  []days
	ordinal int
}

// days are dates, both included; dates compare as text.
type days struct{ from, to string }

type rule struct {
	name  string
	holds func(map[string]any) scoring.Truth // nil: always
	owner string
	team  *team
	rep   *rep
}

// Hash names the file's content: a Desk remembers under which it stands.
func (p *Plan) Hash() string { return p.hash }

// Reasons are the reasons for which an MQA may be rejected, in the file's order.
func (p *Plan) Reasons() []string {
	out := make([]string, len(p.reasons))
	for i, r := range p.reasons {
		out[i] = r.Name
	}
	return out
}

func (p *Plan) reason(name string) (ReasonSpec, bool) {
	for _, r := range p.reasons {
		if r.Name == name {
			return r, true
		}
	}
	return ReasonSpec{}, false
}

func hashOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

// absentAt reports whether the rep is away on the local day of an instant.
func (r *rep) absentAt(at int64) bool {
	day := r.home.calendar.day(at)
	for _, d := range r.absent {
		if d.from <= day && day <= d.to {
			return true
		}
	}
	return false
}

// holder owns what waits in a team's queue.
func (p *Plan) holder(t *team) string {
	if t != nil && t.lead != "" {
		return t.lead
	}
	return p.fallback
}
