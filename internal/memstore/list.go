package memstore

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// list is the collection of a list: chunks of values packed one behind the other, so that both ends are near and an index
// is found by counting chunks.
type list struct {
	chunks []*chunk // chunks[front:] are in use; none of them is empty
	front  int
	n      int
	large  bool // Redis would not keep it as one listpack
	room   int  // bytes of the buffers of the chunks
}

// chunk is a run of values. Each stands between its length and its length again, the second one spelled
// backwards, so that the run can be read from both ends.
type chunk struct {
	buf        []byte
	head, tail int // buf[head:tail] is in use
	n          int
	packed     int // bytes that the values would take in a listpack
}

const (
	// chunkBytes is how much a chunk holds, unless a single value is longer.
	chunkBytes = 8 << 10
	chunkFirst = 64 // of a new list's chunk
)

// lengthSize is how many bytes a length takes.
func lengthSize(n int) int {
	size := 1
	for n >>= 7; n > 0; n >>= 7 {
		size++
	}
	return size
}

// valueSize is how many bytes a value takes in a chunk.
func valueSize(v []byte) int { return len(v) + 2*lengthSize(len(v)) }

// putValue writes a value at the start of b.
func putValue(b, v []byte) {
	if len(v) < 0x80 {
		b[0] = byte(len(v))
		copy(b[1:], v)
		b[1+len(v)] = byte(len(v))
		return
	}
	n := binary.PutUvarint(b, uint64(len(v)))
	copy(b[n:], v)
	for i := range n {
		b[n+len(v)+i] = b[n-1-i] // backwards
	}
}

// first returns the value at offset off and the offset behind it.
func (c *chunk) first(off int) (v []byte, next int) {
	n := int(c.buf[off])
	if n < 0x80 {
		off++
		return c.buf[off : off+n : off+n], off + n + 1
	}
	u, size := binary.Uvarint(c.buf[off:])
	off += size
	end := off + int(u)
	return c.buf[off:end:end], end + size
}

// last returns the value that ends at offset end, and where it starts.
func (c *chunk) last(end int) (v []byte, start int) {
	n, size := 0, 0
	for {
		b := c.buf[end-1-size]
		n |= int(b&0x7f) << (7 * size)
		size++
		if b < 0x80 {
			break
		}
	}
	start = end - 2*size - n
	return c.buf[start+size : start+size+n : start+size+n], start
}

// seek returns the offset of the value at index i of the chunk.
func (c *chunk) seek(i int) (off int) {
	if i > c.n/2 {
		off = c.tail
		for ; i < c.n; i++ {
			_, off = c.last(off)
		}
		return off
	}
	off = c.head
	for ; i > 0; i-- {
		_, off = c.first(off)
	}
	return off
}

// room makes sure that size bytes are free at an end of the chunk; false if it is full.
func (c *chunk) room(end keyspace.End, size int) bool {
	free := c.head
	if end == keyspace.Right {
		free = len(c.buf) - c.tail
	}
	if free >= size {
		return true
	}
	used := c.tail - c.head
	if used+size > chunkBytes {
		return false
	}
	// A queue empties its chunk at the other end. Moving the values to the middle frees at each end a quarter of the chunk,
	// so that it pays for itself.
	if at := (len(c.buf) - used) / 2; at >= max(size, len(c.buf)/4) {
		copy(c.buf[at:], c.buf[c.head:c.tail])
		c.head, c.tail = at, at+used
		return true
	}
	grown := make([]byte, min(max(2*len(c.buf), used+size), chunkBytes))
	at := 0
	if end == keyspace.Left {
		at = len(grown) - used
	}
	copy(grown[at:], c.buf[c.head:c.tail])
	c.buf, c.head, c.tail = grown, at, at+used
	return true
}

func (c *chunk) push(end keyspace.End, v []byte, size int) {
	if end == keyspace.Left {
		c.head -= size
		putValue(c.buf[c.head:], v)
	} else {
		putValue(c.buf[c.tail:], v)
		c.tail += size
	}
	c.n++
	c.packed += listpackSize(v)
}

// measure returns how many bytes the values from offset off to end would take in a listpack.
func (c *chunk) measure(off, end int) (bytes int) {
	for off < end {
		var v []byte
		v, off = c.first(off)
		bytes += listpackSize(v)
	}
	return bytes
}

