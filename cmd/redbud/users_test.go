package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestServeTakesUsersOfFlagsAndOfAFile(t *testing.T) {
	s := serveOn(t, 1, nil, "--user", "alice on nopass ~a* +get +set", "--user", "default off")
	c := connect(t, "tcp", s.addresses[0])
	c.expect("PING", "(error) NOAUTH Authentication required.")
	c.expect("AUTH alice x", "OK")
	c.expect("SET b 1", "(error) NOPERM this user has no permissions to access one of the keys used as arguments")
	c.expect("SET a 1", "OK")

	s = serveOn(t, 1, nil, "--user", "alice on nopass +subscribe", "--set", "acl-pubsub-default=allchannels")
	c = connect(t, "tcp", s.addresses[0])
	c.expect("ACL DRYRUN alice SUBSCRIBE c", "OK")

	path := filepath.Join(t.TempDir(), "users.acl")
	if err := os.WriteFile(path, []byte("user bob on >secret ~* +@all\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s = serveOn(t, 1, nil, "--acl-file", path)
	c = connect(t, "tcp", s.addresses[0])
	c.expect("AUTH bob secret", "OK")
	c.expect("ACL SETUSER carol on nopass", "OK")
	c.expect("ACL SAVE", "OK")
	if text, err := os.ReadFile(path); err != nil || !strings.Contains(string(text), "user carol on nopass ") {
		t.Errorf("the file is %q, %v", text, err)
	}
}

func TestWrongUsersAreErrorsThatTellWhat(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users.acl")
	if err := os.WriteFile(path, []byte("user bob nosuch\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--user", "alice", "--user", "alice"}, "--user: user alice: Duplicate user found"},
		{[]string{"--user", "alice nosuch"}, "--user: user alice: Error in ACL SETUSER modifier 'nosuch': Syntax error"},
		{[]string{"--user", ""}, "--user: a user is a name without spaces, then rules"},
		{[]string{"--acl-file", path}, "--acl-file: " + path + ":1: Syntax error. "},
		{[]string{"--acl-file", path + "x"}, "--acl-file: Error loading ACLs, opening file '" + path + "x'"},
		{[]string{"--set", "aclfile=" + path}, "--set aclfile: "},
		{[]string{"--acl-file", path, "--user", "alice"}, "all users and their passwords stand in the file"},
		{[]string{"--acl-file", path, "--password", "x"}, "all users and their passwords stand in the file"},
	} {
		got := redbud(t, "", append([]string{"serve", "--listen", "127.0.0.1:0"}, c.args...)...)
		if got.code == 0 || !strings.Contains(got.errors, c.want) {
			t.Errorf("%q: exit %d, %s", c.args, got.code, got.errors)
		}
	}
}
