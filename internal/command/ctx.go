package command

import (
	"bytes"
	"context"
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/keyspace"
	"github.com/redbud-go/redbud/internal/resp"
)

// Refusal is an error that is a command's answer: its text is the error reply, code first. The call changed
// nothing, unless its family's file says otherwise.
type Refusal string

func (r Refusal) Error() string { return string(r) }

// The refusals that many commands share.
const (
	ErrSyntax      = Refusal("ERR syntax error")
	ErrWrongType   = Refusal("WRONGTYPE Operation against a key holding the wrong kind of value")
	ErrNotInteger  = Refusal("ERR value is not an integer or out of range")
	ErrNotPositive = Refusal("ERR value is out of range, must be positive")
	ErrNotFloat    = Refusal("ERR value is not a valid float")
	ErrNoKey       = Refusal("ERR no such key")
	ErrOutOfRange  = Refusal("ERR index out of range")
	ErrOverflow    = Refusal("ERR increment or decrement would overflow")
	ErrNaN         = Refusal("ERR increment would produce NaN or Infinity")
	ErrTooLong     = Refusal("ERR string exceeds maximum allowed size (proto-max-bulk-len)")
)

// refusal turns the errors that stores return for commands into what Redis says; ok is false for an error that
// is none of them, a failure of the engine.
func refusal(err error) (r Refusal, ok bool) {
	switch {
	case errors.As(err, &r):
		return r, true
	case errors.Is(err, keyspace.ErrWrongType):
		return ErrWrongType, true
	case errors.Is(err, keyspace.ErrNotInteger):
		return ErrNotInteger, true
	case errors.Is(err, keyspace.ErrOverflow):
		return ErrOverflow, true
	}
	return "", false
}

// writer shortens the method expressions given to Insert.
type writer = resp.Writer

// Ctx is what a command's Run works with: its arguments, the transaction, the reply. It is reused: nothing of it may
// be kept after Run returns.
type Ctx struct {
	Args    engine.Call  // the name first; the length fits the row's arity
	Row     *Command     // the command that runs
	Tx      keyspace.Tx  // storage
	W       *resp.Writer // takes exactly one reply; what was written before an error is undone
	DB      int
	Now     int64 // milliseconds since 1970, the same for a whole batch
	Session engine.Session
	Engine  *Engine

	// Scratch for what the primitives append to; a command takes x[:0] and needs not give it back.
	values  [][]byte
	entries []keyspace.Entry
	bools   []bool
	floats  []float64
	one     [1][]byte
	pair    [2][]byte
	num     []byte

	// Visitors for the primitives that call back. They are made once with the context: one that is made in a
	// command is an allocation for every call.
	bulk     func(value []byte)      // replies with the value and counts it in told
	bulkTrue func(value []byte) bool // bulk, and on with the next
	bulkPair func(name, value []byte)
	told     int // set it to 0 first

	zset   zsetScratch
	stream streamScratch
	fields fieldScratch

	ctx      context.Context // of the batch
	script   *scripting      // what scripts run with; nil before the first
	rows     []*Command
	watch    stopwatch
	rejected bool  // the call did not run
	changes  int64 // keys that were written
	news     news
	eff      *effects // where those of the call that runs are noted: in the news of the batch in whose transaction it runs
	tells    bool     // the news are told at once, while a call waits

	looks     keyspace.Lookup
	bounded   bool    // keys may take only so much memory,
	pause     *pause  // that holds calls back; nil: none
	lonely    bool    // there are fewer replicas than writing wants
	short     bool    // of memory none was left before this call, or before this atomic batch
	joins     bool    // other processes may have to know what is listened to here
	woke      bool    // calls that waited were served in this batch's transaction
	blockable bool    // the call may wait
	inScript  bool    // a script makes the call
	awaits    awaited // what it waits for
}

// newCtx returns a context that an engine runs batches with.
func newCtx(e *Engine) *Ctx {
	c := &Ctx{Engine: e}
	c.eff = &c.news.effects
	c.bulk = func(value []byte) {
		c.W.Bulk(value)
		c.told++
	}
	c.bulkTrue = func(value []byte) bool {
		c.bulk(value)
		return true
	}
	c.bulkPair = func(name, value []byte) {
		c.W.Bulk(name)
		c.W.Bulk(value)
	}
	c.zset.init(c)
	c.stream.init(c)
	return c
}

// keys1 is a list of one key, for primitives that take many. The next call reuses it.
func (c *Ctx) keys1(key []byte) [][]byte {
	c.one[0] = key
	return c.one[:]
}

