//go:build !unix

package testenv

import "syscall"

// account is nobody's: only unix systems have a root whom databases refuse to serve.
type account struct{}

func unprivileged(...string) (*account, error) { return nil, nil }

func (*account) own(string) error { return nil }

func (*account) become(attr *syscall.SysProcAttr) *syscall.SysProcAttr { return attr }
