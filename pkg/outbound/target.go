package outbound

import (
	"context"
	"errors"
	"net/http"
	"time"

	"tidemark/scoring"
)

// Target is an endpoint to send to.
type Target struct {
	url     string
	method  string
	headers http.Header
	signers []*signer
	// Template makes the body; nil: the caller's own form.
	Template *Template
	ok       func(map[string]any) scoring.Truth // nil: any 2xx
	timeout  time.Duration
	client   *http.Client
}

// The limits of an attempt.
const (
	DefaultTimeout = 15 * time.Second
	maxAnswer      = 64 << 10 // read of an answer
)

// client makes connections for one target only, so that none waits for another's.
func newClient(allowPrivate bool) *http.Client {
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  nil, // a proxy would resolve names behind the guard
			DialContext:            dialer(allowPrivate).DialContext,
			TLSHandshakeTimeout:    10 * time.Second,
			MaxIdleConnsPerHost:    4,
			IdleConnTimeout:        30 * time.Second,
			MaxResponseHeaderBytes: maxAnswer,
			ForceAttemptHTTP2:      true,
		},
	}
}

// Close closes idle connections.
func (t *Target) Close() { t.client.CloseIdleConnections() }

// Message is what to send.
type Message struct {
	// ID is the same for every attempt, so that a receiver knows a repeat.
	ID   string
	Body []byte
}

// Result is what came of an attempt. The names double as metric labels.
type Result string

// The results.
const (
	Delivered  Result = "delivered"
	Timeout    Result = "timeout"    // no answer in time
	Connection Result = "connection" // refused, reset, name not found, TLS
	Private    Result = "private"    // the guard refused the address
	Redirect   Result = "redirect"   // 3xx: not followed
	Gone       Result = "gone"       // 410: the receiver wants no more
	Limited    Result = "limited"    // 429
	Refused    Result = "refused"    // another 4xx
	Failed     Result = "failed"     // 5xx
	Rejected   Result = "rejected"   // 2xx, but `ok` does not hold
	Body       Result = "body"       // the template made no body
)

// Results are all of them.
var Results = []Result{Delivered, Timeout, Connection, Private, Redirect, Gone, Limited, Refused, Failed, Rejected, Body}

// Answer is what came of an attempt, in full.
type Answer struct {
	Result Result
	Status int // of the HTTP answer; 0 where there was none
	// RetryAfter is how long the receiver asks to be left alone; 0: it does not say.
	RetryAfter time.Duration
	Err        error // where there was no answer
}

// Send makes one attempt.
func (t *Target) Send(ctx context.Context, m Message) Answer {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	request, err := t.request(ctx, m)
	if err != nil {
		return Answer{Result: Connection, Err: err}
	}
	response, err := t.client.Do(request)
	if err != nil {
		return unanswered(ctx, err)
	}
	defer response.Body.Close() //nolint:errcheck // only read from
	return t.judge(response)
}

// unanswered says why there is no answer.
func unanswered(ctx context.Context, err error) Answer {
	var named interface{ Unwrap() error }
	if errors.As(err, &named) { // *url.Error holds the address
		err = named.Unwrap()
	}
	var late interface{ Timeout() bool }
	switch {
	case errors.Is(err, ErrPrivate):
		return Answer{Result: Private, Err: ErrPrivate}
	case ctx.Err() != nil || errors.As(err, &late) && late.Timeout():
		return Answer{Result: Timeout, Err: errors.New("no answer in time")}
	}
	return Answer{Result: Connection, Err: err}
}

// Timeout is the longest that an attempt takes.
func (t *Target) Timeout() time.Duration { return t.timeout }

// URL is the address, which may be a secret.
func (t *Target) URL() string { return t.url }
