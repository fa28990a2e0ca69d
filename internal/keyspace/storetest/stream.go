package storetest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/redbud-go/redbud/internal/keyspace"
	"pgregory.net/rapid"
)

func id(ms, seq uint64) keyspace.StreamID { return keyspace.StreamID{Ms: ms, Seq: seq} }

// entriesOf is what of a stream lies in a range: "1-0 a=1 b=2".
func entriesOf(x keyspace.StreamKey, from, to keyspace.StreamID, reverse bool, count int) []string {
	all := []string{}
	check(x.Range(from, to, reverse, func(id keyspace.StreamID, fields [][]byte) bool {
		all = append(all, entryText(id, texts(fields)))
		return len(all) != count
	}))
	return all
}

func entryText(id keyspace.StreamID, fields []string) string { return fmt.Sprint(id, " ", fields) }

func wholeStream(x keyspace.StreamKey) []string {
	return entriesOf(x, keyspace.StreamID{}, keyspace.LastStreamID, false, -1)
}

func infoOf(x keyspace.StreamKey) keyspace.StreamInfo {
	i, _, err := x.Info()
	check(err)
	return i
}

func pendingOf(x keyspace.StreamKey, group string, r keyspace.PendingRange, count int) []string {
	all := []string{}
	check(x.Pending([]byte(group), &r, func(p *keyspace.Pending) bool {
		all = append(all, fmt.Sprint(p.ID, " ", string(p.Consumer), " ", p.At, " ", p.Count))
		return len(all) != count
	}))
	return all
}

// anyRun lets the store decide what is a run.
var anyRun = keyspace.RunLimit{Entries: 100, Bytes: 4096}

