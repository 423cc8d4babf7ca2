package redis

import (
	"cmp"
	"fmt"
	"slices"

	"tidemark/pkg/engine"
)

// look is what is known of a shard's due accounts.
type look struct {
	places []dated
	each   int // so many accounts of a place are read, and one more
	due    []engine.Due
	// left is an instant before which nothing is due of what was not read.
	left int64
}

// dated is a place and an instant before which nothing is due there.
type dated struct {
	place
	at int64
	// first is the true one, once the place was looked at.
	first int64
}

// dated adds the places that a reply names.
func (r *answers) dated(out []dated, tiers *tierNames) ([]dated, error) {
	n, err := r.array()
	if err != nil {
		return out, err
	}
	for range n / 2 {
		name, at, err := r.scored()
		if err != nil {
			return out, err
		}
		p, err := tiers.parse(name)
		if err != nil {
			return out, err
		}
		out = append(out, dated{place: p, at: at, first: engine.NoDue})
	}
	return out, nil
}

// choose takes those of the places where some may be due.
func (l *look) choose(all []dated, upTo int64, limit int) {
	n := slices.IndexFunc(all[:min(len(all), limit)], func(d dated) bool { return d.at > upTo })
	if n < 0 {
		n = min(len(all), limit)
	}
	*l = look{places: all[:n:n], left: engine.NoDue, each: max(dueSpare, 2*limit/max(n, 1))}
	if n < len(all) {
		l.left = all[n].at
	}
}

// ask adds two questions for each place: who is due, and when is the next.
func (l *look) ask(b *bundle, k *shardKeys, upTo, behind *string) {
	count := b.number(int64(l.each + 1))
	for i := range l.places {
		p := &l.places[i]
		key := b.place(k, p.place)
		b.add("ZRANGE", key, "-inf", upTo, "BYSCORE", "LIMIT", "0", count, "WITHSCORES")
		b.add("ZRANGE", key, behind, "+inf", "BYSCORE", "LIMIT", "0", "1", "WITHSCORES")
	}
}

// read takes the answers.
func (l *look) read(r *answers) error {
	var names []byte // of all accounts: they are made one text
	var ends []int
	for i := range l.places {
		p := &l.places[i]
		found, err := r.array()
		for n := 0; n < found/2 && err == nil; n++ {
			var name []byte
			var at int64
			if name, at, err = r.scored(); n == 0 {
				p.first = at
			}
			if n == l.each {
				l.left = min(l.left, at)
				continue
			}
			names = append(names, name...)
			ends = append(ends, len(names))
			l.due = append(l.due, engine.Due{At: at, Tier: p.tier})
		}
		if err == nil {
			err = l.later(r, p)
		}
		if err != nil {
			return fmt.Errorf("read due accounts: %w", err)
		}
	}
	text, from := string(names), 0
	for i, end := range ends {
		l.due[i].Account, from = text[from:end], end
	}
	return nil
}

// later takes the answer to who is due next in a place.
func (l *look) later(r *answers, p *dated) error {
	n, err := r.array()
	if err != nil || n == 0 {
		return err
	}
	_, at, err := r.scored()
	l.left, p.first = min(l.left, at), min(p.first, at)
	return err
}

// askFirst adds the question for each place who is the first there.
func (l *look) askFirst(b *bundle, k *shardKeys) {
	for i := range l.places {
		p := &l.places[i]
		b.add("ZRANGE", b.place(k, p.place), "0", "0", "WITHSCORES")
	}
}

// readFirst takes the answers to askFirst.
func (l *look) readFirst(r *answers) error {
	for i := range l.places {
		n, err := r.array()
		if err == nil && n > 0 {
			_, l.places[i].first, err = r.scored()
		}
		if err != nil {
			return fmt.Errorf("read due accounts: %w", err)
		}
	}
	return nil
}

// first is the earliest due instant of the places that were looked at.
func (l *look) first() int64 {
	first := engine.NoDue
	for _, d := range l.places {
		first = min(first, d.first)
	}
	return first
}

// passed are the places where nothing is due any more by the instant that is noted, nor before another one.
func (l *look) passed(before int64) (out []place) {
	for _, d := range l.places {
		if d.first > d.at && d.first >= before {
			out = append(out, d.place)
		}
	}
	return out
}

// list is what is due by upTo, as far as it is sure that nothing of what was not read is earlier.
func (l *look) list(limit int) engine.DueList {
	slices.SortFunc(l.due, func(a, b engine.Due) int { return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Account, b.Account)) })
	for n, d := range l.due {
		if n == max(limit, 0) || d.At > l.left {
			return engine.DueList{Accounts: l.due[:n], Next: min(l.left, d.At)}
		}
	}
	return engine.DueList{Accounts: l.due, Next: l.left}
}
