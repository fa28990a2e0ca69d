// Streams: entries with ids that only grow. What is about groups of consumers stands in stream_group.go.
package command

import (
	"github.com/redbud-go/redbud/internal/keyspace"
)

// readKeys is where XREAD and XREADGROUP have their keys.
func readKeys(from int) Keys {
	return Keys{options: &keyOptions{from: from, words: []string{"streams"}, half: true,
		skip: map[string]int{"block": 1, "count": 1, "claim": 1, "group": 2}}}
}

var streamCommands = []*Command{
	{Name: "xack", Arity: -4, Flags: Write | Fast, Keys: oneKey, Group: "stream", Since: "5.0.0",
		Usage: "key group id [id ...]", Doc: "Acknowledges entries that a group has delivered.", Run: xack},
	{Name: "xackdel", Arity: -6, Flags: Write | Fast, Keys: oneKey, Group: "stream", Since: "8.2.0",
		Usage: "key group [KEEPREF | DELREF | ACKED] IDS numids id [id ...]",
		Doc:   "Acknowledges entries that a group has delivered and deletes them.", Run: xackDel},
	{Name: "xadd", Arity: -5, Flags: Write | DenyOOM | Fast, Keys: oneKey, Group: "stream", Since: "5.0.0",
		Usage: "key [NOMKSTREAM] [<MAXLEN | MINID> [= | ~] threshold [LIMIT count]] <* | id> field value [field value ...]",
		Doc:   "Appends an entry to a stream.", Run: xadd},
	{Name: "xautoclaim", Arity: -6, Flags: Write | Fast, Keys: oneKey, Group: "stream", Since: "6.2.0",
		Usage: "key group consumer min-idle-time start [COUNT count] [JUSTID]",
		Doc:   "Gives a consumer the entries of a group that have been pending for long.", Run: xautoClaim},
	{Name: "xclaim", Arity: -6, Flags: Write | Fast, Keys: oneKey, Group: "stream", Since: "5.0.0",
		Usage: "key group consumer min-idle-time id [id ...] [IDLE ms] [TIME unix-time-milliseconds] [RETRYCOUNT count] [FORCE] [JUSTID] [LASTID lastid]",
		Doc:   "Gives a consumer entries that are pending for another.", Run: xclaim},
	{Name: "xdel", Arity: -3, Flags: Write | Fast, Keys: oneKey, Group: "stream", Since: "5.0.0",
		Usage: "key id [id ...]", Doc: "Deletes entries from a stream.", Run: xdel},
	{Name: "xdelex", Arity: -5, Flags: Write | Fast, Keys: oneKey, Group: "stream", Since: "8.2.0",
		Usage: "key [KEEPREF | DELREF | ACKED] IDS numids id [id ...]",
		Doc:   "Deletes entries from a stream and says what becomes of those that groups have pending.", Run: xdelEx},
	{Name: "xgroup", Arity: -2, Group: "stream", Since: "5.0.0", Doc: "Manages the groups of a stream.",
		Subs: []*Command{
			{Name: "create", Arity: -5, Flags: Write | DenyOOM, Keys: subKey, Since: "5.0.0",
				Usage: "key group <id | $> [MKSTREAM] [ENTRIESREAD entries-read]", Doc: "Creates a group.", Run: xgroupCreate},
			{Name: "createconsumer", Arity: 5, Flags: Write | DenyOOM, Keys: subKey, Since: "6.2.0",
				Usage: "key group consumer", Doc: "Creates a consumer in a group.", Run: xgroupCreateConsumer},
			{Name: "delconsumer", Arity: 5, Flags: Write, Keys: subKey, Since: "5.0.0",
				Usage: "key group consumer", Doc: "Deletes a consumer and forgets what is pending for it.", Run: xgroupDelConsumer},
			{Name: "destroy", Arity: 4, Flags: Write, Keys: subKey, Since: "5.0.0",
				Usage: "key group", Doc: "Deletes a group.", Run: xgroupDestroy},
			{Name: "help", Arity: 2, Flags: Loading | Stale, Since: "5.0.0", Doc: "Explains the subcommands.", Run: xgroupHelp},
			{Name: "setid", Arity: -5, Flags: Write, Keys: subKey, Since: "5.0.0",
				Usage: "key group <id | $> [ENTRIESREAD entries-read]", Doc: "Sets what a group was delivered last.", Run: xgroupSetID},
		}},
	{Name: "xinfo", Arity: -2, Group: "stream", Since: "5.0.0", Doc: "Tells about streams.",
		Subs: []*Command{
			{Name: "consumers", Arity: 4, Flags: ReadOnly, Keys: subKey, Since: "5.0.0",
				Usage: "key group", Doc: "Lists the consumers of a group.", Run: xinfoConsumers},
			{Name: "groups", Arity: 3, Flags: ReadOnly, Keys: subKey, Since: "5.0.0",
				Usage: "key", Doc: "Lists the groups of a stream.", Run: xinfoGroups},
			{Name: "help", Arity: 2, Flags: Loading | Stale, Since: "5.0.0", Doc: "Explains the subcommands.", Run: xinfoHelp},
			{Name: "stream", Arity: -3, Flags: ReadOnly, Keys: subKey, Since: "5.0.0",
				Usage: "key [FULL [COUNT count]]", Doc: "Tells about a stream.", Run: xinfoStream},
		}},
	{Name: "xlen", Arity: 2, Flags: ReadOnly | Fast, Keys: oneKey, Group: "stream", Since: "5.0.0",
		Usage: "key", Doc: "Counts the entries of a stream.", Run: xlen},
	{Name: "xpending", Arity: -3, Flags: ReadOnly, Keys: oneKey, Group: "stream", Since: "5.0.0",
		Usage: "key group [[IDLE min-idle-time] start end count [consumer]]",
		Doc:   "Tells what a group has delivered and is not acknowledged.", Run: xpending},
	{Name: "xrange", Arity: -4, Flags: ReadOnly, Keys: oneKey, Group: "stream", Since: "5.0.0",
		Usage: "key start end [COUNT count]", Doc: "Returns the entries in a range of ids.",
		Run: func(c *Ctx) error { return c.xrange(2, 3, false) }},
	{Name: "xread", Arity: -4, Flags: ReadOnly | Blocking, Keys: readKeys(1), Group: "stream", Since: "5.0.0",
		Usage: "[COUNT count] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]",
		Doc:   "Returns the entries of streams behind given ids.", Run: xread},
	{Name: "xreadgroup", Arity: -7, Flags: Write | Blocking, Keys: readKeys(4), Group: "stream", Since: "5.0.0",
		Usage: "GROUP group consumer [COUNT count] [BLOCK milliseconds] [CLAIM min-idle-time] [NOACK] STREAMS key [key ...] id [id ...]",
		Doc:   "Returns new entries of streams to a consumer of a group, or those that are pending for it.", Run: xreadGroup},
	{Name: "xrevrange", Arity: -4, Flags: ReadOnly, Keys: oneKey, Group: "stream", Since: "5.0.0",
		Usage: "key end start [COUNT count]", Doc: "Returns the entries in a range of ids, the last first.",
		Run: func(c *Ctx) error { return c.xrange(3, 2, true) }},
	{Name: "xsetid", Arity: -3, Flags: Write | DenyOOM | Fast, Keys: oneKey, Group: "stream", Since: "5.0.0",
		Usage: "key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]",
		Doc:   "Sets the last id of a stream.", Run: xsetID},
	{Name: "xtrim", Arity: -4, Flags: Write, Keys: oneKey, Group: "stream", Since: "5.0.0",
		Usage: "key <MAXLEN | MINID> [= | ~] threshold [LIMIT count]", Doc: "Deletes the first entries of a stream.", Run: xtrim},
}

