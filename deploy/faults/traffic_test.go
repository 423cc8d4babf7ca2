package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"tidemark/streams/sink"
)

// longestOutage is for how long traffic waits for Kafka.
const longestOutage = 3 * time.Minute

// mix is what traffic is made of.
type mix struct {
	seed       uint64
	rate       int // events a second
	accounts   int
	duplicates float64 // share of events that come again
	late       float64 // share that is up to 20 s late
	poison     float64 // share that cannot be used
	hot        float64 // share of the first account; 0: as the others
	merges     float64 // share that merges two accounts
	nameless   float64 // share that comes under a bare domain, or says whose that is
}

// usualMix gives an account an event every five seconds: its score then wanders
// about all tiers.
func usualMix(seed uint64) mix {
	return mix{seed: seed, rate: 300, accounts: 1500, duplicates: 0.05, late: 0.03, poison: 0.02}
}

// traffic is paced events with duplicates, late and poison ones. The same seed
// gives the same events, but for their times.
type traffic struct {
	w      *world
	mix    mix
	rng    *rand.Rand
	number int
	recent []sent
	// profiled holds account and instant of each profile: of two at one instant the
	// later one would hold, and no partition says which that is.
	profiled map[string]bool
	merged   map[int]bool // accounts that went into others
	guests   map[int]int  // events under each bare domain
	cancel   context.CancelFunc
	done     sync.WaitGroup
	err      error // why publishing ended; read it after done
}

type sent struct {
	topic   string
	message message
}

type message = sink.Message

// traffic begins to publish until stop.
func (w *world) traffic(m mix) *traffic {
	ctx, cancel := context.WithCancel(w.t.Context())
	tr := w.source(m)
	tr.cancel = cancel
	tr.done.Go(func() { tr.run(ctx) })
	w.t.Cleanup(tr.end)
	return tr
}

// source makes events without publishing them.
func (w *world) source(m mix) *traffic {
	return &traffic{w: w, mix: m, rng: rand.New(rand.NewPCG(m.seed, 1)), profiled: map[string]bool{}, merged: map[int]bool{}, guests: map[int]int{}}
}

func (tr *traffic) end() {
	tr.cancel()
	tr.done.Wait()
}

// stop ends the traffic once what is under way is acknowledged.
func (tr *traffic) stop() {
	tr.w.t.Helper()
	tr.end()
	if tr.err != nil {
		tr.w.t.Fatal(tr.err)
	}
}

func (tr *traffic) run(ctx context.Context) {
	const pace = 50 * time.Millisecond
	ticker := time.NewTicker(pace)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		batch := map[string][]sink.Message{}
		for range max(1, tr.mix.rate*int(pace/time.Millisecond)/1000) {
			s := tr.next(time.Now())
			batch[s.topic] = append(batch[s.topic], s.message)
		}
		for topic, messages := range batch {
			// Not ctx: a batch that is cut off may be there or not.
			publishing, cancel := context.WithTimeout(context.WithoutCancel(ctx), longestOutage)
			tr.err = tr.w.publisher.Publish(publishing, topic, messages)
			if cancel(); tr.err != nil {
				return
			}
		}
	}
}

// next is the next event.
func (tr *traffic) next(now time.Time) sent {
	if n := len(tr.recent); n > 0 && tr.rng.Float64() < tr.mix.duplicates {
		return tr.recent[tr.rng.IntN(n)]
	}
	tr.number++
	s := tr.make(now)
	if tr.recent = append(tr.recent, s); len(tr.recent) > 100 {
		tr.recent = tr.recent[1:]
	}
	return s
}

