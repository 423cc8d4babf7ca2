package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"tidemark/streams/sink"
)

// A topic of nothing but poison is paused, not drained; the other topics flow
// meanwhile; it goes on by itself when good events come, and then nothing is lost.
func TestPoisonedTopicIsPaused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servers.Kafka(t).Addr(), servers.Redis(t).Addr(), writeModel(t, attendance), 1)
	address := "127.0.0.1:" + newShell(t).port("8080")
	settings := []string{
		"TIDEMARK_HTTP_ADDR=" + address, "TIDEMARK_EVENTS_GUARD_RECORDS=100", "TIDEMARK_EVENTS_GUARD_PAUSE=100ms", "TIDEMARK_EVENTS_GUARD_MAX_PAUSE=100ms",
		"TIDEMARK_ENGINE_MAX_BATCH=50", "TIDEMARK_KAFKA_FETCH_BUFFER_EVENTS=100",
	}
	i := w.serve(settings...)
	poisoned, other, now := w.cfg.Kafka.Topics.Engagement, w.cfg.Kafka.Topics.Intent, time.Now()
	var messages []sink.Message
	for n := range 400 {
		messages = append(messages, sink.Message{Value: fmt.Appendf(nil, "{poison %d", n)})
	}
	w.publish(poisoned, messages)
	i.await("topic is paused")
	page := func(path string) string {
		response, err := http.Get("http://" + address + path)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close() //nolint:errcheck // only read from
		text, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d, %v", path, response.StatusCode, err)
		}
		return string(text)
	}
	wantText(t, page("/metrics"), `tidemark_topic_paused{topic="`+poisoned+`"} 1`, `tidemark_topic_paused{topic="`+other+`"} 0`)
	wantText(t, page("/readyz"), "ready\n", "topic "+poisoned+" is paused", "mostly malformed, such as "+poisoned+"/0/")
	if n := w.letters().Matching; n >= 400 {
		t.Errorf("%d of 400 records are dead letters: the topic was drained", n)
	}
	// The other topics flow.
	w.publish(other, []sink.Message{{Value: attended("other", now, "")}})
	eventually(t, 30*time.Second, func() error {
		if n := w.stored("acme.example"); n != 1 {
			return fmt.Errorf("%v events count, want that of the other topic", n)
		}
		return nil
	})
	// Good events come behind the poison. The probes get there.
	w.publish(poisoned, []sink.Message{{Value: attended("good-1", now, "")}, {Value: attended("good-2", now, "")}})
	w.drained()
	i.await("topic flows again")
	if n := w.visits("acme.example"); n != 3 {
		t.Errorf("%v events count, want 3", n)
	}
	if n := w.letters().Matching; n != 400 {
		t.Errorf("%d dead letters, want 400", n)
	}
	wantText(t, page("/metrics"), `tidemark_topic_paused{topic="`+poisoned+`"} 0`)
	i.stop()
	log, err := os.ReadFile(i.log)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(regexp.MustCompile(`"message":"topic is paused`).FindAll(log, -1)); n != 1 {
		t.Errorf("the pause is logged %d times:\n%s", n, strings.Join(strings.Split(string(log), "\n"), "\n"))
	}
}

// stored is visits of an account that may not be known yet.
func (w *world) stored(account string) float64 {
	w.t.Helper()
	if code, _, _ := command(w.t.(*testing.T), w.env, "accounts", "get", account); code != exitDone {
		return 0
	}
	return w.visits(account)
}
