package redis

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"tidemark/pkg/engine"
)

// places is over how many sorted sets the accounts of a tier and shard are spread. Redis
// keeps sets of up to 128 members as one run of bytes, at a quarter of the memory; and
// the set of a tier's places is such a set itself.
const places = 64

// place is one of the sets that accounts lie in: those of a tier ("" for the last one,
// of which only those that are due are there) that share a bucket, by due instant, those
// that are never due at +inf.
type place struct {
	tier   string
	bucket int
}

// placeOf is where an account lies while it is in a tier. It is part of the stored layout.
func placeOf(tier, account string) place { return place{tier, int(fnv1a(account) % places)} }

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.bucket, q.bucket), cmp.Compare(p.tier, q.tier))
}

// member names the place in the set of all that have a due instant.
func (p place) member() string {
	return p.tier + ":" + p.digits()
}

func (p place) digits() string { return buckets[2*p.bucket : 2*p.bucket+2] }

// buckets are the names of all, each of two digits.
var buckets = func() string {
	out := ""
	for n := range places {
		out += fmt.Sprintf("%02x", n)
	}
	return out
}()

// tierNames remembers those of places that were read.
type tierNames []string

// parse reads the name of a place.
func (t *tierNames) parse(member []byte) (place, error) {
	if colon := len(member) - 3; colon >= 0 && member[colon] == ':' {
		if n, err := strconv.ParseUint(string(member[colon+1:]), 16, 8); err == nil && n < places {
			return place{t.of(member[:colon]), int(n)}, nil
		}
	}
	return place{}, fmt.Errorf("%q is not the name of a place", member)
}

func (t *tierNames) of(name []byte) string {
	for _, known := range *t {
		if known == string(name) {
			return known
		}
	}
	*t = append(*t, string(name))
	return (*t)[len(*t)-1]
}

// in is a place's sorted set.
func (k *shardKeys) in(p place) string { return k.prefix + inPlace + p.tier + ":" + p.digits() }

const inPlace = "in:"

// place is in as an argument.
func (b *bundle) place(k *shardKeys, p place) any {
	return b.text(k.prefix, inPlace, p.tier, ":", p.digits())
}

// named is a place's sorted set, and its name in the set of all that have a due instant.
func (k *shardKeys) named(p place) (key, name string) {
	key = k.in(p)
	return key, key[len(k.prefix)+len(inPlace):]
}

// eachPlace are the sets of a tier.
func (k *shardKeys) eachPlace(tier string) []string {
	out := make([]string, places)
	for i := range out {
		out[i] = k.in(place{tier, i})
	}
	return out
}

// moving is an account that leaves a place, or enters it or moves in it.
type moving struct {
	place
	leaves  bool
	account *string
	due     int64
}

// movings adds what a step changes in places, place by place, those that leave first.
func movings(out []moving, writes []engine.Write, listed []string) []moving {
	leave := func(tier string, w *engine.Write) {
		out = append(out, moving{place: placeOf(tier, w.Account), leaves: true, account: &w.Account})
	}
	for i := range writes {
		w := &writes[i]
		switch {
		case w.State == nil:
			// It leaves all tiers that exist: the store can't see which one it is in.
			for _, tier := range listed {
				leave(tier, w)
			}
			if w.TierWas != "" && !slices.Contains(listed, w.TierWas) {
				leave(w.TierWas, w)
			}
			leave("", w)
			continue
		case w.Tier != w.TierWas:
			if w.Was != 0 {
				leave(w.TierWas, w)
			}
		case w.Due == engine.KeepDue:
			continue
		}
		if w.Due != engine.NoDue || w.Tier != "" {
			out = append(out, moving{place: placeOf(w.Tier, w.Account), account: &w.Account, due: w.Due})
		} else if w.Was != 0 && w.Tier == w.TierWas {
			leave("", w)
		}
	}
	slices.SortStableFunc(out, func(a, b moving) int { return cmp.Or(a.compare(b.place), cmp.Compare(b.order(), a.order())) })
	return out
}

// order is that of commands within a place.
func (m *moving) order() int {
	if m.leaves {
		return 1
	}
	return 0
}

// placeKeys remembers the names of places, which are written to all the time.
type placeKeys map[place]*placeKey

// placeKey is a place's key, and its name in the set of all places.
type placeKey struct {
	key, name string
	seen      bool // it is ours to write: the server said so
}

func (n placeKeys) of(p place, k *shardKeys) *placeKey {
	known := n[p]
	if known == nil {
		known = &placeKey{}
		known.key, known.name = k.named(p)
		n[p] = known
	}
	return known
}

// mostPlaces keeps a command for so many places in one piece: the script cuts longer ones.
const mostPlaces = 500

// places adds where accounts lie: by tier, and there by due instant. In the set of all
// places an instant only ever gets earlier: who finds that nothing is due by it any
// more puts the true one there (settle.lua), so that a commit need not look.
func (e *encoder) places(writes []engine.Write, k *shardKeys, known placeKeys, listed []string) {
	e.moving = movings(e.moving, writes, listed)
	var tiers []*string
	for all := e.moving; len(all) > 0; {
		at := all[0].place
		n := slices.IndexFunc(all, func(m moving) bool { return m.place != at })
		if n < 0 {
			n = len(all)
		}
		leaving := 0
		for leaving < n && all[leaving].leaves {
			leaving++
		}
		names := known.of(at, k)
		e.keys = append(e.keys, names.key)
		if !names.seen {
			e.unseen = append(e.unseen, names)
		}
		if leaving > 0 {
			e.command("ZREM", len(e.keys), leaving)
			for _, m := range all[:leaving] {
				e.args = append(e.args, m.account)
			}
		}
		if leaving < n {
			e.command("ZADD", len(e.keys), 2*(n-leaving))
			earliest, first := engine.NoDue, any(nil)
			for _, m := range all[leaving:n] {
				score := e.score(m.due)
				e.args = append(e.args, score, m.account)
				if m.due < earliest {
					earliest, first = m.due, score
				}
			}
			if first != nil {
				e.next = append(e.next, first, &names.name)
			}
			if at.tier != "" && !slices.ContainsFunc(tiers, func(t *string) bool { return *t == at.tier }) {
				tiers = append(tiers, &all[0].tier)
			}
		}
		all = all[n:]
	}
	for some := range slices.Chunk(e.next, 2*mostPlaces) {
		e.command("ZADD", keyNext, 1+len(some))
		e.args = append(append(e.args, "LT"), some...)
	}
	for _, tier := range tiers {
		e.command("SADD", keyTiers, 1)
		e.args = append(e.args, tier)
	}
}

// score is the argument that says a due instant; those that are listed but never due stand at the end.
func (e *encoder) score(due int64) any {
	if due == engine.NoDue {
		return "+inf"
	}
	return e.number(due)
}
