package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tidemark/pkg/api"
	"tidemark/pkg/config"
)

// web serves health and metrics.
type web struct {
	listener net.Listener
	server   *http.Server
	mux      *http.ServeMux // more may be handled once it can be
	served   chan error

	mu     sync.Mutex // guards what follows
	routes []api.Route
	whole  bool // no more routes will come
}

// newWeb listens and serves at once: a process that is starting is alive, and says
// that it is not ready. Once it is, notes are sentences about what is not as it should be.
func newWeb(addr string, ready func(context.Context) error, notes func() []string, metrics http.Handler) (*web, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("http.addr: %w", err)
	}
	mux := http.NewServeMux()
	w := &web{listener: listener, server: &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}, mux: mux, served: make(chan error, 1)}
	w.Handle(http.MethodGet, "/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	w.Handle(http.MethodGet, "/readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		if err := ready(ctx); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
		for _, note := range notes() {
			fmt.Fprintln(w, note)
		}
	})
	w.Handle(http.MethodGet, "/metrics", metrics.ServeHTTP)
	mux.Handle("/", api.Nowhere(w.Routes))
	go func() { w.served <- w.server.Serve(listener) }()
	return w, nil
}

// metricsPage serves metrics. Exemplars are told by OpenMetrics only, so that is spoken,
// to who asks for it, where there are any.
func metricsPage(registry *prometheus.Registry, otel config.OTel) http.Handler {
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: otel.Endpoint != ""})
}

// Handle serves something more from now on.
func (w *web) Handle(method, path string, h http.HandlerFunc) {
	w.mux.HandleFunc(method+" "+path, h)
	w.add(api.Route{Method: method, Path: path})
}

// Room serves a room of the API from now on.
func (w *web) Room(r *api.Room) {
	w.mux.Handle(r.Path(), r)
	w.mux.Handle(r.Path()+"/", r)
	w.add(r.Routes()...)
}

func (w *web) add(routes ...api.Route) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.routes = append(w.routes, routes...)
}

// Whole says that everything is handled that will be.
func (w *web) Whole() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.whole = true
}

// Routes are all that is answered by now, and whether that is all there will be.
func (w *web) Routes() (routes []api.Route, whole bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.routes), w.whole
}

// Addr is the address that is listened on.
func (w *web) Addr() string { return w.listener.Addr().String() }

// Close ends serving and waits for requests in hand, at most 2 s, though ctx has
// ended.
func (w *web) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	err := w.server.Shutdown(ctx)
	if served := <-w.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
