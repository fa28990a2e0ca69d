package memstore

import (
	"bytes"
	"slices"
)

// ranked is a member of a sorted set where its order is kept: the block has its name.
type ranked struct {
	score float64
	ref   ref
}

// rankTree keeps members in order: a B+ tree whose inner nodes know how many members each child has, so that a rank is
// found, and told, in logarithmic time. Neighbours that have become small are merged.
type rankTree struct {
	root *rankNode
	n    int
}

// rankNode is a leaf, with items, or an inner node, with kids. firsts and counts describe the kids.
type rankNode struct {
	items  []ranked
	kids   []*rankNode
	firsts []ranked
	counts []int
}

const (
	leafItems = 64
	nodeKids  = 32
)

func (n *rankNode) size() int {
	if n.kids == nil {
		return len(n.items)
	}
	sum := 0
	for _, c := range n.counts {
		sum += c
	}
	return sum
}

func (n *rankNode) first() ranked {
	if n.kids == nil {
		return n.items[0]
	}
	return n.firsts[0]
}

// less orders members by score, then by the bytes of their names.
func (a *arena) less(x, y ranked) bool {
	if x.score != y.score {
		return x.score < y.score
	}
	return bytes.Compare(nameOf(a.block(x.ref)), nameOf(a.block(y.ref))) < 0
}

