package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tidemark/pkg/backtest"
)

// A backtest has the accounts, tier changes and tiers that `score` gives, of both models at once.
func TestBacktestAgreesWithScore(t *testing.T) {
	t.Parallel()
	const until = "2026-06-15T00:00:00Z"
	dir := filepath.Join("..", "..", "scoring", "testdata", "examples")
	events, profiles := filepath.Join(dir, "random", "events.jsonl"), filepath.Join(dir, "random", "profiles.jsonl")
	first := filepath.Join(dir, "model.yaml")
	text, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	second := writeModel(t, strings.Replace(string(text), "{name: A, min: 85,", "{name: A, min: 75,", 1))
	code, out, stderr := command(t, nil, "backtest", "--json", "--model", first, "--against", second, "--events", events, "--profiles", profiles, "--until", until)
	if code != exitDone {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	var got struct{ Models []backtest.Report }
	if err := json.Unmarshal([]byte(out), &got); err != nil || len(got.Models) != 2 {
		t.Fatalf("%v in %s", err, out)
	}
	if got.Models[0].MQAs >= got.Models[1].MQAs || got.Models[0].MQAs == 0 {
		t.Errorf("MQAs: got %d and %d, want more where A begins lower", got.Models[0].MQAs, got.Models[1].MQAs)
	}
	for i, model := range []string{first, second} {
		changes, scores := filepath.Join(t.TempDir(), "changes"), filepath.Join(t.TempDir(), "scores")
		if code, _, stderr := command(t, nil, "score", "--model", model, "--events", events, "--profiles", profiles, "--until", until, "--changes", changes, "--scores", scores); code != exitDone {
			t.Fatalf("exit %d: %s", code, stderr)
		}
		want, mqas := map[string]int{}, 0
		for _, line := range readLines(t, scores) {
			var s scoreOut
			if err := json.Unmarshal(line, &s); err != nil {
				t.Fatal(err)
			}
			want[s.Tier]++
		}
		all := readLines(t, changes)
		for _, line := range all {
			if parseChange(t, line).Data.MQA {
				mqas++
			}
		}
		r, weeks := got.Models[i], 0
		for _, tier := range r.Tiers {
			if tier.Accounts != want[tier.Tier] {
				t.Errorf("model %d: %d accounts in tier %s, want %d", i, tier.Accounts, tier.Tier, want[tier.Tier])
			}
		}
		for _, week := range r.Weeks {
			weeks += week.MQAs
		}
		if r.Changes != len(all) || r.MQAs != mqas || weeks != mqas || r.Outcomes != nil {
			t.Errorf("model %d: %d changes, %d MQAs (%d by week), want %d and %d", i, r.Changes, r.MQAs, weeks, len(all), mqas)
		}
	}
}

// An outcome counts for the account that its domain leads to, and for the heir of a merged one.
func TestBacktestFindsWhoseAnOutcomeIs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	events := filepath.Join(dir, "events.jsonl")
	lines := []string{
		`{"specversion":"1.0","id":"1","source":"/t","type":"account.profile","time":"2026-11-02T08:00:00Z","subject":"acme","data":{"attributes":{},"domains":["acme.test"]}}`,
		`{"specversion":"1.0","id":"2","source":"/t","type":"engagement.visit","time":"2026-11-02T09:00:00Z","subject":"acme","data":{}}`,
		`{"specversion":"1.0","id":"3","source":"/t","type":"engagement.visit","time":"2026-11-02T10:00:00Z","subject":"old","data":{}}`,
		`{"specversion":"1.0","id":"4","source":"/t","type":"outcome.won","time":"2026-11-03T09:00:00Z","data":{"contact":{"email":"dana@acme.test"}}}`,
		`{"specversion":"1.0","id":"5","source":"/t","type":"outcome.opportunity","time":"2026-11-04T09:00:00Z","subject":"old","data":{}}`,
		`{"specversion":"1.0","id":"6","source":"/t","type":"account.merged","time":"2026-11-05T09:00:00Z","subject":"old","data":{"into":"new"}}`,
		`{"specversion":"1.0","id":"7","source":"/t","type":"outcome.lost","time":"2026-11-30T09:00:00Z","subject":"acme","data":{}}`,
	}
	if err := os.WriteFile(events, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, stderr := command(t, nil, "backtest", "--model", writeModel(t, visitors), "--events", events, "--until", "2026-11-23T00:00:00Z")
	if code != exitDone {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	plain := strings.Join(strings.Fields(out), " ")
	for _, want := range []string{"visitors v3: 2 accounts,", "| visitors v3 | A | 2 | 2 | 100 % | 100 % | 1.0 |", "2 accounts are good (2 outcome events); of all accounts of visitors v3 that is 100 %"} {
		if !strings.Contains(plain, want) {
			t.Errorf("got %s, want …%s…", out, want)
		}
	}
	if code, _, stderr := command(t, nil, "backtest", "--events", events, "--until", "soon"); code != exitUsage || !strings.Contains(stderr, `--until: "soon"`) {
		t.Errorf("exit %d: %s", code, stderr)
	}
}
