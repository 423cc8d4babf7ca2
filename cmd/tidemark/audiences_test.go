package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tidemark/deploy/testenv"
)

// platform is an advertising platform: it keeps a set of accounts, and fails now and then.
type platform struct {
	mu    sync.Mutex // guards the rest
	dice  *rand.Rand
	in    map[string]bool
	most  int // accounts in one call
	calls int
}

func (p *platform) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body struct{ Add, Remove []string }
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, "no", http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls++
	p.most = max(p.most, len(body.Add)+len(body.Remove))
	if p.dice.IntN(5) == 0 {
		http.Error(w, "no", http.StatusBadGateway)
		return
	}
	for _, account := range body.Add {
		p.in[account] = true
	}
	for _, account := range body.Remove {
		delete(p.in, account)
	}
	if p.dice.IntN(5) == 0 {
		panic(http.ErrAbortHandler) // done, and nobody learns of it
	}
}

func (p *platform) accounts() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(maps.Keys(p.in))
}

var eventTime = regexp.MustCompile(`"time":"([^"]*)"`)

// ending is the history with its latest event at an instant.
func (h history) ending(t *testing.T, at time.Time) history {
	t.Helper()
	latest := time.Time{}
	for _, line := range h.events {
		if e := head(t, line); e.Time.After(latest) {
			latest = e.Time
		}
	}
	by := at.Sub(latest).Truncate(time.Millisecond)
	shift := func(lines [][]byte) [][]byte {
		out := make([][]byte, len(lines))
		for i, line := range lines {
			was := head(t, line).Time
			out[i] = eventTime.ReplaceAll(line, fmt.Appendf(nil, `"time":%q`, was.Add(by).UTC().Format(time.RFC3339Nano)))
		}
		return out
	}
	return history{h.model, shift(h.profiles), shift(h.events)}
}

// Audiences that are killed and restarted at random end as exactly the accounts that their definitions
// select, in the feed and at the endpoint, by the offline score's reckoning.
func TestAudiencesConverge(t *testing.T) {
	t.Parallel()
	dice := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	target := &platform{dice: rand.New(rand.NewPCG(7, 7)), in: map[string]bool{}}
	server := httptest.NewServer(target)
	t.Cleanup(server.Close)
	feeds := map[string]string{"warm": testenv.Name(t, "warm"), "cold": testenv.Name(t, "cold")}
	file := filepath.Join(t.TempDir(), "audiences.yaml")
	text := strings.NewReplacer("URL", server.URL, "WARM", feeds["warm"], "COLD", feeds["cold"]).Replace(`audiences:
  - name: warm
    where: 'tier in ["A", "B"] and profile.territory in ["emea", "amer"]'
    except: 'profile.owner == "ana"'
    topic: WARM
  - name: cold
    where: 'tier == "C" and profile.territory == "amer"'
    topic: COLD
    http: {url: URL, unsigned: true, allow_private: true, batch: 3, every: 0s, timeout: 2s}
`)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	h := readHistory(t, "model.yaml", "random").sorted(t).ending(t, time.Now().Add(-time.Minute))
	w := newWorld(t, servers.Kafka(t).Addr(), servers.Redis(t).Addr(), h.model, 3, "TIDEMARK_AUDIENCES_FILE="+file)
	// The audiences begin in the middle of it.
	half := len(h.events) / 2
	w.load(history{h.model, h.profiles, h.events[:half]})
	for part, rest := 4, h.events[half:]; part > 0; part-- {
		i := w.serve()
		n := len(rest) / part
		w.load(history{h.model, nil, rest[:n]})
		rest = rest[n:]
		i.await(`"message":"following"`)
		wait := time.NewTimer(time.Duration(dice.IntN(1500)) * time.Millisecond)
		<-wait.C
		i.kill()
	}
	i := w.serve()
	w.drained()
	now := time.Now()
	want := selected(t, w.score(h, now))
	if len(want["warm"]) == 0 || len(want["cold"]) == 0 {
		t.Fatalf("the history selects %v, too few to tell", want)
	}
	eventually(t, 90*time.Second, func() error {
		for name, topic := range feeds {
			got, err := w.fold(name, topic)
			if err != nil {
				return err
			}
			if !slices.Equal(got, want[name]) {
				return fmt.Errorf("%s is %v, want %v", name, got, want[name])
			}
		}
		if got := target.accounts(); !slices.Equal(got, want["cold"]) {
			return fmt.Errorf("the endpoint has %v, want %v", got, want["cold"])
		}
		return nil
	})
	i.stop()
	schema := readAsyncAPI(t).schema(t, "audienceMoved")
	for _, m := range w.read(feeds["warm"]) {
		fits(t, schema, m.Value, map[string]bool{})
	}
	if target.most > 3 {
		t.Errorf("a call had %d accounts, want at most 3", target.most)
	}
}

// selected are the accounts that the definitions of the test select, by where `score` leaves them.
func selected(t *testing.T, s scoreResult) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	latest := map[string]change{}
	for _, c := range s.changes {
		if c.Data.Seq > latest[c.Data.Account].Data.Seq {
			latest[c.Data.Account] = c
		}
	}
	for _, account := range slices.Sorted(maps.Keys(latest)) {
		c := latest[account]
		if at := s.scores[account]; at.Tier != c.Data.To || at.Seq != c.Data.Seq {
			t.Errorf("%s: --scores has %+v, --changes %s", account, at, c.raw)
		}
		territory, owner := c.Data.Profile["territory"], c.Data.Profile["owner"]
		if c.Data.To != "C" && (territory == "emea" || territory == "amer") && owner != "ana" {
			out["warm"] = append(out["warm"], account)
		}
		if c.Data.To == "C" && territory == "amer" {
			out["cold"] = append(out["cold"], account)
		}
	}
	return out
}

// fold is who is in an audience after all of its feed, in which enters and exits must alternate.
func (w *world) fold(name, topic string) ([]string, error) {
	var out []string
	last := map[string]uint64{}
	in := map[string]bool{}
	for _, m := range w.read(topic) {
		var e struct {
			ID, Type string
			Data     struct {
				Account string
				N       uint64
				In      bool
			}
		}
		if err := json.Unmarshal(m.Value, &e); err != nil {
			return nil, err
		}
		d := e.Data
		if string(m.Key) != d.Account || e.ID != fmt.Sprintf("%s/%s/%d", name, d.Account, d.N) {
			return nil, fatal{fmt.Errorf("key %s, id %s in %s", m.Key, e.ID, m.Value)}
		}
		if d.N <= last[d.Account] {
			continue // a repeat
		}
		if d.N != last[d.Account]+1 || d.In != (d.N%2 == 1) {
			return nil, fatal{fmt.Errorf("%s follows %d", m.Value, last[d.Account])}
		}
		last[d.Account], in[d.Account] = d.N, d.In
	}
	for _, account := range slices.Sorted(maps.Keys(in)) {
		if in[account] {
			out = append(out, account)
		}
	}
	return out, nil
}
