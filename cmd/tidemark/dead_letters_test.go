package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"tidemark/pkg/api"
	"tidemark/streams/sink"
)

// listing is what `dead-letters list --json` prints.
func (w *world) letters(args ...string) (out listingJSON) {
	w.t.Helper()
	if err := json.Unmarshal(w.command(append([]string{"dead-letters", "list", "--json"}, args...)...), &out); err != nil {
		w.t.Fatal(err)
	}
	return out
}

// attended is an event that counts once for a signal of acme.example.
func attended(id string, at time.Time, more string) []byte {
	return event(id, "engagement.webinar_attended", at, "acme.example", fmt.Sprintf(`{"contact":{"id":%q},"properties":{"x":%q}}`, id, more))
}

// visits is the account's intensity of attended events.
func (w *world) visits(account string) float64 {
	w.t.Helper()
	var stands api.Account
	if err := json.Unmarshal(w.command("accounts", "get", account), &stands); err != nil {
		w.t.Fatal(err)
	}
	for _, g := range stands.Receipt.Groups {
		for _, s := range g.Signals {
			if s.Name == "attended" {
				return s.Intensity
			}
		}
	}
	return 0
}

const attendance = `
name: attendance
version: 1
groups: {engagement: {}}
signals:
  - {name: attended, group: engagement, match: {type: engagement.webinar_attended}, points: 1, half_life: never}
tiers:
  - {name: A, min: 85, mqa: true}
  - {name: C}
`

// The way of an operator: events are dead letters, the list says why, the setting is
// put right, the replay makes each count once, and no further replay counts again.
func TestReplayedLettersCountOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servers.Kafka(t).Addr(), servers.Redis(t).Addr(), writeModel(t, attendance), 2)
	topic, now := w.cfg.Kafka.Topics.Engagement, time.Now().Truncate(time.Millisecond)
	large := strings.Repeat("x", 2<<10)
	messages := []sink.Message{
		{Key: []byte("k"), Value: attended("good", now, ""), Time: now},
		{Value: []byte("{not json\x1b[31m"), Headers: []sink.Header{{Key: "trace", Value: []byte("t1")}}, Time: now},
	}
	for i := range 5 {
		messages = append(messages, sink.Message{Key: fmt.Appendf(nil, "k%d", i), Value: attended(fmt.Sprintf("large-%d", i), now, large), Time: now.Add(-time.Minute)})
	}
	w.publish(topic, messages)
	i := w.serve("TIDEMARK_EVENTS_MAX_BYTES=1KiB")
	w.drained()
	if got := w.visits("acme.example"); got != 1 {
		t.Fatalf("%v events count, want 1", got)
	}
	list := w.letters()
	if want := (groupJSON{Reason: "oversize", Topic: topic, Letters: 5}); list.Matching != 6 || len(list.Summary) != 2 ||
		list.Summary[0].Reason != want.Reason || list.Summary[0].Topic != want.Topic || list.Summary[0].Letters != want.Letters {
		t.Fatalf("got %+v", list)
	}
	wantText(t, string(w.command("dead-letters", "list", "--reason", "oversize", "--limit", "1")), "oversize", "5", "earlier ones: 4, see --limit")
	shown := w.command("dead-letters", "show", w.letters("--reason", "malformed").Letters[0].Original)
	wantText(t, string(shown), `{not json\x1b[31m`, "header    trace: t1", "reason    malformed", "attempts  1")
	if bytes.ContainsRune(shown, 0x1b) {
		t.Errorf("the value reaches the terminal raw: %q", shown)
	}
	i.stop()

	// The cause is gone.
	i = w.serve()
	wantText(t, string(w.command("dead-letters", "replay", "--reason", "oversize", "--dry-run")), "would be written to "+topic+": 5")
	wantText(t, string(w.command("dead-letters", "replay", "--reason", "oversize")), "dead letters that match: 5, replayed before: 0", "replayed now: 5")
	w.drained()
	if got := w.visits("acme.example"); got != 6 {
		t.Fatalf("after the replay %v events count, want 6", got)
	}
	wantText(t, string(w.command("dead-letters", "replay", "--reason", "oversize")), "replayed before: 5", "replayed now: 0")
	// Even written twice, an event counts once.
	wantText(t, string(w.command("dead-letters", "replay", "--reason", "oversize", "--again")), "replayed now: 5")
	w.drained()
	if got := w.visits("acme.example"); got != 6 {
		t.Fatalf("after another replay %v events count, want 6", got)
	}
	// So it does when the whole log is scored again, where the letters' originals stand too.
	rebuilt := string(w.command("rebuild"))
	if wantText(t, rebuilt, "no account stands in another tier"); strings.Contains(rebuilt, "another score") {
		t.Errorf("a rebuild comes to another score:\n%s", rebuilt)
	}
	for _, m := range w.read(topic) {
		if string(m.Key) == "k0" && !m.Time.Equal(now.Add(-time.Minute)) {
			t.Errorf("a replayed record has the timestamp %s, want the original's %s", m.Time, now.Add(-time.Minute))
		}
	}
	// What is bad still is a dead letter again, up to the bound.
	for attempt := 2; attempt <= 5; attempt++ {
		wantText(t, string(w.command("dead-letters", "replay", "--all")), "replayed now: 1")
		w.drained()
		if got := w.letters("--reason", "malformed"); got.Matching != attempt {
			t.Fatalf("attempt %d: %d letters", attempt, got.Matching)
		}
	}
	wantText(t, string(w.command("dead-letters", "replay", "--all")), "it was a dead letter 5 times", "replayed now: 0")
	i.stop()
}

func TestDeadLettersUsage(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"list", "--reason", "odd"}, `--reason: "odd" is not one of [malformed`},
		{[]string{"list", "--since", "soon"}, `--since: "soon" is neither`},
		{[]string{"list", "--limit=-1"}, "--limit: -1 is negative"},
		{[]string{"show", "x"}, `"x" is not TOPIC/PARTITION/OFFSET`},
		{[]string{"replay"}, "say which letters"},
		{[]string{"replay", "--all", "--topic", "x"}, "say which letters"},
	} {
		code, _, stderr := command(t, nil, append([]string{"dead-letters"}, test.args...)...)
		if code != exitUsage {
			t.Errorf("%v: exit %d, want %d", test.args, code, exitUsage)
		}
		wantText(t, stderr, test.want)
	}
}

func TestJSONForTerminals(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := writeJSON(&out, []string{"\u009b31m \x7f \u202e <é> \U000e0041"}); err != nil {
		t.Fatal(err)
	}
	want := "[\n  \"\\u009b31m \\u007f \\u202e <é> \\udb40\\udc41\"\n]\n"
	if out.String() != want {
		t.Errorf("got %s, want %s", out.String(), want)
	}
}
