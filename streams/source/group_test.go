package source

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tidemark/pkg/engine"
)

// instance runs a source as the engine does: it joins again whenever a generation
// ends, and takes what comes.
type instance struct {
	source *Source

	mu    sync.Mutex
	parts []engine.Partition
	count int
	event chan struct{} // told of each change
}

func (w *world) instance(cfg Config) *instance {
	in := &instance{source: w.source(cfg), event: make(chan struct{}, 1)}
	var running sync.WaitGroup
	running.Go(func() { in.run(w) })
	w.t.Cleanup(running.Wait) // after the source's own cleanup has been run: see stop
	w.t.Cleanup(in.stop)
	return in
}

func (in *instance) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_ = in.source.Close(ctx)
}

func (in *instance) run(w *world) {
	for {
		se, err := in.source.Join(context.Background())
		if err != nil {
			if !errors.Is(err, ErrClosed) {
				w.t.Error(err)
			}
			return
		}
		from, err := se.Committed(context.Background())
		if err == nil {
			err = se.Start(context.Background(), from)
		}
		in.set(se.Partitions(), 0)
		for err == nil {
			var b *Batch
			if b, err = se.Next(context.Background(), everything()); err == nil {
				err = se.Commit(context.Background(), b.Ends)
				in.set(se.Partitions(), len(b.Inputs))
			}
		}
		if !errors.Is(err, ErrEnded) && w.ctx.Err() == nil {
			w.t.Error(err)
		}
		in.set(nil, 0)
		se.Close()
	}
}

func (in *instance) set(parts []engine.Partition, more int) {
	in.mu.Lock()
	in.parts = parts
	in.count += more
	in.mu.Unlock()
	select {
	case in.event <- struct{}{}:
	default:
	}
}

func (in *instance) owned() []engine.Partition {
	in.mu.Lock()
	defer in.mu.Unlock()
	return slices.Clone(in.parts)
}

func (in *instance) handedOut() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.count
}

// await waits until cond holds, looking again at each change of an instance.
func (w *world) await(what string, cond func() bool, instances ...*instance) {
	w.t.Helper()
	changed := make(chan struct{})
	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	for _, in := range instances {
		go func() {
			for {
				select {
				case <-in.event:
				case <-ctx.Done():
					return
				}
				select {
				case changed <- struct{}{}:
				case <-ctx.Done():
					return
				}
			}
		}()
	}
	for !cond() {
		select {
		case <-changed:
		case <-w.ctx.Done():
			w.t.Fatalf("in vain: %s", what)
		}
	}
}

func named(cfg Config, name string) Config {
	cfg.InstanceID = name
	return cfg
}

func TestInstancesShareAndTakeOver(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		topics := []string{w.topic("a", 4), w.topic("b", 2)}
		a := w.instance(named(w.config(topics...), "node-a"))
		w.await("a has all", func() bool { return len(a.owned()) == 6 }, a)
		b := w.instance(named(w.config(topics...), "node-b"))
		shared := func() bool { return len(a.owned()) == 3 && len(b.owned()) == 3 }
		w.await("three each", shared, a, b)
		before := a.owned()
		all := append(slices.Clone(before), b.owned()...)
		for _, p := range all {
			w.produce(event(p.Topic, int32(p.ID), 1))
		}
		w.await("each hands out its share", func() bool { return a.handedOut() == 3 && b.handedOut() == 3 }, a, b)

		began := time.Now()
		b.stop()
		w.await("a takes over", func() bool { return len(a.owned()) == 6 }, a)
		t.Logf("taken over %v after the other was closed", time.Since(began))
		if took := time.Since(began); took > w.config().SessionTimeout {
			t.Errorf("taken over after %v: the other did not leave the group", took)
		}
		b = w.instance(named(w.config(topics...), "node-b"))
		w.await("three each again", shared, a, b)
		if after := a.owned(); !slices.Equal(before, after) {
			t.Errorf("a has %v, and had %v before b was away", after, before)
		}
		if a.handedOut()+b.handedOut() != 3 {
			t.Errorf("committed records came again: %d and %d", a.handedOut(), b.handedOut())
		}
	})
}

// line is a network that can be cut: what a killed process or machine looks like.
type line struct {
	mu    sync.Mutex
	conns []net.Conn
	dead  bool
}

var errCut = errors.New("the line is cut")

func (l *line) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, addr)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil && l.dead {
		c.Close() //nolint:errcheck // as a cut line ends it
		return nil, errCut
	}
	if err == nil {
		l.conns = append(l.conns, c)
	}
	return c, err
}

