package mapping_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tidemark/pkg/mapping"
	"tidemark/pkg/modelfile"
	"tidemark/pkg/offline"
	"tidemark/scoring"
	"tidemark/streams/codec"
)

// deed is what happens in the week, in no format yet.
type deed struct {
	number         int
	at             time.Time
	what           string // page, deed or firm
	name           string // of a deed
	firm           string // empty: by the address of who did it
	who, mail, job string
	path           string
	seats          int
	facts          map[string]any
	sites          []string
}

// week is a believable one: five firms and their people look around, some in
// earnest, some for a job.
func week() []deed {
	r := rand.New(rand.NewPCG(7, 2026))
	begin := time.Date(2026, 10, 26, 0, 0, 0, 0, time.UTC)
	firms := []string{"acme.example", "birch.example", "cedar.example", "delta.example", "elm.example"}
	jobs := []string{"VP Engineering", "Marketing Manager", "Software Engineer", "Head of Marketing", ""}
	paths := []string{"/", "/docs", "/pricing", "/pricing/enterprise", "/careers", "/blog/größe"}
	var out []deed
	at := begin
	for n := 0; at.Before(begin.AddDate(0, 0, 7)); n++ {
		firm := firms[int(float64(len(firms))*r.Float64()*r.Float64())]
		person := r.IntN(4)
		d := deed{
			number: n, at: at, what: "page", firm: firm, path: paths[r.IntN(len(paths))],
			who: fmt.Sprintf("%s-%d", firm[:1], person), mail: fmt.Sprintf("p%d@mail.%s", person, firm), job: jobs[(person+len(firm))%len(jobs)],
		}
		switch roll := r.IntN(100); {
		case n < len(firms) || roll < 2:
			d = deed{number: n, at: at, what: "firm", firm: firms[n%len(firms)], sites: []string{"mail." + firms[n%len(firms)]}, facts: map[string]any{
				"industry": []string{"fintech", "retail"}[r.IntN(2)], "employees": 30 + r.IntN(300), "technologies": []string{"salesforce", "sap"}[:1+r.IntN(2)],
			}}
		case roll < 12:
			d.what, d.name, d.seats = "deed", []string{"Demo Requested", "Webinar Attended", "ROI Calculated"}[r.IntN(3)], r.IntN(40)
		}
		if d.what != "firm" && r.IntN(3) == 0 {
			d.firm = ""
		}
		out = append(out, d)
		at = at.Add(time.Duration(r.ExpFloat64() * float64(20*time.Minute))).Truncate(time.Millisecond)
		if at.Before(begin.Add(time.Duration(n) * time.Millisecond)) {
			at = at.Add(time.Millisecond)
		}
	}
	return out
}

func text(at time.Time) string { return at.Format(time.RFC3339Nano) }

func object(t testing.TB, pairs ...any) string {
	t.Helper()
	out := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		switch v := pairs[i+1].(type) {
		case string:
			if v == "" {
				continue
			}
		case json.RawMessage:
			if len(v) == 0 || string(v) == "{}" {
				continue
			}
		}
		out[pairs[i].(string)] = pairs[i+1]
	}
	text, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (d *deed) typ() string {
	switch d.what {
	case "firm":
		return "account.profile"
	case "page":
		return "segment.page"
	}
	return "segment.track." + strings.ReplaceAll(strings.ToLower(d.name), " ", "_")
}

func (d *deed) data(t testing.TB) string {
	if d.what == "firm" {
		return object(t, "attributes", d.facts, "domains", d.sites)
	}
	return object(t, "contact", json.RawMessage(object(t, "id", d.who, "email", d.mail, "title", d.job)),
		"properties", json.RawMessage(object(t, "path", d.path, "seats", d.seats)))
}

func (d *deed) structured(t testing.TB) string {
	return object(t, "specversion", "1.0", "id", fmt.Sprint(d.number), "source", "week", "type", d.typ(), "time", text(d.at), "subject", d.firm, "data", json.RawMessage(d.data(t)))
}

