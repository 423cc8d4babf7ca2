package codec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"tidemark/scoring"
)

// ChangeType is the CloudEvents type of a tier change.
const ChangeType = "tidemark.tier.changed"

// timeLayout is RFC 3339 in UTC, always with milliseconds.
const timeLayout = "2006-01-02T15:04:05.000Z"

// FormatTime writes Unix milliseconds as Tidemark publishes instants.
func FormatTime(ms int64) string { return time.UnixMilli(ms).UTC().Format(timeLayout) }

// ChangeEncoder writes crossings as the CloudEvents of tier-changes and
// account-tiers. The same crossing always gives the same bytes.
type ChangeEncoder struct {
	Namespace string // becomes the source: tidemark/<namespace>
}

// Change writes one crossing of an account. It keeps nothing of the crossing.
func (e ChangeEncoder) Change(account string, c *scoring.Crossing) ([]byte, error) {
	return e.AppendChange(make([]byte, 0, usualChange), account, c)
}

// AppendChange is Change behind what b holds already.
func (e ChangeEncoder) AppendChange(b []byte, account string, c *scoring.Crossing) ([]byte, error) {
	w := writer{b: append(b, '{')}
	w.text("specversion", "1.0")
	w.key("id")
	w.quote(account)
	w.b = strconv.AppendUint(append(w.b[:len(w.b)-1], '/'), c.Seq, 10)
	w.b = append(w.b, '"')
	w.source(e.Namespace)
	w.text("type", ChangeType)
	w.text("subject", account)
	w.instant("time", &c.At)
	w.text("datacontenttype", "application/json")
	w.key("data")
	w.data(account, c)
	w.close('}')
	if w.err != nil {
		return nil, fmt.Errorf("tier change: %w", w.err)
	}
	return w.b, nil
}

// usualChange is the size of most tier changes.
const usualChange = 2048

// source writes tidemark/<namespace>.
func (w *writer) source(namespace string) {
	w.key("source")
	w.b = append(w.b, `"tidemark/`...)
	at := len(w.b)
	w.quote(namespace)
	w.b = append(w.b[:at], w.b[at+1:]...) // its own opening quote
}

func (w *writer) data(account string, c *scoring.Crossing) {
	w.open('{')
	w.text("account", account)
	w.key("seq")
	w.b = strconv.AppendUint(w.b, c.Seq, 10)
	w.text("from", c.From)
	w.text("to", c.To)
	w.text("direction", direction(c.Up))
	w.flag("mqa", c.MQA)
	w.number("score", c.Score)
	w.optional("threshold", c.Threshold)
	w.cause(&c.Cause)
	w.instant("demotes_at", c.DemotesAt)
	w.receipt(&c.Receipt)
	w.key("model")
	w.open('{')
	w.text("name", c.Model.Name())
	w.integer("version", c.Model.Version())
	w.text("hash", c.Model.Hash())
	w.close('}')
	w.attributes("profile", published(c))
	w.close('}')
}

func (w *writer) cause(c *scoring.Cause) {
	w.key("cause")
	w.open('{')
	w.text("kind", string(c.Kind))
	for _, part := range [...]struct{ name, value string }{{"id", c.ID}, {"source", c.Source}, {"type", c.Type}} {
		if part.value != "" {
			w.text(part.name, part.value)
		}
	}
	if c.Signals != nil {
		w.texts("signals", c.Signals)
	}
	w.close('}')
}

func (w *writer) receipt(r *scoring.Receipt) {
	w.key("receipt")
	w.open('{')
	w.number("score", r.Score)
	w.fit(&r.Fit)
	w.key("groups")
	w.open('[')
	for i := range r.Groups {
		w.group(&r.Groups[i])
	}
	w.close(']')
	w.key("committee")
	w.open('{')
	w.number("points", r.Committee.Points)
	w.integer("people", r.Committee.People)
	w.texts("roles", r.Committee.Roles)
	w.close('}')
	w.key("surges")
	w.open('[')
	for i := range r.Surges {
		s := &r.Surges[i]
		w.open('{')
		w.text("name", s.Name)
		w.number("points", s.Points)
		w.number("recent", s.Recent)
		w.number("usual", s.Usual)
		w.close('}')
	}
	w.close(']')
	w.key("icp")
	w.open('{')
	w.flag("inside", r.ICP.Inside)
	w.texts("unmet", r.ICP.Unmet)
	w.optional("outside_max", r.ICP.Max)
	w.close('}')
	w.number("adjustment", r.Adjustment)
	w.close('}')
}

