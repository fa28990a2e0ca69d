package acl

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// set applies rules to a user.
func set(t testing.TB, u *Users, name, rules string) *User {
	t.Helper()
	user, _, err := u.Set(name, strings.Fields(rules), false)
	if err != nil {
		t.Fatal(err)
	}
	return user
}

func TestOnlyTheRightPasswordOfAnEnabledUserIsTaken(t *testing.T) {
	u := New()
	set(t, u, "alice", "on >one >two")
	set(t, u, "bob", "off >one")
	set(t, u, "carol", "on nopass")
	set(t, u, "dave", "on")
	for _, c := range []struct {
		name, password string
		right          bool
	}{
		{"alice", "one", true}, {"alice", "two", true}, {"alice", "three", false}, {"alice", "", false}, {"bob", "one", false},
		{"carol", "any", true}, {"carol", "", true}, {"dave", "", false}, {"dave", strings.Repeat("\x00", 32), false}, {"nobody", "one", false}, {"default", "x", true},
	} {
		user := u.Authenticate([]byte(c.name), []byte(c.password))
		if (user != nil) != c.right || user != nil && user.Name() != c.name {
			t.Errorf("%s with %q: %v", c.name, c.password, user)
		}
	}
}

func TestAWrongLoginIsAsMuchWorkWhoeverItIsFor(t *testing.T) {
	u := New()
	set(t, u, "alice", "on >a >b >c >d >e")
	set(t, u, "bob", "on >a")
	set(t, u, "off", "off >a >b")
	for _, rights := range []*Rights{nobody, u.Find("alice").Rights(), u.Find("bob").Rights(), u.Find("off").Rights(), u.Default().Rights()} {
		for _, password := range []string{"a", "e", "wrong", ""} {
			if _, n := rights.proves([]byte(password), u.most); n != 5 {
				t.Errorf("%s: %d comparisons with %q, want 5", rights.Line(false), n, password)
			}
		}
	}
}

func TestChangesAreSeenByVersion(t *testing.T) {
	u := New()
	before := u.Version()
	alice := set(t, u, "alice", "on nopass")
	if u.Version() == before || u.Find("alice") != alice {
		t.Error("a new user is not seen")
	}
	before = u.Version()
	if _, _, err := u.Set("alice", []string{"+get", "nosuch"}, false); err == nil || err.Error() != "Error in ACL SETUSER modifier 'nosuch': Syntax error" {
		t.Errorf("a wrong rule: %v", err)
	}
	if u.Version() != before || check(t, alice.Rights(), "GET k") != "command" {
		t.Error("a wrong rule has changed something")
	}
	if u.Delete("alice") != alice || !alice.Gone() || u.Version() == before || u.Find("alice") != nil || u.Delete("alice") != nil {
		t.Error("a deleted user is still there")
	}
	if u.Authenticate([]byte("alice"), nil) != nil || alice.Rights().Enabled() {
		t.Error("one can become a deleted user")
	}
	if u.Delete(DefaultName) != nil {
		t.Error("the default user was deleted")
	}
	if _, _, err := u.Set("a b", nil, false); err == nil {
		t.Error("a name with a space was taken")
	}
}

func TestLostChannelsAreTold(t *testing.T) {
	for _, c := range []struct {
		was, rules string
		deaf       bool
	}{
		{"&a &b", "&c", false}, {"&a &b", "resetchannels &a", true}, {"&a &b", "resetchannels &b &a", false}, {"&a", "allchannels", false},
		{"allchannels", "resetchannels &a", true}, {"&a", "resetchannels (&a)", false}, {"(&a)", "clearselectors", true}, {"&a", "+get", false},
	} {
		u := New()
		set(t, u, "u", c.was)
		if _, deaf, err := u.Set("u", strings.Fields(c.rules), false); deaf != c.deaf || err != nil {
			t.Errorf("%s, then %s: %v %v", c.was, c.rules, deaf, err)
		}
	}
}

