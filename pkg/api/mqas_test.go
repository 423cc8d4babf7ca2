package api

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"tidemark/pkg/desk"
	"tidemark/pkg/route"
)

// counter is a Desk that counts commands.
type counter struct{ commands int }

func (c *counter) List(context.Context, desk.Filter) ([]*desk.View, error) {
	return []*desk.View{}, nil
}

func (c *counter) Do(context.Context, route.Command, string) (*desk.View, error) {
	c.commands++
	return &desk.View{}, nil
}

func TestAccess(t *testing.T) {
	t.Parallel()
	here, anywhere, known := Access{Local: true}, Access{}, Access{Token: "s3cret"}
	for _, c := range []struct {
		name   string
		access Access
		method string
		host   string
		header string // name: value
		want   int
	}{
		{"a command here", here, "POST", "127.0.0.1:8080", "", 200},
		{"a command here by name", here, "POST", "localhost:8080", "", 200},
		{"a command here by IPv6", here, "POST", "[::1]:8080", "", 200},
		{"a name that was bound to this host", here, "POST", "evil.example:8080", "", 403},
		{"reading by that name", here, "GET", "evil.example", "", 403},
		{"a page of another site", here, "POST", "127.0.0.1:8080", "Sec-Fetch-Site: cross-site", 403},
		{"a page of another origin", here, "POST", "127.0.0.1:8080", "Origin: https://evil.example", 403},
		{"reading from anywhere", anywhere, "GET", "tidemark.inner:8080", "", 200},
		{"a command from anywhere", anywhere, "POST", "tidemark.inner:8080", "", 403},
		{"no token", known, "POST", "tidemark.inner:8080", "", 401},
		{"reading without a token", known, "GET", "127.0.0.1:8080", "", 401},
		{"another token", known, "POST", "tidemark.inner:8080", "Authorization: Bearer s3cre", 401},
		{"another scheme", known, "POST", "tidemark.inner:8080", "Authorization: Basic s3cret", 401},
		{"the token", known, "POST", "tidemark.inner:8080", "Authorization: Bearer s3cret", 200},
		{"the token, from a page", known, "POST", "tidemark.inner:8080", "Sec-Fetch-Site: cross-site", 403},
	} {
		d := &counter{}
		path := MQAsPath
		if c.method == http.MethodPost {
			path += "/acme.example/1/ack"
		}
		r := httptest.NewRequest(c.method, path, http.NoBody)
		r.Host = c.host
		if name, value, ok := strings.Cut(c.header, ": "); ok {
			r.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		MQAs(d, c.access, zerolog.Nop()).ServeHTTP(w, r)
		if w.Code != c.want || (c.want >= 400 && d.commands > 0) || strings.Contains(w.Body.String(), "s3cre") {
			t.Errorf("%s: got %d %s and %d commands, want %d", c.name, w.Code, w.Body, d.commands, c.want)
		}
	}
}

// What is misspelt would otherwise be left out in silence: an MQA would go to whoever is next.
func TestBodiesAreStrict(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]int{
		``: 200, `{}`: 200, `{"to":"dana","force":true}`: 200, `{"too":"dana"}`: 400, `{"to":"dana"} {}`: 400, `[]`: 400, `{"to":1}`: 400,
		`{"reason":"` + strings.Repeat("x", 5000) + `"}`: 400,
	} {
		d := &counter{}
		w := httptest.NewRecorder()
		MQAs(d, Access{Local: true}, zerolog.Nop()).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "http://127.0.0.1"+MQAsPath+"/a/1/reassign", strings.NewReader(body)))
		if w.Code != want || (d.commands > 0) != (want == 200) {
			t.Errorf("%.40s: got %d %s, want %d", body, w.Code, w.Body, want)
		}
	}
}
