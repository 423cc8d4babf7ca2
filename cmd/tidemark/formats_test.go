package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"tidemark/deploy/testenv"
	"tidemark/streams/sink"
)

const formatsModel = `
name: formats
version: 1
fit: {rules: [{name: fintech, when: 'industry == "fintech" and employees == 200', points: 20}]}
groups: {g: {}}
signals:
  - {name: visit, group: g, match: {type: visit}, points: 5, half_life: never}
  - {name: demo, group: g, match: {type: segment.track.demo_requested, where: 'properties.seats >= 10'}, points: 10, half_life: never}
  - {name: surge, group: g, match: {type: intent.surge}, points: 7, half_life: never}
tiers: [{name: A, min: 40}, {name: C}]
`

const formatsMapping = `
each: message.rows
events:
  - {id: row.id, source: '"rows"', type: '"intent.surge"', time: day(row.date), domain: row.domain}
`

// formatsWorld has a topic of each format beside the usual ones.
func formatsWorld(t *testing.T, extra ...string) (w *world, calls, rows string) {
	t.Helper()
	mapping := filepath.Join(t.TempDir(), "rows.yaml")
	if err := os.WriteFile(mapping, []byte(formatsMapping), 0o600); err != nil {
		t.Fatal(err)
	}
	calls, rows = testenv.Name(t, "calls"), testenv.Name(t, "rows")
	w = newWorld(t, servers.Kafka(t).Addr(), servers.Redis(t).Addr(), writeModel(t, formatsModel), 2,
		append(extra, fmt.Sprintf("TIDEMARK_KAFKA_INPUTS=%s=segment,%s=mapped:%s", calls, rows, mapping))...)
	return w, calls, rows
}

func batched(events ...[]byte) sink.Message {
	value := []byte("[")
	for i, e := range events {
		if i > 0 {
			value = append(value, ',')
		}
		value = append(value, e...)
	}
	return sink.Message{Value: append(value, ']'), Headers: []sink.Header{{Key: "content-type", Value: []byte("application/cloudevents-batch+json")}}}
}

// standing is an account's score as a command tells it.
func (w *world) standing(account string) float64 {
	w.t.Helper()
	var out struct{ Score float64 }
	if err := json.Unmarshal(w.command("accounts", "get", account), &out); err != nil {
		w.t.Fatal(err)
	}
	return out.Score
}

// letterHeaders are the dead letters there are: their headers, of which the last of a
// key counts, and their values.
func letterHeaders(w *world) (out []map[string]string, values []string) {
	for _, m := range w.read(w.cfg.Kafka.Topics.DeadLetters) {
		headers := map[string]string{}
		for _, h := range m.Headers {
			headers[h.Key] = string(h.Value)
		}
		out, values = append(out, headers), append(values, string(m.Value))
	}
	return out, values
}

