// Package keyspace is the contract of storage: what the commands need of a store, and no more. Memory and SQL
// implement it; package command gives it Redis's meaning.
//
// All primitives are plural where a store gains by it. A missing key is an empty collection, the first
// insertion creates it and the last removal drops it, so that no command has to.
//
// A []byte that a method is given is borrowed until it returns; stores copy what they keep. A []byte that a
// method hands out is borrowed too: what it returns is valid until the next write of the transaction or its end,
// what it gives a visitor until the visitor returns.
package keyspace

import (
	"context"
	"errors"
)

// Type is what a key holds.
type Type uint8

// The types, in the order in which they were added to Redis. None is a missing key.
const (
	None Type = iota
	String
	List
	Set
	SortedSet
	Hash
	Stream
)

// String is the name that TYPE and SCAN TYPE use.
func (t Type) String() string {
	return [...]string{"none", "string", "list", "set", "zset", "hash", "stream"}[t]
}

// Databases is how many numbered databases every store has, from 0.
const Databases = 16

// Errors that stores return for a command to pass on.
var (
	ErrWrongType  = errors.New("key holds another type")
	ErrNotInteger = errors.New("value is not an integer")
	ErrOverflow   = errors.New("sum does not fit 64 bits")
	ErrClosed     = errors.New("store is closed")

	// ErrCut is what Begin returns when the wait was cut short, as Cuttable says.
	ErrCut = errors.New("wait for a transaction was cut short")

	// ErrConflict, from any method of a Tx, means that another transaction got in the way: run it again.
	ErrConflict = errors.New("transaction conflict")
)

// Errors of stores that keep keys in a database or in files of their own, from Begin or any method of a Tx. They are wrapped, with
// what the database says of it. Nothing of the transaction stays, but for ErrInDoubt.
var (
	// ErrLost means that the database is not there any more, or not the one that it was. Store and database find each other
	// again: another try may go well.
	ErrLost = errors.New("the database was lost")

	// ErrInDoubt, from Commit, means that nobody knows whether the transaction stays: the database was lost before it could say.
	ErrInDoubt = errors.New("the database was lost while it committed, perhaps after it had")

	ErrBusy     = errors.New("the database is busy")          // for longer than one waits
	ErrReadOnly = errors.New("the database can only be read") // by this process at least
	ErrFull     = errors.New("the database is full")          // or its disk
	ErrTooLarge = errors.New("too large for the database")    // a value, a name or a statement
	ErrDamaged  = errors.New("the database is damaged")       // or no database

	// ErrBeginAgain is a conflict in a transaction that is not the store's own: only whoever began it can try again.
	ErrBeginAgain = errors.New("another transaction got in the way, this one has to begin again")

	// ErrDeaf is what Join returns inside a transaction that is not the store's own.
	ErrDeaf = errors.New("nothing is heard inside an SQL transaction, so there is no subscribing")
)

// Store keeps keys. All methods may be called by many goroutines at once.
type Store interface {
	// Begin starts a transaction. It waits for its turn; the context ends the wait.
	Begin(ctx context.Context, a Access) (Tx, error)
	// Watch remembers the keys of a database as they are now.
	Watch(ctx context.Context, db int, keys [][]byte, now int64) (Watch, error)
	// Wait runs try in a transaction of its own, at once and again whenever one of a.Keys was written, until try
	// reports done or an error, which it returns. Those who wait for one key have their turn in the order in which they
	// came, before anybody else sees what was written. While it waits, try may run in any goroutine, one at a time; a try
	// that is not done must have written nothing. When the context ends first, the error is its cause, and what is written
	// from then on is left to others.
	Wait(ctx context.Context, a Access, try func(Tx) (done bool, err error)) error
	// Close gives everything back. Transactions that run are finished first; those who wait get ErrClosed.
	Close() error
}

// Access says what a transaction will do, so that a store can lock no more than that.
type Access struct {
	DB    int
	Now   int64    // milliseconds since 1970: what is expired by then does not exist
	Write bool     // false: it only reads
	Keys  [][]byte // keys it is going to touch, for stores with NeedKeys; it may touch others
	All   bool     // it may touch any key
	Alone bool     // nobody else's transaction that writes begins or ends while it lasts, so none has to wait for it
	Gone  bool     // Wait: try also when a key was removed, not only when there is one

	Observer Observer // is told what becomes of keys; nil: the one that Observe was given
	Lookup   *Lookup  // how keys count that are looked up; nil: as nothing but a use
}

