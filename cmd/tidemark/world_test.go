package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"

	"tidemark/deploy/testenv"
	"tidemark/pkg/app"
	"tidemark/pkg/config"
	"tidemark/scoring"
	"tidemark/streams/conn"
	"tidemark/streams/sink"
)

// world is one deployment on real servers: its own topics, group and namespace.
type world struct {
	t         testing.TB
	cfg       config.Config
	env       []string
	transport *conn.Transport
	publisher *sink.Publisher
	headers   []sink.Header // of what load writes
}

// newWorld makes the topics of a deployment with the given model.
func newWorld(t testing.TB, brokers, redisAddrs, model string, partitions int, extra ...string) *world {
	t.Helper()
	w := &world{t: t}
	topics := map[string]string{}
	for _, name := range []string{"INTENT", "ENGAGEMENT", "PROFILES", "OUTCOMES", "TIER_CHANGES", "ACCOUNT_TIERS", "DEAD_LETTERS", "MQA_ROUTING"} {
		topics[name] = testenv.Name(t, strings.ToLower(name))
		w.setenv("TIDEMARK_KAFKA_TOPICS_"+name, topics[name])
	}
	w.setenv("TIDEMARK_KAFKA_BROKERS", brokers)
	w.setenv("TIDEMARK_REDIS_ADDRS", redisAddrs)
	w.setenv("TIDEMARK_KAFKA_GROUP", testenv.Name(t, "group"))
	w.setenv("TIDEMARK_NAMESPACE", testenv.Name(t, "ns"))
	w.setenv("TIDEMARK_MODEL", model)
	w.setenv("TIDEMARK_HTTP_ADDR", "127.0.0.1:0")
	w.setenv("TIDEMARK_LOG_FORMAT", "json")
	w.setenv("TIDEMARK_KAFKA_CREATE_PARTITIONS", fmt.Sprint(partitions))
	w.setenv("TIDEMARK_KAFKA_CREATE_REPLICATION", "1")
	w.setenv("TIDEMARK_ENGINE_CHECKPOINT_INTERVAL", "200ms")
	w.setenv("TIDEMARK_KAFKA_SESSION_TIMEOUT", "6s")
	w.env = override(w.env, extra)
	var err error
	if w.cfg, err = config.Load("", w.env); err != nil {
		t.Fatal(err)
	}
	results, err := app.CreateTopics(t.Context(), w.cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	// The test itself goes in by the plain listener.
	w.cfg.Kafka.Brokers = []string{brokers}
	if w.transport, err = conn.NewTransport(conn.Config{Brokers: []string{brokers}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.transport.Close)
	if w.publisher, err = sink.New(sink.Config{Transport: w.transport}, zerolog.Nop()); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) setenv(key, value string) { w.env = append(w.env, key+"="+value) }

// history is a model with profiles and events, as `score` reads them.
type history struct {
	model    string
	profiles [][]byte
	events   [][]byte
}

func readHistory(t *testing.T, model, dir string) history {
	t.Helper()
	root := filepath.Join("..", "..", "scoring", "testdata", "examples")
	abs, err := filepath.Abs(filepath.Join(root, model))
	if err != nil {
		t.Fatal(err)
	}
	return history{abs, readLines(t, filepath.Join(root, dir, "profiles.jsonl")), readLines(t, filepath.Join(root, dir, "events.jsonl"))}
}

func readLines(t testing.TB, path string) [][]byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var lines [][]byte
	for line := range bytes.Lines(data) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			lines = append(lines, line)
		}
	}
	return lines
}

// sorted is the history with its events in order of time, so that every partition
// of it is in order too.
func (h history) sorted(t *testing.T) history {
	t.Helper()
	h.events = slices.Clone(h.events)
	slices.SortStableFunc(h.events, func(a, b []byte) int { return cmp.Compare(head(t, a).millis, head(t, b).millis) })
	return h
}

type eventHead struct {
	ID, Type, Subject string
	Time              time.Time
	millis            int64
}

func head(t testing.TB, line []byte) eventHead {
	t.Helper()
	var h eventHead
	if err := json.Unmarshal(line, &h); err != nil {
		t.Fatalf("%v in %s", err, line)
	}
	h.millis = h.Time.UnixMilli()
	return h
}

// load puts a history into the topics: keyed by event and not by account, with
// the arrival times that `score` gives.
func (w *world) load(h history) {
	w.t.Helper()
	messages := map[string][]sink.Message{}
	latest := time.Time{}
	add := func(line []byte, arrived time.Time, topic string) {
		messages[topic] = append(messages[topic], sink.Message{Key: []byte(head(w.t, line).ID), Value: line, Time: arrived, Headers: w.headers})
	}
	for _, line := range h.profiles {
		add(line, head(w.t, line).Time, w.cfg.Kafka.Topics.Profiles)
	}
	for _, line := range h.events {
		e := head(w.t, line)
		if latest.IsZero() {
			latest = e.Time
		}
		topic := w.cfg.Kafka.Topics.Engagement
		switch {
		case strings.HasPrefix(e.Type, "account."):
			topic = w.cfg.Kafka.Topics.Profiles
		case strings.HasPrefix(e.Type, "intent."):
			topic = w.cfg.Kafka.Topics.Intent
		}
		add(line, latest, topic)
		if e.Time.After(latest) {
			latest = e.Time
		}
	}
	for topic, m := range messages {
		w.publish(topic, m)
	}
}

