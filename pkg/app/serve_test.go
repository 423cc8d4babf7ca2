package app

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"tidemark/pkg/config"
	"tidemark/pkg/embedded"
	"tidemark/pkg/engine"
	"tidemark/pkg/store/redis"
	"tidemark/scoring"
	"tidemark/streams/codec"
	"tidemark/streams/conn"
	"tidemark/streams/sink"
)

// deployment is what `serve` needs, in this process.
type deployment struct {
	t     *testing.T
	cfg   config.Config
	now   atomic.Int64 // the service's clock, Unix milliseconds
	store *redis.Store
	sink  *sink.Publisher
}

func deploy(t *testing.T) *deployment {
	t.Helper()
	d := &deployment{t: t, cfg: config.Default()}
	topics := d.cfg.Kafka.Topics
	servers, err := embedded.Start([]string{topics.Intent, topics.Engagement, topics.Profiles, topics.TierChanges, topics.AccountTiers, topics.DeadLetters}, 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(servers.Close)
	host, port := servers.Redis()
	d.cfg.Kafka.Brokers, d.cfg.Redis.Addrs = []string{servers.Kafka()}, []string{net.JoinHostPort(host, port)}
	d.cfg.Redis.Shards, d.cfg.HTTP.Addr, d.cfg.Engine.CheckpointInterval = 4, "127.0.0.1:0", 100*time.Millisecond
	d.cfg.Model = d.model(1, 30)
	d.now.Store(time.Now().UnixMilli())
	if d.store, err = OpenStore(t.Context(), d.cfg, true, zerolog.Nop()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.store.Close() }) //nolint:errcheck // only read from
	if d.sink, err = sink.New(sink.Config{Transport: d.transport()}, zerolog.Nop()); err != nil {
		t.Fatal(err)
	}
	return d
}

// transport connects to the deployment's Kafka until the test ends.
func (d *deployment) transport() *conn.Transport {
	d.t.Helper()
	kafka, err := KafkaConfig(d.cfg, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	transport, err := conn.NewTransport(kafka)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(transport.Close)
	return transport
}

// model writes a model of two tiers whose upper one begins at min.
func (d *deployment) model(version int, min float64) string {
	d.t.Helper()
	path := filepath.Join(d.t.TempDir(), "model.yaml")
	text := fmt.Sprintf("name: test\nversion: %d\ngroups:\n  web: {cap: 90}\nsignals:\n"+
		"  - {name: demo, group: web, match: {type: engagement.demo_request}, points: 10, half_life: 10d}\n"+
		"tiers:\n  - {name: A, min: %v, mqa: true}\n  - {name: B}\n", version, min)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
	return path
}

// serve runs the service until stop, which returns what Serve did and how long it
// took to stop.
func (d *deployment) serve(cfg config.Config) (stop func() (time.Duration, error)) {
	d.t.Helper()
	ctx, cancel := context.WithCancel(d.t.Context())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- Serve(ctx, cfg, zerolog.Nop(), Options{Embedded: true, Now: d.now.Load, Ready: func(string) { close(ready) }})
	}()
	select {
	case <-ready:
	case err := <-done:
		d.t.Fatalf("serve ended: %v", err)
	}
	return func() (time.Duration, error) {
		begun := time.Now()
		cancel()
		err := <-done
		return time.Since(begun), err
	}
}

// visits publishes n demo requests of an account, as of now.
func (d *deployment) visits(account string, n int) {
	d.t.Helper()
	var messages []sink.Message
	for i := range n {
		value := fmt.Sprintf(`{"specversion":"1.0","id":"%s-%d","source":"/t","type":"%s","time":%q,"subject":%q,"data":{"contact":{"id":"c%d","role":"technical_buyer"}}}`,
			account, i, "engagement.demo_request", codec.FormatTime(d.now.Load()), account, i)
		messages = append(messages, sink.Message{Value: []byte(value), Time: time.UnixMilli(d.now.Load())})
	}
	if err := d.sink.Publish(d.t.Context(), d.cfg.Kafka.Topics.Engagement, messages); err != nil {
		d.t.Fatal(err)
	}
}

// backlog publishes demo requests of each account, one a day for so many days up
// to now, in order of time and over all partitions.
func (d *deployment) backlog(accounts, days int) {
	d.t.Helper()
	var messages []sink.Message
	for i := range accounts * days {
		at := d.now.Load() - int64(days-i/accounts)*scoring.Day
		account := fmt.Sprintf("firm%d.example", i%accounts)
		value := fmt.Sprintf(`{"specversion":"1.0","id":"day-%d","source":"/%s","type":"%s","time":%q,"subject":%q}`,
			i, account, "engagement.demo_request", codec.FormatTime(at), account)
		messages = append(messages, sink.Message{Key: fmt.Append(nil, i), Value: []byte(value), Time: time.UnixMilli(at)})
	}
	if err := d.sink.Publish(d.t.Context(), d.cfg.Kafka.Topics.Engagement, messages); err != nil {
		d.t.Fatal(err)
	}
}

// eventually waits until f has no complaint.
func (d *deployment) eventually(f func() error) {
	d.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			d.t.Fatal(err)
		}
		<-tick.C
	}
}

// account is the account as stored, under the model in force; nil where there is none.
func (d *deployment) account(name string) (*scoring.Model, *scoring.Account) {
	d.t.Helper()
	in, err := inForce(d.t.Context(), d.store)
	if err != nil {
		d.t.Fatal(err)
	}
	if in.model == nil {
		return nil, nil
	}
	records, err := d.store.Load(d.t.Context(), engine.WantedOf([]string{name}, d.store.Shards())...)
	if err != nil {
		d.t.Fatal(err)
	}
	a, err := in.read(records[0])
	if err != nil {
		d.t.Fatal(err)
	}
	return in.model, a
}

