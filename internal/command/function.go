// Functions: libraries of them, which FUNCTION LOAD brings and FCALL calls.
package command

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redbud-go/redbud/internal/lua"
	"github.com/redbud-go/redbud/internal/rdb"
)

var functionCommands = []*Command{
	{Name: "fcall", Arity: -3, Flags: scriptFlags | MayReplicate, Keys: scriptKeys, Group: "scripting", Since: "7.0.0",
		Usage: "function numkeys [key [key ...]] [arg [arg ...]]", Doc: "Invokes a function.", Run: fcall},
	{Name: "fcall_ro", Arity: -3, Flags: scriptFlags | ReadOnly, Keys: scriptKeys, Group: "scripting", Since: "7.0.0", ACL: "scripting",
		Usage: "function numkeys [key [key ...]] [arg [arg ...]]", Doc: "Invokes a read-only function.", Run: fcall},
	{Name: "function", Arity: -2, Group: "scripting", Since: "7.0.0", Doc: "A container for what concerns libraries of functions.",
		Subs: []*Command{
			{Name: "delete", Arity: 3, Flags: Write | NoScript, Since: "7.0.0",
				Usage: "library-name", Doc: "Deletes a library and its functions.", Run: functionDelete},
			{Name: "dump", Arity: 2, Flags: NoScript, Since: "7.0.0",
				Doc: "Dumps all libraries into a serialized binary payload.", Run: functionDump},
			{Name: "flush", Arity: -2, Flags: Write | NoScript, Since: "7.0.0",
				Usage: "[ASYNC | SYNC]", Doc: "Deletes all libraries and functions.", Run: functionFlush},
			{Name: "help", Arity: 2, Flags: Loading | Stale, Since: "7.0.0",
				Doc: "Returns helpful text about the different subcommands.", Run: containerHelp},
			{Name: "kill", Arity: 2, Flags: NoScript | AllowBusy, Since: "7.0.0",
				Doc: "Terminates a function during execution.", Run: functionKill},
			{Name: "list", Arity: -2, Flags: NoScript, Since: "7.0.0",
				Usage: "[LIBRARYNAME library-name-pattern] [WITHCODE]", Doc: "Returns information about all libraries.", Run: functionList},
			{Name: "load", Arity: -3, Flags: Write | DenyOOM | NoScript, Since: "7.0.0",
				Usage: "[REPLACE] function-code", Doc: "Creates a library.", Run: functionLoad},
			{Name: "restore", Arity: -3, Flags: Write | DenyOOM | NoScript, Since: "7.0.0",
				Usage: "serialized-value [FLUSH | APPEND | REPLACE]", Doc: "Restores all libraries from a payload.", Run: functionRestore},
			{Name: "stats", Arity: 2, Flags: NoScript | AllowBusy, Since: "7.0.0",
				Doc: "Returns information about a function during execution.", Run: functionStats},
		}},
}

// libraries are the libraries of an engine. It is safe for concurrent use: FUNCTION STATS asks while a function runs.
type libraries struct {
	mu        sync.Mutex // guards what follows
	byName    map[string]*lua.Library
	functions map[string]*lua.Function // by name in lower case: case does not matter
}

// function returns a function by name; nil: there is none.
func (l *libraries) function(name []byte) *lua.Function {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f := l.functions[string(name)]; f != nil {
		return f
	}
	return l.functions[strings.ToLower(string(name))]
}

// library returns a library by name; nil: there is none.
func (l *libraries) library(name string) *lua.Library {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.byName[name]
}

// all returns the libraries in the order of their names.
func (l *libraries) all() (all []*lua.Library) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(l.byName)) {
		all = append(all, l.byName[name])
	}
	return all
}

func (l *libraries) counts() (libraries, functions int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.byName), len(l.functions)
}

