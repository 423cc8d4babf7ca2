package webhook

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"tidemark/pkg/follow"
)

// shelf is a Queue and a Memory in memory.
type shelf struct {
	mu        sync.Mutex // guards the rest
	entries   map[string][]Entry
	due       map[string]map[string]int64
	statuses  map[string]Status
	positions map[int]int64
	seen      map[string]uint64
}

func newShelf() *shelf {
	return &shelf{entries: map[string][]Entry{}, due: map[string]map[string]int64{}, statuses: map[string]Status{}, seen: map[string]uint64{}}
}

func (s *shelf) Positions(context.Context) (map[int]int64, error) { return s.positions, nil }

func (s *shelf) Seen(_ context.Context, keys []string) ([]uint64, error) {
	out := make([]uint64, len(keys))
	for i, key := range keys {
		out[i] = s.seen[key]
	}
	return out, nil
}

func (s *shelf) TakeQueued(ctx context.Context, _ follow.Step, now int64, queued map[string][]Entry) error {
	for endpoint, entries := range queued {
		if err := s.Add(ctx, endpoint, now, entries); err != nil {
			return err
		}
	}
	return nil
}

func (s *shelf) Add(_ context.Context, endpoint string, now int64, entries []Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.due[endpoint] == nil {
		s.due[endpoint] = map[string]int64{}
	}
	for _, e := range entries {
		s.entries[endpoint] = append(s.entries[endpoint], e)
		if _, waits := s.due[endpoint][e.Key]; !waits {
			s.due[endpoint][e.Key] = now
		}
	}
	slices.SortStableFunc(s.entries[endpoint], func(a, b Entry) int { return int(a.Seq) - int(b.Seq) })
	return nil
}

func (s *shelf) Claim(_ context.Context, endpoint string, now, until int64, limit int) ([]Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Entry
	for _, e := range s.entries[endpoint] {
		if s.due[endpoint][e.Key] <= now && len(out) < limit {
			s.due[endpoint][e.Key] = until
			out = append(out, e)
		}
	}
	return out, nil
}

func (s *shelf) ClaimBatch(_ context.Context, endpoint string, now, until int64, limit int, wait int64) ([]Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := map[string]bool{}
	var due []Entry
	for _, e := range s.entries[endpoint] { // the earliest of each key
		if !seen[e.Key] && s.due[endpoint][e.Key] <= now {
			due = append(due, e)
		}
		seen[e.Key] = true
	}
	if len(due) == 0 {
		return nil, nil
	}
	at := func(e Entry) int64 { return s.due[endpoint][e.Key] }
	slices.SortStableFunc(due, func(a, b Entry) int { return int(at(a) - at(b)) })
	failed := slices.IndexFunc(due, func(e Entry) bool { return e.Batch != "" })
	lead := due[max(failed, 0)]
	var out []Entry
	for _, e := range due {
		if e.Batch == lead.Batch && len(out) < limit {
			out = append(out, e)
		}
	}
	if failed < 0 && len(out) < limit && at(lead) > now-wait {
		return nil, nil
	}
	for _, e := range out {
		s.due[endpoint][e.Key] = until
	}
	return out, nil
}

func (s *shelf) Done(_ context.Context, endpoint string, now int64, entries ...Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range entries {
		s.entries[endpoint] = slices.DeleteFunc(s.entries[endpoint], func(o Entry) bool { return o.Key == e.Key && o.Seq == e.Seq })
		s.due[endpoint][e.Key] = now
	}
	return nil
}

func (s *shelf) Later(_ context.Context, endpoint string, at int64, entries ...Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range entries {
		for i, o := range s.entries[endpoint] {
			if o.Key == e.Key && o.Seq == e.Seq {
				s.entries[endpoint][i] = e
			}
		}
		s.due[endpoint][e.Key] = at
	}
	return nil
}

func (s *shelf) Depths(_ context.Context, endpoints []string) ([]Depth, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Depth, len(endpoints))
	for i, endpoint := range endpoints {
		out[i].Queued = int64(len(s.entries[endpoint]))
	}
	return out, nil
}

func (s *shelf) Statuses(context.Context) (map[string]Status, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]Status{}
	for name, status := range s.statuses {
		out[name] = status
	}
	return out, nil
}

func (s *shelf) SetStatus(_ context.Context, endpoint string, status Status) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.statuses[endpoint] = status
	return nil
}

func entry(account string, seq uint64) Entry {
	return Entry{Topic: "tier-changes", Key: account, Seq: seq, Value: fmt.Appendf(nil,
		`{"specversion":"1.0","id":"%s/%d","source":"tidemark/tm","type":"tidemark.tier.changed","time":"2026-11-02T09:30:00.000Z","data":{"account":%q,"seq":%d,"to":"A","mqa":true}}`,
		account, seq, account, seq)}
}
