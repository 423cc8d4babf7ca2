package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"tidemark/streams/sink"
)

// sse is a stream of server-sent events.
type sse struct {
	*bufio.Scanner
	last string // the last id
}

// stream begins to listen, where a stream before it ended or as the query says.
func (w *world) stream(ctx context.Context, address, query, last string) *sse {
	w.t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/api/v1/tier-changes"+query, http.NoBody)
	if err != nil {
		w.t.Fatal(err)
	}
	request.Header.Set("Last-Event-ID", last)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { response.Body.Close() }) //nolint:errcheck // only read from
	if response.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(response.Body)
		w.t.Fatalf("%d: %s", response.StatusCode, body)
	}
	s := &sse{bufio.NewScanner(response.Body), last}
	s.Buffer(nil, 1<<20)
	return s
}

// next is the data of the next event; "" is the end.
func (s *sse) next() string {
	data := ""
	for s.Scan() {
		switch field, value, _ := strings.Cut(s.Text(), ": "); field {
		case "id":
			s.last = value
		case "data":
			data = value
		case "":
			if data != "" {
				return data
			}
		}
	}
	return ""
}

// Listeners that break off and come back with their last id, on either of two instances,
// get each tier change of the log once. A stop ends their streams cleanly.
func TestTierChangesAreStreamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servers.Kafka(t).Addr(), servers.Redis(t).Addr(), writeModel(t, visitors), 3)
	var addresses []string
	var instances []*instance
	for n := range 2 {
		addresses = append(addresses, "127.0.0.1:"+newShell(t).port("8080"))
		instances = append(instances, w.serve("TIDEMARK_HTTP_ADDR="+addresses[n], fmt.Sprint("TIDEMARK_KAFKA_INSTANCE_ID=", n)))
	}
	now := time.Now()
	visits := func(round, n int) {
		var events []sink.Message
		for i := range n {
			account := fmt.Sprintf("firm%d-%d.example", round, i)
			events = append(events, act(account, account, "visit", now))
		}
		w.publish(w.cfg.Kafka.Topics.Engagement, events)
	}
	live := w.stream(t.Context(), addresses[0], "", "")
	const rounds, each = 6, 50
	got, last := []string{}, ""
	for round := range rounds { // each time on the other instance, for as many events as come in a round
		visits(round, each)
		ctx, leave := context.WithCancel(t.Context())
		s := w.stream(ctx, addresses[round%2], "?from=beginning", last)
		for range each {
			data := s.next()
			if data == "" {
				t.Fatalf("round %d: the stream ended: %v", round, s.Err())
			}
			got = append(got, data)
		}
		last = s.last
		leave()
	}
	var want []string
	for _, m := range w.read(w.cfg.Kafka.Topics.TierChanges) {
		want = append(want, string(m.Value))
	}
	seen := []string{}
	for range want {
		seen = append(seen, live.next())
	}
	for name, streamed := range map[string][]string{"in parts": got, "in one": seen} {
		if slices.Sort(streamed); len(want) == len(streamed) {
			slices.Sort(want)
		}
		if !slices.Equal(streamed, want) {
			t.Errorf("%s: got %d tier changes, want the log's %d", name, len(streamed), len(want))
		}
	}
	if status, body := w.http(addresses[0], "/api/v1/tier-changes?from=then"); status != http.StatusBadRequest {
		t.Errorf("a faulty request: %d %s", status, body)
	}
	for _, i := range instances {
		i.stop()
	}
	if data := live.next(); data != "" || live.Err() != nil {
		t.Errorf("after the stop: got %q, %v, want a clean end", data, live.Err())
	}
}
