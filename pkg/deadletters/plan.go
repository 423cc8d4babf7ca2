package deadletters

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tidemark/streams/codec"
	"tidemark/streams/sink"
	"tidemark/streams/tail"
)

// Options are how to replay.
type Options struct {
	Filter Filter
	// MaxAttempts refuses letters of records that were dead letters so often. 0: no bound.
	MaxAttempts int
	// Again takes letters too that were replayed before.
	Again bool
	// DryRun writes nothing.
	DryRun bool
	// Progress, if not nil, is told after each batch.
	Progress func(done, all int)
}

// Refused are letters that are not replayed, of one cause.
type Refused struct {
	Why     string
	Count   int
	Example Place // a letter's own place
}

// Report is what a replay did, or would do.
type Report struct {
	// Matching letters are those that were replayed before (Already), those that
	// cannot be (Refused), and the rest, by topic.
	Matching, Already int
	Refused           []Refused
	Topics            map[string]int
	// Replayed is how many were written now.
	Replayed int
	// Warnings are sentences for the operator.
	Warnings []string
}

// Planned is how many letters are to be written.
func (r *Report) Planned() (n int) {
	for _, count := range r.Topics {
		n += count
	}
	return n
}

func (r *Report) refuse(why string, at Place) {
	i := slices.IndexFunc(r.Refused, func(have Refused) bool { return have.Why == why })
	if i < 0 {
		r.Refused = append(r.Refused, Refused{Why: why, Example: at})
		i = len(r.Refused) - 1
	}
	r.Refused[i].Count++
}

// plan is what is known before anything is written.
type plan struct {
	d       *Letters
	options Options
	journal *journal
	now     int64
	// settings are of the inputs where they can be read; unread says why not.
	settings map[string]sink.Settings
	unread   map[string]error
	// newest, by compacted topic and key, is the latest record of that key.
	newest map[string]map[string]newest
	taken  map[ID]bool
	report *Report
	// counts of what is worth a warning, by topic
	expiring, elder map[string]int
}

type newest struct {
	at Place
	// time is of the latest by timestamp.
	time int64
}