var streamCases = []testCase{
	{"a stream stays when it is empty, and knows what was in it", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			x := must(tx.Stream([]byte("x")))
			_, ok, err := x.Info()
			check(err)
			s.equal("there", ok, false)
			check(x.Append(id(1, 1), bs("f", "v"), anyRun))
			check(x.Append(id(2, 0), bs("f", "v"), anyRun))
			s.equal("deleted", must(x.Delete([]keyspace.StreamID{id(2, 0), id(9, 9), id(1, 1), id(1, 1)}, nil)), []bool{true, false, true, false})
			s.equal("entry", entry(tx, "x"), keyspace.Entry{Type: keyspace.Stream})
			s.equal("info", infoOf(x), keyspace.StreamInfo{Last: id(2, 0), MaxDeleted: id(2, 0), Added: 2})
			_, err = tx.Hash([]byte("x"))
			s.fails("as a hash", err, keyspace.ErrWrongType)
			s.equal("removed", must(tx.Delete(bs("x"))), 1)
		})
	}},
	{"fields and values of every length come back", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			x := must(tx.Stream([]byte("x")))
			want := []string{}
			for i, n := range boundaries {
				at := id(uint64(i)*1000, uint64(n)+1)
				fields := []string{"same", long(n, "v"), long(n, "f"), ""}
				check(x.Append(at, bs(fields...), anyRun))
				want = append(want, entryText(at, fields))
			}
			s.equal("all", wholeStream(x), want)
			slices.Reverse(want)
			s.equal("backwards", entriesOf(x, keyspace.StreamID{}, keyspace.LastStreamID, true, -1), want)
		})
	}},
	{"ids up to the greatest keep their order", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			x := must(tx.Stream([]byte("x")))
			const most = 1<<64 - 1
			ids := []keyspace.StreamID{id(0, 1), id(0, most), id(1, 0), id(1<<40, most), id(1<<40+1, 3), id(most, 0), keyspace.LastStreamID}
			want := []string{}
			for _, at := range ids {
				check(x.Append(at, bs("a", "b"), anyRun))
				want = append(want, entryText(at, []string{"a", "b"}))
			}
			s.equal("all", wholeStream(x), want)
			for i, at := range ids {
				s.equal("one", entriesOf(x, at, at, i%2 == 0, -1), want[i:i+1])
			}
			s.equal("info", infoOf(x), keyspace.StreamInfo{Len: 7, First: ids[0], Last: keyspace.LastStreamID, Added: 7})
		})
	}},
	{"Trim in whole runs removes no more than it may", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			x := must(tx.Stream([]byte("x")))
			for i := range 100 {
				check(x.Append(id(uint64(i+1), 0), bs("xitem", "v"), keyspace.RunLimit{Entries: 10}))
			}
			for _, t := range []keyspace.StreamTrim{{MaxLen: 55, Limit: 30}, {MaxLen: 55}, {ByID: true, MinID: id(61, 0)}, {MaxLen: 0, Limit: 1}} {
				t.Approximate = true
				before := infoOf(x)
				removed := must(x.Trim(&t))
				after := infoOf(x)
				s.equal("removed", removed, before.Len-after.Len)
				s.equal("within the limit", t.Limit == 0 || int64(removed) <= t.Limit, true)
				s.equal("not too many", t.ByID || removed == 0 || int64(after.Len) >= t.MaxLen, true)
				s.equal("not too late", !t.ByID || removed == 0 || !t.MinID.Less(after.First), true)
			}
			removed := must(x.Trim(&keyspace.StreamTrim{MaxLen: 3}))
			s.equal("exactly", infoOf(x).Len, 3)
			s.equal("no tombstone", infoOf(x).MaxDeleted, keyspace.StreamID{})
			s.equal("some", removed > 0, true)
		})
	}},
	{"groups and their pending entries are copied and moved with the stream", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			x := must(tx.Stream([]byte("x")))
			check(x.Append(id(1, 0), bs("f", "v"), anyRun))
			s.equal("created", must(x.SetGroup([]byte("g"), id(1, 0), 1)), true)
			must(x.SetConsumer([]byte("g"), []byte("c"), 5, 6))
			check(x.Assign([]byte("g"), []byte("c"), []keyspace.Pending{{ID: id(1, 0), At: 7, Count: 8}}))
			must(tx.Copy([]byte("x"), 1, []byte("y")))
			x = must(tx.Stream([]byte("x")))
			must(x.Acknowledge([]byte("g"), []keyspace.StreamID{id(1, 0)}, nil))
			must(tx.Move([]byte("x"), 1, []byte("x")))
			check(tx.Select(1))
			all := keyspace.PendingRange{To: keyspace.LastStreamID}
			s.equal("moved", pendingOf(must(tx.Stream([]byte("x"))), "g", all, -1), []string{})
			y := must(tx.Stream([]byte("y")))
			s.equal("copied", pendingOf(y, "g", all, -1), []string{"1-0 c 7 8"})
			pending, ok, err := y.DeleteConsumer([]byte("g"), []byte("c"))
			check(err)
			s.equal("deleted", fmt.Sprint(pending, ok), "1 true")
			s.equal("left", pendingOf(y, "g", all, -1), []string{})
			s.equal("info", infoOf(y).Groups, 1)
		})
	}},
	{"asking a missing stream does not make it", func(s *subject) {
		s.do(func(tx keyspace.Tx) {
			x := must(tx.Stream([]byte("x")))
			s.equal("entries", wholeStream(x), []string{})
			s.equal("removed", must(x.Trim(&keyspace.StreamTrim{})), 0)
			s.equal("deleted", must(x.Delete([]keyspace.StreamID{id(1, 0)}, nil)), []bool{false})
			s.equal("group", must(x.DeleteGroup([]byte("g"))), false)
			s.equal("keys", sizes(tx), [2]int{})
			check(x.SetInfo(id(5, 5), id(4, 0), 9))
			s.equal("made", infoOf(x), keyspace.StreamInfo{Last: id(5, 5), MaxDeleted: id(4, 0), Added: 9})
		})
	}},
}