func TestThePasswordOfTheDefaultUserIsRequirepass(t *testing.T) {
	u := New()
	u.SetPassword("a\x00b")
	if u.Default().Rights().Open() || u.Authenticate([]byte("default"), []byte("a")) != nil || u.Authenticate([]byte("default"), []byte("a\x00b")) == nil {
		t.Error("the password is not asked for")
	}
	u.SetPassword("")
	if !u.Default().Rights().Open() || len(u.Default().Rights().Passwords()) != 0 || !u.Default().Rights().Everything() {
		t.Errorf("without a password: %s", u.Default().Rights().Line(false))
	}
}

func TestUsersAreDeclaredOnce(t *testing.T) {
	u := New()
	for _, c := range []struct{ line, want string }{
		{"alice on nopass", ""}, {"default on >x ~*", ""}, {"alice off", "user alice: Duplicate user found. A user can only be defined once in config files"},
		{"default", "user default: Duplicate user found. A user can only be defined once in config files"}, {"", "a user is a name without spaces, then rules"},
		{"bob nosuch", "user bob: Error in ACL SETUSER modifier 'nosuch': Syntax error"},
	} {
		err := u.Declare(strings.Fields(c.line), false)
		if err == nil && c.want != "" || err != nil && err.Error() != c.want {
			t.Errorf("%q: %v", c.line, err)
		}
	}
	if u.Default().Rights().Everything() || u.Find("bob") != nil {
		t.Error("declarations are mixed with what was there before")
	}
}

func TestRefusalsThatAreTheSameCountAsOneForAMinute(t *testing.T) {
	var l Log
	at := time.Unix(1000, 0)
	add := func(object string, after time.Duration) {
		l.Add(Entry{Reason: Key, Context: "toplevel", Object: object, User: "u", Client: object, At: at.Add(after)}, 20)
	}
	add("a", 0)
	add("b", time.Second)
	add("a", 2*time.Second)
	list := l.Newest(10)
	if len(list) != 2 || list[0].Object != "a" || list[0].Count != 2 || !list[0].Made.Equal(at) || !list[0].At.Equal(at.Add(2*time.Second)) || list[0].ID != 0 || list[1].ID != 1 {
		t.Errorf("the log is %+v", list)
	}
	add("a", 63*time.Second)
	if list = l.Newest(10); len(list) != 3 || list[0].Count != 1 || list[0].ID != 2 {
		t.Errorf("after a minute the log is %+v", list)
	}
	for i := range 10 {
		add(strconv.Itoa(i), 64*time.Second)
	}
	add("a", 65*time.Second) // only ten are looked at
	if list = l.Newest(1); list[0].Object != "a" || list[0].Count != 1 {
		t.Errorf("after ten others the log is %+v", list)
	}
	if l.Reset(); len(l.Newest(10)) != 0 {
		t.Error("the log is not empty")
	}
}

func TestTheLogGrowsNoFurtherThanItsLimit(t *testing.T) {
	var l Log
	long := strings.Repeat("x", 1<<16)
	n := 1_000_000
	if testing.Short() {
		n = 10_000
	}
	for i := range n {
		object := strconv.Itoa(i)
		if i%1000 == 0 {
			object += long
		}
		l.Add(Entry{Reason: Key, Object: object, User: "u"}, 128)
	}
	list := l.Newest(int64(n))
	if len(list) != 128 || cap(l.entries) > 256 || list[0].Object != strconv.Itoa(n-1) {
		t.Errorf("%d entries in room for %d, the newest being %s", len(list), cap(l.entries), list[0].Object)
	}
	l.Add(Entry{Object: long, User: long}, 5)
	list = l.Newest(1000)
	if len(list) != 5 || len(list[0].Object) > 2*mostObject || len(list[0].User) > 2*mostObject {
		t.Errorf("%d entries, the newest of %d bytes", len(list), len(list[0].Object))
	}
	if l.Add(Entry{Object: "y"}, 0); len(l.Newest(1)) != 0 {
		t.Error("a log of no length has an entry")
	}
}

