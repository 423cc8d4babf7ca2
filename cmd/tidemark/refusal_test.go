package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tidemark/deploy/testenv"
	"tidemark/streams/sink"
)

// refused runs serve, wants it to end by itself with a code, and returns what it said.
func (w *world) refused(code int, extra ...string) string {
	w.t.Helper()
	cmd := exec.Command(binary, "serve")
	cmd.Env = append(append(os.Environ(), w.env...), extra...)
	out, err := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != code {
		w.t.Fatalf("serve: %v, exit %d, want %d\n%s", err, got, code, out)
	}
	return string(out)
}

func wantText(t *testing.T, got string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(got, part) {
			t.Errorf("got %q, want it to say %q", got, part)
		}
	}
}

func TestServeRefusesWhatCannotHeal(t *testing.T) {
	t.Parallel()
	t.Run("redis evicts", func(t *testing.T) {
		t.Parallel()
		redis := testenv.StartRedisFor(t, testenv.RedisOptions{Config: []string{"maxmemory 100mb", "maxmemory-policy allkeys-lru"}})
		w := newWorld(t, servers.Kafka(t).Addr(), redis.Addr(), "", 1)
		wantText(t, w.refused(exitFailed), "maxmemory-policy", "allkeys-lru", "noeviction")
	})
	t.Run("wrong password", func(t *testing.T) {
		t.Parallel()
		redis := testenv.StartRedisFor(t, testenv.RedisOptions{User: "tidemark", Password: "right"})
		w := newWorld(t, servers.Kafka(t).Addr(), redis.Addr(), "", 1)
		wantText(t, w.refused(exitFailed, "TIDEMARK_REDIS_USERNAME=tidemark", "TIDEMARK_REDIS_PASSWORD=wrong"), "WRONGPASS", "redis.password")
	})
	t.Run("another number of shards", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, servers.Kafka(t).Addr(), servers.Redis(t).Addr(), "", 1)
		w.serve().stop()
		wantText(t, w.refused(exitFailed, "TIDEMARK_REDIS_SHARDS=32"), "redis.shards", "32", "64")
	})
	t.Run("another group in the namespace", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, servers.Kafka(t).Addr(), servers.Redis(t).Addr(), "", 1)
		w.serve().stop()
		wantText(t, w.refused(exitFailed, "TIDEMARK_KAFKA_GROUP=another"), "namespace", "another")
	})
	t.Run("no topics", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, servers.Kafka(t).Addr(), servers.Redis(t).Addr(), "", 1)
		wantText(t, w.refused(exitFailed, "TIDEMARK_KAFKA_TOPICS_INTENT=nowhere"), "nowhere", "topics create")
	})
	t.Run("redis lost everything", func(t *testing.T) {
		t.Parallel()
		redis := testenv.StartRedisFor(t)
		w := newWorld(t, servers.Kafka(t).Addr(), redis.Addr(), "", 1)
		w.publish(w.cfg.Kafka.Topics.Engagement, []sink.Message{{Value: event("e", "engagement.page_view", time.Now(), "a.example", "{}")}})
		i := w.serve()
		w.drained()
		i.stop()
		if _, err := redis.Do("FLUSHALL"); err != nil {
			t.Fatal(err)
		}
		wantText(t, w.refused(exitFailed), "the store is empty", "tidemark rebuild --switch")
	})
	t.Run("mistakes in the model", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, servers.Kafka(t).Addr(), servers.Redis(t).Addr(), "", 1)
		model := writeModel(t, "name: m\nversion: 1\ngroups: {g: {}}\nsignals:\n  - {name: s, group: h, match: {type: x}, points: 1, half_life: 7 days}\ntiers:\n  - {name: A, min: 200}\n  - {name: C}\n")
		wantText(t, w.refused(exitUsage, "TIDEMARK_MODEL="+model), model+":5:", "signals[0].half_life", `"7 days"`, "a number and a unit")
		model = writeModel(t, "name: m\nversion: 1\ngroups: {g: {}}\nsignals:\n  - {name: s, group: h, match: {type: x}, points: 1, half_life: 7d, limit: 1}\ntiers:\n  - {name: A, min: 200}\n  - {name: C}\n")
		wantText(t, w.refused(exitUsage, "TIDEMARK_MODEL="+model), model+":5:", "signals[0].group", `"h"`, model+":7:", "tiers[0].min", "200")
	})
	t.Run("mistakes in the configuration", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, servers.Kafka(t).Addr(), servers.Redis(t).Addr(), "", 1)
		path := filepath.Join(t.TempDir(), "tidemark.yaml")
		if err := os.WriteFile(path, []byte("kafka:\n  brokrs: [a:1]\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		code := run(&streams{ctx: t.Context(), out: &out, err: &out, environ: w.env}, []string{"config", "check", "-c", path})
		if code != exitUsage {
			t.Errorf("config check: exit %d, want %d", code, exitUsage)
		}
		wantText(t, out.String(), path+":2:", "brokrs", "brokers")
		wantText(t, w.refused(exitUsage, "TIDEMARK_KAFKA_BROKRES=x"), "TIDEMARK_KAFKA_BROKRES", "TIDEMARK_KAFKA_BROKERS")
	})
}

// Servers that are away at the start or go away later are waited for.
func TestServeWaitsForServersThatAreAway(t *testing.T) {
	t.Parallel()
	redis := testenv.StartRedisFor(t)
	broker := testenv.StartKafkaFor(t)
	w := newWorld(t, broker.Addr(), redis.Addr(), "", 1)
	for _, err := range []error{redis.Kill(), broker.Kill()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	i := w.start()
	i.await("redis does not answer")
	if err := redis.Restart(); err != nil {
		t.Fatal(err)
	}
	i.await("kafka does not answer")
	if err := broker.Restart(); err != nil {
		t.Fatal(err)
	}
	i.await(`"message":"partitions assigned"`)
	vp := func(n int) []sink.Message {
		return []sink.Message{{Value: event(fmt.Sprint(n), "engagement.webinar_attended", time.Now(), "a.example", `{"contact":{"id":"x","title":"VP"}}`)}}
	}
	w.publish(w.cfg.Kafka.Topics.Engagement, vp(1))
	w.drained()
	if err := redis.Kill(); err != nil {
		t.Fatal(err)
	}
	w.publish(w.cfg.Kafka.Topics.Engagement, vp(2))
	i.await("does not answer, trying again")
	if err := redis.Restart(); err != nil {
		t.Fatal(err)
	}
	w.drained()
	w.wantScore(scoreOut{Account: "a.example", Score: 37.5}, time.Now())
	i.stop()
}
