package sink

import (
	"testing"
	"time"

	"tidemark/streams/conn"
)

func TestSettings(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		values map[string]string
		want   Settings
	}{
		{"nothing is known", nil, Settings{}},
		{"defaults", map[string]string{"cleanup.policy": "delete", "retention.ms": "604800000", "message.timestamp.before.max.ms": "9223372036854775807"}, Settings{Retention: 7 * 24 * time.Hour}},
		{"for ever", map[string]string{"cleanup.policy": "delete", "retention.ms": "-1"}, Settings{}},
		{"compacted", map[string]string{"cleanup.policy": "compact", "retention.ms": "1000"}, Settings{Compacted: true}},
		{"both", map[string]string{"cleanup.policy": "compact,delete", "retention.ms": "1000"}, Settings{Compacted: true, Retention: time.Second}},
		{"the broker's clock", map[string]string{"message.timestamp.type": "LogAppendTime"}, Settings{AppendTime: true}},
		{"the older name", map[string]string{"message.timestamp.difference.max.ms": "1000", "message.timestamp.before.max.ms": "9223372036854775807"}, Settings{OldestTime: time.Second}},
	} {
		if got := settingsOf(test.values); got != test.want {
			t.Errorf("%s: got %+v, want %+v", test.name, got, test.want)
		}
	}
}

func TestRealSettings(t *testing.T) {
	t.Parallel()
	topics := NewTopics(realTransport(t), 10*time.Second)
	name := servers.Topic(t, "settings", 1) + "-2"
	results, err := topics.Ensure(deadline(t), []TopicSpec{{Name: name, Partitions: 1, Replication: 1, Config: map[string]string{
		"retention.ms": "3600000", "message.timestamp.type": "LogAppendTime", "message.timestamp.before.max.ms": "60000",
	}}})
	if err != nil || results[0].Err != nil {
		t.Fatal(err, results)
	}
	got, err := topics.Settings(deadline(t), name)
	if want := (Settings{AppendTime: true, Retention: time.Hour, OldestTime: time.Minute}); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if _, err := topics.Settings(deadline(t), name+"-missing"); err == nil {
		t.Error("a topic that is missing has settings")
	}
}

func TestSettingsOfAnUnreachableCluster(t *testing.T) {
	t.Parallel()
	topics := NewTopics(transport(t, conn.Config{Brokers: []string{"127.0.0.1:1"}}), time.Second)
	if _, err := topics.Settings(deadline(t), "x"); err == nil {
		t.Error("got no error")
	}
}
