package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkScoringBesideFailingReceivers prints what receivers that fail in every way
// cost scoring: two deployments on the same servers are measured in turn, one with none
// and one with five of them, each of which is sent every tier change. Run it alone:
// go test -run '^$' -bench ScoringBesideFailingReceivers -benchtime 1000x ./cmd/tidemark
func BenchmarkScoringBesideFailingReceivers(b *testing.B) {
	end := make(chan struct{})
	var asked atomic.Int64
	mux := http.NewServeMux()
	for path, fail := range map[string]http.HandlerFunc{
		"/error":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"/limit":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) },
		"/redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/error", http.StatusFound) },
		"/silent": func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-end:
			}
		},
		"/reset": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			fail(w, r)
		})
	}
	server := httptest.NewServer(mux)
	b.Cleanup(server.Close)
	b.Cleanup(func() { close(end) })
	text := "endpoints:\n"
	for _, name := range []string{"error", "limit", "redirect", "silent", "reset"} {
		text += fmt.Sprintf("  - {name: %s, url: '%s/%s', unsigned: true, allow_private: true, timeout: 2s, concurrency: 20}\n", name, server.URL, name)
	}
	file := filepath.Join(b.TempDir(), "endpoints.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	alone := newStopwatch(b)
	beside := newStopwatch(b, "TIDEMARK_WEBHOOKS_FILE="+file)
	beside.instance.await(`"message":"following"`)
	alone.warm()
	beside.warm()
	pace := time.NewTicker(20 * time.Millisecond)
	defer pace.Stop()
	for b.Loop() {
		for _, s := range []*stopwatch{alone, beside} {
			<-pace.C
			s.took = append(s.took, s.once())
		}
	}
	if asked.Load() < int64(b.N) {
		b.Fatalf("the receivers were asked %d times in %d rounds: this shows nothing", asked.Load(), b.N)
	}
	for _, q := range []float64{0.5, 0.99} {
		b.ReportMetric(alone.at(q), fmt.Sprintf("ms/p%.0f-alone", 100*q))
		b.ReportMetric(beside.at(q), fmt.Sprintf("ms/p%.0f-beside", 100*q))
		b.ReportMetric(beside.at(q)/alone.at(q), fmt.Sprintf("ratio/p%.0f", 100*q))
	}
	b.ReportMetric(float64(asked.Load())/float64(b.N), "failed-attempts/event")
	alone.instance.stop()
	beside.instance.stop()
}
