package webhook

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
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

// message is what an endpoint gets of an event: by its template, or else the form that
// the Standard Webhooks specification recommends.
func (e *Endpoint) message(entry *Entry) (outbound.Message, error) {
	event, err := outbound.Tree(entry.Value)
	if err != nil {
		return outbound.Message{}, fmt.Errorf("event: %w", err)
	}
	source, _ := event["source"].(string)
	id, _ := event["id"].(string)
	m := outbound.Message{ID: ID(entry.Topic, source, id)}
	if e.target.Template != nil {
		m.Body, err = e.target.Template.Render(map[string]any{"Topic": entry.Topic, "Event": event, "Data": event["data"], "ID": m.ID})
		return m, err
	}
	var head struct {
		Type string          `json:"type"`
		Time string          `json:"time"`
		ID   string          `json:"id"`
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(entry.Value, &head); err != nil {
		return m, fmt.Errorf("event: %w", err)
	}
	m.Body, err = json.Marshal(struct {
		Type      string          `json:"type"`
		Timestamp string          `json:"timestamp"`
		ID        string          `json:"id"`
		Data      json.RawMessage `json:"data"`
	}{head.Type, head.Time, head.ID, head.Data})
	return m, err
}

// happened is an event's time.
func happened(value []byte) (time.Time, bool) {
	var head struct {
		Time time.Time `json:"time"`
	}
	err := json.Unmarshal(value, &head)
	return head.Time, err == nil && !head.Time.IsZero()
}