// streamScratch is what the commands on streams reuse from call to call.
type streamScratch struct {
	ids     []streamID
	from    []streamID // where XREAD reads from
	pending []keyspace.Pending
	trim    keyspace.StreamTrim
	span    keyspace.PendingRange

	tell   func(id streamID, fields [][]byte) bool // replies with the entry and counts it in Ctx.told
	tellAt func(i int, fields [][]byte)            // replies with the entry of ids[i] if it is there
	left   int                                     // how many entries tell still takes; negative: all
	note   bool                                    // tell notes the ids in pending
	counts bool                                    // tell adds that the entry was not delivered before
}

func (s *streamScratch) init(c *Ctx) {
	s.tell = func(id streamID, fields [][]byte) bool {
		if s.note {
			s.pending = append(s.pending, keyspace.Pending{ID: id, At: c.Now, Count: 1})
		}
		c.writeEntry(id, fields, s.counts)
		if s.counts {
			c.W.Int(0)
			c.W.Int(0)
		}
		c.told++
		s.left--
		return s.left != 0
	}
	s.tellAt = func(i int, fields [][]byte) {
		if fields != nil {
			c.writeEntry(s.ids[i], fields, false)
			c.told++
		}
	}
}

// release drops what must not outlive a batch.
func (s *streamScratch) release() {
	s.span.Consumer = nil
	clear(s.pending)
	if cap(s.pending) > 1<<12 {
		s.ids, s.from, s.pending = nil, nil, nil
	}
}

