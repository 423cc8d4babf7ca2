package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"tidemark/streams/sink"
)

// An account is an MQA from one visit on, and leaves its tier by one bounce.
const visitors = `
name: visitors
version: 3
groups: {engagement: {}}
signals:
  - {name: visit, group: engagement, match: {type: engagement.visit}, points: 60, half_life: never}
  - {name: bounce, group: engagement, match: {type: engagement.bounce}, points: -60, half_life: never}
tiers:
  - {name: A, min: 50, mqa: true}
  - {name: C}
`

// Everybody works always. Deadlines are short, and each test has its own.
const shortClock = `
fallback: ops
clock: {deadline: %s, remind_before: [1s], reassign: {after: 1500ms, times: 1}}
teams: [{id: all, time_zone: UTC}]
reps:
  - {id: ana, teams: [all], weight: 2}
  - {id: bo, teams: [all]}
rules: [{name: all, team: all}]
rejection: {reasons: [{name: not-now, snooze: 1h}]}
`

func act(account, id, kind string, at time.Time) sink.Message {
	return sink.Message{Key: []byte(account), Value: fmt.Appendf(nil,
		`{"specversion":"1.0","id":%q,"source":"/web","type":"engagement.%s","time":%q,"subject":%q,"data":{}}`,
		id, kind, at.UTC().Format(time.RFC3339Nano), account), Time: at}
}

// routed is a deployment that routes MQAs.
func routed(t *testing.T, deadline string) *world {
	t.Helper()
	path := filepath.Join(t.TempDir(), "routing.yaml")
	if err := os.WriteFile(path, fmt.Appendf(nil, shortClock, deadline), 0o600); err != nil {
		t.Fatal(err)
	}
	return newWorld(t, servers.Kafka(t).Addr(), servers.Redis(t).Addr(), writeModel(t, visitors), 2, "TIDEMARK_ROUTING="+path)
}

// mqas runs a command of the binary in this process.
func (w *world) mqas(args ...string) (string, int) {
	w.t.Helper()
	var out bytes.Buffer
	code := run(&streams{ctx: w.t.Context(), in: strings.NewReader(""), out: &out, err: &out, environ: w.env}, args)
	return out.String(), code
}

// mqaStep is an event of mqa-routing.
type mqaStep struct {
	ID   string
	Type string
	Time time.Time
	Data struct {
		Account  string
		Seq      uint64
		N        int
		Step     string
		State    string
		Owner    string
		By       string
		Reason   string
		Deadline time.Time
		Breached bool
	}
}

// lives are the steps of each MQA in order, repeats checked and dropped.
func (w *world) lives() map[string][]mqaStep {
	w.t.Helper()
	out := map[string][]mqaStep{}
	seen := map[string][]byte{}
	for _, m := range w.read(w.cfg.Kafka.Topics.MQARouting) {
		var s mqaStep
		if err := json.Unmarshal(m.Value, &s); err != nil {
			w.t.Fatalf("%v in %s", err, m.Value)
		}
		if before, again := seen[s.ID]; again {
			if !bytes.Equal(before, m.Value) {
				w.t.Errorf("two meanings of %s:\n%s\n%s", s.ID, before, m.Value)
			}
			continue
		}
		seen[s.ID] = m.Value
		w.checkStep(m, s, out[s.life()])
		out[s.life()] = append(out[s.life()], s)
	}
	return out
}

func (s *mqaStep) life() string { return fmt.Sprintf("%s/%d", s.Data.Account, s.Data.Seq) }

