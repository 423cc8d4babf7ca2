package testenv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

const prometheusStartLimit = 60 * time.Second

// PrometheusOptions say what a Prometheus scrapes and evaluates.
type PrometheusOptions struct {
	Job      string        // under which the targets are scraped
	Targets  []string      // host:port
	Rules    string        // the text of a rule file
	Interval time.Duration // of scraping and of evaluating; 0: 1 s
}

// Prometheus is one running prometheus. Its methods may be called from any goroutine.
type Prometheus struct {
	dir  string
	port int
	proc *process
	http *http.Client
}

// StartPrometheus starts a server and returns once it is ready. Its data is gone when
// it stops.
func StartPrometheus(o PrometheusOptions) (_ *Prometheus, err error) {
	program, err := exec.LookPath("prometheus")
	if err != nil {
		return nil, notInstalled("prometheus is not on the PATH")
	}
	p := &Prometheus{http: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.cleanUp())
		}
	}()
	if p.dir, err = os.MkdirTemp("", "tidemark-prometheus-"); err != nil {
		return nil, fmt.Errorf("start prometheus: %w", err)
	}
	if p.port, err = FreePort(); err != nil {
		return nil, err
	}
	config := filepath.Join(p.dir, "prometheus.yaml")
	for path, text := range map[string]string{config: o.config(), filepath.Join(p.dir, "rules.yaml"): o.Rules} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return nil, fmt.Errorf("start prometheus: %w", err)
		}
	}
	p.proc = &process{name: "prometheus", logPath: filepath.Join(p.dir, "prometheus.log"), argv: []string{
		program, "--config.file=" + config, "--storage.tsdb.path=" + filepath.Join(p.dir, "data"), "--web.listen-address=" + p.Addr(),
	}}
	if err := p.proc.start(); err != nil {
		return nil, err
	}
	if err := p.proc.await(prometheusStartLimit, p.ready); err != nil {
		return nil, errors.Join(err, p.proc.kill())
	}
	return p, nil
}

func (o PrometheusOptions) config() string {
	interval := o.Interval
	if interval == 0 {
		interval = time.Second
	}
	return fmt.Sprintf("global: {scrape_interval: %dms, scrape_timeout: %[1]dms, evaluation_interval: %[1]dms}\nrule_files: [rules.yaml]\n"+
		"scrape_configs:\n- job_name: %q\n  static_configs: [{targets: [%s]}]\n", interval.Milliseconds(), o.Job, strings.Join(o.Targets, ", "))
}

func (p *Prometheus) ready(ctx context.Context) error {
	return p.get(ctx, "/-/ready", nil)
}

func (p *Prometheus) get(ctx context.Context, path string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.Addr()+path, nil)
	if err != nil {
		return err
	}
	response, err := p.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // only read from
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("prometheus: %s: %s", path, response.Status)
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(response.Body).Decode(into)
}

// Addr is the host:port of the server.
func (p *Prometheus) Addr() string { return loopback(p.port) }

// Value is one element of an instant vector.
type Value struct {
	Labels map[string]string
	Value  float64
}

// Query evaluates an expression now.
func (p *Prometheus) Query(expr string) ([]Value, error) {
	var answer struct {
		Data struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	if err := p.get(context.Background(), "/api/v1/query?query="+url.QueryEscape(expr), &answer); err != nil {
		return nil, fmt.Errorf("query %s: %w", expr, err)
	}
	var out []Value
	for _, r := range answer.Data.Result {
		text, _ := r.Value[1].(string)
		number, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("query %s: %w", expr, err)
		}
		out = append(out, Value{Labels: r.Metric, Value: number})
	}
	return out, nil
}

// Firing are the names of the alerts that fire now, one for each set of labels.
func (p *Prometheus) Firing() ([]string, error) {
	var answer struct {
		Data struct {
			Alerts []struct {
				State  string
				Labels map[string]string
			}
		}
	}
	if err := p.get(context.Background(), "/api/v1/alerts", &answer); err != nil {
		return nil, fmt.Errorf("alerts: %w", err)
	}
	var out []string
	for _, a := range answer.Data.Alerts {
		if a.State == "firing" {
			out = append(out, a.Labels["alertname"])
		}
	}
	return out, nil
}

// Stop ends the server and removes its data. A second call does nothing.
func (p *Prometheus) Stop() error { return errors.Join(p.proc.stop(), p.cleanUp()) }

func (p *Prometheus) cleanUp() error {
	ReleasePort(p.port)
	if p.dir == "" {
		return nil
	}
	return os.RemoveAll(p.dir)
}

// StartPrometheusFor starts a Prometheus that is stopped when the test ends. It ends
// the test if the server does not start.
func StartPrometheusFor(t testing.TB, o PrometheusOptions) *Prometheus {
	t.Helper()
	p, err := StartPrometheus(o)
	if err != nil {
		t.Fatal(err)
	}
	stopAtEnd(t, p)
	return p
}