// Lookup says how looking keys up counts. Whoever has the transaction may change it from call to call.
type Lookup struct {
	Counts bool // as a hit or a miss, of which the observer is told
	Unused bool // not as a use of the key
	Kept   bool // a key that has expired is missing, and not removed; nothing is written then
	Waited bool // set by Begin where the transaction had to wait for its turn
}

// Observer is told what becomes of keys, by whichever goroutine has the transaction.
type Observer interface {
	// Note is told that a key was written or removed; nil: all keys of the database may have been. event is the name of what
	// the store did to the key of its own accord ("expired", "evicted", "hexpired" and, with the last field, "del"),
	// "keymiss" for a lookup that counts as a miss or, before it is told as written, "new" for a key that was missing, in a
	// call of its own; "" otherwise.
	Note(db int, key []byte, event string)
	// Done is told that the transaction is about to end, for those who must keep the order of transactions. kept says whether what it
	// wrote stays.
	Done(kept bool)
}

// FieldObserver is implemented by observers that may want to know which fields of hashes expire.
type FieldObserver interface {
	// Fields is told of fields that have expired, before "hexpired" is noted, unless the whole key has. list is called at once or
	// not at all.
	Fields(db int, key []byte, list func() [][]byte)
}

// Observed is implemented by stores that can tell what becomes of keys.
type Observed interface {
	// Observe names the observer of transactions that have none: the store's own among them.
	Observe(o Observer)
}

// Cuttable is implemented by stores in which one transaction may hold up others for long.
type Cuttable interface {
	// CutBy names what ends the wait for a transaction's turn with ErrCut: the closing of the channel that cut returns, which is
	// called when a wait begins. It comes before the first transaction.
	CutBy(cut func() <-chan struct{})
}

// Timed is implemented by observers that want to know how long a store does something of its own accord: "expire-cycle",
// "eviction-cycle".
type Timed interface{ Took(event string, ms int64) }

// Guest is implemented by the Tx of an Observed store: a try of Store.Wait may run in another's transaction.
type Guest interface{ Observer() Observer }

// Releaser is implemented by a Tx that keeps what Hash, List, Set, ZSet and Stream return until it ends. Release tells it that nobody
// uses any of that any more: a script makes many calls in one transaction.
type Releaser interface{ Release() }

// Shared is implemented by stores whose keys other processes may have as well. Who writes leaves them records of what it did, in
// the transaction itself: they hear of it if, and only if, it is committed, in the order of commits.
type Shared interface {
	// Share names who tells and hears. It comes before the first transaction.
	Share(p Peer)
	// Join makes known to the other processes what the peer wants to hear of: of what they commit once it has returned, it hears.
	// Who calls it has no transaction.
	Join(ctx context.Context) error
}

// Peer is who shares a store with those of other processes. What can be wanted, as bits, and what records say, only peers know.
type Peer interface {
	// Wants is what the peer wants to hear of; 0: nothing. Any goroutine may call it.
	Wants() uint64
	// Wanted tells what others want to hear of, before a transaction that writes does anything, where that has changed.
	Wanted(what uint64)
	// Hear tells what another has recorded, soon after it was committed; nil: records may have been missed. It may keep the bytes.
	Hear(record []byte)
}

// Recorder is implemented by observers that have something to tell other processes.
type Recorder interface {
	// Record is what others are to hear of the transaction, which is about to be committed; empty: nothing. It is asked for only
	// while they want to hear of anything.
	Record() []byte
}

// KeyNeeder is implemented by stores that gain by knowing the keys beforehand. For others Access.Keys is left out.
type KeyNeeder interface{ NeedKeys() bool }

// Watch is what Store.Watch saw.
type Watch interface {
	// Changed reports whether any of the keys was written, or expired, since. tx is of the same store.
	Changed(tx Tx) (bool, error)
	Release()
}

// Entry is what a store knows of a key without looking into its value.
type Entry struct {
	Type     Type
	ExpireAt int64 // milliseconds since 1970; 0: never
}

// Details is what OBJECT tells of a key.
type Details struct {
	Encoding string // Redis's name of the representation: "int", "embstr", "listpack" …
	Idle     int64  // milliseconds since the last access; 0 from a store that does not keep uses
	Freq     int    // logarithmic access counter, 0 to 255; as Idle
}

// Expiry values besides a time in milliseconds since 1970.
const (
	Never   int64 = 0  // the key, or the field of a hash, does not expire
	KeepTTL int64 = -1 // for Tx.Put and HashKey.Set: what it had
	NoField int64 = -2 // from HashKey.ExpireTimes: the field is missing
)

