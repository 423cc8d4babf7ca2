package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"tidemark/deploy/testenv"
	"tidemark/streams/sink"
)

// canary is an e-mail address that must stay where it came in.
const canary = "canary.person@acme.example"

// No address of a person gets into Redis, the log, the metrics, what is published or
// what is said of a dead letter: only the dead letter's own bytes hold it. Nor can who
// reads Redis try addresses on what is kept.
func TestAddressesOfPeopleGoNowhere(t *testing.T) {
	t.Parallel()
	redis := testenv.StartRedisFor(t)
	w := newWorld(t, servers.Kafka(t).Addr(), redis.Addr(), writeModel(t, attendance), 1, "TIDEMARK_PEOPLE_SECRET=a canary's secret", "TIDEMARK_LOG_LEVEL=trace")
	now := time.Now()
	event := func(id, rest string) sink.Message {
		return sink.Message{Value: fmt.Appendf(nil, `{"specversion":"1.0","id":%q,"source":"/t","type":"engagement.webinar_attended","time":%q,%s}`,
			id, now.Format(time.RFC3339Nano), rest)}
	}
	contact := fmt.Sprintf(`"contact":{"email":%q,"title":"CEO"}`, strings.ToUpper(canary[:1])+canary[1:])
	w.publish(w.cfg.Kafka.Topics.Engagement, []sink.Message{
		event("1", fmt.Sprintf(`"subject":"acme.example","data":{%s,"strength":10}`, contact)),
		event("2", fmt.Sprintf(`"data":{%s,"strength":10}`, contact)), // found by its domain
		event("3", fmt.Sprintf(`"subject":"acme.example","data":{"contact":{"id":%q},"strength":10}`, canary)),
		event("4", fmt.Sprintf(`"subject":"acme.example","data":{%s,"strength":%q}`, contact, canary)), // bad
		event("5", fmt.Sprintf(`"subject":"acme.example","data":{"contact":%q}`, canary)),              // bad
		{Key: []byte("acme.example"), Value: fmt.Appendf(nil, `{%q`, canary)},                          // bad
		event("6", fmt.Sprintf(`"data":{"contact":{"email":"%s@gmail.com"}}`, "canary.person")),        // bad: no account
	})
	i := w.serve()
	w.drained()
	for n := range 12 { // up to a crossing
		w.publish(w.cfg.Kafka.Topics.Engagement, []sink.Message{event(fmt.Sprint("more", n), fmt.Sprintf(`"subject":"acme.example","data":{%s,"strength":10}`, contact))})
	}
	w.drained()

	places := map[string][]byte{}
	log, err := os.ReadFile(i.log)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.Get(string(regexp.MustCompile(`http://[0-9.:]+`).Find(log)) + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read from
	if places["metrics"], err = io.ReadAll(response.Body); err != nil {
		t.Fatal(err)
	}
	i.stop()
	if places["log"], err = os.ReadFile(i.log); err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(redis.Dir(), func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			places["redis "+entry.Name()], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(places["redis appendonly.aof.1.incr.aof"], []byte("acme.example")) {
		t.Error("the account is not in Redis's file: the test looks in the wrong place")
	}
	changes := 0
	for _, topic := range []string{w.cfg.Kafka.Topics.TierChanges, w.cfg.Kafka.Topics.AccountTiers} {
		for _, m := range w.read(topic) {
			changes++
			places[topic] = append(append(places[topic], m.Key...), m.Value...)
		}
	}
	if changes == 0 {
		t.Error("nothing was published: the test looks in the wrong place")
	}
	letters := 0
	for _, m := range w.read(w.cfg.Kafka.Topics.DeadLetters) {
		letters++
		for _, h := range m.Headers {
			places["dead letter "+h.Key] = append(places["dead letter "+h.Key], h.Value...)
		}
	}
	if letters != 4 {
		t.Errorf("%d dead letters, want 4", letters)
	}
	for place, text := range places {
		if bytes.Contains(bytes.ToLower(text), []byte("canary.person")) || bytes.Contains(text, []byte("canary's secret")) {
			t.Errorf("%s holds the address or the secret", place)
		}
	}
	wantText(t, w.refused(exitFailed, "TIDEMARK_PEOPLE_SECRET=another"), "people.secret", "another secret", "tidemark rebuild --switch")
	wantText(t, w.refused(exitFailed, "TIDEMARK_PEOPLE_SECRET="), "people.secret")
}