// splice replaces the bytes from off to next by values.
func (c *chunk) splice(off, next int, values ...[]byte) {
	size := 0
	for _, v := range values {
		size += valueSize(v)
	}
	buf := make([]byte, off-c.head+size+c.tail-next)
	at := copy(buf, c.buf[c.head:off])
	for _, v := range values {
		putValue(buf[at:], v)
		at += valueSize(v)
	}
	copy(buf[at:], c.buf[next:c.tail])
	c.buf, c.head, c.tail = buf, 0, len(buf)
}

// splice is that of a chunk of the list.
func (l *list) splice(c *chunk, off, next int, v []byte) {
	was := len(c.buf)
	c.splice(off, next, v)
	l.room += len(c.buf) - was
}

func (l *list) used() []*chunk { return l.chunks[l.front:] }

func (l *list) push(end keyspace.End, v []byte) {
	size := valueSize(v)
	used := l.used()
	if len(used) > 0 {
		c := used[0]
		if end == keyspace.Right {
			c = used[len(used)-1]
		}
		was := len(c.buf)
		if c.room(end, size) {
			l.room += len(c.buf) - was
			c.push(end, v, size)
			l.n++
			return
		}
	}
	first := chunkFirst
	if len(used) > 0 {
		first = chunkBytes / 4
	}
	c := &chunk{buf: make([]byte, max(first, size))}
	l.room += len(c.buf)
	if end == keyspace.Left {
		c.head, c.tail = len(c.buf), len(c.buf)
	}
	c.push(end, v, size)
	l.n++
	if end == keyspace.Right {
		l.chunks = append(l.chunks, c)
		return
	}
	if l.front == 0 { // as many free places in front as chunks, so that pushing costs the same at both ends
		l.front = len(l.chunks) + 1
		l.chunks = append(make([]*chunk, l.front, 2*l.front), l.chunks...)
	}
	l.front--
	l.chunks[l.front] = c
}

// drop takes chunk i, counted from the front, out of the list.
func (l *list) drop(i int) {
	i += l.front
	l.room -= len(l.chunks[i].buf)
	switch {
	case i == l.front:
		l.chunks[i] = nil
		l.front++
		if l.front > 64 && l.front > len(l.chunks)*3/4 {
			l.chunks = append([]*chunk(nil), l.used()...)
			l.front = 0
		}
	default:
		l.chunks = slices.Delete(l.chunks, i, i+1)
	}
}

func (l *list) pop(end keyspace.End, f func(v []byte)) {
	used := l.used()
	i := 0
	if end == keyspace.Right {
		i = len(used) - 1
	}
	c := used[i]
	var v []byte
	if end == keyspace.Left {
		v, c.head = c.first(c.head)
	} else {
		v, c.tail = c.last(c.tail)
	}
	f(v)
	l.n--
	c.packed -= listpackSize(v)
	if c.n--; c.n == 0 {
		l.drop(i)
	}
}

// locate returns the chunk that holds the value at index, and its index in it.
func (l *list) locate(index int) (chunk, at int) {
	used := l.used()
	if index > l.n/2 {
		left := l.n
		for i := len(used) - 1; ; i-- {
			if left -= used[i].n; index >= left {
				return i, index - left
			}
		}
	}
	for i, c := range used {
		if index < c.n {
			return i, index
		}
		index -= c.n
	}
	return len(used), 0
}

// clip turns start and stop, which may be negative or out of the list, into indexes; empty means nothing is between them.
func clip(start, stop, n int) (from, to int, empty bool) {
	if start < 0 {
		start = max(start+n, 0)
	}
	if stop < 0 {
		stop += n
	}
	stop = min(stop, n-1)
	return start, stop, start > stop
}

func (l *list) visit(start, stop int, f func(v []byte) bool) {
	i, at := l.locate(start)
	used := l.used()
	off := used[i].seek(at)
	for left := stop - start + 1; left > 0; left-- {
		c := used[i]
		v, next := c.first(off)
		if !f(v) {
			return
		}
		if off = next; off == c.tail && left > 1 {
			i++
			off = used[i].head
		}
	}
}

func (l *list) visitBack(start, stop int, f func(v []byte) bool) {
	i, at := l.locate(stop)
	used := l.used()
	_, end := used[i].first(used[i].seek(at))
	for left := stop - start + 1; left > 0; left-- {
		c := used[i]
		v, before := c.last(end)
		if !f(v) {
			return
		}
		if end = before; end == c.head && left > 1 {
			i--
			end = used[i].tail
		}
	}
}

