package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"tidemark/pkg/api"
	"tidemark/streams/sink"
)

// openAPI is configs/openapi.yaml, and what a service was found to answer of it.
type openAPI struct {
	t       *testing.T
	doc     *openapi3.T
	router  routers.Router
	base    string
	token   string
	asked   map[string]bool // operations that were answered well
	members map[string]bool
}

func readOpenAPI(t *testing.T, base string) *openAPI {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile(filepath.Join(root, "configs", "openapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	doc.Servers = openapi3.Servers{{URL: base}}
	router, err := legacy.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	return &openAPI{t: t, doc: doc, router: router, base: base, asked: map[string]bool{}, members: map[string]bool{}}
}

// operations are METHOD /path of all that the page names.
func (o *openAPI) operations() []string {
	var out []string
	for path, item := range o.doc.Paths.Map() {
		for method := range item.Operations() {
			out = append(out, method+" "+path)
		}
	}
	slices.Sort(out)
	return out
}

// ask asks the service and holds request and answer against the page.
func (o *openAPI) ask(method, path, body string, want int) []byte {
	o.t.Helper()
	request, err := http.NewRequestWithContext(o.t.Context(), method, o.base+path, strings.NewReader(body))
	if err != nil {
		o.t.Fatal(err)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if o.token != "" {
		request.Header.Set("Authorization", "Bearer "+o.token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		o.t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read from
	got, err := io.ReadAll(response.Body)
	if err != nil {
		o.t.Fatal(err)
	}
	where := fmt.Sprintf("%s %s: %d %s", method, path, response.StatusCode, got)
	if response.StatusCode != want {
		o.t.Fatalf("%s\nwant %d", where, want)
	}
	route, parameters, err := o.router.FindRoute(request)
	if err != nil {
		o.t.Fatalf("%s\nis not in the page: %v", where, err)
	}
	request.Body = io.NopCloser(strings.NewReader(body))
	options := &openapi3filter.Options{IncludeResponseStatus: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc}
	asked := &openapi3filter.RequestValidationInput{Request: request, PathParams: parameters, Route: route, Options: options}
	if err := openapi3filter.ValidateRequest(o.t.Context(), asked); err != nil && want == http.StatusOK {
		o.t.Errorf("%s\nand the page says of the request: %v", where, err)
	}
	err = openapi3filter.ValidateResponse(o.t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: asked, Status: response.StatusCode, Header: response.Header, Body: io.NopCloser(bytes.NewReader(got)), Options: options,
	})
	if err != nil {
		o.t.Errorf("%s\nis not as the page says: %v", where, err)
	}
	if want == http.StatusOK {
		o.asked[route.Method+" "+route.Path] = true
	}
	if strings.Contains(response.Header.Get("Content-Type"), "json") {
		o.note(got)
	}
	return got
}

// stream asks for the stream, whose first event is a tier change as configs/asyncapi.yaml says.
func (o *openAPI) stream() {
	o.t.Helper()
	const operation = "GET /api/v1/tier-changes"
	w := &world{t: o.t}
	data := w.stream(o.t.Context(), strings.TrimPrefix(o.base, "http://"), "?from=beginning", "").next()
	fits(o.t, readAsyncAPI(o.t).schema(o.t, "tierChanged"), []byte(data), map[string]bool{})
	if o.doc.Paths.Value("/api/v1/tier-changes").Get.Responses.Status(http.StatusOK).Value.Content.Get("text/event-stream") == nil {
		o.t.Error("the page does not say that it is a stream of events")
	}
	o.asked[operation] = true
}

// note notes which members an answer has.
func (o *openAPI) note(answer []byte) {
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, value := range v {
				o.members[key] = true
				walk(value)
			}
		case []any:
			for _, item := range v {
				walk(item)
			}
		}
	}
	var v any
	if err := json.Unmarshal(answer, &v); err != nil {
		o.t.Fatalf("%v in %s", err, answer)
	}
	walk(v)
}

// routes are METHOD /path of all that the service says there is.
func (o *openAPI) routes() []string {
	o.t.Helper()
	response, err := http.Get(o.base + "/api")
	if err != nil {
		o.t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read from
	var p api.Problem
	if err := json.NewDecoder(response.Body).Decode(&p); err != nil || response.StatusCode != http.StatusNotFound {
		o.t.Fatalf("%d, %v", response.StatusCode, err)
	}
	out := strings.Split(strings.TrimPrefix(p.Detail, "there is "), ", ")
	slices.Sort(out)
	return out
}

// Every route of a service is in configs/openapi.yaml and the other way round, and what
// the service answers is as the page says, and has all that it names.
func TestOpenAPIIsTrue(t *testing.T) {
	t.Parallel()
	routing := filepath.Join(t.TempDir(), "routing.yaml")
	patient := strings.NewReplacer("deadline: 24s", "deadline: 2h", "after: 1s", "after: 1h").Replace(crowded)
	if err := os.WriteFile(routing, []byte(patient), 0o600); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, servers.Kafka(t).Addr(), servers.Redis(t).Addr(), "", 2, "TIDEMARK_ROUTING="+routing)
	address := "127.0.0.1:" + newShell(t).port("8080")
	i := w.serve("TIDEMARK_HTTP_ADDR=" + address)
	i.await(`"message":"routing"`)
	o := readOpenAPI(t, "http://"+address)
	if got, want := o.routes(), o.operations(); !slices.Equal(got, want) {
		t.Errorf("the service answers\n%q, the page has\n%q", got, want)
	}
	w.activity()
	eventually(t, 60*time.Second, func() error {
		if out, code := w.mqas("mqas", "list"); code != exitDone || !strings.Contains(out, "4 MQAs") {
			return fmt.Errorf("exit %d: %s", code, out)
		}
		return nil
	})
	w.drained()
	o.ask("GET", "/healthz", "", 200)
	o.ask("GET", "/readyz", "", 200)
	o.ask("GET", "/metrics", "", 200)
	o.ask("GET", "/api/v1/lag", "", 200)
	o.ask("GET", "/api/v1/model", "", 200)
	o.ask("GET", "/api/v1/model?of=acme", "", 400)
	o.ask("GET", "/api/v1/accounts?limit=1", "", 200)
	o.ask("GET", "/api/v1/accounts?tier=A&class=bulk", "", 200)
	o.ask("GET", "/api/v1/accounts?limit=501", "", 400)
	for _, account := range []string{"acme.example", "few1.example", "few2.example", "other.example", "machine.example", "old.example"} {
		o.ask("GET", "/api/v1/accounts/"+account+"?changes=5", "", 200)
	}
	o.ask("GET", "/api/v1/accounts/nobody.example", "", 404)
	o.ask("GET", "/api/v1/accounts/acme.example?changes=x", "", 400)
	o.ask("GET", "/api/v1/mqas?state=opened", "", 200)
	o.ask("POST", "/api/v1/mqas/acme.example/2/ack", `{"by":"ana"}`, 200) // from C to B, then to A
	o.ask("POST", "/api/v1/mqas/acme.example/2/accept", "", 200)
	o.ask("POST", "/api/v1/mqas/acme.example/9/ack", `{}`, 404)
	o.ask("POST", "/api/v1/mqas/few1.example/2/reject", `{"reason":"boring"}`, 422)
	o.ask("POST", "/api/v1/mqas/few1.example/2/reject", `{"reason":"not-now","by":"cy"}`, 200)
	o.ask("GET", "/api/v1/mqas", "", 200)
	o.stream()
	for _, operation := range o.operations() {
		if !o.asked[operation] {
			t.Errorf("%s was not asked for", operation)
		}
	}
	o.everyMember()
	i.stop()
}

// everyMember wants every property that a schema names in an answer that was seen.
func (o *openAPI) everyMember() {
	o.t.Helper()
	requested := map[string]bool{"order": true}
	for _, name := range slices.Sorted(maps.Keys(o.doc.Components.Schemas)) {
		for _, property := range slices.Sorted(maps.Keys(o.doc.Components.Schemas[name].Value.Properties)) {
			if !requested[name] && !o.members[property] {
				o.t.Errorf("no answer has %s, which %s names", property, name)
			}
		}
	}
}

// activity makes accounts under the reference model of which all is told: MQAs, one of
// which waits, a profile, a surge, what is held back, a merge.
func (w *world) activity() {
	w.t.Helper()
	at := time.Now().Add(-time.Second)
	n := 0
	add := func(topic, account, kind, data string) {
		n++
		w.publish(topic, []sink.Message{{Key: []byte(account), Value: event(fmt.Sprint("e", n), kind, at.Add(time.Duration(n)*time.Millisecond), account, data)}})
	}
	topics := w.cfg.Kafka.Topics
	for _, account := range []string{"acme.example", "few1.example", "few2.example", "few3.example"} {
		add(topics.Profiles, account, "account.profile",
			`{"attributes":{"employees":800,"industry":"fintech","technologies":["salesforce"],"relationship":"none","country":"DE","revenue_musd":50}}`)
		for range 3 {
			add(topics.Intent, account, "intent.topic_research", `{"contact":{"id":"c1","title":"CTO"}}`)
		}
		add(topics.Engagement, account, "engagement.webinar_attended", `{"contact":{"id":"c2","title":"CFO"}}`)
	}
	add(topics.Engagement, "other.example", "engagement.webinar_attended", `{"contact":{"id":"c","title":"CTO"}}`)
	add(topics.Engagement, "machine.example", "engagement.email_click", `{"contact":{"id":"c"},"properties":{"user_agent":"bot"}}`)
	add(topics.Engagement, "old.example", "engagement.email_open", `{"contact":{"id":"c"}}`)
	add(topics.Profiles, "old.example", "account.merged", `{"into":"new.example"}`)
}
