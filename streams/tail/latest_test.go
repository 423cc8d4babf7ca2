package tail_test

import (
	"fmt"
	"testing"

	"github.com/rs/zerolog"

	"tidemark/streams/tail"
)

// The latest records of a key are found in its partition, as far back as is asked for.
func TestLatestOfAKey(t *testing.T) {
	t.Parallel()
	_, transport := kafka(t, 3)
	publish(t, transport, 0, 9000) // 900 of each of 10 keys
	f, err := tail.New(tail.Config{Transport: transport, Topic: topic}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{1, 40, 700} {
		got, err := f.Latest(t.Context(), "k3", func(found []tail.Record) bool { return len(found) >= want })
		if err != nil || len(got) < want {
			t.Fatalf("got %d records, want %d: %v", len(got), want, err)
		}
		for i, r := range got {
			if value := fmt.Sprint(900 - len(got) + i); string(r.Key) != "k3" || string(r.Value) != value {
				t.Fatalf("record %d of %d is %s of %s, want %s of k3", i, len(got), r.Value, r.Key, value)
			}
		}
	}
	asked := 0
	got, err := f.Latest(t.Context(), "nobody", func([]tail.Record) bool { asked++; return false })
	if err != nil || len(got) != 0 || asked > 10 {
		t.Errorf("a key without records: got %d, %v, after %d looks", len(got), err, asked)
	}
}
