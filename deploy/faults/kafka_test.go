package faults

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tidemark/deploy/faults/verify"
	"tidemark/deploy/testenv"
	"tidemark/pkg/engine"
)

func kafkaFaults() []fault {
	return []fault{
		{"broker killed and down", false, "serve waits and joins again; crossings due meanwhile are published after, with their own instants", brokerDown},
		{"broker stopped for 8 s (SIGSTOP)", false, "requests time out with an unknown outcome; what was published already comes again with the same bytes", brokerStopped},
		{"network to the broker cut for 8 s", false, "the group gives the partitions up; positions in Redis make the redelivery harmless", brokerCut},
		{"network to the broker black-holed for 8 s", false, "as when cut; requests that arrive late change nothing", brokerBlackHole},
		{"answers of the broker lost (acks, commits, joins)", false, "what was written comes again; consumers drop it by seq", brokerAnswersLost},
		{"coordinator lost at the commit of offsets", true, "the group's offsets lag and nothing else: positions are in Redis; the next commit covers the lost one", commitLost},
		{"retention past our position", true, "refuses: names partition, offset and the way out", retention},
		{"topic recreated while serve is down", true, "refuses: the log is shorter than what was applied", recreated},
		{"input topic missing", true, "refuses: names the topic and `topics create`", topicMissing},
		{"partitions added under load", true, "read within seconds; scores do not depend on partitions", partitionsAdded},
		{"dead-letter topic missing, instances killed meanwhile", true, "positions stay before the bad event until the topic is there, over kill -9 too; then each bad event has its dead letter", lettersMissing},
	}
}

// admin sends a request that kafka-go does not know.
func admin(t *testing.T, w *world, request kmsg.Request) kmsg.Response {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(w.cfg.Kafka.Brokers...))
	done(t, err)
	defer client.Close()
	response, err := client.Request(t.Context(), request)
	done(t, err)
	return response
}

func deleteTopic(t *testing.T, w *world, topic string) {
	t.Helper()
	request := kmsg.NewPtrDeleteTopicsRequest()
	item := kmsg.NewDeleteTopicsRequestTopic()
	item.Topic = &topic
	request.Topics, request.TopicNames, request.TimeoutMillis = append(request.Topics, item), []string{topic}, 10_000
	for _, r := range admin(t, w, request).(*kmsg.DeleteTopicsResponse).Topics {
		if r.ErrorCode != 0 {
			t.Fatalf("delete topic %s: code %d", topic, r.ErrorCode)
		}
	}
	eventually(t, 30*time.Second, func() error {
		if _, next, err := w.bounds(topic); err == nil && len(next) > 0 {
			return errorOf("the topic is still there")
		}
		return nil
	})
}

// deleteRecords does at once what retention does in the end: everything before an
// offset is gone.
func deleteRecords(t *testing.T, w *world, topic string, partition int, before int64) {
	t.Helper()
	request := kmsg.NewPtrDeleteRecordsRequest()
	item, part := kmsg.NewDeleteRecordsRequestTopic(), kmsg.NewDeleteRecordsRequestTopicPartition()
	part.Partition, part.Offset = int32(partition), before
	item.Topic, item.Partitions = topic, append(item.Partitions, part)
	request.Topics, request.TimeoutMillis = append(request.Topics, item), 10_000
	for _, r := range admin(t, w, request).(*kmsg.DeleteRecordsResponse).Topics {
		if code := r.Partitions[0].ErrorCode; code != 0 {
			t.Fatalf("delete records of %s/%d before %d: code %d", topic, partition, before, code)
		}
	}
}

// behindProxy is a deployment on the victim, serve behind its proxy.
func behindProxy(t *testing.T) (*world, *Proxy) {
	t.Helper()
	k, p := victims.hold(t)
	return newWorld(t, setup{brokers: k.Addr(), env: []string{"TIDEMARK_KAFKA_BROKERS=" + p.Addr()}}), p
}