// pair1 is a list of one pair, for primitives that take many. The next call reuses it.
func (c *Ctx) pair1(key, value []byte) [][]byte {
	c.pair[0], c.pair[1] = key, value
	return c.pair[:]
}

// get returns the string at key, nil if it is missing.
func (c *Ctx) get(key []byte) ([]byte, error) {
	var err error
	c.values, err = c.Tx.Get(c.keys1(key), c.values[:0])
	if err != nil {
		return nil, err
	}
	return c.values[0], nil
}

// peek is get that is no use of the key, where the write that follows is.
func (c *Ctx) peek(key []byte) ([]byte, error) {
	unused := c.looks.Unused
	c.looks.Unused = true
	v, err := c.get(key)
	c.looks.Unused = unused
	return v, err
}

// uncounted makes what is looked up from here on no hit nor miss: it is written, or was counted before.
func (c *Ctx) uncounted() { c.looks.Counts = false }

// entry returns what is known of one key.
func (c *Ctx) entry(key []byte) (keyspace.Entry, error) {
	var err error
	c.entries, err = c.Tx.Entries(c.keys1(key), c.entries[:0])
	if err != nil {
		return keyspace.Entry{}, err
	}
	return c.entries[0], nil
}

// put stores one string.
func (c *Ctx) put(key, value []byte, at int64) error {
	return c.Tx.Put(c.pair1(key, value), at)
}

// is reports whether argument i is the option word, given in lower case.
func (c *Ctx) is(i int, word string) bool { return equalFold(c.Args[i], word) }

// integer reads argument i as a 64-bit integer.
func (c *Ctx) integer(i int) (int64, error) {
	n, ok := parseInt(c.Args[i])
	if !ok {
		return 0, ErrNotInteger
	}
	return n, nil
}

// positive reads argument i as an integer of at least zero, in Redis's words for one that is not.
func (c *Ctx) positive(i int) (int, error) {
	n, ok := parseInt(c.Args[i])
	if !ok || n < 0 {
		return 0, ErrNotPositive
	}
	return int(n), nil
}

// float reads argument i as a finite or infinite float.
func (c *Ctx) float(i int) (float64, error) {
	f, ok := parseFloat(c.Args[i])
	if !ok {
		return 0, ErrNotFloat
	}
	return f, nil
}

// bool1 replies 1 or 0.
func (c *Ctx) bool1(b bool) {
	if b {
		c.W.Int(1)
	} else {
		c.W.Int(0)
	}
}

// count replies with a number or passes the error on.
func (c *Ctx) count(n int, err error) error {
	if err != nil {
		return err
	}
	c.W.Int(int64(n))
	return nil
}

// help replies to the HELP of a container: the lines, and those on HELP itself.
func (c *Ctx) help(lines ...string) {
	c.W.Array(len(lines) + 2)
	for _, line := range lines {
		c.W.Status(line)
	}
	c.W.Status("HELP")
	c.W.Status("    Prints this help.")
}

func parseInt(b []byte) (int64, bool) { return resp.ParseInt(b) }

// parseFloat reads a float as Redis reads scores and increments: no white space, no NaN, nothing out of range;
// hexadecimal and "inf" are allowed.
func parseFloat(b []byte) (float64, bool) {
	f, inRange, ok := strtod(b)
	return f, ok && inRange
}

// strtod reads a float as the C function does, save that it takes no white space and no NaN. What is out of range is
// infinite or zero.
func strtod(b []byte) (f float64, inRange, ok bool) {
	if len(b) == 0 || bytes.IndexByte(b, '_') >= 0 { // to strconv a separator of digits
		return 0, false, false
	}
	s := string(b)
	hex := isHex(s)
	if hex && !strings.ContainsAny(s, "pP") {
		s += "p0" // strconv wants an exponent
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) || math.IsNaN(f) {
		return 0, false, false
	}
	return f, err == nil && (f != 0 || spellsZero(s, hex)), true
}

// isHex reports whether s is a hexadecimal number, if it is one.
func isHex(s string) bool {
	s = strings.TrimLeft(s, "+-")
	return len(s) > 2 && s[0] == '0' && s[1]|0x20 == 'x'
}

// spellsZero reports whether the number s is zero and not just too small.
func spellsZero(s string, hex bool) bool {
	exponent := "eE"
	if hex {
		exponent = "pP"
	}
	if i := strings.IndexAny(s, exponent); i >= 0 {
		s = s[:i]
	}
	return !strings.ContainsAny(s, "123456789abcdefABCDEF")
}
