package sink

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"
)

// Class says what to do about an error. The names are metric labels.
type Class string

// The classes.
const (
	Retryable Class = "retryable" // it can heal: try again
	Poison    Class = "poison"    // this message will never be taken, others will
	Fatal     Class = "fatal"     // nothing will be taken until someone changes a setting or a right
)

// MissingTopicError says that a topic does not exist. It can heal.
type MissingTopicError struct{ Topic string }

func (e *MissingTopicError) Error() string {
	return fmt.Sprintf("topic %q does not exist: make it with `tidemark topics create`", e.Topic)
}

// Unwrap is the broker's error code.
func (e *MissingTopicError) Unwrap() error { return kafka.UnknownTopicOrPartition }

// TooLargeError says that a single message is larger than its topic allows.
// Publish returns it; the message stays unsent, and so do those behind it.
type TooLargeError struct {
	Topic string
	Size  int // bytes of the message with its key and headers
	Err   error
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("a message of %d bytes is too large for topic %q: raise its max.message.bytes", e.Size, e.Topic)
}

// Unwrap is the broker's error.
func (e *TooLargeError) Unwrap() error { return e.Err }

// Classify decides what an error of this package or of kafka-go means. What is
// unknown comes from the network and counts as retryable.
func Classify(err error) Class {
	var (
		broker      kafka.Error
		certificate *tls.CertificateVerificationError
		authority   x509.UnknownAuthorityError
		host        x509.HostnameError
		notTLS      tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &broker):
		return classifyCode(broker)
	case errors.As(err, &certificate), errors.As(err, &authority), errors.As(err, &host), errors.As(err, &notTLS):
		return Fatal
	}
	return Retryable
}

func classifyCode(code kafka.Error) Class {
	switch code {
	case kafka.MessageSizeTooLarge, kafka.RecordListTooLarge, kafka.InvalidMessageSize,
		kafka.InvalidRecord, kafka.InvalidTimestamp:
		return Poison
	case kafka.Unknown, kafka.BrokerNotAvailable, kafka.ReplicaNotAvailable:
		// kafka-go does not call these temporary; a restart of a broker shows them.
		return Retryable
	}
	if code.Temporary() {
		return Retryable
	}
	return Fatal
}

// tooLarge tells whether a broker refused a batch for its size.
func tooLarge(err error) bool {
	return errors.Is(err, kafka.MessageSizeTooLarge) || errors.Is(err, kafka.RecordListTooLarge)
}
