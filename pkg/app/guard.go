package app

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"tidemark/pkg/config"
	"tidemark/streams/sink"
	"tidemark/streams/source"
)

// guard pauses a topic of which nearly nothing can be used, rather than have all of it
// go to the dead letters: the producer is broken, or a setting is.
//
// Windows of so many inputs follow one another, each of one topic as this instance
// reads it. If of a window guardShare percent are dead letters, nothing more of the
// topic is handed out. After a pause, which doubles each time, a few records of each
// partition are let go as a probe, ten times as many each time up to a window, so that
// a burst is passed in minutes; and one that can be used opens the topic.
//
// What is paused is not lost: positions stay, and the low watermark stays with them,
// so nobody is demoted by time alone while evidence may wait there. The other topics
// flow. Every instance judges for itself, and begins anew when it is started.
type guard struct {
	cfg   config.Guard
	log   zerolog.Logger
	gauge *prometheus.GaugeVec
	now   func() time.Time

	mu     sync.Mutex // guards topics: /readyz looks too
	topics map[string]*guarded
}

// guarded is what the guard knows of a topic.
type guarded struct {
	inputs, dead int // of this window
	reasons      map[string]*blame
	paused       bool
	why          string        // while paused, for people
	pause        time.Duration // the next
	probe        time.Time     // when the next probe is due
	records      int           // that it lets go of each partition
}

// blame is how often a reason came in a window, and for what first.
type blame struct {
	count   int
	example *sink.DeadLetter
}

// guardShare is the percentage of dead letters from which a topic is paused.
const guardShare = 99

// guardProbe is how many records of each partition the first probe lets go, and how
// many times more each further one does.
const guardProbe = 10

// valve is a session as the guard wants it.
type valve interface {
	Allow(topic string, records int)
}

// newGuard makes a guard of topics, or nil where the configuration wants none.
func newGuard(cfg config.Guard, topics []string, r prometheus.Registerer, log zerolog.Logger) *guard {
	gauge := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "tidemark_topic_paused", Help: "1 while nearly all events of the input topic are unusable and this instance does not read on.",
	}, []string{"topic"})
	r.MustRegister(gauge)
	for _, topic := range topics {
		gauge.WithLabelValues(topic).Set(0)
	}
	if cfg.Records == 0 {
		return nil
	}
	return &guard{cfg: cfg, log: log.With().Str("component", "guard").Logger(), gauge: gauge, now: time.Now, topics: map[string]*guarded{}}
}

// begin closes a new session's topics that are paused.
func (g *guard) begin(v valve) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for topic, t := range g.topics {
		if t.paused {
			v.Allow(topic, 0)
		}
	}
}

// note takes what a round held of a topic: how many events, and the dead letters,
// which are acknowledged.
func (g *guard) note(v valve, topic string, events int, dead []any) {
	if g == nil || events+len(dead) == 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.topics[topic]
	if t == nil {
		t = &guarded{pause: g.cfg.Pause}
		g.topics[topic] = t
	}
	if t.paused {
		if events > 0 {
			g.open(v, topic, t)
		}
		return
	}
	t.count(events, dead)
	if t.inputs < g.cfg.Records {
		return
	}
	if t.dead*100 >= t.inputs*guardShare {
		g.close(v, topic, t)
	} else {
		t.pause = g.cfg.Pause // a good window ends the row of pauses
	}
	t.inputs, t.dead, t.reasons = 0, 0, nil
}

func (t *guarded) count(events int, dead []any) {
	t.inputs += events + len(dead)
	t.dead += len(dead)
	for _, d := range dead {
		letter, ok := d.(*sink.DeadLetter)
		if !ok {
			continue
		}
		if t.reasons == nil {
			t.reasons = map[string]*blame{}
		}
		b := t.reasons[letter.Reason]
		if b == nil {
			// Not the letter itself, which holds a record's bytes.
			b = &blame{example: &sink.DeadLetter{Topic: letter.Topic, Partition: letter.Partition, Offset: letter.Offset, Reason: letter.Reason, Message: letter.Message}}
			t.reasons[letter.Reason] = b
		}
		b.count++
	}
}

// close pauses the topic.
func (g *guard) close(v valve, topic string, t *guarded) {
	worst := blame{example: &sink.DeadLetter{Topic: topic}}
	for _, reason := range slices.Sorted(maps.Keys(t.reasons)) {
		if b := t.reasons[reason]; b.count > worst.count {
			worst = *b
		}
	}
	e := worst.example
	place := fmt.Sprintf("%s/%d/%d", e.Topic, e.Partition, e.Offset)
	t.paused = true
	t.why = fmt.Sprintf("topic %s is paused: of its latest %d events %d cannot be used, mostly %s, such as %s", topic, t.inputs, t.dead, e.Reason, place)
	t.records = guardProbe
	g.rest(t)
	v.Allow(topic, 0)
	g.gauge.WithLabelValues(topic).Set(1)
	g.log.Warn().Str("topic", topic).Int("events", t.inputs).Int("dead_letters", t.dead).
		Str("reason", e.Reason).Str("example", place).Str("detail", e.Message).Time("next_probe", t.probe).
		Msg("topic is paused: nearly all its events cannot be used; mend its producer, or the setting that refuses them and start again; " +
			"it goes on by itself when good events come. Demotions by time wait until then; events.guard.records: 0 reads on instead")
}

// rest sets when the next probe is due; the one after waits twice as long.
func (g *guard) rest(t *guarded) {
	t.probe = g.now().Add(t.pause)
	t.pause = min(2*t.pause, max(g.cfg.MaxPause, g.cfg.Pause))
}

// open lets the topic flow again.
func (g *guard) open(v valve, topic string, t *guarded) {
	t.paused, t.why = false, ""
	v.Allow(topic, source.Unlimited)
	g.gauge.WithLabelValues(topic).Set(0)
	g.log.Info().Str("topic", topic).Msg("topic flows again: a probe found events that can be used")
}

// probe lets go a few records of the topics whose pause is over.
func (g *guard) probe(v valve) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for topic, t := range g.topics {
		if t.paused && !g.now().Before(t.probe) {
			g.rest(t)
			v.Allow(topic, t.records)
			t.records = min(guardProbe*t.records, max(g.cfg.Records, guardProbe))
			g.log.Debug().Str("topic", topic).Time("next_probe", t.probe).Msg("paused topic is probed")
		}
	}
}

// state says which topics are paused, a sentence each.
func (g *guard) state() (out []string) {
	if g == nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, t := range g.topics {
		if t.paused {
			out = append(out, t.why)
		}
	}
	slices.SortFunc(out, cmp.Compare)
	return out
}
