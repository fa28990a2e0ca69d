// Transactions: the session queues the calls and hands them to the engine as one atomic batch.
package command

var transactionCommands = []*Command{
	{Name: "discard", Arity: 1, Flags: Session | NoScript | Loading | Stale | Fast | AllowBusy, Group: "transactions", Since: "2.0.0",
		Doc: "Discards a transaction."},
	{Name: "exec", Arity: 1, Flags: Session | NoScript | Loading | Stale | SkipSlowlog, Group: "transactions", Since: "1.2.0",
		Doc: "Executes all commands in a transaction."},
	{Name: "multi", Arity: 1, Flags: Session | NoScript | Loading | Stale | Fast | AllowBusy, Group: "transactions", Since: "1.2.0",
		Doc: "Starts a transaction."},
	{Name: "unwatch", Arity: 1, Flags: Session | NoScript | Loading | Stale | Fast | AllowBusy, Group: "transactions", Since: "2.2.0",
		Doc: "Forgets about watched keys of a transaction."},
	{Name: "watch", Arity: -2, Flags: Session | NoScript | Loading | Stale | Fast | AllowBusy, Keys: allKeys, Group: "transactions", Since: "2.2.0",
		Usage: "key [key ...]", Doc: "Monitors changes to keys to determine the execution of a transaction."},
}
