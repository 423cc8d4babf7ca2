package survey

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/describegroups"
	"github.com/segmentio/kafka-go/protocol/metadata"
)

// Rights are what a user may do with a topic or group. The zero value is not known.
type Rights struct {
	Known bool
	bits  int32
}

// Right is one thing to be allowed, by Kafka's number of it.
type Right int

// The rights that matter here.
const (
	Read     Right = 3
	Write    Right = 4
	Describe Right = 8
)

// Has reports whether the right is among them.
func (r Rights) Has(right Right) bool { return r.bits&(1<<right) != 0 }

// rightsOf reads what a broker says; the least number stands for nothing said.
func rightsOf(bits int32) Rights {
	if bits == math.MinInt32 {
		return Rights{}
	}
	return Rights{Known: true, bits: bits}
}

// GroupRights is what this user may do with a group. A coordinator that has only just
// come up is waited for, at most for the timeout of a request.
func (c *Cluster) GroupRights(ctx context.Context, group string) (Rights, error) {
	ctx, cancel := context.WithTimeout(ctx, c.client.Timeout)
	defer cancel()
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		rights, err := c.groupRights(ctx, group)
		var code kafka.Error
		if err == nil || !errors.As(err, &code) || !code.Temporary() {
			return rights, err
		}
		select {
		case <-ctx.Done():
			return rights, err
		case <-ticker.C:
		}
	}
}

func (c *Cluster) groupRights(ctx context.Context, group string) (Rights, error) {
	answer, err := c.transport.RoundTripper().RoundTrip(ctx, c.transport.Addr(),
		&describegroups.Request{Groups: []string{group}, IncludeAuthorizedOperations: true})
	if err != nil {
		return Rights{}, fmt.Errorf("ask for group %s: %w", group, err)
	}
	groups := answer.(*describegroups.Response).Groups
	if len(groups) != 1 {
		return Rights{}, fmt.Errorf("ask for group %s: %d answers", group, len(groups))
	}
	switch code := kafka.Error(groups[0].ErrorCode); {
	case errors.Is(code, kafka.GroupAuthorizationFailed):
		return Rights{Known: true}, nil
	case code != 0 && !errors.Is(code, kafka.GroupIdNotFound):
		return Rights{}, fmt.Errorf("ask for group %s: %w", group, code)
	}
	return rightsOf(groups[0].AuthorizedOperations), nil
}

// describeVersion of the metadata protocol is the first that tells rights. Kafka has it
// since 2.3.
const describeVersion = 8

// describeRequest asks for topics with what may be done with them. kafka-go answers a
// plain metadata request from its memory, without rights; so the exchange is done here.
type describeRequest struct {
	metadata.Request
	version int16
}

// Required is called by kafka-go with what it agreed upon with the broker.
func (r *describeRequest) Required(versions map[protocol.ApiKey]int16) bool {
	r.version = versions[protocol.Metadata]
	return true
}

// RawExchange is called by kafka-go, which has the connection to itself.
func (r *describeRequest) RawExchange(conn io.ReadWriter) (protocol.Message, error) {
	if r.version < describeVersion {
		return nil, fmt.Errorf("the broker describes topics by protocol version %d, needed is %d: use Kafka 2.3 or later", r.version, describeVersion)
	}
	if err := protocol.WriteRequest(conn, describeVersion, 1, "tidemark", &r.Request); err != nil {
		return nil, err
	}
	_, message, err := protocol.ReadResponse(conn, protocol.Metadata, describeVersion)
	if err != nil {
		return nil, err
	}
	answer, ok := message.(*metadata.Response)
	if !ok {
		return nil, errors.New("the broker answered another request")
	}
	return &describeAnswer{answer}, nil
}

// describeAnswer is a type of its own, as kafka-go takes its own for an answer to its own.
type describeAnswer struct{ *metadata.Response }

func (c *Cluster) describe(ctx context.Context, topics []string) (*metadata.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, c.client.Timeout)
	defer cancel()
	answer, err := c.transport.RoundTripper().RoundTrip(ctx, c.transport.Addr(),
		&describeRequest{Request: metadata.Request{TopicNames: topics, IncludeTopicAuthorizedOperations: true}})
	if err != nil {
		return nil, err
	}
	return answer.(*describeAnswer).Response, nil
}