func (w *world) publish(topic string, messages []sink.Message) {
	w.t.Helper()
	if err := w.publisher.Publish(w.t.Context(), topic, messages); err != nil {
		w.t.Fatal(err)
	}
}

// fatal ends eventually at once.
type fatal struct{ error }

// eventually tries until f has no complaint, and fails with the last one.
func eventually(t testing.TB, limit time.Duration, f func() error) {
	t.Helper()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(limit)
	for {
		err := f()
		if err == nil {
			return
		}
		var end fatal
		if errors.As(err, &end) {
			t.Fatal(err)
		}
		select {
		case <-deadline:
			t.Fatalf("after %s: %v", limit, err)
		case <-ticker.C:
		}
	}
}

// drained waits until everything in the input topics is applied and stored, what
// was due is swept, and the outbox is empty.
func (w *world) drained() {
	w.t.Helper()
	client := w.transport.Client(10 * time.Second)
	store, err := app.OpenStore(w.t.Context(), w.cfg, false, zerolog.Nop())
	if err != nil {
		w.t.Fatal(err)
	}
	defer store.Close() //nolint:errcheck // only read from
	shards := make([]int, store.Shards())
	for i := range shards {
		shards[i] = i
	}
	eventually(w.t, 90*time.Second, func() error {
		for _, topic := range w.cfg.Kafka.InputTopics() {
			ends := w.ends(topic)
			var partitions []int
			for p := range ends {
				partitions = append(partitions, p)
			}
			got, err := client.OffsetFetch(w.t.Context(), &kafka.OffsetFetchRequest{
				GroupID: w.cfg.Kafka.Group, Topics: map[string][]int{topic: partitions},
			})
			if err != nil || got.Error != nil {
				return fmt.Errorf("offsets of the group: %w", errors.Join(err, got.Error))
			}
			if len(got.Topics[topic]) != len(partitions) {
				return fmt.Errorf("%s: offsets of %d partitions, want %d", topic, len(got.Topics[topic]), len(partitions))
			}
			for _, p := range got.Topics[topic] {
				if p.CommittedOffset < ends[p.Partition] {
					return fmt.Errorf("%s/%d: %d of %d", topic, p.Partition, p.CommittedOffset, ends[p.Partition])
				}
			}
		}
		due, err := store.NextDue(w.t.Context(), shards)
		if err != nil {
			return err
		}
		if first := slices.Min(due); first <= time.Now().UnixMilli() {
			return fmt.Errorf("an account is due since %s", time.UnixMilli(first))
		}
		depth, err := store.OutboxDepth(w.t.Context())
		if err == nil && depth > 0 {
			err = fmt.Errorf("%d entries in the outbox", depth)
		}
		return err
	})
}

// ends are the next offsets of a topic's partitions.
func (w *world) ends(topic string) map[int]int64 {
	w.t.Helper()
	client := w.transport.Client(10 * time.Second)
	meta, err := client.Metadata(w.t.Context(), &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		w.t.Fatal(err)
	}
	var ask []kafka.OffsetRequest
	for _, p := range meta.Topics[0].Partitions {
		ask = append(ask, kafka.LastOffsetOf(p.ID))
	}
	got, err := client.ListOffsets(w.t.Context(), &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: ask}})
	if err != nil {
		w.t.Fatal(err)
	}
	ends := map[int]int64{}
	for _, p := range got.Topics[topic] {
		ends[p.Partition] = p.LastOffset
	}
	return ends
}

// read returns all messages of a topic, partition by partition.
func (w *world) read(topic string) []kafka.Message {
	w.t.Helper()
	var out []kafka.Message
	for p, end := range w.ends(topic) {
		if end == 0 {
			continue
		}
		r := kafka.NewReader(kafka.ReaderConfig{Brokers: w.cfg.Kafka.Brokers, Topic: topic, Partition: p, MaxWait: 100 * time.Millisecond})
		for {
			ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
			m, err := r.ReadMessage(ctx)
			cancel()
			if err != nil {
				w.t.Fatalf("read %s/%d: %v", topic, p, err)
			}
			out = append(out, m)
			if m.Offset+1 >= end {
				break
			}
		}
		if err := r.Close(); err != nil {
			w.t.Fatal(err)
		}
	}
	return out
}

// change is a tier change as published or as `score` writes it.
type change struct {
	Time time.Time
	Data struct {
		Account   string
		Seq       uint64
		From, To  string
		Score     float64
		MQA       bool
		Cause     scoring.Cause
		Receipt   scoring.Receipt
		DemotesAt *time.Time `json:"demotes_at"`
		Direction string
		Model     map[string]any
		Profile   map[string]any
		Threshold *float64
	}
	raw []byte
}

