// Package acl is Redis's Access Control Lists: users, what each of them may call, on which keys and channels, how one becomes a
// user, what was refused, and the file that users are kept in.
package acl

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// DefaultName is the user that connections begin as.
const DefaultName = "default"

// Users are all users. They are safe for concurrent use.
type Users struct {
	Log Log // what was refused

	version atomic.Uint64
	start   *User // the default user, which is never deleted

	mu     sync.RWMutex // guards what follows
	byName map[string]*User
	most   int // of passwords that a user has or had
	file   string
	given  bool // the default user's rights were declared
}

// User is one of them. Its rights change; who deletes a user makes its rights those of nobody.
type User struct {
	name   string
	rights atomic.Pointer[Rights]
	gone   atomic.Bool
}

// New returns users of which there is one: default, who may do everything and needs no password.
func New() *Users {
	u := &Users{start: &User{name: DefaultName}, most: 1}
	u.start.rights.Store(rightsOfDefault())
	u.byName = map[string]*User{DefaultName: u.start}
	return u
}

// rightsOfDefault are those that the default user has at first.
func rightsOfDefault() *Rights {
	d := rightsOfNobody(false).draft(false)
	for _, rule := range []string{"on", "nopass", "~*", "&*", "+@all"} {
		if err := d.apply(rule); err != nil {
			panic(err)
		}
	}
	return d.done()
}

// Name is the user's name.
func (u *User) Name() string { return u.name }

// Rights are what the user may do now.
func (u *User) Rights() *Rights { return u.rights.Load() }

// Gone reports whether the user was deleted.
func (u *User) Gone() bool { return u.gone.Load() }

// Version is another number after every change: what follows from rights may be kept as long as it stays.
func (u *Users) Version() uint64 { return u.version.Load() }

// Default is the user that connections begin as.
func (u *Users) Default() *User { return u.start }

// Find is the user with a name; nil if there is none.
func (u *Users) Find(name string) *User {
	u.mu.RLock()
	defer u.mu.RUnlock()
	return u.byName[name]
}

// All are the users in the order of their names.
func (u *Users) All() []*User {
	u.mu.RLock()
	defer u.mu.RUnlock()
	list := make([]*User, 0, len(u.byName))
	for _, name := range slices.Sorted(maps.Keys(u.byName)) {
		list = append(list, u.byName[name])
	}
	return list
}

// Authenticate is the user with a name, if the password is right and the user is enabled; nil otherwise. How long it takes does not
// depend on whether there is such a user, nor on what is wrong.
func (u *Users) Authenticate(name, password []byte) *User {
	u.mu.RLock()
	user, most := u.byName[string(name)], u.most
	u.mu.RUnlock()
	rights := nobody
	if user != nil {
		rights = user.Rights()
	}
	if right, _ := rights.proves(password, most); !right {
		return nil
	}
	return user
}

// nobody is compared with where there is no user.
var nobody = rightsOfNobody(false)

// proves reports whether a password is right for who has the rights, by at least so many comparisons, which it counts.
func (r *Rights) proves(password []byte, most int) (right bool, comparisons int) {
	sum := sha256.Sum256(password)
	var none digest // which no password has for a digest that anybody knows
	found := 0
	for i := range max(most, len(r.passwords)) {
		with, counts := &none, 0
		if i < len(r.passwords) {
			with, counts = &r.passwords[i], 1
		}
		found |= counts & subtle.ConstantTimeCompare(sum[:], with[:])
		comparisons++
	}
	return r.on && (r.noPass || found == 1), comparisons
}

// Set applies rules to a user, whom it makes if there is none: all of them or, with an error in the words of ACL SETUSER, none.
// allChannels is what new selectors may listen to. deaf reports that who listens may have lost the right to.
func (u *Users) Set(name string, rules []string, allChannels bool) (user *User, deaf bool, err error) {
	if hasSpaces(name) {
		return nil, false, Mistake("Usernames can't contain spaces or null characters")
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	was := rightsOfNobody(allChannels)
	if user = u.byName[name]; user != nil {
		was = user.Rights()
	}
	rights, err := changed(was, rules, allChannels)
	if err != nil {
		return nil, false, err
	}
	if user == nil {
		user = &User{name: name}
		u.byName[name] = user
	}
	u.keep(user, rights)
	return user, !rights.keepsChannels(was), nil
}

// changed are rights after rules, or an error in the words of ACL SETUSER.
func changed(was *Rights, words []string, allChannels bool) (*Rights, error) {
	rules, unclosed := merged(words)
	if unclosed >= 0 {
		return nil, Mistake("Unmatched parenthesis in acl selector starting at '" + words[unclosed] + "'.")
	}
	d := was.draft(allChannels)
	for _, rule := range rules {
		if err := d.apply(rule); err != nil {
			return nil, Mistake("Error in ACL SETUSER modifier '" + rule + "': " + err.Error())
		}
	}
	return d.done(), nil
}

// keep gives a user rights. mu is held.
func (u *Users) keep(user *User, rights *Rights) {
	user.rights.Store(rights)
	u.most = max(u.most, len(rights.passwords))
	u.version.Add(1)
}

// Delete deletes a user, who must not be the default user; nil if there is none.
func (u *Users) Delete(name string) *User {
	u.mu.Lock()
	defer u.mu.Unlock()
	user := u.byName[name]
	if user == nil || user == u.start {
		return nil
	}
	delete(u.byName, name)
	u.remove(user)
	return user
}

// remove takes all rights of a user, who is no longer to be found. mu is held.
func (u *Users) remove(user *User) {
	user.gone.Store(true)
	u.keep(user, nobody)
}

// SetPassword gives the default user just this password; "" means that any is right. It is requirepass.
func (u *Users) SetPassword(text string) {
	rules := []string{"resetpass", "nopass"}
	if text != "" {
		rules = []string{"resetpass", ">" + text}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	d := u.start.Rights().draft(false)
	for _, rule := range rules {
		if err := d.apply(rule); err != nil {
			panic(err) // these rules are always right
		}
	}
	u.keep(u.start, d.done())
}

// Declare makes a user of a line of configuration: a name, then rules. No user may be declared twice.
func (u *Users) Declare(words []string, allChannels bool) error {
	if len(words) == 0 || hasSpaces(words[0]) {
		return fmt.Errorf("a user is a name without spaces, then rules")
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	name := words[0]
	user := u.byName[name]
	if user != nil && (user != u.start || u.given) {
		return fmt.Errorf("user %s: %w", name, errDuplicate)
	}
	rights, err := changed(rightsOfNobody(allChannels), words[1:], allChannels)
	if err != nil {
		return fmt.Errorf("user %s: %w", name, err)
	}
	if user == nil {
		user = &User{name: name}
		u.byName[name] = user
	} else {
		u.given = true
	}
	u.keep(user, rights)
	return nil
}
