package redis

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	goredis "github.com/redis/go-redis/v9"

	"tidemark/pkg/follow"
	"tidemark/pkg/webhook"
)

// hooks is the name of the webhooks' slot.
const hooks = "webhooks"

// Hooks are the queues of webhooks, apart for each endpoint, in one slot.
type Hooks struct {
	s      *Store
	prefix string
}

var _ webhook.Queue = (*Hooks)(nil)

// Hooks are the queues of the namespace.
func (s *Store) Hooks() *Hooks { return &Hooks{s, s.subscriberPrefix(hooks)} }

// HookLedger is the memory of the webhooks' subscriber of a topic.
func (s *Store) HookLedger(topic string) *HookLedger {
	return &HookLedger{s.Ledger(hooks, topic), s.Hooks()}
}

// HookLedger is a Ledger whose steps put entries into queues.
type HookLedger struct {
	*Ledger
	queues *Hooks
}

var _ webhook.Memory = (*HookLedger)(nil)

// TakeQueued implements webhook.Memory.
func (l *HookLedger) TakeQueued(ctx context.Context, step follow.Step, now int64, queued map[string][]webhook.Entry) error {
	w := &ledgerStep{number: map[string]int{}}
	for endpoint, entries := range queued {
		l.queues.add(w, endpoint, now, entries)
	}
	return l.take(ctx, step, w)
}

// The keys of an endpoint's queue: groups by when they are due, entries in order, events by
// entry, and failed attempts by group. A group is what has one key.
func (h *Hooks) due(endpoint string) string    { return h.prefix + "queue:" + endpoint + ":due" }
func (h *Hooks) order(endpoint string) string  { return h.prefix + "queue:" + endpoint + ":order" }
func (h *Hooks) events(endpoint string) string { return h.prefix + "queue:" + endpoint + ":events" }
func (h *Hooks) tries(endpoint string) string  { return h.prefix + "queue:" + endpoint + ":tries" }
func (h *Hooks) statuses() string              { return h.prefix + "endpoints" }

func (h *Hooks) keys(endpoint string) []string {
	return []string{h.due(endpoint), h.order(endpoint), h.events(endpoint), h.tries(endpoint)}
}

// group is quoted: nothing within can be taken for its end.
func group(key string) string { return strconv.Quote(key) }

func member(e *webhook.Entry) string { return fmt.Sprintf("%s %020d %s", group(e.Key), e.Seq, e.Topic) }

func parseMember(text string) (e webhook.Entry, err error) {
	quoted, err := strconv.QuotedPrefix(text)
	if err != nil {
		return e, unexpected(text)
	}
	seq, topic, ok := strings.Cut(strings.TrimPrefix(text[len(quoted):], " "), " ")
	if e.Seq, err = strconv.ParseUint(seq, 10, 64); err != nil || !ok {
		return e, unexpected(text)
	}
	e.Topic = topic
	e.Key, err = strconv.Unquote(quoted)
	return e, err
}

func (h *Hooks) add(w *ledgerStep, endpoint string, now int64, entries []webhook.Entry) {
	var order, events, due []any
	for _, e := range entries {
		m := member(&e)
		order = append(order, "0", m)
		events = append(events, m, e.Value)
		due = append(due, strconv.FormatInt(now, 10), group(e.Key))
	}
	w.write("HSET", h.events(endpoint), 2, nil, events)
	w.write("ZADD", h.order(endpoint), 2, nil, order)
	w.write("ZADD", h.due(endpoint), 2, []any{"NX"}, due)
}

// addChunk keeps one transaction short.
const addChunk = 500

