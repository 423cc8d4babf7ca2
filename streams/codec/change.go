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

type change struct {
	SpecVersion     string     `json:"specversion"`
	ID              string     `json:"id"`
	Source          string     `json:"source"`
	Type            string     `json:"type"`
	Subject         string     `json:"subject"`
	Time            string     `json:"time"`
	DataContentType string     `json:"datacontenttype"`
	Data            changeData `json:"data"`
}

type changeData struct {
	Account   string          `json:"account"`
	Seq       uint64          `json:"seq"`
	From      string          `json:"from"`
	To        string          `json:"to"`
	Direction string          `json:"direction"`
	MQA       bool            `json:"mqa"`
	Score     float64         `json:"score"`
	Threshold *float64        `json:"threshold"`
	Cause     scoring.Cause   `json:"cause"`
	DemotesAt *string         `json:"demotes_at"`
	Receipt   scoring.Receipt `json:"receipt"`
	Model     modelRef        `json:"model"`
	Profile   map[string]any  `json:"profile"`
}

type modelRef struct {
	Name    string `json:"name"`
	Version int    `json:"version"`
	Hash    string `json:"hash"`
}

// Change writes one crossing of an account.
func (e ChangeEncoder) Change(account string, c *scoring.Crossing) ([]byte, error) {
	out := change{
		SpecVersion: "1.0", ID: account + "/" + strconv.FormatUint(c.Seq, 10), Source: "tidemark/" + e.Namespace,
		Type: ChangeType, Subject: account, Time: FormatTime(c.At), DataContentType: "application/json",
		Data: changeData{
			Account: account, Seq: c.Seq, From: c.From, To: c.To, Direction: direction(c.Up), MQA: c.MQA,
			Score: c.Score, Threshold: c.Threshold, Cause: c.Cause, Receipt: c.Receipt,
			Model:   modelRef{c.Model.Name(), c.Model.Version(), c.Model.Hash()},
			Profile: published(c),
		},
	}
	if c.DemotesAt != nil {
		at := FormatTime(*c.DemotesAt)
		out.Data.DemotesAt = &at
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(out); err != nil {
		return nil, fmt.Errorf("tier change: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
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

func direction(up bool) string {
	if up {
		return "up"
	}
	return "down"
}

// published are the attributes that the model's publish_attributes name, those
// that the profile has.
func published(c *scoring.Crossing) map[string]any {
	out := map[string]any{}
	if c.Profile == nil {
		return out
	}
	for _, name := range c.Model.Spec().PublishAttributes {
		if v, ok := c.Profile.Attributes[name]; ok {
			out[name] = v
		}
	}
	return out
}
