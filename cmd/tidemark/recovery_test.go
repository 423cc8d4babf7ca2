package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"tidemark/deploy/testenv"
	"tidemark/pkg/api"
	"tidemark/streams/sink"
)

// crowd is the random example many times over, under other account names, so
// that a crash finds work in hand.
func crowd(t *testing.T, copies int) history {
	t.Helper()
	h := readHistory(t, "model.yaml", "random")
	out := history{model: h.model}
	for n := range copies {
		mark := fmt.Appendf(nil, "copy-%d-firm", n)
		rename := func(lines [][]byte) (renamed [][]byte) {
			for _, line := range lines {
				line = bytes.ReplaceAll(line, []byte(`"firm`), append([]byte(`"`), mark...))
				line = bytes.Replace(line, []byte(`"id":"`), fmt.Appendf(nil, `"id":"%d-`, n), 1)
				renamed = append(renamed, line)
			}
			return renamed
		}
		out.profiles = append(out.profiles, rename(h.profiles)...)
		out.events = append(out.events, rename(h.events)...)
	}
	return out.sorted(t)
}

// A crash at any instant, again and again, changes nothing: the same history is
// published, each seq once or with the same bytes.
func TestKilledAgainAndAgainEndsTheSame(t *testing.T) {
	t.Parallel()
	h := crowd(t, 40)
	w := newWorld(t, servers.Kafka(t).Addr(), servers.Redis(t).Addr(), h.model, 3)
	w.load(h)
	for n := range 4 {
		i := w.serve("TIDEMARK_ENGINE_MAX_BATCH=200")
		i.await(`"message":"partitions assigned"`)
		before := w.published()
		eventually(t, 30*time.Second, func() error {
			if now := w.published(); now < before+int64(50*(n+1)) && now < 4000 {
				return fmt.Errorf("%d tier changes published after %d", now, before)
			}
			return nil
		})
		i.kill()
	}
	i := w.serve()
	w.drained()
	w.equalScore(h)
	w.sameTiers()
	i.stop()
}

// published is how many records tier-changes holds.
func (w *world) published() int64 {
	var n int64
	for _, end := range w.ends(w.cfg.Kafka.Topics.TierChanges) {
		n += end
	}
	return n
}

// sameTiers wants account-tiers to end, for every account, with its last change.
func (w *world) sameTiers() {
	w.t.Helper()
	last := map[string]change{}
	for _, c := range w.changes() {
		if c.Data.Seq > last[c.Data.Account].Data.Seq {
			last[c.Data.Account] = c
		}
	}
	tiers := map[string]kafka.Message{}
	for _, m := range w.read(w.cfg.Kafka.Topics.AccountTiers) {
		tiers[string(m.Key)] = m
	}
	for account, c := range last {
		if !bytes.Equal(tiers[account].Value, c.raw) {
			w.t.Errorf("account-tiers of %s: got %s, want %s", account, tiers[account].Value, c.raw)
		}
	}
}

// Two instances share the partitions; one is stopped, one is killed, and all ends
// as one instance alone would have ended.
func TestTwoInstancesShareAndTakeOver(t *testing.T) {
	t.Parallel()
	h := crowd(t, 40)
	w := newWorld(t, servers.Kafka(t).Addr(), servers.Redis(t).Addr(), h.model, 3)
	third := len(h.events) / 3
	part := func(from, to int) history { return history{model: h.model, events: h.events[from:to]} }
	w.load(history{model: h.model, profiles: h.profiles, events: h.events[:third]})
	a := w.serve("TIDEMARK_KAFKA_INSTANCE_ID=a")
	b := w.serve("TIDEMARK_KAFKA_INSTANCE_ID=b")
	w.load(part(third, 2*third))
	w.drained()
	a.stop()
	c := w.serve("TIDEMARK_KAFKA_INSTANCE_ID=c")
	w.load(part(2*third, len(h.events)))
	b.kill()
	w.drained()
	now := time.Now()
	w.changes() // contiguous, and one meaning to each seq
	want := w.score(h, now)
	// What an account's tier was on the way depends on how far the instances were
	// apart; its score does not.
	for _, s := range want.scores {
		w.wantScore(s, now)
	}
	w.sameTiers()
	c.stop()
}

// A demotion by decay alone is published within a second of its instant.
func TestDemotionByDecayAloneIsOnTime(t *testing.T) {
	t.Parallel()
	model := writeModel(t, `
name: quick
version: 1
groups: {engagement: {}}
signals:
  - {name: visit, group: engagement, match: {type: engagement.page_view}, points: 90, half_life: 2s}
tiers:
  - {name: A, min: 85, mqa: true}
  - {name: B, min: 40}
  - {name: C}
`)
	w := newWorld(t, servers.Kafka(t).Addr(), servers.Redis(t).Addr(), model, 2)
	i := w.serve()
	visit := func(account string, changes int64) {
		w.publish(w.cfg.Kafka.Topics.Engagement, []sink.Message{{Value: event(account, "engagement.page_view", time.Now(), account, "{}")}})
		eventually(t, 60*time.Second, func() error {
			if n := w.published(); n < changes {
				return fmt.Errorf("%d tier changes published, want %d", n, changes)
			}
			return nil
		})
	}
	visit("warm-up.example", 3) // the group is joined and the connections are made
	visit("acme.example", 6)
	for _, m := range w.read(w.cfg.Kafka.Topics.TierChanges) {
		c := parseChange(t, m.Value)
		if c.Data.Account != "acme.example" {
			continue
		}
		t.Logf("%s to %s at %s, published %s later", c.Data.From, c.Data.To, c.Time, m.Time.Sub(c.Time))
		if late := m.Time.Sub(c.Time); late > time.Second || late < -5*time.Millisecond {
			t.Errorf("%s to %s: published %s after its instant", c.Data.From, c.Data.To, late)
		}
	}
	got := w.changes()
	slices.SortFunc(got, func(a, b change) int { return cmp.Compare(a.Data.Seq, b.Data.Seq) })
	tiers := ""
	for _, c := range got {
		if c.Data.Account != "acme.example" {
			continue
		}
		tiers += c.Data.From + c.Data.To + " "
	}
	if tiers != "CA AB BC " {
		t.Errorf("got tiers %s, want CA AB BC", tiers)
	}
	i.stop()
}

