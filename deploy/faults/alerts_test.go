package faults

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tidemark/deploy/testenv"
	"tidemark/streams/sink"
)

const (
	alertsVariable      = "TIDEMARK_TEST_ALERTS"       // all: run them
	alertsTableVariable = "TIDEMARK_TEST_ALERTS_TABLE" // a file that the tables are written to
)

// faster is by how much the rules' times are shortened: an hour is a minute.
const faster = 60

var (
	times   = regexp.MustCompile(`(\[|for: )(\d+)([mhw])|offset (\d+)([mhw])`)
	seconds = regexp.MustCompile(`(time\(\) - [^<>]*[<>] )(\d+)`)
	unit    = map[string]int{"m": 60, "h": 3600, "w": 7 * 24 * 3600}
)

// shortened are the rules with every time in them divided: ranges, offsets, what an
// alert waits for, and the ages that it compares with. Expressions stay as they are.
func shortened(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "prometheus", "rules.yaml"))
	done(t, err)
	out := times.ReplaceAllStringFunc(string(text), func(s string) string {
		m := times.FindStringSubmatch(s)
		lead, number, name := cmp.Or(m[1], "offset "), cmp.Or(m[2], m[4]), cmp.Or(m[3], m[5])
		n, err := strconv.Atoi(number)
		done(t, err)
		return fmt.Sprintf("%s%ds", lead, n*unit[name]/faster)
	})
	return seconds.ReplaceAllStringFunc(out, func(s string) string {
		m := seconds.FindStringSubmatch(s)
		n, err := strconv.Atoi(m[2])
		done(t, err)
		return m[1] + strconv.Itoa(n/faster)
	})
}

func TestShortenedRulesAreTheRules(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "prometheus", "rules.yaml"))
	done(t, err)
	digits := regexp.MustCompile(`\d+[mhws]?`)
	if got, want := digits.ReplaceAllString(shortened(t), "#"), digits.ReplaceAllString(string(text), "#"); got != want {
		t.Errorf("shortened rules differ in more than numbers:\n%s", got)
	}
	for _, left := range []string{"[5m]", "[1h]", "for: 5m", "> 300", "< 3600", "1w"} {
		if !strings.Contains(string(text), left) || strings.Contains(shortened(t), left) {
			t.Errorf("%s is not in the rules, or is left in the shortened ones", left)
		}
	}
}

// watched is a deployment that a Prometheus looks at under the shortened rules.
type watched struct {
	*world
	prometheus *testenv.Prometheus
	addresses  []string  // where instances serve HTTP
	began      time.Time // the fault, where it did before fires is called
	table      *alertTable
}

// watch starts a Prometheus that scrapes as many instances as are to come.
func watch(t *testing.T, table *alertTable, s setup, instances int) *watched {
	t.Helper()
	s.env = append(s.env, "TIDEMARK_CANARY_EVERY=1s")
	v := &watched{world: newWorld(t, s), table: table}
	for range instances {
		port, err := testenv.FreePort()
		done(t, err)
		t.Cleanup(func() { testenv.ReleasePort(port) })
		v.addresses = append(v.addresses, fmt.Sprintf("127.0.0.1:%d", port))
	}
	v.prometheus = testenv.StartPrometheusFor(t, testenv.PrometheusOptions{
		Job: "tidemark", Targets: v.addresses, Rules: shortened(t), Interval: 500 * time.Millisecond,
	})
	return v
}

// instance are the settings of the nth instance.
func (v *watched) instance(n int) []string {
	return []string{"TIDEMARK_HTTP_ADDR=" + v.addresses[n], fmt.Sprintf("TIDEMARK_KAFKA_INSTANCE_ID=member-%d", n)}
}

