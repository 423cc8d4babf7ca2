package main

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// mergeEvery is how many events lie between two merges.
const mergeEvery = 37

// tangled and apart choose the accounts of the merge behind event i, of so many
// accounts: in chains, in circles, again and in vain; or so that no merge has to do with
// another.
func tangled(i, accounts int) (from, into int) { return i * 7 % accounts, i * 13 % accounts }
func apart(i, _ int) (from, into int)          { return 2 * (i / mergeEvery), 2*(i/mergeEvery) + 1 }

// mergers is a crowd among which accounts merge now and then, some into accounts that
// nobody heard of.
func mergers(t *testing.T, copies int, which func(i, accounts int) (from, into int)) history {
	t.Helper()
	h := crowd(t, copies)
	model, err := os.ReadFile(h.model)
	if err != nil {
		t.Fatal(err)
	}
	h.model = writeModel(t, string(model)+"\nidentity: {late: true}\n")
	taken := map[int64]bool{}
	var subjects []string
	for _, line := range h.events {
		e := head(t, line)
		taken[e.millis] = true
		if e.Subject != "" && !slices.Contains(subjects, e.Subject) {
			subjects = append(subjects, e.Subject)
		}
	}
	var merges [][]byte
	for i := 30; i < len(h.events); i += mergeEvery {
		at := head(t, h.events[i]).millis + 1
		for taken[at] { // the order of what happens at one instant is nobody's
			at++
		}
		taken[at] = true
		f, n := which(i, len(subjects))
		if max(f, n) >= len(subjects) {
			break
		}
		from, into := subjects[f], subjects[n]
		if from == into {
			into = "nobody-knows.example"
		}
		merges = append(merges, event(fmt.Sprint("merge-", i), "account.merged", time.UnixMilli(at), from, fmt.Sprintf(`{"into":%q}`, into)))
	}
	h.events = append(h.events, merges...)
	return h.sorted(t)
}

// A crash at any instant of merges changes nothing.
func TestMergesSurviveKills(t *testing.T) {
	t.Parallel()
	h := mergers(t, 20, tangled)
	w := newWorld(t, servers.Kafka(t).Addr(), servers.Redis(t).Addr(), h.model, 3)
	w.load(h)
	total := int64(len(w.score(h, time.Now()).changes))
	for n := range 4 {
		i := w.serve("TIDEMARK_ENGINE_MAX_BATCH=100")
		i.await(`"message":"partitions assigned"`)
		before := w.published()
		eventually(t, 30*time.Second, func() error {
			if now := w.published(); now < min(before+int64(30*(n+1)), total) {
				return fmt.Errorf("%d tier changes published after %d", now, before)
			}
			return nil
		})
		i.kill()
	}
	i := w.serve()
	w.drained()
	w.equalScore(h)
	w.sameTiers()
	i.stop()
}

// Two instances merge accounts of each other's shards, one is killed: every event
// counts, and once.
func TestTwoInstancesMergeAndTakeOver(t *testing.T) {
	t.Parallel()
	h := mergers(t, 20, apart)
	// Who reads first decides which of two events or merges comes first. All that is
	// counted adds up to the same, but for once_per windows.
	model, err := os.ReadFile(h.model)
	if err != nil {
		t.Fatal(err)
	}
	h.model = writeModel(t, regexp.MustCompile(`, once_per: \w+`).ReplaceAllString(string(model), ""))
	w := newWorld(t, servers.Kafka(t).Addr(), servers.Redis(t).Addr(), h.model, 3)
	half := len(h.events) / 2
	w.load(history{model: h.model, profiles: h.profiles, events: h.events[:half]})
	w.serve("TIDEMARK_KAFKA_INSTANCE_ID=a")
	b := w.serve("TIDEMARK_KAFKA_INSTANCE_ID=b")
	w.load(history{model: h.model, events: h.events[half:]})
	b.kill()
	w.drained()
	now := time.Now()
	w.changes() // contiguous, and one meaning to each seq
	for _, s := range w.score(h, now).scores {
		w.wantScore(s, now)
	}
	w.sameTiers()
}

// A merge that can't be carried out is one dead letter, and a merged account says
// where it went.
func TestAMergedAccountSaysWhereItWent(t *testing.T) {
	t.Parallel()
	h := readHistory(t, "model.yaml", "random")
	w := newWorld(t, servers.Kafka(t).Addr(), servers.Redis(t).Addr(), h.model, 2)
	at := time.Now().Add(-time.Hour)
	w.load(history{events: [][]byte{
		event("1", "intent.topic_research", at, "old.example", `{}`),
		event("2", "account.merged", at.Add(time.Second), "old.example", `{"into":"new.example"}`),
		event("3", "account.merged", at.Add(2*time.Second), "new.example", `{"into":"old.example"}`),
		event("4", "intent.topic_research", at.Add(3*time.Second), "old.example", `{}`),
	}})
	i := w.serve() // now, since which of two merges comes first depends on what is read first
	w.drained()
	letters := w.read(w.cfg.Kafka.Topics.DeadLetters)
	if len(letters) != 1 || !bytes.Contains(letters[0].Value, []byte(`"id":"3"`)) {
		t.Errorf("got %d dead letters, want the one of the merge back", len(letters))
	}
	if told := string(w.command("accounts", "explain", "old.example")); !strings.Contains(told, "merged into new.example") {
		t.Errorf("explain: got %s", told)
	}
	if told := string(w.command("accounts", "get", "old.example")); !strings.Contains(told, `"merged_into": "new.example"`) {
		t.Errorf("get: got %s", told)
	}
	if told := string(w.command("accounts", "get", "new.example")); !strings.Contains(told, `"name": "topic-research"`) {
		t.Errorf("the winner: got %s", told)
	}
	i.stop()
}
