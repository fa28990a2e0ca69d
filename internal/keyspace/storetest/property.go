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

// checkModel drives all primitives at random, and compares with the model what they answer and what is then there.
func checkModel(t *testing.T, open func(t *testing.T) keyspace.Store) {
	store := open(t)
	defer func() {
		if err := store.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}()
	rapid.Check(t, func(rt *rapid.T) {
		r := &run{T: rt, subject: subject{t: rt, store: store, now: start}, model: model{{}, {}}}
		r.begin()
		defer func() { r.tx.Rollback() }()
		for db := range r.model {
			check(r.tx.Select(db))
			check(r.tx.Clear())
		}
		check(r.tx.Select(0))
		rt.Repeat(map[string]func(*rapid.T){
			"":            r.compareSome,
			"commit":      r.commit,
			"put":         r.put,
			"get":         r.get,
			"count":       r.count,
			"stretch":     r.stretch,
			"delete":      r.delete,
			"expire":      r.expire,
			"move":        r.move,
			"database":    r.database,
			"hash":        r.hash,
			"list":        r.list,
			"set":         r.set,
			"sorted set":  r.sortedSet,
			"hash more":   r.hash,
			"list more":   r.list,
			"set more":    r.set,
			"sorted more": r.sortedSet,
		})
		for _, key := range modelKeys {
			r.compare(key)
		}
	})
}

// run is one sequence of random calls.
type run struct {
	*rapid.T
	subject
	model model
	tx    keyspace.Tx
	db    int
	key   string // touched last
}

// modelKeys are few, so that calls meet.
var modelKeys = []string{"a", "b", "c", long(70_000, "k")}

func (r *run) begin() {
	r.tx = must(r.store.Begin(context.Background(), keyspace.Access{DB: r.db, Now: r.now, Write: true, All: true}))
}

func (r *run) live(key string) *value { return r.model.live(r.db, key, r.now) }

// pick draws a key and sets t, which failures are reported to and values drawn from.
func (r *run) pick(t *rapid.T) string {
	r.T, r.t = t, t
	r.key = rapid.SampledFrom(modelKeys).Draw(t, "key")
	return r.key
}

func (r *run) int(name string, low, high int) int { return rapid.IntRange(low, high).Draw(r.T, name) }

func (r *run) bool(name string) bool { return rapid.Bool().Draw(r.T, name) }

// text draws a value: mostly short, or an integer, now and then of a length where stores change their ways.
func (r *run) text(name string) string {
	switch n := r.int(name, 0, 9); n {
	case 0:
		return long(rapid.SampledFrom(boundaries).Draw(r.T, "length"), "v")
	case 1:
		return "9223372036854775807"
	case 2, 3, 4:
		return fmt.Sprint(r.int("integer", -20, 20))
	default:
		return fmt.Sprint("v", r.int("text", 0, 30))
	}
}

// some draws members: a few at random, or a long run of them, so that collections grow and shrink by leaps.
func (r *run) some() []string {
	prefix := rapid.SampledFrom([]string{"", "", "m", long(65, "m"), long(9000, "m")}).Draw(r.T, "prefix")
	most := 600
	if len(prefix) > 100 {
		most = 6
	}
	if r.int("many", 0, 3) == 0 {
		return numbered(prefix, r.int("first", 0, most), r.int("run", 1, most))
	}
	if r.bool("near") { // to meet those that are there
		prefix, most = "m", 4
	}
	names := make([]string, r.int("few", 1, 5))
	for i := range names {
		names[i] = fmt.Sprint(prefix, r.int("member", 0, most))
	}
	return names
}

// forget takes a collection that is empty out of the model.
func (r *run) forget(key string, v *value) {
	if v.size() == 0 {
		delete(r.model[r.db], key)
		v.expireAt = keyspace.Never // should it be filled again through the same handle
	} else {
		r.model[r.db][key] = v
	}
}

// collection returns the model's value for a key if it is missing, then new, or of the type; nil if it is of another.
func (r *run) collection(key string, typ keyspace.Type) *value {
	v := r.live(key)
	if v == nil {
		return newValue(typ)
	}
	if v.typ != typ {
		return nil
	}
	return v
}

