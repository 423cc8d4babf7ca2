//go:build !linux

package testenv

import "syscall"

// childAttr puts a child in its own process group. Only Linux can kill a child
// with its parent; elsewhere a killed test leaves its servers behind.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