// Add implements webhook.Queue.
func (h *Hooks) Add(ctx context.Context, endpoint string, now int64, entries []webhook.Entry) error {
	for len(entries) > 0 {
		part := entries[:min(addChunk, len(entries))]
		entries = entries[len(part):]
		err := h.s.try(ctx, "queue events", func() error {
			_, err := h.s.client.TxPipelined(ctx, func(p goredis.Pipeliner) error {
				for _, e := range part {
					m := member(&e)
					p.HSet(ctx, h.events(endpoint), m, e.Value)
					p.ZAdd(ctx, h.order(endpoint), goredis.Z{Member: m})
					p.ZAddNX(ctx, h.due(endpoint), goredis.Z{Score: float64(now), Member: group(e.Key)})
				}
				return nil
			})
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Claim implements webhook.Queue.
func (h *Hooks) Claim(ctx context.Context, endpoint string, now, until int64, limit int) ([]webhook.Entry, error) {
	return h.claim(ctx, endpoint, now, until, limit, "")
}

// ClaimBatch implements webhook.Queue.
func (h *Hooks) ClaimBatch(ctx context.Context, endpoint string, now, until int64, limit int, wait int64) ([]webhook.Entry, error) {
	return h.claim(ctx, endpoint, now, until, limit, wait)
}

// claim takes what is due; wait is empty where each entry is sent alone.
func (h *Hooks) claim(ctx context.Context, endpoint string, now, until int64, limit int, wait any) ([]webhook.Entry, error) {
	var found []string
	err := h.s.try(ctx, "claim events", func() (err error) {
		found, err = h.s.client.EvalSha(ctx, h.s.scripts.hookClaim.sha, h.keys(endpoint), now, until, limit, wait).StringSlice()
		return err
	})
	if err != nil {
		return nil, err
	}
	out := make([]webhook.Entry, 0, len(found)/3)
	for i := 0; i+2 < len(found); i += 3 {
		e, err := parseMember(found[i])
		if err != nil {
			return nil, err
		}
		e.Value = []byte(found[i+1])
		if tries := found[i+2]; tries != "" {
			numbers, batch, _ := strings.Cut(tries, "/")
			if _, err := fmt.Sscan(numbers, &e.Attempts, &e.First); err != nil {
				return nil, unexpected(tries)
			}
			e.Batch = batch
		}
		out = append(out, e)
	}
	return out, nil
}

// Done implements webhook.Queue.
func (h *Hooks) Done(ctx context.Context, endpoint string, now int64, entries ...webhook.Entry) error {
	return h.s.pipe(ctx, "remove events", func(p goredis.Pipeliner) {
		for _, e := range entries {
			p.EvalSha(ctx, h.s.scripts.hookDone.sha, h.keys(endpoint), group(e.Key), member(&e), now)
		}
	})
}

// Later implements webhook.Queue.
func (h *Hooks) Later(ctx context.Context, endpoint string, at int64, entries ...webhook.Entry) error {
	return h.s.try(ctx, "keep events for later", func() error {
		_, err := h.s.client.TxPipelined(ctx, func(p goredis.Pipeliner) error {
			for _, e := range entries {
				tries := fmt.Sprint(e.Attempts, " ", e.First)
				if e.Batch != "" {
					tries += "/" + e.Batch
				}
				p.HSet(ctx, h.tries(endpoint), group(e.Key), tries)
				p.ZAddXX(ctx, h.due(endpoint), goredis.Z{Score: float64(at), Member: group(e.Key)})
			}
			return nil
		})
		return err
	})
}

// Depths implements webhook.Queue, in one round trip.
func (h *Hooks) Depths(ctx context.Context, endpoints []string) ([]webhook.Depth, error) {
	queued, next := make([]*goredis.IntCmd, len(endpoints)), make([]*goredis.ZSliceCmd, len(endpoints))
	err := h.s.pipe(ctx, "measure queues", func(p goredis.Pipeliner) {
		for i, endpoint := range endpoints {
			queued[i] = p.ZCard(ctx, h.order(endpoint))
			next[i] = p.ZRangeWithScores(ctx, h.due(endpoint), 0, 0)
		}
	})
	if err != nil {
		return nil, err
	}
	out := make([]webhook.Depth, len(endpoints))
	for i := range out {
		out[i].Queued = queued[i].Val()
		if first := next[i].Val(); len(first) > 0 {
			out[i].Next = int64(first[0].Score)
		}
	}
	return out, nil
}

// Statuses implements webhook.Queue.
func (h *Hooks) Statuses(ctx context.Context) (map[string]webhook.Status, error) {
	var held map[string]string
	err := h.s.try(ctx, "read endpoints", func() (err error) {
		held, err = h.s.client.HGetAll(ctx, h.statuses()).Result()
		return err
	})
	if err != nil {
		return nil, err
	}
	out := make(map[string]webhook.Status, len(held))
	for name, text := range held {
		var s webhook.Status
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			return nil, unexpected(text)
		}
		out[name] = s
	}
	return out, nil
}

// SetStatus implements webhook.Queue.
func (h *Hooks) SetStatus(ctx context.Context, endpoint string, status webhook.Status) error {
	text, err := json.Marshal(status)
	if err != nil {
		return err
	}
	return h.s.try(ctx, "store an endpoint's status", func() error {
		return h.s.client.HSet(ctx, h.statuses(), endpoint, text).Err()
	})
}