func (r *run) compareSome(*rapid.T) {
	if r.key != "" {
		r.compare(r.key)
	}
}

// compare reads all of a key.
func (r *run) compare(key string) {
	e := entry(r.tx, key)
	v := r.live(key)
	if v == nil {
		r.equal("entry of a missing key", e, keyspace.Entry{})
		return
	}
	r.equal("entry", e, keyspace.Entry{Type: v.typ, ExpireAt: v.expireAt})
	k := []byte(key)
	n := v.size()
	switch v.typ {
	case keyspace.String:
		r.equal("string", get(r.tx, key), v.str)
	case keyspace.List:
		r.equal("list", listOf(must(r.tx.List(k))), v.list)
		r.equal("length", must(must(r.tx.List(k)).Len()), n)
	case keyspace.Set:
		r.equal("set", setOf(must(r.tx.Set(k))), v.members())
		r.equal("length", must(must(r.tx.Set(k)).Len()), n)
	case keyspace.Hash:
		r.equal("hash", hashOf(must(r.tx.Hash(k))), v.hash)
		r.equal("times", expiriesOf(must(r.tx.Hash(k))), v.times)
		r.equal("length", must(must(r.tx.Hash(k)).Len()), n)
	case keyspace.SortedSet:
		r.equal("sorted set", pairsOf(must(r.tx.SortedSet(k)), everything), v.pairs())
		r.equal("length", must(must(r.tx.SortedSet(k)).Len()), n)
	}
}

func (r *run) commit(t *rapid.T) {
	r.pick(t)
	later := int64(r.int("later", 0, 60)) // before the commit: a draw may end the run, which rolls back what is open
	check(r.tx.Commit())
	r.now += later
	r.begin()
}

func (r *run) put(t *rapid.T) {
	at := rapid.SampledFrom([]int64{keyspace.Never, keyspace.KeepTTL, r.now + 1, r.now + 100}).Draw(t, "at")
	var pairs []string
	for range rapid.IntRange(1, 3).Draw(t, "pairs") {
		key := r.pick(t)
		v := newValue(keyspace.String)
		v.str = r.text("value")
		if old := r.live(key); at == keyspace.KeepTTL && old != nil {
			v.expireAt = old.expireAt
		} else if at != keyspace.KeepTTL {
			v.expireAt = at
		}
		r.model[r.db][key] = v
		pairs = append(pairs, key, v.str)
	}
	check(r.tx.Put(bs(pairs...), at))
}

func (r *run) get(t *rapid.T) {
	r.pick(t)
	var want []string
	var fail error
	for _, key := range modelKeys {
		switch v := r.live(key); {
		case v == nil:
			want = append(want, "(nil)")
		case v.typ != keyspace.String:
			want, fail = append(want, "(nil)"), keyspace.ErrWrongType
		default:
			want = append(want, v.str)
		}
	}
	got, err := r.tx.Get(bs(modelKeys...), nil)
	r.fails("Get", err, fail)
	r.equal("Get", texts(got), want)
}

func (r *run) count(t *rapid.T) {
	key := r.pick(t)
	delta := rapid.OneOf(rapid.Int64Range(-3, 3), rapid.Int64()).Draw(t, "delta")
	v := r.live(key)
	want, fail := v.add(delta)
	got, err := r.tx.Add([]byte(key), delta)
	r.fails("Add", err, fail)
	r.equal("Add", got, want)
	if err == nil {
		if v == nil {
			v = newValue(keyspace.String)
			r.model[r.db][key] = v
		}
		v.str = fmt.Sprint(want)
	}
}

func (r *run) stretch(t *rapid.T) {
	key := r.pick(t)
	text := r.text("text")
	v := r.live(key)
	var got int
	var err error
	next := newValue(keyspace.String)
	if v != nil {
		next = v.copy()
	}
	if r.bool("append") {
		got, err = r.tx.Append([]byte(key), []byte(text))
		next.str += text
	} else if text != "" { // nothing, written behind the end, is for the caller to refuse
		offset := rapid.SampledFrom([]int{0, 1, 5, 40, 8200}).Draw(t, "offset")
		got, err = r.tx.SetRange([]byte(key), offset, []byte(text))
		if n := offset + len(text); len(next.str) < n {
			next.str += long(n-len(next.str), "\x00")
		}
		next.str = next.str[:offset] + text + next.str[offset+len(text):]
	} else {
		return
	}
	if v != nil && v.typ != keyspace.String {
		r.fails("stretch", err, keyspace.ErrWrongType)
		return
	}
	r.fails("stretch", err, nil)
	r.equal("length", got, len(next.str))
	r.model[r.db][key] = next
}

