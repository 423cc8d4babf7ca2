package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
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
}

// newWeb listens and serves at once: a process that is starting is alive, and says
// that it is not ready. Once it is, notes are sentences about what is not as it should be.
func newWeb(addr string, ready func(context.Context) error, notes func() []string, metrics http.Handler) (*web, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("http.addr: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
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
	mux.Handle("GET /metrics", metrics)
	w := &web{listener, &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}, mux, make(chan error, 1)}
	go func() { w.served <- w.server.Serve(listener) }()
	return w, nil
}

// metricsPage serves metrics. Exemplars are told by OpenMetrics only, so that is spoken,
// to who asks for it, where there are any.
func metricsPage(registry *prometheus.Registry, otel config.OTel) http.Handler {
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: otel.Endpoint != ""})
}

// Handle serves something more from now on.
func (w *web) Handle(pattern string, h http.Handler) { w.mux.Handle(pattern, h) }

// Room serves a room of the API from now on.
func (w *web) Room(r *api.Room) {
	w.mux.Handle(r.Path(), r)
	w.mux.Handle(r.Path()+"/", r)
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
