package script

import "github.com/redbud-go/redbud/internal/graph"

// Stream is the key of a stream. Its entries are maps {"id": …, "fields": {…}}; the fields of an entry that was deleted while it was
// pending are null.
type Stream struct{ Key }

// Add appends an entry of fields, each followed by its value, and gives its id, which is made for "*".
func (s Stream) Add(id any, pairs ...any) Expr {
	return s.write("XADD", graph.ReplyString, append([]any{id}, pairs...)...)
}

// Len is how many entries there are.
func (s Stream) Len() Expr { return s.read("XLEN", graph.ReplyInt) }

// Range is up to count entries from one id to another, inclusive; "-" and "+" are the ends.
func (s Stream) Range(from, to, count any) Expr {
	return s.read("XRANGE", graph.ReplyEntries, from, to, "COUNT", count)
}

// RevRange is Range from the last to the first: from is the higher id.
func (s Stream) RevRange(from, to, count any) Expr {
	return s.read("XREVRANGE", graph.ReplyEntries, from, to, "COUNT", count)
}

// Read is up to count entries behind an id. It does not wait.
func (s Stream) Read(after, count any) Expr {
	return s.b.command("XREAD", graph.ReplyStream, false, "COUNT", count, "STREAMS", s, after)
}

// Delete deletes entries and gives how many there were.
func (s Stream) Delete(ids ...any) Expr { return s.write("XDEL", graph.ReplyInt, ids...) }

// Trim deletes the oldest entries but the last n, and gives how many.
func (s Stream) Trim(n any) Expr { return s.write("XTRIM", graph.ReplyInt, "MAXLEN", n) }

// CreateGroup creates a group that reads what is behind an id, "$" the last, and the stream if there is none. A group
// that is there already is Redis's error BUSYGROUP.
func (s Stream) CreateGroup(group, id any) Expr {
	return s.b.command("XGROUP", graph.ReplyBool, true, "CREATE", s, group, id, "MKSTREAM")
}

// DeleteGroup deletes a group, and tells whether there was one.
func (s Stream) DeleteGroup(group any) Expr {
	return s.b.command("XGROUP", graph.ReplyBool, true, "DESTROY", s, group)
}

// ReadGroup is up to count entries for a consumer of a group: new ones with the id ">", else its own pending ones behind the id. It does not wait.
func (s Stream) ReadGroup(group, consumer, count, id any) Expr {
	return s.b.command("XREADGROUP", graph.ReplyStream, true, "GROUP", group, consumer, "COUNT", count, "STREAMS", s, id)
}

// Ack acknowledges entries of a group and gives how many were pending.
func (s Stream) Ack(group any, ids ...any) Expr {
	return s.write("XACK", graph.ReplyInt, append([]any{group}, ids...)...)
}

// Claim makes a consumer the owner of pending entries that were delivered at least so many milliseconds (or such a time.Duration) ago.
func (s Stream) Claim(group, consumer, idle any, ids ...any) Expr {
	return s.write("XCLAIM", graph.ReplyEntries, append([]any{group, consumer, idle}, ids...)...)
}

// Pending is what XPENDING tells of a group: how many entries, the lowest and the highest id, and how many each consumer has. Its type is Any.
func (s Stream) Pending(group any) Expr { return s.read("XPENDING", graph.ReplyAny, group) }