// scraped waits until Prometheus knows the figures of the first instance: what happens
// before is in its counters from the beginning, and so no increase.
func (v *watched) scraped() {
	v.t.Helper()
	eventually(v.t, alertLimit, func() error {
		values, err := v.prometheus.Query(fmt.Sprintf(`tidemark_source_records_total{instance=%q}`, v.addresses[0]))
		if err == nil && len(values) == 0 {
			err = errors.New("the instance was not scraped")
		}
		return err
	})
}

// alertLimit is generous: the machine may be busy with several deployments.
const alertLimit = 3 * time.Minute

// fires waits until all the alerts were seen to fire since fault.
func (v *watched) fires(fault string, alerts ...string) {
	v.t.Helper()
	begun, seen := cmp.Or(v.began, time.Now()), map[string]time.Duration{}
	v.began = time.Time{}
	eventually(v.t, alertLimit, func() error {
		firing, err := v.prometheus.Firing()
		if err != nil {
			return err
		}
		for _, name := range firing {
			if _, ok := seen[name]; !ok {
				seen[name] = time.Since(begun)
			}
		}
		for _, name := range alerts {
			if _, ok := seen[name]; !ok {
				return fmt.Errorf("%s: %s does not fire, %q did", fault, name, firing)
			}
		}
		return nil
	})
	for _, name := range alerts {
		v.table.fired(name, fault, seen[name])
	}
}

// resolves waits until none of the alerts fires.
func (v *watched) resolves(alerts ...string) {
	v.t.Helper()
	begun, over := time.Now(), map[string]bool{}
	eventually(v.t, alertLimit, func() error {
		firing, err := v.prometheus.Firing()
		if err != nil {
			return err
		}
		for _, name := range alerts {
			if !over[name] && !slices.Contains(firing, name) {
				over[name] = true
				v.table.resolved(name, time.Since(begun))
			}
		}
		if len(over) < len(alerts) {
			return fmt.Errorf("still firing: %q", firing)
		}
		return nil
	})
}

// TestAlerts makes each alert fire by its fault, in a real Prometheus that scrapes real
// instances under the shortened rules, and resolve when the fault is over. It is for
// `make test-alerts`.
func TestAlerts(t *testing.T) {
	t.Parallel()
	if os.Getenv(alertsVariable) != "all" {
		return
	}
	table := &alertTable{alerts: map[string]alertSeen{}}
	t.Cleanup(func() { table.write(t) })
	for name, run := range map[string]func(*testing.T, *alertTable){
		"instances": alertsOfInstances, "redis": alertsOfRedis, "broker": alertsOfTheBroker, "poison": alertsOfPoison,
		"set back": alertsOfASetBack, "backlog": alertsOfABacklog, "stranger": alertsOfAStranger,
		"webhook": alertsOfAWebhook,
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); run(t, table) })
	}
}

func alertsOfInstances(t *testing.T, table *alertTable) {
	v := watch(t, table, setup{}, 2)
	a, b := v.serve(v.instance(0)...), v.serve(v.instance(1)...)
	v.resolves("TidemarkDown", "TidemarkInstanceDown")
	b.kill()
	v.fires("one of two instances killed", "TidemarkInstanceDown")
	a.signal(syscall.SIGSTOP)
	v.fires("the other frozen (SIGSTOP)", "TidemarkDown")
	a.signal(syscall.SIGCONT)
	b = v.serve(v.instance(1)...)
	v.resolves("TidemarkDown", "TidemarkInstanceDown")
	// Each life must be seen by Prometheus, so it is ended when it was.
	life := func() float64 {
		values, err := v.prometheus.Query(fmt.Sprintf(`process_start_time_seconds{instance=%q}`, v.addresses[1]))
		if err != nil || len(values) == 0 {
			return 0
		}
		return values[0].Value
	}
	v.began = time.Now()
	for range 4 {
		before := life()
		b.kill()
		b = v.start(v.instance(1)...)
		eventually(t, alertLimit, func() error {
			if now := life(); now == 0 || now == before {
				return errors.New("the new process was not scraped")
			}
			return nil
		})
	}
	v.fires("an instance restarts in a row", "TidemarkRestarting")
	v.resolves("TidemarkRestarting")
}

