//go:build !linux

package testenv

import "syscall"

// dieWithParent has nothing to ask for: only Linux ties a child's life to its parent's.
func dieWithParent(syscall.Signal) *syscall.SysProcAttr { return nil }
