package sink

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/segmentio/kafka-go/protocol/produce"
)

const (
	// abreast is how many requests to each broker may be under way at once.
	abreast = 4
	// most is how many partitions a request may be for: with full batches it stays
	// below the brokers' socket.request.max.bytes of 100 MiB.
	most = 64
)

// sending is a batch on its way to a partition.
type sending struct {
	topic     string
	partition int
	batch     []Message
	rest      []Message // what follows once the batch is acknowledged

	leader int
	turn   int // how many batches for the partition go before it
	done   bool
	err    error
}

// flight is what one caller sends at once: at most one batch for a partition.
type flight struct{ sends []sending }

// cancelled reports whether somebody's end cut off a part of the flight.
func (f *flight) cancelled() bool {
	return slices.ContainsFunc(f.sends, func(s sending) bool { return errors.Is(s.err, context.Canceled) })
}

// produce makes one attempt for each batch of a flight. What others send at the same
// moment goes along, in one request for each broker.
func (p *Publisher) produce(ctx context.Context, f *flight) {
	for {
		p.sending.Take(ctx, f)
		// A request ends with the context of whoever made it.
		if ctx.Err() != nil || !f.cancelled() {
			return
		}
		for i := range f.sends {
			f.sends[i].done = !errors.Is(f.sends[i].err, context.Canceled)
		}
	}
}

// send sends the batches of flights to their leaders.
func (p *Publisher) send(ctx context.Context, flights []*flight) {
	groups := byLeader(flights)
	if len(groups) == 1 {
		p.sendTo(ctx, groups[0])
		return
	}
	var wait sync.WaitGroup
	for _, group := range groups {
		wait.Go(func() { p.sendTo(ctx, group) })
	}
	wait.Wait()
}

// byLeader groups batches by their leaders, those of one topic one after another. A
// request has one batch for a partition: a second one goes apart.
func byLeader(flights []*flight) (groups [][]*sending) {
	var all []*sending
	for _, f := range flights {
		all = slices.Grow(all, len(f.sends))
		for i := range f.sends {
			if s := &f.sends[i]; !s.done {
				all = append(all, s)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b *sending) int {
		return cmp.Or(cmp.Compare(a.leader, b.leader), cmp.Compare(a.topic, b.topic), a.partition-b.partition)
	})
	for i, s := range all {
		if s.turn = 0; i > 0 && all[i-1].partition == s.partition && all[i-1].topic == s.topic {
			s.turn = all[i-1].turn + 1
		}
	}
	slices.SortStableFunc(all, func(a, b *sending) int { return cmp.Or(cmp.Compare(a.leader, b.leader), a.turn-b.turn) })
	for from, i := 0, 1; i <= len(all); i++ {
		if i == len(all) || i-from == most || all[i].leader != all[from].leader || all[i].turn != all[from].turn {
			groups = append(groups, all[from:i])
			from = i
		}
	}
	return groups
}

// sendTo sends batches of one leader, by topic.
func (p *Publisher) sendTo(ctx context.Context, batches []*sending) {
	req := p.newProduceRequest(batches)
	ctx, cancel := context.WithTimeout(ctx, p.config.Timeout)
	defer cancel()
	answer, err := p.client.Transport.RoundTrip(ctx, p.client.Addr, req)
	if err != nil && !req.unsent {
		p.unsure.Add(1)
	}
	for _, s := range batches {
		if s.err = err; err == nil {
			s.err = outcome(answer.(*produce.Response), s)
		}
		if s.err != nil {
			p.layouts.set(s.topic, nil) // it may have moved
		}
	}
}
