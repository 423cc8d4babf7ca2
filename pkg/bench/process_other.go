//go:build !linux

package bench

import (
	"errors"
	"syscall"
	"time"
)

var errNoProc = errors.New("processor time and memory are read from /proc, which only Linux has")

func childAttr() *syscall.SysProcAttr { return nil }

func cpuOf(int) (time.Duration, error) { return 0, errNoProc }

func memoryOf(int) (now, peak float64, err error) { return 0, 0, errNoProc }

func machineCPU() (busy, stolen time.Duration, err error) { return 0, 0, errNoProc }

func availableMemory() (float64, error) { return 0, errNoProc }
