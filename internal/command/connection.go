// Connections: who is calling, in which protocol, on which database. All but PING and ECHO are answered by the session,
// which alone knows.
package command

var connectionCommands = []*Command{
	{Name: "auth", Arity: -2, Flags: Session | NoScript | Loading | Stale | Fast | NoAuth | AllowBusy, Group: "connection", Since: "1.0.0",
		Usage: "[username] password", Doc: "Authenticates the connection."},
	{Name: "client", Arity: -2, Flags: Session, Group: "connection", Since: "2.4.0",
		Doc: "A container for client connection commands.",
		Subs: []*Command{
			{Name: "caching", Arity: 3, Flags: Session | NoScript | Loading | Stale, Since: "6.0.0",
				Usage: "<YES | NO>", Doc: "Says whether the keys of the next command are tracked, in the modes OPTIN and OPTOUT."},
			{Name: "getname", Arity: 2, Flags: Session | NoScript | Loading | Stale, Since: "2.6.9",
				Doc: "Returns the name of the connection."},
			{Name: "getredir", Arity: 2, Flags: Session | NoScript | Loading | Stale, Since: "6.0.0",
				Doc: "Returns the client ID to which invalidation messages of the connection go."},
			{Name: "help", Arity: 2, Flags: Loading | Stale, Since: "5.0.0",
				Doc: "Returns helpful text about the different subcommands.", Run: containerHelp},
			{Name: "id", Arity: 2, Flags: Session | NoScript | Loading | Stale, Since: "5.0.0",
				Doc: "Returns the unique client ID of the connection."},
			{Name: "info", Arity: 2, Flags: Session | NoScript | Loading | Stale, Since: "6.2.0",
				Doc: "Returns information about the connection."},
			{Name: "kill", Arity: -3, Flags: Session | Admin | NoScript | Loading | Stale, Since: "2.4.0",
				Usage: "<ip:port | <[ID client-id] | [TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] | [USER username] | [ADDR ip:port] | [LADDR ip:port] | [SKIPME <YES | NO>] | [MAXAGE maxage]>>",
				Doc:   "Terminates open connections."},
			{Name: "list", Arity: -2, Flags: Session | Admin | NoScript | Loading | Stale, Since: "2.4.0",
				Usage: "[TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]]",
				Doc:   "Lists open connections."},
			{Name: "no-evict", Arity: 3, Flags: Session | Admin | NoScript | Loading | Stale, Since: "7.0.0",
				Usage: "<ON | OFF>", Doc: "Sets the client eviction mode of the connection."},
			{Name: "no-touch", Arity: 3, Flags: Session | NoScript | Loading | Stale, Since: "7.2.0",
				Usage: "<ON | OFF>", Doc: "Controls whether commands sent by the client affect the LRU/LFU of accessed keys."},
			{Name: "pause", Arity: -3, Flags: Admin | NoScript | Loading | Stale, Since: "2.9.50",
				Usage: "timeout [WRITE | ALL]", Doc: "Suspends commands processing.", Run: clientPause},
			{Name: "reply", Arity: 3, Flags: Session | NoScript | Loading | Stale, Since: "3.2.0",
				Usage: "<ON | OFF | SKIP>", Doc: "Instructs the server whether to reply to commands."},
			{Name: "setinfo", Arity: 4, Flags: Session | NoScript | Loading | Stale, Since: "7.2.0",
				Usage: "<LIB-NAME libname | LIB-VER libver>", Doc: "Sets information specific to the client or connection."},
			{Name: "tracking", Arity: -3, Flags: Session | NoScript | Loading | Stale, Since: "6.0.0",
				Usage: "<ON | OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]",
				Doc:   "Controls whether the connection is told when keys that it has read are written."},
			{Name: "trackinginfo", Arity: 2, Flags: Session | NoScript | Loading | Stale, Since: "6.2.0",
				Doc: "Returns how keys are tracked for the connection."},
			{Name: "unblock", Arity: -3, Flags: Session | Admin | NoScript | Loading | Stale, Since: "5.0.0",
				Usage: "client-id [TIMEOUT | ERROR]", Doc: "Ends the wait of another client's command."},
			{Name: "unpause", Arity: 2, Flags: Admin | NoScript | Loading | Stale, Since: "6.2.0",
				Doc: "Resumes processing commands from paused clients.", Run: clientUnpause},
			{Name: "setname", Arity: 3, Flags: Session | NoScript | Loading | Stale, Since: "2.6.9",
				Usage: "connection-name", Doc: "Sets the connection name."},
		}},
	{Name: "echo", Arity: 2, Flags: Loading | Stale | Fast, Group: "connection", Since: "1.0.0",
		Usage: "message", Doc: "Returns the given string.", Run: echo},
	{Name: "hello", Arity: -1, Flags: Session | NoScript | Loading | Stale | Fast | NoAuth | AllowBusy, Group: "connection", Since: "6.0.0",
		Usage: "[protover [AUTH username password] [SETNAME clientname]]", Doc: "Handshakes with the Redis server."},
	{Name: "ping", Arity: -1, Flags: Fast, Group: "connection", Since: "1.0.0",
		Usage: "[message]", Doc: "Returns the server's liveliness response.", Run: ping},
	{Name: "quit", Arity: -1, Flags: Session | NoScript | Loading | Stale | Fast | NoAuth | AllowBusy, Group: "connection", Since: "1.0.0",
		Doc: "Closes the connection."},
	{Name: "reset", Arity: 1, Flags: Session | NoScript | Loading | Stale | Fast | NoAuth | AllowBusy, Group: "connection", Since: "6.2.0",
		Doc: "Resets the connection."},
	{Name: "select", Arity: 2, Flags: Session | Loading | Stale | Fast, Group: "connection", Since: "1.0.0",
		Usage: "index", Doc: "Changes the selected database."},
}

func ping(c *Ctx) error {
	switch len(c.Args) {
	case 1:
		c.W.Status("PONG")
	case 2:
		c.W.Bulk(c.Args[1])
	default:
		return wrongArity(c.Row)
	}
	return nil
}

func echo(c *Ctx) error {
	c.W.Bulk(c.Args[1])
	return nil
}
