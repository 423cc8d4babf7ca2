package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// lineWriter passes on whole lines. It never blocks for long: the test reads.
type lineWriter struct {
	rest  []byte
	lines chan string
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	for {
		end := bytes.IndexByte(w.rest, '\n')
		if end < 0 {
			return len(p), nil
		}
		w.lines <- string(w.rest[:end])
		w.rest = w.rest[end+1:]
	}
}

// TestDemoShowsTiersRiseAndFall is not parallel: it looks for goroutines left.
func TestDemoShowsTiersRiseAndFall(t *testing.T) {
	before := goleak.IgnoreCurrent()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	out, errs := &lineWriter{lines: make(chan string, 100_000)}, &bytes.Buffer{}
	exit := make(chan int, 1)
	go func() {
		exit <- run(&streams{ctx: ctx, in: strings.NewReader(""), out: out, err: errs}, []string{"demo", "--speed", "96h", "--firms", "40"})
		close(out.lines)
	}()
	var all []string
	missing := []string{"kcat -b 127.0.0.1:", "redis-cli -h 127.0.0.1 -p ", "accounts explain ", "▲ B → A MQA", "pricing page by ", "decay, after "}
	for line := range out.lines {
		all = append(all, line)
		var still []string
		for _, want := range missing {
			if !strings.Contains(line, want) {
				still = append(still, want)
			}
		}
		if missing = still; len(missing) == 0 {
			break
		}
	}
	cancel()
	var last string
	for line := range out.lines {
		last = line
	}
	if code := <-exit; code != exitDone {
		t.Errorf("exit code %d, want %d: %s", code, exitDone, errs)
	}
	if len(missing) > 0 {
		t.Errorf("never saw %q in\n%s\n%s", missing, strings.Join(all, "\n"), errs)
	}
	if !strings.HasPrefix(last, "Stopped after ") {
		t.Errorf("the last line is %q", last)
	}
	goleak.VerifyNone(t, before)
}

func TestDemoRefusesBadFlags(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--speed", "1ms"}, {"--firms", "0"}, {"--for", "-1s"}, {"--http", "nowhere"}} {
		var out, errs bytes.Buffer
		code := run(&streams{ctx: t.Context(), in: strings.NewReader(""), out: &out, err: &errs}, append([]string{"demo"}, args...))
		if code != exitUsage || !strings.Contains(errs.String(), strings.TrimPrefix(args[0], "--")) {
			t.Errorf("%v: exit code %d, %q; want %d and the flag's name", args, code, errs.String(), exitUsage)
		}
	}
}

func TestMonday(t *testing.T) {
	t.Parallel()
	want := time.Date(2026, 11, 16, 0, 0, 0, 0, time.UTC)
	for day := range 7 {
		if got := monday(want.AddDate(0, 0, day).Add(13 * time.Hour)); !got.Equal(want) {
			t.Errorf("day %d: got %v, want %v", day, got, want)
		}
	}
}

func TestShort(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		6 * time.Hour: "6h", 90 * time.Minute: "1h30m", time.Second: "1s", 10 * time.Minute: "10m", 20 * time.Hour: "20h",
	} {
		if got := short(d); got != want {
			t.Errorf("short(%v) = %q, want %q", d, got, want)
		}
	}
}
