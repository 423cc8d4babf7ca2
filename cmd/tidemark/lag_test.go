package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"tidemark/deploy/testenv"
	"tidemark/pkg/lag"
	"tidemark/streams/sink"
)

// twoVisits is a model in which the second visit makes an MQA.
const twoVisits = `
name: two-visits
version: 1
groups:
  engagement: {cap: 100}
signals:
  - {name: visit, group: engagement, match: {type: engagement.visit}, points: 40, half_life: never, limit: 2}
tiers:
  - {name: hot, min: 80, mqa: true}
  - {name: cold}
`

func visit(id, account string, at time.Time) sink.Message {
	return sink.Message{Key: []byte(id), Value: event(id, "engagement.visit", at, account, `{}`), Time: at}
}

// late runs `tidemark lag` and returns its exit code, what it says as JSON, and as text.
func (w *world) late(args ...string) (code int, r lag.Report, text string) {
	w.t.Helper()
	run := func(args ...string) (int, []byte) {
		var out, stderr bytes.Buffer
		code := run(&streams{ctx: w.t.Context(), in: strings.NewReader(""), out: &out, err: &stderr, environ: w.env}, append([]string{"lag"}, args...))
		if code != exitDone && code != exitFound {
			w.t.Fatalf("lag: exit %d\n%s", code, stderr.String())
		}
		return code, out.Bytes()
	}
	code, raw := run(append(args, "--json")...)
	if err := json.Unmarshal(raw, &r); err != nil {
		w.t.Fatalf("%v in %s", err, raw)
	}
	_, plain := run(args...)
	return code, r, string(plain)
}

// An instance is killed and events go on coming: who has nothing but Kafka and Redis
// sees which partitions wait and for how long, who would be an MQA, and what to do.
func TestLagOfAKilledInstance(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servers.Kafka(t).Addr(), servers.Redis(t).Addr(), writeModel(t, twoVisits), 3)
	now := time.Now()
	i := w.serve()
	var first []sink.Message
	for _, account := range []string{"near.example", "also-near.example"} {
		first = append(first, visit("first-"+account, account, now))
	}
	w.publish(w.cfg.Kafka.Topics.Engagement, first)
	w.drained()
	if code, r, text := w.late("--window", "1s"); code != exitDone || r.Status != lag.OK || r.Records != 0 || r.Seconds != 0 || r.Risk.Accounts != 0 {
		t.Errorf("drained: exit %d\n%s", code, text)
	}
	i.kill()

	waiting := []sink.Message{visit("second", "near.example", now.Add(-10*time.Minute))}
	for n := range 30 {
		waiting = append(waiting, visit(fmt.Sprint("far-", n), fmt.Sprintf("far-%d.example", n), now.Add(-5*time.Minute)))
	}
	w.publish(w.cfg.Kafka.Topics.Engagement, waiting)
	code, r, text := w.late("--window", "1s")
	if code != exitFound || !r.Late || r.Status != lag.Stop || r.Records != 31 || r.Seconds < 600 {
		t.Errorf("exit %d, %d records for %.0f s, status %s; want 3, 31, 600 or more, STOP\n%s", code, r.Records, r.Seconds, r.Status, text)
	}
	var records int64
	for _, p := range r.Partitions {
		records += p.Records
		if p.Records > 0 && (p.Topic != w.cfg.Kafka.Topics.Engagement || p.Status != lag.Stop || p.Seconds == nil || *p.Seconds < 300) {
			t.Errorf("unexpected: %+v", p)
		}
	}
	if records != 31 {
		t.Errorf("partitions have %d records in all, want 31", records)
	}
	if r.Risk == nil || r.Risk.Accounts != 1 || !slices.Equal(r.Risk.Names, []string{"near.example"}) || r.Risk.Read != 31 || r.Risk.Events != 1 {
		t.Errorf("at risk: %+v, want near.example of 31 events", r.Risk)
	}
	if r.Checkpoint == nil || r.Commit == nil || r.Next.Heading != "TidemarkDown" {
		t.Errorf("checkpoint %v, commit %v, next %+v", r.Checkpoint, r.Commit, r.Next)
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	wantText(t, text, w.cfg.Kafka.Topics.Engagement+"/", "STOP", "accounts at risk: 1", "near.example")
	if last := lines[len(lines)-1]; !strings.HasPrefix(last, "next: ") || !strings.Contains(last, "TidemarkDown") {
		t.Errorf("the last line is %q", last)
	}

	// A sample says that it is one.
	if _, r, _ := w.late("--window", "0s", "--sample", "6"); r.Risk.Read >= 31 || r.Risk.Waiting != 31 || r.Records != 31 {
		t.Errorf("a sample: %+v of %d records", r.Risk, r.Records)
	}

	address := "127.0.0.1:" + newShell(t).port("8080")
	w.serve("TIDEMARK_HTTP_ADDR=" + address)
	w.drained()
	if code, r, text := w.late("--window", "1s"); code != exitDone || r.Records != 0 || r.Late {
		t.Errorf("drained again: exit %d\n%s", code, text)
	}
	// An instance that runs says the same.
	response, err := http.Get("http://" + address + "/api/v1/lag")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read from
	var same lag.Report
	if err := json.NewDecoder(response.Body).Decode(&same); err != nil || response.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("/api/v1/lag: %v, %v", err, response.Header)
	}
	if same.Group != w.cfg.Kafka.Group || len(same.Partitions) != len(r.Partitions) || same.Records != 0 || same.Late || same.Risk == nil {
		t.Errorf("/api/v1/lag says %+v", same)
	}
}

// Where Redis is dead too, Kafka alone tells what waits.
func TestLagWithoutRedis(t *testing.T) {
	t.Parallel()
	redis, err := testenv.StartRedis(testenv.RedisOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := redis.Stop(); err != nil {
			t.Error(err)
		}
	})
	w := newWorld(t, servers.Kafka(t).Addr(), redis.Addr(), writeModel(t, twoVisits), 1)
	i := w.serve()
	w.publish(w.cfg.Kafka.Topics.Engagement, []sink.Message{visit("a", "near.example", time.Now())})
	w.drained()
	i.kill()
	w.publish(w.cfg.Kafka.Topics.Engagement, []sink.Message{visit("b", "near.example", time.Now())})
	if err := redis.Kill(); err != nil {
		t.Fatal(err)
	}
	code, r, text := w.late("--window", "0s")
	if code != exitFound || r.Records != 1 || r.Outbox != nil || r.Risk != nil || len(r.Faults) != 1 || r.Next.Heading != "TidemarkNothingStored" {
		t.Errorf("exit %d, %+v\n%s", code, r, text)
	}
}

// A namespace that nobody served yet is looked at and not made.
func TestLagBeforeTheFirstStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servers.Kafka(t).Addr(), servers.Redis(t).Addr(), writeModel(t, twoVisits), 1)
	w.publish(w.cfg.Kafka.Topics.Engagement, []sink.Message{visit("a", "near.example", time.Now())})
	if code, r, text := w.late("--window", "1s"); code != exitFound || r.Records != 1 || r.Status != lag.Stop {
		t.Errorf("exit %d\n%s", code, text)
	}
	keys, err := servers.Redis(t).Do("KEYS", w.cfg.Namespace+"*")
	if list, ok := keys.([]any); err != nil || !ok || len(list) > 0 {
		t.Errorf("a look left %v (%v)", keys, err)
	}
}
