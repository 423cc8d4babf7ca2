package survey

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/segmentio/kafka-go"
)

// Topic is a topic as it is.
type Topic struct {
	Name    string
	Missing bool
	// Partitions, how many of them have no leader, the fewest copies of one, and how many
	// have a copy that is not in sync.
	Partitions, Leaderless, Copies, Lagging int
	// Settings are the topic's, the broker's defaults included; nil where SettingsErr says
	// why they are not known.
	Settings    map[string]string
	SettingsErr error
	// Rights is what this user may do with it.
	Rights Rights
}

// Topics looks at topics, in the order given.
func (c *Cluster) Topics(ctx context.Context, names []string) ([]Topic, error) {
	answer, err := c.describe(ctx, names)
	if err != nil {
		return nil, fmt.Errorf("ask for the topics: %w", err)
	}
	topics := make([]Topic, len(names))
	for i, name := range names {
		topics[i] = Topic{Name: name, Missing: true}
		for _, t := range answer.Topics {
			if t.Name != name || errors.Is(kafka.Error(t.ErrorCode), kafka.UnknownTopicOrPartition) {
				continue
			}
			topics[i].Missing = false
			topics[i].Rights = rightsOf(t.TopicAuthorizedOperations)
			if code := kafka.Error(t.ErrorCode); code != 0 {
				topics[i].SettingsErr = code
				if errors.Is(code, kafka.TopicAuthorizationFailed) {
					topics[i].Rights = Rights{Known: true}
				}
			}
			topics[i].Partitions = len(t.Partitions)
			for n, p := range t.Partitions {
				if p.LeaderID < 0 {
					topics[i].Leaderless++
				}
				if len(p.IsrNodes) < len(p.ReplicaNodes) {
					topics[i].Lagging++
				}
				if n == 0 || len(p.ReplicaNodes) < topics[i].Copies {
					topics[i].Copies = len(p.ReplicaNodes)
				}
			}
		}
	}
	return topics, c.settings(ctx, topics)
}

func (c *Cluster) settings(ctx context.Context, topics []Topic) error {
	at := map[string]*Topic{}
	req := &kafka.DescribeConfigsRequest{}
	for i := range topics {
		if t := &topics[i]; !t.Missing && t.SettingsErr == nil {
			at[t.Name] = t
			req.Resources = append(req.Resources, kafka.DescribeConfigRequestResource{ResourceType: kafka.ResourceTypeTopic, ResourceName: t.Name})
		}
	}
	if len(at) == 0 {
		return nil
	}
	res, err := c.client.DescribeConfigs(ctx, req)
	if err != nil {
		return fmt.Errorf("ask for the settings of topics: %w", err)
	}
	for _, r := range res.Resources {
		t := at[r.ResourceName]
		if t == nil {
			continue
		}
		if t.SettingsErr = r.Error; r.Error != nil {
			continue
		}
		t.Settings = map[string]string{}
		for _, e := range r.ConfigEntries {
			t.Settings[e.ConfigName] = e.ConfigValue
		}
	}
	return nil
}

// Broker is a broker as the cluster names it, and why it cannot be reached there.
type Broker struct {
	Addr string
	Err  error
}

// Brokers tries to reach each broker at the address that it tells clients to use, which
// need not be one that was configured.
func (c *Cluster) Brokers(ctx context.Context) ([]Broker, error) {
	res, err := c.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{}})
	if err != nil {
		return nil, fmt.Errorf("ask for the brokers: %w", err)
	}
	out := make([]Broker, len(res.Brokers))
	for i, b := range res.Brokers {
		out[i].Addr = net.JoinHostPort(b.Host, strconv.Itoa(b.Port))
		out[i].Err = c.Reach(ctx, out[i].Addr)
	}
	return out, nil
}

// Reach asks the broker at an address for a sign of life, with the credentials that hold
// for all.
func (c *Cluster) Reach(ctx context.Context, addr string) error {
	// A transport keeps a pool for each address that it is given, which begins there.
	_, err := c.client.Metadata(ctx, &kafka.MetadataRequest{Addr: kafka.TCP(addr), Topics: []string{}})
	return err
}
