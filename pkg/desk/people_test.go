package desk_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"tidemark/pkg/route"
)

// populate decides what the accounts will do in the fortnight.
func (f *fortnight) populate(begin int64) {
	spike := begin + 2*day + f.fate.Int64N(5*day)
	for n := range 450 {
		account := fmt.Sprintf("a%03d", n)
		at := begin + f.fate.Int64N(13*day)
		if n < 300 {
			at = spike + f.fate.Int64N(hour)
		}
		f.at(at, func() { f.visit(account, 1) })
	}
}

// visit is an account's stay in MQA tiers: it enters, may rise or fall within them,
// leaves, and may come again.
func (f *fortnight) visit(account string, seq uint64) {
	d := f.dice("visit", account, seq)
	score := 50 + float64(d.IntN(40))
	f.produce(account, seq, "A", true, score)
	at, leave := f.now, f.now+d.Int64N(6*day)
	for n := range d.IntN(3) {
		at += d.Int64N(leave - at + 1) // in the order of their numbers
		to := []string{"S", "A"}[n%2]
		moved := score + float64(d.IntN(30)) - 5
		seq++
		number := seq
		f.at(at, func() { f.produce(account, number, to, false, moved) })
	}
	f.at(leave, func() {
		f.produce(account, seq+1, "C", false, 20)
		if again := f.dice("again", account, seq); again.IntN(2) == 0 {
			f.at(f.now+again.Int64N(5*day), func() { f.visit(account, seq+2) })
		}
	})
}

// produce appends a tier change to the log, at times an older one again too.
func (f *fortnight) produce(account string, seq uint64, to string, mqa bool, score float64) {
	d := f.dice("profile", account)
	profile := map[string]any{"territory": []string{"EMEA", "US", "CA", "JP", "AU", "MARS"}[d.IntN(6)]}
	if d.IntN(4) == 0 {
		profile["owner"] = fmt.Sprintf("rep no. %d", d.IntN(50)) // ten are unknown
	}
	p := int(f.dice(account).Uint64() % uint64(len(f.log)))
	c := &route.Change{
		Account: account, Seq: seq, At: f.now, To: to, MQA: mqa, Stays: to != "C", Score: score,
		Signal: []string{"demo", "email-click", ""}[d.IntN(3)], Model: route.ModelRef{Name: "m", Version: 1}, Profile: profile,
	}
	f.log[p] = append(f.log[p], c)
	if n := len(f.log[p]); f.dice("repeat", account, seq).IntN(10) == 0 {
		f.log[p] = append(f.log[p], f.log[p][max(0, n-20):n]...)
	}
}

// react is what a rep does who is given an MQA.
func (f *fortnight) react(s step) {
	if s.Data.Step != "opened" && s.Data.Step != "reassigned" || f.office.reps[s.Data.Owner] == nil || s.Data.Position > 0 {
		return
	}
	d := f.dice("react", s.ID)
	c := route.Command{Account: s.Data.Account, Seq: s.Data.Seq, By: s.Data.Owner}
	f.at(f.now+d.Int64N(40*hour), func() { f.act(c, s.ID) })
}

func (f *fortnight) act(c route.Command, about string) {
	d := f.dice("act", about, c.Verb)
	switch n := d.IntN(20); {
	case n < 4: // says nothing
		return
	case n < 10 && c.Verb != route.Ack:
		c.Verb = route.Ack
		f.command(c)
		f.at(f.now+d.Int64N(30*hour), func() { f.act(c, about) })
		return
	case n < 14:
		c.Verb = route.Accept
	case n < 18:
		c.Verb, c.Reason = route.Reject, []string{"not-now", "wrong-fit"}[d.IntN(2)]
	default:
		c.Verb = route.ReassignVerb
	}
	f.command(c)
}

// step is an event of mqa-routing.
type step struct {
	ID   string
	Time time.Time
	Data struct {
		Account  string
		Seq      uint64
		N        int
		Step     string
		State    string
		Owner    string
		Previous string `json:"previous_owner"`
		Team     string
		Rule     string
		Position int `json:"queue_position"`
		Reason   string
		By       string
		Deadline time.Time
		Opened   time.Time `json:"opened_at"`
		Crossed  time.Time `json:"crossed_at"`
		Breached bool
	}
}

func parseStep(t *testing.T, value []byte) (s step) {
	t.Helper()
	if err := json.Unmarshal(value, &s); err != nil {
		t.Fatalf("%v in %s", err, value)
	}
	return s
}
