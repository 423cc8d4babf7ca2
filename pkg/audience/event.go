package audience

import (
	"encoding/json"
	"fmt"
	"time"
)

// The CloudEvents types of a feed.
const (
	Entered = "tidemark.audience.entered"
	Left    = "tidemark.audience.left"
)

// feedEvent is what a feed says of a move. Its id is numbered, so the follow kit reads feeds too.
type feedEvent struct {
	SpecVersion string   `json:"specversion"`
	ID          string   `json:"id"`
	Source      string   `json:"source"`
	Type        string   `json:"type"`
	Subject     string   `json:"subject"`
	Time        string   `json:"time"`
	ContentType string   `json:"datacontenttype"`
	Data        feedData `json:"data"`
}

type feedData struct {
	Audience string         `json:"audience"`
	Account  string         `json:"account"`
	N        uint64         `json:"n"`
	In       bool           `json:"in"`
	Tier     string         `json:"tier"`
	Seq      uint64         `json:"seq"`
	Profile  map[string]any `json:"profile"`
}

// event writes a move as its feed has it.
func (a *Audience) event(namespace string, m *Move) ([]byte, error) {
	kind := Left
	if m.Member.In() {
		kind = Entered
	}
	profile := m.Member.Profile
	if profile == nil {
		profile = map[string]any{}
	}
	return json.Marshal(feedEvent{
		SpecVersion: "1.0", ID: fmt.Sprintf("%s/%s/%d", a.Name, m.Account, m.Member.N), Source: "tidemark/" + namespace,
		Type: kind, Subject: m.Account, Time: time.UnixMilli(m.At).UTC().Format("2006-01-02T15:04:05.000Z"), ContentType: "application/json",
		Data: feedData{Audience: a.Name, Account: m.Account, N: m.Member.N, In: m.Member.In(), Tier: m.Member.Tier, Seq: m.Member.Seq, Profile: profile},
	})
}
