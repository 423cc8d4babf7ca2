package sniff

import (
	"cmp"
	"slices"
	"strings"

	"tidemark/scoring"
	"tidemark/streams/codec"
)

// Format is a way to read the sample, with the name that the configuration has for it.
type Format struct {
	Name   string
	Format codec.Format
}

// Report is what a sample looks like.
type Report struct {
	Records    int
	Tombstones int // records without a value
	// Format is the name of the format that reads most of the records; empty where none
	// reads half of them.
	Format string
	Read   int // records of which something was read by it
	Events int
	Types  []Type
	Faults []Fault
	// Mapping is one to start from, where no format fits; empty where the values are
	// no JSON objects.
	Mapping string
}

// Type is what the sample has of a type of event.
type Type struct {
	Name             string
	Events, Matched  int
	ByDomain, Nobody int      // found their account by a domain; without a person
	Signals          []string // whose match.type fits
	Members          []string // of the properties, in order
	profiles         bool
}

// Why says what the model makes of the type.
func (t *Type) Why() string {
	switch {
	case t.profiles:
		return "profiles and erasures are not matched"
	case len(t.Signals) == 0:
		return "no signal's match.type fits"
	case t.Matched == 0:
		return "match.type of " + strings.Join(t.Signals, ", ") + " fits, but where does not hold for any"
	case t.Matched < t.Events:
		return "where of " + strings.Join(t.Signals, ", ") + " does not hold for the others"
	}
	return "matched by " + strings.Join(t.Signals, ", ")
}

// Fault is why some events cannot be used.
type Fault struct {
	Reason  codec.Reason
	Count   int
	Message string // of the first
}

// Look reads a sample in each of the formats and reports by the one that fits best; of
// equals the first. The rules' Formats and Reads are set here.
func Look(records []codec.Record, formats []Format, m *scoring.Model, rules codec.Rules) *Report {
	var best *Report
	for _, f := range formats {
		r := look(records, f, m, rules)
		if best == nil || r.Read > best.Read {
			best = r
		}
	}
	if values := best.Records - best.Tombstones; best.Read*2 < values || values == 0 {
		if best.Read == 0 {
			best.Faults, best.Types = nil, nil
		}
		best.Format = ""
		best.Mapping = suggest(records)
	}
	return best
}

func look(records []codec.Record, f Format, m *scoring.Model, rules codec.Rules) *Report {
	r := &Report{Records: len(records), Format: f.Name}
	rules.Reads = func(string) (properties, fields bool) { return true, true }
	rules.Formats = map[string]codec.Format{}
	if len(records) > 0 {
		rules.Formats[records[0].Topic] = f.Format
	}
	d := codec.New(rules)
	types, faults := map[string]*Type{}, map[codec.Reason]*Fault{}
	for i := range records {
		if records[i].Value == nil {
			r.Tombstones++
			continue
		}
		events, bad := d.Decode(&records[i])
		if shaped(events, bad) {
			r.Read++
		}
		r.Events += len(events)
		for _, e := range events {
			note(types, e, m)
		}
		for _, b := range bad {
			if faults[b.Reason] == nil {
				faults[b.Reason] = &Fault{Reason: b.Reason, Message: b.Message}
			}
			faults[b.Reason].Count++
		}
	}
	for _, t := range types {
		r.Types = append(r.Types, *t)
	}
	for _, f := range faults {
		r.Faults = append(r.Faults, *f)
	}
	slices.SortFunc(r.Types, func(a, b Type) int { return cmp.Or(cmp.Compare(b.Events, a.Events), cmp.Compare(a.Name, b.Name)) })
	slices.SortFunc(r.Faults, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Reason, b.Reason))
	})
	return r
}

// shaped reports whether a record is of the format, be it of use or not: what lacks an
// account or is too old has been understood.
func shaped(events []*scoring.Event, bad []*codec.Bad) bool {
	if len(events) > 0 || len(bad) == 0 {
		return true
	}
	for _, b := range bad {
		switch b.Reason {
		case codec.NoAccount, codec.TooOld, codec.FutureTime:
			return true
		}
	}
	return false
}

func note(types map[string]*Type, e *scoring.Event, m *scoring.Model) {
	t := types[e.Type]
	if t == nil {
		t = &Type{Name: e.Type, Signals: fitting(m, e.Type), profiles: e.Kind == scoring.KindProfile || e.Kind == scoring.KindTombstone || e.Kind == scoring.KindErasure}
		types[e.Type] = t
	}
	t.Events++
	if !t.profiles && m.Matches(e) {
		t.Matched++
	}
	if e.Account == "" {
		t.ByDomain++
	}
	if e.Contact == nil || e.Contact.ID == "" && e.Contact.Email == "" {
		t.Nobody++
	}
	if e.Properties == nil {
		return
	}
	for name := range e.Properties.Map() {
		if i, found := slices.BinarySearch(t.Members, name); !found && len(t.Members) < 30 {
			t.Members = slices.Insert(t.Members, i, name)
		}
	}
}

// fitting are the signals whose match.type fits a type.
func fitting(m *scoring.Model, typ string) (out []string) {
	for _, s := range m.Spec().Signals {
		prefix, open := strings.CutSuffix(s.Type, "*")
		if s.Type == typ || open && strings.HasPrefix(typ, prefix) {
			out = append(out, s.Name)
		}
	}
	return out
}