// Tx is a transaction. It belongs to one goroutine and ends by Commit or Rollback.
type Tx interface {
	// Select makes db the database of the calls that follow.
	Select(db int) error

	// Entries appends what is known of each key; a missing one has Type None.
	Entries(keys [][]byte, dst []Entry) ([]Entry, error)
	// Details tells about one key, without counting as an access to it; ok is false if it is missing.
	Details(key []byte) (d Details, ok bool, err error)
	// Touch counts as an access to the keys and returns how many there are.
	Touch(keys [][]byte) (int, error)
	// Delete removes keys of any type and returns how many there were.
	Delete(keys [][]byte) (int, error)
	// Expire sets when the key expires, or Never; false if it is missing.
	Expire(key []byte, at int64) (bool, error)
	// Move gives the entry at src, with value and expiry, the name dst in database db; what was there
	// is gone. False if src is missing.
	Move(src []byte, db int, dst []byte) (bool, error)
	// Copy is Move that leaves src as it is.
	Copy(src []byte, db int, dst []byte) (bool, error)
	// Scan visits keys from cursor on (0 starts) until it has looked at about count of them, and returns the
	// cursor to go on from, 0 at the end. A key that exists from the first call to the last is visited at least
	// once. f must not write.
	Scan(cursor uint64, count int, f func(key []byte, e Entry)) (uint64, error)
	// Random returns some key, each with equal chance as nearly as the store can; nil if there is none.
	Random() ([]byte, error)
	// Len returns how many keys there are, and how many of them have an expiry. Expired ones that are not
	// yet swept may count.
	Len() (keys, expiring int, err error)
	// Clear removes all keys of the database.
	Clear() error
	// Swap exchanges two databases.
	Swap(a, b int) error

	// Get appends the string values of the keys; nil for a missing key. A key of another type appends nil too,
	// and the error is ErrWrongType once all are appended.
	Get(keys, dst [][]byte) ([][]byte, error)
	// Put stores strings, key and value in turn, in place of whatever is there, to expire at a time, Never or
	// KeepTTL.
	Put(pairs [][]byte, at int64) error
	// Add adds to the integer that a string spells, 0 if missing, and keeps the expiry.
	// ErrWrongType, ErrNotInteger, ErrOverflow: nothing changed.
	Add(key []byte, delta int64) (int64, error)
	// Append appends to a string, empty if missing, keeps the expiry and returns the new length.
	Append(key, value []byte) (int, error)
	// SetRange overwrites a string from offset on, padding with zero bytes, keeps the expiry and returns the
	// new length.
	SetRange(key []byte, offset int, value []byte) (int, error)

	// The collections: ErrWrongType if the key holds another type. A collection is valid until the key is
	// touched in another way or the transaction ends.
	Hash(key []byte) (HashKey, error)
	List(key []byte) (ListKey, error)
	Set(key []byte) (SetKey, error)
	SortedSet(key []byte) (SortedSetKey, error)
	Stream(key []byte) (StreamKey, error)

	// Settle ends a call whose effects others may see although more calls follow: those who Wait have their turn.
	Settle() error
	Commit() error
	// Rollback ends the transaction. What it wrote may stay: commands refuse before they write.
	Rollback()
}

// Limits say how large a collection may get before a store that keeps small ones in a form of their own keeps it in
// another: numbers of elements, and bytes of a single one. They are settings of Redis.
type Limits struct {
	HashEntries, HashValue           int
	SetIntegers                      int // elements of a set that are all integers
	SetEntries, SetValue             int
	SortedSetEntries, SortedSetValue int
	ListSize                         int // elements of a list; -1 to -5: 4 KiB, 8 KiB and so on to 64 KiB, as a listpack
}

// DefaultLimits are those of Redis 7.2.
func DefaultLimits() *Limits {
	return &Limits{
		HashEntries: 512, HashValue: 64,
		SetIntegers: 512, SetEntries: 128, SetValue: 64,
		SortedSetEntries: 128, SortedSetValue: 64,
		ListSize: -2,
	}
}

// Limited is implemented by stores that heed Limits. SetLimits may be called at any time, from within a transaction
// too; a collection takes its form when it is next written.
type Limited interface{ SetLimits(Limits) }

// Counts is what a store has counted since it was opened.
type Counts struct {
	Hits, Misses     int64 // keys looked up for reading: there, or not
	Expired, Evicted int64 // keys that went by themselves
}

// Memory says how much of it keys may take, and which of them give way where it is short. They are settings of Redis.
type Memory struct {
	Most     int64   // bytes; 0: any
	Victims  Victims // what gives way
	Volatile bool    // of the keys that expire alone
	Samples  int     // keys that are looked at to find a victim

	// The counter of uses of Details: it grows the more slowly the larger the factor, and loses one each time so many minutes
	// have passed; 0: never.
	LogFactor, DecayTime int
}