// writeEntry replies with an entry; with more, two elements are to follow.
func (c *Ctx) writeEntry(id streamID, fields [][]byte, more bool) {
	if more {
		c.W.Array(4)
	} else {
		c.W.Array(2)
	}
	c.writeID(id)
	c.W.Array(len(fields))
	for _, f := range fields {
		c.W.Bulk(f)
	}
}

// tellEntries replies with up to count entries of a range, all if that is negative, and returns how many they are.
func (c *Ctx) tellEntries(x keyspace.StreamKey, from, to streamID, reverse bool, count int) (int, error) {
	mark := c.W.Len()
	c.told, c.stream.left = 0, count
	if err := x.Range(from, to, reverse, c.stream.tell); err != nil {
		return 0, err
	}
	c.W.Insert(mark, c.told, (*writer).Array)
	return c.told, nil
}

// runLimit is how many entries a run may have.
func (c *Ctx) runLimit() keyspace.RunLimit {
	s := c.Engine.Settings
	return keyspace.RunLimit{Entries: int(s.Int("stream-node-max-entries")), Bytes: int(s.Int("stream-node-max-bytes"))}
}

// streamAdd are the options of XADD, and of XTRIM, which has those of trimming alone.
type streamAdd struct {
	noCreate bool
	trims    bool
	id       streamID
	given    bool // an id is
	auto     bool // but its number is not
}

// streamAdd reads the options of XADD or XTRIM, how to trim into the scratch, and returns where the id stands.
func (c *Ctx) streamAdd(isAdd bool) (o streamAdd, i int, err error) {
	t := &c.stream.trim
	*t = keyspace.StreamTrim{}
	limited := false
words:
	for i = 2; i < len(c.Args); i++ {
		more := len(c.Args) - 1 - i
		switch {
		case isAdd && string(c.Args[i]) == "*":
			break words
		case more > 0 && (c.is(i, "maxlen") || c.is(i, "minid")):
			if o.trims {
				return o, i, Refusal("ERR syntax error, MAXLEN and MINID options at the same time are not compatible")
			}
			o.trims = true
			if i, err = c.threshold(i); err != nil {
				return o, i, err
			}
		case more > 0 && c.is(i, "limit"):
			i++
			if t.Limit, err = c.integer(i); err != nil {
				return o, i, err
			}
			if t.Limit < 0 {
				return o, i, Refusal("ERR The LIMIT argument must be >= 0.")
			}
			limited = true
		case isAdd && c.is(i, "nomkstream"):
			o.noCreate = true
		case isAdd:
			o.given = true
			if o.id, o.auto, err = parseStreamID(c.Args[i], 0); err != nil {
				return o, i, err
			}
			break words
		default:
			return o, i, ErrSyntax
		}
	}
	switch {
	case t.Limit > 0 && !o.trims:
		err = Refusal("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy")
	case !isAdd && !o.trims:
		err = Refusal("ERR syntax error, XTRIM must be called with a trimming strategy")
	case limited && !t.Approximate:
		err = Refusal("ERR syntax error, LIMIT cannot be used without the special ~ option")
	case !limited && t.Approximate:
		t.Limit = 100 * c.Engine.Settings.Int("stream-node-max-entries")
		if t.Limit <= 0 {
			t.Limit = 10000
		}
		t.Limit = min(t.Limit, 1000000)
	}
	return o, i, err
}

