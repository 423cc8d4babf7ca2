package sink

import (
	"slices"

	"github.com/segmentio/kafka-go"
)

// sorter is where the messages of a call are sorted by partition. It is used again.
type sorter struct {
	flight flight
	sorted []Message
	places []int // by message, its partition
	counts []int // by partition, and then where its next message goes
}

func (p *Publisher) sorter() *sorter {
	if d, ok := p.sorters.Get().(*sorter); ok {
		return d
	}
	return &sorter{}
}

// maxKept bounds the messages for which a sorter that is kept has room.
const maxKept = 16 << 10

// clear gives a sorter back, without what lay on it.
func (p *Publisher) clear(d *sorter) {
	if cap(d.sorted) > maxKept {
		return
	}
	clear(d.sorted)
	clear(d.flight.sends)
	p.sorters.Put(d)
}

// sort divides messages by partition as the Java client would: by murmur2 of the key.
// They keep their order. Each partition's first batch is below the limit.
func (d *sorter) sort(topic string, messages []Message, of *layout, limit int) {
	d.places, d.counts = slices.Grow(d.places[:0], len(messages)), slices.Grow(d.counts[:0], len(of.partitions))[:len(of.partitions)]
	clear(d.counts)
	for i := range messages {
		place := kafka.Murmur2Balancer{}.Balance(kafka.Message{Key: messages[i].Key}, of.partitions...)
		d.places = append(d.places, place)
		d.counts[place]++
	}
	d.sorted = slices.Grow(d.sorted[:0], len(messages))[:len(messages)]
	d.flight.sends = d.flight.sends[:0]
	at := 0
	for partition, n := range d.counts {
		d.counts[partition] = at
		at += n
	}
	for i, place := range d.places {
		d.sorted[d.counts[place]] = messages[i]
		d.counts[place]++
	}
	from := 0
	for partition, end := range d.counts {
		if end > from {
			batch, rest := fill(d.sorted[from:end], limit)
			d.flight.sends = append(d.flight.sends, sending{
				topic: topic, partition: partition, leader: of.leaders[partition], batch: batch, rest: rest,
			})
		}
		from = end
	}
}

// fill returns as many messages as a batch below the size limit holds, one at least,
// and the rest.
func fill(messages []Message, limit int) (batch, rest []Message) {
	if len(messages) == 0 {
		return nil, nil
	}
	n, size := 1, messages[0].size()
	for n < len(messages) && size+messages[n].size() <= limit {
		size += messages[n].size()
		n++
	}
	return messages[:n], messages[n:]
}
