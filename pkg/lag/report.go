package lag

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"tidemark/pkg/engine"
)

// Report is how late a deployment is, at one instant. Seconds that are not known are
// null, and Faults says why.
type Report struct {
	At    time.Time `json:"at"`
	Group string    `json:"group"`
	// Window is for how long the statuses were watched.
	Window float64 `json:"window_seconds"`
	// Status is the worst of the partitions.
	Status  Status  `json:"status"`
	Records int64   `json:"records_behind"`
	Seconds float64 `json:"seconds_behind"`
	// Late is true when somebody must act: see Report.late.
	Late       bool        `json:"late"`
	Partitions []Partition `json:"partitions"`
	// Checkpoint is how long ago the group committed an offset, Commit how long ago a step
	// was stored in Redis; null where nothing is known, or it was more than a day ago.
	Checkpoint *float64 `json:"seconds_since_checkpoint"`
	Commit     *float64 `json:"seconds_since_commit"`
	Outbox     *Outbox  `json:"outbox"`
	Sweep      *Sweep   `json:"sweep"`
	Risk       *Risk    `json:"at_risk"`
	// Missing are input topics that do not exist.
	Missing []string `json:"missing_topics"`
	// Faults are what could not be found out, and why.
	Faults []string `json:"faults"`
	Next   Step     `json:"next"`
}

// Partition is how late one input partition is.
type Partition struct {
	Topic     string `json:"topic"`
	Partition int    `json:"partition"`
	Status    Status `json:"status"`
	// Records wait, the oldest of them for so many seconds since its Kafka timestamp; 0
	// when nothing waits, null where it could not be read.
	Records int64    `json:"records_behind"`
	Seconds *float64 `json:"seconds_behind"`
	// Position is the next offset that no shard has stored, Committed the group's (-1:
	// none), End the log's.
	Position  int64 `json:"position"`
	Committed int64 `json:"committed"`
	End       int64 `json:"end"`
	// Lost is how many records retention took before they were read.
	Lost int64 `json:"lost"`
}

// Outbox is what is scored and not yet published.
type Outbox struct {
	Entries int64   `json:"entries"`
	Seconds float64 `json:"oldest_seconds"` // since it was stored; 0 when nothing waits
}

// Sweep is what is due by time alone and not yet done: demotions above all. While a
// partition is behind they wait for its events, and so they should.
type Sweep struct {
	Seconds float64 `json:"delay_seconds"` // 0 when nothing is due
}

// Promised is within what events are scored and tier changes published: beyond it
// somebody should know. It is the promise of the alerts as well.
const Promised = 60 * time.Second

// Options say how to look.
type Options struct {
	Group string
	// Checkpoint is how often who works commits.
	Checkpoint time.Duration
	// Window is for how long to watch, and Every the time between two looks.
	Window, Every time.Duration
	// Sample is the most records to read for Risk.
	Sample int64
}

// Report watches for the window and says how late it is.
func (w *Watcher) Report(ctx context.Context, o Options) (*Report, error) {
	first, err := w.patient(ctx, o.Every)
	if err != nil {
		return nil, err
	}
	window := []*look{first}
	for left := o.Window; left > 0; left = o.Window - time.Duration(w.Now()-first.at)*time.Millisecond {
		if !pause(ctx, min(left, o.Every)) {
			return nil, ctx.Err()
		}
		l, err := w.patient(ctx, o.Every)
		if err != nil {
			return nil, err
		}
		window = append(window, l)
	}
	return w.report(ctx, o, window)
}

// patience is how long a look is tried again: a coordinator that has only just come up
// refuses for seconds.
const patience = 5 * time.Second

// patient looks until it works, or patience ends.
func (w *Watcher) patient(ctx context.Context, every time.Duration) (*look, error) {
	for start := time.Now(); ; {
		l, err := w.look(ctx)
		if err == nil || time.Since(start) > patience || !pause(ctx, every) {
			return l, err
		}
	}
}