// halve splits a chunk that values in its middle have made too long.
func (l *list) halve(i int) {
	c := l.used()[i]
	if c.n < 2 || c.tail-c.head <= 2*chunkBytes {
		return
	}
	at := c.seek(c.n / 2)
	right := &chunk{buf: bytes.Clone(c.buf[at:c.tail]), n: c.n - c.n/2}
	right.tail = len(right.buf)
	left := &chunk{buf: bytes.Clone(c.buf[c.head:at]), n: c.n / 2}
	left.tail = len(left.buf)
	left.packed = left.measure(0, left.tail)
	right.packed = c.packed - left.packed
	l.room += len(left.buf) + len(right.buf) - len(c.buf)
	l.chunks[l.front+i] = left
	l.chunks = slices.Insert(l.chunks, l.front+i+1, right)
}

func (l *list) set(index int, v []byte) {
	i, at := l.locate(index)
	c := l.used()[i]
	off := c.seek(at)
	old, next := c.first(off)
	c.packed += listpackSize(v) - listpackSize(old)
	if len(old) == len(v) {
		copy(old, v)
		return
	}
	l.splice(c, off, next, v)
	l.halve(i)
}

func (l *list) insert(after bool, pivot, v []byte) bool {
	for i, c := range l.used() {
		for off := c.head; off < c.tail; {
			at, next := c.first(off)
			if bytes.Equal(at, pivot) {
				if after {
					off = next
				}
				l.splice(c, off, off, v)
				c.n++
				c.packed += listpackSize(v)
				l.n++
				l.halve(i)
				return true
			}
			off = next
		}
	}
	return false
}

// remove removes up to most values equal to v, from the back where back is set.
func (l *list) remove(v []byte, most int, back bool) (removed int) {
	for done := 0; removed < most && done < len(l.used()); {
		i := done
		if back {
			i = len(l.used()) - 1 - done
		}
		n := l.used()[i].remove(v, most-removed, back)
		removed += n
		l.n -= n
		if l.used()[i].n == 0 {
			l.drop(i)
		} else {
			done++
		}
	}
	return removed
}

// remove is list.remove for one chunk: what stays moves up.
func (c *chunk) remove(v []byte, most int, back bool) (removed int) {
	skip := 0 // matches to leave alone
	if back {
		matches := 0
		for off := c.head; off < c.tail; {
			var at []byte
			at, off = c.first(off)
			matches += btoi(bytes.Equal(at, v))
		}
		skip = max(matches-most, 0)
	}
	to := c.head
	for off := c.head; off < c.tail; {
		at, next := c.first(off)
		match := bytes.Equal(at, v)
		if match && skip == 0 && removed < most {
			removed++
		} else {
			skip -= btoi(match && skip > 0)
			to += copy(c.buf[to:], c.buf[off:next])
		}
		off = next
	}
	c.tail = to
	c.n -= removed
	c.packed -= removed * listpackSize(v)
	return removed
}

// cut drops n values from an end, whole chunks at once.
func (l *list) cut(end keyspace.End, n int) {
	for n > 0 {
		used := l.used()
		i := 0
		if end == keyspace.Right {
			i = len(used) - 1
		}
		c := used[i]
		switch {
		case n >= c.n:
			n -= c.n
			l.n -= c.n
			l.drop(i)
			continue
		case end == keyspace.Left:
			c.keep(c.seek(n), c.tail)
		default:
			c.keep(c.head, c.seek(c.n-n))
		}
		c.n -= n
		l.n -= n
		n = 0
	}
}

// keep leaves what stands from head to tail, at one end of the chunk.
func (c *chunk) keep(head, tail int) {
	if gone := head - c.head + c.tail - tail; gone < tail-head {
		c.packed -= c.measure(c.head, head) + c.measure(tail, c.tail)
	} else {
		c.packed = c.measure(head, tail)
	}
	c.head, c.tail = head, tail
}

// grow notes that values come to the list, of which one may go: from some size on it is large.
func (l *list) grow(size int, values ...[]byte) {
	if l.large {
		return
	}
	most, mostValues := listBounds(size)
	bytes := l.listpackBytes()
	for _, v := range values {
		bytes += len(v)
	}
	l.large = bytes > most || l.n+len(values) > mostValues
}

// shrink notes that something was removed: from half that size down the list is no longer large. As in Redis, that what is
// left is in one piece is part of it.
func (l *list) shrink(size int) {
	most, mostValues := listBounds(size)
	if !l.large || len(l.used()) > max(most/chunkBytes, 1) {
		return
	}
	l.large = size < 0 && l.listpackBytes() > most/2 || l.n > mostValues/2
}

// listpackBytes is how long a listpack of all values would be.
func (l *list) listpackBytes() int {
	bytes := listpackHead
	for _, c := range l.used() {
		bytes += c.packed
	}
	return bytes
}

