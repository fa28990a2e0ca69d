package sqlstore

import (
	"crypto/sha256"
	_ "embed" // the schemas
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Dialect is how the SQL of one database differs from what statements are written in, which is SQLite's but for what stands in
// brackets, since not all databases index long names: {name} is what an index has of a column with names, and {?} that of a
// parameter; [name] and [?] are what an index of their order has of it besides, with a comma, or nothing.
type Dialect struct {
	schema string
	short  string                        // the function whose results stand in indexes of names; empty: names do
	start  string                        // the same in those of the order of names
	param  func(i int) string            // a parameter, from 1 on
	own    func(q *Query) (string, bool) // statements that the database wants written in another way
	remote bool                          // several statements are one round trip, if nobody waits for each
}

//go:embed schema/sqlite.sql
var schemaSQLite string

//go:embed schema/postgres.sql
var schemaPostgres string

// The dialects.
var (
	SQLite     = &Dialect{schema: schemaSQLite}
	PostgreSQL = &Dialect{
		schema: schemaPostgres,
		short:  "redbud_short",
		start:  "redbud_start",
		param:  func(i int) string { return "$" + strconv.Itoa(i) },
		own:    func(q *Query) (string, bool) { return q.postgres, q.postgres != "" },
		remote: true,
	}
)

// bracket is anything that a dialect replaces.
var bracket = regexp.MustCompile(`\{\?\}|\{[a-z_.]+\}|\[\?\]|\[[a-z_.]+( DESC)?\]|\?`)

// Text is a statement as the database takes it.
func (d *Dialect) Text(q *Query) string {
	text := q.text
	if d.own != nil {
		if own, ok := d.own(q); ok {
			text = own
		}
	}
	n := 0
	param := func(i int) string {
		if d.param == nil {
			return "?"
		}
		return d.param(i)
	}
	return bracket.ReplaceAllStringFunc(text, func(found string) string {
		inner, desc := strings.CutSuffix(found[1:max(len(found)-1, 1)], " DESC")
		switch {
		case found == "?" || found == "{?}":
			n++
			return param(n)
		case found[0] == '{' && d.short == "":
			return inner
		case found[0] == '{':
			return d.short + "(" + inner + ")"
		case d.start == "":
			return ""
		case inner == "?":
			return d.start + "(" + param(n+1) + "), "
		case desc:
			return d.start + "(" + inner + ") DESC, "
		}
		return d.start + "(" + inner + "), "
	})
}

// Indexes of names take up to longestName bytes; of a longer one they have the beginning and a hash, shortName bytes in all, which no
// name that stands there as it is has.
const (
	longestName = 767
	nameStart   = 736
	shortName   = nameStart + sha256.Size
)

// shorten makes of arguments what indexes have of the names among them. It copies them where that is another thing.
func (d *Dialect) shorten(q *Query, args []Value) []Value {
	if d.short == "" || len(q.names) == 0 {
		return args
	}
	copied := false
	for from := 0; from < len(args); from += q.Params {
		for _, i := range q.names {
			if len(args[from+i].Bytes) <= longestName {
				continue
			}
			if !copied {
				args, copied = slices.Clone(args), true
			}
			args[from+i].Bytes = shortened(args[from+i].Bytes)
		}
	}
	return args
}

func shortened(name []byte) []byte {
	hash := sha256.Sum256(name)
	return append(append(make([]byte, 0, shortName), name[:nameStart]...), hash[:]...)
}
