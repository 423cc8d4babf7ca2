package deadletters

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"tidemark/streams/sink"
	"tidemark/streams/tail"
)

// The most that a batch holds: what an interrupted replay may have written without
// noting it.
const (
	batchLetters = 200
	batchBytes   = 512 << 10
)

// Replay writes letters to the topics that they came from, and notes in the
// dead-letter topic which:
//
//  1. where the topics end, before anything is written;
//  2. after each batch is acknowledged, the letters of it;
//  3. that the replay has ended.
//
// A replay that died leaves 1 without 3. The next one reads on from 1, finds by
// their headers the records that were written, and notes them. So a letter is
// written once, whatever happened; two replays at the same time may both write it.
func (d *Letters) Replay(ctx context.Context, o Options) (*Report, error) {
	p, err := d.examine(ctx, o)
	if err != nil {
		return nil, err
	}
	found, err := d.settle(ctx, p.journal)
	if err != nil {
		return nil, err
	}
	if err := p.pass(ctx, func(l *Letter, v verdict, why string) error { p.count(l, v, why); return nil }); err != nil {
		return nil, err
	}
	p.warnings()
	if o.DryRun || p.report.Planned() == 0 && len(p.journal.open()) == 0 {
		return p.report, nil
	}
	return p.report, p.write(ctx, found)
}

// pass judges each letter that matches, of those that there were when the plan was
// made: what a replay itself brings about is not for it.
func (p *plan) pass(ctx context.Context, take func(*Letter, verdict, string) error) error {
	p.taken = map[ID]bool{}
	return p.d.each(ctx, p.d.Topic, nil, func(r *tail.Record) error {
		if r.Offset >= p.journal.seen[r.Partition] || isMark(r) {
			return nil
		}
		l := parse(r)
		if !p.options.Filter.match(l) {
			return nil
		}
		v, why := p.judge(l)
		return take(l, v, why)
	})
}

// run is the writing half of a replay.
type run struct {
	*plan
	id      string
	marks   int
	planned int
	pending map[string][]*Letter // by topic
	bytes   map[string]int
}

func (p *plan) write(ctx context.Context, found []ID) error {
	w := &run{plan: p, id: rand.Text(), planned: p.report.Planned(), pending: map[string][]*Letter{}, bytes: map[string]int{}}
	if err := w.settled(ctx, found); err != nil {
		return err
	}
	if w.planned == 0 {
		return nil
	}
	begin := map[string]map[int]int64{}
	for topic := range p.report.Topics {
		log, err := p.d.Cluster.Log(topic)
		if err != nil {
			return err
		}
		if begin[topic], err = log.Ends(ctx); err != nil {
			return err
		}
	}
	if err := w.mark(ctx, mark{Begin: begin}); err != nil {
		return err
	}
	// The second pass comes to the same judgement.
	err := p.pass(ctx, func(l *Letter, v verdict, _ string) error {
		if v != write {
			return nil
		}
		return w.add(ctx, l)
	})
	for topic := range w.pending {
		if err == nil {
			err = w.flush(ctx, topic)
		}
	}
	if err == nil {
		err = w.mark(ctx, mark{End: true})
	}
	if err != nil {
		return fmt.Errorf("%d of %d letters are replayed; run it again for the rest: %w", w.report.Replayed, w.planned, err)
	}
	return nil
}

// settled notes what replays that died had written, and ends them.
func (w *run) settled(ctx context.Context, found []ID) error {
	for len(found) > 0 {
		n := min(len(found), batchLetters)
		if err := w.mark(ctx, mark{Written: texts(found[:n])}); err != nil {
			return err
		}
		found = found[n:]
	}
	for _, died := range w.journal.open() {
		if err := w.mark(ctx, mark{Run: died, End: true}); err != nil {
			return err
		}
	}
	return nil
}

func (w *run) mark(ctx context.Context, m mark) error {
	if m.Run == "" {
		m.Run = w.id
	}
	w.marks++
	message, err := m.message(w.marks)
	if err != nil {
		return err
	}
	return w.d.Cluster.Publish(ctx, w.d.Topic, []sink.Message{message})
}

// add puts a letter to its topic's batch, and writes the batch when it is full.
func (w *run) add(ctx context.Context, l *Letter) error {
	topic := l.Origin.Topic
	w.pending[topic] = append(w.pending[topic], l)
	w.bytes[topic] += len(l.Value) + len(l.Key)
	if len(w.pending[topic]) < batchLetters && w.bytes[topic] < batchBytes {
		return nil
	}
	return w.flush(ctx, topic)
}

// flush writes a topic's batch and, once it is acknowledged, notes it.
func (w *run) flush(ctx context.Context, topic string) error {
	letters := w.pending[topic]
	if len(letters) == 0 {
		return nil
	}
	w.pending[topic], w.bytes[topic] = nil, 0
	messages := make([]sink.Message, len(letters))
	for i, l := range letters {
		messages[i] = l.original()
	}
	err := w.d.Cluster.Publish(ctx, topic, messages)
	if err != nil && sink.Classify(err) == sink.Poison {
		// One that is refused must not hold up the others. Some may be there already;
		// they are written twice then, at once, and the second is known by its id.
		letters, err = w.singly(ctx, topic, letters)
	}
	if err != nil {
		return err
	}
	ids := make([]ID, len(letters))
	for i, l := range letters {
		ids[i] = l.ID
	}
	if len(ids) > 0 {
		if err := w.mark(ctx, mark{Written: texts(ids)}); err != nil {
			return err
		}
	}
	w.report.Replayed += len(letters)
	if w.options.Progress != nil {
		w.options.Progress(w.report.Replayed, w.planned)
	}
	return nil
}

// singly writes letters one by one and returns those that were taken.
func (w *run) singly(ctx context.Context, topic string, letters []*Letter) (taken []*Letter, err error) {
	for _, l := range letters {
		err := w.d.Cluster.Publish(ctx, topic, []sink.Message{l.original()})
		switch {
		case err == nil:
			taken = append(taken, l)
		case sink.Classify(err) == sink.Poison:
			w.report.refuse(fmt.Sprintf("%s does not take it: %v", topic, root(err)), l.At)
		default:
			return nil, err
		}
	}
	return taken, nil
}

// root is the broker's own error.
func root(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

func texts(ids []ID) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = id.String()
	}
	return out
}
