package webhook

import (
	"cmp"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"tidemark/pkg/outbound"
	"tidemark/scoring"
)

// ID is the webhook-id of an event: the same for all attempts and endpoints, whenever it
// is replayed. The event's own id may hold dots, which the specification does not allow.
func ID(topic, source, id string) string {
	sum := sha256.Sum256([]byte(topic + "\x00" + source + "\x00" + id))
	return "msg_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:20]))
}

// wants reports whether the endpoint's filter holds for an event.
func (e *Endpoint) wants(topic string, event map[string]any) bool {
	if e.filter == nil {
		return true
	}
	values := map[string]any{"topic": topic}
	for _, name := range names {
		if v, ok := event[name]; ok {
			values[name] = v
		}
	}
	return e.filter(values) == scoring.True
}

// message is what an endpoint gets of events: by its template, or else the form that the
// Standard Webhooks specification recommends. It is the same whatever order they have.
func (e *Endpoint) message(entries []Entry) (m outbound.Message, err error) {
	entries = slices.SortedFunc(slices.Values(entries), func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Seq, b.Seq))
	})
	events := make([]map[string]any, len(entries))
	ids := make([]string, len(entries))
	for i, entry := range entries {
		event, err := outbound.Tree(entry.Value)
		if err != nil {
			return m, fmt.Errorf("event: %w", err)
		}
		source, _ := event["source"].(string)
		id, _ := event["id"].(string)
		ids[i] = ID(entry.Topic, source, id)
		events[i] = map[string]any{"Topic": entry.Topic, "Event": event, "Data": event["data"], "ID": ids[i]}
	}
	m.ID = together(ids)
	if e.target.Template != nil {
		data := map[string]any{"Events": events, "ID": m.ID}
		if e.batch.max == 1 {
			maps.Copy(data, events[0])
		}
		m.Body, err = e.target.Template.Render(data)
		return m, err
	}
	if e.batch.max > 1 {
		m.Body, err = plainBatch(entries)
	} else {
		m.Body, err = plain(entries[0].Value)
	}
	return m, err
}

// together is the id of events that are sent in one request.
func together(ids []string) string {
	if len(ids) == 1 {
		return ids[0]
	}
	return ID("", "", strings.Join(ids, " "))
}

// plain is an event without a template.
func plain(event []byte) ([]byte, error) {
	var head struct {
		Type string          `json:"type"`
		Time string          `json:"time"`
		ID   string          `json:"id"`
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(event, &head); err != nil {
		return nil, fmt.Errorf("event: %w", err)
	}
	return json.Marshal(struct {
		Type      string          `json:"type"`
		Timestamp string          `json:"timestamp"`
		ID        string          `json:"id"`
		Data      json.RawMessage `json:"data"`
	}{head.Type, head.Time, head.ID, head.Data})
}

// plainBatch are events without a template: an event whose data are the events, as late as
// the last of them.
func plainBatch(entries []Entry) ([]byte, error) {
	var last time.Time
	data := make([]json.RawMessage, len(entries))
	for i, entry := range entries {
		body, err := plain(entry.Value)
		if err != nil {
			return nil, err
		}
		data[i] = body
		if at, ok := happened(entry.Value); ok && at.After(last) {
			last = at
		}
	}
	return json.Marshal(struct {
		Type      string            `json:"type"`
		Timestamp string            `json:"timestamp"`
		Data      []json.RawMessage `json:"data"`
	}{"tidemark.batch", last.UTC().Format("2006-01-02T15:04:05.000Z"), data})
}

// happened is an event's time.
func happened(value []byte) (time.Time, bool) {
	var head struct {
		Time time.Time `json:"time"`
	}
	err := json.Unmarshal(value, &head)
	return head.Time, err == nil && !head.Time.IsZero()
}
