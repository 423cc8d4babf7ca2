package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// instance is a running `serve` process.
type instance struct {
	t    testing.TB
	cmd  *exec.Cmd
	log  string
	done chan error
}

// serve starts a process and waits until it says that it serves.
func (w *world) serve(extra ...string) *instance {
	w.t.Helper()
	i := w.start(extra...)
	i.await(`"message":"serving"`)
	return i
}

// start starts a process.
func (w *world) start(extra ...string) *instance {
	w.t.Helper()
	path := filepath.Join(w.t.TempDir(), "serve.log")
	log, err := os.Create(path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer log.Close() //nolint:errcheck // the command has its own descriptor
	cmd := exec.Command(binary, "serve")
	cmd.Env = append(append(os.Environ(), w.env...), extra...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	i := &instance{t: w.t, cmd: cmd, log: path, done: make(chan error, 1)}
	go func() { i.done <- cmd.Wait(); close(i.done) }()
	w.t.Cleanup(i.kill)
	return i
}

// await waits until the log holds a text.
func (i *instance) await(text string) {
	i.t.Helper()
	eventually(i.t, 60*time.Second, func() error {
		select {
		case err := <-i.done:
			return fatal{fmt.Errorf("serve ended: %w\n%s", err, i.tail())}
		default:
		}
		if data, _ := os.ReadFile(i.log); !bytes.Contains(data, []byte(text)) {
			return fmt.Errorf("log has no %s\n%s", text, i.tail())
		}
		return nil
	})
}

func (i *instance) tail() string {
	data, _ := os.ReadFile(i.log)
	return string(data[max(0, len(data)-4000):])
}

// kill ends the process as a crash would.
func (i *instance) kill() {
	i.cmd.Process.Kill() //nolint:errcheck // it may have ended
	<-i.done             //nolint:errcheck // however it ended
}

// stop ends the process as an operator would, and wants exit code 0.
func (i *instance) stop() {
	i.t.Helper()
	if err := i.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		i.t.Fatal(err)
	}
	select {
	case err := <-i.done:
		if err != nil {
			i.t.Fatalf("serve: %v\n%s", err, i.tail())
		}
	case <-time.After(30 * time.Second):
		i.t.Fatalf("serve did not stop\n%s", i.tail())
	}
}
