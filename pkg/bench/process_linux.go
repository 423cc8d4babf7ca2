package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// childAttr lets a child die with this process, however that ends, and keeps the
// terminal's Ctrl-C from it: it is stopped in its turn.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

// tick is the kernel's unit of processor time in /proc, USER_HZ; it is 100 on every
// architecture that Go runs on.
const tick = time.Second / 100

// cpuOf is the processor time that a process has used; 0 for pid 0, a process that
// is not ours to watch.
func cpuOf(pid int) (time.Duration, error) {
	if pid == 0 {
		return 0, nil
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("processor time of process %d: %w", pid, err)
	}
	// The name in parentheses may hold spaces: count from behind it.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	const user, system = 11, 12
	if len(fields) <= system {
		return 0, fmt.Errorf("processor time of process %d: %q", pid, text)
	}
	u, err1 := strconv.ParseInt(fields[user], 10, 64)
	s, err2 := strconv.ParseInt(fields[system], 10, 64)
	if err1 != nil || err2 != nil {
		return 0, fmt.Errorf("processor time of process %d: %q", pid, text)
	}
	return time.Duration(u+s) * tick, nil
}

// memoryOf is the resident memory of a process now and at its peak, in bytes.
func memoryOf(pid int) (now, peak float64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, fmt.Errorf("memory of process %d: %w", pid, err)
	}
	for line := range strings.Lines(string(text)) {
		for name, to := range map[string]*float64{"VmRSS:": &now, "VmHWM:": &peak} {
			if rest, ok := strings.CutPrefix(line, name); ok {
				kib, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
				if err != nil {
					return 0, 0, fmt.Errorf("memory of process %d: %q", pid, line)
				}
				*to = kib * 1024
			}
		}
	}
	return now, peak, nil
}

// availableMemory is what the kernel can still give to programs, in bytes.
func availableMemory() (float64, error) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "MemAvailable:"); ok {
			kib, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
			return kib * 1024, err
		}
	}
	return 0, fmt.Errorf("/proc/meminfo: no MemAvailable in %.80q", text)
}

// machineCPU is the processor time that all processes used, and what the hypervisor
// kept for itself.
func machineCPU() (busy, stolen time.Duration, err error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	var v [8]int64
	for i, f := range strings.Fields(line)[1:] {
		if i == len(v) {
			break
		}
		if v[i], err = strconv.ParseInt(f, 10, 64); err != nil {
			return 0, 0, fmt.Errorf("/proc/stat: %q", line)
		}
	}
	// user, nice, system, idle, iowait, irq, softirq, steal
	return time.Duration(v[0]+v[1]+v[2]+v[5]+v[6]) * tick, time.Duration(v[7]) * tick, nil
}
