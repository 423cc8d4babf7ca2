package redis

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

// ErrRefused is in the chain of every error after which a repeat cannot help
// before someone changes a setting, a permission or the server: Open and Claim
// return it. Stop and show the message.
var ErrRefused = errors.New("refused")

// Class is what kind of trouble an error is. The names double as metric labels.
type Class string

// Classes that heal: a repeat may succeed.
const (
	Timeout     Class = "timeout"     // no answer in time; whether it was executed is unknown
	Connection  Class = "connection"  // refused, reset, name not found, no sentinel answers
	PoolTimeout Class = "pool"        // all connections are in use
	Loading     Class = "loading"     // the server reads its files
	ReadOnly    Class = "readonly"    // a replica answered: a failover is under way
	ClusterDown Class = "clusterdown" // slots without a master
	Moved       Class = "moved"       // a slot moved again and again
	TryAgain    Class = "tryagain"    // a slot is being moved
	MasterDown  Class = "masterdown"  // a replica without its master
	NoReplicas  Class = "noreplicas"  // fewer replicas than min-replicas-to-write
	OutOfMemory Class = "oom"         // maxmemory is reached
	Misconf     Class = "misconf"     // the server cannot write its files
	Busy        Class = "busy"        // a script runs too long
	MaxClients  Class = "maxclients"  // the server takes no more connections
	NoScript    Class = "noscript"    // the script cache was emptied; loaded again at once
)

// Classes that do not heal by themselves.
const (
	None      Class = ""          // no error
	Canceled  Class = "canceled"  // the caller's context ended
	Closed    Class = "closed"    // Close was called
	Auth      Class = "auth"      // credentials or permissions
	TLS       Class = "tls"       // certificates, or one side speaks no TLS
	WrongType Class = "wrongtype" // a key is not ours
	Restarted Class = "restarted" // the server is not the one that it was: ErrOtherServer
	Other     Class = "other"     // any other reply
)

// replies maps the first word of an error reply to its class.
var replies = map[string]Class{
	"LOADING": Loading, "READONLY": ReadOnly, "CLUSTERDOWN": ClusterDown, "MOVED": Moved, "ASK": Moved,
	"TRYAGAIN": TryAgain, "MASTERDOWN": MasterDown, "NOREPLICAS": NoReplicas, "OOM": OutOfMemory,
	// A transaction one of whose commands was refused as it was queued: the server is
	// out of memory, loads or fails over. What no repeat heals, Open has refused.
	"EXECABORT": TryAgain,
	"MISCONF":   Misconf, "BUSY": Busy, "NOSCRIPT": NoScript,
	"NOAUTH": Auth, "WRONGPASS": Auth, "NOPERM": Auth, "WRONGTYPE": WrongType,
}

// Heals is true when a repeat of the call may succeed.
func (c Class) Heals() bool {
	switch c {
	case None, Canceled, Closed, Auth, TLS, WrongType, Restarted, Other:
		return false
	}
	return true
}

// Classify says what kind of trouble err is. It is the only place that decides.
func Classify(err error) Class {
	if known := (*Error)(nil); errors.As(err, &known) {
		return known.Class
	}
	switch {
	case err == nil:
		return None
	case errors.Is(err, goredis.ErrClosed):
		return Closed
	case errors.Is(err, context.Canceled):
		return Canceled
	case errors.Is(err, ErrOtherServer):
		return Restarted
	case errors.Is(err, goredis.TxFailedErr): // the connection still watched what a call that was given up had looked at
		return TryAgain
	case goredis.HasErrorPrefix(err, "max number of clients reached"):
		return MaxClients
	}
	if reply := goredis.Error(nil); errors.As(err, &reply) {
		word, _, _ := strings.Cut(reply.Error(), " ")
		if class, known := replies[word]; known {
			return class
		}
		return Other
	}
	return classifyTransport(err)
}

// classifyTransport is for errors that are not a server's reply. What it does
// not know is a connection that broke: the server never said no.
func classifyTransport(err error) Class {
	var (
		verification *tls.CertificateVerificationError
		record       tls.RecordHeaderError
		alert        tls.AlertError
		authority    x509.UnknownAuthorityError
		hostname     x509.HostnameError
		network      net.Error
	)
	switch {
	case errors.As(err, &verification), errors.As(err, &record), errors.As(err, &alert),
		errors.As(err, &authority), errors.As(err, &hostname):
		return TLS
	case errors.Is(err, goredis.ErrPoolTimeout), errors.Is(err, goredis.ErrPoolExhausted):
		return PoolTimeout
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &network) && network.Timeout():
		return Timeout
	}
	return Connection
}

// Error is a call that did not succeed.
type Error struct {
	Op    string // what was tried, in words
	Class Class
	Err   error
}

// Error names the call and the cause.
func (e *Error) Error() string { return e.Op + ": " + e.Err.Error() }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Retryable is true when a repeat may succeed. Callers that must not import this
// package find it by an interface of their own.
func (e *Error) Retryable() bool { return e.Class.Heals() }

// refusal puts ErrRefused into the chain of an error and leaves its words alone.
type refusal struct{ error }

func (r refusal) Is(target error) bool { return target == ErrRefused }
func (r refusal) Unwrap() error        { return r.error }

func refused(err error) error { return refusal{err} }
