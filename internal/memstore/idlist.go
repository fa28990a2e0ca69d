package memstore

import (
	"slices"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// idList keeps values in the order of their stream ids, in chunks of bounded size: what is added last and what is removed
// first, which is what pending entries do, costs no more than a few moves.
type idList[V any] struct {
	chunks [][]idItem[V] // none is empty, save an only one
	n      int
	spare  []idItem[V] // a chunk that is not in use
}

type idItem[V any] struct {
	id    keyspace.StreamID
	value V
}

const idChunk = 128

// chunk is the index of the chunk that an id belongs to; there is at least one.
func (l *idList[V]) chunk(id keyspace.StreamID) int {
	lo, hi := 1, len(l.chunks)
	if hi > 1 && !id.Less(l.chunks[hi-1][0].id) {
		return hi - 1
	}
	for lo < hi {
		if mid := int(uint(lo+hi) / 2); id.Less(l.chunks[mid][0].id) {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo - 1
}

// place is the index in a chunk of the first item that is not before an id.
func place[V any](items []idItem[V], id keyspace.StreamID) int {
	lo, hi := 0, len(items)
	if hi > 0 && items[hi-1].id.Less(id) {
		return hi
	}
	for lo < hi {
		if mid := int(uint(lo+hi) / 2); items[mid].id.Less(id) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// find returns the value of an id, nil if there is none. It is valid until the next put or remove.
func (l *idList[V]) find(id keyspace.StreamID) *V {
	if l.n == 0 {
		return nil
	}
	items := l.chunks[l.chunk(id)]
	if i := place(items, id); i < len(items) && items[i].id == id {
		return &items[i].value
	}
	return nil
}

// put sets the value of an id and reports whether the id is new.
func (l *idList[V]) put(id keyspace.StreamID, value V) (added bool) {
	if len(l.chunks) == 0 {
		l.chunks = append(l.chunks, l.take())
	}
	c := l.chunk(id)
	items := l.chunks[c]
	i := place(items, id)
	if i < len(items) && items[i].id == id {
		items[i].value = value
		return false
	}
	l.n++
	switch {
	case len(items) < idChunk:
		l.chunks[c] = slices.Insert(items, i, idItem[V]{id, value})
	case i == len(items) && c == len(l.chunks)-1:
		l.chunks = append(l.chunks, append(l.take(), idItem[V]{id, value}))
	default:
		half := append(l.take(), items[idChunk/2:]...)
		items = items[:idChunk/2]
		if i <= len(items) {
			items = slices.Insert(items, i, idItem[V]{id, value})
		} else {
			half = slices.Insert(half, i-len(items), idItem[V]{id, value})
		}
		l.chunks[c] = items
		l.chunks = slices.Insert(l.chunks, c+1, half)
	}
	return true
}

// take returns an empty chunk.
func (l *idList[V]) take() []idItem[V] {
	c := l.spare[:0]
	l.spare = nil
	return c
}

// remove removes an id and reports whether it was there.
func (l *idList[V]) remove(id keyspace.StreamID) bool {
	if l.n == 0 {
		return false
	}
	c := l.chunk(id)
	items := l.chunks[c]
	i := place(items, id)
	if i == len(items) || items[i].id != id {
		return false
	}
	l.n--
	l.chunks[c] = slices.Delete(items, i, i+1)
	switch {
	case len(items) > 1 || len(l.chunks) == 1:
	case c == 0: // the first chunks are the ones that empty: moving the rest each time would be quadratic
		l.spare = items[:0]
		l.chunks[0] = nil
		l.chunks = l.chunks[1:]
	default:
		l.spare = items[:0]
		l.chunks = slices.Delete(l.chunks, c, c+1)
	}
	return true
}

// from visits ids with their values from an id on until f returns false.
func (l *idList[V]) from(id keyspace.StreamID, f func(id keyspace.StreamID, value *V) bool) {
	if l.n == 0 {
		return
	}
	c := l.chunk(id)
	i := place(l.chunks[c], id)
	for ; c < len(l.chunks); c++ {
		for items := l.chunks[c]; i < len(items); i++ {
			if !f(items[i].id, &items[i].value) {
				return
			}
		}
		i = 0
	}
}

func (l *idList[V]) copy() idList[V] {
	c := idList[V]{n: l.n, chunks: make([][]idItem[V], len(l.chunks))}
	for i, items := range l.chunks {
		c.chunks[i] = slices.Clone(items)
	}
	return c
}
