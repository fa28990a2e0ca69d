package sqlstore

import (
	"github.com/redbud-go/redbud/internal/keyspace"
)

var (
	listHead    = query(`SELECT min(place) FROM redbud_list WHERE collection = ?`)
	listAdd     = query(`INSERT INTO redbud_list (collection, place, value) VALUES (?, ?, ?)`)
	listUp      = query(`SELECT value FROM redbud_list WHERE collection = ? AND place BETWEEN ? AND ? ORDER BY place`)
	listDown    = query(`SELECT value FROM redbud_list WHERE collection = ? AND place BETWEEN ? AND ? ORDER BY place DESC`)
	listRemove  = query(`DELETE FROM redbud_list WHERE collection = ? AND place BETWEEN ? AND ?`)
	listSet     = query(`UPDATE redbud_list SET value = ? WHERE collection = ? AND place = ?`)
	listFind    = query(`SELECT place FROM redbud_list WHERE collection = ? AND value = ? ORDER BY place LIMIT ?`)
	listFindEnd = query(`SELECT place FROM redbud_list WHERE collection = ? AND value = ? ORDER BY place DESC LIMIT ?`)
	listShift   = query(`UPDATE redbud_list SET place = place + ? WHERE collection = ? AND place BETWEEN ? AND ?`)
	listCompact = query(`INSERT INTO redbud_list (collection, place, value) SELECT ?, row_number() OVER (ORDER BY place), value FROM redbud_list WHERE collection = ?`)
)

// listKey implements keyspace.ListKey. Places have no gaps: the one at index i is head+i. A transaction reads the head once, and keeps
// it in step with what it writes.
type listKey struct {
	t *tx
	m *meta
}

// List implements keyspace.Tx.
func (t *tx) List(key []byte) (keyspace.ListKey, error) {
	m, err := t.collection(key, keyspace.List)
	if err != nil {
		return nil, err
	}
	return &listKey{t, m}, nil
}

// head is the place of the first element; 0 if there is none.
func (k *listKey) head() (int64, error) {
	if k.m.len == 0 || k.m.headed {
		return k.m.head, nil
	}
	n, err := k.t.one(listHead, integer(k.m.collection))
	if err == nil {
		k.m.head, k.m.headed = n, true
	}
	return n, err
}

func (k *listKey) Len() (int, error) { return int(k.m.len), nil }

func (k *listKey) Push(end keyspace.End, values [][]byte) (int, error) {
	if len(values) == 0 {
		return int(k.m.len), nil
	}
	if err := k.t.open(k.m, keyspace.List); err != nil {
		return 0, err
	}
	head, err := k.head()
	if err != nil {
		return 0, err
	}
	place, step := head+k.m.len-1, int64(1)
	if end == keyspace.Left {
		place, step = head, -1
		head -= int64(len(values))
	}
	args := k.t.args[:0]
	for _, v := range values {
		place += step
		args = append(args, integer(k.m.collection), integer(place), blob(v))
	}
	k.t.args = args
	if err := k.t.runLater(listAdd, args); err != nil {
		return 0, err
	}
	k.m.head, k.m.headed = head, true
	n := int(k.m.len) + len(values)
	return n, k.t.grow(k.m, len(values))
}

func (k *listKey) Pop(end keyspace.End, n int, f func(value []byte)) error {
	if k.m.id == 0 || n <= 0 {
		return nil
	}
	n = int(min(int64(n), k.m.len))
	from, to := 0, n-1
	if end == keyspace.Right {
		from, to = int(k.m.len)-n, int(k.m.len)-1
	}
	if err := k.Range(from, to, end == keyspace.Right, func(v []byte) bool { f(v); return true }); err != nil {
		return err
	}
	return k.cut(from, to)
}

// cut removes the elements from one index to another at an end of the list.
func (k *listKey) cut(from, to int) error {
	if from > to {
		return nil
	}
	head, err := k.head()
	if err != nil {
		return err
	}
	if err := k.t.later(listRemove, integer(k.m.collection), integer(head+int64(from)), integer(head+int64(to))); err != nil {
		return err
	}
	n := to - from + 1
	if from == 0 {
		k.m.head += int64(n)
	}
	return k.t.grow(k.m, -n)
}

