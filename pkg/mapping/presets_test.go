package mapping_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tidemark/pkg/mapping"
	"tidemark/scoring"
	"tidemark/streams/codec"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the golden files")

var clock = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC).UnixMilli()

// decoder reads the topic "rows" by a mapping.
func decoder(m *mapping.Mapping) *codec.Decoder {
	return codec.New(codec.Rules{
		Now: func() int64 { return clock }, Formats: map[string]codec.Format{"rows": codec.Mapping(m)},
		Reads: func(string) (properties, fields bool) { return true, true },
	})
}

// written is what became of a record, for people.
func written(t *testing.T, events []*scoring.Event, faults []*codec.Bad) string {
	t.Helper()
	var out strings.Builder
	for _, e := range events {
		who := e.Account
		if who == "" {
			who = "@" + e.Domain
		}
		fmt.Fprintf(&out, "  %s %s of %s at %s, %s of %s", map[scoring.Kind]string{
			scoring.KindEvent: "event", scoring.KindProfile: "profile", scoring.KindTombstone: "end", scoring.KindErasure: "erasure",
		}[e.Kind], e.Type, who, time.UnixMilli(e.Time).UTC().Format(time.RFC3339Nano), e.ID, e.Source)
		if e.Kind == scoring.KindEvent {
			fmt.Fprintf(&out, ", strength %v", e.Strength)
		}
		for name, part := range map[string]any{"properties": e.Properties} {
			if e.Properties != nil {
				fmt.Fprintf(&out, "\n    %s %s", name, asJSON(t, part))
			}
		}
		if e.Contact != nil {
			fmt.Fprintf(&out, "\n    contact %s", asJSON(t, e.Contact.Fields))
		}
		if e.Profile != nil {
			fmt.Fprintf(&out, "\n    profile %s", asJSON(t, e.Profile))
		}
		out.WriteByte('\n')
	}
	for _, f := range faults {
		fmt.Fprintf(&out, "  dead letter %s: %s\n", f.Reason, f.Message)
	}
	if len(events)+len(faults) == 0 {
		return "  nothing\n"
	}
	return out.String()
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// The presets do what their golden files say with payloads such as they are for.
func TestPresets(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("../../configs/mappings/*.yaml")
	if err != nil || len(paths) != 4 {
		t.Fatalf("got presets %v, %v", paths, err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			m, err := mapping.Load(path)
			if err != nil {
				t.Fatal(err)
			}
			base := filepath.Join(filepath.Dir(path), "testdata", strings.TrimSuffix(filepath.Base(path), ".yaml"))
			payloads, err := os.ReadFile(base + ".jsonl")
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			for line := range bytes.Lines(payloads) {
				line = bytes.TrimSpace(line)
				events, faults := decoder(m).Decode(&codec.Record{Topic: "rows", Value: line})
				fmt.Fprintf(&out, "%s\n%s", line, written(t, events, faults))
			}
			compare(t, base+".txt", out.String())
		})
	}
}

func compare(t *testing.T, golden, got string) {
	t.Helper()
	if *rewrite {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", golden, got, want)
	}
}
