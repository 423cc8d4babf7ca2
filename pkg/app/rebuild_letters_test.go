package app

import (
	"strings"
	"testing"

	"github.com/segmentio/kafka-go"

	"tidemark/pkg/engine"
	"tidemark/streams/codec"
	"tidemark/streams/sink"
	"tidemark/streams/source"
	"tidemark/streams/tail"
)

const batched = `{"specversion":"1.0","id":"ID","source":"s","type":"t","time":"2026-11-02T09:30:00Z","subject":"a"}`

func batchOf(ids ...string) *source.Record {
	elements := make([]string, len(ids))
	for i, id := range ids {
		elements[i] = strings.Replace(batched, "ID", id, 1)
	}
	return &source.Record{
		Topic: "in", Partition: 1, Offset: 7, Value: []byte("[" + strings.Join(elements, ",") + "]"),
		Headers: []source.Header{{Key: "content-type", Value: []byte("application/cloudevents-batch+json")}},
	}
}

// letter is the dead letter of a fault as it stands in its topic.
func letter(message string) *tail.Record {
	return &tail.Record{Headers: []kafka.Header{
		{Key: sink.HeaderTopic, Value: []byte("in")},
		{Key: sink.HeaderPartition, Value: []byte("1")},
		{Key: sink.HeaderOffset, Value: []byte("7")},
		{Key: sink.HeaderMessage, Value: []byte(message)},
	}}
}

func TestEachFaultOfARecordIsADeadLetterWithTheWholeRecord(t *testing.T) {
	t.Parallel()
	r := batchOf("1", "", "3", "")
	got := decoding(codec.New(codec.Rules{}))(r)
	if len(got.Events) != 2 || got.Events[1].ID != "3" || len(got.Dead) != 2 {
		t.Fatalf("got %d events and %d dead letters", len(got.Events), len(got.Dead))
	}
	want := string(r.Value)
	r.Value[0] = 'x' // the record's memory is lent
	for i, place := range []string{"batch[1]: ", "batch[3]: "} {
		l := got.Dead[i].(*sink.DeadLetter)
		if string(l.Value) != want || l.Offset != 7 || len(l.Headers) != 1 || l.Reason != "missing_attribute" || !strings.HasPrefix(l.Message, place+"id: ") {
			t.Errorf("got %+v", l)
		}
	}
}

// What was refused is passed over when the log is read again, and no more than that.
func TestKnownLettersLeaveOutWhatWasRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		messages []string
		want     string
		passed   int64
	}{
		{nil, "1 2 3", 0},
		{[]string{"batch[1]: time: ahead"}, "1 3", 1},
		{[]string{"batch[1]: time: ahead", "batch[1]: time: ahead", "batch[0]: id: x"}, "3", 2},
		{[]string{"value: 300 bytes"}, "", 1},
	} {
		k := &knownLetters{known: map[engine.Partition]map[int64][]string{}}
		for _, m := range tt.messages {
			k.note(letter(m))
		}
		var ids []string
		for _, e := range k.around(codec.New(codec.Rules{}))(batchOf("1", "2", "3")).Events {
			ids = append(ids, e.ID)
		}
		if got := strings.Join(ids, " "); got != tt.want || k.passed.Load() != tt.passed {
			t.Errorf("%q: got %q and %d passed over, want %q and %d", tt.messages, got, k.passed.Load(), tt.want, tt.passed)
		}
	}
}
