package codec_test

import (
	"bytes"
	"reflect"
	"testing"

	"tidemark/scoring"
	"tidemark/streams/codec"
)

// What Lines reads is what DecodeLine reads, in memory that was used before.
func TestLinesAreReadAsAlone(t *testing.T) {
	t.Parallel()
	d := codec.New(codec.Rules{Reads: func(string) (bool, bool) { return true, true }})
	texts := []string{profile(`{"attributes":{"a":"x"},"domains":["a.example"],"parent":"p"}`), erasure(`{"contact":{"email":"A@B.example"}}`)}
	for _, v := range variants {
		texts = append(texts, v.text)
	}
	var lines codec.Lines
	for range 3 {
		lines.Reset()
		var got []*scoring.Event
		var want []*scoring.Event
		for _, text := range texts {
			alone, fault := d.DecodeLine([]byte(text), 17)
			event, bad := d.DecodeInto(&lines, []byte(text), 17)
			if !reflect.DeepEqual(fault, bad) {
				t.Errorf("%s: got fault %v, want %v", text, bad, fault)
			}
			got, want = append(got, event), append(want, alone)
		}
		for i := range want {
			got[i], want[i] = spelled(t, got[i]), spelled(t, want[i])
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	}
}

// What accounts keep of a profile and of a merge is no part of the line.
func TestWhatLastsIsNoPartOfTheLine(t *testing.T) {
	t.Parallel()
	d := codec.New(codec.Rules{})
	for _, text := range []string{
		profile(`{"attributes":{"plan":"pro"},"domains":["acme.example"],"parent":"parent"}`),
		`{"specversion":"1.0","id":"m","source":"/crm","type":"account.merged","time":"2026-11-01T00:00:00Z","subject":"a","data":{"into":"b"}}`,
	} {
		var lines codec.Lines
		line := []byte(text)
		event, fault := d.DecodeInto(&lines, line, 0)
		if fault != nil {
			t.Fatal(fault)
		}
		got := *event
		copy(line, bytes.Repeat([]byte("x"), len(line)))
		lines.Reset()
		if want, _ := d.DecodeLine([]byte(text), 0); !reflect.DeepEqual(&got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

func BenchmarkLines(b *testing.B) {
	d := codec.New(codec.Rules{})
	var lines codec.Lines
	b.ReportAllocs()
	b.SetBytes(int64(len(valid)))
	for n := 0; b.Loop(); n++ {
		if n%1000 == 0 {
			lines.Reset()
		}
		if _, fault := d.DecodeInto(&lines, []byte(valid), 0); fault != nil {
			b.Fatal(fault)
		}
	}
}
