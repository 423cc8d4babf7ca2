package engine

import (
	"github.com/prometheus/client_golang/prometheus"

	"tidemark/scoring"
)

// Metrics are the engine's figures. Events are counted when their effect is
// stored, so a retry counts nothing twice.
type Metrics struct {
	inputs    [5]prometheus.Counter
	canaries  prometheus.Counter
	crossings map[scoring.CauseKind]prometheus.Counter
	commits   [4]prometheus.Counter
	forgotten [5]prometheus.Counter
	held      *prometheus.CounterVec
	released  prometheus.Counter
}

// NewMetrics registers the engine's figures.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{crossings: map[scoring.CauseKind]prometheus.Counter{}}
	inputs := counters(r, "tidemark_engine_inputs_total", "Inputs by what became of them, counted once stored.", "effect")
	for effect, name := range map[scoring.Effect]string{
		scoring.Counted: "counted", scoring.Duplicate: "duplicate", scoring.Unmatched: "unmatched",
		scoring.Outdated: "outdated", scoring.Unscored: "unscored",
	} {
		m.inputs[effect] = inputs.WithLabelValues(name)
	}
	m.canaries = inputs.WithLabelValues("canary")
	crossings := counters(r, "tidemark_engine_crossings_total", "Tier changes by cause, counted once stored.", "cause")
	for _, c := range []scoring.CauseKind{
		scoring.CauseEvent, scoring.CauseDecay, scoring.CauseProfile, scoring.CauseModel, scoring.CauseErasure, scoring.CauseRebuild,
		scoring.CauseMerge,
	} {
		m.crossings[c] = crossings.WithLabelValues(string(c))
	}
	commits := counters(r, "tidemark_engine_commits_total", "Shard commits by result.", "result")
	for result, name := range map[Result]string{OK: "ok", Stale: "stale", Conflict: "conflict", Failed: "failed"} {
		m.commits[result] = commits.WithLabelValues(name)
	}
	forgotten := counters(r, "tidemark_engine_forgotten_total", "What fell out of the bounded memory of an account, and accounts that were idle for too long.", "what")
	for i, name := range []string{"identity", "window", "person", "account", "held"} {
		m.forgotten[i] = forgotten.WithLabelValues(name)
	}
	m.held = counters(r, "tidemark_held_events_total", "Events of which a rule of the model's holds newly held something back, those of a burst taken back included, counted once stored.", "rule")
	m.released = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "tidemark_held_releases_total", Help: "Releases of what was held of a person, who showed to be human.",
	})
	r.MustRegister(m.released)
	return m
}

func counters(r prometheus.Registerer, name, help, label string) *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	r.MustRegister(v)
	return v
}

// hold has rules of the model's holds shown before they hold anything.
func (m *Metrics) hold(rules []string) {
	for _, name := range rules {
		m.held.WithLabelValues(name)
	}
}

func (m *Metrics) commit(r Result) { m.commits[r].Inc() }

func (m *Metrics) applied(w *work) {
	for effect, n := range w.effects {
		m.inputs[effect].Add(float64(n))
	}
	m.canaries.Add(float64(w.canaries))
	for _, c := range w.crossings {
		m.crossings[c].Inc()
	}
	m.forgotten[0].Add(float64(w.forgotten.Identities))
	m.forgotten[1].Add(float64(w.forgotten.Marks))
	m.forgotten[2].Add(float64(w.forgotten.People))
	m.forgotten[3].Add(float64(w.forgotten.Accounts))
	m.forgotten[4].Add(float64(w.forgotten.Held))
	for i, n := range w.held {
		if n > 0 {
			m.held.WithLabelValues(w.holdRules[i]).Add(float64(n))
		}
	}
	m.released.Add(float64(w.released))
}
