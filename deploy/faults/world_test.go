package faults

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"

	"tidemark/deploy/faults/verify"
	"tidemark/deploy/testenv"
	"tidemark/pkg/app"
	"tidemark/pkg/config"
	"tidemark/pkg/engine"
	"tidemark/pkg/modelfile"
	"tidemark/pkg/store/redis"
	"tidemark/scoring"
	"tidemark/streams/conn"
	"tidemark/streams/sink"
)

// setup says how a deployment differs from the usual one: the shared servers, the
// faults' model, three partitions.
type setup struct {
	brokers    string   // as the test reaches Kafka
	redis      []string // as the test reaches Redis
	model      string
	partitions int
	env        []string // later settings for serve: the proxies, above all
}

// world is one deployment on real servers: its own topics, group and namespace.
type world struct {
	t         testing.TB
	cfg       config.Config // as the test reaches the servers
	env       []string      // as serve does
	model     *modelfile.File
	transport *conn.Transport
	publisher *sink.Publisher
	kafka     *kafka.Client
	canaries  int
	instances []*instance
	program   string // the build that start runs
	label     byte   // of states whose layout is newer in name only; 0: none
}

func newWorld(t testing.TB, s setup) *world {
	t.Helper()
	if s.brokers == "" {
		s.brokers = servers.Kafka(t).Addr()
	}
	if s.redis == nil {
		s.redis = []string{servers.Redis(t).Addr()}
	}
	s.model = cmp.Or(s.model, filepath.Join("testdata", "model.yaml"))
	abs, err := filepath.Abs(s.model)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, program: built}
	set := func(key, value string) { w.env = append(w.env, "TIDEMARK_"+key+"="+value) }
	for _, name := range []string{"INTENT", "ENGAGEMENT", "PROFILES", "OUTCOMES", "TIER_CHANGES", "ACCOUNT_TIERS", "DEAD_LETTERS"} {
		set("KAFKA_TOPICS_"+name, testenv.Name(t, strings.ToLower(name)))
	}
	set("KAFKA_BROKERS", s.brokers)
	set("REDIS_ADDRS", strings.Join(s.redis, ","))
	set("KAFKA_GROUP", testenv.Name(t, "group"))
	set("NAMESPACE", testenv.Name(t, "ns"))
	set("MODEL", abs)
	set("HTTP_ADDR", "127.0.0.1:0")
	set("LOG_FORMAT", "json")
	set("KAFKA_CREATE_PARTITIONS", fmt.Sprint(cmp.Or(s.partitions, 3)))
	set("KAFKA_CREATE_REPLICATION", "1")
	set("ENGINE_CHECKPOINT_INTERVAL", "500ms")
	set("KAFKA_SESSION_TIMEOUT", "4s")
	set("REDIS_SHARDS", "16")
	set("CANARY_EVERY", "0") // what is read is counted
	sentinel := slices.DeleteFunc(slices.Clone(s.env), func(e string) bool { return !strings.HasPrefix(e, "TIDEMARK_REDIS_SENTINEL") })
	if w.cfg, err = config.Load("", append(slices.Clone(w.env), sentinel...)); err != nil {
		t.Fatal(err)
	}
	w.env = append(w.env, s.env...) // of two settings the later one holds
	if w.model, err = modelfile.Load(abs); err != nil {
		t.Fatal(err)
	}
	if w.transport, err = conn.NewTransport(conn.Config{Brokers: []string{s.brokers}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.transport.Close)
	if w.publisher, err = sink.New(sink.Config{Transport: w.transport, Timeout: 5 * time.Second}, zerolog.Nop()); err != nil {
		t.Fatal(err)
	}
	w.kafka = w.transport.Client(10 * time.Second)
	w.createTopics()
	return w
}

