package bench

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// child is one process that was started here. Its lines of output go to a function
// as they come; the last of them are kept for error messages.
type child struct {
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed once it has ended and its output is read
	err  error         // how it ended; read after done

	mu   sync.Mutex // guards tail, which two readers write; nothing is called while it is held
	tail []string
}

const tailLines = 20

// stopLimit is how long a child may take to end before it is killed.
const stopLimit = 40 * time.Second

// startChild starts a program. Linux delivers the parent-death signal when the
// thread that forked ends, so one goroutine holds a locked thread from fork to reap.
func startChild(name string, argv, env []string, dir string, line func(string)) (*child, error) {
	c := &child{name: name, cmd: exec.Command(argv[0], argv[1:]...), done: make(chan struct{})}
	c.cmd.Env, c.cmd.Dir, c.cmd.SysProcAttr = env, dir, childAttr()
	stdout, err1 := c.cmd.StdoutPipe()
	stderr, err2 := c.cmd.StderrPipe()
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(c.done)
		err := c.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		var readers sync.WaitGroup
		for _, r := range []io.Reader{stdout, stderr} {
			readers.Go(func() { c.read(r, line) })
		}
		readers.Wait()
		c.err = c.cmd.Wait()
	}()
	if err := <-started; err != nil {
		<-c.done
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return c, nil
}

func (c *child) read(r io.Reader, line func(string)) {
	lines := bufio.NewReader(r)
	for {
		text, err := lines.ReadString('\n')
		if text = strings.TrimRight(text, "\n"); text != "" {
			c.mu.Lock()
			c.tail = append(c.tail, text)
			c.tail = c.tail[max(0, len(c.tail)-tailLines):]
			c.mu.Unlock()
			line(text)
		}
		if err != nil {
			return
		}
	}
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// ended is the error for a child that should be running.
func (c *child) ended() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	how := "exit code 0"
	if c.err != nil {
		how = c.err.Error()
	}
	return fmt.Errorf("%s ended by itself (%s); its last lines:\n  %s", c.name, how, strings.Join(c.tail, "\n  "))
}

// stop asks the child to end and waits for it; one that does not is killed, which
// is an error.
func (c *child) stop() error {
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", c.name, err)
	}
	timer := time.NewTimer(stopLimit)
	defer timer.Stop()
	select {
	case <-c.done:
		return nil
	case <-timer.C:
	}
	_ = c.cmd.Process.Kill() // it may have ended this moment
	<-c.done
	return fmt.Errorf("stop %s: it did not end within %s and was killed", c.name, stopLimit)
}
