package sqlstore

import (
	"fmt"
	"strings"
	"testing"
)

func TestDialectsWriteStatementsTheirWay(t *testing.T) {
	plain := &Query{text: `SELECT {a.name}, [name], [name DESC] WHERE db = ? AND {name} = {?} AND (score, [name]) > (?, [?])`, Params: 4}
	own := &Query{text: `INSERT INTO t (id, name) VALUES (?, ?)`, Params: 2, mysql: `INSERT INTO t (id, name, name_short) VALUES (?1, ?2, {?2})`}
	for _, c := range []struct {
		d    *Dialect
		q    *Query
		text string
		args string
	}{
		{SQLite, plain, `SELECT a.name, name, name DESC WHERE db = ? AND name = ? AND (score, name) > (?, ?)`, `[{0 false} {1 true} {2 false} {3 true}]`},
		{PostgreSQL, plain, `SELECT redbud_short(a.name), redbud_start(name), name, redbud_start(name) DESC, name DESC WHERE db = $1 AND redbud_short(name) = $2 AND (score, redbud_start(name), name) > ($3, redbud_start($4), $4)`, `[{0 false} {1 true} {2 false} {3 true}]`},
		{PostgreSQL, own, `INSERT INTO t (id, name) VALUES ($1, $2)`, `[{0 false} {1 false}]`},
		{MySQL, own, `INSERT INTO t (id, name, name_short) VALUES (?, ?, ?)`, `[{0 false} {1 false} {1 true}]`},
	} {
		if got := c.d.Text(c.q); got != c.text {
			t.Errorf("got  %s\nwant %s", got, c.text)
		}
		if got := fmt.Sprint(c.d.Params(c.q)); got != c.args {
			t.Errorf("%s: arguments %s, want %s", c.text, got, c.args)
		}
	}
}

func TestManyRunsAreOneStatement(t *testing.T) {
	for text, want := range map[string]string{
		`SELECT a FROM t WHERE b = ?`:                  `(SELECT 0 AS run, a FROM t WHERE b = ?) UNION ALL (SELECT 1 AS run, a FROM t WHERE b = ?) [{0 false} {1 false}]`,
		`INSERT IGNORE INTO t (a, b) VALUES (?, ?)`:    `INSERT IGNORE INTO t (a, b) VALUES (?, ?), (?, ?) [{0 false} {1 false} {2 false} {3 false}]`,
		`DELETE FROM t WHERE a = ? AND {name} = {?}`:   `DELETE FROM t WHERE (a = ? AND name_short = ?) OR (a = ? AND name_short = ?) [{0 false} {1 true} {2 false} {3 true}]`,
		`UPDATE t SET a = ?, b = ? WHERE id = ?`:       `UPDATE t SET a = CASE id WHEN ? THEN ? WHEN ? THEN ? END, b = CASE id WHEN ? THEN ? WHEN ? THEN ? END WHERE id IN (?, ?) [{2 false} {0 false} {5 false} {3 false} {2 false} {1 false} {5 false} {4 false} {2 false} {5 false}]`,
		`DELETE FROM t WHERE a = ? LIMIT ?`:            ` []`,
		`UPDATE t SET a = a + ? WHERE id = ?`:          ` []`,
		`UPDATE t SET a = ? WHERE id = ? AND b = 1`:    ` []`,
		`UPDATE t SET a = coalesce(?, a) WHERE id = ?`: ` []`,
		`DELETE FROM t`: ` []`,
	} {
		got, params := MySQL.Bulk(&Query{text: text, Params: strings.Count(text, "?")}, 2)
		if got := fmt.Sprint(got, " ", params); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
