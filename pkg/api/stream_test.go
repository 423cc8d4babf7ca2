package api

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"tidemark/pkg/live"
)

// script is a Changes that does what it is told.
type script func(from live.From, to live.Listener) error

func (s script) Listen(_ context.Context, from live.From, to live.Listener) error { return s(from, to) }

func TestFaultyStreams(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		path, last string
		err        error
		status     int
		detail     string
	}{
		{"?from=yesterday", "", nil, 400, `from: "yesterday" is neither now nor beginning`},
		{"?since=1", "", nil, 400, "since: is no parameter here; there are: from"},
		{"", "acme/1", nil, 400, `Last-Event-ID: "acme/1" is not the id of an event`},
		{"", "9.9", live.ErrElsewhere, 400, "ahead of the log"},
		{"", "", live.ErrFull, 503, "as many streams"},
		{"", "", live.ErrClosed, 503, "try again"},
		{"", "", errors.New("broker 10.0.0.1 is gone"), 503, "try again"},
	} {
		room := StreamRoom(script(func(live.From, live.Listener) error { return c.err }), Access{Local: true}, zerolog.Nop())
		r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1"+StreamPath+c.path, http.NoBody)
		r.Header.Set("Last-Event-ID", c.last)
		w := httptest.NewRecorder()
		room.ServeHTTP(w, r)
		if w.Code != c.status || !strings.Contains(strings.ReplaceAll(w.Body.String(), `\"`, `"`), c.detail) || strings.Contains(w.Body.String(), "10.0.0.1") {
			t.Errorf("%s %s: got %d %s, want %d …%s…", c.path, c.last, w.Code, w.Body, c.status, c.detail)
		}
	}
}

// What is written is what a browser's EventSource reads.
func TestStreamsAreServerSentEvents(t *testing.T) {
	t.Parallel()
	var began live.From
	room := StreamRoom(script(func(from live.From, to live.Listener) error {
		began = from
		for _, err := range []error{
			to.At(live.Position{1, 2}), to.Take(live.Record{Value: []byte(`{"id":"a/1"}`)}, live.Position{2, 2}), to.Beat(),
			to.Lost(1, 2, 5), to.Take(live.Record{Partition: 1, Value: []byte("two\nlines")}, live.Position{2, 6}),
		} {
			if err != nil {
				return err
			}
		}
		return live.ErrSlow
	}), Access{Local: true}, zerolog.Nop())
	server := httptest.NewServer(room)
	defer server.Close()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+StreamPath+"?from=beginning", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Last-Event-ID", "1.2")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read from
	got, err := io.ReadAll(bufio.NewReader(response.Body))
	if err != nil {
		t.Fatal(err)
	}
	want := "retry: 2000\nid: 1.2\n\n" + "id: 2.2\ndata: {\"id\":\"a/1\"}\n\n" + ":\n\n" +
		"event: lost\ndata: {\"partition\":1,\"from\":2,\"before\":5}\n\n" + "id: 2.6\ndata: two\ndata: lines\n\n"
	if string(got) != want || response.Header.Get("Content-Type") != "text/event-stream" || !response.Close {
		t.Errorf("got %q, %v, want %q", got, response.Header, want)
	}
	if began.Position.String() != "1.2" || !began.Beginning {
		t.Errorf("it began at %+v", began)
	}
}
