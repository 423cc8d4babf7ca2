package faults

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// instance is a running `serve` process.
type instance struct {
	t    testing.TB
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed when it has ended
	end  error         // how it ended; read it after done
}

// start starts a process.
func (w *world) start(extra ...string) *instance {
	w.t.Helper()
	path := filepath.Join(w.t.TempDir(), "serve.log")
	log, err := os.Create(path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer log.Close() //nolint:errcheck // the process has its own descriptor
	cmd := exec.Command(w.program, "serve")
	cmd.Env = append(append(os.Environ(), w.env...), extra...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	i := &instance{t: w.t, cmd: cmd, log: path, done: make(chan struct{})}
	go func() { i.end = cmd.Wait(); close(i.done) }()
	w.instances = append(w.instances, i)
	w.t.Cleanup(func() {
		// A mutant is wanted to fail, and nobody looks into it.
		if w.t.Failed() && os.Getenv(mutantVariable) == "" {
			i.keepLog()
		}
		i.kill()
	})
	return i
}

// keepLog keeps the log of a process, and where its goroutines stand, for whoever
// looks into a failure.
func (i *instance) keepLog() {
	i.t.Helper()
	if !i.ended() {
		_ = i.cmd.Process.Signal(syscall.SIGCONT)
		_ = i.cmd.Process.Signal(syscall.SIGQUIT)
		<-i.done
	}
	data, _ := os.ReadFile(i.log)
	kept, err := os.CreateTemp("", "tidemark-faults-*.log")
	if err != nil {
		i.t.Log(err)
		return
	}
	defer kept.Close() //nolint:errcheck // best effort
	_, _ = kept.Write(data)
	i.t.Logf("log of serve kept in %s", kept.Name())
}

// serve starts a process and waits until it takes part.
func (w *world) serve(extra ...string) *instance {
	w.t.Helper()
	i := w.start(extra...)
	i.await(`"message":"serving"`)
	return i
}

// await waits until the log holds a text.
func (i *instance) await(text string) {
	i.t.Helper()
	eventually(i.t, 90*time.Second, func() error {
		if i.logged(text) {
			return nil
		}
		if i.ended() {
			return stops{fmt.Errorf("serve ended: %w\n%s", i.end, logTail(i.log))}
		}
		return fmt.Errorf("log has no %s\n%s", text, logTail(i.log))
	})
}

func (i *instance) logged(text string) bool {
	data, _ := os.ReadFile(i.log)
	return bytes.Contains(data, []byte(text))
}

func (i *instance) ended() bool {
	select {
	case <-i.done:
		return true
	default:
		return false
	}
}

// kill ends the process as a crash would.
func (i *instance) kill() {
	i.cmd.Process.Kill() //nolint:errcheck // it may have ended
	<-i.done
}

// signal sends a signal to a process that runs.
func (i *instance) signal(s os.Signal) {
	i.t.Helper()
	if err := i.cmd.Process.Signal(s); err != nil {
		i.t.Fatal(err)
	}
}

// stop ends the process as an operator would, and wants exit code 0.
func (i *instance) stop() time.Duration {
	i.t.Helper()
	begun := time.Now()
	i.signal(syscall.SIGTERM)
	i.wait(30 * time.Second)
	if i.end != nil {
		i.t.Fatalf("serve: %v\n%s", i.end, logTail(i.log))
	}
	return time.Since(begun)
}

// wait waits until the process has ended.
func (i *instance) wait(limit time.Duration) {
	i.t.Helper()
	select {
	case <-i.done:
	case <-time.After(limit):
		i.t.Fatalf("serve has not ended after %s\n%s", limit, logTail(i.log))
	}
}

// refuses wants the process to end by itself with exit code 1 and words about why.
func (i *instance) refuses(words ...string) {
	i.t.Helper()
	i.wait(60 * time.Second)
	var exit *exec.ExitError
	if !errors.As(i.end, &exit) || exit.ExitCode() != 1 {
		i.t.Fatalf("serve ended with %v, want exit code 1\n%s", i.end, logTail(i.log))
	}
	for _, word := range words {
		if !i.logged(word) {
			i.t.Errorf("serve ended without saying %q\n%s", word, logTail(i.log))
		}
	}
}

// url is where the process serves HTTP.
func (i *instance) url() string {
	i.t.Helper()
	i.await(`"message":"serving"`)
	data, _ := os.ReadFile(i.log)
	for line := range bytes.Lines(data) {
		var entry struct{ Message, HTTP string }
		if json.Unmarshal(line, &entry) == nil && entry.Message == "serving" {
			return entry.HTTP
		}
	}
	i.t.Fatal("no address in the log")
	return ""
}

// metrics are the process's figures, by name with labels.
func (i *instance) metrics() (map[string]float64, error) {
	client := http.Client{Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	response, err := client.Get(i.url() + "/metrics")
	if err != nil {
		return nil, err
	}
	defer response.Body.Close() //nolint:errcheck // only read from
	out := map[string]float64{}
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		name, text, _ := strings.Cut(lines.Text(), " ")
		if value, err := strconv.ParseFloat(text, 64); err == nil {
			out[name] = value
		}
	}
	return out, nil
}

// sum adds all figures whose name with labels begins so.
func (i *instance) sum(prefix string) (sum float64) {
	i.t.Helper()
	figures, err := i.metrics()
	if err != nil {
		i.t.Fatal(err)
	}
	for name, value := range figures {
		if strings.HasPrefix(name, prefix) {
			sum += value
		}
	}
	return sum
}

// ready is /readyz: true, or false with its reason.
func (i *instance) ready() (ok bool, why string) {
	i.t.Helper()
	client := http.Client{Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	response, err := client.Get(i.url() + "/readyz")
	if err != nil {
		return false, err.Error()
	}
	defer response.Body.Close() //nolint:errcheck // only read from
	var body bytes.Buffer
	_, _ = body.ReadFrom(response.Body)
	return response.StatusCode == http.StatusOK, strings.TrimSpace(body.String())
}
