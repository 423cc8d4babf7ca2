package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tidemark/deploy/testenv"
	"tidemark/pkg/app"
	"tidemark/scoring"
	"tidemark/streams/sink"
)

// A rebuild beside a running instance changes nothing that subscribers see: the
// instance goes on in the new generation by itself, and its history is still the
// one that `score` gives.
func TestRebuildWhileServing(t *testing.T) {
	t.Parallel()
	h := crowd(t, 20)
	w := newWorld(t, servers.Kafka(t).Addr(), servers.Redis(t).Addr(), h.model, 3)
	w.load(h)
	// What was refused when it came does not count when it is read again, and is not refused twice.
	w.publish(w.cfg.Kafka.Topics.Engagement, []sink.Message{
		{Value: []byte("poison")},
		{Value: event("f", "engagement.webinar_attended", time.Now().Add(time.Hour), "future.example", "{}")},
	})
	i := w.serve()
	w.drained()
	out := string(w.command("rebuild"))
	wantText(t, out, "of which 2 cannot be used", "no account stands in another tier", "nothing has changed yet")
	out = string(w.command("rebuild", "--switch"))
	wantText(t, out, "no account stands in another tier", "generation 2 is the live one", "nothing is published", "hold a former state: 1")
	if strings.Contains(out, "another score") {
		t.Errorf("scores differ: %s", out)
	}
	if got := len(w.read(w.cfg.Kafka.Topics.DeadLetters)); got != 2 {
		t.Errorf("got %d dead letters, want 2", got)
	}
	i.await("beginning anew there")
	h = w.more(h)
	w.drained()
	w.equalScore(h)
	w.sameTiers()
	wantText(t, string(w.command("rebuild", "--drop")), "generations removed: 1")
	i.stop()
	i = w.serve()
	w.drained()
	w.equalScore(h)
	i.stop()
}

// When Redis has lost everything, the log gives it all back, with the numbers that
// subscribers know.
func TestRebuildAfterRedisLostEverything(t *testing.T) {
	t.Parallel()
	redis := testenv.StartRedisFor(t)
	h := crowd(t, 10)
	w := newWorld(t, servers.Kafka(t).Addr(), redis.Addr(), h.model, 2)
	w.load(h)
	i := w.serve()
	w.drained()
	i.stop()
	if _, err := redis.Do("FLUSHALL"); err != nil {
		t.Fatal(err)
	}
	// Another number of shards, as this is the occasion for it.
	w.env = override(w.env, []string{"TIDEMARK_REDIS_SHARDS=16"})
	w.cfg.Redis.Shards = 16
	wantText(t, w.refused(exitFailed), "the store is empty", "tidemark rebuild --switch")
	wantText(t, string(w.command("rebuild", "--switch")), "generation 2 is the live one", "nothing is published")
	h = w.more(h)
	i = w.serve()
	w.drained()
	w.equalScore(h)
	w.sameTiers()
	i.stop()
}

// more publishes fresh events of known accounts, enough to move most of them and
// all in one partition, so that their order is certain, and returns the longer history.
func (w *world) more(h history) history {
	w.t.Helper()
	var messages []sink.Message
	for n := range 100 {
		account := head(w.t, h.events[n*len(h.events)/100]).Subject
		for k, typ := range []string{"engagement.webinar_attended", "engagement.email_click", "engagement.case_study_download"} {
			now := time.Now()
			id := fmt.Sprintf("more-%d-%d-%d", len(h.events), n, k)
			messages = append(messages, sink.Message{
				Key: []byte("more"), Value: event(id, typ, now, account, `{"contact":{"id":"c","title":"CFO"}}`), Time: now,
			})
		}
	}
	w.publish(w.cfg.Kafka.Topics.Engagement, messages)
	h.events = slices.Clone(h.events)
	for _, m := range messages {
		h.events = append(h.events, m.Value)
	}
	return h
}

// halfLives is a model of two signals.
func halfLives(t *testing.T, version int, demo, webinar string) string {
	return writeModel(t, fmt.Sprintf(`
name: half-lives
version: %d
groups: {g: {}}
signals:
  - {name: demo, group: g, match: {type: web.demo}, points: 80, half_life: %s, limit: 1}
  - {name: webinar, group: g, match: {type: web.webinar}, points: 65, half_life: %s, limit: 1}
tiers:
  - {name: A, min: 85, mqa: true}
  - {name: B, min: 60}
  - {name: C}
`, version, demo, webinar))
}

