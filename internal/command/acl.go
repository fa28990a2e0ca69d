// ACL: users and what they may do. The session answers, which knows the users.
package command

// aclCommands are the rows of ACL. What they say of users is not for everybody, so most are for operators.
var aclCommands = []*Command{
	{Name: "acl", Arity: -2, Flags: Session, Group: "server", Since: "6.0.0", Doc: "A container for Access List Control commands.",
		Subs: []*Command{
			{Name: "cat", Arity: -2, Flags: Session | NoScript | Loading | Stale, Since: "6.0.0",
				Usage: "[category]", Doc: "Lists the ACL categories, or the commands inside a category."},
			{Name: "deluser", Arity: -3, Flags: Session | Admin | NoScript | Loading | Stale, Since: "6.0.0",
				Usage: "username [username ...]", Doc: "Deletes ACL users, and terminates their connections."},
			{Name: "dryrun", Arity: -4, Flags: Session | Admin | NoScript | Loading | Stale, Since: "7.0.0",
				Usage: "username command [arg [arg ...]]", Doc: "Simulates the execution of a command by a user, without executing the command."},
			{Name: "genpass", Arity: -2, Flags: Session | NoScript | Loading | Stale, Since: "6.0.0",
				Usage: "[bits]", Doc: "Generates a pseudorandom, secure password that can be used to identify ACL users."},
			{Name: "getuser", Arity: 3, Flags: Session | Admin | NoScript | Loading | Stale, Since: "6.0.0",
				Usage: "username", Doc: "Lists the ACL rules of a user."},
			{Name: "help", Arity: 2, Flags: Loading | Stale, Since: "6.0.0",
				Doc: "Returns helpful text about the different subcommands.", Run: containerHelp},
			{Name: "list", Arity: 2, Flags: Session | Admin | NoScript | Loading | Stale, Since: "6.0.0",
				Doc: "Dumps the effective rules in ACL file format."},
			{Name: "load", Arity: 2, Flags: Session | Admin | NoScript | Loading | Stale, Since: "6.0.0",
				Doc: "Reloads the rules from the configured ACL file."},
			{Name: "log", Arity: -2, Flags: Session | Admin | NoScript | Loading | Stale, Since: "6.0.0",
				Usage: "[count | RESET]", Doc: "Lists recent security events generated due to ACL rules."},
			{Name: "save", Arity: 2, Flags: Session | Admin | NoScript | Loading | Stale, Since: "6.0.0",
				Doc: "Saves the effective ACL rules in the configured ACL file."},
			{Name: "setuser", Arity: -3, Flags: Session | Admin | NoScript | Loading | Stale, Since: "6.0.0",
				Usage: "username [rule [rule ...]]", Doc: "Creates and modifies an ACL user and its rules."},
			{Name: "users", Arity: 2, Flags: Session | Admin | NoScript | Loading | Stale, Since: "6.0.0",
				Doc: "Lists all ACL users."},
			{Name: "whoami", Arity: 2, Flags: Session | NoScript | Loading | Stale, Since: "6.0.0",
				Doc: "Returns the authenticated username of the current connection."},
		}},
}
