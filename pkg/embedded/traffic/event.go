package traffic

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Feed is which input topic an event belongs to.
type Feed int

// The feeds.
const (
	Profiles Feed = iota
	Intent
	Engagement
)

// Event is something that happens in the world, or the profile of a firm.
type Event struct {
	// At is counted from the world's beginning.
	At   time.Duration
	Feed Feed
	// ID and Source identify it. An event may come twice, as from a sender that
	// was not sure: with the same ID.
	ID, Source, Type string
	// Account is the firm it is about. Unnamed leaves it out of the CloudEvent:
	// the receiver has to find it by the person's e-mail address.
	Account string
	Unnamed bool
	// Person acted; nil where nobody is known, and for profiles.
	Person     *Person
	Properties map[string]any
	Profile    *Profile
	// Broken is what a partner's export gets wrong: there is no time.
	Broken bool
}

// Profile is the data of a profile event.
type Profile struct {
	Attributes map[string]any `json:"attributes"`
	Domains    []string       `json:"domains"`
}

type envelope struct {
	SpecVersion string `json:"specversion"`
	ID          string `json:"id"`
	Source      string `json:"source"`
	Type        string `json:"type"`
	Time        string `json:"time,omitempty"`
	Subject     string `json:"subject,omitempty"`
	ContentType string `json:"datacontenttype"`
	Data        any    `json:"data"`
}

type activity struct {
	Contact    *Person        `json:"contact,omitempty"`
	Properties map[string]any `json:"properties,omitempty"`
}

// CloudEvent writes the event in structured mode, in a world that began at the
// given instant.
func (e *Event) CloudEvent(began time.Time) ([]byte, error) {
	out := envelope{SpecVersion: "1.0", ID: e.ID, Source: e.Source, Type: e.Type, ContentType: "application/json"}
	if !e.Unnamed {
		out.Subject = e.Account
	}
	if !e.Broken {
		out.Time = began.Add(e.At).UTC().Format("2006-01-02T15:04:05.000Z")
	}
	if e.Profile != nil {
		out.Data = e.Profile
	} else {
		out.Data = activity{e.Person, e.Properties}
	}
	b, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("event %s: %w", e.ID, err)
	}
	return b, nil
}

// Key is the event's key in Kafka: who sent it rather than the account, since
// events need not be keyed by account. Profiles are, as their topic is compacted.
func (e *Event) Key() string {
	switch {
	case e.Profile != nil:
		return e.Account
	case e.Person != nil:
		return e.Person.ID
	}
	return e.Source + "/" + e.ID
}

// Words say what happened, for people: "pricing page by the CFO".
func (e *Event) Words() string {
	page, _ := e.Properties["path"].(string)
	switch {
	case e.Profile != nil:
		return "new profile"
	case e.Type == researchTopic:
		return fmt.Sprintf("research on %v", e.Properties["topic"])
	case e.Type == searchRival:
		return "search for a competitor's product"
	case e.Type == readAnalyst:
		return "analyst report downloaded"
	case e.Type == viewPage && page == pricing:
		return "pricing page by " + e.Person.called()
	case e.Type == viewPage && page == careers:
		return "careers page by " + e.Person.called()
	case e.Type == viewPage:
		return "visit by " + e.Person.called()
	}
	if done, ok := deeds[e.Type]; ok {
		return done + " " + e.Person.called()
	}
	return e.Type
}

// deeds are what people do, ready to be followed by who did it.
var deeds = map[string]string{
	attend:      "demo webinar attended by",
	readCase:    "case study downloaded by",
	openMail:    "e-mail opened by",
	clickMail:   "e-mail clicked by",
	unsubscribe: "newsletter cancelled by",
}

// called is a person as others would call them: the one CFO, a VP Sales.
func (p *Person) called() string {
	switch {
	case p.unique:
		return "the " + p.Title
	case strings.ContainsRune("AEIO", rune(p.Title[0])):
		return "an " + p.Title
	}
	return "a " + p.Title
}