func alertsOfRedis(t *testing.T, table *alertTable) {
	r := testenv.StartRedisFor(t)
	v := watch(t, table, setup{redis: []string{r.Addr()}}, 2)
	v.serve(v.instance(0)...)
	m := usualMix(1)
	m.rate = 100
	tr := v.traffic(m)
	v.flowing(20)
	done(t, r.Kill())
	v.start(v.instance(1)...)
	alerts := []string{"TidemarkNothingStored", "TidemarkCanaryMissing", "TidemarkNotStarting"}
	v.fires("Redis stopped while events come", alerts...)
	done(t, r.Restart())
	v.resolves(alerts...)
	command(t, r, "CONFIG", "SET", "min-replicas-to-write", "1")
	v.fires("Redis refuses writes (a replica is missing)", "TidemarkStoreFails")
	command(t, r, "CONFIG", "SET", "min-replicas-to-write", "0")
	v.resolves("TidemarkStoreFails")
	command(t, r, "CONFIG", "SET", "maxmemory", "1")
	v.fires("Redis out of memory", "TidemarkRedisFilling")
	command(t, r, "CONFIG", "SET", "maxmemory", "0")
	v.resolves("TidemarkRedisFilling")
	command(t, r, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
	v.fires("somebody lets Redis evict", "TidemarkRedisMayEvict")
	command(t, r, "CONFIG", "SET", "maxmemory-policy", "noeviction")
	v.resolves("TidemarkRedisMayEvict")
	tr.stop()
}

func alertsOfTheBroker(t *testing.T, table *alertTable) {
	kafka, _ := victims.hold(t)
	v := watch(t, table, setup{brokers: kafka.Addr()}, 1)
	v.serve(v.instance(0)...)
	v.scraped()
	done(t, kafka.Kill())
	v.fires("broker stopped", "TidemarkCanaryMissing")
	done(t, kafka.Restart())
	v.resolves("TidemarkCanaryMissing")
}

func alertsOfPoison(t *testing.T, table *alertTable) {
	v := watch(t, table, setup{env: []string{
		"TIDEMARK_EVENTS_GUARD_RECORDS=100", "TIDEMARK_EVENTS_GUARD_PAUSE=20s", "TIDEMARK_EVENTS_GUARD_MAX_PAUSE=20s",
		"TIDEMARK_ENGINE_MAX_BATCH=50", "TIDEMARK_KAFKA_FETCH_BUFFER_EVENTS=100",
	}}, 1)
	v.serve(v.instance(0)...)
	v.scraped()
	m := usualMix(2)
	m.poison, m.duplicates = 1, 0
	source, engagement := v.source(m), v.cfg.Kafka.Topics.Engagement
	var burst []sink.Message
	for range 600 {
		burst = append(burst, source.next(time.Now()).message)
	}
	v.publish(engagement, burst...)
	v.fires("a burst of poison on one topic", "TidemarkDeadLetters", "TidemarkTopicPaused")
	m.poison, m.rate = 0, 100
	tr := v.traffic(m)
	v.resolves("TidemarkTopicPaused", "TidemarkDeadLetters")
	tr.stop()
}

func alertsOfASetBack(t *testing.T, table *alertTable) {
	r := testenv.StartRedisFor(t)
	v := watch(t, table, setup{redis: []string{r.Addr()}}, 1)
	v.serve(v.instance(0)...)
	tr := v.traffic(usualMix(3))
	v.flowing(300)
	done(t, r.Kill())
	done(t, r.CutAOF(aofSize(t, r)/3))
	done(t, r.Restart())
	v.fires("Redis set back (end of the AOF cut)", "TidemarkRewound")
	tr.stop()
	v.resolves("TidemarkRewound")
}

// A backlog is records that were appended some minutes ago.
func alertsOfABacklog(t *testing.T, table *alertTable) {
	v := watch(t, table, setup{}, 1)
	v.serve(v.instance(0)...)
	m := usualMix(4)
	m.rate = 60
	tr := v.traffic(m)
	v.flowing(20)
	stop, behind := make(chan struct{}), sync.WaitGroup{}
	behind.Go(func() {
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for n := 0; ; n++ {
			v.late(n)
			select {
			case <-stop:
				return
			case <-ticker.C:
			}
		}
	})
	t.Cleanup(behind.Wait)
	alerts := []string{"TidemarkFreshnessBurning", "TidemarkFreshnessSlipping"}
	v.fires("a backlog: a third of the events waited for three minutes", alerts...)
	v.table.panels(t, v.prometheus)
	close(stop)
	v.resolves(alerts...)
	tr.stop()
}

// late publishes events that were appended three minutes ago, and lead to tier changes.
func (v *watched) late(n int) {
	var messages []sink.Message
	now := time.Now()
	for i := range 30 {
		account := fmt.Sprintf("late-%d-%d.example", n, i/3)
		id := fmt.Sprintf("late-%d-%d", n, i)
		messages = append(messages, sink.Message{
			Key: []byte(id), Time: now.Add(-3 * time.Minute), Value: event(id, "engagement.webinar", now, account, "{}"),
		})
	}
	if err := v.publisher.Publish(v.t.Context(), v.cfg.Kafka.Topics.Engagement, messages); err != nil {
		v.t.Error(err)
	}
}

// A foreign program writes the accounts that are being scored.
func alertsOfAStranger(t *testing.T, table *alertTable) {
	v := watch(t, table, setup{}, 1)
	v.serve(v.instance(0)...)
	m := usualMix(5)
	m.accounts, m.rate = 50, 100
	tr := v.traffic(m)
	v.flowing(20)
	const script = `for _, a in ipairs(redis.call('HKEYS', KEYS[1])) do
		redis.call('HSET', KEYS[1], a, ARGV[1] .. string.sub(redis.call('HGET', KEYS[1], a), 9)) end
		redis.call('SET', KEYS[2], 'stranger')`
	stop, writing := make(chan struct{}), sync.WaitGroup{}
	writing.Go(func() {
		ticker := time.NewTicker(200 * time.Millisecond)
		defer ticker.Stop()
		for n := 0; ; n++ {
			for shard := range v.cfg.Redis.Shards {
				key := fmt.Sprintf("%s:{%03d}:", v.cfg.Namespace, shard)
				if _, err := servers.Redis(t).Do("EVAL", script, "2", key+"accounts", key+"token", fmt.Sprintf("%08d", n)); err != nil {
					t.Error(err)
					return
				}
			}
			select {
			case <-stop:
				return
			case <-ticker.C:
			}
		}
	})
	t.Cleanup(writing.Wait)
	v.fires("a foreign program writes the accounts", "TidemarkContended")
	close(stop)
	v.resolves("TidemarkContended")
	tr.stop()
}

// alertTable is what was seen, for people.
type alertTable struct {
	mu     sync.Mutex // guards what follows
	alerts map[string]alertSeen
	values []string
}

type alertSeen struct {
	fault         string
	after, before time.Duration // from the fault to firing, from its end to resolving
}

func (a *alertTable) fired(name, fault string, after time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, ok := a.alerts[name]; !ok {
		a.alerts[name] = alertSeen{fault: fault, after: after}
	}
}

func (a *alertTable) resolved(name string, after time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s, ok := a.alerts[name]; ok && s.before == 0 {
		s.before = after
		a.alerts[name] = s
	}
}

// panels notes what each query of the dashboard gives.
func (a *alertTable) panels(t *testing.T, p *testenv.Prometheus) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "grafana", "tidemark.json"))
	done(t, err)
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr, LegendFormat string }
		}
	}
	done(t, json.Unmarshal(text, &dashboard))
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			values, err := p.Query(strings.ReplaceAll(target.Expr, "$__rate_interval", "10s"))
			done(t, err)
			var words []string
			switch why, off := switchedOff[panel.Title]; {
			case len(values) == 0 && off:
				words = append(words, "nothing: "+why)
			case len(values) == 0:
				t.Errorf("%s: %s gives nothing", panel.Title, target.Expr)
			}
			for _, value := range values {
				words = append(words, strings.TrimSpace(fmt.Sprintf("%s %.4g", legend(target.LegendFormat, value.Labels), value.Value)))
			}
			slices.Sort(words)
			a.values = append(a.values, fmt.Sprintf("| %s | %s |\n", panel.Title, strings.Join(words, ", ")))
		}
	}
}