// examine reads all letters, and of the topics what it takes to judge them.
func (d *Letters) examine(ctx context.Context, o Options) (*plan, error) {
	p := &plan{
		d: d, options: o, now: d.Now(), settings: map[string]sink.Settings{}, unread: map[string]error{}, newest: map[string]map[string]newest{},
		report: &Report{Topics: map[string]int{}}, expiring: map[string]int{}, elder: map[string]int{},
	}
	for _, topic := range d.Inputs {
		var err error
		if p.settings[topic], err = d.Cluster.Settings(ctx, topic); err != nil {
			p.unread[topic] = err
		}
		if ctx.Err() != nil {
			return nil, err
		}
	}
	keys := map[string]map[string]bool{} // by compacted topic
	var err error
	p.journal, err = d.read(ctx, func(l *Letter) {
		if topic := l.Origin.Topic; p.settings[topic].Compacted && o.Filter.match(l) {
			if keys[topic] == nil {
				keys[topic] = map[string]bool{}
			}
			keys[topic][string(l.Key)] = true
		}
	})
	if err != nil {
		return nil, err
	}
	for topic := range keys {
		if err := p.look(ctx, topic, keys[topic]); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// look finds the latest record of each key in a compacted topic.
func (p *plan) look(ctx context.Context, topic string, keys map[string]bool) error {
	p.newest[topic] = map[string]newest{}
	err := p.d.each(ctx, topic, nil, func(r *tail.Record) error {
		if r.Key != nil && keys[string(r.Key)] {
			have := p.newest[topic][string(r.Key)]
			if have.at.Topic == "" || r.Time >= have.time {
				p.newest[topic][string(r.Key)] = newest{Place{topic, r.Partition, r.Offset}, r.Time}
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("look for later records of the same keys in %s: %w", topic, err)
	}
	return nil
}

func (p *plan) warn(format string, args ...any) {
	p.report.Warnings = append(p.report.Warnings, fmt.Sprintf(format, args...))
}

// verdict is what becomes of a letter.
type verdict int

const (
	write verdict = iota
	already
	refused
)

// judge decides about a letter that matches. Of two letters of one record the
// second counts as replayed already.
func (p *plan) judge(l *Letter) (v verdict, why string) {
	if p.taken[l.ID] || !p.options.Again && p.journal.done[l.ID] {
		return already, ""
	}
	if why := p.refusal(l); why != "" {
		return refused, why
	}
	p.taken[l.ID] = true
	return write, ""
}

// count fills in the report.
func (p *plan) count(l *Letter, v verdict, why string) {
	p.report.Matching++
	switch v {
	case already:
		p.report.Already++
	case refused:
		p.report.refuse(why, l.At)
	case write:
		p.report.Topics[l.Origin.Topic]++
		p.age(l)
	}
}

// age counts what is worth a warning.
func (p *plan) age(l *Letter) {
	if keep := p.settings[l.Origin.Topic].Retention; keep > 0 && l.Time < p.now-keep.Milliseconds() {
		p.expiring[l.Origin.Topic]++
	}
	if p.forgotten(l) {
		p.elder[l.Origin.Topic]++
	}
}

// forgotten says that accounts may have forgotten the ids of what was counted when
// the record came: they keep them for the UTC day of its timestamp and the day after.
func (p *plan) forgotten(l *Letter) bool {
	const day = 24 * int64(time.Hour/time.Millisecond)
	return l.Time/day < p.now/day-1
}

// refusal is why a letter cannot be replayed, or empty.
func (p *plan) refusal(l *Letter) string {
	topic := l.Origin.Topic
	s := p.settings[topic]
	switch newer := p.newest[topic][string(l.Key)]; {
	case topic == "":
		return "its headers do not say where it came from"
	case !slices.Contains(p.d.Inputs, topic):
		return fmt.Sprintf("it came from %q, which is no input topic of this configuration", topic)
	case l.Cut != "":
		return l.Cut + ": what is here is not what was sent. Let the producer send it again"
	case codec.PlaceIn(l.Message) != "" && p.forgotten(l):
		return "it is a batch from before yesterday (UTC) of which only some events are bad, and the good ones would count again. " +
			"Let the producer send the bad ones again"
	case p.options.MaxAttempts > 0 && l.Attempts >= p.options.MaxAttempts:
		return fmt.Sprintf("it was a dead letter %d times: find out why, then raise --max-attempts", l.Attempts)
	case s.OldestTime > 0 && !s.AppendTime && l.Time < p.now-s.OldestTime.Milliseconds():
		return fmt.Sprintf("%s takes no timestamp more than %s old: raise its message.timestamp.before.max.ms", topic, s.OldestTime)
	case newer.at.Topic != "" && newer.at != l.Origin && newer.time >= l.Time:
		return fmt.Sprintf("%s is compacted and has a later record of the same key, which the replay would take the place of", topic)
	}
	return ""
}

// warnings puts what was counted into words.
func (p *plan) warnings() {
	for _, topic := range p.d.Inputs {
		s, n := p.settings[topic], p.report.Topics[topic]
		if n == 0 {
			continue
		}
		if err := p.unread[topic]; err != nil {
			p.warn("the settings of %s could not be read (%v): whether it is compacted, and keeps old timestamps, is not known", topic, err)
		}
		if s.AppendTime {
			p.warn("%s puts the broker's clock in the place of timestamps (message.timestamp.type: LogAppendTime): "+
				"an event that was counted more than a day ago under the same id is not known any more and counts again", topic)
		}
		if n := p.expiring[topic]; n > 0 {
			p.warn("letters older than %s keeps records (retention.ms: %s): %d. They may be deleted before they are read: raise it for the time of the replay",
				topic, s.Retention, n)
		}
		if n := p.elder[topic]; n > 0 && !s.AppendTime {
			p.warn("letters of %s from before yesterday (UTC): %d. If the producer has sent one of these events again since, under the same id, "+
				"its account may have forgotten the id, and it counts again", topic, n)
		}
	}
}