// checkStep holds a step against those before it in its MQA's life.
func (w *world) checkStep(m kafka.Message, s mqaStep, before []mqaStep) {
	w.t.Helper()
	switch {
	case string(m.Key) != s.Data.Account, s.ID != fmt.Sprintf("%s/%d", s.life(), s.Data.N):
		w.t.Errorf("%s has key %q and n %d", s.ID, m.Key, s.Data.N)
	case s.Data.N != len(before)+1:
		w.t.Errorf("%s follows %d steps", s.ID, len(before))
	case (s.Data.Step == "opened") != (len(before) == 0):
		w.t.Errorf("%s is %s", s.ID, s.Data.Step)
	case s.Data.Owner == "":
		w.t.Errorf("%s has no owner", s.ID)
	}
	for _, b := range before {
		if b.Data.Step == "closed" || b.Data.Step == s.Data.Step && s.Data.Step != "reassigned" && s.Data.Step != "reminded" {
			w.t.Errorf("%s (%s) follows %s (%s)", s.ID, s.Data.Step, b.ID, b.Data.Step)
		}
	}
}

func names(life []mqaStep) string {
	var out []string
	for _, s := range life {
		out = append(out, s.Data.Step)
	}
	return strings.Join(out, " ")
}

func TestMQAReachesARep(t *testing.T) {
	t.Parallel()
	w := routed(t, "1h")
	address := "127.0.0.1:" + newShell(t).port("8080")
	i := w.serve("TIDEMARK_HTTP_ADDR=" + address)
	i.await(`"message":"routing"`)
	topic, now := w.cfg.Kafka.Topics.Engagement, time.Now()
	accounts := []string{"acme.example", "beta/west", "corp.example"}
	for n, account := range accounts {
		w.publish(topic, []sink.Message{act(account, fmt.Sprint("v", n), "visit", now)})
	}
	eventually(t, 30*time.Second, func() error {
		if out, code := w.mqas("mqas", "list"); code != exitDone || !strings.Contains(out, "3 MQAs") {
			return fmt.Errorf("exit %d: %s", code, out)
		}
		return nil
	})
	if out, code := w.mqas("mqas", "ack", "acme.example", "--by", "ana"); code != exitDone || !strings.HasPrefix(out, "acme.example/1: acknowledged, owner ") {
		t.Errorf("ack: %d, %s", code, out)
	}
	if out, code := w.mqas("mqas", "accept", "nobody.example"); code != exitFailed || !strings.Contains(out, "no such MQA") {
		t.Errorf("accept of nobody: %d, %s", code, out)
	}
	if out, code := w.mqas("mqas", "reject", "acme.example", "--reason", "boring"); code != exitUsage || !strings.Contains(out, "not one of not-now") {
		t.Errorf("reject without a reason: %d, %s", code, out)
	}
	w.overHTTP("http://" + address + "/api/v1/mqas")
	w.publish(topic, []sink.Message{act("acme.example", "b", "bounce", time.Now())})
	eventually(t, 30*time.Second, func() error {
		lives := w.lives()
		for life, want := range map[string]string{
			"acme.example/1": "opened acknowledged closed", "beta/west/1": "opened rejected", "corp.example/1": "opened reassigned",
		} {
			if got := names(lives[life]); got != want {
				return fmt.Errorf("%s: %s, want %s", life, got, want)
			}
		}
		return nil
	})
	if out, code := w.mqas("model", "precision"); code != exitDone || !strings.Contains(out, "visitors v3: 100 % of the MQAs led by visit were rejected (1 of 1 decided, 3 opened): not-now 1") {
		t.Errorf("precision: %d, %s", code, out)
	}
	i.stop()
}

