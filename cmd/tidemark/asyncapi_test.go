package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"tidemark/pkg/config"
	"tidemark/pkg/follow"
	"tidemark/streams/sink"
)

// asyncAPI is configs/asyncapi.yaml: as a tree, and its schemas ready to use.
type asyncAPI struct {
	tree     map[string]any
	compiler *jsonschema.Compiler
}

func readAsyncAPI(t *testing.T) *asyncAPI {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "configs", "asyncapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		t.Fatal(err)
	}
	a := &asyncAPI{tree.(map[string]any), jsonschema.NewCompiler()}
	a.compiler.DefaultDraft(jsonschema.Draft7) // AsyncAPI's own schema object
	if err := a.compiler.AddResource("asyncapi.json", tree); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *asyncAPI) schema(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	s, err := a.compiler.Compile("asyncapi.json#/components/schemas/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (a *asyncAPI) at(path ...string) map[string]any {
	tree := a.tree
	for _, key := range path {
		tree, _ = tree[key].(map[string]any)
	}
	return tree
}

// fits wants an event to be as the schema says, and notes which members it has.
func fits(t *testing.T, s *jsonschema.Schema, event []byte, members map[string]bool) {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(event))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(v); err != nil {
		t.Fatalf("%v\nin %s", err, event)
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, value := range v {
				members[key] = true
				walk(value)
			}
		case []any:
			for _, item := range v {
				walk(item)
			}
		}
	}
	walk(v)
}

// What serve has published is as configs/asyncapi.yaml says, and has all that it names.
func TestAsyncAPIIsTrue(t *testing.T) {
	t.Parallel()
	api := readAsyncAPI(t)
	schema := api.schema(t, "tierChanged")
	members := map[string]bool{}
	for _, example := range []struct{ model, dir string }{{"model.yaml", "stories"}, {"model-edges.yaml", "edges"}} {
		h := readHistory(t, example.model, example.dir).sorted(t)
		w := newWorld(t, servers.Kafka(t).Addr(), servers.Redis(t).Addr(), h.model, 2)
		w.load(h)
		i := w.serve()
		w.drained()
		i.stop()
		for _, topic := range []string{w.cfg.Kafka.Topics.TierChanges, w.cfg.Kafka.Topics.AccountTiers} {
			events := w.read(topic)
			if len(events) == 0 {
				t.Fatalf("%s is empty", topic)
			}
			for _, m := range events {
				fits(t, schema, m.Value, members)
				sameChange(t, m.Value)
			}
		}
	}
	for _, c := range readExampleChanges(t) {
		fits(t, schema, c.raw, members)
	}
	for name, s := range api.at("components", "schemas") {
		properties, _ := s.(map[string]any)["properties"].(map[string]any)
		for _, property := range slices.Sorted(maps.Keys(properties)) {
			if !strings.HasPrefix(name, "audience") && !strings.HasPrefix(name, "mqa") && !members[property] {
				t.Errorf("no event has %s, which %s names", property, name)
			}
		}
	}
}

// readExampleChanges are those of the random history too, which has all kinds of causes.
func readExampleChanges(t *testing.T) []change {
	t.Helper()
	w := &world{t: t, cfg: config.Default()}
	return w.score(readHistory(t, "model.yaml", "random"), time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)).changes
}

// sameChange wants follow.Change to hold all that an event holds.
func sameChange(t *testing.T, event []byte) {
	t.Helper()
	c, err := follow.ParseChange(event)
	if err != nil {
		t.Fatal(err)
	}
	back, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var got, want map[string]any
	for to, text := range map[*map[string]any][]byte{&got: back, &want: event} {
		if err := json.Unmarshal(text, to); err != nil {
			t.Fatal(err)
		}
	}
	gotData, wantData := got["data"].(map[string]any), want["data"].(map[string]any)
	for key, value := range wantData {
		a, _ := json.Marshal(gotData[key])
		b, _ := json.Marshal(value)
		if key != "demotes_at" && string(a) != string(b) {
			t.Errorf("%s: Change has %s of %s, the event %s", c.ID, a, key, b)
		}
	}
}

