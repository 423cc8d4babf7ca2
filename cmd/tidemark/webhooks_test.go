package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// The first secret is the one to come, the second the one in use.
const (
	newSecret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
	oldSecret = "whsec_YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXoxMjM0NTY="
)

// inbox is a receiver that fails at first, in a way of its own for each event, and then
// takes it. It checks signatures and knows events again by their ids.
type inbox struct {
	t      *testing.T
	verify *standardwebhooks.Webhook
	fail   func(n int, w http.ResponseWriter, r *http.Request) bool // true: it failed the n-th event

	mu       sync.Mutex     // guards the rest
	known    map[string]int // by webhook-id, how many of seq 1 were known before
	accepted map[string]string
	firsts   int
	repeats  int
}

func newInbox(t *testing.T, secret string, fail func(int, http.ResponseWriter, *http.Request) bool) *inbox {
	t.Helper()
	verify, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	return &inbox{t: t, verify: verify, fail: fail, known: map[string]int{}, accepted: map[string]string{}}
}

func (i *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // cut off by a crash
	}
	if err := i.verify.Verify(body, r.Header); err != nil {
		i.t.Errorf("signature: %v", err)
	}
	var event struct {
		Type string
		Data struct {
			Account string
			Seq     uint64
		}
	}
	if err := json.Unmarshal(body, &event); err != nil || event.Type != "tidemark.tier.changed" {
		i.t.Errorf("%v in %s", err, body)
	}
	id := r.Header.Get("webhook-id")
	i.mu.Lock()
	n, met := i.known[id]
	if !met {
		n = i.firsts
		i.known[id] = n
		if event.Data.Seq == 1 {
			i.firsts++
		}
	}
	i.mu.Unlock()
	// Only the first of an account fails: those behind it wait.
	if !met && event.Data.Seq == 1 && i.fail != nil && i.fail(n, w, r) {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if _, again := i.accepted[id]; again {
		i.repeats++
	}
	i.accepted[id] = fmt.Sprintf("%s/%d", event.Data.Account, event.Data.Seq)
}

// has wants the events, each once by its id.
func (i *inbox) has(want []change) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	got := map[string]int{}
	for _, event := range i.accepted {
		got[event]++
	}
	for _, c := range want {
		if id := fmt.Sprintf("%s/%d", c.Data.Account, c.Data.Seq); got[id] != 1 {
			return fmt.Errorf("%s was accepted under %d ids, of %d events of %d", id, got[id], len(got), len(want))
		}
	}
	if len(got) != len(want) {
		return fmt.Errorf("%d events were accepted, want %d", len(got), len(want))
	}
	return nil
}

// A receiver that fails in every way, and one that never answers, hold up neither scoring nor
// the good one; serve is killed in between; and in the end each has each event once.
func TestWebhooksReachReceiversThatFail(t *testing.T) {
	t.Parallel()
	end := make(chan struct{})
	good := newInbox(t, newSecret, nil)
	bad := newInbox(t, oldSecret, func(n int, w http.ResponseWriter, r *http.Request) bool {
		switch n % 7 {
		case 0:
			http.Error(w, "no", http.StatusInternalServerError)
		case 1: // no answer in time
			select {
			case <-r.Context().Done():
			case <-end:
			}
		case 2:
			w.Header().Set("Retry-After", "1")
			http.Error(w, "slowly", http.StatusTooManyRequests)
		case 3:
			http.Redirect(w, r, "/inner", http.StatusTemporaryRedirect)
		case 4: // cut off
			panic(http.ErrAbortHandler)
		case 5: // accepted, with a body that does not end
			w.WriteHeader(http.StatusAccepted)
			w.(http.Flusher).Flush()
			return false
		default:
			return false
		}
		return true
	})
	gone := newInbox(t, newSecret, func(n int, w http.ResponseWriter, _ *http.Request) bool {
		if n == 0 {
			http.Error(w, "gone", http.StatusGone)
		}
		return n == 0
	})
	mux := http.NewServeMux()
	mux.Handle("/good", good)
	mux.Handle("/bad", bad)
	mux.Handle("/gone", gone)
	mux.HandleFunc("/silent", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-end:
		}
	})
	for _, path := range []string{"/inner", "/private"} {
		mux.HandleFunc(path, func(http.ResponseWriter, *http.Request) { t.Errorf("%s was reached", path) })
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(end) })

	file := filepath.Join(t.TempDir(), "endpoints.yaml")
	text := strings.NewReplacer("URL", server.URL, "NEW", newSecret, "OLD", oldSecret, "SECURE", strings.Replace(server.URL, "http:", "https:", 1)).Replace(`endpoints:
  - {name: good, url: URL/good, secrets: [NEW, OLD], allow_private: true}
  - {name: bad, url: URL/bad, secrets: [NEW, OLD], allow_private: true, timeout: 500ms, concurrency: 20}
  - {name: gone, url: URL/gone, secrets: [NEW], allow_private: true}
  - {name: silent, url: URL/silent, secrets: [NEW], allow_private: true, timeout: 1m}
  - {name: guarded, url: SECURE/private, secrets: [NEW]}
`)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	h := readHistory(t, "model.yaml", "random").sorted(t)
	w := newWorld(t, servers.Kafka(t).Addr(), servers.Redis(t).Addr(), h.model, 4, "TIDEMARK_WEBHOOKS_FILE="+file)
	i := w.serve()
	i.await(`"message":"following"`)
	i.kill()
	w.load(h) // all at once: what is read while it is loaded depends on which partition was first
	i = w.serve()
	eventually(t, time.Minute, func() error {
		good.mu.Lock()
		defer good.mu.Unlock()
		if len(good.accepted) < 10 {
			return fmt.Errorf("%d events delivered", len(good.accepted))
		}
		return nil
	})
	i.kill()
	i = w.serve()
	w.drained() // while the silent one has not answered once
	w.equalHistory(w.changes(), w.score(h, time.Now()).changes)
	want := w.changes()
	for _, r := range []*inbox{good, bad} {
		eventually(t, time.Minute, func() error { return r.has(want) })
	}
	if got := string(w.command("webhooks", "list")); !strings.Contains(got, "the receiver answered 410 Gone") || !strings.Contains(got, fmt.Sprintf("silent    %d", len(want))) {
		t.Errorf("the list says\n%s", got)
	}
	if got := string(w.command("webhooks", "enable", "gone", "--replay")); !strings.Contains(got, "is enabled") {
		t.Errorf("enable says %s", got)
	}
	w.command("webhooks", "replay", "gone", "--since", "1d") // what came before it was disabled, too
	eventually(t, time.Minute, func() error { return gone.has(want) })
	i.stop()
}
