package sink

import (
	"context"
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"
)

// ClusterID is the identity that the cluster gives itself, the same for its life.
func (t *Topics) ClusterID(ctx context.Context) (string, error) {
	answer, err := t.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{}})
	if err != nil {
		return "", fmt.Errorf("cluster id: %w", err)
	}
	if answer.ClusterID == "" {
		return "", errors.New("cluster id: the broker does not tell one")
	}
	return answer.ClusterID, nil
}

// Heals reports whether trying again may help.
func Heals(err error) bool { return Classify(err) == Retryable }
