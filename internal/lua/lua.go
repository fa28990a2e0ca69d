// Package lua runs Lua 5.1 scripts as Redis does: EVAL's scripts and the functions of libraries, in a sandbox, with redis.call, cjson,
// cmsgpack, struct and bit. It knows no commands: what a script calls goes to its Host, as words in and a RESP reply out.
package lua

import (
	"crypto/sha1"
	"encoding/hex"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redbud-go/redbud/internal/resp"
)

// Host is the server that a script runs in. It is used by one script at a time.
type Host interface {
	// Call runs a command and returns its reply as RESP of the protocol version asked for, 2 or 3. The arguments are borrowed until
	// it returns, the reply until the next Call. A refusal is an error reply ("-ERR …\r\n"), complete with its code.
	Call(args [][]byte, proto int) []byte
	// Check is asked every few thousand instructions. An error ends the script, which cannot catch it; its text goes into the error reply.
	Check() error
	// May is redis.acl_check_cmd: whether the script's user may run this. An error says that there is no such command.
	May(args [][]byte) (bool, error)
	// Log takes what redis.log writes, with a level from 0 (debug) to 3 (warning).
	Log(level int, text string)
}

// Flags are what a script or function says of itself: "#!lua flags=…", redis.register_function{flags=…}.
type Flags uint8

// The flags.
const (
	NoWrites           Flags = 1 << iota // it writes nothing
	AllowOOM                             // it runs when memory is short
	AllowStale                           // it runs on a replica that lost its master
	NoCluster                            // it does not run in a cluster
	AllowCrossSlotKeys                   // its keys may be in several hash slots
)

// flagNames are how scripts spell the flags, in their order.
var flagNames = [...]string{"no-writes", "allow-oom", "allow-stale", "no-cluster", "allow-cross-slot-keys"}

// Names are the flags as scripts spell them.
func (f Flags) Names() (names []string) {
	for i, name := range flagNames {
		if f&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// flagNamed is the flag that scripts spell so.
func flagNamed(name string) (Flags, bool) {
	i := slices.Index(flagNames[:], name)
	if i < 0 {
		return 0, false
	}
	return 1 << i, true
}

// Options say how a Machine runs scripts.
type Options struct {
	Memory  int64  // bytes by which a script may make the heap grow before it is ended; default 1 GiB
	Version string // redis.REDIS_VERSION, and REDIS_VERSION_NUM from it; default 7.2.0
}

// Machine holds pooled states. It is safe for concurrent use.
type Machine struct {
	options Options
	started time.Time     // what os.clock counts from
	rand    atomic.Uint64 // where the last script left the random numbers

	mu   sync.Mutex // guards idle
	idle []*state   // at most maxIdle

	functionsMu sync.Mutex // guards functions, and is held while one of them runs
	functions   *state     // of all libraries; nil before the first
}

// maxIdle is how many states wait for the next script. Scripts mostly run one at a time, under the lock of a keyspace.
const maxIdle = 4

// keptRegisters are the registers that a state may have grown to and still be used again.
const keptRegisters = 1 << 15

// New returns a Machine.
func New(o Options) *Machine {
	if o.Memory <= 0 {
		o.Memory = 1 << 30
	}
	if o.Version == "" {
		o.Version = "7.2.0"
	}
	m := &Machine{options: o, started: time.Now()}
	m.rand.Store(uint64(firstRandom))
	return m
}

// Script is a compiled chunk of EVAL. It is immutable; many may run it at once.
type Script struct {
	SHA     string // of Source, 40 hex digits in lower case
	Source  []byte
	Flags   Flags
	Shebang bool // the first line says what flags there are; without one, Redis is lenient ("compat mode")

	code *chunk
}

// SHA is the name that EVALSHA knows a script by.
func SHA(source []byte) string {
	sum := sha1.Sum(source)
	return hex.EncodeToString(sum[:])
}

// Run is one run of a script or function.
type Run struct {
	Keys, Args [][]byte
	Host       Host
	W          *resp.Writer // takes exactly one reply, in W.Proto
}

// Compile returns a script, or an error whose text is the whole error reply ("ERR Error compiling script (new function): user_script:1: …",
// or what Redis says of a wrong shebang). It keeps a copy of source.
func (m *Machine) Compile(source []byte) (*Script, error) {
	s := &Script{SHA: SHA(source), Source: append([]byte(nil), source...)}
	n, err := s.readShebang()
	if err != nil {
		return nil, err
	}
	// The line end behind a shebang stays: lines keep their numbers.
	if s.code, err = compile(string(s.Source[n:]), "user_script"); err != nil {
		return nil, replyError("ERR Error compiling script (new function): " + err.Error())
	}
	return s, nil
}

// Eval runs a script and writes its one reply.
func (m *Machine) Eval(s *Script, r *Run) {
	st := m.take()
	st.begin(r, s.SHA)
	st.setKeysAndArgs(r)
	if st.call(st.function(s), 0) {
		m.give(st)
	}
}

// replyError is an error whose text is a whole error reply.
type replyError string

func (e replyError) Error() string { return string(e) }

// take returns a state that nobody else uses.
func (m *Machine) take() *state {
	m.mu.Lock()
	if n := len(m.idle); n > 0 {
		st := m.idle[n-1]
		m.idle = m.idle[:n-1]
		m.mu.Unlock()
		return st
	}
	m.mu.Unlock()
	return newState(m, false)
}

// give takes a state back. One that has grown is left to the collector, which would go through all of its registers each time.
func (m *Machine) give(st *state) {
	if registers(st.L) > keptRegisters {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.idle) < maxIdle {
		m.idle = append(m.idle, st)
	}
}
