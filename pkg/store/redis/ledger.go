package redis

import (
	"context"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"

	goredis "github.com/redis/go-redis/v9"

	"tidemark/pkg/follow"
)

// Ledger is a subscriber's memory of one topic: its positions, the last seq of each key, and
// what its steps write beside them. All of a subscriber lies in one slot, so a step is one
// script. It belongs to the namespace and not to a generation: a rebuild goes on with the seqs.
//
// One process at a time uses it. Each step names the one before, so a process that another has
// taken over from writes nothing (follow.ErrTakenOver).
type Ledger struct {
	s      *Store
	prefix string // of the subscriber's keys
	topic  string
	token  string // of the step before, as far as this process knows
	steps  int
}

// Ledger is the memory of a subscriber, such as "webhooks", of a topic.
func (s *Store) Ledger(subscriber, topic string) *Ledger {
	return &Ledger{s: s, prefix: s.subscriberPrefix(subscriber), topic: topic}
}

func (s *Store) subscriberPrefix(subscriber string) string {
	return fmt.Sprintf("%s:{%s}:", s.keys.base, subscriber)
}

func (l *Ledger) state() string { return l.prefix + l.topic + ":state" }

// seenBuckets keeps each hash small enough for Redis's compact form up to two million keys.
const seenBuckets = 4096

func (l *Ledger) seen(key string) string {
	h := fnv.New32a()
	h.Write([]byte(key))
	return fmt.Sprintf("%s%s:seen:%03x", l.prefix, l.topic, h.Sum32()%seenBuckets)
}

// The state's fields are the token and a position for each partition.
const (
	ledgerToken = "token"
	ledgerAt    = "at/"
)

// Positions returns the stored positions, nil before there are any. From here on steps
// follow what was stored by then.
func (l *Ledger) Positions(ctx context.Context) (map[int]int64, error) {
	var held map[string]string
	err := l.s.try(ctx, "read a subscriber's state", func() (err error) {
		held, err = l.s.client.HGetAll(ctx, l.state()).Result()
		return err
	})
	if err != nil {
		return nil, err
	}
	l.token = held[ledgerToken]
	var out map[int]int64
	for field, value := range held {
		number, ok := strings.CutPrefix(field, ledgerAt)
		if !ok {
			continue
		}
		partition, err := strconv.Atoi(number)
		if err != nil {
			return nil, unexpected(field)
		}
		if out == nil {
			out = map[int]int64{}
		}
		if out[partition], err = strconv.ParseInt(value, 10, 64); err != nil {
			return nil, unexpected(value)
		}
	}
	return out, nil
}

// Seen returns the last seq of each key, 0 for none.
func (l *Ledger) Seen(ctx context.Context, keys []string) ([]uint64, error) {
	replies := make([]*goredis.StringCmd, len(keys))
	err := l.s.pipe(ctx, "read what a subscriber has seen", func(p goredis.Pipeliner) {
		for i, key := range keys {
			replies[i] = p.HGet(ctx, l.seen(key), key)
		}
	})
	if err != nil {
		return nil, err
	}
	out := make([]uint64, len(keys))
	for i, reply := range replies {
		if reply.Val() == "" {
			continue
		}
		if out[i], err = strconv.ParseUint(reply.Val(), 10, 64); err != nil {
			return nil, unexpected(reply.Val())
		}
	}
	return out, nil
}

// ledgerStep gathers what a step writes, for the script.
type ledgerStep struct {
	keys   []string
	number map[string]int
	args   []any
}

// key is the number under which the script finds a key of the subscriber's slot.
func (w *ledgerStep) key(key string) int {
	n, known := w.number[key]
	if !known {
		w.keys = append(w.keys, key)
		n = len(w.keys) + 1 // the state is the first key
		w.number[key] = n
	}
	return n
}

// write adds a command on a key. Arguments that belong together come in groups of unit, which stay
// together where a command is cut in pieces. Without arguments there is nothing to do.
func (w *ledgerStep) write(command, key string, unit int, leading []any, args []any) {
	n := w.key(key)
	const most = 2000 // unpack fails near 8,000 items
	for piece := most / unit * unit; len(args) > 0; args = args[min(piece, len(args)):] {
		part := args[:min(piece, len(args))]
		w.args = append(w.args, command, n, len(leading)+len(part))
		w.args = append(append(w.args, leading...), part...)
	}
}

// take stores a step with what it writes.
func (l *Ledger) take(ctx context.Context, step follow.Step, w *ledgerStep) error {
	seen := map[string][]any{}
	for key, seq := range step.Seen {
		bucket := l.seen(key)
		seen[bucket] = append(seen[bucket], key, strconv.FormatUint(seq, 10))
	}
	for bucket, args := range seen {
		w.write("HSET", bucket, 2, nil, args)
	}
	var at []any
	for partition, position := range step.Positions {
		at = append(at, ledgerAt+strconv.Itoa(partition), strconv.FormatInt(position, 10))
	}
	w.number[l.state()] = 1
	w.write("HSET", l.state(), 2, nil, at)
	l.steps++
	token := fmt.Sprintf("%s:%d", l.s.process, l.steps)
	var answer string
	err := l.s.try(ctx, "take a subscriber's step", func() (err error) {
		keys := append([]string{l.state()}, w.keys...)
		args := append([]any{l.token, token}, w.args...)
		answer, err = l.s.client.EvalSha(ctx, l.s.scripts.ledger.sha, keys, args...).Text()
		return err
	})
	switch {
	case err != nil:
		return err
	case answer == "stale":
		return follow.ErrTakenOver
	}
	l.token = token
	return nil
}