func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dead = true
	for _, c := range l.conns {
		c.Close() //nolint:errcheck // as a cut line ends it
	}
}

func (l *line) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dead = false
}

func (w *world) over(l *line, cfg Config) Config {
	t := &kafka.Transport{Dial: l.dial, MetadataTTL: 200 * time.Millisecond, MetadataTopics: cfg.Topics}
	w.t.Cleanup(t.CloseIdleConnections)
	cfg.Dialer, cfg.Transport = &kafka.Dialer{DialFunc: l.dial}, t
	return cfg
}

func TestKilledInstanceIsReplaced(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		topic := w.topic("a", 4)
		var l line
		a := w.instance(named(w.over(&l, w.config(topic)), "node-a"))
		w.await("a has all", func() bool { return len(a.owned()) == 4 }, a)
		b := w.instance(named(w.config(topic), "node-b"))
		w.await("two each", func() bool { return len(a.owned()) == 2 && len(b.owned()) == 2 }, a, b)
		l.cut()
		w.await("b takes over, a knows", func() bool { return len(a.owned()) == 0 && len(b.owned()) == 4 }, a, b)
		l.mend()
		w.await("a comes back", func() bool { return len(a.owned()) == 2 && len(b.owned()) == 2 }, a, b)
	})
}

func TestACrashedInstanceThatComesBackNeedNotWait(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		topic := w.topic("a", 4)
		var l line
		cfg := named(w.config(topic), "node-a")
		cfg.SessionTimeout = 20 * time.Second
		w.join(w.source(w.over(&l, cfg)))
		l.cut()
		began := time.Now()
		if parts := w.join(w.source(cfg)).Partitions(); len(parts) != 4 {
			t.Errorf("got %v, want all four partitions", parts)
		}
		if took := time.Since(began); took > cfg.SessionTimeout/2 {
			t.Errorf("it took %s to take the place of the process before", took)
		}
	})
}

func TestAddedPartitionIsRead(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		topic := w.topic("a", 1)
		in := w.instance(w.config(topic))
		w.await("one partition", func() bool { return len(in.owned()) == 1 }, in)
		req := kmsg.NewPtrCreatePartitionsRequest()
		more := kmsg.NewCreatePartitionsRequestTopic()
		more.Topic, more.Count = topic, 3
		req.Topics = append(req.Topics, more)
		res, err := req.RequestWith(w.ctx, w.client)
		w.must(err)
		if code := res.Topics[0].ErrorCode; code != 0 {
			t.Fatal(kafka.Error(code))
		}
		w.await("three partitions", func() bool { return len(in.owned()) == 3 }, in)
		w.client.ForceMetadataRefresh()
		w.produce(event(topic, 2, 5))
		w.await("the new one's event", func() bool { return in.handedOut() == 1 }, in)
		all, err := in.source.AllPartitions(w.ctx)
		w.must(err)
		if len(all) != 3 {
			t.Errorf("all partitions: %v, want 3", all)
		}
	})
}

func TestGroupOffsets(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		topic := w.topic("a", 2)
		p0, p1 := engine.Partition{Topic: topic}, engine.Partition{Topic: topic, ID: 1}
		w.produce(event(topic, 0, 1), event(topic, 0, 2))
		s := w.source(w.config(topic))
		se := w.join(s)
		got, err := se.Committed(w.ctx)
		w.must(err)
		if got[p0] != -1 || got[p1] != -1 || len(got) != 2 {
			t.Errorf("before the first commit: %v, want -1 each", got)
		}
		w.must(se.Commit(w.ctx, map[engine.Partition]int64{p0: 2}))
		bounds, err := se.Bounds(w.ctx)
		w.must(err)
		if bounds[p0] != (Bounds{0, 2}) || bounds[p1] != (Bounds{}) {
			t.Errorf("bounds %v", bounds)
		}
		se.Close()
		if err := se.Commit(w.ctx, map[engine.Partition]int64{p0: 1}); !errors.Is(err, ErrEnded) {
			t.Errorf("commit after the end: %v, want ErrEnded", err)
		}
		if _, err := se.Next(w.ctx, everything()); !errors.Is(err, ErrEnded) {
			t.Errorf("next after the end: %v, want ErrEnded", err)
		}
		se, err = s.Join(w.ctx)
		w.must(err)
		got, err = se.Committed(w.ctx)
		w.must(err)
		if got[p0] != 2 {
			t.Errorf("in the next generation: %v, want 2", got)
		}
	})
}

