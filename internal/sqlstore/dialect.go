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
// parameter; [name], [name DESC] and [?] are by what members come in the order of their bytes.
//
// Where a statement is written for a database alone, its parameters may have numbers, from 1 on: ?3 or {?3} is the third argument,
// as often as it is needed.
type Dialect struct {
	schema string
	short  func(column string) string       // what indexes have of names; nil: names
	order  func(column, desc string) string // by what members are ordered; nil: by themselves
	param  func(i int) string               // a parameter, from 1 on; nil: a question mark
	own    func(q *Query) string            // a statement that the database wants written in another way; empty: as it is
	placed bool                             // connections put arguments in place, by Params
	rough  bool                             // the order is right as far as the beginning of members tells; see zsetrough.go
	remote bool                             // several statements are one round trip, if nobody waits for each
}

//go:embed schema/sqlite.sql
var schemaSQLite string

//go:embed schema/postgres.sql
var schemaPostgres string

//go:embed schema/mysql.sql
var schemaMySQL string

// The dialects.
var (
	SQLite     = &Dialect{schema: schemaSQLite + phrasesSQLite.views()}
	PostgreSQL = &Dialect{
		schema: schemaPostgres + phrasesPostgres.views(),
		short:  func(column string) string { return "redbud_short(" + column + ")" },
		order:  func(column, desc string) string { return "redbud_start(" + column + ")" + desc + ", " + column + desc },
		param:  func(i int) string { return "$" + strconv.Itoa(i) },
		own:    func(q *Query) string { return q.postgres },
		remote: true,
	}
	MySQL = &Dialect{
		schema: strings.Replace(schemaMySQL, "{views}", phrasesMySQL.views(), 1), // what ends it says that all of it is there
		short:  func(column string) string { return column + "_short" },
		order:  func(column, desc string) string { return column + "_short" + desc },
		own:    func(q *Query) string { return q.mysql },
		placed: true,
		rough:  true,
		remote: true,
	}
)

// bracket is anything that a dialect replaces.
var bracket = regexp.MustCompile(`\{\?\d*\}|\{[a-z_.]+\}|\[\?\]|\[[a-z_.]+( DESC)?\]|\?\d*`)

// written is a statement before anything in it is replaced.
func (d *Dialect) written(q *Query) string {
	if d.own != nil {
		if own := d.own(q); own != "" {
			return own
		}
	}
	return q.text
}

// Text is a statement as the database takes it.
func (d *Dialect) Text(q *Query) string {
	n := 0
	param := func() string {
		n++
		if d.param == nil {
			return "?"
		}
		return d.param(n)
	}
	return bracket.ReplaceAllStringFunc(d.written(q), func(found string) string {
		inner := found[1:max(len(found)-1, 1)]
		column, _ := strings.CutSuffix(inner, " DESC")
		desc := inner[len(column):]
		switch {
		case found[0] == '?', found[:2] == "{?":
			return param()
		case found == "[?]":
			if column = param(); d.order != nil {
				return d.order(column, "")
			}
			return column
		case found[0] == '[' && d.order != nil:
			return d.order(column, desc)
		case found[0] == '{' && d.short != nil:
			return d.short(column)
		}
		return inner
	})
}

// Param is what stands for a question mark of Text.
type Param struct {
	Arg   int  // which argument, from 0
	Short bool // what indexes have of it
}

// Params are the parameters of a statement in the order in which Text has them.
func (d *Dialect) Params(q *Query) (all []Param) {
	for _, found := range bracket.FindAllString(d.written(q), -1) {
		at := strings.IndexByte(found, '?')
		if at < 0 {
			continue
		}
		p := Param{Arg: len(all), Short: at > 0}
		if n, err := strconv.Atoi(strings.Trim(found, "{[?]}")); err == nil {
			p.Arg = n - 1
		}
		all = append(all, p)
	}
	return all
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
	if d.short == nil || d.placed || len(q.names) == 0 {
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
			args[from+i].Bytes = Short(args[from+i].Bytes)
		}
	}
	return args
}

// Short is what indexes have of a name: the name itself, unless it is too long.
func Short(name []byte) []byte {
	if len(name) <= longestName {
		return name
	}
	hash := sha256.Sum256(name)
	return append(append(make([]byte, 0, shortName), name[:nameStart]...), hash[:]...)
}
