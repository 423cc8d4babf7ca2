package source

import (
	"crypto/tls"
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"
)

// ErrEnded is returned by a Session's methods once its generation is over. The
// caller finishes what it has in hand, closes the session and joins again.
var ErrEnded = errors.New("the assignment of partitions has ended")

// ErrClosed is returned by Source.Join once the source is closed.
var ErrClosed = errors.New("the source is closed")

// OffsetError says that an offset to be read is not in the log. The source never
// goes elsewhere by itself: records would be lost, or read for other ones.
type OffsetError struct {
	Topic     string
	Partition int
	// Wanted is the offset to be read; the log holds First to End - 1.
	Wanted, First, End int64
}

func (e *OffsetError) Error() string {
	at := fmt.Sprintf("%s/%d: offset %d is to be read next, but the log holds %d to %d", e.Topic, e.Partition, e.Wanted, e.First, e.End)
	if e.Wanted < e.First {
		return at + ": records were deleted before they were read; raise the topic's retention, and score what is left with `tidemark rebuild --switch`"
	}
	return at + ": the topic was made anew or lost records by an unclean leader election; score it anew with `tidemark rebuild --switch`"
}

// Reason is why reading cannot work until somebody changes something.
type Reason string

// The reasons of a SetupError.
const (
	TopicMissing   Reason = "topic_missing"
	Authentication Reason = "authentication"
	Authorization  Reason = "authorization"
	TLS            Reason = "tls"
	Group          Reason = "group"
	Format         Reason = "format"
)

// SetupError is an error that no retry heals.
type SetupError struct {
	Reason Reason
	// Help names what is wrong and the way out.
	Help string
	Err  error
}

func (e *SetupError) Error() string {
	if e.Err == nil {
		return e.Help
	}
	return fmt.Sprintf("%s: %v", e.Help, e.Err)
}

func (e *SetupError) Unwrap() error { return e.Err }

var setupHelp = map[kafka.Error]SetupError{
	kafka.SASLAuthenticationFailed:   {Reason: Authentication, Help: "the broker refuses the credentials; check kafka.sasl.username, .password and .mechanism"},
	kafka.UnsupportedSASLMechanism:   {Reason: Authentication, Help: "the broker does not offer this mechanism; check kafka.sasl.mechanism"},
	kafka.IllegalSASLState:           {Reason: Authentication, Help: "the broker does not expect SASL here; check kafka.sasl and the listener's port"},
	kafka.TopicAuthorizationFailed:   {Reason: Authorization, Help: "no right to an input topic; grant Read and Describe on the topics of kafka.topics"},
	kafka.GroupAuthorizationFailed:   {Reason: Authorization, Help: "no right to the consumer group; grant Read on the group of kafka.group"},
	kafka.ClusterAuthorizationFailed: {Reason: Authorization, Help: "no right to the cluster; grant Describe on it"},
	kafka.InvalidSessionTimeout:      {Reason: Group, Help: "the broker does not allow this session timeout; see its group.min.session.timeout.ms and group.max.session.timeout.ms"},
	kafka.InvalidGroupId:             {Reason: Group, Help: "the broker does not allow the name in kafka.group"},
	kafka.InconsistentGroupProtocol:  {Reason: Group, Help: "other programs are in this consumer group; choose another kafka.group"},
	kafka.GroupMaxSizeReached:        {Reason: Group, Help: "the consumer group is full; raise the broker's group.max.size or run fewer instances"},
}

// setupError is err as a SetupError, or nil where trying again may help.
func setupError(err error) *SetupError {
	var known *SetupError
	if errors.As(err, &known) {
		return known
	}
	var code kafka.Error
	if errors.As(err, &code) {
		if e, ok := setupHelp[code]; ok {
			e.Err = err
			return &e
		}
		return nil
	}
	var certificate *tls.CertificateVerificationError
	var plain tls.RecordHeaderError
	switch {
	case errors.As(err, &certificate):
		return &SetupError{TLS, "the broker's certificate is not trusted; check kafka.tls.ca_file and the names in the certificate", err}
	case errors.As(err, &plain):
		return &SetupError{TLS, "the broker does not speak TLS here; check kafka.tls and the listener's port", err}
	}
	return nil
}
