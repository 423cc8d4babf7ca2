package faults

import (
	"fmt"
	"math"
	"syscall"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
)

func groups() []fault {
	return []fault{
		{"SIGTERM in the middle of a backlog", true, "exit 0 in time; what was in hand is stored, published and committed: nothing is read or published twice", terminated},
		{"SIGSTOP past the session time-out, then SIGCONT (zombie)", true, "the other instance takes over; the late writes of the one that comes back are refused and it joins again", zombie},
		{"rebalance storm", false, "instances come, stop and are killed every 2 s; positions never move back", storm},
		{"two deployments on one namespace", false, "the second refuses to start: the namespace belongs to another group", twoDeployments},
	}
}

// terminated stops an instance amid a backlog, then lets another finish it.
func terminated(t *testing.T, s *seen) {
	w := newWorld(t, setup{})
	b := w.backlog(11, 6000, 8*time.Minute)
	i := w.serve("TIDEMARK_ENGINE_MAX_BATCH=100")
	w.flowing(300)
	s.figure("stopped in %.1f s", i.stop().Seconds())
	committed := w.committed()
	if committed == 0 || committed >= b {
		t.Fatalf("stopped at %d of %d records, want it in the middle", committed, b)
	}
	i = w.serve()
	s.recovered = w.drained()
	r := w.verified(inOrder)
	if r.Repeats > 0 {
		t.Errorf("%d tier changes came again", r.Repeats)
	}
	if read := i.sum("tidemark_engine_inputs_total") + i.sum("tidemark_dead_letters_total"); int64(read) != b-committed {
		t.Errorf("the second instance read %v records, %d were left", read, b-committed)
	}
	s.figure("stopped after %d of %d records; %d tier changes, none twice", committed, b, r.Changes)
	i.stop()
}

// committed is the sum of the group's offsets.
func (w *world) committed() (sum int64) {
	w.t.Helper()
	ask := map[string][]int{}
	for _, topic := range w.inputs() {
		_, next, err := w.bounds(topic)
		if err != nil {
			w.t.Fatal(err)
		}
		for p := range next {
			ask[topic] = append(ask[topic], p)
		}
	}
	got, err := w.kafka.OffsetFetch(w.t.Context(), &kafka.OffsetFetchRequest{GroupID: w.cfg.Kafka.Group, Topics: ask})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, partitions := range got.Topics {
		for _, p := range partitions {
			sum += max(p.CommittedOffset, 0)
		}
	}
	return sum
}

func zombie(t *testing.T, s *seen) {
	w := newWorld(t, setup{})
	a, b := w.serve("TIDEMARK_KAFKA_INSTANCE_ID=a"), w.serve("TIDEMARK_KAFKA_INSTANCE_ID=b")
	tr := w.traffic(usualMix(3))
	w.flowing(100)
	a.signal(syscall.SIGSTOP)
	begun := time.Now()
	s.recovered = w.fresh()
	w.flowing(100)
	// Past the leases too, so that the other instance relays all shards.
	lasts(time.Until(begun.Add(12 * time.Second)))
	a.signal(syscall.SIGCONT)
	w.flowing(200)
	tr.stop()
	r := w.verified()
	stale := a.sum(`tidemark_engine_commits_total{result="stale"}`) + a.sum(`tidemark_engine_commits_total{result="conflict"}`)
	s.figure("stopped for 12 s; %v late steps refused; %d events, %d tier changes, %d repeats", stale, r.Events, r.Changes, r.Repeats)
	a.stop()
	b.stop()
}

func storm(t *testing.T, s *seen) {
	w := newWorld(t, setup{})
	base := w.serve("TIDEMARK_KAFKA_INSTANCE_ID=base")
	tr := w.traffic(usualMix(4))
	lowest := w.watchPositions()
	for n := range 8 {
		i := w.start(fmt.Sprintf("TIDEMARK_KAFKA_INSTANCE_ID=guest-%d", n))
		i.await(`"message":"serving"`)
		lasts(2 * time.Second)
		if n%2 == 0 {
			i.stop()
		} else {
			i.kill()
		}
	}
	s.recovered = w.fresh()
	w.flowing(50)
	tr.stop()
	if back := lowest(); back != "" {
		t.Error(back)
	}
	r := w.verified()
	s.figure("8 members came and went; %d events, %d tier changes, %d repeats", r.Events, r.Changes, r.Repeats)
	base.stop()
}

// watchPositions looks at the shards' positions until the function it returns is
// called, which says where one moved back.
func (w *world) watchPositions() func() string {
	w.t.Helper()
	store, err := w.openStore()
	if err != nil {
		w.t.Fatal(err)
	}
	stop, done := make(chan struct{}), make(chan string, 1)
	go func() {
		defer store.Close() //nolint:errcheck // only read from
		before, err := store.Positions(w.t.Context())
		for err == nil {
			select {
			case <-stop:
				done <- ""
				return
			case <-time.After(100 * time.Millisecond):
			}
			now, e := store.Positions(w.t.Context())
			if err = e; err != nil {
				break
			}
			for shard := range before {
				for p, at := range before[shard] {
					if now[shard][p] < at {
						done <- fmt.Sprintf("shard %d went from %d back to %d of %s/%d", shard, at, now[shard][p], p.Topic, p.ID)
						return
					}
				}
			}
			before = now
		}
		done <- err.Error()
	}()
	return func() string { close(stop); return <-done }
}

func twoDeployments(t *testing.T, s *seen) {
	w := newWorld(t, setup{})
	i := w.serve()
	tr := w.traffic(usualMix(5))
	w.flowing(20)
	other := w.start("TIDEMARK_KAFKA_GROUP=" + w.cfg.Kafka.Group + "-other")
	other.refuses("belongs to", "choose another namespace")
	s.recovered = w.fresh()
	tr.stop()
	w.verified()
	i.stop()
	s.figure("exit code 1")
}

// backlog publishes events in order of time, the latest a minute ago, spread over
// the partitions by event, and returns how many records there are.
func (w *world) backlog(seed uint64, events int, span time.Duration) int64 {
	w.t.Helper()
	// An event of an account every five seconds, as in live traffic.
	return w.backlogOf(seed, events, span, max(1, int(math.Round(5*float64(events)/span.Seconds()))))
}

// backlogOf is backlog with so many accounts.
func (w *world) backlogOf(seed uint64, events int, span time.Duration, accounts int) int64 {
	w.t.Helper()
	m := usualMix(seed)
	m.late, m.accounts = 0, accounts
	tr := w.source(m)
	first := time.Now().Add(-span - time.Minute)
	byTopic := map[string][]message{}
	for n := range events {
		at := first.Add(time.Duration(float64(span) * float64(n) / float64(events)))
		s := tr.next(at)
		s.message.Time = at
		byTopic[s.topic] = append(byTopic[s.topic], s.message)
	}
	total := int64(0)
	for topic, messages := range byTopic {
		w.publish(topic, messages...)
		total += int64(len(messages))
	}
	return total
}
