// The commands of the server: whole databases, time, configuration, information.
package command

import (
	"strings"

	"github.com/redbud-go/redbud/internal/keyspace"
)

var serverCommands = []*Command{
	{Name: "config", Arity: -2, Group: "server", Since: "2.0.0", Doc: "A container for server configuration commands.",
		Subs: []*Command{
			{Name: "get", Arity: -3, Flags: Admin | NoScript | Loading | Stale, Since: "2.0.0",
				Usage: "parameter [parameter ...]", Doc: "Returns the effective values of configuration parameters.", Run: configGet},
			{Name: "set", Arity: -4, Flags: Admin | NoScript | Loading | Stale, Since: "2.0.0",
				Usage: "parameter value [parameter value ...]", Doc: "Sets configuration parameters in-flight.", Run: configSet},
			{Name: "resetstat", Arity: 2, Flags: Admin | NoScript | Loading | Stale, Since: "2.0.0",
				Doc: "Resets the server's statistics.", Run: configResetStat},
			{Name: "rewrite", Arity: 2, Flags: Admin | NoScript | Loading | Stale, Since: "2.8.0",
				Doc: "Persists the effective configuration to file.", Run: configRewrite},
			{Name: "help", Arity: 2, Flags: Loading | Stale, Since: "5.0.0",
				Doc: "Returns helpful text about the different subcommands.", Run: containerHelp},
		}},
	{Name: "dbsize", Arity: 1, Flags: ReadOnly | Fast | AllKeys, Group: "server", ACL: "keyspace", Since: "1.0.0",
		Doc: "Returns the number of keys in the database.", Run: dbSize},
	{Name: "flushall", Arity: -1, Flags: Write | Dangerous | AllKeys, Group: "server", ACL: "keyspace", Since: "1.0.0",
		Usage: "[ASYNC | SYNC]", Doc: "Removes all keys from all databases.", Run: flushAll},
	{Name: "flushdb", Arity: -1, Flags: Write | Dangerous | AllKeys, Group: "server", ACL: "keyspace", Since: "1.0.0",
		Usage: "[ASYNC | SYNC]", Doc: "Removes all keys from the current database.", Run: flushDB},
	{Name: "info", Arity: -1, Flags: Loading | Stale | Dangerous | AllKeys, Group: "server", Since: "1.0.0",
		Usage: "[section [section ...]]", Doc: "Returns information and statistics about the server.", Run: info},
	{Name: "role", Arity: 1, Flags: NoScript | Loading | Stale | Fast | Dangerous, Group: "server", ACL: "admin", Since: "2.8.12",
		Doc: "Returns the replication role.", Run: role},
	{Name: "swapdb", Arity: 3, Flags: Write | Fast | Dangerous | AllKeys, Group: "server", ACL: "keyspace", Since: "4.0.0",
		Usage: "index1 index2", Doc: "Swaps two databases.", Run: swapDB},
	{Name: "monitor", Arity: 1, Flags: Session | Admin | NoScript | Loading | Stale, Group: "server", Since: "1.0.0",
		Doc: "Shows all calls that the server handles."},
	{Name: "time", Arity: 1, Flags: Loading | Stale | Fast, Group: "server", Since: "2.6.0",
		Doc: "Returns the server time.", Run: timeNow},
}

func dbSize(c *Ctx) error {
	keys, _, err := c.Tx.Len()
	return c.count(keys, err)
}

// flushArgs checks ASYNC and SYNC, between which nobody sees a difference: how a store frees what it cleared is its
// own matter.
func (c *Ctx) flushArgs() error {
	if len(c.Args) > 2 || len(c.Args) == 2 && !c.is(1, "async") && !c.is(1, "sync") {
		return ErrSyntax
	}
	return nil
}

func flushDB(c *Ctx) error {
	if err := c.flushArgs(); err != nil {
		return err
	}
	if err := c.Tx.Clear(); err != nil {
		return err
	}
	c.W.OK()
	return nil
}

func flushAll(c *Ctx) error {
	if err := c.flushArgs(); err != nil {
		return err
	}
	if err := c.clearAll(); err != nil {
		return err
	}
	if err := c.Tx.Select(c.DB); err != nil {
		return err
	}
	c.W.OK()
	return nil
}

func swapDB(c *Ctx) error {
	a, ok := parseInt(c.Args[1])
	if !ok || a != int64(int32(a)) {
		return Refusal("ERR invalid first DB index")
	}
	b, ok := parseInt(c.Args[2])
	if !ok || b != int64(int32(b)) {
		return Refusal("ERR invalid second DB index")
	}
	if min(a, b) < 0 || max(a, b) >= keyspace.Databases {
		return Refusal("ERR DB index is out of range")
	}
	if a != b {
		if err := c.Tx.Swap(int(a), int(b)); err != nil {
			return err
		}
	}
	c.W.OK()
	return nil
}

// timeNow is the one command that wants more of the clock than the time of its batch: people make unique names of
// the microseconds.
func timeNow(c *Ctx) error {
	now := c.Engine.now().UnixMicro()
	c.W.Array(2)
	c.W.BulkInt(now / 1e6)
	c.W.BulkInt(now % 1e6)
	return nil
}

// words are the arguments from i on as strings.
func (c *Ctx) words(i int) []string {
	words := make([]string, 0, len(c.Args)-i)
	for _, a := range c.Args[i:] {
		words = append(words, string(a))
	}
	return words
}

func configGet(c *Ctx) error {
	mark, n := c.W.Len(), 0
	c.Engine.Settings.Match(c.words(2), func(name, value string) {
		c.W.BulkString(name)
		c.W.BulkString(value)
		n++
	})
	c.W.Insert(mark, n, (*writer).Map)
	return nil
}

func configSet(c *Ctx) error {
	set := c.Engine.Settings.Set
	if c.allowed("enable-protected-configs") {
		set = c.Engine.Settings.SetProtected
	}
	if err := set(c.words(2)...); err != nil {
		return err
	}
	c.joins = true
	c.W.OK()
	return nil
}

func configResetStat(c *Ctx) error {
	c.Engine.Info.reset(c)
	c.W.OK()
	return nil
}

func configRewrite(*Ctx) error {
	return Refusal("ERR The server is running without a config file")
}

// wrongWords is the refusal of a call of a container that has a subcommand it does not know, or more words than it takes.
func (c *Ctx) wrongWords() error {
	return Refusal("ERR unknown subcommand or wrong number of arguments for '" + clip(c.Args[1]) + "'. Try " + strings.ToUpper(string(c.Args[0])) + " HELP.")
}

// containerHelp is the HELP of every container: a line for each subcommand and one on what it does.
func containerHelp(c *Ctx) error {
	container := c.Row.parent
	lines := []string{strings.ToUpper(container.Name) + " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"}
	if container.Run != nil {
		lines = append(lines, "(no subcommand)", "    "+container.Doc)
	}
	for _, sub := range container.Subs {
		if sub != c.Row {
			lines = append(lines, strings.TrimSpace(strings.ToUpper(sub.Name)+" "+sub.Usage), "    "+sub.Doc)
		}
	}
	lines = append(lines, "HELP", "    Print this help.")
	c.W.Array(len(lines))
	for _, line := range lines {
		c.W.Status(line)
	}
	return nil
}
