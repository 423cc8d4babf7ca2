package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"tidemark/pkg/config"
)

// deployment is a namespace with its topics: what one run of serve works on.
type deployment struct {
	cfg config.Config
	// settings are the keys that serve is given by its environment.
	settings map[string]string
}

// set gives a key to this process's configuration and to serve's.
func (d *deployment) set(key, value string) error {
	if d.settings == nil {
		d.settings = map[string]string{}
	}
	d.settings[key] = value
	return d.cfg.Set(key, value)
}

// environ is the environment of serve: the caller's, with what differs last.
func (d *deployment) environ(base []string) []string {
	out := append([]string(nil), base...)
	for key, value := range d.settings {
		out = append(out, "TIDEMARK_"+strings.ToUpper(strings.ReplaceAll(key, ".", "_"))+"="+value)
	}
	return out
}

// serve is one running `tidemark serve`.
type serve struct {
	*child
	addr  atomic.Pointer[string] // of its HTTP server, once it serves
	lines func(logLine)
	http  *http.Client
}

// logLine is what is read of serve's log.
type logLine struct {
	Message  string  `json:"message"`
	HTTP     string  `json:"http"`
	Accounts int     `json:"accounts"`
	Took     float64 `json:"took"` // ms
}

// startServe starts the program and returns at once. Each line of its log goes to
// lines, which may be nil.
func (b *bench) startServe(d *deployment, lines func(logLine)) (*serve, error) {
	argv := append(append([]string(nil), b.opts.Program...), "serve")
	if b.opts.ConfigFile != "" {
		argv = append(argv, "--config", b.opts.ConfigFile)
	}
	if b.opts.Profile != "" {
		argv = append(argv, "--cpu-profile", b.opts.Profile)
	}
	s := &serve{lines: lines, http: &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 1, DisableCompression: true}}}
	var err error
	s.child, err = startChild("serve", argv, d.environ(b.opts.Environ), "", s.line)
	return s, err
}

func (s *serve) line(text string) {
	var l logLine
	if json.Unmarshal([]byte(text), &l) != nil {
		return // a panic's trace; it is in the tail
	}
	if l.HTTP != "" {
		s.addr.Store(&l.HTTP)
	}
	if s.lines != nil {
		s.lines(l)
	}
}

const startLimit = 10 * time.Minute // others may have to stop, or their leases to run out

// ready waits until serve takes part in the group.
func (s *serve) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	return s.poll(ctx, 5*time.Millisecond, func() (bool, error) {
		if s.addr.Load() == nil {
			return false, nil
		}
		answer, err := s.get(ctx, "/readyz")
		if err != nil {
			return false, nil //nolint:nilerr // it may be starting; poll notices one that ended
		}
		return answer.StatusCode == http.StatusOK, answer.Body.Close()
	})
}

// poll asks until done says so, the process ends, or ctx does.
func (s *serve) poll(ctx context.Context, every time.Duration, done func() (bool, error)) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-s.done:
			return s.ended()
		case <-ctx.Done():
			return fmt.Errorf("waiting for serve: %w", context.Cause(ctx))
		case <-ticker.C:
		}
	}
}

func (s *serve) get(ctx context.Context, path string) (*http.Response, error) {
	addr := s.addr.Load()
	if addr == nil {
		return nil, errors.New("serve has not said where it listens")
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, *addr+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	return s.http.Do(request)
}

// metrics are the figures of serve: each series under its name and labels as they are
// written, and those of one name added up.
func (s *serve) metrics(ctx context.Context) (map[string]float64, error) {
	answer, err := s.get(ctx, "/metrics")
	if err != nil {
		return nil, fmt.Errorf("read the metrics of serve: %w", err)
	}
	defer answer.Body.Close() //nolint:errcheck // all was read
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("read the metrics of serve: %s", answer.Status)
	}
	return parseMetrics(bufio.NewScanner(answer.Body))
}

// parseMetrics reads Prometheus's text format.
func parseMetrics(lines *bufio.Scanner) (map[string]float64, error) {
	out := map[string]float64{}
	for lines.Scan() {
		line := lines.Text()
		space := strings.LastIndexByte(line, ' ')
		if strings.HasPrefix(line, "#") || space < 0 {
			continue
		}
		value, err := strconv.ParseFloat(line[space+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("metrics: %q", line)
		}
		name, _, labelled := strings.Cut(line[:space], "{")
		if out[name] += value; labelled {
			out[line[:space]] = value
		}
	}
	return out, lines.Err()
}

// The metrics that the bench reads.
const (
	metricInputs    = "tidemark_engine_inputs_total"
	metricCrossings = "tidemark_engine_crossings_total"
	metricLetters   = "tidemark_dead_letters_total"
	metricCommits   = "tidemark_engine_commits_total"
	metricMallocs   = "go_memstats_mallocs_total"
)

// stop ends serve in order.
func (s *serve) stop() error {
	s.http.CloseIdleConnections()
	err := s.child.stop()
	if err == nil && s.err != nil {
		err = s.ended()
	}
	return err
}

// program is the path of the running binary.
func program() ([]string, error) {
	path, err := os.Executable()
	return []string{path}, err
}
