package relay

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"tidemark/streams/sink"
)

var (
	errBroken  = errors.New("broken")
	errRefused = errors.New("refused")
)

// boxes are outboxes in memory whose calls can be made to fail.
type boxes struct {
	mu      sync.Mutex
	next    int
	entries map[int][]Entry
	fail    func(stage string, shard int) error
	limits  []int
	looks   int
	tails   map[int]string // by shard, the last entry of the writer that hands over
	hold    func()         // is called before a trim, if not nil
}

func (b *boxes) add(shard int, account, value string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.put(shard, account, value)
}

// put adds an entry. The caller holds mu.
func (b *boxes) put(shard int, account, value string) Entry {
	b.next++
	if b.entries == nil {
		b.entries = map[int][]Entry{}
	}
	e := Entry{ID: strconv.Itoa(b.next), Account: account, Value: []byte(value)}
	b.entries[shard] = append(b.entries[shard], e)
	return e
}

func (b *boxes) left() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, entries := range b.entries {
		n += len(entries)
	}
	return n
}

// looked is how often the relay looked.
func (b *boxes) looked() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.looks
}

func (b *boxes) broken(stage string, shard int) error {
	if b.fail == nil {
		return nil
	}
	return b.fail(stage, shard)
}

func (b *boxes) Outbox(_ context.Context, shard int, after string, limit int) ([]Entry, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.limits = append(b.limits, limit)
	if err := b.broken(stageRead, shard); err != nil {
		return nil, err
	}
	var found []Entry
	for _, e := range b.entries[shard] {
		if len(found) < limit && (after == "" || e.ID > after) {
			found = append(found, e)
		}
	}
	return found, nil
}

func (b *boxes) Trim(_ context.Context, shard int, ids []string) error {
	if b.hold != nil {
		b.hold()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.broken(stageTrim, shard); err != nil {
		return err
	}
	b.entries[shard] = slices.DeleteFunc(b.entries[shard], func(e Entry) bool { return slices.Contains(ids, e.ID) })
	return nil
}

func (b *boxes) PendingShards(_ context.Context, shards []int) ([]int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.looks++
	if err := b.broken(stageLook, -1); err != nil {
		return nil, err
	}
	var pending []int
	for _, n := range shards {
		if len(b.entries[n]) > 0 {
			pending = append(pending, n)
		}
	}
	return pending, nil
}

// broker remembers what was acknowledged, as "account=value".
type broker struct {
	mu   sync.Mutex
	logs map[string][]string
	at   []time.Time
	lost uint64 // requests without an answer
	fail func(ctx context.Context, topic string, messages []sink.Message) error
}

func (b *broker) Publish(ctx context.Context, topic string, messages []sink.Message) error {
	if b.fail != nil {
		if err := b.fail(ctx, topic, messages); err != nil {
			return err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.logs == nil {
		b.logs = map[string][]string{}
	}
	for _, m := range messages {
		b.logs[topic] = append(b.logs[topic], string(m.Key)+"="+string(m.Value))
	}
	b.at = append(b.at, time.Now())
	return nil
}

func (b *broker) Unsure() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lost
}

// late writes what a request without an answer held.
func (b *broker) late(topic, record string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.logs[topic] = append(b.logs[topic], record)
}

func (b *broker) log(topic string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.logs[topic])
}

func config(shards int) Config {
	return Config{
		Topics: Topics{Changes: "changes", Tiers: "tiers"}, Shards: shards,
		Owns: func(int) bool { return true },
	}
}

func relayOf(t *testing.T, c Config, o Outbox, p Publisher) *Relay {
	t.Helper()
	r, err := New(c, o, p, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// pass lets the bubble's time go by.
func pass(d time.Duration) { <-time.After(d) }

// run starts a relay, and returns what stops it and waits.
func run(t *testing.T, r *Relay) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	}
}

func wantLogs(t *testing.T, b *broker, want ...string) {
	t.Helper()
	for _, topic := range []string{"changes", "tiers"} {
		if got := b.log(topic); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", topic, got, want)
		}
	}
}

// wantEach wants that a consumer who drops repeats reads 0, 1, 2 … of each account, and
// that the log ends with the last of each.
func wantEach(t *testing.T, what string, log []string, accounts, most int) {
	t.Helper()
	seen, newest := map[string]int{}, map[string]int{}
	for _, line := range log {
		account, value, _ := strings.Cut(line, "=")
		seq, _ := strconv.Atoi(value)
		newest[account] = seq
		if seq > seen[account] {
			t.Fatalf("%s: account %s jumped from %d to %d", what, account, seen[account]-1, seq)
		}
		if seq == seen[account] {
			seen[account]++
		}
	}
	for n := range accounts {
		if account := strconv.Itoa(n); seen[account] != most || newest[account] != most-1 {
			t.Errorf("%s: account %d: %d seen, the log ends with %d", what, n, seen[account], newest[account])
		}
	}
}