// report says what a row of looks shows, with what only the present tells.
func (w *Watcher) report(ctx context.Context, o Options, window []*look) (*Report, error) {
	l := window[len(window)-1]
	r := &Report{
		At: time.UnixMilli(l.at).UTC(), Group: o.Group, Window: seconds(l.at - window[0].at),
		Missing: append([]string{}, l.missing...), Faults: []string{}, Partitions: []Partition{},
	}
	b, err := w.readBacklog(ctx, l, o.Sample)
	if err != nil {
		r.fault("what waits cannot be read", err)
	}
	for _, p := range l.parts {
		r.add(w.partition(ctx, r, p, window, b, o))
	}
	r.Checkpoint = checkpointed(l)
	if l.fault != nil {
		r.fault("redis does not answer: positions are those of the group's latest checkpoint", l.fault)
	} else {
		w.askState(ctx, r, l, b)
	}
	r.Late = r.late()
	r.Next = next(r, l)
	return r, nil
}

func (r *Report) fault(what string, err error) {
	r.Faults = append(r.Faults, fmt.Sprintf("%s: %v", what, err))
}

func (r *Report) add(p Partition) {
	r.Partitions = append(r.Partitions, p)
	r.Status = max(r.Status, p.Status)
	r.Records += p.Records
	if p.Seconds != nil {
		r.Seconds = math.Max(r.Seconds, *p.Seconds)
	}
}

func (w *Watcher) partition(ctx context.Context, r *Report, p engine.Partition, window []*look, b *backlog, o Options) Partition {
	l := window[len(window)-1]
	s := l.sample(p)
	out := Partition{
		Topic: p.Topic, Partition: p.ID, Status: Evaluate(samplesOf(window, p), o.Checkpoint), Records: s.behind(),
		Position: s.Position, Committed: s.Committed, End: s.End, Lost: l.lost(p),
	}
	var at int64
	var known bool
	if b != nil {
		out.Records = b.waiting[p]
		at, known = b.first[p]
	}
	if out.Records == 0 {
		out.Seconds = new(float64)
		return out
	}
	if !known {
		var err error
		if at, known, err = w.first(ctx, p, s.Position); err != nil {
			r.fault("the age of what waits is not known", err)
		}
	}
	if known {
		age := seconds(max(l.at-at, 0))
		out.Seconds = &age
	}
	return out
}

func checkpointed(l *look) *float64 {
	var latest int64
	for _, c := range l.commits {
		latest = max(latest, c.At)
	}
	if latest == 0 {
		return nil
	}
	ago := seconds(max(l.at-latest, 0))
	return &ago
}

// askState fills in what Redis alone tells.
func (w *Watcher) askState(ctx context.Context, r *Report, l *look, b *backlog) {
	if entries, oldest, err := w.State.Waiting(ctx); err != nil {
		r.fault("the outbox cannot be read", err)
	} else {
		r.Outbox = &Outbox{entries, seconds(oldest)}
	}
	if due, err := w.State.NextDue(ctx, numbers(len(l.shards))); err != nil {
		r.fault("what is due cannot be read", err)
	} else {
		r.Sweep = &Sweep{seconds(overdue(due, l.at))}
	}
	if ago, known, err := w.State.Stored(ctx); err != nil {
		r.fault("the latest commit cannot be read", err)
	} else if known {
		s := seconds(ago)
		r.Commit = &s
	}
	if b == nil {
		return
	}
	var err error
	if r.Risk, err = w.assess(ctx, b, len(l.shards)); err != nil {
		r.fault("accounts at risk cannot be told", err)
	}
}

// overdue is for how long the oldest due account is due, in milliseconds.
func overdue(due []int64, now int64) int64 {
	first := engine.NoDue
	for _, at := range due {
		first = min(first, at)
	}
	return max(now-min(first, now), 0)
}

func seconds(ms int64) float64 { return float64(ms) / 1000 }

// late reports whether somebody must act: nobody works on what waits, or it has waited
// for longer than is promised, or records are gone, or something could not be found out
// since Redis or a topic is not there.
func (r *Report) late() bool {
	switch {
	case r.Status >= Stall, r.Seconds > Promised.Seconds(), len(r.Missing) > 0, r.Outbox == nil:
		return true
	case r.Outbox.Seconds > Promised.Seconds():
		return true
	case r.Sweep != nil && r.Sweep.Seconds > Promised.Seconds():
		return true
	}
	return slices.ContainsFunc(r.Partitions, func(p Partition) bool { return p.Lost > 0 })
}

func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
