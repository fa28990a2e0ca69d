package memstore

// fields is a collection of names with values, packed while small and a table of blocks once it is large: a hash, a set
// (whose values are empty), the members of a sorted set by name.
type fields struct {
	packed packed
	dict   *table // nil while packed
}

func (f *fields) len() int {
	if f.dict != nil {
		return f.dict.n
	}
	return f.packed.n
}

// get returns the value of a name, which may be empty; ok is false if it is missing.
func (f *fields) get(s *Store, name []byte) (value []byte, ok bool) {
	if f.dict == nil {
		off, _, v := f.packed.find(name)
		return v, off >= 0
	}
	r := f.dict.find(&s.arena, s.hash(name), name)
	if r == 0 {
		return nil, false
	}
	return valueOf(s.arena.block(r)), true
}

// set stores a name with a value and reports whether the name is new. What is packed stays so up to a number of names, and
// while none of them and no value is longer than so many bytes.
func (f *fields) set(s *Store, name, value []byte, entries, bytes int) (added bool) {
	if f.dict == nil {
		off, next, old := f.packed.find(name)
		if f.packed.n-btoi(off >= 0) < entries && len(name) <= bytes && len(value) <= bytes {
			f.packed.put(off, next, name, old, value)
			return off < 0
		}
		f.unpack(s)
	}
	h := s.hash(name)
	old := f.dict.find(&s.arena, h, name)
	f.store(s, name, h, old, value, 0)
	return old == 0
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// store writes a block that expires at a time, or never, in place of the block old, which is 0 for a new name.
func (f *fields) store(s *Store, name []byte, h uint64, old ref, value []byte, at int64) ref {
	a := &s.arena
	hd := head{expire: at}
	need := hd.layout(len(name), len(value))
	if _, size := sizeClass(need); old != 0 && a.size(old) == size {
		hd.write(a.block(old), name, value)
		return old
	}
	r := a.alloc(need)
	hd.write(a.block(r), name, value)
	if old == 0 {
		f.dict.insert(a, s.seed, h, r)
	} else {
		f.dict.replace(a, h, name, r)
		a.release(old)
	}
	return r
}

// unpack makes a table of a packed collection; of a table it leaves it alone.
func (f *fields) unpack(s *Store) {
	if f.dict != nil {
		return
	}
	f.dict = &table{}
	f.packed.each(func(name, value []byte) { f.store(s, name, s.hash(name), 0, value, 0) })
	f.packed = packed{}
}

// delete removes a name and reports whether it was there.
func (f *fields) delete(s *Store, name []byte) bool {
	if f.dict == nil {
		off, next, _ := f.packed.find(name)
		if off >= 0 {
			f.packed.remove(off, next)
		}
		return off >= 0
	}
	r := f.dict.remove(&s.arena, s.hash(name), name)
	if r != 0 {
		s.arena.release(r)
	}
	return r != 0
}

// each visits all names with their values.
func (f *fields) each(s *Store, visit func(name, value []byte)) {
	if f.dict == nil {
		f.packed.each(visit)
		return
	}
	f.dict.each(func(r ref) {
		b := s.arena.block(r)
		visit(nameOf(b), valueOf(b))
	})
}

// scan visits names from a cursor on. A packed collection is visited whole, as in Redis.
func (f *fields) scan(s *Store, cursor uint64, count int, visit func(name, value []byte)) uint64 {
	if f.dict == nil {
		f.packed.each(visit)
		return 0
	}
	return f.dict.scan(cursor, count, func(r ref) {
		b := s.arena.block(r)
		visit(nameOf(b), valueOf(b))
	})
}

// one returns a random name with its value; the collection is not empty.
func (f *fields) one(s *Store) (name, value []byte) {
	if f.dict == nil {
		return f.packed.nth(s.rng.IntN(f.packed.n))
	}
	b := s.arena.block(f.dict.random(s.rng))
	return nameOf(b), valueOf(b)
}

// random visits n different names in random order, or all there are; with n < 0, -n names that may repeat.
func (f *fields) random(s *Store, n int, visit func(name, value []byte)) {
	size := f.len()
	switch {
	case size == 0:
	case n < 0:
		for ; n < 0; n++ {
			visit(f.one(s))
		}
	case n == 1:
		visit(f.one(s))
	case f.dict == nil:
		var scratch [offsetsAtHand]int
		offsets := f.packed.offsets(scratch[:0])
		for i := range min(n, size) {
			j := i + s.rng.IntN(size-i)
			offsets[i], offsets[j] = offsets[j], offsets[i]
			name, value, _ := f.packed.at(offsets[i])
			visit(name, value)
		}
	case n < size/3:
		f.few(s, n, visit)
	default:
		refs := make([]ref, 0, size)
		f.dict.each(func(r ref) { refs = append(refs, r) })
		for i := range min(n, size) {
			j := i + s.rng.IntN(size-i)
			refs[i], refs[j] = refs[j], refs[i]
			b := s.arena.block(refs[i])
			visit(nameOf(b), valueOf(b))
		}
	}
}

// few visits n different names, far fewer than there are: it draws again what it has drawn before.
func (f *fields) few(s *Store, n int, visit func(name, value []byte)) {
	seen := make(map[ref]bool, n)
	for len(seen) < n {
		r := f.dict.random(s.rng)
		if !seen[r] {
			seen[r] = true
			b := s.arena.block(r)
			visit(nameOf(b), valueOf(b))
		}
	}
}

func (f *fields) release(s *Store) {
	if f.dict != nil {
		f.dict.each(s.arena.release)
	}
	*f = fields{}
}

func (f *fields) copy(s *Store) fields {
	c := fields{packed: f.packed.copy()}
	if f.dict != nil {
		c.dict = &table{}
		f.dict.each(func(r ref) {
			b := s.arena.block(r)
			b = b[:used(b)]
			own := s.arena.alloc(len(b))
			copy(s.arena.block(own), b)
			c.dict.insert(&s.arena, s.seed, s.hash(nameOf(b)), own)
		})
	}
	return c
}