func (k *listKey) Range(start, stop int, reverse bool, f func(value []byte) bool) error {
	start, stop, ok := k.m.clip(start, stop)
	if !ok {
		return nil
	}
	head, err := k.head()
	if err != nil {
		return err
	}
	q := listUp
	if reverse {
		q = listDown
	}
	k.t.args = append(k.t.args[:0], integer(k.m.collection), integer(head+int64(start)), integer(head+int64(stop)))
	_, err = k.t.run(q, k.t.args, func(_ int, r Row) error {
		if !f(r.Bytes(0)) {
			return errEnough
		}
		return nil
	})
	if err == errEnough {
		err = nil
	}
	return err
}

func (k *listKey) Set(index int, value []byte) (bool, error) {
	if index < 0 {
		index += int(k.m.len)
	}
	if index < 0 || int64(index) >= k.m.len {
		return false, nil
	}
	head, err := k.head()
	if err != nil {
		return false, err
	}
	if err := k.t.later(listSet, blob(value), integer(k.m.collection), integer(head+int64(index))); err != nil {
		return false, err
	}
	return true, k.t.grow(k.m, 0)
}

func (k *listKey) Insert(after bool, pivot, value []byte) (int, error) {
	if k.m.id == 0 {
		return 0, nil
	}
	places, err := k.find(pivot, 1)
	if err != nil {
		return 0, err
	}
	if len(places) == 0 {
		return -1, nil
	}
	head, err := k.head()
	if err != nil {
		return 0, err
	}
	place := places[0] + int64(btoi(after)) // of what is to be behind it
	if place-head < k.m.len/2 {             // the shorter side makes room
		err = k.shift(head, place-1, -1)
		place--
		k.m.head--
	} else {
		err = k.shift(place, head+k.m.len-1, 1)
	}
	if err != nil {
		return 0, err
	}
	if err := k.t.later(listAdd, integer(k.m.collection), integer(place), blob(value)); err != nil {
		return 0, err
	}
	n := int(k.m.len) + 1
	return n, k.t.grow(k.m, 1)
}

// shift moves the elements at some places. They go aside first: no two may be at one place in between.
func (k *listKey) shift(from, to, by int64) error {
	if from > to {
		return nil
	}
	const aside = 1 << 60
	if err := k.t.later(listShift, integer(aside), integer(k.m.collection), integer(from), integer(to)); err != nil {
		return err
	}
	return k.t.later(listShift, integer(by-aside), integer(k.m.collection), integer(from+aside), integer(to+aside))
}

// find returns the places of the first n elements that are equal to value, of the last -n with n < 0.
func (k *listKey) find(value []byte, n int) (places []int64, err error) {
	q, limit := listFind, int64(n)
	if n < 0 {
		q, limit = listFindEnd, -max(limit, -k.m.len)
	}
	k.t.args = append(k.t.args[:0], integer(k.m.collection), blob(value), integer(limit))
	_, err = k.t.run(q, k.t.args, func(_ int, r Row) error { places = append(places, r.Int(0)); return nil })
	return places, err
}

func (k *listKey) Remove(n int, value []byte) (int, error) {
	if k.m.id == 0 {
		return 0, nil
	}
	if n == 0 {
		n = int(k.m.len)
	}
	places, err := k.find(value, n)
	if err != nil || len(places) == 0 {
		return 0, err
	}
	head, err := k.head()
	if err != nil {
		return 0, err
	}
	args := []Value{}
	for _, p := range places {
		args = append(args, integer(k.m.collection), integer(p), integer(p))
	}
	if err := k.t.runLater(listRemove, args); err != nil {
		return 0, err
	}
	left, last := k.m.len-int64(len(places)), head+k.m.len-1
	switch {
	case left == 0:
	case len(places) > 1:
		err = k.compact()
	case places[0]-head < left/2:
		err = k.shift(head, places[0]-1, 1)
		k.m.head++
	default:
		err = k.shift(places[0]+1, last, -1)
	}
	if err != nil {
		return 0, err
	}
	return len(places), k.t.grow(k.m, -len(places))
}

// compact closes all gaps: the elements move to another collection.
func (k *listKey) compact() error {
	n, err := k.t.number()
	if err != nil {
		return err
	}
	if err := k.t.later(listCompact, integer(n), integer(k.m.collection)); err != nil {
		return err
	}
	if err := k.t.drop(k.m); err != nil {
		return err
	}
	k.m.collection, k.m.head = n, 1
	k.t.mark(k.m, dirtyRow)
	return nil
}

func (k *listKey) Trim(start, stop int) error {
	if k.m.id == 0 {
		return nil
	}
	start, stop, ok := k.m.clip(start, stop)
	if !ok {
		return k.t.remove(k.m)
	}
	if err := k.cut(stop+1, int(k.m.len)-1); err != nil {
		return err
	}
	return k.cut(0, start-1)
}
