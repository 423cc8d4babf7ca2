package codec_test

import (
	"bytes"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"tidemark/streams/codec"
)

// badInput is a line of testdata/bad-inputs.txt.
type badInput struct {
	name, format string
	reason       codec.Reason
	record       *codec.Record
}

var repeated = regexp.MustCompile(`\$\{(.+?)\*(\d+)\}`)

// grown replaces ${x*9} by nine x.
func grown(text string) string {
	return repeated.ReplaceAllStringFunc(text, func(s string) string {
		parts := repeated.FindStringSubmatch(s)
		n, err := strconv.Atoi(parts[2])
		if err != nil {
			panic(err)
		}
		return strings.Repeat(parts[1], n)
	})
}

func badInputs(t testing.TB) (out []badInput) {
	t.Helper()
	data, err := os.ReadFile("testdata/bad-inputs.txt")
	if err != nil {
		t.Fatal(err)
	}
	unquote := func(s string) string {
		text, err := strconv.Unquote(s)
		if err != nil {
			t.Fatalf("%v: %s", err, s)
		}
		return text
	}
	for line := range strings.Lines(string(data)) {
		if line[0] == '#' {
			continue
		}
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), " | ", 5)
		r := &codec.Record{Topic: parts[1], Offset: int64(len(out)), Time: clock, Value: []byte(grown(unquote(parts[4])))}
		for pair := range strings.SplitSeq(unquote(parts[3]), ";") {
			if key, value, found := strings.Cut(pair, "="); found {
				set(r, key, grown(value))
			}
		}
		out = append(out, badInput{parts[0], parts[1], codec.Reason(parts[2]), r})
	}
	return out
}

// Each is one dead letter with its reason, and what comes behind it is read as ever.
func TestBadInputs(t *testing.T) {
	t.Parallel()
	all := badInputs(t)
	if len(all) < 60 {
		t.Fatalf("got %d bad inputs", len(all))
	}
	d := codec.New(codec.Rules{
		Now: func() int64 { return clock }, Formats: map[string]codec.Format{"segment": codec.Segment()},
		Reads: func(string) (properties, fields bool) { return true, true },
	})
	good := map[string]string{"cloudevents": valid, "segment": track}
	for _, in := range all {
		t.Run(in.name, func(t *testing.T) {
			t.Parallel()
			before := bytes.Clone(in.record.Value)
			check(t, d, in.record, in.reason)
			if !bytes.Equal(before, in.record.Value) {
				t.Error("the record was changed")
			}
			decode(t, d, &codec.Record{Topic: in.format, Value: []byte(good[in.format])})
		})
	}
}