// threshold reads what follows MAXLEN or MINID, which is argument i, and returns where it ends.
func (c *Ctx) threshold(i int) (int, error) {
	t := &c.stream.trim
	t.ByID = c.is(i, "minid")
	i++
	if i+1 < len(c.Args) {
		switch string(c.Args[i]) {
		case "~":
			t.Approximate = true
			i++
		case "=":
			i++
		}
	}
	var err error
	if t.ByID {
		t.MinID, err = c.streamID(i)
		return i, err
	}
	if t.MaxLen, err = c.integer(i); err == nil && t.MaxLen < 0 {
		err = Refusal("ERR The MAXLEN argument must be >= 0.")
	}
	return i, err
}

const (
	errIDNotGreater = Refusal("ERR The ID specified in XADD is equal or smaller than the target stream top item")
	errEntryTooBig  = Refusal("ERR Elements are too large to be stored")

	// maxEntry is what all fields and values of an entry may take together.
	maxEntry = 1 << 30
)

func xadd(c *Ctx) error {
	key := c.Args[1]
	o, i, err := c.streamAdd(true)
	if err != nil {
		return err
	}
	if n := len(c.Args) - (i + 1); n < 2 || n%2 != 0 {
		return wrongArity(c.Row)
	}
	fields := c.Args[i+1:]
	if o.given && !o.auto && o.id == (streamID{}) {
		return Refusal("ERR The ID specified in XADD must be greater than 0-0")
	}
	x, err := c.Tx.Stream(key)
	if err != nil {
		return err
	}
	info, ok, err := x.Info()
	switch {
	case err != nil:
		return err
	case !ok && o.noCreate:
		c.W.Null()
		return nil
	}
	id, err := o.next(info.Last, c.Now)
	if err != nil {
		return err
	}
	size := 0
	for _, f := range fields {
		size += len(f)
	}
	if size > maxEntry {
		return errEntryTooBig
	}
	if err := x.Append(id, fields, c.runLimit()); err != nil {
		return err
	}
	c.Event(EventStream, "xadd", key)
	if o.trims {
		n, err := x.Trim(&c.stream.trim)
		if err != nil {
			return err
		}
		if n > 0 {
			c.Event(EventStream, "xtrim", key)
		}
	}
	c.writeID(id)
	return nil
}

// next is the id that an entry gets behind the last one.
func (o *streamAdd) next(last streamID, now int64) (id streamID, err error) {
	switch {
	case last == keyspace.LastStreamID:
		return id, Refusal("ERR The stream has exhausted the last possible ID, unable to add more items")
	case !o.given:
		id = streamID{Ms: uint64(now)}
		if !last.Less(id) {
			id, _ = last.Next()
		}
		return id, nil
	case o.auto && o.id.Ms == last.Ms:
		id, _ = last.Next()
		if id.Ms != last.Ms {
			return id, errIDNotGreater
		}
		return id, nil
	}
	if !last.Less(o.id) {
		return id, errIDNotGreater
	}
	return o.id, nil
}

// streamOf returns the stream at argument i; ok is false if it is missing.
func (c *Ctx) streamOf(i int) (x keyspace.StreamKey, info keyspace.StreamInfo, ok bool, err error) {
	if x, err = c.Tx.Stream(c.Args[i]); err == nil {
		info, ok, err = x.Info()
	}
	return x, info, ok, err
}

