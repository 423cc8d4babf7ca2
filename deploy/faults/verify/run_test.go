package verify_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"tidemark/deploy/faults/verify"
	"tidemark/pkg/modelfile"
)

const model = `
name: verified
version: 1
groups: {engagement: {}}
signals:
  - {name: visit, group: engagement, match: {type: engagement.page_view}, points: 30, half_life: 10s}
tiers:
  - {name: A, min: 50, mqa: true}
  - {name: C}
`

// sound is a run without a fault: two visits lift an account, decay lets it fall.
func sound(t *testing.T) *verify.Run {
	t.Helper()
	file, err := modelfile.Parse("model", []byte(model))
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now().Add(-time.Minute).Truncate(time.Millisecond)
	input := func(n int, value string) verify.Record {
		return verify.Record{Topic: "in", Offset: int64(n), Time: begun, Value: []byte(value)}
	}
	visit := func(n int) string {
		return fmt.Sprintf(`{"specversion":"1.0","id":"e%d","source":"/t","type":"engagement.page_view","time":%q,"subject":"acme.example","data":{}}`,
			n, begun.UTC().Format("2006-01-02T15:04:05.000Z"))
	}
	change := func(seq int, from, to, direction, mqa, cause string, at time.Time, score, threshold float64) verify.Record {
		value := fmt.Sprintf(`{"id":"acme.example/%d","subject":"acme.example","time":%q,"data":{"account":"acme.example","seq":%d,"from":%q,"to":%q,`+
			`"direction":%q,"mqa":%s,"score":%v,"threshold":%v,"cause":%s,"receipt":{"score":%[8]v,"groups":[{"name":"engagement","points":%[8]v,"sum":%[8]v,"signals":[{"points":%[8]v}]}]}}}`,
			seq, at.UTC().Format("2006-01-02T15:04:05.000Z"), seq, from, to, direction, mqa, score, threshold, cause)
		return verify.Record{Topic: "out", Key: []byte("acme.example"), Value: []byte(value)}
	}
	// 60 · 2^(−t/10 s) is below 50 from 2,631 ms on.
	fell := begun.Add(2631 * time.Millisecond)
	up := change(1, "C", "A", "up", "true", `{"kind":"event","id":"e2"}`, begun, 60, 50)
	down := change(2, "A", "C", "down", "false", `{"kind":"decay"}`, fell, 49.99772673111073, 50)
	return &verify.Run{
		Model: file, Topics: []string{"in"}, InOrder: true,
		Inputs:  []verify.Record{input(0, visit(1)), input(1, "{not json"), input(2, visit(2)), input(3, visit(2))},
		Changes: []verify.Record{up, down, down}, Tiers: []verify.Record{up, down},
		Letters: []verify.Record{{Value: []byte("{not json"), Headers: map[string]string{
			"__connect.errors.topic": "in", "__connect.errors.partition": "0", "__connect.errors.offset": "1",
			"__connect.errors.exception.class.name": "malformed",
		}}},
		States: map[string]verify.State{"acme.example": {Score: 0.9375, Tier: "C", Seq: 2}},
		At:     begun.Add(time.Minute).UnixMilli(),
	}
}

func TestASoundRunHasNoFaults(t *testing.T) {
	t.Parallel()
	for _, inOrder := range []bool{true, false} {
		run := sound(t)
		run.InOrder, run.NotLate = inOrder, true
		r, err := verify.Check(*run)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Faults) > 0 || r.Events != 3 || r.Unusable != 1 || r.Changes != 2 || r.Repeats != 1 {
			t.Errorf("in order %v: got %v %q", inOrder, r, r.Faults)
		}
	}
}