// checkStreamModel drives a stream at random and compares it with a model.
func checkStreamModel(t *testing.T, open func(t *testing.T) keyspace.Store) {
	store := open(t)
	defer func() {
		if err := store.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}()
	rapid.Check(t, func(rt *rapid.T) {
		r := &streamRun{subject: subject{t: rt, store: store, now: start}, T: rt}
		r.tx = must(store.Begin(context.Background(), keyspace.Access{Now: start, Write: true, All: true}))
		defer func() { r.tx.Rollback() }()
		check(r.tx.Clear())
		r.x = must(r.tx.Stream([]byte("x")))
		check(r.x.SetInfo(keyspace.StreamID{}, keyspace.StreamID{}, 0))
		r.groups = map[string]*groupModel{}
		run := func(f func()) func(*rapid.T) {
			return func(t *rapid.T) {
				r.T, r.t = t, t
				f()
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"":        run(r.compare),
			"append":  run(r.append),
			"many":    run(r.appendMany),
			"range":   run(r.visit),
			"delete":  run(r.delete),
			"trim":    run(r.trim),
			"group":   run(r.group),
			"assign":  run(r.assign),
			"ack":     run(r.acknowledge),
			"pending": run(r.pending),
			"copy":    run(r.copy),
		})
	})
}

type streamRun struct {
	subject
	*rapid.T
	tx      keyspace.Tx
	x       keyspace.StreamKey
	info    keyspace.StreamInfo
	entries []streamEntry
	groups  map[string]*groupModel
}

type streamEntry struct {
	id   keyspace.StreamID
	text string
}

type groupModel struct {
	last      keyspace.StreamID
	read      int64
	consumers map[string][2]int64
	pending   map[keyspace.StreamID]keyspace.Pending
}

func (r *streamRun) int(name string, low, high int) int {
	return rapid.IntRange(low, high).Draw(r.T, name)
}

// anID draws an id that may be there.
func (r *streamRun) anID() keyspace.StreamID {
	if len(r.entries) > 0 && r.int("there", 0, 2) > 0 {
		return r.entries[r.int("entry", 0, len(r.entries)-1)].id
	}
	return id(uint64(r.int("ms", 0, 500)), uint64(r.int("seq", 0, 3)))
}

func (r *streamRun) ids() []keyspace.StreamID {
	if r.int("stretch", 0, 2) == 0 && len(r.entries) > 0 {
		from := r.int("from", 0, len(r.entries)-1)
		var all []keyspace.StreamID
		for _, e := range r.entries[from:min(from+r.int("length", 1, 300), len(r.entries))] {
			all = append(all, e.id)
		}
		return all
	}
	all := make([]keyspace.StreamID, r.int("ids", 1, 5))
	for i := range all {
		all[i] = r.anID()
	}
	return all
}

func (r *streamRun) add(fields []string) {
	at := r.info.Last
	switch r.int("id", 0, 2) {
	case 0:
		at.Seq++
	case 1:
		at = id(at.Ms+1, uint64(r.int("seq", 0, 2)))
	default:
		at = id(at.Ms+uint64(r.int("gap", 1, 100)), uint64(r.int("seq", 0, 1000)))
	}
	check(r.x.Append(at, bs(fields...), keyspace.RunLimit{Entries: r.int("run", 0, 20), Bytes: 500}))
	r.entries = append(r.entries, streamEntry{at, entryText(at, fields)})
	r.info.Last = at
	r.info.Added++
}

func (r *streamRun) append() {
	fields := []string{"a", fmt.Sprint(r.int("value", -5, 5000)), "b", long(r.int("length", 0, 70), "v")}
	switch r.int("fields", 0, 4) {
	case 0:
		fields = fields[2:]
	case 1:
		fields[2] = "c"
	case 2:
		fields[3] = long(rapid.SampledFrom(boundaries).Draw(r.T, "long"), "v")
	}
	r.add(fields)
}

func (r *streamRun) appendMany() {
	for i := range r.int("many", 1, 60) {
		r.add([]string{"a", fmt.Sprint(i)})
	}
}

func (r *streamRun) copy() {
	must(r.tx.Copy([]byte("x"), 0, []byte("y")))
	must(r.tx.Move([]byte("y"), 0, []byte("x")))
	r.x = must(r.tx.Stream([]byte("x")))
}

// between is what of the model lies in a range.
func (r *streamRun) between(from, to keyspace.StreamID) []string {
	all := []string{}
	for _, e := range r.entries {
		if !e.id.Less(from) && !to.Less(e.id) {
			all = append(all, e.text)
		}
	}
	return all
}

