// COMMAND: the table tells of itself. Everything here is derived from the rows.
package command

import (
	"strings"

	"github.com/redbud-go/redbud/internal/engine"
)

var commandCommands = []*Command{
	{Name: "command", Arity: -1, Flags: Loading | Stale, Group: "server", ACL: "connection", Since: "2.8.13",
		Doc: "Returns detailed information about all commands.", Run: commandAll,
		Subs: []*Command{
			{Name: "count", Arity: 2, Flags: Loading | Stale, ACL: "connection", Since: "2.8.13",
				Doc: "Returns a count of commands.", Run: commandCount},
			{Name: "docs", Arity: -2, Flags: Loading | Stale, ACL: "connection", Since: "7.0.0",
				Usage: "[command-name [command-name ...]]", Doc: "Returns documentary information about one, multiple or all commands.", Run: commandDocs},
			{Name: "getkeys", Arity: -3, Flags: Loading | Stale, ACL: "connection", Since: "2.8.13",
				Usage: "command [arg [arg ...]]", Doc: "Extracts the key names from an arbitrary command.", Run: commandGetKeys},
			{Name: "getkeysandflags", Arity: -3, Flags: Loading | Stale, ACL: "connection", Since: "7.0.0",
				Usage: "command [arg [arg ...]]", Doc: "Extracts the key names and access flags for an arbitrary command.", Run: commandGetKeysAndFlags},
			{Name: "help", Arity: 2, Flags: Loading | Stale, ACL: "connection", Since: "5.0.0",
				Doc: "Returns helpful text about the different subcommands.", Run: containerHelp},
			{Name: "info", Arity: -2, Flags: Loading | Stale, ACL: "connection", Since: "2.8.13",
				Usage: "[command-name [command-name ...]]", Doc: "Returns information about one, multiple or all commands.", Run: commandInfo},
			{Name: "list", Arity: -2, Flags: Loading | Stale, ACL: "connection", Since: "7.0.0",
				Usage: "[FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]", Doc: "Returns a list of command names.", Run: commandList},
		}},
}

// Each visits every row, and after a container its subcommands.
func (t *Table) Each(f func(*Command)) {
	for _, c := range t.rows {
		f(c)
		for _, sub := range c.Subs {
			f(sub)
		}
	}
}

// Named finds a row by its full name, "get" or "config|get", without regard to case; nil if there is none.
func (t *Table) Named(name []byte) *Command {
	container, word, isSub := strings.Cut(string(name), "|")
	c := t.Lookup([]byte(container))
	if c == nil || !isSub {
		return c
	}
	return c.sub([]byte(word))
}

func commandAll(c *Ctx) error {
	rows := c.Engine.table.All()
	c.W.Array(len(rows))
	for _, row := range rows {
		row.writeInfo(c.W)
	}
	return nil
}

func commandCount(c *Ctx) error {
	c.W.Int(int64(len(c.Engine.table.All())))
	return nil
}

func commandInfo(c *Ctx) error {
	if len(c.Args) == 2 {
		return commandAll(c)
	}
	c.W.Array(len(c.Args) - 2)
	for _, name := range c.Args[2:] {
		if row := c.Engine.table.Named(name); row != nil {
			row.writeInfo(c.W)
		} else {
			c.W.Null()
		}
	}
	return nil
}

// commandList is COMMAND LIST, which subcommands stand in like any other.
func commandList(c *Ctx) error {
	wanted := func(*Command) bool { return true }
	switch {
	case len(c.Args) == 2:
	case len(c.Args) != 5 || !c.is(2, "filterby"):
		return ErrSyntax
	case c.is(3, "module"):
		wanted = func(*Command) bool { return false } // there are no modules
	case c.is(3, "aclcat"):
		wanted = func(row *Command) bool { return row.inCategory(c.Args[4]) }
	case c.is(3, "pattern"):
		pattern := []byte(strings.ToLower(string(c.Args[4])))
		wanted = func(row *Command) bool { return Match(pattern, []byte(row.FullName())) }
	default:
		return ErrSyntax
	}
	mark, n := c.W.Len(), 0
	c.Engine.table.Each(func(row *Command) {
		if wanted(row) {
			c.W.BulkString(row.FullName())
			n++
		}
	})
	c.W.Insert(mark, n, (*writer).Array)
	return nil
}

// innerCall is the call that COMMAND GETKEYS asks about, with its row.
func innerCall(c *Ctx) (*Command, engine.Call, error) {
	call := c.Args[2:]
	row := c.Engine.table.Row(call)
	switch {
	case row == nil:
		return nil, nil, Refusal("ERR Invalid command specified")
	case !row.hasKeys():
		return nil, nil, Refusal("ERR The command has no key arguments")
	case !row.Fits(len(call)):
		return nil, nil, Refusal("ERR Invalid number of arguments specified for command")
	case !row.wellPlaced(call) && row.Flags&NoMandatoryKeys != 0:
		call = call[:1] // which has none
	case !row.wellPlaced(call):
		return nil, nil, Refusal("ERR Invalid arguments specified for command")
	}
	return row, call, nil
}

func commandGetKeys(c *Ctx) error {
	row, call, err := innerCall(c)
	if err != nil {
		return err
	}
	mark, n := c.W.Len(), 0
	row.Keys.each(call, func(i int) {
		c.W.Bulk(call[i])
		n++
	})
	c.W.Insert(mark, n, (*writer).Array)
	return nil
}

