package source

import (
	"github.com/prometheus/client_golang/prometheus"

	"tidemark/pkg/engine"
)

// metrics are the source's figures. A record that this process hands out again, as
// when a session ends before it is stored, is counted the first time only. A record
// holds one input or more, so two sums are true of any process:
//
//	records ≤ inputs
//	inputs = what the engine stored, by effect + dead letters + what was not stored here
//
// What was not stored here is 0 unless a crash, a zombie or a rewind made somebody
// read again: then what the shards had stored before is passed over, or another
// instance stores it.
type metrics struct {
	records prometheus.Counter
	events  prometheus.Counter
	dead    prometheus.Counter
}

func newMetrics() *metrics {
	inputs := func(kind string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tidemark_source_inputs_total", Help: "What the records handed out held, each counted once in a process.",
			ConstLabels: prometheus.Labels{"kind": kind},
		})
	}
	return &metrics{
		records: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tidemark_source_records_total", Help: "Records read and handed out, each counted once in a process.",
		}),
		events: inputs("event"), dead: inputs("dead_letter"),
	}
}

// Register makes the figures of the source known: tidemark_source_records_total,
// the records handed out, and tidemark_source_inputs_total, what they held.
func (s *Source) Register(r prometheus.Registerer) {
	r.MustRegister(s.metrics.records, s.metrics.events, s.metrics.dead)
}

// count counts what is handed out for the first time. next are, by partition, the
// offsets after what was handed out so far.
func (m *metrics) count(inputs []Input, next []int64) {
	var records, events, dead int
	for i := 0; i < len(inputs); {
		part, offset := inputs[i].Part, inputs[i].Offset
		fresh := offset >= next[part]
		if fresh {
			records++
			next[part] = offset + 1
		}
		// The inputs of one record stay together.
		for ; i < len(inputs) && inputs[i].Part == part && inputs[i].Offset == offset; i++ {
			switch {
			case !fresh:
			case inputs[i].Event != nil:
				events++
			default:
				dead++
			}
		}
	}
	m.records.Add(float64(records))
	m.events.Add(float64(events))
	m.dead.Add(float64(dead))
}

// handedOut are the offsets after what earlier sessions handed out.
func (s *Source) handedOut(parts []engine.Partition) []int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := make([]int64, len(parts))
	for i, p := range parts {
		next[i] = s.handed[p]
	}
	return next
}

// noteHanded remembers for later sessions what one has handed out.
func (s *Source) noteHanded(parts []engine.Partition, next []int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, at := range next {
		s.handed[parts[i]] = max(s.handed[parts[i]], at)
	}
}