// reaches waits until an account was moved at least so many times.
func (d *deployment) reaches(name string, seq uint64) {
	d.t.Helper()
	d.eventually(func() error {
		if _, a := d.account(name); a == nil || a.Seq < seq {
			return fmt.Errorf("%s: got %+v, want seq %d", name, a, seq)
		}
		return nil
	})
}

// What was armed before a restart is demoted after it, though nothing more comes in.
func TestDemotionsGoOnAfterARestart(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	stop := d.serve(d.cfg)
	d.visits("acme.example", 6)
	d.reaches("acme.example", 1)
	if took, err := stop(); err != nil || took > d.cfg.ShutdownTimeout/4 {
		t.Fatalf("the stop took %s: %v", took, err)
	}
	m, a := d.account("acme.example")
	if a == nil || m.Tier(a) == m.LastTier() {
		t.Fatalf("got %+v, want a tier above the last", a)
	}
	due, err := d.store.NextDue(t.Context(), everyShard(d.store.Shards()))
	if err != nil {
		t.Fatal(err)
	}
	before := a.Seq
	d.now.Store(slices.Min(due) + scoring.Hour)
	stop = d.serve(d.cfg)
	d.reaches("acme.example", before+1)
	d.eventually(func() error { // and it is published
		if n, err := d.store.OutboxDepth(t.Context()); n != 0 || err != nil {
			return fmt.Errorf("%d wait in the outbox, %w", n, err)
		}
		return nil
	})
	ends(t, stop)
}

// Two instances that start with a backlog far longer than max_lead do not wait for
// each other for ever, and one goes on where the other stops.
func TestTwoInstancesCatchUpTogether(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	d.cfg.Engine.MaxBatch = 1 // so that both are there before all is read
	d.cfg.Engine.MaxLead = 30 * 24 * time.Hour
	d.backlog(6, 80)
	stop, other := d.serve(d.cfg), d.serve(d.cfg)
	read := func(last int64) func() error {
		return func() error {
			for i := range 6 {
				if _, a := d.account(fmt.Sprintf("firm%d.example", i)); a == nil || a.Clock < last {
					return fmt.Errorf("firm%d: got %+v, want all up to %d", i, a, last)
				}
			}
			return nil
		}
	}
	d.eventually(read(d.now.Load() - scoring.Day))
	ends(t, other)
	d.now.Add(5 * scoring.Day)
	for i := range 6 {
		d.visits(fmt.Sprintf("firm%d.example", i), 2)
	}
	d.eventually(read(d.now.Load()))
	ends(t, stop)
}

// What no retry heals ends the service with an error, and does not hang.
func TestWhatCannotHealEndsTheService(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	stop := d.serve(d.cfg)
	d.visits("acme.example", 1)
	d.eventually(func() error {
		if _, a := d.account("acme.example"); a == nil {
			return fmt.Errorf("the account is not stored")
		}
		return nil
	})
	if _, err := stop(); err != nil {
		t.Fatal(err)
	}
	d.visits("beta.example", 1)
	// Another service is at the topics that are there, of which it has read more
	// than there is: as after the topics were made anew.
	all, err := d.store.Positions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for n, positions := range all {
		for p, at := range positions {
			d.store.Commit(t.Context(), []engine.Step{{Shard: n, Moves: []engine.Move{{Partition: p, From: at, To: at + 1000}}}})
		}
	}
	done := make(chan error, 1)
	go func() {
		done <- Serve(t.Context(), d.cfg, zerolog.Nop(), Options{Embedded: true, Now: d.now.Load})
	}()
	select {
	case err := <-done:
		if err == nil {
			t.Error("got no error")
		}
	case <-time.After(15 * time.Second):
		t.Fatal("the service neither works nor ends")
	}
}

// A new model takes effect for every account, also after a restart with a backlog
// and an instance that died in between; to what it was under before, nobody goes
// back by chance.
func TestAModelChangeTakesEffectOnce(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	stop := d.serve(d.cfg)
	d.visits("acme.example", 5)
	d.reaches("acme.example", 1)
	if _, err := stop(); err != nil {
		t.Fatal(err)
	}
	next := d.cfg
	next.Model = d.model(2, 60)
	stop = d.serve(next)
	m, a := d.account("acme.example")
	if m.Version() != 2 || m.Tier(a) != "B" || a.Seq != 2 {
		t.Errorf("got model %d, tier %s, seq %d; want model 2, tier B, seq 2", m.Version(), m.Tier(a), a.Seq)
	}
	// The instance of before, started again by whoever supervises it, while the
	// new one runs.
	again := make(chan error, 1)
	ctx, cancel := withCancel(t)
	go func() {
		defer close(again)
		again <- Serve(ctx, d.cfg, zerolog.Nop(), Options{Embedded: true, Now: d.now.Load})
	}()
	d.visits("beta.example", 7)
	d.reaches("beta.example", 1)
	select {
	case err := <-again:
		if err == nil {
			t.Error("the instance with the model of before ended without saying why")
		}
	case <-time.After(3 * time.Second): // it waits
	}
	if m, a := d.account("acme.example"); m.Version() != 2 || a.Seq != 2 {
		t.Errorf("got model %d, seq %d: the model of before is back", m.Version(), a.Seq)
	}
	ends(t, stop)
	cancel()
	for range again { // until it has ended
	}
}
