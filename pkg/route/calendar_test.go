package route

import (
	"testing"
	"time"
)

func newCalendar(t *testing.T, zone, hours string) *calendar {
	t.Helper()
	c := &calendar{always: hours == "", holidays: map[string]bool{}}
	var err error
	if c.zone, err = time.LoadLocation(zone); err != nil {
		t.Fatal(err)
	}
	spans, err := parseHours(hours)
	for d := 1; d <= 5 && hours != ""; d++ {
		if err != nil {
			t.Fatal(err)
		}
		c.hours[d] = spans
	}
	return c
}

func at(t *testing.T, text string) int64 {
	t.Helper()
	v, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return v.UnixMilli()
}

const oneHour = int64(time.Hour / time.Millisecond)

// Berlin leaves summer time on 25 October 2026 and enters it on 29 March 2026; both
// are Sundays. Cairo's clocks go forward at midnight.
func TestWorkingTime(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, zone, hours, from string
		length                  int64
		want                    string
	}{
		{"within a day", "Europe/Berlin", "09:00-17:00", "2026-10-20T08:00:00Z", 2 * oneHour, "2026-10-20T10:00:00Z"},
		{"to the day's very end", "Europe/Berlin", "09:00-17:00", "2026-10-20T07:00:00Z", 8 * oneHour, "2026-10-20T15:00:00Z"},
		{"over lunch", "Europe/Berlin", "09:00-12:00, 13:00-17:00", "2026-10-20T09:30:00Z", oneHour, "2026-10-20T11:30:00Z"},
		{"over a weekend that ends summer time", "Europe/Berlin", "09:00-17:00", "2026-10-23T14:00:00Z", 2 * oneHour, "2026-10-26T09:00:00Z"},
		{"over a weekend that begins it", "Europe/Berlin", "09:00-17:00", "2026-03-27T15:00:00Z", 2 * oneHour, "2026-03-30T08:00:00Z"},
		{"from a night", "America/New_York", "09:00-17:00", "2026-10-20T03:00:00Z", oneHour, "2026-10-20T14:00:00Z"},
		{"always, over a change of clocks", "Europe/Berlin", "", "2026-10-24T22:00:00Z", 24 * oneHour, "2026-10-25T22:00:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := newCalendar(t, c.zone, c.hours).after(at(t, c.from), c.length); got != at(t, c.want) {
				t.Errorf("got %s, want %s", time.UnixMilli(got).UTC(), c.want)
			}
		})
	}
}

func TestNextOpening(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, zone, hours, after, want string }{
		{"the same morning", "Europe/Berlin", "09:00-17:00", "2026-10-20T05:00:00Z", "2026-10-20T07:00:00Z"},
		{"not the present one", "Europe/Berlin", "09:00-17:00", "2026-10-20T07:00:00Z", "2026-10-21T07:00:00Z"},
		{"Monday, in winter", "Europe/Berlin", "09:00-17:00", "2026-10-23T16:00:00Z", "2026-10-26T08:00:00Z"},
		{"midnight, for who always works", "Europe/Berlin", "", "2026-10-24T12:00:00Z", "2026-10-24T22:00:00Z"},
		{"a midnight that there is not", "Africa/Cairo", "", "2026-04-23T12:00:00Z", "2026-04-23T22:00:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cal := newCalendar(t, c.zone, c.hours)
			got := cal.next(at(t, c.after))
			if got != at(t, c.want) {
				t.Errorf("got %s, want %s", time.UnixMilli(got).UTC(), c.want)
			}
			if !cal.open(got) || cal.day(got) == cal.day(got-1) && c.hours == "" {
				t.Errorf("%s is not the beginning of a period", time.UnixMilli(got).UTC())
			}
		})
	}
}

func TestHolidaysAreFree(t *testing.T) {
	t.Parallel()
	c := newCalendar(t, "Europe/Berlin", "09:00-17:00")
	c.holidays["2026-10-21"] = true
	if got, want := c.after(at(t, "2026-10-20T14:00:00Z"), 2*oneHour), at(t, "2026-10-22T08:00:00Z"); got != want {
		t.Errorf("got %s", time.UnixMilli(got).UTC())
	}
	for d := range c.hours { // nobody ever works
		c.hours[d] = nil
	}
	if from := at(t, "2026-10-20T14:00:00Z"); c.next(from) <= from || c.after(from, 1) <= from {
		t.Error("without hours, the next opening is not in the future")
	}
}
