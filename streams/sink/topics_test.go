package sink

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tidemark/streams/conn"
)

func TestEnsureMakesWhatIsMissing(t *testing.T) {
	t.Parallel()
	c := fake(t, kfake.SeedTopics(5, "there"))
	names := []string{"there", "new", "compacted", "forbidden"}
	topics := NewTopics(transport(t, conn.Config{Brokers: c.ListenAddrs()}), 5*time.Second)
	ctx := deadline(t)
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.CreateTopics}, Topic: "forbidden", Err: kerr.TopicAuthorizationFailed, Count: -1})

	missing, err := topics.Check(ctx, names[:3])
	if err != nil || !slices.Equal(missing, []string{"new", "compacted"}) {
		t.Fatalf("got %v, %v", missing, err)
	}
	results, err := topics.Ensure(ctx, []TopicSpec{
		{Name: "there", Partitions: 3, Replication: 1},
		{Name: "new", Partitions: 3, Replication: 1},
		{Name: "compacted", Partitions: 2, Replication: 1, Config: map[string]string{"cleanup.policy": "compact"}},
		{Name: "forbidden", Partitions: 1, Replication: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []Result{{Name: "there", Partitions: 5}, {Name: "new", Created: true, Partitions: 3}, {Name: "compacted", Created: true, Partitions: 2}}
	if !slices.Equal(results[:3], want) || !errors.Is(results[3].Err, kafka.TopicAuthorizationFailed) || results[3].Created {
		t.Errorf("got %+v, want %+v and an error", results, want)
	}
	if policy := c.TopicInfo("compacted").Configs["cleanup.policy"]; policy == nil || *policy != "compact" {
		t.Errorf("compacted has %v", c.TopicInfo("compacted").Configs)
	}
	if missing, err := topics.Check(ctx, names[:3]); err != nil || len(missing) > 0 {
		t.Errorf("still missing: %v, %v", missing, err)
	}
	again, err := topics.Ensure(ctx, []TopicSpec{{Name: "new", Partitions: 3}})
	if err != nil || again[0].Created || again[0].Err != nil || again[0].Partitions != 3 {
		t.Errorf("again: got %+v, %v", again, err)
	}
}

func TestTopicsOfAnUnreachableCluster(t *testing.T) {
	t.Parallel()
	topics := NewTopics(transport(t, conn.Config{Brokers: []string{"127.0.0.1:1"}}), time.Second)
	if _, err := topics.Check(deadline(t), []string{"x"}); err == nil {
		t.Error("got no error")
	}
	if _, err := topics.Ensure(deadline(t), []TopicSpec{{Name: "x"}}); err == nil {
		t.Error("got no error")
	}
}
