package sink

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
)

// Settings are what a topic's configuration does to records with old timestamps.
type Settings struct {
	// AppendTime: the broker puts its own clock in the place of a record's timestamp.
	AppendTime bool
	// Compacted: of the records of one key only the latest stays.
	Compacted bool
	// Retention is how long after its timestamp a record is kept; 0: for ever.
	Retention time.Duration
	// OldestTime is how far behind the broker's clock a record's timestamp may be;
	// 0: as far as it likes.
	OldestTime time.Duration
}

// Settings asks for the settings of a topic. It asks once.
func (t *Topics) Settings(ctx context.Context, topic string) (Settings, error) {
	response, err := t.client.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{{
		ResourceType: kafka.ResourceTypeTopic, ResourceName: topic,
	}}})
	if err != nil {
		return Settings{}, fmt.Errorf("settings of %s: %w", topic, err)
	}
	values := map[string]string{}
	for _, r := range response.Resources {
		if r.Error != nil {
			return Settings{}, fmt.Errorf("settings of %s: %w", topic, r.Error)
		}
		for _, e := range r.ConfigEntries {
			values[e.ConfigName] = e.ConfigValue
		}
	}
	return settingsOf(values), nil
}

// settingsOf reads the broker's words. The limit on old timestamps has had another
// name before Kafka 3.6, which 4.0 no longer knows.
func settingsOf(values map[string]string) Settings {
	s := Settings{
		AppendTime: values["message.timestamp.type"] == "LogAppendTime",
		Compacted:  strings.Contains(values["cleanup.policy"], "compact"),
	}
	if strings.Contains(values["cleanup.policy"], "delete") {
		s.Retention = limit(values["retention.ms"])
	}
	for _, name := range []string{"message.timestamp.before.max.ms", "message.timestamp.difference.max.ms"} {
		if d := limit(values[name]); d > 0 && (s.OldestTime == 0 || d < s.OldestTime) {
			s.OldestTime = d
		}
	}
	return s
}

// limit is a number of milliseconds; 0 where it limits nothing.
func limit(text string) time.Duration {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt64/int64(time.Millisecond) {
		return 0
	}
	return time.Duration(n) * time.Millisecond
}
