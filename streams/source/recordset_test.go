package source

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"testing"
)

// rawBatch writes a version 2 batch with a record of an empty value at each delta.
type rawBatch struct {
	base, first, max, producer int64
	attrs                      uint16
	last                       int32
	deltas                     []int64
	key                        []byte
}

func (r rawBatch) bytes() []byte {
	b := make([]byte, headerSize)
	for _, delta := range r.deltas {
		body := []byte{0}
		body = binary.AppendVarint(body, delta) // time
		body = binary.AppendVarint(body, delta) // offset
		body = append(binary.AppendVarint(body, int64(len(r.key))), r.key...)
		body = binary.AppendVarint(body, -1) // null value
		body = binary.AppendVarint(body, 1)  // one header, of null value
		body = append(binary.AppendVarint(body, 1), 'h')
		body = binary.AppendVarint(body, -1)
		b = append(binary.AppendVarint(b, int64(len(body))), body...)
	}
	binary.BigEndian.PutUint64(b, uint64(r.base))
	binary.BigEndian.PutUint32(b[atLength:], uint32(len(b)-12))
	b[atMagic] = 2
	binary.BigEndian.PutUint16(b[atAttrs:], r.attrs)
	binary.BigEndian.PutUint32(b[atLastDelta:], uint32(r.last))
	binary.BigEndian.PutUint64(b[atFirstTime:], uint64(r.first))
	binary.BigEndian.PutUint64(b[atMaxTime:], uint64(r.max))
	binary.BigEndian.PutUint64(b[atProducer:], uint64(r.producer))
	binary.BigEndian.PutUint32(b[atCount:], uint32(len(r.deltas)))
	binary.BigEndian.PutUint32(b[atCRC:], crc32.Checksum(b[atAttrs:], castagnoli))
	return b
}

func readAll(set []byte, from int64, aborted ...abortedTxn) (got []string, next int64, err error) {
	var r setReader
	next, err = r.read(set, from, aborted, func(rec *Record) {
		got = append(got, fmt.Sprintf("%d at %d", rec.Offset, rec.Time))
	})
	return got, next, err
}

func TestRecordSets(t *testing.T) {
	t.Parallel()
	plain := rawBatch{base: 10, first: 100, max: 102, last: 2, deltas: []int64{0, 1, 2}}
	abort := rawBatch{base: 20, producer: 7, attrs: transactional | control, deltas: []int64{0}, key: []byte{0, 0, 0, 0}}
	commit := rawBatch{base: 20, producer: 7, attrs: transactional | control, deltas: []int64{0}, key: []byte{0, 0, 0, 1}}
	inTxn := rawBatch{base: 10, first: 100, producer: 7, attrs: transactional, last: 1, deltas: []int64{0, 1}}
	after := rawBatch{base: 21, first: 121, producer: 7, attrs: transactional, deltas: []int64{0}}
	logAppend := plain
	logAppend.attrs, logAppend.max = logAppendTime, 777
	compacted := rawBatch{base: 10, first: 100, last: 9, deltas: []int64{3, 5}}
	emptied := rawBatch{base: 20, last: 4}
	txn := abortedTxn{producer: 7, first: 10}

	tests := []struct {
		name    string
		set     [][]byte
		from    int64
		aborted []abortedTxn
		want    []string
		next    int64
	}{
		{"nothing", nil, 10, nil, nil, 10},
		{"a batch", [][]byte{plain.bytes()}, 10, nil, []string{"10 at 100", "11 at 101", "12 at 102"}, 13},
		{"from its middle", [][]byte{plain.bytes()}, 12, nil, []string{"12 at 102"}, 13},
		{"from behind it", [][]byte{plain.bytes()}, 13, nil, nil, 13},
		{"the broker's time", [][]byte{logAppend.bytes()}, 12, nil, []string{"12 at 777"}, 13},
		{"compacted", [][]byte{compacted.bytes()}, 10, nil, []string{"13 at 103", "15 at 105"}, 20},
		{"compacted to nothing", [][]byte{compacted.bytes(), emptied.bytes()}, 16, nil, nil, 25},
		{"cut off", [][]byte{plain.bytes(), inTxn.bytes()[:70]}, 10, nil, []string{"10 at 100", "11 at 101", "12 at 102"}, 13},
		{"committed", [][]byte{inTxn.bytes(), commit.bytes()}, 10, nil, []string{"10 at 100", "11 at 101"}, 21},
		{"aborted", [][]byte{inTxn.bytes(), abort.bytes(), after.bytes()}, 10, []abortedTxn{txn}, []string{"21 at 121"}, 22},
		{"aborted, from its middle", [][]byte{inTxn.bytes(), abort.bytes(), after.bytes()}, 11, []abortedTxn{txn}, []string{"21 at 121"}, 22},
		{"aborted later", [][]byte{inTxn.bytes(), commit.bytes(), after.bytes()}, 10, []abortedTxn{{7, 21}}, []string{"10 at 100", "11 at 101"}, 22},
		{"another's abort", [][]byte{inTxn.bytes()}, 10, []abortedTxn{{8, 10}}, []string{"10 at 100", "11 at 101"}, 12},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, next, err := readAll(slices.Concat(tt.set...), tt.from, tt.aborted...)
			if err != nil || !slices.Equal(got, tt.want) || next != tt.next {
				t.Errorf("got %v, next %d, %v; want %v, next %d", got, next, err, tt.want, tt.next)
			}
		})
	}
}

