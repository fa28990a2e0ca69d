// CLUSTER: the engine is no member of a cluster, and says so as a server of Redis does that is none.
package command

var clusterCommands = []*Command{
	{Name: "cluster", Arity: -2, Group: "cluster", Since: "3.0.0", Doc: "A container for commands of a cluster.",
		Subs: []*Command{
			clusterCommand("addslots", -3, clusterChange, "3.0.0", "slot [slot ...]", "Gives hash slots to a node."),
			clusterCommand("addslotsrange", -4, clusterChange, "7.0.0", "start-slot end-slot [start-slot end-slot ...]", "Gives ranges of hash slots to a node."),
			clusterCommand("bumpepoch", 2, clusterChange, "3.0.0", "", "Moves a node's configuration epoch on."),
			clusterCommand("count-failure-reports", 3, Admin|Stale, "3.0.0", "node-id", "Counts the reports that a node has failed."),
			clusterCommand("countkeysinslot", 3, Stale, "3.0.0", "slot", "Counts the keys in a hash slot."),
			clusterCommand("delslots", -3, clusterChange, "3.0.0", "slot [slot ...]", "Takes hash slots from a node."),
			clusterCommand("delslotsrange", -4, clusterChange, "7.0.0", "start-slot end-slot [start-slot end-slot ...]", "Takes ranges of hash slots from a node."),
			clusterCommand("failover", -2, clusterChange, "3.0.0", "[FORCE | TAKEOVER]", "Makes a replica the master."),
			clusterCommand("flushslots", 2, clusterChange, "3.0.0", "", "Takes all hash slots from a node."),
			clusterCommand("forget", 3, clusterChange, "3.0.0", "node-id", "Removes a node from those that are known."),
			clusterCommand("getkeysinslot", 4, Stale, "3.0.0", "slot count", "Names keys in a hash slot."),
			clusterCommand("help", 2, Loading|Stale, "5.0.0", "", "Explains the subcommands."),
			clusterCommand("info", 2, Stale, "3.0.0", "", "Tells about the state of a node."),
			clusterCommand("keyslot", 3, Stale, "3.0.0", "key", "Tells the hash slot of a key."),
			clusterCommand("links", 2, Stale, "7.0.0", "", "Lists the connections between nodes."),
			clusterCommand("meet", -4, clusterChange, "3.0.0", "ip port [cluster-bus-port]", "Introduces a node to the cluster."),
			clusterCommand("myid", 2, Stale, "3.0.0", "", "Tells the id of a node."),
			clusterCommand("myshardid", 2, Stale, "7.2.0", "", "Tells the id of a node's shard."),
			clusterCommand("nodes", 2, Stale, "3.0.0", "", "Describes the cluster as a node knows it."),
			clusterCommand("replicas", 3, Admin|Stale, "5.0.0", "node-id", "Lists the replicas of a master."),
			clusterCommand("replicate", 3, clusterChange, "3.0.0", "node-id", "Makes a node a replica."),
			clusterCommand("reset", -2, Admin|Stale|NoScript, "3.0.0", "[HARD | SOFT]", "Makes a node forget the cluster."),
			clusterCommand("saveconfig", 2, clusterChange, "3.0.0", "", "Writes a node's configuration to its file."),
			clusterCommand("set-config-epoch", 3, clusterChange, "3.0.0", "config-epoch", "Sets the configuration epoch of a new node."),
			clusterCommand("setslot", -4, clusterChange, "3.0.0", "slot <IMPORTING node-id | MIGRATING node-id | NODE node-id | STABLE>", "Binds a hash slot to a node."),
			clusterCommand("shards", 2, Stale, "7.0.0", "", "Maps hash slots to shards."),
			clusterCommand("slaves", 3, Admin|Stale, "3.0.0", "node-id", "Lists the replicas of a master."),
			clusterCommand("slots", 2, Stale, "3.0.0", "", "Maps hash slots to nodes."),
		}},
	{Name: "asking", Arity: 1, Flags: Fast, Group: "cluster", ACL: "connection", Since: "3.0.0",
		Doc: "Says that the next call follows a redirection.", Run: noCluster},
	{Name: "readonly", Arity: 1, Flags: Fast | Loading | Stale, Group: "cluster", ACL: "connection", Since: "3.0.0",
		Doc: "Allows a connection to read from a replica of a cluster.", Run: noCluster},
	{Name: "readwrite", Arity: 1, Flags: Fast | Loading | Stale, Group: "cluster", ACL: "connection", Since: "3.0.0",
		Doc: "Takes back what READONLY allowed.", Run: noCluster},
}

// clusterChange are the flags of what changes a cluster.
const clusterChange = Admin | Stale | NoAsyncLoading

func clusterCommand(name string, arity int, flags Flags, since, usage, doc string) *Command {
	return &Command{Name: name, Arity: arity, Flags: flags, Since: since, Usage: usage, Doc: doc, Run: noCluster}
}

func noCluster(*Ctx) error { return Refusal("ERR This instance has cluster support disabled") }
