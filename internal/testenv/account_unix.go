//go:build unix

package testenv

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// account is a user of the system: databases refuse to run as root.
type account struct{ uid, gid uint32 }

// unprivileged returns the first of the accounts that there is, or nobody's; nil where we are not root ourselves.
func unprivileged(names ...string) (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range append(names, "nobody") {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("account %s: %w", name, err)
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("account %s: %w", name, err)
		}
		return &account{uint32(uid), uint32(gid)}, nil
	}
	return nil, fmt.Errorf("no account to run a database as: none of %v, nor nobody", names)
}

// own gives the account a file or directory.
func (a *account) own(name string) error {
	if a == nil {
		return nil
	}
	return os.Chown(name, int(a.uid), int(a.gid))
}

// become is a child's attributes with which it runs as the account. It must begin so, not change to it later, since Linux
// then would no longer tie its life to ours.
func (a *account) become(attr *syscall.SysProcAttr) *syscall.SysProcAttr {
	if a == nil {
		return attr
	}
	if attr == nil {
		attr = &syscall.SysProcAttr{}
	}
	attr.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid}
	return attr
}
