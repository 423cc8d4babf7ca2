package relay

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

func TestEntriesOfABacklogGoTogether(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		age      time.Duration // of the inputs; 0: none led to the entries
		requests int           // for both topics
	}{
		{"of a backlog", time.Hour, 4}, {"live", time.Second, 20}, {"of no input", 0, 20},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o, p := &boxes{}, &broker{}
				r := relayOf(t, admitting(1), o, p)
				stop := run(t, r)
				want := []string{}
				for n := range 10 {
					after, entries := o.append(0, "a", strconv.Itoa(n))
					if tt.age > 0 {
						entries[0].Appended = time.Now().Add(-tt.age).UnixMilli()
						o.entries[0][len(o.entries[0])-1] = entries[0]
					}
					r.Add(0, after, entries)
					want = append(want, "a="+strconv.Itoa(n))
					synctest.Wait()
				}
				pass(linger)
				synctest.Wait()
				wantLogs(t, p, want...)
				if got := len(p.at); got != tt.requests {
					t.Errorf("%d requests, want %d", got, tt.requests)
				}
				stop()
			})
		})
	}
}

func TestAStopDoesNotWaitForABacklogToGrow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, p := &boxes{}, &broker{}
		r := relayOf(t, admitting(1), o, p)
		stop := run(t, r)
		for n := range 2 {
			after, entries := o.append(0, "a", strconv.Itoa(n))
			entries[0].Appended = 1
			o.entries[0][len(o.entries[0])-1] = entries[0]
			r.Add(0, after, entries)
			synctest.Wait()
		}
		begun := time.Now()
		stop()
		if took := time.Since(begun); took != 0 {
			t.Errorf("it took %s", took)
		}
		if err := r.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantLogs(t, p, "a=0", "a=1")
	})
}