// The same on a Redis Cluster, a Sentinel set, an older Kafka, and behind TLS,
// SASL and an ACL user.
func TestOtherServers(t *testing.T) {
	t.Parallel()
	h := readHistory(t, "model.yaml", "random").sorted(t)
	check := func(t *testing.T, w *world) {
		t.Helper()
		w.load(h)
		i := w.serve()
		w.drained()
		w.equalScore(h)
		i.stop()
	}
	t.Run("redis cluster", func(t *testing.T) {
		t.Parallel()
		cluster := testenv.StartRedisClusterFor(t)
		check(t, newWorld(t, servers.Kafka(t).Addr(), join(cluster.Addrs()), h.model, 2))
	})
	t.Run("redis sentinel", func(t *testing.T) {
		t.Parallel()
		sentinel := testenv.StartSentinelFor(t)
		check(t, newWorld(t, servers.Kafka(t).Addr(), join(sentinel.Addrs()), h.model, 2, "TIDEMARK_REDIS_SENTINEL_MASTER="+sentinel.MasterName()))
	})
	t.Run("kafka 3.9 and secure", func(t *testing.T) {
		t.Parallel()
		broker := testenv.StartKafkaFor(t, testenv.KafkaOptions{Version: testenv.Kafka3, Secure: true})
		redis := testenv.StartRedisFor(t, testenv.RedisOptions{TLS: true, User: "tidemark", Password: "secret"})
		check(t, newWorld(t, broker.Addr(), redis.Addr(), h.model, 2,
			"TIDEMARK_REDIS_USERNAME=tidemark", "TIDEMARK_REDIS_PASSWORD=secret", "TIDEMARK_REDIS_TLS_ENABLED=true", "TIDEMARK_REDIS_TLS_CA_FILE="+redis.CAFile(),
			"TIDEMARK_KAFKA_BROKERS="+broker.SecureAddr(), "TIDEMARK_KAFKA_TLS_ENABLED=true", "TIDEMARK_KAFKA_TLS_CA_FILE="+broker.CAFile(),
			"TIDEMARK_KAFKA_SASL_MECHANISM=scram-sha-512", "TIDEMARK_KAFKA_SASL_USERNAME="+broker.User(), "TIDEMARK_KAFKA_SASL_PASSWORD="+broker.Password(),
		))
	})
}

// What can't be used goes to the dead letters with its reason; the good events
// behind it count.
func TestDeadLettersDoNotHoldUpTheGood(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servers.Kafka(t).Addr(), servers.Redis(t).Addr(), "", 1)
	now := time.Now()
	topic := w.cfg.Kafka.Topics.Engagement
	good := func(id string) sink.Message {
		return sink.Message{Value: event(id, "engagement.webinar_attended", now, "acme.example", `{"contact":{"id":"`+id+`","title":"CTO"}}`)}
	}
	bad := []sink.Message{
		{Key: []byte("k"), Value: []byte("{not json"), Headers: []sink.Header{{Key: "trace", Value: []byte("t1")}}},
		{Value: event("f", "engagement.page_view", now.Add(time.Hour), "acme.example", "{}")},
		{Value: event("o", "engagement.page_view", now.AddDate(-2, 0, 0), "acme.example", "{}")},
		{Value: event("n", "engagement.page_view", now, "", "{}")},
		{Value: event("s", "engagement.page_view", now, "acme.example", `{"strength":11}`)},
		{Value: event("big", "engagement.page_view", now, "acme.example", `{"properties":{"x":"`+string(bytes.Repeat([]byte("x"), 300<<10))+`"}}`)},
		{Value: []byte(`{"specversion":"1.0","id":"m","source":"/t","time":"` + now.UTC().Format(time.RFC3339) + `","subject":"a.example"}`)},
		{Value: []byte(`{"specversion":"1.0","id":"t","source":"/t","type":"x","time":"yesterday","subject":"a.example"}`)},
	}
	w.publish(topic, append(append([]sink.Message{good("first")}, bad...), good("last")))
	i := w.serve()
	w.drained()
	reasons := map[string]int{}
	for _, m := range w.read(w.cfg.Kafka.Topics.DeadLetters) {
		for _, h := range m.Headers {
			if h.Key == sink.HeaderReason {
				reasons[string(h.Value)]++
			}
		}
	}
	want := map[string]int{
		"malformed": 1, "future_time": 1, "too_old": 1, "no_account": 1, "bad_attribute": 1, "oversize": 1, "missing_attribute": 1, "bad_time": 1,
	}
	if fmt.Sprint(reasons) != fmt.Sprint(want) {
		t.Errorf("got dead letters %v, want %v", reasons, want)
	}
	var stands api.Account
	out := w.command("accounts", "get", "acme.example")
	if err := json.Unmarshal(out, &stands); err != nil {
		t.Fatal(err)
	}
	if got := stands.Receipt.Groups[1].Signals[0].Intensity; got < 3.9 {
		t.Errorf("got intensity %v, want both good events counted, 4", got)
	}
	i.stop()
}
