package deadletters

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"tidemark/streams/sink"
	"tidemark/streams/tail"
)

// What is written is what the producer wrote: bytes, key, headers, timestamp.
func TestReplayWritesTheOriginal(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	own := []sink.Header{{Key: "trace", Value: []byte("t1")}, {Key: sink.HeaderReason, Value: []byte("somebody else's")}}
	origin, _ := c.send(sink.DeadLetter{Key: []byte("k"), Value: []byte("{bad"), Headers: own, Time: noon - 12345})
	if r := c.replay(Options{}); r.Replayed != 1 || r.Matching != 1 || len(r.Refused) > 0 || len(r.Warnings) > 0 {
		t.Fatalf("got %+v", r)
	}
	log := c.topics[input][origin.Partition]
	got := log[len(log)-1]
	if string(got.Key) != "k" || string(got.Value) != "{bad" || got.Time != noon-12345 {
		t.Errorf("got %+v", got)
	}
	want := []string{HeaderReplays + "=1", HeaderLetter + "=", "trace=t1", sink.HeaderReason + "=somebody else's"}
	for i, h := range got.Headers {
		if !strings.HasPrefix(h.Key+"="+string(h.Value), want[i]) {
			t.Errorf("header %d is %s=%s, want %s", i, h.Key, h.Value, want[i])
		}
	}
	if len(got.Headers) != len(want) {
		t.Errorf("got %d headers, want %d", len(got.Headers), len(want))
	}
}

func TestReplayWritesOnceHoweverOften(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	for i := range 450 {
		c.send(sink.DeadLetter{Key: []byte(strings.Repeat("k", i%3)), Value: fmt.Appendf(nil, "v%d", i)})
	}
	_, letter := c.send(sink.DeadLetter{Value: []byte("twice")})
	c.letter(parseAt(c, letter)) // a crash left a second letter of the same record
	if r := c.replay(Options{DryRun: true}); r.Planned() != 451 || r.Replayed != 0 || len(c.replayed(input)) != 0 {
		t.Fatalf("a dry run gives %+v", r)
	}
	var progress []int
	first := c.replay(Options{Progress: func(done, _ int) { progress = append(progress, done) }})
	again := c.replay(Options{})
	if first.Replayed != 451 || first.Already != 1 || again.Replayed != 0 || again.Already != 452 {
		t.Errorf("got %+v, then %+v", first, again)
	}
	if !slices.IsSorted(progress) || progress[len(progress)-1] != 451 {
		t.Errorf("got progress %v", progress)
	}
	c.once(451)
	if r := c.replay(Options{Again: true}); r.Replayed != 451 {
		t.Errorf("--again gives %+v", r)
	}
}

// once wants each of so many values to have been replayed exactly once.
func (c *cluster) once(n int) {
	c.t.Helper()
	got := c.replayed(input)
	if len(got) != n {
		c.t.Errorf("%d letters were replayed, want %d", len(got), n)
	}
	for value, times := range got {
		if times != 1 {
			c.t.Errorf("%q was replayed %d times", value, times)
		}
	}
}

// parseAt is the letter at a place as a sink.DeadLetter.
func parseAt(c *cluster, at Place) sink.DeadLetter {
	l := parse(&c.topics[at.Topic][at.Partition][at.Offset])
	return sink.DeadLetter{
		Topic: l.Origin.Topic, Partition: l.Origin.Partition, Offset: l.Origin.Offset, Time: l.Time,
		Key: l.Key, Value: l.Value, Headers: l.Headers, Stage: l.Stage, Reason: l.Reason, Message: l.Message,
	}
}

// A replay may die at any write, before it reached the broker or before its
// acknowledgement came back. Run again, it writes the rest, and nothing twice.
func TestReplayThatDiedIsFinishedByTheNext(t *testing.T) {
	t.Parallel()
	for _, reached := range []bool{false, true} {
		for at := range 8 {
			t.Run(fmt.Sprintf("write %d, reached %t", at, reached), func(t *testing.T) {
				t.Parallel()
				c := newCluster(t)
				for i := range 450 {
					c.send(sink.DeadLetter{Value: fmt.Appendf(nil, "v%d", i)})
				}
				n := 0
				die := func(string, []sink.Message) error {
					if n++; n > at {
						return errCrash
					}
					return nil
				}
				if reached {
					c.after = die
				} else {
					c.before = die
				}
				_, err := c.letters().Replay(t.Context(), Options{})
				if died := err != nil; died != (at < n) {
					t.Fatalf("got %v after %d writes", err, n)
				}
				c.before, c.after = nil, nil
				r := c.replay(Options{})
				c.once(450)
				if r.Already+r.Replayed != 450 {
					t.Errorf("got %+v, want the two to be 450", r)
				}
				if r := c.replay(Options{}); r.Already != 450 || r.Replayed != 0 {
					t.Errorf("and again: %+v", r)
				}
				j, err := c.letters().read(t.Context(), func(*Letter) {})
				if err != nil || len(j.open()) > 0 || len(j.done) != 450 {
					t.Errorf("%v; %d replays are open, %d letters noted", err, len(j.open()), len(j.done))
				}
			})
		}
	}
}