// add adds all of the libraries or, where a name is taken, none. replace: a library may take the place of one of its name; clear: of all.
func (l *libraries) add(more []*lua.Library, replace, clear bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	next := libraries{byName: map[string]*lua.Library{}, functions: map[string]*lua.Function{}}
	if !clear {
		maps.Copy(next.byName, l.byName)
	}
	fresh := map[string]bool{}
	for _, lib := range more {
		if next.byName[lib.Name] != nil && (!replace && !clear || fresh[lib.Name]) {
			return Refusal("ERR Library " + lib.Name + " already exists")
		}
		next.byName[lib.Name], fresh[lib.Name] = lib, true
	}
	for _, name := range slices.SortedFunc(maps.Keys(next.byName), func(a, b string) int {
		switch {
		case fresh[a] == fresh[b]:
			return strings.Compare(a, b)
		case fresh[b]: // the old ones have the names first
			return -1
		}
		return 1
	}) {
		lib := next.byName[name]
		for i := range lib.Functions {
			f := &lib.Functions[i]
			low := strings.ToLower(f.Name)
			if next.functions[low] != nil {
				return Refusal("ERR Function " + f.Name + " already exists")
			}
			next.functions[low] = f
		}
	}
	l.byName, l.functions = next.byName, next.functions
	return nil
}

// remove deletes a library, and reports whether it was there.
func (l *libraries) remove(name []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	lib := l.byName[string(name)]
	if lib == nil {
		return false
	}
	for i := range lib.Functions {
		delete(l.functions, strings.ToLower(lib.Functions[i].Name))
	}
	delete(l.byName, lib.Name)
	return true
}

func (l *libraries) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.byName, l.functions = nil, nil
}

func fcall(c *Ctx) error {
	f := c.Engine.scripts.libraries.function(c.Args[1])
	if f == nil {
		return Refusal("ERR Function not found")
	}
	keys, args, err := c.scriptArguments()
	if err != nil {
		if errors.Is(err, ErrNotInteger) {
			err = Refusal("ERR Bad number of keys provided")
		}
		return err
	}
	host, err := c.scripting(f.Flags, false)
	if err != nil {
		return err
	}
	return host.execute(f.Name, func() {
		c.Engine.scripts.lua().Call(f, &lua.Run{Keys: keys, Args: args, Host: host, W: c.W})
	})
}

// loadTime is how long the code of a library may run.
const loadTime = 500 * time.Millisecond

// librarian is the server that the code of a library runs in. It may call nothing.
type librarian struct {
	*scripting
	until time.Time
}

// Check implements lua.Host.
func (l *librarian) Check() error {
	if l.c.Engine.now().After(l.until) {
		return Refusal("ERR FUNCTION LOAD timeout")
	}
	return l.c.ctx.Err()
}

// compile makes a library of its code.
func (c *Ctx) compile(code []byte) (*lua.Library, error) {
	host := &librarian{&scripting{c: c}, c.Engine.now().Add(loadTime)}
	lib, err := c.Engine.scripts.lua().Load(bytes.Clone(code), host)
	if err != nil {
		return nil, Refusal(err.Error())
	}
	return lib, nil
}

func functionLoad(c *Ctx) error {
	replace := false
	code := c.Args[len(c.Args)-1]
	for i := 2; i < len(c.Args)-1; i++ {
		if !c.is(i, "replace") {
			return Refusal("ERR Unknown option given: " + clip(c.Args[i]))
		}
		replace = true
	}
	lib, err := c.compile(code)
	if err != nil {
		return err
	}
	all := &c.Engine.scripts.libraries
	if !replace && all.library(lib.Name) != nil {
		return Refusal("ERR Library '" + lib.Name + "' already exists")
	}
	if err := all.add([]*lua.Library{lib}, replace, false); err != nil {
		return err
	}
	c.W.BulkString(lib.Name)
	return nil
}

func functionDelete(c *Ctx) error {
	if !c.Engine.scripts.libraries.remove(c.Args[2]) {
		return Refusal("ERR Library not found")
	}
	c.W.OK()
	return nil
}

func functionFlush(c *Ctx) error {
	if len(c.Args) > 3 {
		return c.wrongWords()
	}
	if len(c.Args) == 3 && !c.is(2, "sync") && !c.is(2, "async") {
		return Refusal("ERR FUNCTION FLUSH only supports SYNC|ASYNC option")
	}
	c.Engine.scripts.libraries.clear()
	c.W.OK()
	return nil
}

func functionKill(c *Ctx) error {
	if err := c.Engine.busy.kill(true); err != nil {
		return err
	}
	c.W.OK()
	return nil
}

