package main

import (
	"context"
	"fmt"
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

// README's way from a Segment call to a tier change.
func TestReadmeSegmentTour(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.prefix = fmt.Sprintf("export TIDEMARK_KAFKA_BROKERS=%s TIDEMARK_REDIS_ADDRS=%s TIDEMARK_HTTP_ADDR=127.0.0.1:0 TIDEMARK_KAFKA_CREATE_PARTITIONS=3\n",
		servers.Kafka(t).Addr(), servers.Redis(t).Addr())
	s.kcat()
	s.page("README.md", "segment")
	s.stop("tidemark serve")
}

// README's way from a visit to a rep.
func TestReadmeRoutingTour(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.prefix = fmt.Sprintf("export TIDEMARK_KAFKA_BROKERS=%s TIDEMARK_REDIS_ADDRS=%s TIDEMARK_HTTP_ADDR=127.0.0.1:0 TIDEMARK_KAFKA_CREATE_PARTITIONS=3\n",
		testenv.StartKafkaFor(t).Addr(), servers.Redis(t).Addr()) // it reads the default topics, as the other tour does
	s.kcat()
	s.page("README.md", "routing")
	s.stop("tidemark serve")
}

// README's worked example comes out as the page computes it.
func TestReadmeExample(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.exact = true
	s.page("README.md", "example")
}

// shell runs the blocks of a page in a directory of its own.
type shell struct {
	t       *testing.T
	dir     string
	env     []string
	texts   []string // old, new: what stands for what in commands
	ports   map[string]string
	prefix  string // the env blocks so far
	exact   bool   // instants in outputs are given, not those of the clock
	running map[string]*running
}

// running is a command that goes on beside the others.
type running struct {
	cmd   *exec.Cmd
	log   string
	ended chan struct{} // closed at its end
	err   error         // how it ended; read it after ended
}

func newShell(t *testing.T) *shell {
	t.Helper()
	s := &shell{t: t, dir: t.TempDir(), ports: map[string]string{}, running: map[string]*running{}}
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
	if got, want := s.plain(string(out)), s.plain(*want); got != want {
		return fmt.Errorf("%s prints\n%s\nand the page says\n%s", where, got, want)
	}
	return nil
}

var (
	anInstant = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)
	aMinute   = regexp.MustCompile(`\d+ [A-Z][a-z]+ \d{4}, \d\d:\d\d UTC`)
	aFraction = regexp.MustCompile(`\d+\.\d{4,}`)
)

// plain is an output without what differs from run to run: the clock's instants,
// and the decay of the few seconds between a command and the next.
func (s *shell) plain(text string) string {
	if !s.exact {
		text = anInstant.ReplaceAllString(text, "<instant>")
	}
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
	r := &running{cmd: cmd, log: log.Name(), ended: make(chan struct{})}
	go func() { defer close(r.ended); r.err = cmd.Wait() }()
	s.t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) //nolint:errcheck // it may have ended
		<-r.ended
	})
	s.running[name] = r
	eventually(s.t, 90*time.Second, func() error {
		switch out := r.output(); {
		case strings.Contains(out, until):
			return nil
		case r.over():
			return fatal{fmt.Errorf("%s: %s ended\n%s", where, name, out)}
		default:
			return fmt.Errorf("%s: no %q in\n%s", where, until, out)
		}
	})
}

func (r *running) output() string {
	out, _ := os.ReadFile(r.log)
	return string(out[max(0, len(out)-4000):])
}

func (r *running) over() bool {
	select {
	case <-r.ended:
		return true
	default:
		return false
	}
}

// stop ends a command as Ctrl-C does, and wants exit code 0.
func (s *shell) stop(name string) {
	s.t.Helper()
	r := s.running[name]
	if r == nil {
		s.t.Fatalf("%q does not run", name)
	}
	if err := syscall.Kill(-r.cmd.Process.Pid, syscall.SIGINT); err != nil {
		s.t.Fatal(err)
	}
	select {
	case <-r.ended:
		if r.err != nil {
			s.t.Errorf("%s: %v\n%s", name, r.err, r.output())
		}
	case <-time.After(30 * time.Second):
		s.t.Errorf("%s did not stop\n%s", name, r.output())
	}
}