// The topics of the page are the default ones.
func TestAsyncAPINamesTheTopics(t *testing.T) {
	t.Parallel()
	topics := config.Default().Kafka.Topics
	api := readAsyncAPI(t)
	for channel, topic := range map[string]string{"tierChanges": topics.TierChanges, "accountTiers": topics.AccountTiers, "mqaRouting": topics.MQARouting} {
		c := api.at("channels", channel)
		if c["address"] != topic || api.at("channels", channel, "bindings", "kafka")["topic"] != topic {
			t.Errorf("channel %s is %v, the topic is %s", channel, c["address"], topic)
		}
	}
	refs := 0
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				refs++
				path := strings.Split(strings.TrimPrefix(ref, "#/"), "/")
				if api.at(path...) == nil {
					t.Errorf("%s leads nowhere", ref)
				}
			}
			for _, value := range v {
				walk(value)
			}
		case []any:
			for _, item := range v {
				walk(item)
			}
		}
	}
	walk(api.tree)
	if refs == 0 {
		t.Error("no reference was looked at")
	}
}

// crowded has one rep with a cap of one, so that a second MQA waits for a working day.
const crowded = `
fallback: ops
clock: {deadline: 24s, remind_before: [12s], reassign: {after: 1s, times: 1}, at_breach: fallback}
teams: [{id: all, time_zone: UTC}, {id: few, time_zone: UTC, lead: lea}]
reps:
  - {id: ana, teams: [all]}
  - {id: bo, teams: [all]}
  - {id: cy, teams: [few], cap: 1}
rules:
  - {name: few, when: 'account startsWith "few"', team: few}
  - {name: all, team: all}
rejection: {reasons: [{name: not-now, snooze: 1h}]}
`

// Steps of every kind that serve has published are as configs/asyncapi.yaml says, and
// have all that it names.
func TestAsyncAPIIsTrueOfMQAs(t *testing.T) {
	t.Parallel()
	api := readAsyncAPI(t)
	path := filepath.Join(t.TempDir(), "routing.yaml")
	if err := os.WriteFile(path, []byte(crowded), 0o600); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, servers.Kafka(t).Addr(), servers.Redis(t).Addr(), writeModel(t, visitors), 2, "TIDEMARK_ROUTING="+path)
	i := w.serve()
	i.await(`"message":"routing"`)
	now := time.Now()
	var visits []sink.Message
	for n, account := range []string{"acme.example", "beta.example", "few1.example", "few2.example"} {
		visits = append(visits, act(account, fmt.Sprint("v", n), "visit", now))
	}
	w.publish(w.cfg.Kafka.Topics.Engagement, visits)
	for _, args := range [][]string{
		{"ack", "acme.example", "--by", "ana"}, {"accept", "acme.example"}, {"reject", "few1.example", "--reason", "not-now", "--by", "cy"},
	} {
		eventually(t, 60*time.Second, func() error {
			if out, code := w.mqas(append([]string{"mqas"}, args...)...); code != exitDone {
				return fmt.Errorf("exit %d: %s", code, out)
			}
			return nil
		})
	}
	w.publish(w.cfg.Kafka.Topics.Engagement, []sink.Message{act("acme.example", "b", "bounce", time.Now())})
	steps := api.at("components", "schemas", "mqaStep", "properties", "type")["enum"].([]any)
	schema, members := api.schema(t, "mqaStep"), map[string]bool{}
	eventually(t, 90*time.Second, func() error {
		seen := map[string]bool{}
		for _, m := range w.read(w.cfg.Kafka.Topics.MQARouting) {
			fits(t, schema, m.Value, members)
			var s mqaStep
			if err := json.Unmarshal(m.Value, &s); err != nil {
				return fatal{err}
			}
			seen[s.Type] = true
		}
		for _, step := range steps {
			if !seen[step.(string)] {
				return fmt.Errorf("no %s", step)
			}
		}
		return nil
	})
	i.stop()
	for _, name := range []string{"mqaStep", "mqa"} {
		for _, property := range slices.Sorted(maps.Keys(api.at("components", "schemas", name, "properties"))) {
			if !members[property] {
				t.Errorf("no event has %s, which %s names", property, name)
			}
		}
	}
}
