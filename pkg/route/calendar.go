package route

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // zones must not depend on the host
)

// calendar is where and when people work. Instants are Unix milliseconds; days are
// those of its zone, of 23 to 25 hours.
type calendar struct {
	zone     *time.Location
	always   bool      // no hours are given
	hours    [7][]span // by weekday, in order, apart from one another
	holidays map[string]bool
}

// span is a part of a day, in minutes since midnight by the wall clock.
type span struct{ from, to int }

// period is a working period between two instants.
type period struct{ from, to int64 }

// day is the local date of an instant.
func (c *calendar) day(at int64) string { return time.UnixMilli(at).In(c.zone).Format(time.DateOnly) }

// open reports whether people work at the instant.
func (c *calendar) open(at int64) bool {
	return slices.ContainsFunc(c.periods(time.UnixMilli(at).In(c.zone)), func(p period) bool { return p.from <= at && at < p.to })
}

// periods are the working periods of the local day of t, in order.
func (c *calendar) periods(t time.Time) []period {
	y, m, d := t.Date()
	at := func(minute int) int64 { return c.at(y, m, d, minute) }
	if c.holidays[t.Format(time.DateOnly)] {
		return nil
	}
	if c.always {
		return []period{{at(0), at(24 * 60)}}
	}
	var out []period
	for _, s := range c.hours[t.Weekday()] {
		if p := (period{at(s.from), at(s.to)}); p.from < p.to {
			out = append(out, p)
		}
	}
	return out
}

// at is the instant of a wall clock time. One that a change of clocks leaves out is
// the instant of the change.
func (c *calendar) at(y int, m time.Month, d, minute int) int64 {
	t := time.Date(y, m, d, 0, minute, 0, 0, c.zone)
	_, offset := t.Zone()
	wall := t.Add(time.Duration(offset) * time.Second).UnixMilli()
	return t.UnixMilli() + max(time.Date(y, m, d, 0, minute, 0, 0, time.UTC).UnixMilli()-wall, 0)
}

// farthest bounds the search for the next working period, in days: holidays may fill
// more than a year, but not two.
const farthest = 800

// walk calls visit with the working periods from the day of an instant on, until it
// returns false.
func (c *calendar) walk(from int64, visit func(period) bool) {
	y, m, d := time.UnixMilli(from).In(c.zone).Date()
	for n := range farthest {
		// Noon is in the day whatever the clocks do.
		for _, p := range c.periods(time.Date(y, m, d+n, 12, 0, 0, 0, c.zone)) {
			if !visit(p) {
				return
			}
		}
	}
}

// next is the first beginning of a working period after an instant. Where none comes
// within two years it is so far away.
func (c *calendar) next(after int64) int64 {
	found := after + farthest*24*60*60*1000
	c.walk(after, func(p period) bool {
		if p.from > after {
			found = p.from
		}
		return p.from <= after
	})
	return found
}

// after is the instant at which so much working time has passed since another.
func (c *calendar) after(from, length int64) int64 {
	if c.always && len(c.holidays) == 0 {
		return from + length
	}
	end := from + farthest*24*60*60*1000
	c.walk(from, func(p period) bool {
		begin := max(p.from, from)
		if begin >= p.to {
			return true
		}
		if length <= p.to-begin {
			end = begin + length
			return false
		}
		length -= p.to - begin
		return true
	})
	return end
}

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// parseDays reads mon, or mon-fri.
func parseDays(text string) ([]int, error) {
	first, last, ranged := strings.Cut(text, "-")
	if !ranged {
		last = first
	}
	from, to := slices.Index(weekdays, first), slices.Index(weekdays, last)
	if from < 0 || to < 0 {
		return nil, fmt.Errorf("%q is neither a day such as mon nor a range such as mon-fri", text)
	}
	out := []int{from}
	for d := from; d != to; {
		d = (d + 1) % 7
		out = append(out, d)
	}
	return out, nil
}

// parseHours reads 09:00-12:00, 13:00-17:30.
func parseHours(text string) ([]span, error) {
	var out []span
	for part := range strings.SplitSeq(text, ",") {
		first, last, ranged := strings.Cut(strings.TrimSpace(part), "-")
		from, err := parseMinute(first)
		to, err2 := parseMinute(last)
		if errors.Join(err, err2) != nil || !ranged {
			return nil, fmt.Errorf("%q is not hours such as 09:00-17:30 or 09:00-12:00, 13:00-17:30", text)
		}
		if from >= to || len(out) > 0 && out[len(out)-1].to > from {
			return nil, fmt.Errorf("%q: each part must end after it begins, and begin after the one before it", text)
		}
		out = append(out, span{from, to})
	}
	return out, nil
}

func parseMinute(text string) (int, error) {
	if text == "24:00" {
		return 24 * 60, nil
	}
	t, err := time.Parse("15:04", text)
	return t.Hour()*60 + t.Minute(), err
}
