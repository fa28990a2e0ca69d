package sqlstore

import (
	"context"
	"slices"
)

// Driver opens connections to one database. Errors of the connections that have a meaning for a store are wrapped in it: keyspace.ErrLost
// and those beside it, or keyspace.ErrConflict.
type Driver interface {
	// Open opens a connection. One that only reads may be refused writes.
	Open(ctx context.Context, write bool) (Conn, error)
	Dialect() *Dialect
	// Shares reports whether connections see each other's transactions only once they are committed, so that several may be used
	// at a time. An SQLite database in memory belongs to one connection.
	Shares() bool
	// Listen tells of commits, whoever made them, soon after them and perhaps more often. stop ends it.
	Listen() (commits <-chan struct{}, stop func(), err error)
}

// Conn is a connection to a database. It is used by one goroutine at a time.
type Conn interface {
	// Begin starts a transaction, in which what is read stays the same; one that writes is alone in doing so. If the database was
	// lost it is looked for again. A Begin that writes is then a keyspace.ErrLost in any case, that the store may forget what it knew.
	Begin(write bool) error
	Commit() error
	Rollback() error
	// Run runs a statement as many times as args are multiples of its parameters, in turn, but once where it has none. visit is
	// told of each row, and of which run it is, and must not use the connection; it is nil where there are none. changed is how
	// many rows were written.
	Run(q *Query, args []Value, visit func(run int, r Row) error) (changed int64, err error)
	// Later is Run for a statement that nobody has to wait for: it is run before the next Run or Commit is, and its error may be
	// theirs. The arguments are borrowed until it returns all the same.
	Later(q *Query, args []Value, visit func(run int, r Row) error) error
	// Settle runs what is to be run later.
	Settle() error
	// Version is a number that is another one when another connection has committed something; in a transaction, before it began.
	Version() (int64, error)
	// Script runs statements without parameters, separated by semicolons.
	Script(text string) error
	Close() error
}

// Locker is implemented by connections whose database commits at once what makes tables, so that a transaction keeps nobody else from
// it. Their scripts can be run again where they were cut off.
type Locker interface {
	// Lock keeps all others from making tables until unlock.
	Lock() (unlock func(), err error)
}

// Row is a row of a result. Columns count from 0.
type Row interface {
	Null(column int) bool
	Int(column int) int64
	Float(column int) float64
	// Bytes is borrowed until visit returns; it is empty where the column is NULL.
	Bytes(column int) []byte
}

// timeOf is an expiry in a row; 0 where the column is NULL.
func timeOf(r Row, column int) int64 {
	if r.Null(column) {
		return 0
	}
	return r.Int(column)
}

// Value is an argument of a statement.
type Value struct {
	Kind  Kind
	Int   int64
	Float float64
	Bytes []byte // borrowed until Run returns
}

// Kind is the kind of a Value.
type Kind uint8

// The kinds.
const (
	KindNull Kind = iota
	KindInt
	KindFloat
	KindBytes
)

func integer(n int64) Value  { return Value{Kind: KindInt, Int: n} }
func number(f float64) Value { return Value{Kind: KindFloat, Float: f} }
func blob(b []byte) Value    { return Value{Kind: KindBytes, Bytes: b} }
func expiry(at int64) Value  { return nullable(at, at == 0) }
func nullable(n int64, null bool) Value {
	if null {
		return Value{}
	}
	return integer(n)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Query is a statement that connections prepare. ID is its place among all of them.
type Query struct {
	ID     int
	Params int

	text     string // see Dialect
	postgres string // empty: the same
	mysql    string // empty: the same
	names    []int  // the parameters in braces, from 0
}

// queries are all statements, in the order of their ID.
var queries []*Query

// query makes a statement known.
func query(text string) *Query {
	q := &Query{ID: len(queries), text: text}
	for i := range len(text) {
		if text[i] != '?' {
			continue
		}
		if i > 0 && text[i-1] == '{' {
			q.names = append(q.names, q.Params)
		}
		q.Params++
	}
	queries = append(queries, q)
	return q
}

// onPostgres says how a statement is written for PostgreSQL.
func (q *Query) onPostgres(text string) *Query {
	q.postgres = text
	return q
}

// onMySQL says how a statement is written for MySQL and MariaDB.
func (q *Query) onMySQL(text string) *Query {
	q.mysql = text
	return q
}

// Queries is how many statements there are.
func Queries() int { return len(queries) }

// All are all statements, in the order of their ID.
func All() []*Query { return slices.Clone(queries) }
