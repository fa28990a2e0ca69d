// WAIT and WAITAOF: until others have what was written. An engine of ours has no append-only file, so whoever asks
// for one waits until the time is over.
package command

var waitCommands = []*Command{
	{Name: "wait", Arity: 3, Flags: NoScript, Group: "generic", ACL: "connection", Since: "3.0.0",
		Usage: "numreplicas timeout", Doc: "Waits until so many replicas have what was written, and tells how many do.", Run: waitReplicas},
	{Name: "waitaof", Arity: 4, Flags: NoScript, Group: "generic", ACL: "connection", Since: "7.2.0",
		Usage: "numlocal numreplicas timeout",
		Doc:   "Waits until what was written is in the append-only files of the server and of so many replicas, and tells of how many it is.", Run: waitFiles},
}

func waitFiles(c *Ctx) error {
	local, err := c.integer(1)
	switch {
	case err != nil:
		return err
	case local < 0 || local > 1:
		return Refusal("ERR value is out of range, value must between 0 and 1")
	}
	replicas, err := c.positive(2)
	if err != nil {
		return err
	}
	timeout, err := c.milliseconds(3)
	switch {
	case err != nil:
		return err
	case local > 0:
		return Refusal("ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.")
	}
	none := func(w *writer) {
		w.Array(2)
		w.Int(0)
		w.Int(0)
	}
	if replicas == 0 {
		none(c.W)
		return nil
	}
	return c.wait(awaited{timeout: timeout, nothing: none})
}