func brokerDown(t *testing.T, s *seen) {
	k, _ := victims.hold(t)
	w := newWorld(t, setup{brokers: k.Addr()})
	w.harm(s, 41, func(i *instance) {
		done(t, k.Kill())
		i.unready()
		lasts(time.Minute)
		done(t, k.Restart())
	})
	s.figure("down for a minute")
}

func brokerStopped(t *testing.T, s *seen) {
	k, _ := victims.hold(t)
	w := newWorld(t, setup{brokers: k.Addr()})
	w.harm(s, 42, func(*instance) {
		done(t, k.Pause())
		lasts(8 * time.Second)
		done(t, k.Resume())
	})
}

func brokerCut(t *testing.T, s *seen) {
	w, p := behindProxy(t)
	w.harm(s, 43, func(i *instance) {
		p.Refuse()
		lasts(8 * time.Second)
		p.Heal()
	})
}

func brokerBlackHole(t *testing.T, s *seen) {
	w, p := behindProxy(t)
	w.harm(s, 44, func(*instance) {
		p.BlackHole()
		lasts(8 * time.Second)
		p.Heal()
	})
}

func brokerAnswersLost(t *testing.T, s *seen) {
	w, p := behindProxy(t)
	before := 0
	w.harm(s, 45, func(*instance) {
		before = p.Lost()
		p.LoseAnswers(15)
		lasts(15 * time.Second)
		p.Heal()
	})
	s.figure("%d answers lost", p.Lost()-before)
}

// commitLost resets the connection of every commit of offsets, by turns before and
// after the broker has seen it.
func commitLost(t *testing.T, s *seen) {
	w, p := behindProxy(t)
	before := 0
	w.harm(s, 50, func(*instance) {
		before = p.Lost()
		p.LoseRequests(offsetCommit)
		eventually(t, time.Minute, func() error {
			if n := p.Lost() - before; n < 6 {
				return errorOf("%d commits were lost, want 6", n)
			}
			return nil
		})
		p.Heal()
	})
	s.figure("%d commits lost", p.Lost()-before)
	if at, want := w.committed(), w.applied(); at != want {
		t.Errorf("the group's offsets add up to %d after the stop, the shards' positions to %d", at, want)
	}
}

// offsetCommit is the key of the request in Kafka's protocol.
const offsetCommit = 8

func retention(t *testing.T, s *seen) {
	w := newWorld(t, setup{})
	i := w.serve()
	tr := w.traffic(usualMix(46))
	w.flowing(20)
	i.stop()
	w.growing(200)
	tr.stop()
	topic := w.cfg.Kafka.Topics.Engagement
	_, next, err := w.bounds(topic)
	done(t, err)
	deleteRecords(t, w, topic, 1, next[1])
	w.start().refuses("input is gone", topic+"/1", "retention was shorter")
	s.figure("exit code 1")
}

// growing waits until so many more records are in the engagement topic.
func (w *world) growing(more int64) {
	w.t.Helper()
	topic := w.cfg.Kafka.Topics.Engagement
	want := w.size(topic) + more
	eventually(w.t, 60*time.Second, func() error {
		if n := w.size(topic); n < want {
			return errorOf("%d records, want %d", n, want)
		}
		return nil
	})
}

func recreated(t *testing.T, s *seen) {
	w := newWorld(t, setup{})
	i := w.serve()
	tr := w.traffic(usualMix(47))
	w.flowing(20)
	tr.stop()
	i.stop()
	deleteTopic(t, w, w.cfg.Kafka.Topics.Intent)
	eventually(t, 30*time.Second, func() error {
		// A topic that is being deleted cannot be made again yet.
		w.createTopics()
		_, next, err := w.bounds(w.cfg.Kafka.Topics.Intent)
		if err == nil && len(next) == 0 {
			err = errorOf("the topic is not there yet")
		}
		return err
	})
	w.start().refuses("log is shorter than what was applied", "the topic was recreated")
	s.figure("exit code 1")
}

func topicMissing(t *testing.T, s *seen) {
	w := newWorld(t, setup{})
	missing := testenv.Name(t, "missing")
	w.start("TIDEMARK_KAFKA_TOPICS_INTENT="+missing).refuses(missing, "topics create")
	s.figure("exit code 1")
}