// A letter is noted as replayed only once its record is acknowledged.
func TestReplayNotesOnlyWhatIsAcknowledged(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	for i := range 300 {
		c.send(sink.DeadLetter{Value: fmt.Appendf(nil, "v%d", i)})
	}
	c.before = func(topic string, _ []sink.Message) error {
		if topic != dead {
			return errCrash
		}
		return nil
	}
	if _, err := c.letters().Replay(t.Context(), Options{}); err == nil || !strings.Contains(err.Error(), "0 of 300 letters are replayed; run it again") {
		t.Fatalf("got %v", err)
	}
	j, err := c.letters().read(t.Context(), func(*Letter) {})
	if err != nil || len(j.done) > 0 {
		t.Errorf("%v; %d letters are noted, want none", err, len(j.done))
	}
}

func TestReplayRefuses(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.settings[input] = sink.Settings{OldestTime: 48 * time.Hour}
	c.settings[profiles] = sink.Settings{Compacted: true}
	c.send(sink.DeadLetter{Value: []byte("cut"), Headers: nil})
	cut := c.topics[dead][0]
	cut[0].Headers = append(cut[0].Headers, kafka.Header{Key: sink.HeaderSize, Value: []byte("400000")}, kafka.Header{Key: sink.HeaderSHA256, Value: []byte("x")})
	c.letter(sink.DeadLetter{Topic: "somewhere-else", Value: []byte("foreign"), Reason: "malformed", Time: noon})
	c.append(dead, sink.Message{Value: []byte("nothing"), Headers: []sink.Header{{Key: "a"}, {Key: "b"}}})
	c.send(sink.DeadLetter{Value: []byte("old"), Time: noon - 49*time.Hour.Milliseconds()})
	c.send(sink.DeadLetter{Value: []byte("tried"), Headers: []sink.Header{{Key: HeaderReplays, Value: []byte("4")}}})
	c.send(sink.DeadLetter{Topic: profiles, Key: []byte("acme.example"), Value: []byte("older profile")})
	c.append(profiles, sink.Message{Key: []byte("acme.example"), Value: []byte("newer profile"), Time: time.UnixMilli(noon)})
	c.send(sink.DeadLetter{Topic: profiles, Key: []byte("b.example"), Value: []byte("latest profile")})

	r := c.replay(Options{MaxAttempts: 5})
	var why []string
	for _, f := range r.Refused {
		why = append(why, fmt.Sprintf("%d: %s", f.Count, f.Why))
	}
	slices.Sort(why)
	want := []string{
		"1: account-profiles is compacted and has a later record of the same key, which the replay would take the place of",
		"1: engagement-events takes no timestamp more than 48h0m0s old: raise its message.timestamp.before.max.ms",
		`1: it came from "somewhere-else", which is no input topic of this configuration`,
		"1: it was a dead letter 5 times: find out why, then raise --max-attempts",
		"1: its headers do not say where it came from",
		"1: its value was cut from 400000 bytes to 3: what is here is not what was sent. Let the producer send it again",
	}
	if !slices.Equal(why, want) {
		t.Errorf("got refusals\n%s\nwant\n%s", strings.Join(why, "\n"), strings.Join(want, "\n"))
	}
	if got := c.replayed(profiles); r.Replayed != 1 || !maps.Equal(got, map[string]int{"latest profile": 1}) {
		t.Errorf("got %d replayed: %v", r.Replayed, got)
	}
}

// A letter that is bad again says how often, until the bound ends it.
func TestReplayEndsAtTheBound(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.send(sink.DeadLetter{Value: []byte("{bad")})
	for attempt := 2; attempt <= 5; attempt++ {
		if r := c.replay(Options{MaxAttempts: 5}); r.Replayed != 1 {
			t.Fatalf("attempt %d: %+v", attempt, r)
		}
		log := c.topics[input][0]
		last := log[len(log)-1]
		l := sink.DeadLetter{Topic: input, Partition: 0, Offset: last.Offset, Time: last.Time, Value: last.Value, Reason: "malformed"}
		for _, h := range last.Headers {
			l.Headers = append(l.Headers, sink.Header(h))
		}
		at := c.letter(l)
		if got := parse(&c.topics[dead][at.Partition][at.Offset]).Attempts; got != attempt {
			t.Fatalf("got %d attempts, want %d", got, attempt)
		}
	}
	if r := c.replay(Options{MaxAttempts: 5}); r.Replayed != 0 || len(r.Refused) != 1 {
		t.Errorf("got %+v, want it refused", r)
	}
}