func TestOffsetsThatTheLogDoesNotHold(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		topic := w.topic("a", 1)
		p := engine.Partition{Topic: topic}
		w.produce(event(topic, 0, 1), event(topic, 0, 2), event(topic, 0, 3))
		w.deleteBefore(topic, 2)
		s := w.source(w.config(topic))
		se, err := s.Join(w.ctx)
		w.must(err)
		for _, wanted := range []int64{0, 1, 4} {
			var got *OffsetError
			if err := se.Start(w.ctx, map[engine.Partition]int64{p: wanted}); !errors.As(err, &got) {
				t.Fatalf("start at %d: %v, want an OffsetError", wanted, err)
			}
			if want := (OffsetError{topic, 0, wanted, 2, 3}); *got != want {
				t.Errorf("got %+v, want %+v", *got, want)
			}
		}
		w.must(se.Start(w.ctx, map[engine.Partition]int64{p: 3}))
		w.read(se, everything(), caughtUp)
	})
}

// Retention may delete what is not read yet while the buffer is full.
func TestRetentionOvertakesTheReader(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		topic := w.topic("a", 1)
		for ms := range int64(4) {
			w.produce(event(topic, 0, ms)) // a batch each
		}
		cfg := w.config(topic)
		cfg.FetchMaxBytes, cfg.BufferEvents = 1024, 1
		for range 40 {
			w.produce(event(topic, 0, 9))
		}
		se := w.join(w.source(cfg))
		w.read(se, Want{Max: 1, NotAfter: 5}, inputs(1))
		w.deleteBefore(topic, 44)
		w.produce(event(topic, 0, 10))
		var offset *OffsetError
		for offset == nil {
			_, err := se.Next(w.ctx, Want{Max: 100, NotAfter: 10})
			if err != nil && !errors.As(err, &offset) {
				t.Fatal(err)
			}
		}
		if offset.First != 44 || offset.End != 45 || offset.Wanted >= 44 {
			t.Errorf("got %+v", offset)
		}
	})
}

func (w *world) deleteBefore(topic string, offset int64) {
	w.t.Helper()
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.TimeoutMillis = 5000
	rt, rp := kmsg.NewDeleteRecordsRequestTopic(), kmsg.NewDeleteRecordsRequestTopicPartition()
	rp.Offset = offset
	rt.Topic, rt.Partitions = topic, append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	for _, shard := range w.client.RequestSharded(w.ctx, req) {
		w.must(shard.Err)
		for _, t := range shard.Resp.(*kmsg.DeleteRecordsResponse).Topics {
			if code := t.Partitions[0].ErrorCode; code != 0 {
				w.t.Fatal(kafka.Error(code))
			}
		}
	}
}

func TestMissingTopicIsNamed(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		s := w.source(w.config(w.topic("a", 1), "nowhere"))
		_, err := s.Join(w.ctx)
		var setup *SetupError
		if !errors.As(err, &setup) || setup.Reason != TopicMissing {
			t.Fatalf("got %v, want a missing topic", err)
		}
		t.Log(err)
	})
}

func TestStartAndStop(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		topic := w.topic("a", 2)
		w.produce(event(topic, 0, 1), event(topic, 1, 2))
		s := w.source(w.config(topic))
		for range 20 {
			se := w.join(s)
			w.read(se, everything(), inputs(2))
			se.Close()
			se.Close()
		}
		se := w.join(s) // left open: Close of the source closes it
		began := time.Now()
		w.must(s.Close(w.ctx))
		w.must(s.Close(w.ctx))
		if took := time.Since(began); took > time.Second {
			t.Errorf("closing took %v", took)
		}
		if _, err := se.Next(w.ctx, everything()); !errors.Is(err, ErrEnded) {
			t.Errorf("next: %v, want ErrEnded", err)
		}
		if _, err := s.Join(w.ctx); !errors.Is(err, ErrClosed) {
			t.Errorf("join: %v, want ErrClosed", err)
		}
	})
}

func TestCloseEndsAJoin(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "127.0.0.1:1") // nobody listens
	s := w.source(w.config("a"))
	joined := make(chan error)
	go func() { _, err := s.Join(w.ctx); joined <- err }()
	w.must(s.Close(w.ctx))
	if err := <-joined; !errors.Is(err, ErrClosed) {
		t.Errorf("join: %v, want ErrClosed", err)
	}
}