func (r *streamRun) visit() {
	from, to := r.anID(), r.anID()
	want := r.between(from, to)
	reverse := r.int("reverse", 0, 1) == 1
	if reverse {
		slices.Reverse(want)
	}
	count := r.int("count", 1, 50)
	r.equal("range", entriesOf(r.x, from, to, reverse, count), want[:min(count, len(want))])
	ids := r.ids()
	check(r.x.Get(ids, func(i int, fields [][]byte) {
		one := r.between(ids[i], ids[i])
		r.equal("there", fields != nil, len(one) > 0)
		if fields != nil {
			r.equal("entry", entryText(ids[i], texts(fields)), one[0])
		}
	}))
}

func (r *streamRun) delete() {
	ids := r.ids()
	got := must(r.x.Delete(ids, nil))
	for i, id := range ids {
		at := slices.IndexFunc(r.entries, func(e streamEntry) bool { return e.id == id })
		r.equal("deleted", got[i], at >= 0)
		if at >= 0 {
			r.entries = slices.Delete(r.entries, at, at+1)
			if r.info.MaxDeleted.Less(id) {
				r.info.MaxDeleted = id
			}
		}
	}
}

func (r *streamRun) trim() {
	t := keyspace.StreamTrim{ByID: r.int("by id", 0, 1) == 1, MaxLen: int64(r.int("length", 0, len(r.entries)+2)), MinID: r.anID()}
	most := 0
	for most < len(r.entries) && (t.ByID && r.entries[most].id.Less(t.MinID) || !t.ByID && int64(len(r.entries)-most) > t.MaxLen) {
		most++
	}
	if t.Approximate = r.int("approximate", 0, 1) == 1; t.Approximate {
		t.Limit = int64(r.int("limit", 0, 30))
	}
	removed := must(r.x.Trim(&t))
	if t.Approximate {
		r.equal("no more than is due", removed <= most && (t.Limit == 0 || int64(removed) <= t.Limit), true)
	} else {
		r.equal("removed", removed, most)
	}
	r.entries = r.entries[removed:]
}

var groupNames, consumerNames = []string{"g", "h", ""}, []string{"c", "d", "", "e"}

func (r *streamRun) aGroup() (string, *groupModel) {
	name := rapid.SampledFrom(groupNames).Draw(r.T, "group")
	return name, r.groups[name]
}

func (r *streamRun) aConsumer() string {
	return rapid.SampledFrom(consumerNames).Draw(r.T, "consumer")
}

func (r *streamRun) group() {
	name, g := r.aGroup()
	switch r.int("do", 0, 5) {
	case 0:
		r.equal("deleted", must(r.x.DeleteGroup([]byte(name))), g != nil)
		delete(r.groups, name)
		return
	case 1:
		if g == nil {
			return
		}
		who := r.aConsumer()
		_, is := g.consumers[who]
		before := len(g.pending)
		maps.DeleteFunc(g.pending, func(_ keyspace.StreamID, p keyspace.Pending) bool { return string(p.Consumer) == who })
		n, ok, err := r.x.DeleteConsumer([]byte(name), []byte(who))
		check(err)
		r.equal("pending of the deleted", fmt.Sprint(n, ok), fmt.Sprint(before-len(g.pending), is))
		delete(g.consumers, who)
		return
	}
	at, read := r.anID(), int64(r.int("read", -1, 20))
	r.equal("created", must(r.x.SetGroup([]byte(name), at, read)), g == nil)
	if g == nil {
		g = &groupModel{consumers: map[string][2]int64{}, pending: map[keyspace.StreamID]keyspace.Pending{}}
		r.groups[name] = g
	}
	g.last, g.read = at, read
}

