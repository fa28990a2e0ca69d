package acl

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// ErrNoFile is the error of Load and Save if there is no file.
var ErrNoFile = Mistake("This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users in the Redis configuration.")

// File is the path of the file that users are kept in; "" if there is none.
func (u *Users) File() string {
	u.mu.RLock()
	defer u.mu.RUnlock()
	return u.file
}

// Open makes users of a file, which Load and Save use from now on.
func (u *Users) Open(path string, allChannels bool) error {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	u.mu.Lock()
	u.file = path
	u.mu.Unlock()
	_, err := u.Load(allChannels)
	return err
}

// Load makes the users be those of the file: all of them or, with an error that tells of each wrong line, none. It returns the
// users that are gone, which are all there were but the default user.
func (u *Users) Load(allChannels bool) (gone []*User, err error) {
	path := u.File()
	if path == "" {
		return nil, ErrNoFile
	}
	text, err := os.ReadFile(path)
	if err != nil {
		var cause *os.PathError
		if errors.As(err, &cause) {
			err = cause.Err
		}
		return nil, Mistake(fmt.Sprintf("Error loading ACLs, opening file '%s': %s", path, err))
	}
	loaded, complaints := parseFile(path, text, allChannels)
	if complaints != "" {
		return nil, Mistake(complaints + "WARNING: ACL errors detected, no change to the previously active ACL rules was performed")
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if loaded[DefaultName] == nil {
		loaded[DefaultName] = rightsOfDefault()
	}
	for name, user := range u.byName {
		if user != u.start {
			gone = append(gone, user)
			delete(u.byName, name)
			u.remove(user)
		}
	}
	for name, rights := range loaded {
		user := u.start
		if name != DefaultName {
			user = &User{name: name}
			u.byName[name] = user
		}
		u.keep(user, rights)
	}
	return gone, nil
}

// parseFile reads users, each in a line of the form "user name rule …". complaints are all mistakes, each with its line's number.
func parseFile(path string, text []byte, allChannels bool) (users map[string]*Rights, complaints string) {
	users = map[string]*Rights{}
	var b strings.Builder
	n := 0
	for line := range bytes.Lines(text) {
		n++
		words := strings.Split(strings.Trim(string(line), " \t\r\n"), " ")
		switch {
		case len(words) == 1 && words[0] == "":
		case words[0] != "user" || len(words) < 2:
			fmt.Fprintf(&b, "%s:%d should start with user keyword followed by the username. ", path, n)
		case hasSpaces(words[1]):
			fmt.Fprintf(&b, "'%s:%d: username '%s' contains invalid characters. ", path, n, words[1])
		case users[words[1]] != nil:
			fmt.Fprintf(&b, "WARNING: Duplicate user '%s' found on line %d. ", words[1], n)
		default:
			rights, wrong := parseLine(words[2:], allChannels)
			users[words[1]] = rights
			for _, w := range wrong {
				fmt.Fprintf(&b, "%s:%d: %s. ", path, n, w)
			}
		}
	}
	return users, b.String()
}

// parseLine reads the rules of a user. What is wrong is told without the rule, which may hold a password, unless it is about a
// command; of other mistakes only the first one is told, since the next may come of it.
func parseLine(words []string, allChannels bool) (rights *Rights, wrong []string) {
	d := rightsOfNobody(allChannels).draft(allChannels)
	rules, unclosed := merged(words)
	if unclosed >= 0 {
		return d.done(), []string{"Unmatched parenthesis in selector definition"}
	}
	told := false
	for _, rule := range rules {
		rule = strings.Trim(rule, "\t\r\n")
		switch err := d.apply(rule); {
		case err == nil:
		case errors.Is(err, errUnknown):
			wrong = append(wrong, fmt.Sprintf("Error in applying operation '%s': %v", rule, err))
		case !told:
			told = true
			wrong = append(wrong, err.Error())
		}
	}
	return d.done(), wrong
}

// Save writes all users to the file: to a new one beside it first, which takes its place when it is on the disk. Nobody but the
// owner may read it.
func (u *Users) Save() error {
	path := u.File()
	if path == "" {
		return ErrNoFile
	}
	var b bytes.Buffer
	for _, user := range u.All() {
		fmt.Fprintf(&b, "user %s %s\n", user.Name(), user.Rights().Line(false))
	}
	if err := replace(path, b.Bytes()); err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	return nil
}

// replace writes a file so that at any moment the old or the new one is there.
func replace(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".tmp-*") // with mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes a renaming last. Windows has no way to.
func syncDir(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
