package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// growths measures the same load beside more and more accounts.
func (b *bench) growths(ctx context.Context) error {
	sizes, err := b.fitting(b.opts.Growth)
	if err != nil {
		return err
	}
	b.opts.Growth = sizes // the aims are of those that were measured
	for range b.opts.Rounds {
		for _, size := range sizes {
			if err := b.growth(ctx, sizes[0], size); err != nil {
				return err
			}
		}
	}
	return nil
}

// The two loads of a size: events of the smallest size's accounts, the rest being there
// only, and events of any account, so that more of them are cold.
const (
	sameEvents = "same events"
	drawnOfAll = "of any account"
)

// growth seeds so many accounts, and has serve take in both loads, half of the
// workload's events in all. The seeded ones stand in the best tier, with demotions
// armed days ahead.
func (b *bench) growth(ctx context.Context, least, size int) (err error) {
	d, err := b.deploy(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.remove(ctx, d, nil)) }()
	begin := time.Now().UTC().Add(-time.Hour).Truncate(time.Second)
	if err := b.seed(ctx, d, size, accountName, quietAccount(begin)); err != nil {
		return err
	}
	w := b.opts.Workload
	w.Events, w.Span = max(w.Events/4, 1), 29*time.Minute
	for i, load := range []struct {
		name     string
		accounts int
	}{{sameEvents, least}, {drawnOfAll, size}} {
		w.Accounts, w.Start, w.Seed = load.accounts, begin.Add(time.Duration(i)*w.Span), b.opts.Workload.Seed+uint64(300+i)
		if err := b.load(ctx, d, w); err != nil {
			return err
		}
		r, err := b.race(ctx, d, w.Events, 1, b.ownRedis())
		if err != nil {
			return err
		}
		b.noteRace(SectionGrowth, growthName(size, load.name), r)
		if first := b.report.latest(SectionGrowth, growthName(least, load.name)+"catch-up"); size != least {
			b.report.add(SectionGrowth, growthName(size, load.name)+"to the least", "", r.rate/first)
		}
	}
	return nil
}

func growthName(size int, load string) string {
	return fmt.Sprintf("%s accounts, %s: ", number(float64(size)), load)
}

// seededBytes is what an account takes of the machine while a size is measured: in
// Redis, and in the buffers of its append-only file while that is written anew.
const seededBytes = 1200

// spareBytes is left to Kafka, serve and the bench.
const spareBytes = 3 << 30

// fitting are the sizes that the machine's memory has room for; those that it has not
// are cut to what fits, and the report says so. Where Redis is not ours, all are.
func (b *bench) fitting(sizes []int) ([]int, error) {
	if b.opts.RedisPID == 0 {
		return sizes, nil
	}
	free, err := availableMemory()
	if err != nil {
		return nil, err
	}
	room := int(max(free-spareBytes, 0) / seededBytes)
	var out []int
	for _, size := range sizes {
		if size <= room || len(out) == 0 {
			out = append(out, size)
			continue
		}
		b.report.note(fmt.Sprintf("growth: %s accounts do not fit into the %s MiB that are available: at most %s",
			number(float64(size)), number(free/(1<<20)), number(float64(room))))
		if room > out[len(out)-1] {
			out = append(out, room)
		}
		break
	}
	return out, nil
}
