package testenv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	stopTimeout = 20 * time.Second // then SIGKILL
	logTail     = 4096             // bytes of log shown in an error
)

// process is one child. Its methods may be called from any goroutine; the
// child may be started again after it has ended.
type process struct {
	name    string
	logPath string
	argv    []string

	// mu guards cmd and done, and makes start, stop and kill exclude each other.
	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{} // closed when the child has been reaped
	err  error         // how the child ended; read it after done
}

// start runs the child. Its output is appended to the log file.
//
// Linux delivers the parent-death signal when the *thread* that forked ends, so
// one goroutine holds a locked thread from fork to reap. It is also the one
// that waits, so a stopped server leaves no goroutine behind.
func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.runningLocked() {
		return fmt.Errorf("start %s: already running with pid %d", p.name, p.cmd.Process.Pid)
	}
	log, err := os.OpenFile(p.logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	cmd := exec.Command(p.argv[0], p.argv[1:]...)
	cmd.Dir = filepath.Dir(p.logPath)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = childAttr()

	started := make(chan error, 1)
	done := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(done)
		defer func() { _ = log.Close() }() // the child has its own descriptor
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		<-done
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	p.cmd, p.done = cmd, done
	return nil
}

func (p *process) runningLocked() bool {
	if p.done == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// pid is the latest child's process id, 0 before the first start.
func (p *process) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

// run starts a child that ends by itself and waits for it.
func (p *process) run(limit time.Duration) error {
	if err := p.start(); err != nil {
		return err
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		return errors.Join(fmt.Errorf("%s did not end within %s\n%s", p.name, limit, p.tail()), p.kill())
	}
	if p.err != nil {
		return fmt.Errorf("%s: %w\n%s", p.name, p.err, p.tail())
	}
	return nil
}

// stop asks the child to end, and kills it if it does not. It is no error if
// the child has ended already.
func (p *process) stop() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.runningLocked() {
		return nil
	}
	// A paused child would not see the request.
	if err := p.signalLocked(syscall.SIGCONT); err != nil {
		return err
	}
	if err := p.signalLocked(syscall.SIGTERM); err != nil {
		return err
	}
	timer := time.NewTimer(stopTimeout)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
	}
	_ = p.signalLocked(syscall.SIGKILL)
	<-p.done
	return fmt.Errorf("stop %s: did not end within %s and was killed\n%s", p.name, stopTimeout, p.tail())
}

// kill ends the child with SIGKILL and returns once it is gone.
func (p *process) kill() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.runningLocked() {
		return nil
	}
	if err := p.signalLocked(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.done
	return nil
}

func (p *process) signal(sig syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.runningLocked() {
		return fmt.Errorf("%s to %s: not running", sig, p.name)
	}
	return p.signalLocked(sig)
}

// signalLocked ignores a child that ended meanwhile.
func (p *process) signalLocked(sig syscall.Signal) error {
	err := p.cmd.Process.Signal(sig)
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("%s to %s: %w", sig, p.name, err)
	}
	return nil
}

// await polls ready until it succeeds, the child ends, or the limit passes.
func (p *process) await(limit time.Duration, ready func(context.Context) error) error {
	p.mu.Lock()
	done := p.done
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-done:
			return fmt.Errorf("%s has ended\n%s", p.name, p.tail())
		case <-ctx.Done():
			return fmt.Errorf("%s not ready after %s: %w\n%s", p.name, limit, err, p.tail())
		case <-tick.C:
		}
	}
}

// tail is the end of the log, indented, for an error message.
func (p *process) tail() string {
	return fileTail(p.logPath)
}

func fileTail(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return "  (no log: " + err.Error() + ")"
	}
	if len(b) > logTail {
		b = b[len(b)-logTail:]
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			b = b[i+1:]
		}
	}
	return "  log " + path + ":\n    " + strings.ReplaceAll(strings.TrimSpace(string(b)), "\n", "\n    ")
}
