package relay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"tidemark/streams/sink"
)

func TestWhatWaitsAtStartIsPublishedInOrderAndTrimmed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, p := &boxes{}, &broker{}
		o.add(1, "a", "1")
		o.add(1, "b", "1")
		o.add(1, "a", "2")
		stop := run(t, relayOf(t, config(4), o, p))
		synctest.Wait()
		wantLogs(t, p, "a=1", "b=1", "a=2")
		if o.left() != 0 {
			t.Errorf("%d entries are left", o.left())
		}
		stop()
	})
}

func TestWakePublishesAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, p := &boxes{}, &broker{}
		r := relayOf(t, config(4), o, p)
		stop := run(t, r)
		synctest.Wait()
		pass(300 * time.Millisecond) // between two polls, in the bubble's time
		start := time.Now()
		o.add(2, "a", "1")
		r.Wake(2)
		synctest.Wait()
		wantLogs(t, p, "a=1")
		if waited := p.at[0].Sub(start); waited != 0 {
			t.Errorf("published %s after the wake, want at once", waited)
		}
		stop()
	})
}

func TestPollFindsWhatNobodyWokeFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, p := &boxes{}, &broker{}
		stop := run(t, relayOf(t, config(4), o, p))
		synctest.Wait()
		o.add(3, "a", "1")
		pass(DefaultPoll)
		synctest.Wait()
		wantLogs(t, p, "a=1")
		o.add(2, "b", "1")
		pass(calmPolls * DefaultPoll) // all was calm
		synctest.Wait()
		wantLogs(t, p, "a=1", "b=1")
		looks := o.looked()
		pass(10 * calmPolls * DefaultPoll)
		synctest.Wait()
		if n := o.looked() - looks; n > 11 {
			t.Errorf("%d looks in %d polls", n, 10*calmPolls)
		}
		stop()
	})
}

func TestOnlyOwnedShardsAreRelayed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var owned sync.Map
		owned.Store(1, true)
		c := config(4)
		c.Owns = func(n int) bool { _, ok := owned.Load(n); return ok }
		o, p := &boxes{}, &broker{}
		o.add(0, "other", "1")
		o.add(1, "ours", "1")
		r := relayOf(t, c, o, p)
		stop := run(t, r)
		r.Wake(0)
		synctest.Wait()
		wantLogs(t, p, "ours=1")
		owned.Store(0, true)
		pass(DefaultPoll)
		synctest.Wait()
		wantLogs(t, p, "ours=1", "other=1")
		stop()
	})
}

func TestShardLostWhileItIsReadIsNotPublished(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		lost := false
		c := config(1)
		c.Owns = func(int) bool { mu.Lock(); defer mu.Unlock(); return !lost }
		o, p := &boxes{}, &broker{}
		o.fail = func(stage string, _ int) error {
			mu.Lock()
			defer mu.Unlock()
			lost = stage == stageRead
			return nil
		}
		o.add(0, "a", "1")
		stop := run(t, relayOf(t, c, o, p))
		synctest.Wait()
		wantLogs(t, p)
		if o.left() != 1 {
			t.Errorf("%d entries are left, want 1", o.left())
		}
		stop()
	})
}

func TestNothingIsTrimmedBeforeBothTopicsAcknowledge(t *testing.T) {
	t.Parallel()
	for _, failing := range []string{"changes", "tiers"} {
		synctest.Test(t, func(t *testing.T) {
			o, p := &boxes{}, &broker{}
			p.fail = func(_ context.Context, topic string, _ []sink.Message) error {
				if topic == failing {
					return errRefused
				}
				return nil
			}
			o.add(0, "a", "1")
			stop := run(t, relayOf(t, config(1), o, p))
			synctest.Wait()
			if o.left() != 1 {
				t.Errorf("%s fails: %d entries are left, want 1", failing, o.left())
			}
			stop()
		})
	}
}

func TestRefusedShardDoesNotHoldUpOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, p := &boxes{}, &broker{}
		p.fail = func(_ context.Context, _ string, messages []sink.Message) error {
			if slices.ContainsFunc(messages, func(m sink.Message) bool { return string(m.Value) == "poison" }) {
				return errRefused
			}
			return nil
		}
		o.add(0, "bad", "poison")
		o.add(1, "good", "1")
		o.add(2, "fine", "1")
		stop := run(t, relayOf(t, config(3), o, p))
		synctest.Wait()
		wantLogs(t, p, "good=1", "fine=1")
		if o.left() != 1 {
			t.Errorf("%d entries are left, want the poisoned one", o.left())
		}
		stop()
	})
}

// A refused shard is tried less and less often, since each try repeats what
// stands in front of the refused entry.
func TestRefusedShardIsPutOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, p := &boxes{}, &broker{}
		var mu sync.Mutex
		tries := 0
		p.fail = func(_ context.Context, topic string, _ []sink.Message) error {
			mu.Lock()
			defer mu.Unlock()
			if topic == "changes" {
				tries++
			}
			return errRefused
		}
		o.add(0, "bad", "poison")
		stop := run(t, relayOf(t, config(1), o, p))
		pass(10 * time.Minute)
		stop()
		if tries < 10 || tries > 20 {
			t.Errorf("tried %d times in ten minutes, want about one a minute after a few quick ones", tries)
		}
	})
}

func TestOutageOfTheBrokerHealsWithoutLossAndIsLoggedByThePublisherOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, p := &boxes{}, &broker{}
		healed := time.Now().Add(time.Minute)
		p.fail = func(ctx context.Context, _ string, _ []sink.Message) error {
			if time.Now().Before(healed) {
				<-ctx.Done()
				return fmt.Errorf("publish: %w", ctx.Err())
			}
			return nil
		}
		var log bytes.Buffer
		r, err := New(config(8), o, p, zerolog.New(&log))
		if err != nil {
			t.Fatal(err)
		}
		for n := range 8 {
			o.add(n, strconv.Itoa(n), "1")
		}
		stop := run(t, r)
		pass(2 * time.Minute)
		synctest.Wait()
		stop()
		if o.left() != 0 || len(p.log("changes")) != 8 || log.Len() != 0 {
			t.Errorf("%d left, published %v, logged %q", o.left(), p.log("changes"), log.String())
		}
	})
}

func TestOutageIsLoggedOnceAndItsEnd(t *testing.T) {
	t.Parallel()
	for _, stage := range []string{stageLook, stageRead, stageTrim} {
		synctest.Test(t, func(t *testing.T) {
			o, p := &boxes{}, &broker{}
			healed := time.Now().Add(time.Minute)
			o.fail = func(s string, _ int) error {
				if s == stage && time.Now().Before(healed) {
					return errBroken
				}
				return nil
			}
			failures := 0
			c := config(3)
			c.Hooks.Failed = func(s string) {
				if s != stage {
					t.Errorf("failed at %s, want %s", s, stage)
				}
				failures++
			}
			var log bytes.Buffer
			r, err := New(c, o, p, zerolog.New(&log))
			if err != nil {
				t.Fatal(err)
			}
			o.add(0, "a", "1")
			o.add(1, "b", "1")
			stop := run(t, r)
			pass(2 * time.Minute)
			synctest.Wait()
			stop()
			if n := strings.Count(log.String(), "\n"); n != 2 || !strings.Contains(log.String(), "relayed again") {
				t.Errorf("%s: got %d lines, want one for the beginning and one for the end: %s", stage, n, log.String())
			}
			if failures < 30 {
				t.Errorf("%s: %d failures were counted, want one a poll", stage, failures)
			}
			// A Redis that takes no writes does not lead to a flood of repeats.
			wantLogs(t, p, "a=1", "b=1")
			if o.left() != 0 {
				t.Errorf("%s: %d entries are left", stage, o.left())
			}
		})
	}
}

