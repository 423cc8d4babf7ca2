package verify

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"tidemark/scoring"
)

// wire is as much of a CloudEvent as the runs use.
type wire struct {
	SpecVersion string `json:"specversion"`
	ID          string `json:"id"`
	Source      string `json:"source"`
	Type        string `json:"type"`
	Time        string `json:"time"`
	Subject     string `json:"subject"`
	Data        struct {
		Contact    scoring.Map    `json:"contact"`
		Strength   *float64       `json:"strength"`
		Properties scoring.Map    `json:"properties"`
		Attributes map[string]any `json:"attributes"`
		Domain     string         `json:"domain"`
		Domains    []string       `json:"domains"`
		Into       string         `json:"into"`
	} `json:"data"`
}

const (
	tolerance = 5 * time.Minute
	oldest    = 400 * 24 * time.Hour
	largest   = 256 << 10
)

// decode reads a record by SPEC 1 and the clock: an event, or the reason why it is
// none. The runs have no event whose time was in the future once and no longer is.
func decode(r Record, now time.Time) (*scoring.Event, string) {
	if len(r.Value) > largest {
		return nil, "oversize"
	}
	var w wire
	if err := json.Unmarshal(r.Value, &w); err != nil {
		return nil, "malformed"
	}
	if w.ID == "" || w.Source == "" || w.Type == "" || w.Time == "" {
		return nil, "missing_attribute"
	}
	at, err := time.Parse(time.RFC3339Nano, w.Time)
	switch {
	case err != nil:
		return nil, "bad_time"
	case at.After(now.Add(tolerance)):
		return nil, "future_time"
	case at.Before(now.Add(-oldest)):
		return nil, "too_old"
	case strings.TrimSpace(w.Subject) == "" && w.Data.Domain == "":
		return nil, "no_account"
	}
	e := &scoring.Event{
		ID: w.ID, Source: w.Source, Type: w.Type, Account: strings.ToLower(strings.TrimSpace(w.Subject)),
		Time: at.UnixMilli(), Arrived: r.Time.UnixMilli(), Strength: 1, Properties: w.Data.Properties,
	}
	if e.Account == "" {
		e.Domain = w.Data.Domain
	}
	if s := w.Data.Strength; s != nil {
		if *s < 0 || *s > 10 {
			return nil, "bad_attribute"
		}
		e.Strength = *s
	}
	text := func(key string) string { s, _ := w.Data.Contact[key].(string); return s }
	switch {
	case w.Type == "account.profile":
		e.Kind, e.Profile = scoring.KindProfile, &scoring.Profile{Attributes: w.Data.Attributes, Domains: w.Data.Domains}
	case w.Type == "account.merged":
		e.Kind, e.Order = scoring.KindMerge, &scoring.Order{Into: w.Data.Into}
	case w.Type == "contact.erased":
		e.Kind, e.Order = scoring.KindErasure, &scoring.Order{}
		for _, who := range []string{text("id"), strings.ToLower(text("email"))} {
			if who != "" {
				e.Order.Erased = append(e.Order.Erased, who)
			}
		}
	case len(w.Data.Contact) > 0:
		e.Contact = &scoring.Contact{
			ID: text("id"), Email: text("email"), Title: text("title"), Seniority: text("seniority"), Role: text("role"), Fields: w.Data.Contact,
		}
	}
	return e, ""
}

// input is an event and its place in the order of a replay.
type input struct {
	event *scoring.Event
	rank  int
	from  Record
}

// decode reads all inputs, by account and in the order of a replay: by event time,
// then by rank of the topic. It wants each unusable one among the dead letters.
func (run *Run) decode(r *Report) map[string][]*scoring.Event {
	letters := run.letters(r)
	var inputs []input
	for _, record := range run.Inputs {
		e, reason := decode(record, time.UnixMilli(run.At))
		where := place(record.Topic, record.Partition, record.Offset)
		letter, found := letters[where]
		delete(letters, where)
		switch {
		case e != nil && found:
			r.fault("%s is usable, and a dead letter (%s)", where, letter.Headers[headerReason])
		case e != nil:
			inputs = append(inputs, input{e, slices.Index(run.Topics, record.Topic), record})
		case !found:
			r.fault("%s is %s and no dead letter", where, reason)
		case letter.Headers[headerReason] != reason:
			r.fault("%s is %s, its dead letter says %s", where, reason, letter.Headers[headerReason])
		case reason != "oversize" && !bytes.Equal(letter.Value, record.Value):
			r.fault("%s: the dead letter has other bytes", where)
		}
		if e == nil {
			r.Unusable++
		}
	}
	for where := range letters {
		r.fault("dead letter of %s, which is not among the inputs", where)
	}
	r.Events = len(inputs)
	slices.SortStableFunc(inputs, func(a, b input) int {
		return cmp.Or(cmp.Compare(a.event.Time, b.event.Time), cmp.Compare(a.rank, b.rank),
			cmp.Compare(a.from.Partition, b.from.Partition), cmp.Compare(a.from.Offset, b.from.Offset))
	})
	events := make([]*scoring.Event, len(inputs))
	for i := range inputs {
		events[i] = inputs[i].event
	}
	return gather(events, r)
}

// Headers of dead letters, as Kafka Connect names them.
const (
	headerTopic     = "__connect.errors.topic"
	headerPartition = "__connect.errors.partition"
	headerOffset    = "__connect.errors.offset"
	headerReason    = "__connect.errors.exception.class.name"
)

// letters are the dead letters by the place of their original.
func (run *Run) letters(r *Report) map[string]Record {
	out := map[string]Record{}
	for _, l := range run.Letters {
		r.Letters++
		out[l.Headers[headerTopic]+"/"+l.Headers[headerPartition]+"@"+l.Headers[headerOffset]] = l
	}
	return out
}

func place(topic string, partition int, offset int64) string {
	return fmt.Sprintf("%s/%d@%d", topic, partition, offset)
}
