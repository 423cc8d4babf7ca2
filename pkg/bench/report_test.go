package bench

import (
	"bufio"
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestFiguresAreMedians(t *testing.T) {
	t.Parallel()
	var r Report
	for _, v := range []float64{30, 10, 20} {
		r.add("s", "odd", "ms", v)
	}
	r.add("s", "even", "ms", 1)
	r.add("s", "even", "ms", 2)
	r.addQuantiles("s", "odd", histogram{time.Millisecond})
	r.add("t", "x", "", 1)
	r.add("s", "later", "", 1)
	if i := len(r.Figures) - 2; r.Figures[i].Name != "later" || r.Figures[i+1].Section != "t" {
		t.Errorf("a section's figures are not together: %+v", r.Figures)
	}
	if f := r.Figures[0]; f.Value != 20 || len(f.Runs) != 3 {
		t.Errorf("got %+v, want the median 20 of 3 runs", f)
	}
	if f := r.Figures[1]; f.Value != 1.5 {
		t.Errorf("got %+v, want 1.5", f)
	}
	if r.latest("s", "odd") != 20 || r.latest("s", "none") != 0 {
		t.Errorf("latest: got %v and %v", r.latest("s", "odd"), r.latest("s", "none"))
	}
	if len(r.Figures) != 4+len(quantiles) {
		t.Errorf("got %d figures: %+v", len(r.Figures), r.Figures)
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	r := Report{Workload: small(), Model: "bench", Machine: Machine{2, "linux", "amd64", "go1"}}
	for _, v := range []float64{512345, 498765} {
		r.add("catch-up", "floor before", "events/s", v)
		r.addQuantiles("latency", "input", histogram{time.Duration(v) * time.Microsecond})
	}
	r.note("busy")
	r.note("busy")
	var out bytes.Buffer
	if err := r.Write(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"20000 events, 2000 accounts, Zipf 1.05", "catch-up │ floor before", " 505,555 │ events/s │ 512,345   498,765",
		"input, p50 / p99 / p99.9 / max", "506 / 506 / 506 / 506", "note: busy",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if strings.Count(out.String(), "busy") != 1 {
		t.Error("a note came twice")
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{
		0: "0", 7: "7", 0.45678: "0.457", 0.0123456: "0.0123", 12.3456: "12.35", 123.456: "123", 1234567.8: "1,234,568", -1500: "-1,500", 999: "999",
	} {
		if got := number(v); got != want {
			t.Errorf("number(%v): got %s, want %s", v, got, want)
		}
	}
}

func TestMetricsOfOneNameAddUp(t *testing.T) {
	t.Parallel()
	text := "# HELP x y\n# TYPE x counter\nx{effect=\"a b\"} 2\nx{effect=\"c\"} 1.5e3\ngo_memstats_mallocs_total 7\n\n"
	got, err := parseMetrics(bufio.NewScanner(strings.NewReader(text)))
	if err != nil || got["x"] != 1502 || got[metricMallocs] != 7 || got[`x{effect="c"}`] != 1500 {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := parseMetrics(bufio.NewScanner(strings.NewReader("x y\n"))); err == nil {
		t.Error("a value that is no number is no error")
	}
}

func TestDifferencesOfHistories(t *testing.T) {
	t.Parallel()
	until := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	of := func(values ...string) *history {
		h := &history{until: until, seen: map[string]uint64{}}
		for _, v := range values {
			if err := h.add([]byte(v)); err != nil {
				t.Fatal(err)
			}
		}
		return h
	}
	const one, other, two = `{"id":"a/1","time":"2026-10-01T00:00:00Z"}`, `{"id":"a/1","time":"2026-10-02T00:00:00Z"}`, `{"id":"a/2","time":"2026-10-03T00:00:00Z"}`
	const later = `{"id":"a/3","time":"2026-11-02T00:00:00Z"}`
	for _, c := range []struct {
		name string
		a, b *history
		want int
	}{
		{"the same", of(one, two), of(two, one), 0},
		{"a repeat", of(one, two, one), of(one, two), 0},
		{"after the end", of(one), of(one, later), 0},
		{"one is missing", of(one, two), of(one), 1},
		{"one is too much", of(one), of(one, two), 1},
		{"other bytes", of(one, two), of(other, two), 1},
		{"two meanings", of(one, other), of(other), 1},
	} {
		if got := c.a.differences(c.b); len(got) != c.want {
			t.Errorf("%s: got %v, want %d", c.name, got, c.want)
		}
	}
}