// Only true differences are published, under the seqs that follow: here the log
// scored anew with other half-lives leads elsewhere.
func TestRebuildPublishesTrueDifferencesOnly(t *testing.T) {
	t.Parallel()
	now := time.Now()
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	const days = 24 * time.Hour
	w := newWorld(t, servers.Kafka(t).Addr(), servers.Redis(t).Addr(), halfLives(t, 1, "30d", "2d"), 2)
	w.publish(w.cfg.Kafka.Topics.Engagement, []sink.Message{
		{Value: event("1", "web.demo", ago(10*days), "down.example", "{}"), Time: ago(10 * days)},
		{Value: event("2", "web.webinar", ago(10*days), "up.example", "{}"), Time: ago(10 * days)},
		{Value: event("3", "web.demo", ago(time.Hour), "same.example", "{}"), Time: ago(time.Hour)},
	})
	i := w.serve()
	w.drained()
	i.stop()
	before := w.env
	w.env = override(w.env, []string{"TIDEMARK_MODEL=" + halfLives(t, 2, "5d", "600d")})
	out := string(w.command("rebuild", "--switch"))
	wantText(t, out, "2 accounts stand in another tier", "B -> C: 1", "C -> B: 1", "are published now")
	i = w.serve()
	w.drained()
	i.stop()
	w.sameTiers()
	// Who still has the old model does not put it in force again.
	after := w.env
	w.env = before
	wantText(t, w.refused(exitFailed), "half-lives 1 was replaced by half-lives 2")
	w.env = after
	got := map[string][]string{}
	for _, c := range w.changes() {
		got[c.Data.Account] = append(got[c.Data.Account], fmt.Sprintf("%s%s %s", c.Data.From, c.Data.To, c.Data.Cause.Kind))
		if c.Data.Cause.Kind == scoring.CauseRebuild && c.Time.Before(now) {
			t.Errorf("a correction of %s before it was found", c.Time)
		}
	}
	for account, want := range map[string]string{
		"down.example": "[CB event BC rebuild]", "up.example": "[CB event BC decay CB rebuild]", "same.example": "[CB event]",
	} {
		if fmt.Sprint(got[account]) != want {
			t.Errorf("%s: got %v, want %s", account, got[account], want)
		}
	}
	at := time.Now().UnixMilli()
	for account, tier := range map[string]string{"down.example": "C", "up.example": "B", "same.example": "B"} {
		if s, err := app.Lookup(t.Context(), w.cfg, account, at); err != nil || s.Tier != tier || s.Seq != uint64(len(got[account])) {
			t.Errorf("%s: got %+v, %v, want tier %s", account, s, err, tier)
		}
	}
}

// A rebuild that dies in the middle of the switch leaves the former state in
// force; done again, it ends well.
func TestRebuildKilledWhileSwitching(t *testing.T) {
	t.Parallel()
	h := crowd(t, 20)
	w := newWorld(t, servers.Kafka(t).Addr(), servers.Redis(t).Addr(), h.model, 2)
	w.load(h)
	i := w.serve()
	w.drained()
	w.killRebuildAt("waiting for instances to pause")
	h = w.more(h)
	w.drained() // by the former state
	w.killRebuildAt("comparing with what was published")
	h = w.more(h)
	w.drained()
	wantText(t, string(w.command("rebuild", "--switch")), "no account stands in another tier", "nothing is published")
	w.drained()
	w.equalScore(h)
	w.sameTiers()
	i.stop()
}

// killRebuildAt kills a rebuild as it begins a stage.
func (w *world) killRebuildAt(stage string) {
	w.t.Helper()
	path := filepath.Join(w.t.TempDir(), "rebuild.log")
	log, err := os.Create(path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer log.Close() //nolint:errcheck // the command has its own descriptor
	cmd := exec.Command(binary, "rebuild", "--switch")
	cmd.Env = append(os.Environ(), w.env...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	eventually(w.t, 60*time.Second, func() error {
		select {
		case err := <-done:
			text, _ := os.ReadFile(path)
			return fatal{fmt.Errorf("rebuild ended: %w\n%s", err, text)}
		default:
		}
		if text, _ := os.ReadFile(path); !bytes.Contains(text, []byte(stage)) {
			return fmt.Errorf("it has not come to %q:\n%s", stage, text)
		}
		return nil
	})
	cmd.Process.Kill() //nolint:errcheck // it may have ended
	<-done             //nolint:errcheck // however it ended
}
