package relay

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"

	"tidemark/streams/sink"
)

// admitting is a Config of so many shards that lets pass all that is handed over.
func admitting(shards int) Config {
	c := config(shards)
	c.Admit = func(int, []Entry) bool { return true }
	return c
}

// append adds an entry as its writer does, who is alone: it is returned with the one before.
func (b *boxes) append(shard int, account, value string) (after string, entries []Entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.put(shard, account, value)
	if b.tails == nil {
		b.tails = map[int]string{}
	}
	after, b.tails[shard] = b.tails[shard], e.ID
	return after, []Entry{e}
}

func (b *boxes) reads() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.limits)
}

func TestWhatIsHandedOverIsPublishedWithoutBeingRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, p := &boxes{}, &broker{}
		r := relayOf(t, admitting(2), o, p)
		stop := run(t, r)
		for n := range 4 {
			hand(r, o, strconv.Itoa(n))
			synctest.Wait()
		}
		stop()
		wantLogs(t, p, "a=0", "a=1", "a=2", "a=3")
		if o.left() != 0 || o.reads() != 1 {
			t.Errorf("%d entries are left and there were %d reads, want only the first one read", o.left(), o.reads())
		}
	})
}

func TestWhatIsHandedOverWaitsForWhatItsWriterDoesNotKnow(t *testing.T) {
	t.Parallel()
	for name, meet := range map[string]func(o *boxes, r *Relay){
		"an entry of somebody else": func(o *boxes, r *Relay) {
			o.add(0, "a", "theirs")
			_, entries := o.append(0, "a", "ours")
			r.Add(0, "", entries)
		},
		"an entry that was not handed over": func(o *boxes, r *Relay) {
			o.append(0, "a", "theirs")
			hand(r, o, "ours")
		},
		"a wake": func(o *boxes, r *Relay) {
			hand(r, o, "theirs")
			o.append(0, "a", "ours")
			r.Wake(0)
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			o, p := &boxes{}, &broker{}
			r := relayOf(t, admitting(1), o, p)
			stop := run(t, r)
			hand(r, o, "first")
			synctest.Wait()
			meet(o, r)
			synctest.Wait()
			stop()
			if want := []string{"a=first", "a=theirs", "a=ours"}; !slices.Equal(p.log("changes"), want) || o.left() != 0 {
				t.Errorf("%s: got %v, want %v; %d are left", name, p.log("changes"), want, o.left())
			}
		})
	}
}

func TestWhatIsNotAdmittedIsRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, p := &boxes{}, &broker{}
		c := config(1)
		c.Admit = func(int, []Entry) bool { return false }
		r := relayOf(t, c, o, p)
		stop := run(t, r)
		for n := range 3 {
			hand(r, o, strconv.Itoa(n))
			synctest.Wait()
		}
		stop()
		wantLogs(t, p, "a=0", "a=1", "a=2")
		if o.reads() != 3 {
			t.Errorf("%d reads, want one for each", o.reads())
		}
	})
}

func TestWhatIsHandedOverIsBounded(t *testing.T) {
	t.Parallel()
	h := handed{limit: 100, shards: map[int]*queue{}}
	entry := func(id int) []Entry { return []Entry{{ID: strconv.Itoa(id), Value: make([]byte, 40)}} }
	h.add(0, "0", entry(1))
	h.add(0, "1", entry(2))
	h.add(1, "0", entry(1))
	if h.waiting() != 2 || h.bytes != 80 {
		t.Errorf("got %d entries of %d bytes, want the third one refused", h.waiting(), h.bytes)
	}
	if _, _, ok := h.take(1, "0", 10); ok {
		t.Error("what was refused is taken for complete")
	}
	got, more, ok := h.take(0, "0", 1)
	if len(got) != 1 || got[0].ID != "1" || !more || !ok || h.bytes != 40 {
		t.Errorf("got %v, %v, %v and %d bytes, want the first of two", got, more, ok, h.bytes)
	}
	if got, more, ok = h.take(0, "2", 1); len(got) != 0 || more || !ok || h.bytes != 0 || h.waiting() != 0 {
		t.Errorf("got %v, %v, %v and %d bytes, want nothing behind what was read", got, more, ok, h.bytes)
	}
}

// Publishing does not wait for trims, and what could not be trimmed is trimmed later.
func TestTrimsAreNotWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, p := &boxes{}, &broker{}
		var mu sync.Mutex
		held, broken := make(chan struct{}), true
		o.hold = func() { <-held }
		o.fail = func(stage string, _ int) error {
			mu.Lock()
			defer mu.Unlock()
			if stage == stageTrim && broken {
				return errBroken
			}
			return nil
		}
		r := relayOf(t, admitting(1), o, p)
		o.append(0, "a", "0")
		r.parts[0].known[0] = "1" // as if it was published
		o.entries[0] = nil
		stop := run(t, r)
		for n := range 3 {
			hand(r, o, strconv.Itoa(n+1))
			synctest.Wait()
		}
		wantLogs(t, p, "a=1", "a=2", "a=3")
		close(held)
		synctest.Wait()
		mu.Lock()
		broken = false
		mu.Unlock()
		pass(DefaultPoll)
		synctest.Wait()
		stop()
		wantLogs(t, p, "a=1", "a=2", "a=3")
		if o.left() != 0 {
			t.Errorf("%d entries are left", o.left())
		}
	})
}

// Writers hand over what they append, others append too, and everything fails now and
// then: no loss, no disorder, whoever reads which way.
func TestOrderOfWhatIsHandedOverUnderRandomFailure(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		synctest.Test(t, func(t *testing.T) { orderUnderRandomFailure(t, seed) })
	}
}

func orderUnderRandomFailure(t *testing.T, seed uint64) {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, 3))
	one := func(in int) bool { mu.Lock(); defer mu.Unlock(); return random.IntN(in) == 0 }
	o, p := &boxes{}, &broker{}
	o.fail = func(string, int) error {
		if one(20) {
			return errBroken
		}
		return nil
	}
	p.fail = func(context.Context, string, []sink.Message) error {
		if one(20) {
			return errRefused
		}
		return nil
	}
	c := admitting(5)
	c.Batch, c.Abreast = 7, 2
	c.Admit = func(int, []Entry) bool { return !one(20) }
	r := relayOf(t, c, o, p)
	stop := run(t, r)
	const most = 200
	for seq := range most {
		for n := range 5 {
			account, value := strconv.Itoa(n), strconv.Itoa(seq)
			if one(10) {
				o.add(n, account, value) // by another, so that the next one knows nothing
				o.mu.Lock()
				delete(o.tails, n)
				o.mu.Unlock()
				continue
			}
			after, entries := o.append(n, account, value)
			r.Add(n, after, entries)
		}
		if one(3) {
			pass(DefaultPoll / 20)
		}
	}
	stop()
	if err := r.Drain(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, topic := range []string{"changes", "tiers"} {
		wantEach(t, fmt.Sprintf("seed %d, %s", seed, topic), p.log(topic), 5, most)
	}
	if o.left() != 0 {
		t.Errorf("seed %d: %d entries are left", seed, o.left())
	}
}

// hand appends an entry to the outbox of shard 0 and hands it over.
func hand(r *Relay, o *boxes, value string) {
	after, entries := o.append(0, "a", value)
	r.Add(0, after, entries)
}
