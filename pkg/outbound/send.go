package outbound

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"tidemark/scoring"
)

// The headers of the Standard Webhooks specification.
const (
	headerID        = "webhook-id"
	headerTimestamp = "webhook-timestamp"
	headerSignature = "webhook-signature"
)

func (t *Target) request(ctx context.Context, m Message) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, t.method, t.url, bytes.NewReader(m.Body))
	if err != nil {
		return nil, errors.New("the request cannot be made") // the error has the address
	}
	now := time.Now()
	request.Header = t.headers.Clone()
	request.Header.Set("User-Agent", "tidemark")
	if request.Header.Get("Content-Type") == "" {
		request.Header.Set("Content-Type", "application/json")
	}
	request.Header.Set(headerID, m.ID)
	request.Header.Set(headerTimestamp, strconv.FormatInt(now.Unix(), 10))
	signatures := make([]string, len(t.signers))
	for i, s := range t.signers {
		if signatures[i], err = s.Sign(m.ID, now, m.Body); err != nil {
			return nil, fmt.Errorf("sign: %w", err)
		}
	}
	if len(signatures) > 0 {
		request.Header.Set(headerSignature, strings.Join(signatures, " "))
	}
	return request, nil
}

// judge says what an answer means. It waits for the body only where `ok` reads it.
func (t *Target) judge(response *http.Response) Answer {
	out := Answer{Status: response.StatusCode, RetryAfter: retryAfter(response.Header.Get("Retry-After"), time.Now())}
	switch code := response.StatusCode; {
	case code >= 200 && code < 300:
		out.Result = Delivered
		if t.ok != nil && t.ok(answerTree(response)) != scoring.True {
			out.Result = Rejected
		}
	case code >= 300 && code < 400:
		out.Result = Redirect
	case code == http.StatusGone:
		out.Result = Gone
	case code == http.StatusTooManyRequests:
		out.Result = Limited
	case code >= 400 && code < 500:
		out.Result = Refused
	default:
		out.Result = Failed
	}
	return out
}

// answerNames are what `ok` may read.
var answerNames = []string{"status", "body"}

func answerTree(response *http.Response) map[string]any {
	out := map[string]any{"status": float64(response.StatusCode)}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return out
	}
	var body any
	if json.Unmarshal(text, &body) == nil {
		out["body"] = body
	}
	return out
}

// mostRetryAfter is the longest that a receiver is heard to ask for.
const mostRetryAfter = 24 * time.Hour

// retryAfter reads seconds or a date.
func retryAfter(text string, now time.Time) time.Duration {
	if text == "" {
		return 0
	}
	var wait time.Duration
	if seconds, err := strconv.ParseInt(strings.TrimSpace(text), 10, 32); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), mostRetryAfter)
}

// Describe writes the request that an attempt makes, without what differs from one to
// the next. It shows secrets: it is for tests of templates.
func (t *Target) Describe(m Message) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s %s\n", t.method, t.url)
	for _, name := range slices.Sorted(maps.Keys(t.headers)) {
		fmt.Fprintf(&out, "%s: %s\n", name, t.headers.Get(name))
	}
	fmt.Fprintf(&out, "%s: %s\n", headerID, m.ID)
	var body bytes.Buffer
	if json.Indent(&body, m.Body, "", "  ") != nil {
		body.Write(m.Body)
	}
	fmt.Fprintf(&out, "\n%s\n\n", body.String())
	return out.String()
}
