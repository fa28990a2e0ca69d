// Scripts: EVAL and its kin. A script runs as one command does: in the transaction of its batch, with the keyspace to itself.
package command

import (
	"bytes"
	"container/list"
	"strings"
	"sync"

	"github.com/redbud-go/redbud/internal/graph"
	"github.com/redbud-go/redbud/internal/lua"
)

var scriptCommands = []*Command{
	{Name: "eval", Arity: -3, Flags: scriptFlags | MayReplicate, Keys: scriptKeys, Group: "scripting", Since: "2.6.0",
		Usage: "script numkeys [key [key ...]] [arg [arg ...]]", Doc: "Executes a server-side Lua script.", Run: eval},
	{Name: "eval_ro", Arity: -3, Flags: scriptFlags | ReadOnly, Keys: scriptKeys, Group: "scripting", Since: "7.0.0", ACL: "scripting",
		Usage: "script numkeys [key [key ...]] [arg [arg ...]]", Doc: "Executes a read-only server-side Lua script.", Run: eval},
	{Name: "evalsha", Arity: -3, Flags: scriptFlags | MayReplicate, Keys: scriptKeys, Group: "scripting", Since: "2.6.0",
		Usage: "sha1 numkeys [key [key ...]] [arg [arg ...]]", Doc: "Executes a server-side Lua script by its SHA1 digest.", Run: evalSHA},
	{Name: "evalsha_ro", Arity: -3, Flags: scriptFlags | ReadOnly, Keys: scriptKeys, Group: "scripting", Since: "7.0.0", ACL: "scripting",
		Usage: "sha1 numkeys [key [key ...]] [arg [arg ...]]", Doc: "Executes a read-only server-side Lua script by its SHA1 digest.", Run: evalSHA},
	{Name: "script", Arity: -2, Group: "scripting", Since: "2.6.0", Doc: "A container for what concerns the scripts that EVALSHA knows.",
		Subs: []*Command{
			{Name: "debug", Arity: 3, Flags: NoScript, Since: "3.2.0",
				Usage: "<YES | SYNC | NO>", Doc: "Sets the debug mode of server-side Lua scripts.", Run: scriptDebug},
			{Name: "exists", Arity: -3, Flags: NoScript, Since: "2.6.0",
				Usage: "sha1 [sha1 ...]", Doc: "Determines whether server-side Lua scripts exist in the script cache.", Run: scriptExists},
			{Name: "flush", Arity: -2, Flags: NoScript, Since: "2.6.0",
				Usage: "[ASYNC | SYNC]", Doc: "Removes all server-side Lua scripts from the script cache.", Run: scriptFlush},
			{Name: "help", Arity: 2, Flags: Loading | Stale, Since: "5.0.0",
				Doc: "Returns helpful text about the different subcommands.", Run: containerHelp},
			{Name: "kill", Arity: 2, Flags: NoScript | AllowBusy, Since: "2.6.0",
				Doc: "Terminates a server-side Lua script during execution.", Run: scriptKill},
			{Name: "load", Arity: 3, Flags: NoScript | Stale, Since: "2.6.0",
				Usage: "script", Doc: "Loads a server-side Lua script to the script cache.", Run: scriptLoad},
		}},
}

// scriptFlags are the traits of all commands that run scripts. What a script does to which keys is known only when it does.
const scriptFlags = NoScript | Stale | SkipMonitor | NoMandatoryKeys | AllKeys

// scriptKeys are the keys that scripts declare.
var scriptKeys = Keys{NumKeys: 2}

const (
	errNoScript = Refusal("NOSCRIPT No matching script. Please use EVAL.")
	errInLua    = Refusal("ERR a portable script is no script in Lua: REDBUD.EVAL runs it")
)

// maxEvaluated is how many scripts that came by EVAL are kept for EVALSHA; those that SCRIPT LOAD brought stay. It is the number
// that Redis has since 7.4.
const maxEvaluated = 500

// scripts are what the scripts and functions of an engine have in common. It is safe for concurrent use.
type scripts struct {
	table   *Table // of what programs call
	once    sync.Once
	machine *lua.Machine

	mu        sync.Mutex // guards what follows
	bySHA     map[string]*knownScript
	evaluated list.List // of those that came by EVAL: their names, the one that was used last at the end

	libraries libraries
}

// knownScript is a script that EVALSHA knows, or a program that REDBUD.EVALSHA knows: one of the two is there.
type knownScript struct {
	lua     *lua.Script
	program *program
	place   *list.Element // in evaluated; nil: it was loaded
}

// flags are what a script says of itself.
func (k *knownScript) flags() lua.Flags {
	if k.program != nil {
		return k.program.flags()
	}
	return k.lua.Flags
}

// lua returns what runs scripts. It is made for the first of them.
func (s *scripts) lua() *lua.Machine {
	s.once.Do(func() { s.machine = lua.New(lua.Options{Version: RedisVersion}) })
	return s.machine
}

// find returns a script by its name in hexadecimal digits; nil: it is not known.
func (s *scripts) find(sha []byte) *knownScript {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.bySHA[string(sha)]
	if k == nil {
		if k = s.bySHA[string(bytes.ToLower(sha))]; k == nil {
			return nil
		}
	}
	if k.place != nil {
		s.evaluated.MoveToBack(k.place)
	}
	return k
}

// compile makes a script of its source, or a program of its wire form.
func (s *scripts) compile(source []byte) (k *knownScript, err error) {
	k = &knownScript{}
	if graph.IsWire(source) {
		k.program, err = compileProgram(source, s.table)
	} else if k.lua, err = s.lua().Compile(source); err != nil {
		err = Refusal(err.Error())
	}
	return k, err
}