func TestUsersAreSavedAndLoaded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users.acl")
	if err := os.WriteFile(path, []byte("\n user alice on >secret ~a* +@read (+set ~b) \r\nuser bob off\n\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	u := New()
	if err := u.Save(); err != ErrNoFile {
		t.Errorf("without a file: %v", err)
	}
	if err := u.Open(path, false); err != nil {
		t.Fatal(err)
	}
	alice := u.Find("alice")
	if u.Authenticate([]byte("alice"), []byte("secret")) != alice || check(t, alice.Rights(), "SET b 1") != "" || !u.Default().Rights().Everything() {
		t.Error("the users are not those of the file")
	}
	set(t, u, "carol", "on +get -@string %R~c &x")
	if err := u.Save(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	want := "user alice on #2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b ~a* resetchannels -@all +@read (~b resetchannels -@all +set)\n" +
		"user bob off resetchannels -@all\nuser carol on %R~c resetchannels &x -@all +get -@string\nuser default on nopass ~* &* +@all\n"
	if err != nil || string(text) != want {
		t.Errorf("the file is %q, %v", text, err)
	}
	if info, err := os.Stat(path); runtime.GOOS != "windows" && (err != nil || info.Mode().Perm() != 0o600) {
		t.Errorf("the file has mode %v, %v", info.Mode(), err)
	}
	set(t, u, "dave", "on")
	gone, err := u.Load(false)
	if err != nil || len(gone) != 4 || !alice.Gone() || u.Find("dave") != nil || u.Find("alice") == alice || u.Find("carol").Rights().Line(false) != "on %R~c resetchannels &x -@all +get -@string" {
		t.Errorf("%d users are gone, %v", len(gone), err)
	}
	if files, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); err != nil || len(files) != 1 {
		t.Errorf("files are left: %v, %v", files, err)
	}
}

func TestAWrongFileChangesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users.acl")
	u := New()
	if err := u.Open(path, false); err == nil || err.Error() != "Error loading ACLs, opening file '"+path+"': no such file or directory" && runtime.GOOS != "windows" {
		t.Errorf("without a file: %v", err)
	}
	set(t, u, "alice", "on nopass")
	version := u.Version()
	const unchanged = "WARNING: ACL errors detected, no change to the previously active ACL rules was performed"
	for text, want := range map[string]string{
		"user a on\nuser b nosuch\nuser c +nosuch +get +other ~* ~a": path + ":2: Syntax error. " + path + ":3: Error in applying operation '+nosuch': Unknown command or category name in ACL. " + path + ":3: Error in applying operation '+other': Unknown command or category name in ACL. " + path + ":3: " + string(errAllKeys) + ". ",
		"\n\nuser a on\nuser a off":                                  "WARNING: Duplicate user 'a' found on line 4. ",
		"alice on":                                                   path + ":1 should start with user keyword followed by the username. ",
		"user":                                                       path + ":1 should start with user keyword followed by the username. ",
		"user a\tb on":                                               "'" + path + ":1: username 'a\tb' contains invalid characters. ",
		"user a (+get":                                               path + ":1: Unmatched parenthesis in selector definition. ",
		"user a >secret <other nosuch":                               path + ":1: The password you are trying to remove from the user does not exist. ",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if gone, err := u.Load(false); gone != nil || err == nil || err.Error() != want+unchanged {
			t.Errorf("%q: %v", text, err)
		}
	}
	if u.Version() != version || u.Find("alice") == nil || len(u.All()) != 2 {
		t.Error("a wrong file has changed the users")
	}
}

func TestAFileThatCannotBeWrittenStaysAsItWas(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	u := New()
	if err := u.Open(filepath.Join(dir, "users.acl"), false); err == nil {
		t.Error("a folder that is not there was opened")
	}
	if err := u.Save(); err == nil || err == ErrNoFile {
		t.Errorf("saved into a folder that is not there: %v", err)
	}
}