// After a failover Redis may give an id of a lost entry to another one.
func TestReusedIDIsNotTakenForAcknowledged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, p := &boxes{}, &broker{}
		o.add(0, "a", "1")
		failed := false
		o.fail = func(stage string, _ int) error {
			if stage == stageTrim && !failed {
				failed = true
				o.entries[0] = []Entry{{ID: "1", Account: "a", Value: []byte("other")}}
				return errBroken
			}
			return nil
		}
		stop := run(t, relayOf(t, config(1), o, p))
		pass(2 * DefaultPoll)
		synctest.Wait()
		stop()
		wantLogs(t, p, "a=1", "a=other")
		if o.left() != 0 {
			t.Errorf("%d entries are left", o.left())
		}
	})
}

func TestBacklogIsReadInBoundedBatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, p := &boxes{}, &broker{}
		c := config(20)
		c.Batch = 40
		published := 0
		c.Hooks.Published = func(entries []Entry) { published += len(entries) }
		var want [20][]string
		for i := range 5000 {
			n := i % 20
			o.add(n, "account-"+strconv.Itoa(n), strconv.Itoa(i))
			want[n] = append(want[n], strconv.Itoa(i))
		}
		r := relayOf(t, c, o, p)
		if err := r.Drain(context.Background()); err != nil {
			t.Fatal(err)
		}
		if published != 5000 || o.left() != 0 {
			t.Errorf("published %d, left %d", published, o.left())
		}
		if most := slices.Max(o.limits); most > 40 {
			t.Errorf("read up to %d at a time, want at most 40", most)
		}
		for n := range 20 {
			var got []string
			for _, line := range p.log("tiers") {
				if value, ok := strings.CutPrefix(line, "account-"+strconv.Itoa(n)+"="); ok {
					got = append(got, value)
				}
			}
			if !slices.Equal(got, want[n]) {
				t.Errorf("shard %d: out of order or incomplete", n)
			}
		}
	})
}

// A broker may take a request last that the client gave up: a topic must end with the
// latest of each account all the same.
func TestWhatALostRequestHeldIsPublishedOnceMoreBehindIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, b := &boxes{}, &broker{}
		b.fail = func(context.Context, string, []sink.Message) error {
			if b.fail = nil; b.Unsure() == 0 {
				b.lost++ // and the next attempt was acknowledged
			}
			return nil
		}
		c := config(1)
		c.Topics.Tiers = ""
		var told []string
		c.Hooks.Published = func(entries []Entry) {
			for _, e := range entries {
				told = append(told, string(e.Value))
			}
		}
		r := relayOf(t, c, o, b)
		defer run(t, r)()
		o.add(0, "a", "1")
		r.Wake(0)
		synctest.Wait()
		o.add(0, "a", "2")
		r.Wake(0)
		synctest.Wait()
		b.late("changes", "a=1")
		if o.left() != 2 {
			t.Fatalf("%d entries are left, want both until they have settled", o.left())
		}
		pass(DefaultSettle + DefaultPoll)
		synctest.Wait()
		if got, want := b.log("changes"), []string{"a=1", "a=2", "a=1", "a=1", "a=2"}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		if o.left() != 0 || !slices.Equal(told, []string{"1", "2"}) {
			t.Errorf("%d entries are left, the hook was told of %v", o.left(), told)
		}
	})
}