func (l *list) release(*Store) { *l = list{} }

func (l *list) copy(*Store) object {
	c := &list{n: l.n, large: l.large}
	for _, from := range l.used() {
		to := &chunk{buf: bytes.Clone(from.buf[from.head:from.tail]), n: from.n, packed: from.packed}
		to.tail = len(to.buf)
		c.chunks = append(c.chunks, to)
		c.room += len(to.buf)
	}
	return c
}

func (l *list) encoding() string {
	if l.large {
		return "quicklist"
	}
	return "listpack"
}

// listKey is the list at a key in a transaction. It implements keyspace.ListKey.
type listKey struct {
	t    *tx
	key  []byte
	list *list // nil while the key is missing
}

// List implements keyspace.Tx.
func (t *tx) List(key []byte) (keyspace.ListKey, error) {
	o, err := t.collection(key, keyspace.List)
	if err != nil {
		return nil, err
	}
	k := t.lists.next()
	*k = listKey{t: t, key: key}
	k.list, _ = o.(*list)
	return k, nil
}

// size is how large lists may get, in the terms of keyspace.Limits.
func (k *listKey) size() int { return k.t.s.limits.Load().ListSize }

// wrote ends a write, which has begun by lifting the list off the scale.
func (k *listKey) wrote() {
	k.t.s.putBack(k.list)
	if k.t.wrote(k.key, k.list.n) {
		k.list = nil
	}
}

// removed ends a write that may have left fewer or shorter values.
func (k *listKey) removed() {
	k.list.shrink(k.size())
	k.wrote()
}

func (k *listKey) Len() (int, error) {
	if k.list == nil {
		return 0, nil
	}
	return k.list.n, nil
}

func (k *listKey) Push(end keyspace.End, values [][]byte) (int, error) {
	if len(values) == 0 {
		return k.Len()
	}
	if k.list == nil {
		k.list = &list{}
		k.t.create(k.key, keyspace.List, k.list)
	}
	k.t.s.lift(k.list)
	k.list.grow(k.size(), values...)
	for _, v := range values {
		k.list.push(end, v)
	}
	k.wrote()
	return k.list.n, nil
}

func (k *listKey) Pop(end keyspace.End, n int, f func(value []byte)) error {
	if k.list == nil || n <= 0 {
		return nil
	}
	k.t.s.lift(k.list)
	for ; n > 0 && k.list.n > 0; n-- {
		k.list.pop(end, f)
	}
	k.removed()
	return nil
}

func (k *listKey) Range(start, stop int, reverse bool, f func(value []byte) bool) error {
	if k.list == nil {
		return nil
	}
	from, to, empty := clip(start, stop, k.list.n)
	switch {
	case empty:
	case reverse:
		k.list.visitBack(from, to, f)
	default:
		k.list.visit(from, to, f)
	}
	return nil
}

func (k *listKey) Set(index int, value []byte) (bool, error) {
	if k.list == nil {
		return false, nil
	}
	if index < 0 {
		index += k.list.n
	}
	if index < 0 || index >= k.list.n {
		return false, nil
	}
	k.t.s.lift(k.list)
	k.list.grow(k.size(), value)
	k.list.set(index, value)
	k.removed()
	return true, nil
}

func (k *listKey) Insert(after bool, pivot, value []byte) (int, error) {
	if k.list == nil {
		return 0, nil
	}
	k.t.s.lift(k.list)
	k.list.grow(k.size(), value)
	if !k.list.insert(after, pivot, value) {
		k.t.s.putBack(k.list)
		return -1, nil
	}
	k.wrote()
	return k.list.n, nil
}

func (k *listKey) Remove(n int, value []byte) (removed int, err error) {
	if k.list == nil {
		return 0, nil
	}
	k.t.s.lift(k.list)
	switch {
	case n == 0:
		removed = k.list.remove(value, k.list.n, false)
	case n > 0:
		removed = k.list.remove(value, n, false)
	default:
		removed = k.list.remove(value, -max(n, -k.list.n), true)
	}
	if removed > 0 {
		k.removed()
	} else {
		k.t.s.putBack(k.list)
	}
	return removed, nil
}

func (k *listKey) Trim(start, stop int) error {
	if k.list == nil {
		return nil
	}
	k.t.s.lift(k.list)
	from, to, empty := clip(start, stop, k.list.n)
	if empty {
		k.list.release(nil)
	} else {
		k.list.cut(keyspace.Right, k.list.n-1-to)
		k.list.cut(keyspace.Left, from)
	}
	k.removed()
	return nil
}