func partitionsAdded(t *testing.T, s *seen) {
	w := newWorld(t, setup{partitions: 4})
	topics := []string{w.cfg.Kafka.Topics.Engagement, w.cfg.Kafka.Topics.Intent}
	w.harm(s, 48, func(*instance) {
		request := kmsg.NewPtrCreatePartitionsRequest()
		request.TimeoutMillis = 10_000
		for _, topic := range topics {
			item := kmsg.NewCreatePartitionsRequestTopic()
			item.Topic, item.Count = topic, 8
			request.Topics = append(request.Topics, item)
		}
		for _, r := range admin(t, w, request).(*kmsg.CreatePartitionsResponse).Topics {
			if r.ErrorCode != 0 {
				t.Fatalf("add partitions: code %d", r.ErrorCode)
			}
		}
		begun := time.Now()
		for _, topic := range topics {
			eventually(t, time.Minute, func() error {
				_, next, err := w.bounds(topic)
				if err == nil && (len(next) < 8 || next[7] == 0) {
					err = errorOf("nothing in the new partitions of %s yet", topic)
				}
				return err
			})
			w.drainedOnce(topic)
		}
		s.figure("4 partitions of two topics became 8; the new ones are read after %.1f s", time.Since(begun).Seconds())
	})
}

// drainedOnce waits until what a topic holds now is applied, under traffic.
func (w *world) drainedOnce(topic string) {
	w.t.Helper()
	_, next, err := w.bounds(topic)
	done(w.t, err)
	eventually(w.t, time.Minute, func() error {
		store, err := w.openStore()
		if err != nil {
			return err
		}
		defer store.Close() //nolint:errcheck // only read from
		positions, err := store.Positions(w.t.Context())
		if err != nil {
			return err
		}
		for p, end := range next {
			for shard := range positions {
				if at := positions[shard][engine.Partition{Topic: topic, ID: p}]; at < end {
					return errorOf("shard %d stands at %d of partition %d, want %d", shard, at, p, end)
				}
			}
		}
		return nil
	})
}

func lettersMissing(t *testing.T, s *seen) {
	w := newWorld(t, setup{})
	// A name that was never there: a topic that is being deleted may still take writes.
	w.cfg.Kafka.Topics.DeadLetters = testenv.Name(t, "missing")
	w.env = append(w.env, "TIDEMARK_KAFKA_TOPICS_DEAD_LETTERS="+w.cfg.Kafka.Topics.DeadLetters)
	tr := w.traffic(usualMix(49))
	for range 2 {
		i := w.start()
		i.await("publishing fails, it is tried until it works")
		lasts(2 * time.Second)
		i.kill()
		w.beforePoison()
	}
	s.figure("killed twice while it was missing; %d tier changes published meanwhile", w.published())
	w.createTopics()
	i := w.serve()
	s.recovered = w.fresh()
	w.flowing(50)
	tr.stop()
	r := w.verified()
	s.figure("%d unusable, %d dead letters", r.Unusable, r.Letters)
	i.stop()
}

// beforePoison wants no shard to have moved past a record that cannot be used.
func (w *world) beforePoison() {
	w.t.Helper()
	store, err := w.openStore()
	done(w.t, err)
	defer store.Close() //nolint:errcheck // only read from
	positions, err := store.Positions(w.t.Context())
	done(w.t, err)
	first := map[engine.Partition]int64{}
	for _, r := range w.read(w.cfg.Kafka.Topics.Engagement) {
		p := engine.Partition{Topic: r.Topic, ID: r.Partition}
		if _, known := first[p]; !known && len(verify.Accounts(r)) == 0 {
			first[p] = r.Offset
		}
	}
	if len(first) == 0 {
		w.t.Fatal("there is no record that cannot be used")
	}
	for p, offset := range first {
		for shard := range positions {
			if at := positions[shard][p]; at > offset {
				w.t.Errorf("shard %d stands at %d of partition %d, past the bad event at %d", shard, at, p.ID, offset)
			}
		}
	}
}
