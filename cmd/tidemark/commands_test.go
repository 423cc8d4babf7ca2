package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tidemark/streams/sink"
)

// command runs the program in this process.
func command(t *testing.T, environ []string, args ...string) (code int, out, stderr string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(&streams{ctx: context.WithoutCancel(t.Context()), in: strings.NewReader(""), out: &o, err: &e, environ: environ}, args)
	return code, o.String(), e.String()
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"nothing", nil, exitDone, "Usage: tidemark"},
		{"help", []string{"score", "--help"}, exitDone, "--until"},
		{"unknown command", []string{"scroe"}, exitUsage, "scroe"},
		{"missing flag", []string{"score"}, exitUsage, "--events"},
		{"bad instant", []string{"score", "--events", "-", "--until", "soon"}, exitUsage, `--until: "soon" is not an RFC 3339 instant`},
		{"no such file", []string{"score", "--events", "nowhere", "--until", "2026-01-01T00:00:00Z"}, exitUsage, "nowhere"},
		{"no such model", []string{"model", "check", "nowhere.yaml"}, exitUsage, "nowhere.yaml"},
		{"version", []string{"version"}, exitDone, "tidemark dev"},
		{"version as JSON", []string{"version", "--json"}, exitDone, `"version":"dev"`},
		{"reference model", []string{"model", "check", "--date", "2026-11-22"}, exitDone, "is valid, 0 warnings"},
		{"review overdue", []string{"model", "check", "--date", "2027-11-22"}, exitDone, "warning: abm-reference.yaml (built in): reviewed: last on 2026-09-01, due since 2027-05-29"},
		{"show", []string{"model", "show"}, exitDone, "name: abm-reference"},
		{"print", []string{"config", "print"}, exitDone, `addr: "127.0.0.1:8080"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			code, out, stderr := command(t, nil, test.args...)
			if code != test.code || !strings.Contains(out+stderr, test.want) {
				t.Errorf("%v: exit %d, got %q %q, want exit %d and %q", test.args, code, out, stderr, test.code, test.want)
			}
		})
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	_, out, stderr := command(t, []string{"TIDEMARK_REDIS_PASSWORD=hunter2", "TIDEMARK_REDIS_USERNAME=u"}, "config", "print")
	if strings.Contains(out+stderr, "hunter2") || !strings.Contains(out, "<redacted>") {
		t.Errorf("got %s%s, want the password redacted", out, stderr)
	}
}

func TestModelWarnings(t *testing.T) {
	t.Parallel()
	model := writeModel(t, `
name: loose
version: 1
groups: {g: {}}
signals:
  - {name: visit, group: g, match: {type: v}, points: 90, half_life: 7d}
tiers:
  - {name: A, min: 85, mqa: true}
  - {name: C}
`)
	code, out, _ := command(t, nil, "model", "check", model)
	if code != exitDone {
		t.Fatalf("exit %d", code)
	}
	wantText(t, out, "icp: is missing", "signals[0]: visit has neither a limit nor a cap", "signals[0]: visit alone reaches the mqa tier A")
}

// A line that can't be used is told with its place and reason, kept on request,
// and holds up nothing.
func TestScoreTellsLinesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	events := filepath.Join(dir, "events.jsonl")
	day := time.Date(2026, 11, 2, 9, 30, 0, 0, time.UTC)
	lines := [][]byte{
		event("1", "engagement.webinar_attended", day, "acme.example", `{"contact":{"id":"c","title":"CTO"}}`),
		[]byte(`{"specversion":"1.0"`),
		event("3", "engagement.webinar_attended", day, "", `{"contact":{"email":"dana@gmail.com"}}`),
		event("4", "engagement.webinar_attended", day, "acme.example", `{"contact":{"id":"c","title":"CTO"}}`),
	}
	if err := os.WriteFile(events, bytes.Join(lines, []byte("\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	letters := filepath.Join(dir, "letters.jsonl")
	code, out, stderr := command(t, nil, "score", "--events", events, "--until", "2026-11-02T10:00:00Z", "--scores", "-", "--changes", "-", "--dead-letters", letters)
	if code != exitDone {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	wantText(t, stderr, events+":2: malformed", events+":3: no_account", "counted 2,", "unusable 2;")
	wantText(t, out, `{"account":"acme.example","score":42.5,"tier":"C","seq":0,"clock":"2026-11-02T09:30:00.000Z"}`)
	if strings.Contains(stderr, "dana") {
		t.Errorf("got %s, want no e-mail address told", stderr)
	}
	if got := readLines(t, letters); len(got) != 2 || !bytes.Contains(got[0], []byte(`"line":2`)) {
		t.Errorf("got dead letters %s, want lines 2 and 3", got)
	}
}

func TestScoreForgetsIdleAccountsWhereItIsTold(t *testing.T) {
	t.Parallel()
	events := filepath.Join(t.TempDir(), "events.jsonl")
	day := time.Date(2025, 11, 2, 9, 30, 0, 0, time.UTC)
	if err := os.WriteFile(events, event("1", "engagement.webinar_attended", day, "acme.example", `{"contact":{"id":"c","title":"CTO"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for forget, want := range map[string]string{"never": `"account":"acme.example"`, "100d": "", "2w": ""} {
		code, out, stderr := command(t, nil, "score", "--events", events, "--until", "2026-11-02T10:00:00Z", "--scores", "-", "--forget-after", forget)
		if code != exitDone || !strings.Contains(out, want) || want == "" && out != "" {
			t.Errorf("%s: exit %d, got %s%s", forget, code, out, stderr)
		}
	}
	code, _, stderr := command(t, nil, "score", "--events", events, "--until", "2026-11-02T10:00:00Z", "--forget-after", "soon")
	wantText(t, stderr, `--forget-after: "soon" is not a duration`)
	if code != exitUsage {
		t.Errorf("exit %d", code)
	}
}

func TestAccountsOnRealServers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, servers.Kafka(t).Addr(), servers.Redis(t).Addr(), "", 2)
	day := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	w.publish(w.cfg.Kafka.Topics.Profiles, []sink.Message{{Key: []byte("p"), Value: event("p", "account.profile", day, "acme.example",
		`{"attributes":{"employees":800,"industry":"fintech","technologies":["salesforce"],"relationship":"none","country":"DE","revenue_musd":50}}`)}})
	w.publish(w.cfg.Kafka.Topics.Engagement, []sink.Message{{Value: event("e", "engagement.webinar_attended", day, "acme.example",
		`{"contact":{"id":"c","title":"CTO"}}`)}})
	i := w.serve()
	w.drained()
	out := string(w.command("accounts", "explain", "ACME.example", "--at", day.Format(time.RFC3339)))
	wantText(t, out, "acme.example is in tier A with 87.5 points", "industry-fintech 20.0", "25.0 × 1.50, as at most 1.50 of 2.00 count; halves every 14d",
		"1 active person: technical_buyer", "If nothing more happens it leaves tier A on")
	wantText(t, string(w.command("accounts", "get", "acme.example")), `"tier": "A"`, `"demotes_at": "20`, `"next_tier": null`)
	code, _, stderr := command(t, w.env, "accounts", "get", "nobody.example")
	if code != exitFailed {
		t.Errorf("exit %d, want %d", code, exitFailed)
	}
	wantText(t, stderr, fmt.Sprintf("no such account: %q", "nobody.example"))
	i.stop()
}