func (r *run) delete(t *rapid.T) {
	keys := []string{r.pick(t), r.pick(t), r.key}
	there := 0
	for _, key := range keys {
		there += btoi(r.live(key) != nil)
	}
	r.equal("Touch", must(r.tx.Touch(bs(keys...))), there)
	there = 0
	for _, key := range keys {
		there += btoi(r.live(key) != nil)
		delete(r.model[r.db], key)
	}
	r.equal("Delete", must(r.tx.Delete(bs(keys...))), there)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (r *run) expire(t *rapid.T) {
	key := r.pick(t)
	at := rapid.SampledFrom([]int64{keyspace.Never, r.now, r.now + 1, r.now + 50, r.now + 1000}).Draw(t, "at")
	v := r.live(key)
	r.equal("Expire", must(r.tx.Expire([]byte(key), at)), v != nil)
	if v != nil {
		v.expireAt = at
	}
}

func (r *run) move(t *rapid.T) {
	src := r.pick(t)
	dst := r.pick(t)
	db := r.int("to", 0, 1)
	v := r.live(src)
	same := db == r.db && src == dst
	if r.bool("copy") && !same {
		r.equal("Copy", must(r.tx.Copy([]byte(src), db, []byte(dst))), v != nil)
		if v != nil {
			r.model[db][dst] = v.copy()
		}
	} else {
		r.equal("Move", must(r.tx.Move([]byte(src), db, []byte(dst))), v != nil)
		if v != nil {
			delete(r.model[r.db], src)
			r.model[db][dst] = v
		}
	}
	r.compare(src)
}

func (r *run) database(t *rapid.T) {
	r.pick(t)
	switch r.int("do", 0, 12) {
	case 0:
		check(r.tx.Clear())
		r.model[r.db] = map[string]*value{}
	case 1, 2:
		check(r.tx.Swap(0, 1))
		r.model[0], r.model[1] = r.model[1], r.model[0]
	case 3, 4, 5, 6:
		r.db = r.int("database", 0, 1)
		check(r.tx.Select(r.db))
	default:
		r.keys()
	}
}

// keys compares what Scan, Random and Len tell of the keys.
func (r *run) keys() {
	expiring := 0
	for _, key := range modelKeys {
		if v := r.live(key); v != nil && v.expireAt != 0 {
			expiring++
		}
	}
	there := r.model[r.db]
	seen := scanAll(r.tx, r.int("count", 1, 20))
	r.equal("scanned", slices.Sorted(maps.Keys(seen)), slices.Sorted(maps.Keys(there)))
	some := must(r.tx.Random())
	r.equal("random", some != nil, len(there) > 0)
	r.equal("random is there", some == nil || there[string(some)] != nil, true)
	n, volatile, err := r.tx.Len()
	check(err)
	r.equal("length", n >= len(there) && volatile >= expiring && n-volatile >= len(there)-expiring, true)
}

func (r *run) hash(t *rapid.T) {
	key := r.pick(t)
	h, err := r.tx.Hash([]byte(key))
	v := r.collection(key, keyspace.Hash)
	if v == nil {
		r.fails("Hash", err, keyspace.ErrWrongType)
		return
	}
	check(err)
	for range r.int("calls", 1, 3) {
		names := r.some()
		switch r.int("do", 0, 8) {
		case 0, 1:
			var pairs []string
			added := 0
			text := r.text("value")
			at := rapid.SampledFrom([]int64{keyspace.Never, keyspace.Never, keyspace.KeepTTL, r.now + 30, r.now + 1000}).Draw(r.T, "at")
			for _, f := range names {
				if _, ok := v.hash[f]; !ok {
					added++
				}
				v.putField(f, text, at)
				pairs = append(pairs, f, text)
			}
			r.equal("added", must(h.Set(bs(pairs...), at)), added)
		case 5, 6:
			at := rapid.SampledFrom([]int64{keyspace.Never, 1, r.now, r.now + 1, r.now + 20, r.now + 30, r.now + 1000}).Draw(r.T, "at")
			only := keyspace.Always
			if at != keyspace.Never {
				only = keyspace.Condition(r.int("condition", 0, 4))
			}
			var want []keyspace.FieldChange
			for _, f := range names {
				want = append(want, v.expireField(f, at, r.now, only))
			}
			r.equal("changes", must(h.Expire(bs(names...), at, only, nil)), want)
		case 7:
			var want []int64
			for _, f := range names {
				at := v.times[f]
				if _, ok := v.hash[f]; !ok {
					at = keyspace.NoField
				}
				want = append(want, at)
			}
			r.equal("times", must(h.ExpireTimes(bs(names...), nil)), want)
		case 2:
			before := len(v.hash)
			for _, f := range names {
				v.dropField(f)
			}
			r.equal("removed", must(h.Delete(bs(names...))), before-len(v.hash))
		case 3:
			var want []string
			for _, f := range names {
				x, ok := v.hash[f]
				if !ok {
					x = "(nil)"
				}
				want = append(want, x)
			}
			r.equal("got", texts(must(h.Get(bs(names...), nil))), want)
		case 4:
			r.random(v, h.Len, func(n int, f func(string)) {
				check(h.Random(n, func(field, x []byte) {
					r.equal("value", string(x), v.hash[string(field)])
					f(string(field))
				}))
			})
		default:
			r.scan(v, func(cursor uint64, count int, f func(string)) (uint64, error) {
				return h.Scan(cursor, count, func(field, x []byte) {
					r.equal("value", string(x), v.hash[string(field)])
					f(string(field))
				})
			})
		}
		r.forget(key, v)
	}
}

// random compares a collection's Random with the model.
func (r *run) random(v *value, length func() (int, error), random func(n int, f func(name string))) {
	size := must(length())
	r.equal("length", size, v.size())
	members := v.members()
	n := r.int("n", -5, size+5)
	var got []string
	random(n, func(name string) { got = append(got, name) })
	want := min(n, size)
	if n < 0 {
		want = -n * min(size, 1)
	}
	r.equal("visits", len(got), want)
	for _, name := range got {
		_, ok := slices.BinarySearch(members, name)
		r.equal("is a member", ok, true)
	}
	slices.Sort(got)
	if n > 0 {
		r.equal("different ones", len(slices.Compact(got)), want)
	}
}

// scan compares a collection's scan from start to end with the model.
func (r *run) scan(v *value, scan func(cursor uint64, count int, f func(name string)) (uint64, error)) {
	seen := map[string]bool{}
	count := r.int("count", 1, 1000)
	for cursor := uint64(0); ; {
		cursor = must(scan(cursor, count, func(name string) { seen[name] = true }))
		if cursor == 0 {
			break
		}
	}
	r.equal("scanned", slices.Sorted(maps.Keys(seen)), v.members())
}

func (r *run) list(t *rapid.T) {
	key := r.pick(t)
	l, err := r.tx.List([]byte(key))
	v := r.collection(key, keyspace.List)
	if v == nil {
		r.fails("List", err, keyspace.ErrWrongType)
		return
	}
	check(err)
	for range r.int("calls", 1, 4) {
		r.listCall(l, v)
		r.forget(key, v)
	}
}

// listCall makes one call on a list and its model.
func (r *run) listCall(l keyspace.ListKey, v *value) {
	n := len(v.list)
	end := keyspace.End(r.bool("right"))
	switch r.int("do", 0, 8) {
	case 0, 1, 2:
		values := r.some()
		if r.bool("same") {
			values = []string{r.text("value"), r.text("value")}
		}
		added := slices.Clone(values)
		if end == keyspace.Left {
			slices.Reverse(added)
			v.list = append(added, v.list...)
		} else {
			v.list = append(v.list, added...)
		}
		r.equal("push", must(l.Push(end, bs(values...))), len(v.list))
	case 3:
		k := min(r.int("pop", 0, 300), n)
		var want []string
		if end == keyspace.Left {
			want, v.list = slices.Clone(v.list[:k]), v.list[k:]
		} else {
			want, v.list = slices.Clone(v.list[n-k:]), v.list[:n-k]
			slices.Reverse(want)
		}
		r.equal("pop", popOf(l, end, k), want)
	case 4:
		start, stop := r.int("start", -n-3, n+3), r.int("stop", -n-3, n+3)
		from, to := clipped(start, stop, n)
		if r.bool("trim") {
			v.list = slices.Clone(v.list[from:to])
			check(l.Trim(start, stop))
			return
		}
		want := slices.Clone(v.list[from:to])
		reverse := r.bool("reverse")
		if reverse {
			slices.Reverse(want)
		}
		r.equal("range", rangeOf(l, start, stop, reverse), want)
	case 5:
		i := r.int("index", -n-2, n+2)
		text := r.text("value")
		at := i
		if at < 0 {
			at += n
		}
		ok := at >= 0 && at < n
		if ok {
			v.list[at] = text
		}
		r.equal("set", must(l.Set(i, []byte(text))), ok)
	case 6, 7:
		text := r.text("value")
		pivot := r.text("pivot")
		if n > 0 && r.bool("there") {
			pivot = v.list[r.int("pivot at", 0, n-1)]
		}
		after := r.bool("after")
		want := -1
		if i := slices.Index(v.list, pivot); i >= 0 {
			if after {
				i++
			}
			v.list = slices.Insert(v.list, i, text)
			want = len(v.list)
		}
		if n == 0 {
			want = 0
		}
		r.equal("insert", must(l.Insert(after, []byte(pivot), []byte(text))), want)
	default:
		k := r.int("n", -3, 3)
		text := r.text("value")
		if n > 0 && r.bool("there") {
			text = v.list[r.int("value at", 0, n-1)]
		}
		v.list = removeFrom(v.list, k, text)
		r.equal("remove", must(l.Remove(k, []byte(text))), n-len(v.list))
	}
}

func (r *run) set(t *rapid.T) {
	key := r.pick(t)
	x, err := r.tx.Set([]byte(key))
	v := r.collection(key, keyspace.Set)
	if v == nil {
		r.fails("Set", err, keyspace.ErrWrongType)
		return
	}
	check(err)
	for range r.int("calls", 1, 3) {
		r.setCall(x, v)
		r.forget(key, v)
	}
}

// setCall makes one call on a set and its model.
func (r *run) setCall(x keyspace.SetKey, v *value) {
	names := r.some()
	before := len(v.set)
	switch r.int("do", 0, 6) {
	case 0, 1:
		for _, m := range names {
			v.set[m] = true
		}
		r.equal("added", must(x.Add(bs(names...))), len(v.set)-before)
	case 2:
		for _, m := range names {
			delete(v.set, m)
		}
		r.equal("removed", must(x.Remove(bs(names...))), before-len(v.set))
	case 3:
		var want []bool
		for _, m := range names {
			want = append(want, v.set[m])
		}
		r.equal("contains", must(x.Contains(bs(names...), nil)), want)
	case 4:
		r.random(v, x.Len, func(n int, f func(string)) { check(x.Random(n, func(m []byte) { f(string(m)) })) })
	case 5:
		n := r.int("pop", 0, before+2)
		popped := visitSet(func(f func([]byte)) error { return x.Pop(n, f) })
		r.equal("popped", len(popped), min(n, before))
		for _, m := range popped {
			r.equal("popped "+m, v.set[m], true)
			delete(v.set, m)
		}
	default:
		r.scan(v, func(cursor uint64, count int, f func(string)) (uint64, error) {
			return x.Scan(cursor, count, func(m []byte) { f(string(m)) })
		})
	}
}

func (r *run) sortedSet(t *rapid.T) {
	key := r.pick(t)
	z, err := r.tx.SortedSet([]byte(key))
	v := r.collection(key, keyspace.SortedSet)
	if v == nil {
		r.fails("SortedSet", err, keyspace.ErrWrongType)
		return
	}
	check(err)
	for range r.int("calls", 1, 3) {
		r.sortedSetCall(z, v)
		r.forget(key, v)
	}
}

// score draws one; few, so that many are equal. The first key's are all 0, for ranges by name.
func (r *run) score() float64 {
	if r.key == modelKeys[0] {
		return 0
	}
	return rapid.SampledFrom([]float64{0, 1, 1, -1, 2.5, inf, -inf, 1e300, 5e-324, 3, 4}).Draw(r.T, "score")
}

// sortedSetCall makes one call on a sorted set and its model.
func (r *run) sortedSetCall(z keyspace.SortedSetKey, v *value) {
	names := r.some()
	before := len(v.zset)
	switch r.int("do", 0, 8) {
	case 0, 1:
		var members []keyspace.Scored
		step := float64(r.int("step", 0, 1))
		score := r.score()
		for i, m := range names {
			x := score
			if r.key != modelKeys[0] {
				x += step * float64(i)
			}
			members = append(members, keyspace.Scored{Member: []byte(m), Score: x})
			v.zset[m] = x
		}
		r.equal("added", must(z.Put(members)), len(v.zset)-before)
	case 2:
		for _, m := range names {
			delete(v.zset, m)
		}
		r.equal("removed", must(z.Remove(bs(names...))), before-len(v.zset))
	case 3:
		got := must(z.Scores(bs(names...), nil))
		for i, m := range names {
			want, ok := v.zset[m]
			r.equal("score of "+m, !ok && got[i] != got[i] || got[i] == want, true)
		}
	case 4:
		all := v.pairs()
		for _, m := range names[:min(len(names), 5)] {
			i := slices.IndexFunc(all, func(p pair) bool { return p.member == m })
			rank, score, ok, err := z.Rank([]byte(m), false)
			check(err)
			back, _, _, err := z.Rank([]byte(m), true)
			check(err)
			r.equal("there", ok, i >= 0)
			if ok {
				r.equal("rank of "+m, fmt.Sprint(rank, back, score), fmt.Sprint(i, before-1-i, v.zset[m]))
			}
		}
	case 5, 6:
		r.sortedSetRange(z, v)
	case 7:
		r.random(v, z.Len, func(n int, f func(string)) {
			check(z.Random(n, func(m []byte, score float64) {
				r.equal("score", score, v.zset[string(m)])
				f(string(m))
			}))
		})
	default:
		r.scan(v, func(cursor uint64, count int, f func(string)) (uint64, error) {
			return z.Scan(cursor, count, func(m []byte, score float64) {
				r.equal("score", score, v.zset[string(m)])
				f(string(m))
			})
		})
	}
}

// sortedSetRange visits, counts or removes a range.
func (r *run) sortedSetRange(z keyspace.SortedSetKey, v *value) {
	n := len(v.zset)
	g := keyspace.Range{
		By: keyspace.By(r.int("by", 0, 2)), Reverse: r.bool("reverse"),
		Offset: r.int("offset", 0, 5), Count: rapid.SampledFrom([]int{-1, -1, 0, 1, 100}).Draw(r.T, "count"),
		MinOpen: r.bool("min open"), MaxOpen: r.bool("max open"),
	}
	switch g.By {
	case keyspace.ByRank:
		g.Start, g.Stop = r.int("start", -n-3, n+3), r.int("stop", -n-3, n+3)
	case keyspace.ByScore:
		g.Min, g.Max = r.score(), r.score()
	case keyspace.ByLex:
		for _, score := range v.zset {
			if score != 0 {
				return
			}
		}
		g.MinLex, g.MaxLex = []byte(r.some()[0]), []byte(r.some()[0])
		g.MinFree, g.MaxFree = r.bool("min free"), r.bool("max free")
	}
	all := v.pairs()
	in := g
	if g.By != keyspace.ByRank {
		in.Reverse = false
	}
	switch r.int("range", 0, 3) {
	case 0:
		gone := selectPairs(all, in)
		for _, p := range gone {
			delete(v.zset, p.member)
		}
		r.equal("removed", must(z.RemoveRange(&g)), len(gone))
	case 1:
		r.equal("counted", must(z.Count(&g)), len(selectPairs(all, in)))
	default:
		r.equal("range", pairsOf(z, g), visitPairs(all, g))
	}
}