func functionList(c *Ctx) error {
	var pattern []byte
	withCode := false
	for i := 2; i < len(c.Args); i++ {
		switch {
		case !withCode && c.is(i, "withcode"):
			withCode = true
		case pattern == nil && c.is(i, "libraryname") && i+1 == len(c.Args):
			return Refusal("ERR library name argument was not given")
		case pattern == nil && c.is(i, "libraryname"):
			i++
			pattern = c.Args[i]
		default:
			return Refusal("ERR Unknown argument " + clip(c.Args[i]))
		}
	}
	all := slices.DeleteFunc(c.Engine.scripts.libraries.all(), func(lib *lua.Library) bool {
		return pattern != nil && !Match(bytes.ToLower(pattern), bytes.ToLower([]byte(lib.Name)))
	})
	c.W.Array(len(all))
	for _, lib := range all {
		c.describeLibrary(lib, withCode)
	}
	return nil
}

func (c *Ctx) describeLibrary(lib *lua.Library, withCode bool) {
	n := 3
	if withCode {
		n++
	}
	c.W.Map(n)
	c.W.BulkString("library_name")
	c.W.BulkString(lib.Name)
	c.W.BulkString("engine")
	c.W.BulkString(luaEngine)
	c.W.BulkString("functions")
	c.W.Array(len(lib.Functions))
	for i := range lib.Functions {
		f := &lib.Functions[i]
		c.W.Map(3)
		c.W.BulkString("name")
		c.W.BulkString(f.Name)
		c.W.BulkString("description")
		if f.Description == "" {
			c.W.Null()
		} else {
			c.W.BulkString(f.Description)
		}
		c.W.BulkString("flags")
		names := f.Flags.Names()
		c.W.Set(len(names))
		for _, name := range names {
			c.W.Status(name)
		}
	}
	if withCode {
		c.W.BulkString("library_code")
		c.W.Bulk(lib.Source)
	}
}

// luaEngine is Redis's name of what runs functions.
const luaEngine = "LUA"

func functionStats(c *Ctx) error {
	return c.Engine.busy.first(func(r *running) error {
		if r != nil && r.function == "" {
			return errBusyScript
		}
		c.W.Map(2)
		c.W.BulkString("running_script")
		if r == nil {
			c.W.Null()
		} else {
			c.W.Map(3)
			c.W.BulkString("name")
			c.W.BulkString(r.function)
			c.W.BulkString("command")
			c.W.Array(len(r.call))
			for _, word := range r.call {
				c.W.Bulk(word)
			}
			c.W.BulkString("duration_ms")
			c.W.Int(c.Engine.now().Sub(r.since).Milliseconds())
		}
		libraries, functions := c.Engine.scripts.libraries.counts()
		c.W.BulkString("engines")
		c.W.Map(1)
		c.W.BulkString(luaEngine)
		c.W.Map(2)
		c.W.BulkString("libraries_count")
		c.W.Int(int64(libraries))
		c.W.BulkString("functions_count")
		c.W.Int(int64(functions))
		return nil
	})
}

func functionDump(c *Ctx) error {
	var p rdb.Payload
	for _, lib := range c.Engine.scripts.libraries.all() {
		p.Library(lib.Source)
	}
	p.EndLibraries()
	c.W.Bulk(p.Buf)
	return nil
}

func functionRestore(c *Ctx) error {
	replace, clear := false, false
	switch {
	case len(c.Args) > 4:
		return c.wrongWords()
	case len(c.Args) == 3 || c.is(3, "append"):
	case c.is(3, "replace"):
		replace = true
	case c.is(3, "flush"):
		clear = true
	default:
		return Refusal("ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.")
	}
	codes, err := rdb.ParseLibraries(c.Args[2])
	switch {
	case errors.Is(err, rdb.ErrVersion):
		return Refusal("ERR DUMP payload version or checksum are wrong")
	case errors.Is(err, rdb.ErrNoLibrary):
		return Refusal("ERR given type is not a function")
	case err != nil:
		return Refusal("ERR failed loading the given functions payload")
	}
	var all []*lua.Library
	for _, code := range codes {
		lib, err := c.compile(code)
		if err != nil {
			return err
		}
		all = append(all, lib)
	}
	if err := c.Engine.scripts.libraries.add(all, replace, clear); err != nil {
		return err
	}
	c.W.OK()
	return nil
}