func TestReplayWarns(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.settings[input] = sink.Settings{AppendTime: true}
	c.settings[profiles] = sink.Settings{Retention: 24 * time.Hour}
	c.send(sink.DeadLetter{Value: []byte("a")})
	c.send(sink.DeadLetter{Topic: profiles, Key: []byte("p"), Value: []byte("b"), Time: noon - 50*time.Hour.Milliseconds()})
	text := strings.Join(c.replay(Options{DryRun: true}).Warnings, "\n")
	for _, want := range []string{"LogAppendTime", "letters older than account-profiles keeps records (retention.ms: 24h0m0s): 1", "letters of account-profiles from before yesterday (UTC): 1"} {
		if !strings.Contains(text, want) {
			t.Errorf("the warnings have no %q:\n%s", want, text)
		}
	}
}

// A record that the broker refuses for itself does not hold up the others.
func TestReplayGoesOnBehindWhatTheBrokerRefuses(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	for i := range 5 {
		c.send(sink.DeadLetter{Value: fmt.Appendf(nil, "v%d", i)})
	}
	c.before = func(_ string, messages []sink.Message) error {
		for _, m := range messages {
			if string(m.Value) == "v2" {
				return fmt.Errorf("publish: %w", kafka.InvalidTimestamp)
			}
		}
		return nil
	}
	r := c.replay(Options{})
	if r.Replayed != 4 || len(r.Refused) != 1 || !strings.Contains(r.Refused[0].Why, "does not take it") {
		t.Errorf("got %+v", r)
	}
	c.once(4)
}

func TestListFilters(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	hour := time.Hour.Milliseconds()
	for i := range 6 {
		c.send(sink.DeadLetter{Value: fmt.Appendf(nil, "v%d", i), Time: noon - int64(i)*hour})
	}
	origin, letter := c.send(sink.DeadLetter{Topic: profiles, Key: []byte("p"), Value: []byte("x"), Reason: "bad_time", Time: noon - 9*hour})
	c.replay(Options{Filter: Filter{Since: noon - hour}})
	for _, test := range []struct {
		name  string
		f     Filter
		count int
	}{
		{"all", Filter{}, 7},
		{"by reason", Filter{Reasons: []string{"bad_time", "too_old"}}, 1},
		{"by topic", Filter{Topics: []string{input}}, 6},
		{"since", Filter{Since: noon - 2*hour}, 3},
		{"until", Filter{Until: noon - 2*hour}, 4},
		{"by the original's place", Filter{At: &origin}, 1},
		{"by the letter's place", Filter{At: &letter}, 1},
	} {
		got, err := c.letters().List(t.Context(), test.f, 3)
		if err != nil || got.Matching != test.count || len(got.Letters) != min(test.count, 3) {
			t.Errorf("%s: got %d and %d letters, %v; want %d", test.name, got.Matching, len(got.Letters), err, test.count)
		}
	}
	all, err := c.letters().List(t.Context(), Filter{}, 3)
	if err != nil {
		t.Fatal(err)
	}
	want := []Group{
		{Reason: "malformed", Topic: input, Count: 6, Replayed: 2, First: noon - 5*hour, Last: noon},
		{Reason: "bad_time", Topic: profiles, Count: 1, First: noon - 9*hour, Last: noon - 9*hour},
	}
	if !reflect.DeepEqual(all.Groups, want) {
		t.Errorf("got groups %+v, want %+v", all.Groups, want)
	}
	if l := all.Letters; l[0].Time != noon || !l[0].Replayed || l[2].Replayed || l[0].Value != nil {
		t.Errorf("got letters %+v", l)
	}
	if _, err := c.letters().Find(t.Context(), Place{input, 1, 999}); err == nil {
		t.Error("found what is not there")
	}
	found, err := c.letters().Find(t.Context(), origin)
	if err != nil || len(found) != 1 || string(found[0].Value) != "x" {
		t.Errorf("got %v, %v", found, err)
	}
}

func TestParsePlace(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Place{"a.b-c/3/4711": {"a.b-c", 3, 4711}, "a": {}, "a/1": {}, "/1/2": {}, "a/-1/2": {}, "a/1/x": {}, "a/1/2/3": {}} {
		got, err := ParsePlace(text)
		if got != want || (err == nil) != (want.Topic != "") {
			t.Errorf("%q: got %+v, %v", text, got, err)
		}
	}
}

// Whatever the headers hold, a record is taken apart without a panic, and its own
// headers are kept.
func FuzzParse(f *testing.F) {
	f.Add("trace", []byte("1"), "9", []byte("v"))
	f.Add(sink.HeaderTopic, []byte("x"), "-1", []byte(nil))
	f.Fuzz(func(t *testing.T, key string, header []byte, number string, value []byte) {
		r := tail.Record{Topic: dead, Value: value, Headers: []kafka.Header{
			{Key: key, Value: header},
			{Key: HeaderReplays, Value: []byte(number)},
			{Key: sink.HeaderTopic, Value: header},
			{Key: sink.HeaderPartition, Value: []byte(number)},
			{Key: sink.HeaderSize, Value: []byte(number)},
			{Key: sink.HeaderTimestamp, Value: []byte(number)},
		}}
		l := parse(&r)
		if len(l.Headers) != 2 || l.Headers[0].Key != key || l.Attempts < 0 {
			t.Errorf("got %+v", l)
		}
		l.original()
	})
}
