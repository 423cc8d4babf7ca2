package app

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"tidemark/pkg/lag"
)

// keepEvery is the time between two looks of a service at its own lag.
const keepEvery = 10 * time.Second

// keepSample is the most records that a request for the lag reads.
const keepSample = 10_000

// openKeeper has the service watch how late it is, for metrics and for GET /api/v1/lag.
func (s *service) openKeeper() error {
	w, err := newWatcher(s.cfg, s.transport, lagState{Store: s.store, people: s.cfg.People}, zerolog.Nop()) // what fails comes back, and the keeper tells it once
	if err != nil {
		return err
	}
	w.Now = s.now
	s.keeper = lag.NewKeeper(w, lagOptions(s.cfg, 0, keepEvery, keepSample), s.log)
	s.registry.MustRegister(s.keeper)
	s.web.Handle(http.MethodGet, "/api/v1/lag", s.serveLag)
	return nil
}

// serveLag answers as `tidemark lag --json` does. Errors are RFC 9457 problems.
func (s *service) serveLag(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), lagTimeout)
	defer cancel()
	report, err := s.keeper.Report(ctx)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	if err != nil {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusServiceUnavailable)
		_ = encoder.Encode(map[string]any{"type": "about:blank", "title": "the lag cannot be seen", "status": http.StatusServiceUnavailable, "detail": err.Error()})
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = encoder.Encode(report)
}

// registerReady makes readiness a metric: what /readyz would say, asked at each scrape
// while ctx lasts.
func registerReady(ctx context.Context, r prometheus.Registerer, ready func(context.Context) error) {
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tidemark_ready", Help: "1 while the instance takes part: it is in the consumer group, Redis answers and rounds end; else 0.",
	}, func() float64 {
		one, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if ready(one) != nil {
			return 0
		}
		return 1
	}))
}