func parseChange(t testing.TB, raw []byte) change {
	t.Helper()
	var c change
	if err := json.Unmarshal(raw, &c); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	c.raw = raw
	return c
}

// changes are the tier changes of a deployment, repeats checked and dropped, in
// order of (time, account, seq).
func (w *world) changes() []change {
	w.t.Helper()
	seen := map[string]change{}
	last := map[string]uint64{}
	var out []change
	for _, m := range w.read(w.cfg.Kafka.Topics.TierChanges) {
		c := parseChange(w.t, m.Value)
		if string(m.Key) != c.Data.Account {
			w.t.Errorf("key %q on a change of %q", m.Key, c.Data.Account)
		}
		id := fmt.Sprintf("%s/%d", c.Data.Account, c.Data.Seq)
		if before, ok := seen[id]; ok {
			if !bytes.Equal(before.raw, c.raw) {
				w.t.Errorf("two meanings of %s:\n%s\n%s", id, before.raw, c.raw)
			}
			continue
		}
		if c.Data.Seq != last[c.Data.Account]+1 {
			w.t.Errorf("%s follows seq %d", id, last[c.Data.Account])
		}
		seen[id], last[c.Data.Account] = c, c.Data.Seq
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b change) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Data.Account, b.Data.Account), cmp.Compare(a.Data.Seq, b.Data.Seq))
	})
	return out
}

// scoreResult is what `score` makes of a history.
type scoreResult struct {
	changes []change
	scores  map[string]scoreOut
}

type scoreOut struct {
	Account string
	Score   float64
	Tier    string
	Seq     uint64
	Clock   time.Time
}

// score runs the offline twin on the history until an instant.
func (w *world) score(h history, until time.Time) scoreResult {
	w.t.Helper()
	dir := w.t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	for name, lines := range map[string][][]byte{"events": h.events, "profiles": h.profiles} {
		if err := os.WriteFile(path(name), append(bytes.Join(lines, []byte("\n")), '\n'), 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	var stderr bytes.Buffer
	code := run(&streams{ctx: w.t.Context(), in: strings.NewReader(""), out: io.Discard, err: &stderr}, []string{
		"score", "--model", h.model, "--events", path("events"), "--profiles", path("profiles"), "--namespace", w.cfg.Namespace,
		"--until", until.UTC().Format(time.RFC3339Nano), "--changes", path("changes"), "--scores", path("scores"),
	})
	if code != exitDone {
		w.t.Fatalf("score: exit %d\n%s", code, stderr.String())
	}
	out := scoreResult{scores: map[string]scoreOut{}}
	for _, line := range readLines(w.t, path("changes")) {
		out.changes = append(out.changes, parseChange(w.t, line))
	}
	for _, line := range readLines(w.t, path("scores")) {
		var s scoreOut
		if err := json.Unmarshal(line, &s); err != nil {
			w.t.Fatal(err)
		}
		out.scores[s.Account] = s
	}
	return out
}

// override puts later settings in the place of earlier ones.
func override(env, later []string) []string {
	out := slices.DeleteFunc(slices.Clone(env), func(e string) bool {
		key, _, _ := strings.Cut(e, "=")
		return slices.ContainsFunc(later, func(l string) bool { return strings.HasPrefix(l, key+"=") })
	})
	return append(out, later...)
}

// wantScore wants an account to have the score that `score` gives it.
func (w *world) wantScore(s scoreOut, now time.Time) {
	w.t.Helper()
	got, err := app.Lookup(w.t.Context(), w.cfg, s.Account, now.UnixMilli())
	if err != nil {
		w.t.Error(err)
	} else if math.Abs(got.Receipt.Score-s.Score) > 1e-6 {
		w.t.Errorf("%s: got score %v, want %v", s.Account, got.Receipt.Score, s.Score)
	}
}

// command runs a command of the program against the deployment and returns what
// it prints.
func (w *world) command(args ...string) []byte {
	w.t.Helper()
	var out, stderr bytes.Buffer
	code := run(&streams{ctx: w.t.Context(), in: strings.NewReader(""), out: &out, err: &stderr, environ: w.env}, args)
	if code != exitDone {
		w.t.Fatalf("%v: exit %d\n%s", args, code, stderr.String())
	}
	return out.Bytes()
}

func writeModel(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// event is a CloudEvent in structured mode.
func event(id, typ string, at time.Time, subject, data string) []byte {
	about := ""
	if subject != "" {
		about = fmt.Sprintf(`"subject":%q,`, subject)
	}
	return fmt.Appendf(nil, `{"specversion":"1.0","id":%q,"source":"/test","type":%q,"time":%q,%s"data":%s}`,
		id, typ, at.UTC().Format(time.RFC3339Nano), about, data)
}

func join(addrs []string) string { return strings.Join(addrs, ",") }
