package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/rs/zerolog"

	"tidemark/pkg/desk"
	"tidemark/pkg/route"
)

// Desk is the desk of MQAs as the API needs it.
type Desk interface {
	List(ctx context.Context, f desk.Filter) ([]*desk.View, error)
	Do(ctx context.Context, c route.Command, key string) (*desk.View, error)
}

// MQAsPath is where MQAs are served, it and all below it.
const MQAsPath = "/api/v1/mqas"

type mqas struct {
	desk Desk
	log  zerolog.Logger
}

// MQAs serves the list of MQAs and what people do to them:
//
//	GET  /api/v1/mqas?state=&owner=&team=&account=&queued=true&breached=true
//	POST /api/v1/mqas/{account}/{seq}/{ack|accept|reject|reassign}
//
// An account with a slash in it is percent-encoded. A POST may have an Idempotency-Key:
// with the same one, the same command is answered as it was, and done once.
func MQAs(d Desk, access Access, log zerolog.Logger) *Room {
	m := &mqas{d, log.With().Str("component", "api").Logger()}
	return newRoom(MQAsPath, access,
		Route{http.MethodGet, MQAsPath, m.list},
		Route{http.MethodPost, MQAsPath + "/{account}/{seq}/{verb}", m.do},
	)
}

func (m *mqas) list(w http.ResponseWriter, r *http.Request) {
	f, err := filterOf(r)
	answer(w, r, err, m.fail, func(ctx context.Context) (any, error) {
		found, err := m.desk.List(ctx, f)
		return map[string]any{"mqas": found}, err
	})
}

func filterOf(r *http.Request) (f desk.Filter, err error) {
	for name, values := range r.URL.Query() {
		switch value := values[len(values)-1]; name {
		case "state":
			f.State = route.State(value)
		case "owner":
			f.Owner = value
		case "team":
			f.Team = value
		case "account":
			f.Account = value
		case "queued":
			f.Queued, err = strconv.ParseBool(value)
		case "breached":
			f.Breached, err = strconv.ParseBool(value)
		default:
			err = fmt.Errorf("%q is not one of state, owner, team, account, queued, breached", name)
		}
		if err != nil {
			return f, fmt.Errorf("query: %w", err)
		}
	}
	return f, nil
}

// order is the body of a POST. All of it may be left out but for a rejection's reason.
type order struct {
	By     string `json:"by"`
	Reason string `json:"reason"`
	To     string `json:"to"`
	Force  bool   `json:"force"`
}

// Bounds on what a request brings.
const (
	mostBody = 4 << 10
	mostKey  = 255
)

func (m *mqas) do(w http.ResponseWriter, r *http.Request) {
	c, err := commandOf(r)
	key := r.Header.Get("Idempotency-Key")
	if err == nil && len(key) > mostKey {
		err = fmt.Errorf("Idempotency-Key: has %d bytes, at most %d are kept", len(key), mostKey)
	}
	answer(w, r, err, m.fail, func(ctx context.Context) (any, error) { return m.desk.Do(ctx, c, key) })
}

func commandOf(r *http.Request) (c route.Command, err error) {
	c.Account, c.Verb = r.PathValue("account"), route.Verb(r.PathValue("verb"))
	if c.Seq, err = strconv.ParseUint(r.PathValue("seq"), 10, 64); err != nil || c.Seq == 0 {
		return c, fmt.Errorf("seq: %q is not the number of a tier change", r.PathValue("seq"))
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, mostBody))
	if err != nil {
		return c, fmt.Errorf("body: %w", err)
	}
	var o order
	if len(body) > 0 {
		d := json.NewDecoder(bytes.NewReader(body))
		d.DisallowUnknownFields()
		if err := d.Decode(&o); err != nil {
			return c, fmt.Errorf("body: %w", err)
		}
		if d.More() {
			return c, errors.New("body: there is more behind the object")
		}
	}
	c.By, c.Reason, c.To, c.Force = o.By, o.Reason, o.To, o.Force
	return c, nil
}

// fail answers with what went wrong: the request's own faults in its words, the
// server's in the log.
func (m *mqas) fail(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, route.ErrUnknown):
		writeProblem(w, http.StatusNotFound, err.Error())
	case errors.Is(err, route.ErrState), errors.Is(err, desk.ErrPlan):
		writeProblem(w, http.StatusConflict, err.Error())
	case errors.Is(err, route.ErrCommand), errors.Is(err, desk.ErrKeyReused):
		writeProblem(w, http.StatusUnprocessableEntity, err.Error())
	default:
		m.log.Warn().Err(err).Msg("request not answered")
		w.Header().Set("Retry-After", "1")
		writeProblem(w, http.StatusServiceUnavailable, "the desk cannot be reached; try again with the same Idempotency-Key")
	}
}