func (w *world) createTopics() {
	w.t.Helper()
	results, err := app.CreateTopics(w.t.Context(), w.cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range results {
		if r.Err != nil {
			w.t.Fatal(r.Err)
		}
	}
}

// inputs are the input topics by rank, as serve reads them.
func (w *world) inputs() []string {
	t := w.cfg.Kafka.Topics
	return []string{t.Profiles, t.Intent, t.Engagement}
}

func (w *world) publish(topic string, messages ...sink.Message) {
	w.t.Helper()
	if err := w.publisher.Publish(w.t.Context(), topic, messages); err != nil {
		w.t.Fatal(err)
	}
}

// openStore opens the store beside serve; the caller closes it.
func (w *world) openStore() (*redis.Store, error) {
	ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Second)
	defer cancel()
	return app.OpenStore(ctx, w.cfg, false, zerolog.Nop())
}

// bounds are the first and the next offset of each partition of a topic.
func (w *world) bounds(topic string) (first, next map[int]int64, err error) {
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer cancel()
	meta, err := w.kafka.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return nil, nil, err
	}
	var ask []kafka.OffsetRequest
	for _, p := range meta.Topics[0].Partitions {
		ask = append(ask, kafka.FirstOffsetOf(p.ID), kafka.LastOffsetOf(p.ID))
	}
	got, err := w.kafka.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: ask}})
	if err != nil {
		return nil, nil, err
	}
	first, next = map[int]int64{}, map[int]int64{}
	for _, p := range got.Topics[topic] {
		if p.Error != nil {
			return nil, nil, p.Error
		}
		first[p.Partition], next[p.Partition] = p.FirstOffset, p.LastOffset
	}
	return first, next, nil
}

// size is how many records a topic holds.
func (w *world) size(topic string) (n int64) {
	w.t.Helper()
	eventually(w.t, 30*time.Second, func() error {
		first, next, err := w.bounds(topic)
		n = 0
		for p := range next {
			n += next[p] - first[p]
		}
		return err
	})
	return n
}

// published is how many records tier-changes holds.
func (w *world) published() int64 { w.t.Helper(); return w.size(w.cfg.Kafka.Topics.TierChanges) }

// flowing waits until so many more tier changes are published.
func (w *world) flowing(more int64) {
	w.t.Helper()
	want := w.published() + more
	eventually(w.t, 60*time.Second, func() error {
		if n := w.published(); n < want {
			return cmp.Or(w.alive(), fmt.Errorf("%d tier changes published, want %d", n, want))
		}
		return nil
	})
}

// alive ends a wait when no instance is left that could do what is waited for.
func (w *world) alive() error {
	for _, i := range w.instances {
		if !i.ended() {
			return nil
		}
	}
	if n := len(w.instances); n > 0 {
		i := w.instances[n-1]
		return stops{fmt.Errorf("serve ended: %w\n%s", i.end, logTail(i.log))}
	}
	return nil
}

// behind says what serve has still to do, or nil.
func (w *world) behind(s *redis.Store) error {
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer cancel()
	positions, err := s.Positions(ctx)
	if err != nil {
		return err
	}
	for _, topic := range w.inputs() {
		_, next, err := w.bounds(topic)
		if err != nil {
			return err
		}
		for p, end := range next {
			for shard, at := range positions {
				if got := at[engine.Partition{Topic: topic, ID: p}]; got < end {
					return fmt.Errorf("shard %d stands at %d of %s/%d, the end is %d", shard, got, topic, p, end)
				}
			}
		}
	}
	shards := make([]int, s.Shards())
	for i := range shards {
		shards[i] = i
	}
	due, err := s.NextDue(ctx, shards)
	if err != nil {
		return err
	}
	if first := slices.Min(due); first <= time.Now().Add(-time.Second).UnixMilli() {
		return fmt.Errorf("an account is due since %s", time.UnixMilli(first))
	}
	if depth, err := s.OutboxDepth(ctx); err != nil || depth > 0 {
		return errors.Join(err, fmt.Errorf("%d entries in the outbox", depth))
	}
	return nil
}

