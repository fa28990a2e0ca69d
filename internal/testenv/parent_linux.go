package testenv

import "syscall"

// dieWithParent has a child get the signal when its parent dies.
func dieWithParent(s syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: s}
}