func xlen(c *Ctx) error {
	_, info, _, err := c.streamOf(1)
	return c.count(info.Len, err)
}

// xrange is XRANGE and XREVRANGE, with the places of start and end.
func (c *Ctx) xrange(start, end int, reverse bool) error {
	from, err := c.startID(start)
	if err != nil {
		return err
	}
	to, err := c.endID(end)
	if err != nil {
		return err
	}
	count := int64(-1)
	for i := 4; i < len(c.Args); i += 2 {
		if !c.is(i, "count") || i+1 == len(c.Args) {
			return ErrSyntax
		}
		if count, err = c.integer(i + 1); err != nil {
			return err
		}
		count = max(count, 0)
	}
	x, _, ok, err := c.streamOf(1)
	switch {
	case err != nil:
		return err
	case !ok:
		c.W.Array(0)
		return nil
	case count == 0:
		c.W.NullArray()
		return nil
	}
	_, err = c.tellEntries(x, from, to, reverse, int(count))
	return err
}

func xdel(c *Ctx) error {
	key := c.Args[1]
	x, _, ok, err := c.streamOf(1)
	if err != nil || !ok {
		return c.count(0, err)
	}
	ids, err := c.streamIDs(c.Args[2:])
	if err != nil {
		return err
	}
	if c.bools, err = x.Delete(ids, c.bools[:0]); err != nil {
		return err
	}
	n := countTrue(c.bools)
	if n > 0 {
		c.Event(EventStream, "xdel", key)
	}
	c.W.Int(int64(n))
	return nil
}

func countTrue(bools []bool) (n int) {
	for _, b := range bools {
		if b {
			n++
		}
	}
	return n
}

func xtrim(c *Ctx) error {
	if _, _, err := c.streamAdd(false); err != nil {
		return err
	}
	x, err := c.Tx.Stream(c.Args[1])
	if err != nil {
		return err
	}
	n, err := x.Trim(&c.stream.trim)
	if n > 0 {
		c.Event(EventStream, "xtrim", c.Args[1])
	}
	return c.count(n, err)
}

func xsetID(c *Ctx) error {
	id, err := c.streamID(2)
	if err != nil {
		return err
	}
	added, deleted := int64(-1), streamID{}
	for i := 3; i < len(c.Args); i += 2 {
		switch {
		case i+1 == len(c.Args):
			return ErrSyntax
		case c.is(i, "entriesadded"):
			if added, err = c.integer(i + 1); err != nil {
				return err
			}
			if added < 0 {
				return Refusal("ERR entries_added must be positive")
			}
		case c.is(i, "maxdeletedid"):
			if deleted, err = c.streamID(i + 1); err != nil {
				return err
			}
			if id.Less(deleted) {
				return Refusal("ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id")
			}
		default:
			return ErrSyntax
		}
	}
	x, info, ok, err := c.streamOf(1)
	switch {
	case err != nil:
		return err
	case !ok:
		return ErrNoKey
	case id.Less(info.MaxDeleted):
		return Refusal("ERR The ID specified in XSETID is smaller than current max_deleted_entry_id")
	}
	top := streamID{}
	err = x.Range(streamID{}, keyspace.LastStreamID, true, func(id streamID, _ [][]byte) bool {
		top = id
		return false
	})
	switch {
	case err != nil:
		return err
	case info.Len > 0 && id.Less(top):
		return Refusal("ERR The ID specified in XSETID is smaller than the target stream top item")
	case info.Len > 0 && added >= 0 && int64(info.Len) > added:
		return Refusal("ERR The entries_added specified in XSETID is smaller than the target stream length")
	}
	if added >= 0 {
		info.Added = uint64(added)
	}
	if deleted != (streamID{}) {
		info.MaxDeleted = deleted
	}
	if err := x.SetInfo(id, info.MaxDeleted, info.Added); err != nil {
		return err
	}
	c.Event(EventStream, "xsetid", c.Args[1])
	c.W.OK()
	return nil
}