func (d *deed) binary(t testing.TB) *codec.Record {
	r := &codec.Record{Value: []byte(d.data(t))}
	for _, h := range [][2]string{
		{"ce_specversion", "1.0"},
		{"ce_id", fmt.Sprint(d.number)},
		{"ce_source", "week"},
		{"ce_type", d.typ()},
		{"ce_time", text(d.at)},
		{"ce_subject", d.firm},
	} {
		if h[1] != "" {
			r.Headers = append(r.Headers, codec.Header{Key: h[0], Value: []byte(h[1])})
		}
	}
	return r
}

// segment is the deed as a call. The client's clock is wrong in some, which what was
// sent and received when makes good.
func (d *deed) segment(t testing.TB) string {
	skew := time.Duration(d.number%7) * time.Hour
	times := []any{"timestamp", text(d.at)}
	if d.number%3 == 0 {
		times = []any{"originalTimestamp", text(d.at.Add(skew)), "sentAt", text(d.at.Add(skew + time.Second)), "receivedAt", text(d.at.Add(time.Second))}
	}
	if d.what == "firm" {
		facts := map[string]any{"domain": d.sites}
		for key, value := range d.facts {
			facts[key] = value
		}
		return object(t, append(times, "type", "group", "messageId", fmt.Sprint(d.number), "groupId", d.firm, "traits", facts)...)
	}
	context := object(t, "groupId", d.firm, "traits", json.RawMessage(object(t, "email", d.mail, "title", d.job)), "page", map[string]string{"path": d.path})
	kind := map[string]string{"page": "page", "deed": "track"}[d.what]
	return object(t, append(times, "type", kind, "event", d.name, "messageId", fmt.Sprint(d.number), "userId", d.who, "anonymousId", "cookie",
		"context", json.RawMessage(context), "properties", map[string]any{"seats": d.seats})...)
}

func (d *deed) row(t testing.TB) string {
	return object(t, "what", d.what, "no", d.number, "at", d.at.UnixMicro()+int64(d.number%999), "firm", d.firm, "name", d.name, "url_path", d.path, "seats", d.seats,
		"who", json.RawMessage(object(t, "key", d.who, "mail", d.mail, "job", d.job)), "facts", d.facts, "sites", d.sites)
}

// records are the deeds in a format.
func records(t testing.TB, format string, deeds []deed) (out []*codec.Record) {
	together := func(form func(*deed) string, before, after string, headers ...codec.Header) {
		for n := 0; len(deeds) > 0; n++ {
			parts := make([]string, min(1+n%7, len(deeds)))
			for i := range parts {
				parts[i] = form(&deeds[i])
			}
			deeds = deeds[len(parts):]
			out = append(out, &codec.Record{Topic: format, Value: []byte(before + strings.Join(parts, ",") + after), Headers: headers})
		}
	}
	switch format {
	case "structured":
		for i := range deeds {
			out = append(out, &codec.Record{Topic: format, Value: []byte(deeds[i].structured(t))})
		}
	case "binary":
		for i := range deeds {
			out = append(out, deeds[i].binary(t))
		}
	case "batch":
		together(func(d *deed) string { return d.structured(t) }, "[", "]", codec.Header{Key: "content-type", Value: []byte("application/cloudevents-batch+json")})
	case "segment":
		for i := range deeds {
			out = append(out, &codec.Record{Topic: format, Value: []byte(deeds[i].segment(t))})
		}
	case "segment-batch":
		together(func(d *deed) string { return d.segment(t) }, `{"batch":[`, `]}`)
	case "mapped":
		together(func(d *deed) string { return d.row(t) }, `{"rows":[`, `]}`)
	}
	return out
}

// lines keeps what tier changes say, but for the source of what caused them.
type lines struct{}

func (lines) Change(account string, c *scoring.Crossing) ([]byte, error) {
	return fmt.Appendf(nil, "%s %s/%d %s→%s %.9f %s", text(time.UnixMilli(c.At).UTC()), account, c.Seq, c.From, c.To, c.Score, c.Cause.ID), nil
}