func TestStopFinishesWhatIsInHand(t *testing.T) {
	t.Parallel()
	for slow, want := range map[time.Duration]int{time.Second: 0, time.Hour: 1} {
		synctest.Test(t, func(t *testing.T) {
			o, p := &boxes{}, &broker{}
			p.fail = func(ctx context.Context, _ string, _ []sink.Message) error {
				select {
				case <-time.After(slow):
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			o.add(0, "a", "1")
			stop := run(t, relayOf(t, config(1), o, p))
			synctest.Wait()
			start := time.Now()
			stop()
			if o.left() != want || time.Since(start) > grace {
				t.Errorf("a publish of %s: %d entries are left after %s, want %d", slow, o.left(), time.Since(start), want)
			}
		})
	}
}

func TestDrainEmptiesWhatRunLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, p := &boxes{}, &broker{}
		r := relayOf(t, config(2), o, p)
		run(t, r)()
		o.add(0, "a", "1")
		tries := 0
		o.fail = func(stage string, _ int) error {
			if stage == stageTrim {
				if tries++; tries < 3 {
					return errBroken
				}
			}
			return nil
		}
		if err := r.Drain(context.Background()); err != nil {
			t.Fatal(err)
		}
		wantLogs(t, p, "a=1")
		if o.left() != 0 {
			t.Errorf("%d entries are left", o.left())
		}
	})
}

func TestDrainSaysWhyItCouldNotFinish(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, p := &boxes{}, &broker{fail: func(context.Context, string, []sink.Message) error { return errRefused }}
		o.add(0, "a", "1")
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		err := relayOf(t, config(2), o, p).Drain(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, errRefused) {
			t.Errorf("got %v", err)
		}
	})
}

func TestOldestAgeGrowsInAnOutageAndEndsWithIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, p := &boxes{}, &broker{}
		healed := time.Now().Add(time.Minute)
		o.fail = func(stage string, _ int) error {
			if stage == stageRead && time.Now().Before(healed) {
				return errBroken
			}
			return nil
		}
		var most, last time.Duration
		c := config(1)
		c.Hooks.OldestAge = func(age time.Duration) { most, last = max(most, age), age }
		o.add(0, "a", "1")
		stop := run(t, relayOf(t, c, o, p))
		pass(2 * time.Minute)
		synctest.Wait()
		stop()
		if most < 58*time.Second || most > 61*time.Second || last != 0 {
			t.Errorf("the age grew to %s and ended at %s, want about a minute and 0", most, last)
		}
	})
}

// TestOrderUnderRandomFailure adds entries while everything fails now and then,
// and reads the topics as a consumer would: repeats are dropped, a gap is a loss.
func TestOrderUnderRandomFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		random := rand.New(rand.NewPCG(1, 2))
		unlucky := func() bool { mu.Lock(); defer mu.Unlock(); return random.IntN(4) == 0 }
		o, p := &boxes{}, &broker{}
		o.fail = func(string, int) error {
			if unlucky() {
				return errBroken
			}
			return nil
		}
		p.fail = func(_ context.Context, topic string, messages []sink.Message) error {
			if !unlucky() {
				return nil
			}
			// A part may be acknowledged before the call fails.
			p.mu.Lock()
			defer p.mu.Unlock()
			for _, m := range messages[:len(messages)/2] {
				if p.logs == nil {
					p.logs = map[string][]string{}
				}
				p.logs[topic] = append(p.logs[topic], string(m.Key)+"="+string(m.Value))
			}
			return errRefused
		}
		c := config(5)
		c.Batch = 7
		r := relayOf(t, c, o, p)
		stop := run(t, r)
		for seq := range 200 {
			for n := range 5 {
				o.add(n, strconv.Itoa(n), strconv.Itoa(seq))
				r.Wake(n)
			}
			pass(50 * time.Millisecond)
		}
		stop()
		if err := r.Drain(context.Background()); err != nil {
			t.Fatal(err)
		}
		for _, topic := range []string{"changes", "tiers"} {
			wantEach(t, topic, p.log(topic), 5, 200)
		}
	})
}

func TestValidateNamesEveryFault(t *testing.T) {
	t.Parallel()
	_, err := New(Config{Poll: -1}, &boxes{}, &broker{}, zerolog.Nop())
	for _, part := range []string{"topics:", "shards: 0", "owns:", "poll -1ns"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("got %v, want it to say %q", err, part)
		}
	}
}
