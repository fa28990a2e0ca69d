package sqlstore

import (
	"errors"
	"regexp"
	"strconv"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// errUndone is what those are told who got what another transaction wrote, which came to nothing.
var errUndone = errors.New("the transaction that had brought it was rolled back")

// tx is a transaction: the one that writes, of which there is one, or one that reads.
type tx struct {
	s     *Store
	conn  Conn
	write bool

	db       int
	now      int64
	observer keyspace.Observer // nil: nobody
	looks    *keyspace.Lookup
	plain    keyspace.Lookup // of transactions that say nothing of it

	metas  map[watchKey]*meta
	dirty  []*meta // those whose row is to be written before the transaction ends
	args   []Value
	rows   []Value // as args, of flush
	values []byte  // what has been handed out
	wrote  bool    // anything, or is going to
	alone  bool    // it is committed by itself

	unwritten int // bytes of values that wait to be written

	got      got
	visitGot func(run int, r Row) error // reads got
}

// watchKey is a key of a database.
type watchKey struct {
	db  int
	key string
}

// meta is what a transaction knows of a key.
type meta struct {
	watchKey
	id         int64 // 0: the key is missing
	row        int64 // the id of the row that there is, until flush; 0: none
	typ        keyspace.Type
	collection int64
	len        int64
	version    int64
	expire     int64 // keyspace.Never, or milliseconds
	next       int64 // no field of a hash expires before; keyspace.Never: none does
	hidden     int64 // how many of len have expired; 0 unless they have to stay
	value      []byte
	valued     bool         // value is known
	stream     *streamState // nil: not read yet, or no longer true
	head       int64        // the place of the first element of a list
	headed     bool         // head is known
	dirty      dirt         // what of it is not written yet
}

// dirt is what of the row of a key has to be written.
type dirt uint8

const (
	clean    dirt = iota
	dirtyRow      // all but the value
	dirtyAll
)

func (m *meta) expired(now int64) bool { return m.expire != keyspace.Never && m.expire <= now }

func (t *tx) start(a keyspace.Access) {
	t.db, t.now, t.observer, t.looks = a.DB, a.Now, a.Observer, a.Lookup
	if t.looks == nil {
		t.plain = keyspace.Lookup{}
		t.looks = &t.plain
	}
}

// part ends what belongs to one of the transactions that are committed together.
func (t *tx) part() {
	t.observer, t.looks, t.wrote = nil, nil, false
	if cap(t.values) > 2*mostValues {
		t.values = nil
	}
	t.values = t.values[:0]
	clear(t.args[:cap(t.args)]) // they name memory of the caller
}

// end gives the connection back.
func (t *tx) end() {
	t.part()
	if t.write {
		t.s.turn <- struct{}{}
		return
	}
	clear(t.metas)
	s, c := t.s, t.conn
	t.conn = nil
	s.free.Put(t)
	s.readers <- c
}

// Settle implements keyspace.Tx.
func (t *tx) Settle() error {
	if t.write && len(t.s.ready) > 0 { // the turns belong to who writes
		return t.s.serve()
	}
	return nil
}

// Commit implements keyspace.Tx.
func (t *tx) Commit() error {
	err := t.Settle()
	if err == nil && t.write {
		err = t.record()
	}
	if err != nil {
		t.Rollback()
		return err
	}
	if t.write {
		return t.s.commit()
	}
	if err := t.conn.Commit(); err != nil {
		t.Rollback()
		return err
	}
	t.told(true)
	t.end()
	return nil
}

// told tells the observer that the transaction is over.
func (t *tx) told(kept bool) {
	if t.observer != nil {
		t.observer.Done(kept)
	}
}

// Rollback implements keyspace.Tx.
func (t *tx) Rollback() {
	if t.write {
		t.s.rollback()
		return
	}
	_ = t.conn.Rollback() // the connection may be gone, which the next one who uses it is told
	t.told(true)
	t.end()
}

// Observer implements keyspace.Guest.
func (t *tx) Observer() keyspace.Observer { return t.observer }

// Select implements keyspace.Tx.
func (t *tx) Select(db int) error {
	t.db = db
	return nil
}

// run runs a statement.
func (t *tx) run(q *Query, args []Value, visit func(run int, r Row) error) (changed int64, err error) {
	t.wrote = t.wrote || visit == nil
	return t.conn.Run(q, t.s.dialect.shorten(q, args), visit)
}

// exec runs a statement that has no rows. Its arguments are taken from scratch that the transaction keeps.
func (t *tx) exec(q *Query, args ...Value) (changed int64, err error) {
	t.args = append(t.args[:0], args...)
	return t.run(q, t.args, nil)
}

// later is exec for a statement of which nothing is to be known.
func (t *tx) later(q *Query, args ...Value) error {
	t.args = append(t.args[:0], args...)
	return t.runLater(q, t.args)
}

func (t *tx) runLater(q *Query, args []Value) error {
	t.wrote = true
	return t.conn.Later(q, t.s.dialect.shorten(q, args), nil)
}

// small is smallValue in SQL.
var small = strconv.Itoa(smallValue)

var (
	keyFind   = query(`SELECT id, type, collection, len, version, expire_at, next_at FROM redbud_key WHERE db = ? AND {name} = {?}`)
	keyFetch  = query(`SELECT id, type, collection, len, version, expire_at, next_at, type = 1 AND length(value) <= ` + small + `, CASE WHEN length(value) <= ` + small + ` THEN value END FROM redbud_key WHERE db = ? AND {name} = {?}`)
	keyInsert = query(`INSERT INTO redbud_key (id, db, name, type, collection, len, version, expire_at, next_at, value) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`).
			onMySQL(`INSERT INTO redbud_key (id, db, name, name_short, type, collection, len, version, expire_at, next_at, value) VALUES (?1, ?2, ?3, {?3}, ?4, ?5, ?6, ?7, ?8, ?9, ?10)`)
	keyWrite  = query(`UPDATE redbud_key SET type = ?, collection = ?, len = ?, version = ?, expire_at = ?, next_at = ?, value = ? WHERE id = ?`)
	keyUpdate = query(`UPDATE redbud_key SET collection = ?, len = ?, version = ?, expire_at = ?, next_at = ? WHERE id = ?`)
	keyDelete = query(`DELETE FROM redbud_key WHERE id = ?`)
	orphan    = query(`INSERT INTO redbud_orphan (collection, type) VALUES (?, ?)`)
)

// find returns what is known of a key. One that has expired is missing, as is a hash without its last field, and removed if the
// transaction may.
func (t *tx) find(key []byte) (*meta, error) {
	m := t.metas[watchKey{t.db, string(key)}]
	if m == nil {
		var err error
		if m, err = t.load(t.db, key); err != nil {
			return nil, err
		}
	}
	switch {
	case m.expired(t.now):
		return t.expire(m)
	case t.overdue(m):
		return t.remains(m)
	}
	return m, nil
}

// expire is what is known of a key that has expired.
func (t *tx) expire(m *meta) (*meta, error) {
	if !t.write || t.looks.Kept {
		return &meta{watchKey: m.watchKey}, nil
	}
	t.s.expired.Add(1)
	if err := t.remove(m); err != nil {
		return nil, err
	}
	t.note(m, "expired")
	return m, nil
}

// load reads the row of a key.
func (t *tx) load(db int, key []byte) (*meta, error) {
	m := t.know(watchKey{db, string(key)})
	t.args = append(t.args[:0], integer(int64(db)), blob(key))
	_, err := t.run(keyFind, t.args, func(_ int, r Row) error { m.read(r); return nil })
	if err != nil {
		delete(t.metas, m.watchKey)
	}
	return m, err
}

// know makes room for what is known of a key.
func (t *tx) know(key watchKey) *meta {
	if t.metas == nil {
		t.metas = map[watchKey]*meta{}
	}
	m := &meta{watchKey: key}
	t.metas[key] = m
	return m
}

func (m *meta) read(r Row) {
	m.id, m.typ, m.collection = r.Int(0), keyspace.Type(r.Int(1)), r.Int(2)
	m.row = m.id
	m.len, m.version = r.Int(3), r.Int(4)
	m.expire, m.next = timeOf(r, 5), timeOf(r, 6)
}

// fetch reads the rows of keys of which nothing is known yet, with their values unless these are large.
func (t *tx) fetch(keys []watchKey) error {
	var metas []*meta
	t.args = t.args[:0]
	for _, k := range keys {
		if t.metas[k] == nil {
			metas = append(metas, t.know(k))
			t.args = append(t.args, integer(int64(k.db)), blob([]byte(k.key)))
		}
	}
	if len(metas) == 0 {
		return nil
	}
	_, err := t.run(keyFetch, t.args, func(i int, r Row) error {
		m := metas[i]
		m.read(r)
		if m.valued = r.Int(7) != 0; m.valued {
			m.value = append([]byte{}, r.Bytes(8)...)
		}
		return nil
	})
	if err != nil {
		clear(t.metas)
	}
	return err
}

// seen is find that counts.
func (t *tx) seen(key []byte) (*meta, error) {
	m, err := t.find(key)
	if err == nil {
		t.count(m.db, key, m.id != 0)
	}
	return m, err
}

// count counts a lookup as a hit or a miss, if it counts.
func (t *tx) count(db int, key []byte, hit bool) {
	switch {
	case !t.looks.Counts:
	case hit:
		t.s.hits.Add(1)
	default:
		t.s.misses.Add(1)
		if t.observer != nil {
			t.observer.Note(db, key, "keymiss")
		}
	}
}

// collection is find for a key that holds a type, or nothing.
func (t *tx) collection(key []byte, typ keyspace.Type) (*meta, error) {
	m, err := t.seen(key)
	if err == nil && m.id != 0 && m.typ != typ {
		return nil, keyspace.ErrWrongType
	}
	return m, err
}

// open makes sure that there is a collection at a key before elements are stored under its number. grow follows.
func (t *tx) open(m *meta, typ keyspace.Type) error {
	if m.id != 0 {
		return nil
	}
	n, err := t.number()
	if err != nil {
		return err
	}
	*m = meta{watchKey: m.watchKey, row: m.row, id: n, typ: typ, collection: n, version: n, dirty: m.dirty}
	t.mark(m, dirtyAll)
	t.note(m, "new")
	return nil
}

// grow notes that a collection was written and has so many elements more, or fewer. One that has none left goes, unless it is a
// stream.
func (t *tx) grow(m *meta, by int) error {
	m.len += int64(by)
	if m.len <= 0 && m.typ != keyspace.Stream {
		return t.remove(m)
	}
	return t.changed(m)
}

// changed notes that a key was written whose row is going to be.
func (t *tx) changed(m *meta) (err error) {
	if m.version, err = t.number(); err != nil {
		return err
	}
	t.mark(m, dirtyRow)
	t.tellWritten(m)
	return nil
}

// mark has the row of a key written before the transaction ends.
func (t *tx) mark(m *meta, d dirt) {
	t.wrote = true
	if m.dirty == clean {
		t.dirty = append(t.dirty, m)
	}
	m.dirty = max(m.dirty, d)
}

// flush writes the rows that are not written yet.
func (t *tx) flush() error {
	for _, m := range t.dirty {
		t.expects(m.expire)
		t.expects(m.next)
	}
	for _, w := range [...]struct {
		q     *Query
		takes func(m *meta) bool
		args  func(args []Value, m *meta) []Value
	}{
		{keyDelete, func(m *meta) bool { return m.id == 0 && m.row != 0 }, func(args []Value, m *meta) []Value {
			return append(args, integer(m.row))
		}},
		{keyUpdate, func(m *meta) bool { return m.id != 0 && m.row != 0 && m.dirty == dirtyRow }, func(args []Value, m *meta) []Value {
			return append(args, integer(m.collection), integer(m.len), integer(m.version), expiry(m.expire), expiry(m.next), integer(m.row))
		}},
		{keyWrite, func(m *meta) bool { return m.id != 0 && m.row != 0 && m.dirty == dirtyAll }, func(args []Value, m *meta) []Value {
			return append(args, integer(int64(m.typ)), integer(m.collection), integer(m.len), integer(m.version), expiry(m.expire), expiry(m.next), m.blob(), integer(m.row))
		}},
		{keyInsert, func(m *meta) bool { return m.id != 0 && m.row == 0 }, func(args []Value, m *meta) []Value {
			return append(args, integer(m.id), integer(int64(m.db)), blob([]byte(m.key)), integer(int64(m.typ)), integer(m.collection), integer(m.len), integer(m.version), expiry(m.expire), expiry(m.next), m.blob())
		}},
	} {
		t.rows = t.rows[:0]
		for _, m := range t.dirty {
			if w.takes(m) {
				t.rows = w.args(t.rows, m)
			}
		}
		if len(t.rows) > 0 {
			if err := t.runLater(w.q, t.rows); err != nil {
				return err
			}
		}
	}
	for _, m := range t.dirty {
		m.dirty = clean
		if len(m.value) > smallValue {
			m.value, m.valued = nil, false
		}
		if m.row == 0 || m.id == 0 {
			m.row = m.id
		}
	}
	clear(t.rows)
	t.dirty, t.unwritten = t.dirty[:0], 0
	return nil
}

// expects notes when something expires, unless it never does.
func (t *tx) expects(at int64) {
	if at != keyspace.Never {
		t.s.expects(at)
	}
}

// blob is the value of a string, or none.
func (m *meta) blob() Value {
	if m.typ != keyspace.String {
		return Value{}
	}
	return blob(m.value)
}

// remove removes a key with all that it holds.
func (t *tx) remove(m *meta) error {
	if err := t.drop(m); err != nil {
		return err
	}
	t.mark(m, dirtyRow)
	*m = meta{watchKey: m.watchKey, row: m.row, dirty: m.dirty}
	t.tellWritten(m)
	return nil
}

// fewElements is how many elements go with their key at once; those of larger collections are swept.
const fewElements = 64

// drop gives up what a key holds besides its row.
func (t *tx) drop(m *meta) error {
	if m.typ == keyspace.String || m.typ == keyspace.None {
		return nil
	}
	if m.len <= fewElements && m.typ != keyspace.Stream {
		if m.len <= 0 {
			return nil
		}
		for _, q := range tables[m.typ].clear {
			if err := t.later(q, integer(m.collection)); err != nil {
				return err
			}
		}
		return nil
	}
	t.s.expects(t.now) // to be swept
	return t.later(orphan, integer(m.collection), integer(int64(m.typ)))
}

// note tells the observer what became of a key.
func (t *tx) note(m *meta, event string) {
	if t.observer != nil {
		t.observer.Note(m.db, []byte(m.key), event)
	}
}

// tellWritten notes that a key was written, for those who observe, watch it or wait for it.
func (t *tx) tellWritten(m *meta) {
	t.note(m, "")
	t.s.changed(m.watchKey, m.id != 0)
}

// table is what the types have in common. Where a type has several tables, it is a statement for each.
type table struct {
	clear     []*Query // remove all elements of a collection
	clearSome []*Query // remove as many as they are told
	copy      []*Query // copy all elements to another collection
}

// perTable makes a statement of each text.
func perTable(texts ...string) (all []*Query) {
	for _, text := range texts {
		all = append(all, query(text))
	}
	return all
}

// some makes, for each table with the columns that tell its rows apart, a statement that removes rows of a collection, as many as it
// is told.
func some(tables ...[2]string) (all []*Query) {
	for _, t := range tables {
		from := ` FROM redbud_` + t[0] + ` WHERE collection = ?`
		all = append(all, query(`DELETE FROM redbud_`+t[0]+` WHERE (`+t[1]+`) IN (SELECT `+t[1]+from+` LIMIT ?)`).onMySQL(`DELETE`+from+` LIMIT ?`))
	}
	return all
}

// withShort are columns of names in the texts of copied.
var withShort = regexp.MustCompile(`([a-z_]+)\*`)

// copied makes, for each table with its columns besides the number, a statement that copies a collection. A star stands behind columns
// of names, since MySQL has another column beside each.
func copied(tables ...[2]string) (all []*Query) {
	for _, t := range tables {
		text := func(columns string) string {
			columns = withShort.ReplaceAllString(t[1], columns)
			return `INSERT INTO redbud_` + t[0] + ` (collection, ` + columns + `) SELECT ?, ` + columns + ` FROM redbud_` + t[0] + ` WHERE collection = ?`
		}
		all = append(all, query(text(`$1`)).onMySQL(text(`$1, ${1}_short`)))
	}
	return all
}

// errEnough ends a walk over rows early.
var errEnough = errors.New("enough")

// tables are those of the collections, by type.
var tables = map[keyspace.Type]table{
	keyspace.Hash: {
		perTable(`DELETE FROM redbud_hash WHERE collection = ?`),
		some([2]string{`hash`, `collection, hash, {field}`}),
		copied([2]string{`hash`, `hash, field*, value, expire_at`}),
	},
	keyspace.List: {
		perTable(`DELETE FROM redbud_list WHERE collection = ?`),
		some([2]string{`list`, `collection, place`}),
		copied([2]string{`list`, `place, value`}),
	},
	keyspace.Set: {
		perTable(`DELETE FROM redbud_set WHERE collection = ?`),
		some([2]string{`set`, `collection, hash, {member}`}),
		copied([2]string{`set`, `hash, member*`}),
	},
	keyspace.SortedSet: {
		perTable(`DELETE FROM redbud_zset WHERE collection = ?`),
		some([2]string{`zset`, `collection, hash, {member}`}),
		copied([2]string{`zset`, `hash, member*, score`}),
	},
	keyspace.Stream: {
		perTable(
			`DELETE FROM redbud_stream WHERE collection = ?`,
			`DELETE FROM redbud_entry WHERE collection = ?`,
			`DELETE FROM redbud_group WHERE collection = ?`,
			`DELETE FROM redbud_consumer WHERE collection = ?`,
			`DELETE FROM redbud_pending WHERE collection = ?`,
		),
		some( // The collection comes last: SQLite looks rows up by all columns then, and by the first alone otherwise.
			[2]string{`stream`, `collection`},
			[2]string{`entry`, `id, collection`},
			[2]string{`group`, `{name}, collection`},
			[2]string{`consumer`, `{name}, {group_name}, collection`},
			[2]string{`pending`, `id, {group_name}, collection`},
		),
		copied(
			[2]string{`stream`, `last_id, deleted_id, added, run, run_entries, run_bytes`},
			[2]string{`entry`, `id, run, fields`},
			[2]string{`group`, `name*, last_id, entries_read, pending`},
			[2]string{`consumer`, `group_name*, name*, seen_at, active_at`},
			[2]string{`pending`, `group_name*, id, consumer*, delivered_at, deliveries`},
		),
	},
}
