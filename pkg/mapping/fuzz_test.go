package mapping_test

import (
	"math"
	"slices"
	"testing"
	"unicode/utf8"

	"tidemark/pkg/mapping"
	"tidemark/streams/codec"
)

// obeys checks what comes of a message.
func obeys(t *testing.T, d *codec.Decoder, value []byte) {
	t.Helper()
	events, faults := d.Decode(&codec.Record{Topic: "rows", Time: clock, Value: value})
	for _, e := range events {
		if e.ID == "" || e.Source == "" || e.Type == "" || (e.Account == "") == (e.Domain == "") || math.IsNaN(e.Strength) || e.Strength < 0 || e.Strength > 10 ||
			e.Time > clock+codec.DefaultFutureTolerance || !utf8.ValidString(e.ID) {
			t.Fatalf("got %+v of %q", e, value)
		}
	}
	for _, f := range faults {
		if !slices.Contains(codec.Reasons(), f.Reason) || f.Message == "" || !utf8.ValidString(f.Message) || f.Place != codec.PlaceIn(f.Message) {
			t.Fatalf("got %+v of %q", f, value)
		}
	}
}

// FuzzMessages looks for a message that the presets make something impossible of.
func FuzzMessages(f *testing.F) {
	var decoders []*codec.Decoder
	for _, name := range []string{"bombora-surge", "g2-buyer-intent", "hubspot-engagement", "reverse-etl-accounts"} {
		m, err := mapping.Load("../../configs/mappings/" + name + ".yaml")
		if err != nil {
			f.Fatal(err)
		}
		decoders = append(decoders, decoder(m))
	}
	decoders = append(decoders, decoder(parse(f, several)))
	f.Add([]byte(usualRow))
	f.Add([]byte(`{"rows":[{"ok":true,"id":1,"composite_score":61,"domain":"a.b","topic_id":1,"week":"2026-10-26"},null,[],"x"]}`))
	f.Add([]byte(`{"id":1,"created":1e308,"type":"OPEN","recipient":"a@b.example","portalId":-0.0}`))
	f.Add([]byte(`{"operation":"added","account_id":"a","updated_at":"2026-10-26T00:00:00Z","domains":["x.example"],"a":[1]}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		for _, d := range decoders {
			obeys(t, d, value)
		}
	})
}

// FuzzExpressions looks for an expression that panics, does not end or gives something
// impossible.
func FuzzExpressions(f *testing.F) {
	for _, seed := range []string{
		`row.id`, `hash(row.id, row.n)`, `day("2026-11-02")`, `map(row.list, #)`, `filter(1..9, # > 3)[0]`, `row.o?.x ?? "a"`, `let x = row.n; x * 2`,
		`pick(row, "id").id`, `without(row, "id")`, `fromJSON("[1]")[0]`, `row matches "a+"`, `{"a": row}.a.id`, `row.email[0:3]`, `sum(row.list)`, `date("2026-11-02")`,
		`sortBy(row.list, #)`, `groupBy(row.list, #)`, `host(row.url)`, `int("9223372036854775808")`, `-row.big`, `duration("1h")`, `$env.row`, `1..10000000`,
	} {
		f.Add(seed, "id")
		f.Add(seed, "properties")
		f.Add(seed, "time")
	}
	f.Fuzz(func(t *testing.T, expression, key string) {
		m, err := mapping.Parse("m.yaml", []byte(usual(key, expression)))
		if err != nil {
			return
		}
		obeys(t, decoder(m), []byte(usualRow))
	})
}
