package webhook

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"tidemark/pkg/outbound"
)

// batching runs one endpoint that takes three events in a request.
func batching(t *testing.T, q *shelf, send sendFunc) {
	t.Helper()
	endpoints, err := Parse("hooks.yaml", []byte(`endpoints: [{name: crm, url: "https://crm.example", unsigned: true, batch: {max: 3, wait: 10s}}]`), nil)
	if err != nil {
		t.Fatal(err)
	}
	d := New(q, endpoints, NewMetrics(prometheus.NewRegistry(), endpoints), zerolog.Nop())
	d.jitter = func(d time.Duration) time.Duration { return d }
	d.lines["crm"].sender = send
	running(t, d)
}

// within are the ids of the events of a request.
func within(t *testing.T, m outbound.Message) string {
	var body struct {
		Data []struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	if err := json.Unmarshal(m.Body, &body); err != nil {
		t.Error(err)
	}
	var ids []string
	for _, e := range body.Data {
		ids = append(ids, e.ID)
	}
	return strings.Join(ids, " ")
}

// A batch that fails is sent again as it was, under its id; those that come meanwhile go
// in batches of their own, and an account's second event comes behind its first.
func TestBatchIsRetriedAsOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newShelf()
		var mu sync.Mutex
		var sent, ids, taken []string
		failures := 2
		batching(t, q, func(m outbound.Message) outbound.Answer {
			mu.Lock()
			defer mu.Unlock()
			sent, ids = append(sent, within(t, m)), append(ids, m.ID)
			if failures > 0 && strings.Contains(sent[len(sent)-1], "a/1") {
				failures--
				return outbound.Answer{Result: outbound.Failed, Status: 503}
			}
			taken = append(taken, within(t, m))
			return outbound.Answer{Result: outbound.Delivered}
		})
		q.put(t, "crm", entry("a", 1), entry("a", 2), entry("b", 1))
		pass(9 * time.Second)
		mu.Lock()
		if len(sent) != 0 {
			t.Errorf("sent %v before it waited for more", sent)
		}
		mu.Unlock()
		pass(3 * time.Second)
		q.put(t, "crm", entry("c", 1))
		pass(5 * time.Minute)
		mu.Lock()
		defer mu.Unlock()
		if want := []string{"a/1 b/1", "a/1 b/1", "c/1", "a/1 b/1", "a/2"}; !slices.Equal(slices.Sorted(slices.Values(sent)), slices.Sorted(slices.Values(want))) {
			t.Errorf("sent %v, want %v", sent, want)
		}
		if i := slices.Index(taken, "a/1 b/1"); i < 0 || slices.Index(taken, "a/2") < i || len(taken) != 3 {
			t.Errorf("taken %v", taken)
		}
		byBody := map[string]string{}
		for i, s := range sent {
			if before, again := byBody[s]; again && before != ids[i] {
				t.Errorf("%s has the ids %s and %s", s, before, ids[i])
			}
			byBody[s] = ids[i]
		}
	})
}

// One event that is refused does not hold up those that were sent with it.
func TestRefusedEventIsFoundInItsBatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newShelf()
		var mu sync.Mutex
		var taken []string
		refused := 0
		batching(t, q, func(m outbound.Message) outbound.Answer {
			mu.Lock()
			defer mu.Unlock()
			if ids := within(t, m); strings.Contains(ids, "b/1") {
				refused++
				return outbound.Answer{Result: outbound.Refused, Status: 400}
			} else {
				taken = append(taken, strings.Fields(ids)...)
			}
			return outbound.Answer{Result: outbound.Delivered}
		})
		q.put(t, "crm", entry("a", 1), entry("b", 1), entry("c", 1))
		pass(5 * time.Second)
		mu.Lock()
		slices.Sort(taken)
		if want := []string{"a/1", "c/1"}; !slices.Equal(taken, want) {
			t.Errorf("within seconds %v were taken, want %v", taken, want)
		}
		mu.Unlock()
		pass(26 * time.Hour)
		mu.Lock()
		defer mu.Unlock()
		if len(taken) != 2 || refused != 2+len(schedule)+1 && refused != 1+len(schedule)+1 {
			t.Errorf("taken %v, refused %d times", taken, refused)
		}
		if left := len(q.entries["crm"]); left != 0 {
			t.Errorf("%d entries are left after a day", left)
		}
	})
}