func TestBadRecordSets(t *testing.T) {
	t.Parallel()
	good := rawBatch{base: 10, deltas: []int64{0}}
	bad := rawBatch{base: 11, deltas: []int64{0}}
	change := func(f func(b []byte)) []byte {
		b := bad.bytes()
		f(b)
		return b
	}
	resum := func(b []byte) { binary.BigEndian.PutUint32(b[atCRC:], crc32.Checksum(b[atAttrs:], castagnoli)) }
	tests := []struct {
		name string
		set  []byte
		want error
	}{
		{"flipped bit", change(func(b []byte) { b[headerSize+3] ^= 1 }), errCorrupt},
		{"old format", change(func(b []byte) { b[atMagic] = 1 }), errOldMagic},
		{"unknown format", change(func(b []byte) { b[atMagic] = 3 }), errCorrupt},
		{"negative size", change(func(b []byte) { b[atLength] = 0xff }), errCorrupt},
		{"more records than there are", change(func(b []byte) { b[atCount+3] = 9; resum(b) }), errCorrupt},
		{"unknown compression", change(func(b []byte) { b[atAttrs+1] = 7; resum(b) }), errCorrupt},
		{"not compressed", change(func(b []byte) { b[atAttrs+1] = 1; resum(b) }), errCorrupt},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, next, err := readAll(slices.Concat(good.bytes(), tt.set), 10)
			if !errors.Is(err, tt.want) || next != 11 {
				t.Errorf("got %v, next %d; want %v after the good batch", err, next, tt.want)
			}
		})
	}
}

func TestNullsAreNotEmpty(t *testing.T) {
	t.Parallel()
	var r setReader
	_, err := r.read(rawBatch{deltas: []int64{0}}.bytes(), 0, nil, func(rec *Record) {
		if rec.Value != nil || rec.Key == nil || len(rec.Headers) != 1 || rec.Headers[0].Key != "h" || rec.Headers[0].Value != nil {
			t.Errorf("got %+v, want a null value, an empty key and a header h of null", rec)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Whatever the bytes, reading ends, never goes back and never panics.
func FuzzRecordSet(f *testing.F) {
	f.Add(rawBatch{base: 10, first: 100, last: 2, deltas: []int64{0, 1, 2}}.bytes(), int64(10))
	f.Add(rawBatch{base: 20, producer: 7, attrs: control, deltas: []int64{0}, key: []byte{0, 0, 0, 0}}.bytes(), int64(0))
	f.Add(rawBatch{attrs: 2, deltas: []int64{0}}.bytes(), int64(0))
	f.Fuzz(func(t *testing.T, set []byte, from int64) {
		set = slices.Clone(set)
		if len(set) >= headerSize { // a right checksum lets the fuzzer go deeper
			end := min(max(int64(int32(binary.BigEndian.Uint32(set[atLength:])))+12, atAttrs), int64(len(set)))
			binary.BigEndian.PutUint32(set[atCRC:], crc32.Checksum(set[atAttrs:end], castagnoli))
		}
		var r setReader
		next, _ := r.read(set, from, []abortedTxn{{7, 0}}, func(rec *Record) {
			if rec.Offset < from {
				t.Errorf("record %d came, asked from %d", rec.Offset, from)
			}
		})
		if next < from {
			t.Errorf("went back from %d to %d", from, next)
		}
	})
}

func FuzzAnswer(f *testing.F) {
	for version := range maxFetch + 1 {
		f.Add(make([]byte, 80), int16(version))
	}
	f.Fuzz(func(_ *testing.T, body []byte, version int16) {
		_, _ = (&fetchAnswer{version: version, body: body}).parse()
	})
}

func BenchmarkRecordSet(b *testing.B) {
	deltas := make([]int64, 1000)
	for i := range deltas {
		deltas[i] = int64(i)
	}
	set := rawBatch{last: 999, deltas: deltas, key: make([]byte, 250)}.bytes()
	var r setReader
	b.SetBytes(int64(len(set)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.read(set, 0, nil, func(*Record) {}); err != nil {
			b.Fatal(err)
		}
	}
}