// switchedOff are the panels of what this deployment does without.
var switchedOff = map[string]string{
	"Held back as machine-like":     "the model holds nothing back",
	"MQAs on the desk":              "no routing file",
	"Steps of MQAs":                 "no routing file",
	"Crossing to acknowledgement":   "no routing file",
	"Webhooks: attempts":            "no endpoints",
	"Webhooks: waiting":             "no endpoints",
	"Webhooks: lost to an endpoint": "no endpoints",
	"Webhooks: event to delivery":   "no endpoints",
	"Audiences":                     "none",
	"Subscribers of our own":        "none",
}

var legendLabel = regexp.MustCompile(`\{\{(\w+)\}\}`)

// legend fills a legend in as Grafana does.
func legend(format string, labels map[string]string) string {
	return legendLabel.ReplaceAllStringFunc(format, func(s string) string {
		name := legendLabel.FindStringSubmatch(s)[1]
		if name == "instance" {
			return "" // a port of this run
		}
		return labels[name]
	})
}

func (a *alertTable) write(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Alerts as they were seen to fire\n\nWritten by `make test-alerts`: a real Prometheus scrapes real instances on real servers under " +
		"prometheus/rules.yaml, of which every time is\ndivided by 60 (an hour is a minute). `fires` is from the fault, `resolves` from its end.\n\n" +
		"| alert | fault | fires | resolves |\n|---|---|---|---|\n")
	names := make([]string, 0, len(a.alerts))
	for name := range a.alerts {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		s := a.alerts[name]
		fmt.Fprintf(&b, "| %s | %s | %.1f s | %.1f s |\n", name, s.fault, s.after.Seconds(), s.before.Seconds())
	}
	b.WriteString("\nNot made to fire here, only by promtool (rules_test.yaml, rules_test_week.yaml):\n\n")
	for _, line := range unfired {
		b.WriteString("- " + line + "\n")
	}
	b.WriteString("\n## What each panel of the dashboard showed\n\nDuring the backlog above. Values of one query, by its legend.\n\n| panel | value |\n|---|---|\n")
	b.WriteString(strings.Join(a.values, ""))
	t.Log(b.String())
	if path := os.Getenv(alertsTableVariable); path != "" && !t.Failed() {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Error(err)
		}
	}
}

// unfired are the alerts that this does not make fire, and why.
var unfired = []string{
	"TidemarkSilent compares with the same hour of last week, which would be 168 minutes ago here.",
	"TidemarkMQABreached needs a promise to be broken: hours, or a clock of its own; the tests of routing do that.",
	"TidemarkPartitionStands needs a second instance that watches, as the one that hangs tells nothing; `tidemark lag` is tested with it.",
	"TidemarkUnpublished needs Kafka to refuse the topics of tier changes for a minute while all else works.",
	"TidemarkDeskUpheld needs Redis to be set back between a step of an MQA and the next second; the tests of routing do that on real servers.",
	"TidemarkUpheld needs Redis to be set back under several instances while accounts cross, several times until it strikes one; the fault catalogue does that (\"set back again and again\").",
}
