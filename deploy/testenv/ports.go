package testenv

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
)

// Ports lie below Linux's ephemeral range (32768 and up), so that no outgoing
// connection takes a server's port while it is down for a restart.
const (
	firstPort = 20000
	portCount = 12000
)

// reserved keeps the lock files open: closing one would release its port.
var reserved struct {
	mu    sync.Mutex
	files map[int]*os.File
}

// FreePort reserves a loopback TCP port for this process until it calls
// ReleasePort or ends. Other processes that use this package do not get it
// meanwhile, whether something listens there or not.
func FreePort() (int, error) {
	dir := filepath.Join(os.TempDir(), "tidemark-testenv-ports")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return 0, fmt.Errorf("reserve a port: %w", err)
	}
	reserved.mu.Lock()
	defer reserved.mu.Unlock()
	for range 1000 {
		port := firstPort + rand.IntN(portCount)
		if reserved.files[port] != nil {
			continue
		}
		f, err := lockPort(dir, port)
		if errors.Is(err, errPortTaken) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("reserve a port: %w", err)
		}
		if reserved.files == nil {
			reserved.files = make(map[int]*os.File)
		}
		reserved.files[port] = f
		return port, nil
	}
	return 0, fmt.Errorf("reserve a port: none free between %d and %d", firstPort, firstPort+portCount-1)
}

// ReleasePort gives a port of FreePort back. A port that is not reserved is ignored.
func ReleasePort(port int) {
	reserved.mu.Lock()
	defer reserved.mu.Unlock()
	if f := reserved.files[port]; f != nil {
		_ = f.Close() // also releases the lock
		delete(reserved.files, port)
	}
}

var errPortTaken = errors.New("port taken")

// lockPort takes the port's lock file and proves that nothing listens there.
// The lock is the kernel's, so a killed test holds nothing.
func lockPort(dir string, port int) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, strconv.Itoa(port)), os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errPortTaken
		}
		return nil, err
	}
	l, err := net.Listen("tcp", loopback(port))
	if err != nil {
		_ = f.Close()
		return nil, errPortTaken
	}
	_ = l.Close()
	return f, nil
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