// Victims is which keys give way.
type Victims uint8

// The kinds of victims. Uses are counted only where the least used keys give way.
const (
	NoVictims     Victims = iota // none: who wants to write is refused
	LeastRecent                  // those that were not used for long
	LeastFrequent                // those that are used least
	AnyVictims                   // any
	NextToExpire                 // those that expire first
)

// Bounded is implemented by stores that heed Memory. SetMemory may be called at any time, from within a transaction too.
type Bounded interface{ SetMemory(Memory) }

// Keeper is implemented by stores that remove keys of their own accord, between transactions: expired ones, and those that give
// way. Keep makes them leave that alone, or no more. It may be called at any time, from within a transaction too.
type Keeper interface{ Keep(on bool) }

// Sizer is implemented by the Tx of a store that knows what keys take.
type Sizer interface {
	// Size is how many bytes a key takes. Of a large collection it looks at so many elements, or at all with 0; ok is false if
	// the key is missing. It does not count as an access.
	Size(key []byte, samples int) (bytes int64, ok bool, err error)
}

// Meter is implemented by the Tx of a Bounded store.
type Meter interface {
	Sizer
	// Used is how many bytes all keys take.
	Used() int64
	// Tables is how many of them are what finds the keys of the database, and those that expire.
	Tables() (keys, expiring int64)
	// Fit removes keys, if too much memory is taken, and reports whether there is room now or more of it with each call.
	Fit() (bool, error)
}

// UseSetter is implemented by the Tx of a store that can be told how a key was used.
type UseSetter interface {
	// SetUse sets since how many milliseconds a key was not used and its counter of uses, 0 to 255, as Details tells them.
	// What is negative stays as it is; false if the key is missing.
	SetUse(key []byte, idle int64, freq int) (bool, error)
}

// SetUse is UseSetter.SetUse, which does nothing where a store does not know it.
func SetUse(tx Tx, key []byte, idle int64, freq int) error {
	t, ok := tx.(UseSetter)
	if !ok {
		return nil
	}
	_, err := t.SetUse(key, idle, freq)
	return err
}

// Sweeper is implemented by the Tx of a store that removes expired keys, and fields, of its own accord.
type Sweeper interface {
	// Sweep turns it on and off. What is expired does not exist all the same.
	Sweep(on bool)
}

// Counter is implemented by the Tx of a store that counts.
type Counter interface{ Counts() Counts }

// HashKey is the hash at a key: fields with values. A field may expire by itself; once it has, it is missing, and the hash with
// its last field.
type HashKey interface {
	Len() (int, error)
	// Get appends the values of the fields; nil for a missing one.
	Get(fields, dst [][]byte) ([][]byte, error)
	// Set stores fields, field and value in turn, to expire at a time yet to come, Never or KeepTTL, and returns how many are
	// new.
	Set(pairs [][]byte, at int64) (added int, err error)
	Delete(fields [][]byte) (removed int, err error)
	// Expire makes fields expire at a time, or Never, where the condition holds, and appends what became of each. A time that
	// has passed removes them. They are dealt with one after the other, should one be named twice.
	Expire(fields [][]byte, at int64, only Condition, dst []FieldChange) ([]FieldChange, error)
	// ExpireTimes appends when each of the fields expires, Never or NoField.
	ExpireTimes(fields [][]byte, dst []int64) ([]int64, error)
	// Each visits all fields. f must not write.
	Each(f func(field, value []byte)) error
	// EachExpiry is Each that tells when a field expires, or Never.
	EachExpiry(f func(field, value []byte, at int64)) error
	// Scan is Tx.Scan for fields.
	Scan(cursor uint64, count int, f func(field, value []byte)) (uint64, error)
	// Random visits n different fields in random order, or all there are; with n < 0, -n fields that may repeat.
	Random(n int, f func(field, value []byte)) error
}

// Condition says of which fields HashKey.Expire changes the expiry.
type Condition uint8

// The conditions. A field that never expires counts as expiring at the end of time.
const (
	Always     Condition = iota
	IfNever              // those that do not expire yet
	IfExpiring           // those that do
	IfLater              // those that expire before the new time
	IfEarlier            // those that expire after it
)

// Holds reports whether the condition lets a new expiry, which is not Never, take the place of one.
func (c Condition) Holds(old, at int64) bool {
	switch c {
	case IfNever:
		return old == Never
	case IfExpiring:
		return old != Never
	case IfLater:
		return old != Never && at > old
	case IfEarlier:
		return old == Never || at < old
	}
	return true
}