// add returns the script of a source, which EVALSHA knows from then on.
func (s *scripts) add(source []byte, load bool) (_ *knownScript, err error) {
	sha := lua.SHA(source)
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.bySHA[sha]
	if k == nil {
		if k, err = s.compile(source); err != nil {
			return nil, err
		}
		if s.bySHA == nil {
			s.bySHA = map[string]*knownScript{}
		}
		s.bySHA[sha] = k
		if !load {
			k.place = s.evaluated.PushBack(sha)
		}
		if s.evaluated.Len() > maxEvaluated {
			delete(s.bySHA, s.evaluated.Remove(s.evaluated.Front()).(string))
		}
	}
	switch {
	case k.place == nil:
	case load:
		s.evaluated.Remove(k.place)
		k.place = nil
	default:
		s.evaluated.MoveToBack(k.place)
	}
	return k, nil
}

// flush forgets all scripts.
func (s *scripts) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bySHA = nil
	s.evaluated.Init()
}

// count is how many scripts EVALSHA knows.
func (s *scripts) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.bySHA)
}

// infoScripts is what INFO tells of scripts and functions.
func (e *Engine) infoScripts(f *Fields) error {
	libraries, functions := e.scripts.libraries.counts()
	f.Int("number_of_cached_scripts", int64(e.scripts.count()))
	f.Int("number_of_functions", int64(functions))
	f.Int("number_of_libraries", int64(libraries))
	return nil
}

func eval(c *Ctx) error {
	k, keys, args, err := c.brought(false)
	if err != nil {
		return err
	}
	return c.runScript(k.lua, keys, args)
}

func evalSHA(c *Ctx) error {
	k, keys, args, err := c.known(false)
	if err != nil {
		return err
	}
	return c.runScript(k.lua, keys, args)
}

// brought is the script that a call brings, with its keys and arguments: a program, or Lua.
func (c *Ctx) brought(program bool) (k *knownScript, keys, args [][]byte, err error) {
	keys, args, err = c.scriptArguments()
	switch {
	case err != nil:
	case !program && graph.IsWire(c.Args[1]):
		err = errInLua
	case program && !graph.IsWire(c.Args[1]):
		err = Refusal("ERR " + graph.ErrMalformed.Error())
	default:
		k, err = c.Engine.scripts.add(c.Args[1], false)
	}
	return k, keys, args, err
}

// known is the script that a call names by its digest, with its keys and arguments: a program, or Lua.
func (c *Ctx) known(program bool) (k *knownScript, keys, args [][]byte, err error) {
	if len(c.Args[1]) != 40 {
		return nil, nil, nil, errNoScript
	}
	if keys, args, err = c.scriptArguments(); err != nil {
		return nil, nil, nil, err
	}
	if k = c.Engine.scripts.find(c.Args[1]); k == nil || program != (k.program != nil) {
		err = errNoScript
	}
	return k, keys, args, err
}

// scriptArguments divides what follows the script into keys and arguments.
func (c *Ctx) scriptArguments() (keys, args [][]byte, err error) {
	n, ok := parseInt(c.Args[2])
	rest := c.Args[3:]
	switch {
	case !ok:
		return nil, nil, ErrNotInteger
	case n > int64(len(rest)):
		return nil, nil, Refusal("ERR Number of keys can't be greater than number of args")
	case n < 0:
		return nil, nil, Refusal("ERR Number of keys can't be negative")
	}
	return rest[:n], rest[n:], nil
}

// readOnlyScripts reports whether the command runs scripts that must not write.
func (c *Ctx) readOnlyScripts() bool { return strings.HasSuffix(c.Row.Name, "_ro") }

func (c *Ctx) runScript(script *lua.Script, keys, args [][]byte) error {
	host, err := c.scripting(script.Flags, !script.Shebang)
	if err != nil {
		return err
	}
	return host.execute("", func() {
		c.Engine.scripts.lua().Eval(script, &lua.Run{Keys: keys, Args: args, Host: host, W: c.W})
	})
}

func scriptLoad(c *Ctx) error {
	if _, err := c.Engine.scripts.add(c.Args[2], true); err != nil {
		return err
	}
	c.W.BulkString(lua.SHA(c.Args[2]))
	return nil
}

func scriptExists(c *Ctx) error {
	c.W.Array(len(c.Args) - 2)
	for _, sha := range c.Args[2:] {
		c.bool1(c.Engine.scripts.find(sha) != nil)
	}
	return nil
}

func scriptFlush(c *Ctx) error {
	if len(c.Args) > 3 || len(c.Args) == 3 && !c.is(2, "sync") && !c.is(2, "async") {
		return Refusal("ERR SCRIPT FLUSH only support SYNC|ASYNC option")
	}
	c.Engine.scripts.flush()
	c.W.OK()
	return nil
}

func scriptKill(c *Ctx) error {
	if err := c.Engine.busy.kill(false); err != nil {
		return err
	}
	c.W.OK()
	return nil
}

// scriptDebug can but turn off what is never on: there is no debugger of Redis's kind.
func scriptDebug(c *Ctx) error {
	switch {
	case c.is(2, "no"):
		c.W.OK()
		return nil
	case c.is(2, "yes"), c.is(2, "sync"):
		return Refusal("ERR the Lua debugger is not supported")
	}
	return Refusal("ERR Use SCRIPT DEBUG YES/SYNC/NO")
}