// kid is the child of an inner node that an item belongs to.
func (n *rankNode) kid(a *arena, it ranked) int {
	lo, hi := 1, len(n.kids)
	for lo < hi {
		if mid := (lo + hi) / 2; a.less(it, n.firsts[mid]) {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo - 1
}

// place is the index of the first item of a leaf that is not less than it.
func (n *rankNode) place(a *arena, it ranked) int {
	lo, hi := 0, len(n.items)
	for lo < hi {
		if mid := (lo + hi) / 2; a.less(n.items[mid], it) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// insert adds an item that is not in the tree.
func (t *rankTree) insert(a *arena, it ranked) {
	if t.root == nil {
		t.root = &rankNode{}
	}
	if right := t.root.insert(a, it); right != nil {
		t.root = innerNode(t.root, right)
	}
	t.n++
}

func innerNode(kids ...*rankNode) *rankNode {
	n := &rankNode{kids: make([]*rankNode, 0, nodeKids+1)}
	for _, k := range kids {
		n.kids = append(n.kids, k)
		n.firsts = append(n.firsts, k.first())
		n.counts = append(n.counts, k.size())
	}
	return n
}

// insert returns the right half of the node if it had to be split.
func (n *rankNode) insert(a *arena, it ranked) (right *rankNode) {
	if n.kids == nil {
		i := n.place(a, it)
		n.items = slices.Insert(n.items, i, it)
		if len(n.items) <= leafItems {
			return nil
		}
		// Members that come in order leave full leaves behind.
		cut := len(n.items) / 2
		if i == len(n.items)-1 {
			cut = len(n.items) - 1
		}
		right = &rankNode{items: append(make([]ranked, 0, leafItems+1), n.items[cut:]...)}
		n.items = n.items[:cut]
		return right
	}
	i := n.kid(a, it)
	split := n.kids[i].insert(a, it)
	n.firsts[i] = n.kids[i].first()
	if split == nil {
		n.counts[i]++
		return nil
	}
	n.counts[i] = n.kids[i].size()
	n.kids = slices.Insert(n.kids, i+1, split)
	n.firsts = slices.Insert(n.firsts, i+1, split.first())
	n.counts = slices.Insert(n.counts, i+1, split.size())
	if len(n.kids) <= nodeKids {
		return nil
	}
	cut := len(n.kids) / 2
	right = innerNode(n.kids[cut:]...)
	clear(n.kids[cut:])
	n.kids, n.firsts, n.counts = n.kids[:cut], n.firsts[:cut], n.counts[:cut]
	return right
}

// remove removes an item; its block must still be whole. The item is in the tree.
func (t *rankTree) remove(a *arena, it ranked) {
	t.root.remove(a, it)
	t.shrink()
}

// shrink tidies the root after a removal.
func (t *rankTree) shrink() {
	if t.n--; t.n == 0 {
		t.root = nil
		return
	}
	for len(t.root.kids) == 1 {
		t.root = t.root.kids[0]
	}
}

func (n *rankNode) remove(a *arena, it ranked) {
	if n.kids == nil {
		i := n.place(a, it)
		n.items = slices.Delete(n.items, i, i+1)
		return
	}
	i := n.kid(a, it)
	n.kids[i].remove(a, it)
	n.counts[i]--
	if n.counts[i] == 0 {
		n.cut(i)
		return
	}
	n.firsts[i] = n.kids[i].first()
	if k := n.kids[i]; len(k.items) < leafItems/4 && len(k.kids) < nodeKids/4 {
		n.merge(i)
		n.merge(i - 1)
	}
}

// cut takes kid i out of an inner node.
func (n *rankNode) cut(i int) {
	n.kids = slices.Delete(n.kids, i, i+1)
	n.firsts = slices.Delete(n.firsts, i, i+1)
	n.counts = slices.Delete(n.counts, i, i+1)
}

// merge makes one of kid i and the next if both are there and half of one has room for them, so that it does not have to be
// split again soon.
func (n *rankNode) merge(i int) {
	if i < 0 || i+1 >= len(n.kids) {
		return
	}
	left, right := n.kids[i], n.kids[i+1]
	if len(left.items)+len(right.items) > leafItems/2 || len(left.kids)+len(right.kids) > nodeKids/2 {
		return
	}
	left.items = append(left.items, right.items...)
	left.kids = append(left.kids, right.kids...)
	left.firsts = append(left.firsts, right.firsts...)
	left.counts = append(left.counts, right.counts...)
	n.counts[i] += n.counts[i+1]
	n.cut(i + 1)
}

// rank counts the items for which before is true: those of a prefix of the order.
func (t *rankTree) rank(before func(ranked) bool) (rank int) {
	n := t.root
	if n == nil {
		return 0
	}
	for n.kids != nil {
		i := 0
		for i+1 < len(n.kids) && before(n.firsts[i+1]) {
			rank += n.counts[i]
			i++
		}
		n = n.kids[i]
	}
	lo, hi := 0, len(n.items)
	for lo < hi {
		if mid := (lo + hi) / 2; before(n.items[mid]) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return rank + lo
}

// visit visits the items with ranks from start to stop, both included, until f returns false.
func (t *rankTree) visit(start, stop int, f func(ranked) bool) {
	if t.root != nil && start <= stop {
		t.root.visit(start, stop, f)
	}
}

func (n *rankNode) visit(start, stop int, f func(ranked) bool) bool {
	if n.kids == nil {
		for i := max(start, 0); i <= stop && i < len(n.items); i++ {
			if !f(n.items[i]) {
				return false
			}
		}
		return true
	}
	for i, k := range n.kids {
		if stop < 0 {
			return true
		}
		if start < n.counts[i] && !k.visit(start, stop, f) {
			return false
		}
		start -= n.counts[i]
		stop -= n.counts[i]
	}
	return true
}

// visitBack is visit from stop down to start.
func (t *rankTree) visitBack(start, stop int, f func(ranked) bool) {
	if t.root != nil && start <= stop {
		t.root.visitBack(start, stop, f)
	}
}

func (n *rankNode) visitBack(start, stop int, f func(ranked) bool) bool {
	if n.kids == nil {
		for i := min(stop, len(n.items)-1); i >= max(start, 0); i-- {
			if !f(n.items[i]) {
				return false
			}
		}
		return true
	}
	base := n.size()
	for i := len(n.kids) - 1; i >= 0; i-- {
		base -= n.counts[i]
		if stop < base {
			continue
		}
		if start >= base+n.counts[i] {
			return true
		}
		if !n.kids[i].visitBack(start-base, stop-base, f) {
			return false
		}
	}
	return true
}