// history is what comes of records: tier changes, then scores.
func history(t *testing.T, m *scoring.Model, d *codec.Decoder, records []*codec.Record) string {
	t.Helper()
	spool, err := os.Create(filepath.Join(t.TempDir(), "spool"))
	if err != nil {
		t.Fatal(err)
	}
	defer spool.Close() //nolint:errcheck // nothing is kept in it
	run := offline.New(m, time.Date(2026, 11, 12, 0, 0, 0, 0, time.UTC).UnixMilli(), lines{}, spool)
	for _, r := range records {
		events, faults := d.Decode(r)
		if len(faults) > 0 {
			t.Fatalf("%v of %s", faults[0], r.Value)
		}
		for _, e := range events {
			if err := run.Event(e); err != nil {
				t.Fatal(err)
			}
		}
	}
	var out bytes.Buffer
	tally, err := run.Finish(
		func(line []byte) error { fmt.Fprintf(&out, "%s\n", line); return nil },
		func(s offline.Score) error {
			fmt.Fprintf(&out, "%s %s %.9f %d %d\n", s.Account, s.Tier, s.Score, s.Seq, s.Clock)
			return nil
		},
	)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&out, "%+v\n", tally)
	return out.String()
}

func weekModel(t testing.TB) *scoring.Model {
	t.Helper()
	file, err := modelfile.Load("testdata/week/model.yaml")
	if err != nil {
		t.Fatal(err)
	}
	m, err := scoring.Compile(file.Spec, file.Hash, modelfile.Conditions(), scoring.NewNames(file.Spec.Names()))
	if err != nil {
		t.Fatal(file.Explain(err))
	}
	return m
}

func weekDecoder(t testing.TB, m *scoring.Model) *codec.Decoder {
	t.Helper()
	rows, err := mapping.Load("testdata/week/mapping.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return codec.New(codec.Rules{Reads: m.Reads, Formats: map[string]codec.Format{
		"segment": codec.Segment(), "segment-batch": codec.Segment(), "mapped": codec.Mapping(rows),
	}})
}

// The same week in every format gives the same tier changes and scores.
func TestAWeekIsTheSameInEveryFormat(t *testing.T) {
	t.Parallel()
	m := weekModel(t)
	d := weekDecoder(t, m)
	deeds := week()
	want := history(t, m, d, records(t, "structured", deeds))
	if n := strings.Count(want, "→"); n < 20 || len(deeds) < 400 {
		t.Fatalf("%d deeds give %d tier changes: not much of a week\n%s", len(deeds), n, want)
	}
	for _, format := range []string{"binary", "batch", "segment", "segment-batch", "mapped"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			got := history(t, m, d, records(t, format, deeds))
			if got != want {
				t.Errorf("%s", difference(got, want))
			}
		})
	}
}

func difference(got, want string) string {
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("line %d: got\n%s\nwant\n%s", i+1, a[i], b[i])
		}
	}
	return fmt.Sprintf("got %d lines, want %d", len(a), len(b))
}

// What a format costs per event, beside encoding/json into a map of the same bytes.
func BenchmarkFormats(b *testing.B) {
	m := weekModel(b)
	d := weekDecoder(b, m)
	deeds := week()
	for _, format := range []string{"structured", "binary", "batch", "segment", "segment-batch", "mapped"} {
		all := records(b, format, deeds)
		b.Run(format+"/codec", func(b *testing.B) {
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				for _, r := range all {
					if _, faults := d.Decode(r); faults != nil {
						b.Fatal(faults[0])
					}
				}
			}
			perEvent(b, len(deeds))
		})
		b.Run(format+"/encoding-json", func(b *testing.B) {
			for b.Loop() {
				for _, r := range all {
					var into any
					if err := json.Unmarshal(r.Value, &into); err != nil {
						b.Fatal(err)
					}
				}
			}
			perEvent(b, len(deeds))
		})
	}
}

func perEvent(b *testing.B, events int) {
	b.Helper()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*events), "ns/event")
}