func TestEveryFormatOnRealServers(t *testing.T) {
	t.Parallel()
	w, calls, rows := formatsWorld(t)
	csv := filepath.Join(t.TempDir(), "crm.csv")
	if err := os.WriteFile(csv, []byte("account,domains,industry,employees\nacme.example,acme.test,fintech,200\nbirch.example,,retail,5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	day := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	for range 2 { // the second time changes nothing
		got := string(w.command("profiles", "import", csv, "--time", day.Format(time.RFC3339)))
		wantText(t, got, "2 profiles published to "+w.cfg.Kafka.Topics.Profiles)
	}
	batch := batched(event("1", "visit", day, "acme.example", `{}`), event("", "visit", day, "acme.example", `{}`), event("2", "visit", day, "", `{"contact":{"email":"x@acme.test"}}`))
	w.publish(w.cfg.Kafka.Topics.Engagement, []sink.Message{batch})
	w.publish(calls, []sink.Message{{Value: fmt.Appendf(nil,
		`{"type":"track","event":"Demo Requested","messageId":"m","timestamp":%q,"userId":"u","context":{"groupId":"ACME.example"},"properties":{"seats":12}}`, day.Format(time.RFC3339))}})
	w.publish(rows, []sink.Message{{Value: fmt.Appendf(nil, `{"rows":[{"id":1,"date":%q,"domain":"acme.test"},{"id":2,"date":"soon","domain":"acme.test"}]}`, day.AddDate(0, 0, -1).Format(time.DateOnly))}})
	i := w.serve()
	w.drained()
	// The row is older than the profile that says whose its domain is: it goes to the domain itself.
	if got, other := w.standing("acme.example"), w.standing("acme.test"); got != 20+2*5+10 || other != 7 {
		t.Errorf("got scores %v and %v, want 40 and 7", got, other)
	}
	w.publish(w.cfg.Kafka.Topics.Engagement, []sink.Message{batch}) // as a replay does
	w.drained()
	if got := w.standing("acme.example"); got != 40 {
		t.Errorf("got %v after the batch came again, want 40", got)
	}
	headers, values := letterHeaders(w)
	count := map[string]int{}
	for n, h := range headers {
		count[h[sink.HeaderTopic]+" "+h[sink.HeaderReason]]++
		message := h[sink.HeaderMessage]
		switch h[sink.HeaderTopic] {
		case rows:
			if !strings.HasPrefix(message, "item[1]: time: ") || !strings.Contains(values[n], `"id":1`) {
				t.Errorf("got %s of %s", message, values[n])
			}
		default:
			if !strings.HasPrefix(message, "batch[1]: id: ") || values[n] != string(batch.Value) {
				t.Errorf("got %s of %s", message, values[n])
			}
		}
	}
	if len(headers) != 3 || count[w.cfg.Kafka.Topics.Engagement+" missing_attribute"] != 2 || count[rows+" bad_attribute"] != 1 {
		t.Errorf("got dead letters %v", count)
	}
	i.stop()

	sniffed := string(w.command("topics", "sniff", calls))
	wantText(t, sniffed, "configured as segment", "format: segment, which reads 1 of 1", "segment.track.demo_requested  1       1", "matched by demo")
	wantText(t, string(w.command("topics", "sniff", w.cfg.Kafka.Topics.Engagement)), "format: cloudevents, which reads 2 of 2; they hold 4 events", "missing_attribute: 2, the first: batch[1]: id: missing")
	wantText(t, string(w.command("topics", "sniff", rows, "--sample", "1")), "configured as mapped by ", "format: mapped, which reads 1 of 1", "bad_attribute: 1")
	w.env = override(w.env, []string{"TIDEMARK_KAFKA_INPUTS="})
	wantText(t, string(w.command("topics", "sniff", rows)), "it is no input", "format: none", "each: message.rows", "time: day(row.date)", "=mapped:FILE")
	wantText(t, string(w.command("topics", "sniff", calls)), "to read it: TIDEMARK_KAFKA_INPUTS="+calls+"=segment")
	wantText(t, string(w.command("topics", "sniff", w.cfg.Kafka.Topics.Outcomes)), "is empty")
}

var repeats = regexp.MustCompile(`\$\{(.+?)\*(\d+)\}`)

// Each record of the corpus of bad inputs is one dead letter with its reason, and
// every good event between them counts.
func TestBadInputsOnRealServers(t *testing.T) {
	t.Parallel()
	// The corpus is of 2026 and, where it is too old, of 1970.
	w, calls, _ := formatsWorld(t, "TIDEMARK_EVENTS_MAX_AGE=20000d")
	corpus, err := os.ReadFile(filepath.Join("..", "..", "streams", "codec", "testdata", "bad-inputs.txt"))
	if err != nil {
		t.Fatal(err)
	}
	grow := func(quoted string) string {
		text, err := strconv.Unquote(quoted)
		if err != nil {
			t.Fatal(err)
		}
		return repeats.ReplaceAllStringFunc(text, func(s string) string {
			parts := repeats.FindStringSubmatch(s)
			n, _ := strconv.Atoi(parts[2])
			return strings.Repeat(parts[1], n)
		})
	}
	topics := map[string]string{"cloudevents": w.cfg.Kafka.Topics.Engagement, "segment": calls}
	want := map[string]int{}
	now := time.Now().UTC()
	goods := 0
	for line := range strings.Lines(string(corpus)) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), " | ", 5)
		if line[0] == '#' {
			continue
		}
		m := sink.Message{Value: []byte(grow(parts[4]))}
		if len(m.Value) > 900_000 {
			continue // Kafka itself refuses it
		}
		for pair := range strings.SplitSeq(grow(parts[3]), ";") {
			if key, value, found := strings.Cut(pair, "="); found {
				m.Headers = append(m.Headers, sink.Header{Key: key, Value: []byte(value)})
			}
		}
		goods++
		id := fmt.Sprint("good-", goods)
		good := map[string][]byte{
			"cloudevents": event(id, "visit", now, "acme.example", `{}`),
			"segment": fmt.Appendf(nil, `{"type":"track","event":"Demo Requested","messageId":%q,"timestamp":%q,"groupId":"birch.example","properties":{"seats":10}}`,
				id, now.Format(time.RFC3339)),
		}[parts[1]]
		w.publish(topics[parts[1]], []sink.Message{m, {Value: good}})
		want[topics[parts[1]]+" "+parts[2]]++
	}
	i := w.serve()
	w.drained()
	i.stop()
	headers, _ := letterHeaders(w)
	got := map[string]int{}
	for _, h := range headers {
		got[h[sink.HeaderTopic]+" "+h[sink.HeaderReason]]++
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || len(headers) < 60 {
		t.Errorf("got dead letters\n%v, want\n%v", got, want)
	}
	if a, b := w.standing("acme.example"), w.standing("birch.example"); a != 100 || b != 100 {
		t.Errorf("got scores %v and %v, want both at the top", a, b)
	}
}

func TestImportRefusesWithoutAServer(t *testing.T) {
	t.Parallel()
	csv := filepath.Join(t.TempDir(), "crm.csv")
	if err := os.WriteFile(csv, []byte("account,employees:number\nacme.example,many\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{csv}, csv + `:2:14: employees: "many" is not a number`},
		{[]string{csv + "x"}, "no such file"},
		{[]string{csv, "--time", "now"}, `--time: "now" is not an RFC 3339 instant`},
	} {
		code, _, stderr := command(t, nil, append([]string{"profiles", "import"}, test.args...)...)
		if code != exitUsage || !strings.Contains(stderr, test.want) {
			t.Errorf("%v: exit %d, got %q, want %q", test.args, code, stderr, test.want)
		}
	}
	code, _, stderr := command(t, []string{"TIDEMARK_KAFKA_INPUTS=rows=mapped:nowhere.yaml"}, "config", "check")
	if code != exitUsage || !strings.Contains(stderr, "kafka.inputs[0].mapping: read mapping: open nowhere.yaml") {
		t.Errorf("exit %d, got %q", code, stderr)
	}
}
