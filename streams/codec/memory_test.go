package codec_test

import (
	"reflect"
	"strconv"
	"strings"
	"testing"

	"tidemark/scoring"
	"tidemark/streams/codec"
)

// numberedEvent is valid with another id and account.
func numberedEvent(n int) string {
	return strings.NewReplacer("9f1c", "id-"+strconv.Itoa(n), `"acme.example"`, `"account-`+strconv.Itoa(n)+`"`).Replace(valid)
}

// Events in a Memory are as those that are kept, also where the memory was used before.
func TestEventsInMemory(t *testing.T) {
	t.Parallel()
	d := decoder()
	var memory codec.Memory
	for round := range 3 {
		var got, want []*scoring.Event
		for i := range 300 {
			text := numberedEvent(round*1000 + i)
			if i%7 == 0 { // longer than what a page has room for
				text = strings.Replace(text, "VP Engineering", strings.Repeat("VP ", 400), 1)
			}
			value := []byte(text)
			got = append(got, decode(t, d, &codec.Record{Value: value, Memory: &memory}))
			want = append(want, decode(t, d, &codec.Record{Value: []byte(text)}))
			clear(value)
		}
		for i := range want {
			if got, want := spelled(t, got[i]), spelled(t, want[i]); !reflect.DeepEqual(got, want) {
				t.Fatalf("round %d, event %d: got %+v, want %+v", round, i, got, want)
			}
		}
		memory.Free()
	}
}

// What can't be read the usual way leaves nothing behind in the Memory.
func TestUnusualEventsAreNotInMemory(t *testing.T) {
	t.Parallel()
	d := decoder()
	records := []func() *codec.Record{binaryRecord}
	for _, text := range []string{
		profile(`{"attributes":{"plan":"pro"},"domains":["acme.example"],"parent":"parent"}`),
		erasure(`{"contact":{"id":"c-17"}}`),
		`{"specversion":"1.0","id":"m","source":"/crm","type":"account.merged","time":"2026-11-01T00:00:00Z","subject":"a","data":{"into":"b"}}`,
		with("VP Engineering", `VP \u0045ngineering`),
	} {
		records = append(records, func() *codec.Record { return &codec.Record{Value: []byte(text)} })
	}
	for _, record := range records {
		var memory codec.Memory
		in := record()
		in.Memory = &memory
		kept := decode(t, d, in)
		usual := decode(t, d, &codec.Record{Value: []byte(valid), Memory: &memory})
		if got := spelled(t, usual); !reflect.DeepEqual(got, wantEvent()) {
			t.Errorf("after %s: got %+v", in.Value, got)
		}
		memory.Free()
		decode(t, d, &codec.Record{Value: []byte(numberedEvent(1)), Memory: &memory})
		if want := decode(t, d, record()); !reflect.DeepEqual(spelled(t, kept), spelled(t, want)) {
			t.Errorf("got %+v, want %+v", kept, want)
		}
	}
}

func BenchmarkMemory(b *testing.B) {
	d := codec.New(codec.Rules{})
	var memory codec.Memory
	record := codec.Record{Value: []byte(valid), Memory: &memory}
	b.ReportAllocs()
	b.SetBytes(int64(len(valid)))
	for n := 0; b.Loop(); n++ {
		if _, faults := d.Decode(&record); faults != nil {
			b.Fatal(faults)
		}
		if n%1024 == 0 {
			memory.Free()
		}
	}
}