// drained waits until everything in the input topics is applied and stored, what
// was due is swept, and the outboxes are empty. It returns how long that took.
func (w *world) drained() time.Duration {
	w.t.Helper()
	begun := time.Now()
	eventually(w.t, 3*time.Minute, func() error {
		s, err := w.openStore()
		if err != nil {
			return err
		}
		defer s.Close() //nolint:errcheck // only read from
		if err = w.behind(s); err != nil {
			err = cmp.Or(w.alive(), err)
		}
		return err
	})
	return time.Since(begun)
}

// fresh publishes an event of a new account and returns how long it takes until
// its score is stored: the time to recover, when called as soon as a fault is over.
func (w *world) fresh() time.Duration {
	w.t.Helper()
	w.canaries++
	account, begun := fmt.Sprintf("canary-%d.example", w.canaries), time.Now()
	value := event(account, "engagement.webinar", begun, account, `{"contact":{"id":"c"}}`)
	w.publish(w.cfg.Kafka.Topics.Engagement, sink.Message{Key: []byte(account), Value: value})
	eventually(w.t, 2*time.Minute, func() error {
		s, err := w.openStore()
		if err != nil {
			return err
		}
		defer s.Close() //nolint:errcheck // only read from
		records, err := s.Load(w.t.Context(), engine.WantedOf([]string{account}, s.Shards())...)
		if err == nil && records[0].State == nil {
			err = cmp.Or(w.alive(), errors.New("the event of "+account+" is not stored"))
		}
		return err
	})
	return time.Since(begun)
}

// states reads accounts as of an instant.
func (w *world) states(s *redis.Store, accounts []string, at int64) (map[string]verify.State, error) {
	names, err := s.Names(w.t.Context(), nil)
	if err != nil {
		return nil, err
	}
	model, err := app.Compile(w.model, names)
	if err != nil {
		return nil, err
	}
	out := map[string]verify.State{}
	for part := range slices.Chunk(accounts, 1000) {
		records, err := s.Load(w.t.Context(), engine.WantedOf(part, s.Shards())...)
		if err != nil {
			return nil, err
		}
		for _, r := range records {
			if err := addState(out, model, w.relabelled(r), at); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// relabelled gives a state of a layout that is newer in name only its name of today.
func (w *world) relabelled(r engine.Record) engine.Record {
	if _, n := binary.Uvarint(r.State); w.label != 0 && n > 0 && r.State[n] == w.label {
		r.State = slices.Clone(r.State)
		r.State[n] = scoring.Layout
	}
	return r
}

func addState(out map[string]verify.State, model *scoring.Model, r engine.Record, at int64) error {
	a, err := engine.Read(model, r)
	if err != nil || a == nil {
		return err
	}
	out[r.Account] = verify.State{Score: model.Score(a, at), Tier: model.Tier(a), Seq: a.Seq}
	return nil
}

// verified drains the deployment and holds what it left against the specification.
func (w *world) verified(adjust ...func(*verify.Run)) *verify.Report {
	w.t.Helper()
	w.drained()
	run := w.gather()
	for _, f := range adjust {
		f(run)
	}
	r, err := verify.Check(*run)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range r.Faults {
		w.t.Error(f)
	}
	w.t.Log(r)
	return r
}

func inOrder(r *verify.Run) { r.InOrder = true }
func notLate(r *verify.Run) { r.NotLate = true }

// event is a CloudEvent in structured mode.
func event(id, typ string, at time.Time, subject, data string) []byte {
	return fmt.Appendf(nil, `{"specversion":"1.0","id":%q,"source":"/test","type":%q,"time":%q,"subject":%q,"data":%s}`,
		id, typ, at.UTC().Format("2006-01-02T15:04:05.000Z"), subject, data)
}

// stops ends eventually at once.
type stops struct{ error }

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
		if end := (stops{}); errors.As(err, &end) {
			t.Fatal(err)
		}
		select {
		case <-deadline:
			t.Fatalf("after %s: %v", limit, err)
		case <-ticker.C:
		}
	}
}

// lasts lets a fault last so long.
func lasts(d time.Duration) { <-time.After(d) }

func logTail(path string) string {
	data, _ := os.ReadFile(path)
	return string(data[max(0, len(data)-4000):])
}