// Each thing that can be wrong with a run is found, in both modes.
func TestEachFaultIsFound(t *testing.T) {
	t.Parallel()
	replace := func(r *verify.Record, from, to string) {
		r.Value = bytes.ReplaceAll(r.Value, []byte(from), []byte(to))
	}
	state := func(run *verify.Run, change func(*verify.State)) {
		s := run.States["acme.example"]
		change(&s)
		run.States["acme.example"] = s
	}
	for _, c := range []struct {
		name, says string
		spoil      func(run *verify.Run)
	}{
		{"an event lost", "score", func(run *verify.Run) { state(run, func(s *verify.State) { s.Score /= 2 }) }},
		{"an event counted twice", "score", func(run *verify.Run) { state(run, func(s *verify.State) { s.Score *= 1.5 }) }},
		{"an account lost", "not stored", func(run *verify.Run) { clear(run.States) }},
		{"a seq ahead", "stored as", func(run *verify.Run) { state(run, func(s *verify.State) { s.Seq++ }) }},
		{"another tier", "stored as", func(run *verify.Run) { state(run, func(s *verify.State) { s.Tier = "A" }) }},
		{"a change lost", "follows seq 0", func(run *verify.Run) { run.Changes = run.Changes[1:] }},
		{"two meanings", "two meanings", func(run *verify.Run) { replace(&run.Changes[2], `49.99772673111073`, `49.9`) }},
		{"another key", "key", func(run *verify.Run) { run.Changes[0].Key = []byte("other") }},
		{"from is not the tier before", "the one before was to", func(run *verify.Run) { replace(&run.Changes[0], `"from":"C"`, `"from":"B"`) }},
		{"time goes back", "the one before of", func(run *verify.Run) { run.Changes[0].Value = at(run.Changes[0].Value, time.Now().Add(time.Hour)) }},
		{"a receipt that does not add up", "adds up to", func(run *verify.Run) { replace(&run.Changes[0], `"points":60`, `"points":59`) }},
		{"up below the threshold", "threshold", func(run *verify.Run) { replace(&run.Changes[0], `"threshold":50`, `"threshold":61`) }},
		{"no mqa", "mqa", func(run *verify.Run) { replace(&run.Changes[0], `"mqa":true`, `"mqa":false`) }},
		{"an old record in account-tiers", "account-tiers of", func(run *verify.Run) { run.Tiers = append(run.Tiers, run.Tiers[0]) }},
		{"a stranger in account-tiers", "account-tiers holds", func(run *verify.Run) { run.Tiers = append(run.Tiers, verify.Record{Key: []byte("x")}) }},
		{"a dead letter lost", "no dead letter", func(run *verify.Run) { run.Letters = nil }},
		{"a usable event in the dead letters", "is usable", func(run *verify.Run) { run.Inputs[1].Value = run.Inputs[0].Value }},
		{"another reason", "its dead letter says", func(run *verify.Run) { run.Letters[0].Headers["__connect.errors.exception.class.name"] = "oversize" }},
		{"other bytes", "other bytes", func(run *verify.Run) { run.Letters[0].Value = []byte("{") }},
		{"a dead letter of nothing", "not among the inputs", func(run *verify.Run) { run.Inputs = append(run.Inputs[:1], run.Inputs[2:]...) }},
		{"changes without input", "without input", func(run *verify.Run) { run.Inputs = run.Inputs[1:2] }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, inOrder := range []bool{true, false} {
				run := sound(t)
				run.InOrder = inOrder
				c.spoil(run)
				wantFault(t, run, c.says)
			}
		})
	}
}

func TestAHistoryThatIsNotOursIsFound(t *testing.T) {
	t.Parallel()
	late := sound(t)
	late.Changes[1].Value = at(late.Changes[1].Value, time.UnixMilli(late.At).Add(-50*time.Second))
	late.Changes, late.Tiers = late.Changes[:2], []verify.Record{late.Changes[1]}
	wantFault(t, late, "acme.example/2: got")

	early := sound(t)
	early.InOrder, early.NotLate = false, true
	early.Changes[1].Value = at(early.Changes[1].Value, time.UnixMilli(early.At).Add(-58*time.Second))
	early.Changes, early.Tiers = early.Changes[:2], []verify.Record{early.Changes[1]}
	wantFault(t, early, "false demotion")

	missing := sound(t)
	missing.InOrder = false
	missing.Changes, missing.Tiers = missing.Changes[:1], missing.Tiers[:1]
	missing.States["acme.example"] = verify.State{Score: 0.9375, Tier: "A", Seq: 1}
	wantFault(t, missing, "the rules put it into C")
}

func wantFault(t *testing.T, run *verify.Run, says string) {
	t.Helper()
	r, err := verify.Check(*run)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(strings.Join(r.Faults, "\n"), says) {
		t.Errorf("in order %v: got %q, want one that says %q", run.InOrder, r.Faults, says)
	}
}

// at gives a change another time.
func at(value []byte, when time.Time) []byte {
	var c struct{ Time string }
	_ = json.Unmarshal(value, &c) // it is ours
	return bytes.Replace(value, []byte(c.Time), []byte(when.UTC().Format("2006-01-02T15:04:05.000Z")), 1)
}