func (w *writer) fit(f *scoring.FitReceipt) {
	w.key("fit")
	w.open('{')
	w.number("points", f.Points)
	w.number("sum", f.Sum)
	w.optional("cap", f.Cap)
	w.key("rules")
	w.open('[')
	for i := range f.Rules {
		w.open('{')
		w.text("name", f.Rules[i].Name)
		w.number("points", f.Rules[i].Points)
		w.close('}')
	}
	w.close(']')
	w.close('}')
}

func (w *writer) group(g *scoring.GroupReceipt) {
	w.open('{')
	w.text("name", g.Name)
	w.number("points", g.Points)
	w.number("sum", g.Sum)
	w.optional("cap", g.Cap)
	w.optional("floor", g.Floor)
	w.key("signals")
	w.open('[')
	for i := range g.Signals {
		s := &g.Signals[i]
		w.open('{')
		w.text("name", s.Name)
		w.number("points", s.Points)
		w.number("intensity", s.Intensity)
		w.number("weight", s.Weight)
		w.optional("limit", s.Limit)
		w.text("half_life", s.HalfLife)
		if s.Held != 0 {
			w.number("held", s.Held)
		}
		if s.HeldPoints != 0 {
			w.number("held_points", s.HeldPoints)
		}
		w.close('}')
	}
	w.close(']')
	w.close('}')
}

// Published is what identifies a tier change among those of its account.
type Published struct {
	Account string
	Seq     uint64
	To      string
	At      int64 // the crossing's instant, Unix milliseconds
}

// DecodePublished reads the head of a tier change that Change wrote.
func DecodePublished(value []byte) (Published, error) {
	var c struct {
		Time time.Time `json:"time"`
		Data struct {
			Account string `json:"account"`
			Seq     uint64 `json:"seq"`
			To      string `json:"to"`
		} `json:"data"`
	}
	if err := json.Unmarshal(value, &c); err != nil {
		return Published{}, fmt.Errorf("tier change: %w", err)
	}
	return Published{c.Data.Account, c.Data.Seq, c.Data.To, c.Time.UnixMilli()}, nil
}

// SeqOf is the seq of a tier change that Change wrote; false where it is none.
func SeqOf(value []byte) (uint64, bool) {
	rest, ok := bytes.CutPrefix(value, []byte(`{"specversion":"1.0","id":"`))
	id, _, whole := bytes.Cut(rest, []byte(`","source":`)) // a quote within the id is escaped
	slash := bytes.LastIndexByte(id, '/')
	if !ok || !whole || slash < 0 {
		return 0, false
	}
	seq, err := strconv.ParseUint(string(id[slash+1:]), 10, 64)
	return seq, err == nil
}

// InstantOf is the instant (Unix milliseconds) of a tier change that Change wrote;
// false where it is none.
func InstantOf(value []byte) (int64, bool) {
	_, rest, ok := bytes.Cut(value, []byte(`","time":"`)) // a quote within a text is escaped
	if !ok || len(rest) < len(timeLayout) {
		return 0, false
	}
	at, err := time.Parse(timeLayout, string(rest[:len(timeLayout)]))
	return at.UnixMilli(), err == nil
}

func direction(up bool) string {
	if up {
		return "up"
	}
	return "down"
}

// published are the attributes that the model's publish_attributes name, those
// that the profile has.
func published(c *scoring.Crossing) map[string]any {
	names := c.Model.Spec().PublishAttributes
	if c.Profile == nil || len(names) == 0 {
		return nil
	}
	out := make(map[string]any, len(names))
	for _, name := range names {
		if v, ok := c.Profile.Attributes[name]; ok {
			out[name] = v
		}
	}
	return out
}
