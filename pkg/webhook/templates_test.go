package webhook

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tidemark/pkg/outbound"
)

var update = flag.Bool("update", false, "rewrite the golden bodies in testdata")

const upward = `{"specversion":"1.0","id":"acme.example/3","source":"tidemark/tm","type":"tidemark.tier.changed","subject":"acme.example","time":"2026-11-02T09:30:00.123Z","datacontenttype":"application/json","data":{"account":"acme.example","seq":3,"from":"B","to":"A","direction":"up","mqa":true,"score":84.51239847,"threshold":80,"cause":{"kind":"event","id":"e9","source":"/web","type":"engagement.page_view","signals":["pricing-page"]},"demotes_at":"2026-11-05T15:02:00.000Z","receipt":{},"model":{"name":"m","version":1,"hash":"x"},"profile":{"owner":"dana & <co>"}}}`

const downward = `{"specversion":"1.0","id":"we \"quote\".example/4","source":"tidemark/tm","type":"tidemark.tier.changed","subject":"we \"quote\".example","time":"2026-11-05T15:02:00.000Z","datacontenttype":"application/json","data":{"account":"we \"quote\".example","seq":4,"from":"A","to":"C","direction":"down","mqa":false,"score":7,"threshold":null,"cause":{"kind":"decay"},"demotes_at":null,"receipt":{},"model":{"name":"m","version":1,"hash":"x"},"profile":{}}}`

const opened = `{"specversion":"1.0","id":"acme.example/3/1","source":"tidemark/tm","type":"tidemark.mqa.opened","subject":"acme.example","time":"2026-11-02T09:30:00.200Z","datacontenttype":"application/json","data":{"account":"acme.example","seq":3,"n":1,"step":"opened","state":"opened","owner":"lea","team":"emea","rule":"emea","queue_position":2,"deadline":"2026-11-03T09:30:00.123Z","breached":false,"opened_at":"2026-11-02T09:30:00.200Z","crossed_at":"2026-11-02T09:30:00.123Z","tier":"A","score":84.51239847,"signal":"pricing-page","model":{"name":"m","version":1}}}`

const reassigned = `{"specversion":"1.0","id":"acme.example/3/2","source":"tidemark/tm","type":"tidemark.mqa.reassigned","subject":"acme.example","time":"2026-11-02T15:30:00.200Z","datacontenttype":"application/json","data":{"account":"acme.example","seq":3,"n":2,"step":"reassigned","state":"opened","owner":"ana","previous_owner":"lea","team":"emea","rule":"emea","deadline":"2026-11-03T09:30:00.123Z","breached":false,"opened_at":"2026-11-02T09:30:00.200Z","crossed_at":"2026-11-02T09:30:00.123Z","tier":"A","score":84.51239847,"signal":"pricing-page","model":{"name":"m","version":1},"reason":"queue"}}`

// example is the file of endpoints that ships with the program.
func example(t *testing.T) []*Endpoint {
	t.Helper()
	path := filepath.Join("..", "..", "configs", "webhooks", "endpoints.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	endpoints, err := Parse(path, text, func(name string) string {
		switch name {
		case "WAREHOUSE_SECRET":
			return "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
		case "SLACK_URL":
			return "https://hooks.slack.example/services/T0/B0/x"
		}
		return "Bearer token-of-" + strings.ToLower(name)
	})
	if err != nil {
		t.Fatal(err)
	}
	return endpoints
}

// What each endpoint of the example file is sent, headers and all, is as the golden files have it.
func TestBodiesOfTemplates(t *testing.T) {
	t.Parallel()
	for _, e := range example(t) {
		var out strings.Builder
		topic, values := "tier-changes", []string{upward, downward}
		if e.Name == "reps" {
			topic, values = "mqa-routing", []string{opened, reassigned}
		}
		for _, entries := range requests(t, e, topic, values...) {
			m, err := e.message(entries)
			if err != nil {
				t.Fatalf("%s: %v", e.Name, err)
			}
			out.WriteString(e.target.Describe(outbound.Message{ID: m.ID, Body: m.Body}))
		}
		path := filepath.Join("testdata", e.Name+".golden")
		if *update {
			if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if out.String() != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", e.Name, out.String(), want)
		}
	}
}

// requests are events as an endpoint is sent them: together, or each alone.
func requests(t *testing.T, e *Endpoint, topic string, values ...string) (out [][]Entry) {
	t.Helper()
	var all []Entry
	for _, value := range values {
		entry, err := NewEntry(topic, []byte(value))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, entry)
	}
	return slices.Collect(slices.Chunk(all, min(e.batch.max, len(all))))
}

// Without a template a batch is one event whose data are the events.
func TestBatchWithoutTemplate(t *testing.T) {
	t.Parallel()
	endpoints, err := Parse("hooks.yaml", []byte(`endpoints: [{name: lake, url: "https://lake.example", unsigned: true, batch: {max: 10}}]`), nil)
	if err != nil {
		t.Fatal(err)
	}
	sent := requests(t, endpoints[0], "tier-changes", upward, downward)
	m, err := endpoints[0].message(sent[0])
	if err != nil || len(sent) != 1 {
		t.Fatal(sent, err)
	}
	slices.Reverse(sent[0])
	if again, err := endpoints[0].message(sent[0]); err != nil || again.ID != m.ID || string(again.Body) != string(m.Body) {
		t.Errorf("in another order: %s %s, %v", again.ID, again.Body, err)
	}
	for _, want := range []string{`{"type":"tidemark.batch","timestamp":"2026-11-05T15:02:00.000Z","data":[{"type":"tidemark.tier.changed",`, `"id":"acme.example/3"`, `"id":"we \"quote\".example/4"`} {
		if !strings.Contains(string(m.Body), want) {
			t.Errorf("%s has no %s", m.Body, want)
		}
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	for _, e := range example(t) {
		if e.Name == "reps" {
			if e.Wants("tier-changes", []byte(upward)) || !e.Wants("mqa-routing", []byte(opened)) {
				t.Error("reps: the filter lets the wrong events through")
			}
			continue
		}
		if !e.Wants("tier-changes", []byte(upward)) || e.Wants("tier-changes", []byte(downward)) == (e.Name == "sales-channel") {
			t.Errorf("%s: the filter lets the wrong events through", e.Name)
		}
	}
}

func TestFaultsOfFiles(t *testing.T) {
	t.Parallel()
	for keys, want := range map[string]string{
		"{name: A, url: 'https://a.example', unsigned: true}":                                                      "lower-case letters",
		"{name: a, url: 'https://a.example', unsigned: true, filter: 'dat.mqa'}":                                   "unknown name dat",
		"{name: a, url: 'https://a.example', unsigned: true, concurrency: 0}":                                      "concurrency: 0",
		"{name: a, url: 'https://a.example', unsigned: true, max_queue: 0}":                                        "max_queue: 0",
		"{name: a, url: 'https://a.example', unsigned: true}, {name: a, url: 'https://a.example', unsigned: true}": "is the name of endpoints[0] too",
		"{name: a, url: 'https://a.example', unsigned: true, batch: {max: 501}}":                                   "max: 501 is not between 1 and 500",
		"{name: a, url: 'https://a.example', unsigned: true, batch: {max: 2}, template: slack}":                    "does not go through .Events",
		"{name: a, url: 'https://a.example', unsigned: true, filtr: x}":                                            "unknown key",
	} {
		if _, err := Parse("endpoints.yaml", []byte("endpoints: ["+keys+"]"), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", keys, err, want)
		}
	}
}
