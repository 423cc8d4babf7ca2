package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"tidemark/pkg/console"
	"tidemark/pkg/embedded/traffic"
	"tidemark/scoring"
	"tidemark/streams/tail"
)

// watch turns the records of tier-changes into what the view shows, as any other
// subscriber would: it drops repeats by seq.
type watch struct {
	view    *console.View
	pacer   *traffic.Pacer
	speed   time.Duration
	tiers   []string
	explain func(account string, at time.Time) string

	mu       sync.Mutex // guards what follows
	seqs     map[string]uint64
	accounts map[string]int // by tier
	changes  int
	ups      int
	mqas     int
}

func newWatch(v *console.View, p *traffic.Pacer, tiers []scoring.TierSpec, speed time.Duration) *watch {
	w := &watch{view: v, pacer: p, speed: speed, seqs: map[string]uint64{}, accounts: map[string]int{}}
	for _, t := range tiers {
		w.tiers = append(w.tiers, t.Name)
	}
	w.accounts[w.tiers[len(w.tiers)-1]] = len(p.World.Firms())
	return w
}

// tierChange is what the view needs of a tier change.
type tierChange struct {
	Time time.Time `json:"time"`
	Data struct {
		Account   string        `json:"account"`
		Seq       uint64        `json:"seq"`
		From      string        `json:"from"`
		To        string        `json:"to"`
		Direction string        `json:"direction"`
		MQA       bool          `json:"mqa"`
		Score     float64       `json:"score"`
		Cause     scoring.Cause `json:"cause"`
	} `json:"data"`
}

// take shows one record.
func (w *watch) take(r tail.Record) error {
	var c tierChange
	if err := json.Unmarshal(r.Value, &c); err != nil {
		return fmt.Errorf("%s/%d@%d: %w", r.Topic, r.Partition, r.Offset, err)
	}
	firstMQA, fresh := w.count(&c)
	if !fresh {
		return nil
	}
	w.view.Change(console.Change{
		Time: c.Time, Account: c.Data.Account, From: c.Data.From, To: c.Data.To, Up: c.Data.Direction == "up",
		MQA: c.Data.MQA, Score: c.Data.Score, Cause: w.cause(&c),
	})
	if firstMQA {
		w.view.Line("  why? " + w.explain(c.Data.Account, c.Time))
	}
	return nil
}

func (w *watch) count(c *tierChange) (firstMQA, fresh bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.Data.Seq <= w.seqs[c.Data.Account] {
		return false, false
	}
	w.seqs[c.Data.Account] = c.Data.Seq
	w.accounts[c.Data.From]--
	w.accounts[c.Data.To]++
	w.changes++
	if c.Data.Direction == "up" {
		w.ups++
	}
	if c.Data.MQA {
		w.mqas++
	}
	return c.Data.MQA && w.mqas == 1, true
}

// cause says in words what brought the change about.
func (w *watch) cause(c *tierChange) string {
	switch c.Data.Cause.Kind {
	case scoring.CauseEvent:
		if words := w.pacer.Journal.Words(c.Data.Cause.Source, c.Data.Cause.ID); words != "" {
			return words
		}
		return strings.Join(c.Data.Cause.Signals, ", ")
	case scoring.CauseDecay:
		if c.Data.Direction == "up" {
			return "what spoke against it has faded"
		}
		if quiet, ok := w.pacer.Journal.Quiet(c.Data.Account, c.Time.Sub(w.pacer.Clock.Begins())); ok {
			return "decay, after " + console.Span(quiet)
		}
		return "decay"
	case scoring.CauseProfile:
		return "new profile"
	case scoring.CauseModel:
		return "new model"
	case scoring.CauseErasure:
		return "erased"
	case scoring.CauseRebuild:
		return "rebuilt from the log"
	}
	return string(c.Data.Cause.Kind)
}

// How often the status is shown: at the bottom of a terminal, and as a line.
const (
	livePeriod  = 250 * time.Millisecond
	plainPeriod = 10 * time.Second
)

// report keeps the status up to date until ctx ends.
func (w *watch) report(ctx context.Context, live bool) {
	period := plainPeriod
	if live {
		period = livePeriod
	}
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			w.view.Status(w.status())
		}
	}
}

func (w *watch) status() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return fmt.Sprintf("%s · %s/s · %s · %d events, %d tier changes",
		w.pacer.Clock.Now().UTC().Format("Mon 02 Jan 2006 15:04"), short(w.speed), console.Tiers(w.tiers, w.accounts),
		w.pacer.Journal.Events(), w.changes)
}

// farewell sums up.
func (w *watch) farewell() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return fmt.Sprintf("Stopped after %.0f days: %d events, %d tier changes (%d up, %d down), %d MQAs.",
		w.pacer.Clock.Elapsed().Hours()/24, w.pacer.Journal.Events(), w.changes, w.ups, w.changes-w.ups, w.mqas)
}
