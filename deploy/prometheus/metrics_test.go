package prometheus

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"tidemark/deploy/testenv"
	"tidemark/pkg/app"
	"tidemark/pkg/config"
	"tidemark/pkg/embedded"
)

var update = flag.Bool("update", false, "rewrite testdata/metrics.txt from a running service")

const golden = "testdata/metrics.txt"

// Metrics are an API: what is renamed or dropped breaks dashboards and alerts of
// others. Rewrite the list with -update and say so in CHANGELOG.md.
func TestMetricsAreThoseOfTheList(t *testing.T) {
	t.Parallel()
	got := served(t)
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := read(t, golden); got != want {
		t.Errorf("a service shows\n%s\nand %s has\n%s\nif that is meant, run: go test ./deploy/prometheus -update", got, golden, want)
	}
}

// served runs the service on a Kafka in this process and a real Redis, which tells of its
// memory, and lists what it shows.
func served(t *testing.T) string {
	t.Helper()
	cfg := config.Default()
	topics := cfg.Kafka.Topics
	cfg.Routing = "../../configs/routing.yaml"
	servers, err := embedded.Start(append(cfg.Kafka.InputTopics(), topics.TierChanges, topics.AccountTiers, topics.DeadLetters, topics.MQARouting), 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(servers.Close)
	cfg.Kafka.Brokers, cfg.Redis.Addrs = []string{servers.Kafka()}, []string{testenv.StartRedisFor(t).Addr()}
	cfg.Redis.Shards, cfg.HTTP.Addr = 2, "127.0.0.1:0"
	cfg.Webhooks.File, cfg.Audiences.File = "testdata/endpoints.yaml", "testdata/audiences.yaml"

	ctx, stop := context.WithCancel(t.Context())
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- app.Serve(ctx, cfg, zerolog.Nop(), app.Options{Ready: func(addr string) { ready <- addr }})
	}()
	var out string
	select {
	case addr := <-ready:
		// The figures of the lag and of Redis come with the first look.
		for ticker := time.NewTicker(50 * time.Millisecond); !strings.Contains(out, "tidemark_lag_records") || !strings.Contains(out, "tidemark_redis_"); <-ticker.C {
			out = scrape(t, addr)
		}
	case err := <-ended:
		t.Fatalf("serve ended: %v", err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	return out
}

// scrape lists the metrics that are Tidemark's own: type, name, labels and help.
func scrape(t *testing.T, addr string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read from
	page, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return list(string(page))
}

var (
	helpLine   = regexp.MustCompile(`(?m)^# HELP (tidemark_\w+) (.*)\n# TYPE \w+ (\w+)\n\w+(\{.*\})?`)
	labelNames = regexp.MustCompile(`(\w+)="(?:[^"\\]|\\.)*"`)
)

// list is a line for each of Tidemark's own metrics of a page of Prometheus's text format.
func list(page string) string {
	var lines []string
	for _, m := range helpLine.FindAllStringSubmatch(page, -1) {
		var labels []string
		for _, l := range labelNames.FindAllStringSubmatch(m[4], -1) {
			labels = append(labels, l[1])
		}
		lines = append(lines, fmt.Sprintf("%s{%s} %s: %s\n", m[1], strings.Join(labels, ","), m[3], m[2]))
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

var (
	quoted    = regexp.MustCompile(`"[^"]*"|'[^']*'`)
	matchers  = regexp.MustCompile(`\{[^}]*\}`)
	windows   = regexp.MustCompile(`\[[^\]]*\]|\boffset\s+\w+`)
	groupings = regexp.MustCompile(`\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)`)
	words     = regexp.MustCompile(`\b[a-zA-Z_:][\w:]*\s*\(?`)
	operators = []string{"and", "or", "unless", "bool", "offset", "sum", "max", "min", "avg", "count", "inf", "nan"}
)

// names are the series that a PromQL expression asks for.
func names(expr string) []string {
	for _, noise := range []*regexp.Regexp{quoted, matchers, windows, groupings} {
		expr = noise.ReplaceAllString(expr, " ")
	}
	var out []string
	for _, word := range words.FindAllString(expr, -1) {
		if word = strings.TrimSpace(word); !strings.HasSuffix(word, "(") && !slices.Contains(operators, strings.ToLower(word)) {
			out = append(out, word)
		}
	}
	return out
}

func TestNamesOfExpressions(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string][]string{
		`absent(up{job="a(b"} == 1)`:                              {"up"},
		`sum by (x) (rate(a_total{l="b_total"}[5m])) > 1e3`:       {"a_total"},
		`a:b:c > 0 unless on (instance) increase(d[1h]) or e`:     {"a:b:c", "d", "e"},
		`sum(increase(f{g=~"h|i"}[1h] offset 1w)) and time() < 3`: {"f"},
	} {
		if got := names(expr); !slices.Equal(got, want) {
			t.Errorf("names(%s) = %q, want %q", expr, got, want)
		}
	}
}

// known are the metrics that may be asked for: Tidemark's, what the rules record, and
// what every Go program and Prometheus itself give.
func known(t *testing.T) func(name string) bool {
	t.Helper()
	own := map[string]bool{
		"up": true, "ALERTS": true, "process_start_time_seconds": true, "process_cpu_seconds_total": true,
		"process_resident_memory_bytes": true, "go_goroutines": true,
	}
	for name := range labelsOf(t) {
		own[name] = true
	}
	for _, r := range readRules(t) {
		own[r.Record] = true
	}
	return func(name string) bool { return own[name] }
}

// labelsOf are the series of the golden list, each with its labels: those of a
// histogram are its buckets, its sum and its count.
func labelsOf(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for line := range strings.Lines(read(t, golden)) {
		name, rest, _ := strings.Cut(line, "{")
		list, rest, _ := strings.Cut(rest, "}")
		labels := strings.Split(list, ",")
		if !strings.HasPrefix(rest, " histogram:") {
			out[name] = labels
			continue
		}
		for _, part := range []string{"_bucket", "_sum", "_count"} {
			out[name+part] = labels
		}
	}
	return out
}

func TestRulesAskForMetricsThatExist(t *testing.T) {
	t.Parallel()
	exists := known(t)
	for _, r := range readRules(t) {
		asked := names(r.Expr)
		if len(asked) == 0 {
			t.Errorf("%s%s asks for nothing", r.Alert, r.Record)
		}
		for _, name := range asked {
			if !exists(name) {
				t.Errorf("%s%s asks for %s, which does not exist", r.Alert, r.Record, name)
			}
		}
	}
}
