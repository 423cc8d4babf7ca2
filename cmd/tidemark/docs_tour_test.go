package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"tidemark/deploy/testenv"
)

// README's tour, as a reader does it: the servers, the topics, serve, a profile,
// two events, and what comes of them.
func TestReadmeTour(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	for _, port := range []struct{ name, form string }{{"9092", ":"}, {"9093", ":"}, {"6379", ":"}, {"6379", "--port "}, {"8080", ":"}} {
		s.replace(port.form+port.name, port.form+s.port(port.name))
	}
	s.kcat()
	s.page("README.md", "tour")
	s.stop("tidemark serve")
}

// README's worked example comes out as the page computes it.
func TestReadmeExample(t *testing.T) {
	t.Parallel()
	newShell(t).page("README.md", "example")
}

// shell runs the blocks of a page in a directory of its own.
type shell struct {
	t       *testing.T
	dir     string
	env     []string
	texts   []string // old, new: what stands for what in commands
	ports   map[string]string
	prefix  string // the env blocks so far
	running map[string]*exec.Cmd
}

func newShell(t *testing.T) *shell {
	t.Helper()
	s := &shell{t: t, dir: t.TempDir(), ports: map[string]string{}, running: map[string]*exec.Cmd{}}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "TIDEMARK_") || strings.HasPrefix(v, "TIDEMARK_CACHE=") {
			s.env = append(s.env, v)
		}
	}
	s.env = append(s.env, "PATH="+filepath.Dir(binary)+string(os.PathListSeparator)+os.Getenv("PATH"))
	return s
}

// port is a free port in place of the one that the page names.
func (s *shell) port(name string) string {
	s.t.Helper()
	if s.ports[name] == "" {
		port, err := testenv.FreePort()
		if err != nil {
			s.t.Fatal(err)
		}
		s.t.Cleanup(func() { testenv.ReleasePort(port) })
		s.ports[name] = strconv.Itoa(port)
	}
	return s.ports[name]
}

func (s *shell) replace(old, to string) { s.texts = append(s.texts, old, to) }

// page runs the blocks of one test in order.
func (s *shell) page(page, test string) {
	s.t.Helper()
	blocks := 0
	for _, b := range readBlocks(s.t, page) {
		name, word, argument := b.kind()
		if name != test {
			continue
		}
		blocks++
		where := fmt.Sprintf("%s:%d", page, b.line)
		text := strings.NewReplacer(s.texts...).Replace(b.text)
		switch word {
		case "env":
			s.prefix += text
		case "until":
			s.start(where, text, argument)
		case "settled":
			eventually(s.t, 30*time.Second, func() error { return s.run(where, text, b.want) })
		case "":
			if err := s.run(where, text, b.want); err != nil {
				s.t.Fatal(err)
			}
		default:
			s.t.Fatalf("%s: mark %q", where, b.mark)
		}
	}
	if blocks == 0 {
		s.t.Fatalf("%s has no block with the mark test: %s", page, test)
	}
}

func (s *shell) command(script string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	s.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "bash", "-euc", s.prefix+script)
	cmd.Dir, cmd.Env = s.dir, s.env
	return cmd
}

// run runs commands to their end, and compares what they print.
func (s *shell) run(where, text string, want *string) error {
	out, err := s.command(text).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s%s", where, err, text, out)
	}
	if want == nil {
		return nil
	}
	if got, want := comparable(string(out)), comparable(*want); got != want {
		return fmt.Errorf("%s prints\n%s\nand the page says\n%s", where, got, want)
	}
	return nil
}

var (
	anInstant = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)
	aMinute   = regexp.MustCompile(`\d+ [A-Z][a-z]+ \d{4}, \d\d:\d\d UTC`)
	aFraction = regexp.MustCompile(`\d+\.\d{3,}`)
)

// comparable is an output without what differs from run to run: instants of this
// year, and the few seconds of decay between a command and the next.
func comparable(text string) string {
	text = anInstant.ReplaceAllStringFunc(text, func(at string) string {
		// The example's instants are given, and so are to come out.
		if when, err := time.Parse(time.RFC3339, at); err == nil && time.Since(when) > exampleAge {
			return at
		}
		return "<instant>"
	})
	text = aMinute.ReplaceAllString(text, "<minute>")
	text = aFraction.ReplaceAllStringFunc(text, func(x string) string {
		f, err := strconv.ParseFloat(x, 64)
		if err != nil {
			return x
		}
		return strconv.FormatFloat(f, 'f', 2, 64)
	})
	return strings.TrimSpace(text)
}

// start runs a command that goes on until the test ends, and waits for a text in
// its output. `timeout` is for a test that is killed and can't clean up.
func (s *shell) start(where, text, until string) {
	s.t.Helper()
	text = strings.TrimSpace(text)
	last := strings.LastIndexByte(text, '\n') + 1
	name := text[last:]
	log, err := os.Create(filepath.Join(s.t.TempDir(), "output"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close() //nolint:errcheck // the command has its own descriptor
	cmd := exec.Command("timeout", "300", "bash", "-euc", s.prefix+text[:last]+"exec "+name)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = s.dir, s.env, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		s.t.Fatalf("%s: %v", where, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait(); close(ended) }()
	s.t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) //nolint:errcheck // it may have ended
		<-ended
	})
	s.running[name] = cmd
	eventually(s.t, 90*time.Second, func() error {
		out, err := os.ReadFile(log.Name())
		if err != nil {
			return fatal{err}
		}
		if bytes.Contains(out, []byte(until)) {
			return nil
		}
		select {
		case err := <-ended:
			return fatal{fmt.Errorf("%s: %s ended: %w\n%s", where, name, err, out)}
		default:
			return fmt.Errorf("%s: no %q in\n%s", where, until, out)
		}
	})
}
