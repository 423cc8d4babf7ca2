package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"tidemark/pkg/deadletters"
	"tidemark/streams/codec"
)

// shown is text from a header as a terminal may show it.
func shown(text string) string { return deadletters.Printable([]byte(text)) }

// origin is where a letter's original stood, for people.
func origin(l *deadletters.Letter) string {
	if l.Origin.Topic == "" {
		return "?"
	}
	return shown(l.Origin.String())
}

func writeList(w io.Writer, list *deadletters.Listing) error {
	p := &printer{w: w}
	if list.Matching == 0 {
		p.line("no dead letters")
		return p.err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "reason\ttopic\tletters\treplayed\tfrom\tto")
	for _, g := range list.Groups {
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%s\t%s\n", shown(g.Reason), shown(g.Topic), g.Count, g.Replayed, codec.FormatTime(g.First), codec.FormatTime(g.Last))
	}
	if err := table.Flush(); err != nil || len(list.Letters) == 0 {
		return err
	}
	p.line("")
	table = tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "time\toriginal\treason\tattempts\treplayed\tmessage")
	for _, l := range list.Letters {
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%s\n", codec.FormatTime(l.Time), origin(l), shown(l.Reason), l.Attempts, yesNo(l.Replayed), shown(l.Message))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if more := list.Matching - len(list.Letters); more > 0 {
		p.line("earlier ones: %d, see --limit", more)
	}
	return p.err
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func writeLetter(w io.Writer, l *deadletters.Letter) error {
	p := &printer{w: w}
	p.line("letter    %s", l.At)
	p.line("original  %s", origin(l))
	p.line("time      %s", codec.FormatTime(l.Time))
	p.line("reason    %s", shown(l.Reason))
	p.line("message   %s", shown(l.Message))
	p.line("stage     %s", shown(l.Stage))
	p.line("attempts  %d", l.Attempts)
	p.line("replayed  %s", yesNo(l.Replayed))
	if l.Cut != "" {
		p.line("cut       %s", shown(l.Cut))
	}
	if l.Key != nil {
		p.line("key       %s", deadletters.Printable(l.Key))
	}
	for _, h := range l.Headers {
		p.line("header    %s: %s", shown(h.Key), deadletters.Printable(h.Value))
	}
	if l.Value == nil {
		p.line("value     none (a tombstone)\n")
	} else {
		p.line("value     %d bytes\n%s\n", l.Size, deadletters.Printable(l.Value))
	}
	return p.err
}

func writeReport(w io.Writer, r *deadletters.Report, dry bool) error {
	p := &printer{w: w}
	p.line("dead letters that match: %d, replayed before: %d", r.Matching, r.Already)
	for _, f := range r.Refused {
		p.line("cannot be replayed: %d, such as %s: %s", f.Count, f.Example, shown(f.Why))
	}
	for _, warning := range r.Warnings {
		p.line("warning: %s", shown(warning))
	}
	if !dry {
		p.line("replayed now: %d", r.Replayed)
		return p.err
	}
	for _, topic := range slices.Sorted(maps.Keys(r.Topics)) {
		p.line("would be written to %s: %d", shown(topic), r.Topics[topic])
	}
	if r.Planned() == 0 {
		p.line("nothing would be written")
	}
	return p.err
}

// writeJSON writes JSON that a terminal may show: what is not printable stands as
// an escape, as encoding/json does it for ASCII only.
func writeJSON(w io.Writer, v any) error {
	var plain bytes.Buffer
	encoder := json.NewEncoder(&plain)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		return err
	}
	var out bytes.Buffer
	for _, r := range plain.String() {
		if r < 0x7f || unicode.IsPrint(r) {
			out.WriteRune(r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			fmt.Fprintf(&out, `\u%04x`, unit)
		}
	}
	_, err := w.Write(out.Bytes())
	return err
}

type listingJSON struct {
	Matching int          `json:"matching"`
	Summary  []groupJSON  `json:"summary"`
	Letters  []letterJSON `json:"letters"`
}

type groupJSON struct {
	Reason   string `json:"reason"`
	Topic    string `json:"topic"`
	Letters  int    `json:"letters"`
	Replayed int    `json:"replayed"`
	First    string `json:"first"`
	Last     string `json:"last"`
}

type letterJSON struct {
	Letter   string `json:"letter"`
	Original string `json:"original,omitempty"`
	Time     string `json:"time"`
	Reason   string `json:"reason"`
	Message  string `json:"message"`
	Stage    string `json:"stage"`
	Attempts int    `json:"attempts"`
	Replayed bool   `json:"replayed"`
	Cut      string `json:"cut,omitempty"`
	// The rest is shown only of a letter that is asked for. What is not UTF-8 is in
	// the Base64 field.
	Headers []headerJSON `json:"headers,omitempty"`
	Key     *string      `json:"key,omitempty"`
	Key64   []byte       `json:"key_base64,omitempty"`
	Value   *string      `json:"value,omitempty"`
	Value64 []byte       `json:"value_base64,omitempty"`
}

type headerJSON struct {
	Key     string  `json:"key"`
	Value   *string `json:"value,omitempty"`
	Value64 []byte  `json:"value_base64,omitempty"`
}

func listJSON(list *deadletters.Listing) listingJSON {
	out := listingJSON{Matching: list.Matching, Summary: []groupJSON{}, Letters: []letterJSON{}}
	for _, g := range list.Groups {
		out.Summary = append(out.Summary, groupJSON{g.Reason, g.Topic, g.Count, g.Replayed, codec.FormatTime(g.First), codec.FormatTime(g.Last)})
	}
	for _, l := range list.Letters {
		out.Letters = append(out.Letters, headJSON(l))
	}
	return out
}

func headJSON(l *deadletters.Letter) letterJSON {
	out := letterJSON{
		Letter: l.At.String(), Time: codec.FormatTime(l.Time), Reason: l.Reason, Message: l.Message, Stage: l.Stage,
		Attempts: l.Attempts, Replayed: l.Replayed, Cut: l.Cut,
	}
	if l.Origin.Topic != "" {
		out.Original = l.Origin.String()
	}
	return out
}

func wholeJSON(l *deadletters.Letter) letterJSON {
	out := headJSON(l)
	out.Key, out.Key64 = textOrBytes(l.Key)
	out.Value, out.Value64 = textOrBytes(l.Value)
	for _, h := range l.Headers {
		value, bytes := textOrBytes(h.Value)
		out.Headers = append(out.Headers, headerJSON{h.Key, value, bytes})
	}
	return out
}

func textOrBytes(b []byte) (*string, []byte) {
	if b == nil {
		return nil, nil
	}
	if !utf8.Valid(b) {
		return nil, b
	}
	text := string(b)
	return &text, nil
}