// FieldChange is what became of a field by HashKey.Expire.
type FieldChange uint8

// The changes.
const (
	FieldMissing FieldChange = iota // there is no such field
	FieldKept                       // the condition did not hold, or what should never expire did not anyway
	FieldChanged                    // it has the new expiry
	FieldRemoved                    // it is gone: the time has passed
)

// End is one end of a list.
type End bool

// The ends of a list.
const (
	Left  End = false
	Right End = true
)

// ListKey is the list at a key. Indexes count from 0; negative ones from the end, -1 being the last.
type ListKey interface {
	Len() (int, error)
	// Push adds values at an end, one after the other, and returns the new length.
	Push(end End, values [][]byte) (int, error)
	// Pop removes up to n values from an end and visits them in that order. f must not write.
	Pop(end End, n int, f func(value []byte)) error
	// Range visits the values from start to stop, both included and clipped to the list; backwards where
	// reverse is set, from stop to start. f returns false to stop early and must not write.
	Range(start, stop int, reverse bool, f func(value []byte) bool) error
	// Set replaces the value at index; false if there is none.
	Set(index int, value []byte) (bool, error)
	// Insert puts value beside the first occurrence of pivot and returns the new length, or -1 if pivot is not
	// there, 0 if the list is missing.
	Insert(after bool, pivot, value []byte) (int, error)
	// Remove removes the first n occurrences of value, the last -n with n < 0, all with 0.
	Remove(n int, value []byte) (removed int, err error)
	// Trim keeps only the values from start to stop, clipped to the list.
	Trim(start, stop int) error
}

// SetKey is the set at a key.
type SetKey interface {
	Len() (int, error)
	// Contains appends whether each member is in the set.
	Contains(members [][]byte, dst []bool) ([]bool, error)
	Add(members [][]byte) (added int, err error)
	Remove(members [][]byte) (removed int, err error)
	// Each visits all members. f must not write.
	Each(f func(member []byte)) error
	// Scan is Tx.Scan for members.
	Scan(cursor uint64, count int, f func(member []byte)) (uint64, error)
	// Random visits n different members in random order, or all there are; with n < 0, -n members that may repeat.
	Random(n int, f func(member []byte)) error
	// Pop removes up to n random members and visits them. f must not write.
	Pop(n int, f func(member []byte)) error
}

// Scored is a member of a sorted set with its score, which is never NaN.
type Scored struct {
	Member []byte
	Score  float64
}

// SortedSetKey is the sorted set at a key: ordered by score, then by the bytes of the member.
type SortedSetKey interface {
	Len() (int, error)
	// Scores appends the score of each member; NaN for a missing one.
	Scores(members [][]byte, dst []float64) ([]float64, error)
	// Put stores members with their scores, the last of equal members, and returns how many are new.
	Put(members []Scored) (added int, err error)
	Remove(members [][]byte) (removed int, err error)
	// Rank returns the place of a member from 0, counted from the highest where reverse is set; ok is false if it
	// is missing.
	Rank(member []byte, reverse bool) (rank int, score float64, ok bool, err error)
	// Range visits the members in r. f returns false to stop early and must not write.
	Range(r *Range, f func(member []byte, score float64) bool) error
	// Count counts the members in r, of which Offset, Count and Reverse are ignored.
	Count(r *Range) (int, error)
	// RemoveRange removes the members in r, of which Offset, Count and Reverse are ignored.
	RemoveRange(r *Range) (removed int, err error)
	// Scan is Tx.Scan for members.
	Scan(cursor uint64, count int, f func(member []byte, score float64)) (uint64, error)
	// Random visits n different members in random order, or all there are; with n < 0, -n members that may repeat.
	Random(n int, f func(member []byte, score float64)) error
}

// By says what a Range selects by.
type By uint8

// What a Range selects by.
const (
	ByRank By = iota
	ByScore
	ByLex // meant for members of equal score
)

// Range selects members of a sorted set.
type Range struct {
	By By

	Start, Stop int // ByRank: both included, negative from the end; from the highest where Reverse is set

	Min, Max         float64 // ByScore
	MinLex, MaxLex   []byte  // ByLex
	MinOpen, MaxOpen bool    // the bound itself is out
	MinFree, MaxFree bool    // ByLex: no bound on this side ("-" as a minimum, "+" as a maximum)

	Reverse bool // from the highest down
	Offset  int  // how many to pass over first; ByScore and ByLex
	Count   int  // how many to visit at most, negative: all; ByScore and ByLex
}