func commandGetKeysAndFlags(c *Ctx) error {
	row, call, err := innerCall(c)
	if err != nil {
		return err
	}
	mark, n := c.W.Len(), 0
	for _, spec := range row.keySpecs() {
		access := spec.accessOf(call)
		spec.each(call, func(i int) {
			c.W.Array(2)
			c.W.Bulk(call[i])
			writeFlags(c.W, "", access)
			n++
		})
	}
	c.W.Insert(mark, n, (*writer).Array)
	return nil
}

// writeFlags appends a set of simple strings, each behind a prefix.
func writeFlags(w *writer, prefix string, names []string) {
	w.Set(len(names))
	for _, name := range names {
		w.Status(prefix + name)
	}
}

// writeInfo appends what COMMAND INFO tells of a row.
func (c *Command) writeInfo(w *writer) {
	w.Array(10)
	w.BulkString(c.FullName())
	w.Int(int64(c.Arity))
	writeFlags(w, "", c.FlagNames())
	w.Int(int64(c.Keys.First))
	w.Int(int64(c.Keys.Last))
	w.Int(int64(c.Keys.Step))
	writeFlags(w, "@", c.Categories())
	hints := c.Tips()
	w.Set(len(hints))
	for _, hint := range hints {
		w.BulkString(hint)
	}
	specs := c.keySpecs()
	w.Set(len(specs))
	for i := range specs {
		specs[i].write(w)
	}
	if len(c.Subs) == 0 {
		w.Set(0)
		return
	}
	w.Array(len(c.Subs))
	for _, sub := range c.Subs {
		sub.writeInfo(w)
	}
}

// write appends a key specification.
func (s *keySpec) write(w *writer) {
	w.Map(3)
	w.BulkString("flags")
	writeFlags(w, "", s.access)
	w.BulkString("begin_search")
	w.Map(2)
	w.BulkString("type")
	switch {
	case s.unknown():
		writeUnknown(w)
		w.BulkString("find_keys")
		w.Map(2)
		w.BulkString("type")
		writeUnknown(w)
		return
	case s.options != nil:
		w.BulkString("keyword")
		w.BulkString("spec")
		w.Map(2)
		w.BulkString("keyword")
		w.BulkString(s.keyword)
		writeField(w, "startfrom", s.index)
	default:
		w.BulkString("index")
		w.BulkString("spec")
		w.Map(1)
		writeField(w, "index", s.index)
	}
	w.BulkString("find_keys")
	w.Map(2)
	w.BulkString("type")
	if s.numKeys {
		w.BulkString("keynum")
		w.BulkString("spec")
		w.Map(3)
		writeField(w, "keynumidx", 0)
		writeField(w, "firstkey", 1)
		writeField(w, "keystep", s.step)
		return
	}
	w.BulkString("range")
	w.BulkString("spec")
	w.Map(3)
	writeField(w, "lastkey", s.last)
	writeField(w, "keystep", s.step)
	writeField(w, "limit", s.limit)
}

// writeUnknown appends the type of what a key specification cannot tell.
func writeUnknown(w *writer) {
	w.BulkString("unknown")
	w.BulkString("spec")
	w.Map(0)
}

func writeField(w *writer, name string, n int) {
	w.BulkString(name)
	w.Int(int64(n))
}

func commandDocs(c *Ctx) error {
	rows := c.Engine.table.All()
	if len(c.Args) > 2 {
		rows = nil
		for _, name := range c.Args[2:] {
			if row := c.Engine.table.Named(name); row != nil {
				rows = append(rows, row)
			}
		}
	}
	writeDocs(c.W, rows)
	return nil
}

// writeDocs appends a map of names to documentation.
func writeDocs(w *writer, rows []*Command) {
	w.Map(len(rows))
	for _, row := range rows {
		w.BulkString(row.FullName())
		row.writeDoc(w)
	}
}

func (c *Command) writeDoc(w *writer) {
	mark, n := w.Len(), 0
	text := func(name, value string) {
		w.BulkString(name)
		w.BulkString(value)
		n++
	}
	text("summary", c.Doc)
	text("since", c.Since)
	text("group", c.Group)
	if args := c.Arguments(); len(args) > 0 {
		w.BulkString("arguments")
		specs, at := len(c.keySpecs()), 0
		writeArguments(w, args, specs, &at)
		n++
	}
	if len(c.Subs) > 0 {
		w.BulkString("subcommands")
		writeDocs(w, c.Subs)
		n++
	}
	w.Insert(mark, n, (*writer).Map)
}

// writeArguments appends a tree of arguments. Keys refer to the specs in order; the last takes all that remain.
func writeArguments(w *writer, args []Argument, specs int, at *int) {
	w.Array(len(args))
	for _, a := range args {
		mark, n := w.Len(), 0
		text := func(name, value string) {
			w.BulkString(name)
			w.BulkString(value)
			n++
		}
		text("name", a.Name)
		text("type", a.Type)
		if a.Args == nil {
			text("display_text", a.Name)
		}
		if a.Type == "key" && specs > 0 {
			writeField(w, "key_spec_index", min(*at, specs-1))
			*at++
			n++
		}
		if a.Token != "" {
			text("token", a.Token)
		}
		if flags := a.flags(); len(flags) > 0 {
			w.BulkString("flags")
			writeFlags(w, "", flags)
			n++
		}
		if a.Args != nil {
			w.BulkString("arguments")
			writeArguments(w, a.Args, specs, at)
			n++
		}
		w.Insert(mark, n, (*writer).Map)
	}
}

// flags are the flags of an argument by their names.
func (a *Argument) flags() []string {
	var flags []string
	if a.Optional {
		flags = append(flags, "optional")
	}
	if a.Multiple {
		flags = append(flags, "multiple")
	}
	if a.MultipleToken {
		flags = append(flags, "multiple_token")
	}
	return flags
}