func (r *streamRun) assign() {
	name, g := r.aGroup()
	if g == nil {
		return
	}
	who, seen, active := r.aConsumer(), int64(r.int("seen", 0, 9)), int64(r.int("active", -1, 9))
	was, is := g.consumers[who]
	r.equal("created", must(r.x.SetConsumer([]byte(name), []byte(who), seen, active)), !is)
	if is && active == keyspace.NeverActive {
		active = was[1]
	}
	g.consumers[who] = [2]int64{seen, active}
	var all []keyspace.Pending
	for _, id := range r.ids() {
		p := keyspace.Pending{ID: id, Consumer: []byte(who), At: int64(r.int("at", 1, 9)), Count: int64(r.int("count", 0, 9))}
		all = append(all, p)
		g.pending[id] = p
	}
	check(r.x.Assign([]byte(name), []byte(who), all))
}

func (r *streamRun) acknowledge() {
	name, g := r.aGroup()
	if g == nil {
		return
	}
	ids := r.ids()
	var want []bool
	for _, id := range ids {
		_, is := g.pending[id]
		want = append(want, is)
		delete(g.pending, id)
	}
	r.equal("acknowledged", must(r.x.Acknowledge([]byte(name), ids, nil)), want)
}

func (r *streamRun) pending() {
	name, g := r.aGroup()
	if g == nil {
		return
	}
	q := keyspace.PendingRange{From: r.anID(), To: r.anID(), Until: int64(r.int("until", 0, 9))}
	if r.int("of one", 0, 1) == 1 {
		q.Consumer = []byte(r.aConsumer())
	}
	count := r.int("count", 1, 30)
	want := r.pendingOf(g, q)
	r.equal("pending", pendingOf(r.x, name, q, count), want[:min(count, len(want))])
	ids := r.ids()
	for i, p := range must(r.x.PendingAt([]byte(name), ids, nil)) {
		m := g.pending[ids[i]]
		m.ID = ids[i]
		r.equal("pending at", fmt.Sprint(p), fmt.Sprint(m))
	}
}

func (r *streamRun) pendingOf(g *groupModel, q keyspace.PendingRange) []string {
	all := []string{}
	for _, id := range slices.SortedFunc(maps.Keys(g.pending), keyspace.StreamID.Compare) {
		p := g.pending[id]
		if !id.Less(q.From) && !q.To.Less(id) && (q.Until == 0 || p.At <= q.Until) && (q.Consumer == nil || string(q.Consumer) == string(p.Consumer)) {
			all = append(all, fmt.Sprint(id, " ", string(p.Consumer), " ", p.At, " ", p.Count))
		}
	}
	return all
}

// compare reads all there is.
func (r *streamRun) compare() {
	r.info.Len, r.info.First, r.info.Groups = len(r.entries), keyspace.StreamID{}, len(r.groups)
	if len(r.entries) > 0 {
		r.info.First = r.entries[0].id
	}
	r.equal("info", infoOf(r.x), r.info)
	r.equal("entries", wholeStream(r.x), r.between(keyspace.StreamID{}, keyspace.LastStreamID))
	var got, want []string
	check(r.x.Groups(func(g *keyspace.StreamGroup) {
		got = append(got, fmt.Sprint(string(g.Name), " ", g.Last, " ", g.Read, " ", g.Pending, " ", g.Consumers))
	}))
	for _, name := range slices.Sorted(maps.Keys(r.groups)) {
		g := r.groups[name]
		want = append(want, fmt.Sprint(name, " ", g.last, " ", g.read, " ", len(g.pending), " ", len(g.consumers)))
		r.compareConsumers(name, g)
	}
	r.equal("groups", got, want)
}

func (r *streamRun) compareConsumers(name string, g *groupModel) {
	var got, want []string
	check(r.x.Consumers([]byte(name), func(c *keyspace.StreamConsumer) {
		got = append(got, fmt.Sprint(string(c.Name), " ", c.Seen, " ", c.Active, " ", c.Pending))
	}))
	for _, who := range slices.Sorted(maps.Keys(g.consumers)) {
		c := g.consumers[who]
		q := keyspace.PendingRange{To: keyspace.LastStreamID, Consumer: []byte(who)}
		mine := r.pendingOf(g, q)
		want = append(want, fmt.Sprint(who, " ", c[0], " ", c[1], " ", len(mine)))
		r.equal("pending of "+who, pendingOf(r.x, name, q, -1), mine)
	}
	r.equal("consumers of "+name, got, want)
}
