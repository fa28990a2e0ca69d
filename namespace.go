package redbud

import "github.com/redbud-go/redbud/internal/namespace"

// Namespace returns a client of those keys and channels which begin with a prefix, as if there were no others: the prefix is
// put before every name that goes in and taken from every name that comes back.
//
// Names are what the table of commands (docs/commands.md) says: keys, patterns of keys, the BY and GET of SORT, channels, the keys
// of scripts. What a script touches besides the keys that it is called with has no prefix. Commands that are not in the table
// are unknown here, whatever the engine knows: it isn't known which of their words are keys. SWAPDB is refused.
//
// FLUSHDB and FLUSHALL delete the namespace's keys by SCAN and UNLINK, a thousand at a time: keys that are there from
// beginning to end are deleted, of those that come meanwhile some may be. Inside a transaction FLUSHDB deletes the keys that
// were there when it began and those that earlier commands of it name; FLUSHALL can't be part of one. DBSIZE takes as long as a
// SCAN of the whole database, and so may RANDOMKEY. Inside a transaction they list all keys with KEYS.
//
// Notifications of what becomes of keys are those of the namespace: __keyspace@0__:key has the prefix before the key, and on
// __keyevent@0__:del only the namespace's keys are told.
//
// Settings, INFO, CLIENT LIST and the like are those of the whole database. A namespace keeps names apart; it doesn't keep
// anybody out: scripts and the settings reach everything.
//
// In a cluster the prefix is part of the key: one with a tag in it, "app:{x}:", puts all keys into one slot, for then the tags
// of the keys don't count; one without leaves their tags as they are. A brace in a prefix that isn't closed there begins a
// tag that ends in the key.
//
// Hooks added to db don't see what its namespaces do.
//
// Handles cost little and keep nothing of the keys. Close gives back the handle's connections; the database stays open, and so do
// other handles. When the database is closed, its handles fail with redis.ErrClosed. Namespaces in a namespace have both
// prefixes, the outer one's first.
func (db *DB) Namespace(prefix string) *DB {
	return inProcess(namespace.New(db.engine, prefix), db.number(), db.hub)
}

// number is the database that the client is in.
func (db *DB) number() int {
	if db.lane != nil {
		return db.lane.db
	}
	if e, ok := db.engine.(interface{ Database() int }); ok {
		return e.Database()
	}
	return 0
}
