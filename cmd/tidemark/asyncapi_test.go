package main

import (
	"bytes"
	"encoding/json"
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
			if !strings.HasPrefix(name, "audience") && !members[property] {
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
	for channel, topic := range map[string]string{"tierChanges": topics.TierChanges, "accountTiers": topics.AccountTiers} {
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