// overHTTP rejects the account with a slash, twice by one key, and reassigns another.
func (w *world) overHTTP(base string) {
	w.t.Helper()
	post := func(path, body, key string) (int, string) {
		request, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, base+path, strings.NewReader(body))
		if err != nil {
			w.t.Fatal(err)
		}
		request.Header.Set("Idempotency-Key", key)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			w.t.Fatal(err)
		}
		defer response.Body.Close() //nolint:errcheck // only read from
		text, err := io.ReadAll(response.Body)
		if err != nil {
			w.t.Fatal(err)
		}
		return response.StatusCode, string(text)
	}
	first, body := post("/beta%2Fwest/1/reject", `{"reason":"not-now","by":"bo"}`, "k1")
	again, same := post("/beta%2Fwest/1/reject", `{"reason":"not-now","by":"bo"}`, "k1")
	if first != http.StatusOK || again != first || body != same || !strings.Contains(body, `"state":"rejected"`) {
		w.t.Errorf("%d %s, again %d %s", first, body, again, same)
	}
	for _, c := range []struct {
		path, body, key string
		want            int
	}{
		{"/beta%2Fwest/1/accept", `{}`, "k1", http.StatusUnprocessableEntity},
		{"/beta%2Fwest/1/accept", `{}`, "k2", http.StatusConflict},
		{"/none.example/1/ack", ``, "k3", http.StatusNotFound},
		{"/corp.example/x/ack", ``, "k4", http.StatusBadRequest},
		{"/corp.example/1/ack", `{"by":`, "k5", http.StatusBadRequest},
		{"/corp.example/1/steal", ``, "k6", http.StatusUnprocessableEntity},
		{"/corp.example/1/reassign", `{"to":"ops"}`, "k7", http.StatusOK},
	} {
		if got, text := post(c.path, c.body, c.key); got != c.want || got >= 400 && !strings.Contains(text, `"type":"about:blank"`) {
			w.t.Errorf("%s %s: %d %s, want %d", c.path, c.body, got, text, c.want)
		}
	}
}

// What is killed at any moment changes no promise: each MQA has one owner, and a
// deadline that nobody kept is told once.
func TestRoutingSurvivesKills(t *testing.T) {
	t.Parallel()
	w := routed(t, "3s")
	topic := w.cfg.Kafka.Topics.Engagement
	i := w.serve()
	i.await(`"message":"routing"`)
	const accounts = 40
	for n := range accounts {
		w.publish(topic, []sink.Message{act(fmt.Sprintf("a%d.example", n), fmt.Sprint("v", n), "visit", time.Now())})
		if n%10 == 9 {
			i.kill()
			i = w.serve()
		}
	}
	answered := map[string]bool{}
	for n := 0; n < accounts; n += 4 {
		account := fmt.Sprintf("a%d.example", n)
		eventually(t, 60*time.Second, func() error {
			if out, code := w.mqas("mqas", "accept", account); code != exitDone {
				return fmt.Errorf("exit %d: %s", code, out)
			}
			return nil
		})
		answered[account+"/1"] = true
		if n%12 == 8 {
			i.kill()
			i = w.serve()
		}
	}
	for _, kill := range []bool{true, true, false} {
		eventually(t, 90*time.Second, func() error { return w.settled(answered, accounts) })
		if kill { // nothing is told again by whoever finds it so
			i.kill()
			i = w.serve()
			i.await(`"message":"routing"`)
		}
	}
	i.stop()
}

// settled says what is still owed: an answer or a breach of each MQA, one of each.
func (w *world) settled(answered map[string]bool, accounts int) error {
	lives := w.lives() // which reports what is doubled or out of order
	if len(lives) != accounts {
		return fmt.Errorf("%d MQAs, want %d", len(lives), accounts)
	}
	for life, steps := range lives {
		accepted, breached := -1, -1
		for at, s := range steps {
			switch s.Data.Step {
			case "accepted":
				accepted = at
			case "breached":
				breached = at
				if s.Time.Before(s.Data.Deadline) {
					return fatal{fmt.Errorf("%s breached at %s, before %s", life, s.Time, s.Data.Deadline)}
				}
			}
		}
		switch {
		case answered[life] && accepted < 0:
			return fmt.Errorf("%s: %s, want it accepted", life, names(steps))
		case !answered[life] && breached < 0:
			return fmt.Errorf("%s: %s, want it breached", life, names(steps))
		case answered[life] && (breached >= 0) != !steps[accepted].Time.Before(steps[accepted].Data.Deadline):
			return fatal{fmt.Errorf("%s: %s, accepted at %s, deadline %s", life, names(steps), steps[accepted].Time, steps[accepted].Data.Deadline)}
		}
	}
	return nil
}
