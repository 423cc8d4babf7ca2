package sink

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const letterTime = 1793611800123

func letter() DeadLetter {
	return DeadLetter{
		Topic: "intent-events", Partition: 3, Offset: 4711, Time: letterTime,
		Key: []byte("acme.example"), Value: []byte(`{"not json`),
		Headers: []Header{{"traceparent", []byte("00-1")}, {"empty", nil}},
		Stage:   "DECODE", Reason: "malformed", Message: "value: not JSON",
	}
}

// published writes letters to a topic of a fake Kafka and reads them back.
func published(t *testing.T, c *kfake.Cluster, letters ...DeadLetter) []record {
	t.Helper()
	p := publisherTo(t, c)
	if err := NewDeadLetters(p, "dead").Publish(deadline(t), letters); err != nil {
		t.Fatal(err)
	}
	return readAll(t, p.config.Transport, "dead")[0]
}

func TestDeadLetterKeepsTheOriginalAndSaysWhy(t *testing.T) {
	t.Parallel()
	got := published(t, fake(t, kfake.SeedTopics(1, "dead")), letter())
	if len(got) != 1 || string(got[0].key) != "acme.example" || string(got[0].value) != `{"not json` || got[0].time.UnixMilli() != letterTime {
		t.Fatalf("got %+v", got)
	}
	want := map[string]string{
		"traceparent": "00-1", "empty": "",
		"__connect.errors.topic": "intent-events", "__connect.errors.partition": "3", "__connect.errors.offset": "4711",
		"__connect.errors.stage": "DECODE", "__connect.errors.exception.class.name": "malformed",
		"__connect.errors.exception.message": "value: not JSON",
	}
	wantHeaders(t, got[0], want)
}

func wantHeaders(t *testing.T, got record, want map[string]string) {
	t.Helper()
	for key, value := range want {
		if v, ok := got.headers[key]; !ok || v != value {
			t.Errorf("header %s: got %q, %v, want %q", key, v, ok, value)
		}
	}
	if len(got.headers) != len(want) {
		t.Errorf("got headers %v, want %v", got.headers, want)
	}
}

func TestDeadTombstoneStaysATombstone(t *testing.T) {
	t.Parallel()
	l := letter()
	l.Key, l.Value, l.Headers = nil, nil, nil
	got := published(t, fake(t, kfake.SeedTopics(1, "dead")), l)
	if len(got) != 1 || got[0].key != nil || got[0].value != nil {
		t.Errorf("got %+v", got)
	}
}

func TestOversizeDeadLetterIsCut(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name             string
		size, wantBytes  int
		reason           string
		wantSizeInHeader bool
	}{
		{"oversize", 300 << 10, 64 << 10, "oversize", true},
		{"barely oversize", 1000, 1000, "oversize", true},
		{"large, and bad for another reason", 600 << 10, 600 << 10, "malformed", false},
		{"beyond any broker's limit", 3 << 20, 64 << 10, "malformed", true},
	}
	c := fake(t, kfake.SeedTopics(1, "dead"))
	for i, tt := range tests {
		l := letter()
		l.Value, l.Reason = bytes.Repeat([]byte("v"), tt.size), tt.reason
		got := published(t, c, l)[i]
		if len(got.value) != tt.wantBytes || !bytes.HasPrefix(l.Value, got.value) {
			t.Errorf("%s: got %d bytes, want the first %d", tt.name, len(got.value), tt.wantBytes)
		}
		sum := sha256.Sum256(l.Value)
		size, ok := got.headers[HeaderSize]
		if ok != tt.wantSizeInHeader || ok && (size != strconv.Itoa(tt.size) || got.headers[HeaderSHA256] != hex.EncodeToString(sum[:])) {
			t.Errorf("%s: got headers %v", tt.name, got.headers)
		}
	}
}

func TestHeaderBombAndHugeKeyFit(t *testing.T) {
	t.Parallel()
	l := letter()
	l.Key = bytes.Repeat([]byte("k"), 900<<10)
	l.Value = bytes.Repeat([]byte("v"), 700<<10)
	l.Message = strings.Repeat("é", 1<<20)
	l.Headers = append(l.Headers, Header{"huge", make([]byte, 900<<10)}, Header{"small", []byte("kept")})
	for range 100_000 {
		l.Headers = append(l.Headers, Header{"bomb", []byte("x")})
	}
	message := l.message(usual, false)
	if message.size() > DefaultBatchBytes {
		t.Errorf("%d bytes, want at most %d", message.size(), DefaultBatchBytes)
	}
	got := published(t, fake(t, kfake.SeedTopics(1, "dead")), l)[0]
	dropped, _ := strconv.Atoi(got.headers[HeaderDropped])
	if got.headers["small"] != "kept" || got.headers["traceparent"] != "00-1" || dropped < 90_000 || got.headers[HeaderKeySize] != strconv.Itoa(900<<10) {
		t.Errorf("dropped %d, key size %s", dropped, got.headers[HeaderKeySize])
	}
	if m := got.headers[HeaderMessage]; len(m) != messageBytes || strings.Trim(m, "é") != "" {
		t.Errorf("the message has %d bytes", len(m))
	}
}

// A refused letter is made to fit, and the good ones arrive whole.
func TestRefusedLettersAreMadeToFit(t *testing.T) {
	t.Parallel()
	c := fake(t, kfake.SeedTopics(1, "dead"))
	size := func(r kmsg.Request) int {
		return len(r.(*kmsg.ProduceRequest).Topics[0].Partitions[0].Records)
	}
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.MessageTooLarge, Count: -1, When: func(r kmsg.Request) bool {
		return size(r) > 9000
	}})
	small, large := letter(), letter()
	large.Value, large.Offset = bytes.Repeat([]byte("v"), 20_000), 4712
	last := letter()
	last.Offset = 4713
	got := map[string]record{}
	for _, r := range published(t, c, small, large, last) {
		got[r.headers[HeaderOffset]] = r
	}
	if len(got) != 3 || string(got["4711"].value) != `{"not json` || string(got["4713"].value) != `{"not json` {
		t.Fatalf("got %+v", got)
	}
	if cut := got["4712"]; len(cut.value) != small1k || cut.headers[HeaderSize] != "20000" {
		t.Errorf("got %d bytes and %v", len(cut.value), cut.headers)
	}
}

const small1k = 1 << 10

func TestRefusedTimestampGoesToAHeader(t *testing.T) {
	t.Parallel()
	c := fake(t, kfake.SeedTopics(1, "dead"))
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.InvalidTimestamp, Count: 2})
	got := published(t, c, letter())
	if len(got) != 1 || got[0].time.UnixMilli() == letterTime || got[0].headers[HeaderTimestamp] != strconv.Itoa(letterTime) {
		t.Errorf("got %+v", got)
	}
}

func TestMissingTimestampGoesToAHeader(t *testing.T) {
	t.Parallel()
	l := letter()
	l.Time = -1
	got := published(t, fake(t, kfake.SeedTopics(1, "dead")), l)
	if len(got) != 1 || got[0].time.UnixMilli() <= 0 || got[0].headers[HeaderTimestamp] != "-1" {
		t.Errorf("got %+v", got)
	}
}
