package codec

import (
	"testing"
	"time"
)

func TestInstant(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, want string }{ // want "" refuses
		{"2026-11-02T09:30:00Z", "2026-11-02T09:30:00Z"},
		{"2026-11-02t09:30:00z", "2026-11-02T09:30:00Z"},
		{"2026-11-02T09:30:00.1Z", "2026-11-02T09:30:00.1Z"},
		{"2026-11-02T09:30:00.12Z", "2026-11-02T09:30:00.12Z"},
		{"2026-11-02T09:30:00.1239999999999999999999Z", "2026-11-02T09:30:00.123Z"},
		{"2026-11-02T09:30:00.999999+05:30", "2026-11-02T04:00:00.999Z"},
		{"2026-11-02T00:30:00-23:59", "2026-11-03T00:29:00Z"},
		{"2026-11-02T00:30:00-00:00", "2026-11-02T00:30:00Z"},
		{"1969-12-31T23:59:59.9999Z", "1969-12-31T23:59:59.999Z"},
		{"2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"},
		{"2016-12-31T23:59:60.75Z", "2017-01-01T00:00:00Z"},
		{"2017-01-01T01:59:60+02:00", "2017-01-01T00:00:00Z"},
		{"2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"},
		{"2000-02-29T00:00:00Z", "2000-02-29T00:00:00Z"},
		{"0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"},
		{"0000-02-29T00:00:00Z", "0000-02-29T00:00:00Z"},
		{"9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"},
		{"2023-02-29T00:00:00Z", ""},
		{"1900-02-29T00:00:00Z", ""},
		{"2026-04-31T00:00:00Z", ""},
		{"2026-00-01T00:00:00Z", ""},
		{"2026-13-01T00:00:00Z", ""},
		{"2026-01-00T00:00:00Z", ""},
		{"2026-01-01T24:00:00Z", ""},
		{"2026-01-01T23:60:00Z", ""},
		{"2026-01-01T23:00:61Z", ""},
		{"2026-01-01T23:00:00", ""},
		{"2026-01-01T23:00:00.Z", ""},
		{"2026-01-01T23:00:00,5Z", ""},
		{"2026-01-01T23:00:00.5", ""},
		{"2026-01-01T23:00:00+24:00", ""},
		{"2026-01-01T23:00:00+01:60", ""},
		{"2026-01-01T23:00:00+0100", ""},
		{"2026-01-01T23:00:00+01", ""},
		{"2026-01-01T23:00:00ZZ", ""},
		{"2026-01-01T23:00:00Z ", ""},
		{" 2026-01-01T23:00:00Z", ""},
		{"2026-01-01 23:00:00Z", ""},
		{"2026-1-01T23:00:000Z", ""},
		{"+026-01-01T23:00:00Z", ""},
		{"20é6-01-01T23:00:0Z", ""},
		{"2026-01-01T23:00Z", ""},
		{"20260101T230000Z", ""},
		{"2026-01-01", ""},
		{"", ""},
	}
	for _, tt := range tests {
		got, ok := parseInstant([]byte(tt.text))
		if ok != (tt.want != "") {
			t.Errorf("%q: got %v, want %q", tt.text, ok, tt.want)
			continue
		}
		if !ok {
			continue
		}
		want, err := time.Parse(time.RFC3339Nano, tt.want)
		if err != nil {
			t.Fatal(err)
		}
		if got != want.UnixMilli() {
			t.Errorf("%q: got %s, want %s", tt.text, time.UnixMilli(got).UTC(), want)
		}
	}
}

// TestInstantEveryDay walks the days of a whole cycle of the calendar, 400 years,
// and those of the first years that RFC 3339 can write.
func TestInstantEveryDay(t *testing.T) {
	t.Parallel()
	buffer := make([]byte, 0, 32)
	for _, years := range [][2]int{{0, 10}, {1800, 2200}} {
		end := time.Date(years[1], 1, 1, 0, 0, 0, 0, time.UTC)
		for day := time.Date(years[0], 1, 1, 7, 8, 9, 0, time.UTC); day.Before(end); day = day.AddDate(0, 0, 1) {
			buffer = day.AppendFormat(buffer[:0], time.RFC3339)
			if got, ok := parseInstant(buffer); !ok || got != day.UnixMilli() {
				t.Fatalf("%s: got %d, %v, want %d", buffer, got, ok, day.UnixMilli())
			}
		}
	}
}

// FuzzInstant holds the parser against time.Parse, which takes a little more.
func FuzzInstant(f *testing.F) {
	for _, seed := range []string{"2026-11-02T09:30:00.123Z", "2026-11-02T09:30:00+05:30", "1969-12-31T23:59:59.9999-00:01", "2016-12-31T23:59:60Z"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := parseInstant([]byte(text))
		if !ok {
			return
		}
		upper := []byte(text)
		upper[10], upper[len(upper)-1] = 'T', upper[len(upper)-1]&^byte(0x20*b2i(upper[len(upper)-1] == 'z'))
		leap := text[17:19] == "60"
		if leap {
			upper = append(append(append([]byte{}, upper[:17]...), "59"...), upper[19:]...)
		}
		want, err := time.Parse(time.RFC3339Nano, string(upper))
		if err != nil {
			t.Fatalf("%q was read, time.Parse says %v", text, err)
		}
		ms := want.Unix()*1000 + int64(want.Nanosecond())/1e6
		if leap {
			ms = (want.Unix() + 1) * 1000
		}
		if got != ms {
			t.Fatalf("%q: got %d, want %d", text, got, ms)
		}
	})
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