func (tr *traffic) make(now time.Time) sent {
	t := tr.w.cfg.Kafka.Topics
	id := fmt.Sprintf("e%d", tr.number)
	account := fmt.Sprintf("firm-%d.example", tr.rng.IntN(tr.mix.accounts))
	if tr.rng.Float64() < tr.mix.hot {
		account = "hot.example"
	}
	if tr.rng.Float64() < tr.mix.late {
		now = now.Add(-time.Duration(tr.rng.IntN(20_000)) * time.Millisecond)
	}
	key := []byte(id) // by event and not by account: any partition
	switch p := tr.rng.Float64(); {
	case p < tr.mix.merges:
		if s, ok := tr.merge(id, key, now); ok {
			return s
		}
	case p < tr.mix.merges+tr.mix.nameless:
		return tr.late(id, key, now)
	}
	if tr.rng.Float64() < tr.mix.poison {
		return sent{t.Engagement, sink.Message{Key: key, Value: tr.poison(id, account, now)}}
	}
	topic, typ, data := t.Engagement, "engagement.page_view", tr.contact()
	switch p := tr.rng.Float64(); {
	case p < 0.45:
	case p < 0.6:
		typ = "engagement.webinar"
	case p < 0.63:
		typ = "engagement.unsubscribed"
	case p < 0.68:
		typ = "other.thing" // no signal matches it
	case p < 0.7 && !tr.profiled[account+now.Format(time.StampMilli)]:
		tr.profiled[account+now.Format(time.StampMilli)] = true
		topic, typ = t.Profiles, "account.profile"
		data = fmt.Sprintf(`{"attributes":{"employees":%d}}`, 100*tr.rng.IntN(10))
	default:
		topic, typ = t.Intent, "intent.topic_research"
		data = fmt.Sprintf(`{"strength":%.2f}`, 0.1+tr.rng.Float64())
	}
	return sent{topic, sink.Message{Key: key, Value: event(id, typ, now, account, data)}}
}

// merge has an account go into a later one, once, so that all ways end somewhere.
func (tr *traffic) merge(id string, key []byte, now time.Time) (s sent, ok bool) {
	from := tr.rng.IntN(tr.mix.accounts - 1)
	if tr.merged[from] {
		return s, false
	}
	tr.merged[from] = true
	into := min(from+1+tr.rng.IntN(20), tr.mix.accounts-1)
	data := fmt.Sprintf(`{"into":"firm-%d.example"}`, into)
	return sent{tr.w.cfg.Kafka.Topics.Engagement, sink.Message{Key: key, Value: event(id, "account.merged", now, fmt.Sprintf("firm-%d.example", from), data)}}, true
}

// late is an event under a bare domain, or the profile that says whose domain it is, which
// comes once there are some.
func (tr *traffic) late(id string, key []byte, now time.Time) sent {
	t := tr.w.cfg.Kafka.Topics
	n := tr.rng.IntN(50)
	tr.guests[n]++
	domain, owner := fmt.Sprintf("guest-%d.example", n), fmt.Sprintf("host-%d.example", n)
	if tr.guests[n] == 6 {
		return sent{t.Profiles, sink.Message{Key: key, Value: event(id, "account.profile", now, owner, fmt.Sprintf(`{"domains":[%q]}`, domain))}}
	}
	data := fmt.Sprintf(`{"domain":%q,"contact":{"id":"c%d"}}`, domain, tr.rng.IntN(6))
	return sent{t.Engagement, sink.Message{Key: key, Value: event(id, "engagement.webinar", now, "", data)}}
}

func (tr *traffic) contact() string {
	titles := []string{"CFO", "Lead Engineer", "Intern", "VP Sales"}
	return fmt.Sprintf(`{"contact":{"id":"c%d","title":%q}}`, tr.rng.IntN(6), titles[tr.rng.IntN(len(titles))])
}

func (tr *traffic) poison(id, account string, now time.Time) []byte {
	switch tr.rng.IntN(4) {
	case 0:
		return fmt.Appendf(nil, `{"specversion":"1.0","id":%q`, id)
	case 1:
		return event(id, "engagement.page_view", time.Now().Add(2*time.Hour), account, "{}")
	case 2:
		return event(id, "engagement.page_view", now, "", "{}")
	default:
		return event(id, "engagement.page_view", now, account, `{"strength":11}`)
	}
}
