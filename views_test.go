package redbud

import (
	"database/sql"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// onEachDatabase runs a test with the apps that use database/sql.
func onEachDatabase(t *testing.T, f func(t *testing.T, a *app, keys *DB)) {
	for _, c := range apps {
		if strings.HasSuffix(c.name, "by database sql") {
			t.Run(c.scheme, func(t *testing.T) {
				a := c.make(t)
				f(t, a, a.open(t))
			})
		}
	}
}

// ask returns the rows of a query: columns with a bar between them, rows with a semicolon.
func (a *app) ask(t *testing.T, query string) string {
	t.Helper()
	rows, err := a.sql.Query(query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	must(t, err)
	var all []string
	for rows.Next() {
		cells, places := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range cells {
			places[i] = &cells[i]
		}
		must(t, rows.Scan(places...))
		var row []string
		for _, c := range cells {
			row = append(row, c.String)
		}
		all = append(all, strings.Join(row, "|"))
	}
	must(t, rows.Err())
	return strings.Join(all, "; ")
}

// surrogate is half of a pair of UTF-16.
const surrogate = "\xed\xa0\x80"

// spellings are bytes and how views show them.
var spellings = []struct{ bytes, shown string }{
	{"plain", "plain"},
	{"", ""},
	{"Grüße, 日本 😀", "Grüße, 日本 😀"},
	{"quote's \" \\ % _", "quote's \" \\ % _"},
	{"]^-*?[\x01\x7f", "]^-*?[\x01\x7f"},
	{"\ufffd", "\ufffd"},         // what decoders make of what they cannot read, written out
	{"a\x00b", `\x610062`},       // no text in PostgreSQL
	{"\xff", `\xff`},             // never in UTF-8
	{"ok\xff", `\x6f6bff`},       // at the end
	{"\x80", `\x80`},             // the middle of a character
	{"\xe2\x82", `\xe282`},       // without an end
	{"\xe2\x82a", `\xe28261`},    // and with another one behind it
	{"\xf0\x9f\x98", `\xf09f98`}, // of four
	{"\xc0\xaf", `\xc0af`},       // longer than it need be
	{"\xe0\x82\x80", `\xe08280`}, // the same, of three
	{surrogate, `\xeda080`},
	{"\xf5\x80\x80\x80", `\xf5808080`}, // above all characters
	{"é" + "\xe9", `\xc3a9e9`},         // Latin-1 among UTF-8
	{strings.Repeat("é", 700), strings.Repeat("é", 700)},
	{"x" + strings.Repeat("é", 700), "x" + strings.Repeat("é", 700)}, // characters stand across the runs in which SQLite looks at them
	{strings.Repeat("é", 700) + "\xe9", `\x` + strings.Repeat("c3a9", 700) + "e9"},
}

func TestViewsShowTextWhereItIsText(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, a *app, keys *DB) {
		ctx := t.Context()
		for i, s := range spellings {
			if s.bytes == surrogate && a.scheme == "mysql" {
				s.shown = s.bytes // it is a character there
			}
			must(t, keys.FlushAll(ctx).Err())
			must(t, keys.Set(ctx, "string"+s.bytes, s.bytes, 0).Err())
			must(t, keys.HSet(ctx, "hash"+s.bytes, s.bytes, s.bytes+"!").Err())
			must(t, keys.RPush(ctx, "list"+s.bytes, s.bytes).Err())
			must(t, keys.SAdd(ctx, "set"+s.bytes, s.bytes).Err())
			must(t, keys.ZAdd(ctx, "zset"+s.bytes, redis.Z{Score: 1.5, Member: s.bytes}).Err())
			must(t, keys.XAdd(ctx, &redis.XAddArgs{Stream: "stream" + s.bytes, ID: "1-2", Values: []string{s.bytes, s.bytes + "!"}}).Err())
			more := func(before, after string) string { // how bytes are shown with text around them
				if s.shown == s.bytes {
					return before + s.bytes + after
				}
				return fmt.Sprintf(`\x%x`, before+s.bytes+after)
			}
			for query, want := range map[string]string{
				`SELECT name, value FROM redbud_keys WHERE type = 'string'`:       more("string", "") + "|" + s.shown,
				`SELECT name, field, value FROM redbud_hashes`:                    more("hash", "") + "|" + s.shown + "|" + more("", "!"),
				`SELECT name, position, value FROM redbud_lists`:                  more("list", "") + "|0|" + s.shown,
				`SELECT name, member FROM redbud_sets`:                            more("set", "") + "|" + s.shown,
				`SELECT name, member, score FROM redbud_zsets`:                    more("zset", "") + "|" + s.shown + "|1.5",
				`SELECT name, id, position, field, value FROM redbud_streams`:     more("stream", "") + "|1-2|0|" + s.shown + "|" + more("", "!"),
				`SELECT count(*), min(elements), max(db) FROM redbud_keys`:        "6|1|0",
				`SELECT count(*) FROM redbud_keys WHERE value IS NULL AND db = 0`: "5",
				`SELECT name FROM redbud_keys WHERE name = '` + strings.ReplaceAll(strings.ReplaceAll(more("list", ""), `'`, `''`), `\`, backslash[a.scheme]) + `'`: more("list", ""),
			} {
				if got := a.ask(t, query); got != want {
					t.Errorf("%d: %s: %q, want %q", i, query, got, want)
				}
			}
		}
	})
}

// backslash is one in a string of a query.
var backslash = map[string]string{"sqlite": `\`, "postgres": `\`, "mysql": `\\`}

func TestViewsHaveWhatThereIs(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, a *app, keys *DB) {
		ctx := t.Context()
		must(t, keys.RPush(ctx, "l", "b", "c").Err())
		must(t, keys.LPush(ctx, "l", "a").Err())
		must(t, keys.ZAdd(ctx, "z", redis.Z{Score: -2, Member: "a"}, redis.Z{Score: 3, Member: "b"}).Err())
		long := strings.Repeat("v", 200) // whose length takes two bytes
		must(t, keys.XAdd(ctx, &redis.XAddArgs{Stream: "x", ID: "1-2", Values: []string{"a", "1", "b", long, "c", strings.Repeat(long, 100), "d", ""}}).Err())
		must(t, keys.XAdd(ctx, &redis.XAddArgs{Stream: "x", ID: "18446744073709551615-18446744073709551614", Values: []string{"a", "2"}}).Err())
		must(t, keys.Do(ctx, "SET", "until", "v", "PXAT", "32503680000123").Err())
		must(t, keys.Do(ctx, "SET", "ever", "v", "PXAT", "9223372036854775807").Err())
		_, err := keys.Pipelined(ctx, func(p redis.Pipeliner) error {
			p.Do(ctx, "SELECT", 3)
			p.SAdd(ctx, "s", "m")
			p.Do(ctx, "SELECT", 0)
			return nil
		})
		must(t, err)
		for query, want := range map[string]string{
			`SELECT position, value FROM redbud_lists ORDER BY position`:                                            "0|a; 1|b; 2|c",
			`SELECT member, score FROM redbud_zsets ORDER BY score`:                                                 "a|-2; b|3",
			`SELECT position, field, value FROM redbud_streams WHERE id = '1-2' ORDER BY position`:                  "0|a|1; 1|b|" + long + "; 2|c|" + strings.Repeat(long, 100) + "; 3|d|",
			`SELECT id, field, value FROM redbud_streams WHERE id <> '1-2'`:                                         "18446744073709551615-18446744073709551614|a|2",
			`SELECT db, name, type, elements FROM redbud_keys WHERE db = 3`:                                         "3|s|set|1",
			`SELECT db, name FROM redbud_sets`:                                                                      "3|s",
			`SELECT count(*) FROM redbud_keys WHERE expires_at > '3000-01-01' AND expires_at < '3000-01-02'`:        "1",
			`SELECT name FROM redbud_keys WHERE expires_at IS NOT NULL AND expires_at > '5000-01-01'`:               "ever",
			`SELECT name, type, elements, value FROM redbud_keys WHERE db = 0 AND expires_at IS NULL ORDER BY name`: "l|list|3|; x|stream|2|; z|zset|2|",
		} {
			if got := a.ask(t, query); got != want {
				t.Errorf("%s: %q, want %q", query, got, want)
			}
		}
	})
}

func TestViewsDoNotShowWhatHasExpired(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, a *app, keys *DB) {
		ctx := t.Context()
		must(t, keys.Set(ctx, "string", "v", time.Hour).Err())
		must(t, keys.HSet(ctx, "hash", "f", "v", "g", "w").Err())
		must(t, keys.RPush(ctx, "list", "v").Err())
		must(t, keys.SAdd(ctx, "set", "v").Err())
		must(t, keys.ZAdd(ctx, "zset", redis.Z{Member: "v"}).Err())
		must(t, keys.XAdd(ctx, &redis.XAddArgs{Stream: "stream", Values: []string{"f", "v"}}).Err())
		must(t, keys.Close()) // nothing is swept from here on
		views := []string{"redbud_keys", "redbud_hashes", "redbud_lists", "redbud_sets", "redbud_zsets", "redbud_streams"}
		for i, step := range []struct{ statement, want string }{
			{`UPDATE redbud_hash SET expire_at = 1 WHERE value = 'w'`, "6 1 1 1 1 1"},
			{`UPDATE redbud_key SET expire_at = 32503680000000`, "6 1 1 1 1 1"},
			{`UPDATE redbud_key SET expire_at = 1`, "0 0 0 0 0 0"},
		} {
			if a.scheme == "sqlite" {
				step.statement = strings.ReplaceAll(step.statement, `'w'`, `CAST('w' AS BLOB)`)
			}
			must(t, justExec(a, step.statement))
			var got []string
			for _, view := range views {
				got = append(got, a.ask(t, `SELECT count(*) FROM `+view))
			}
			if strings.Join(got, " ") != step.want {
				t.Errorf("%d: %v rows, want %s", i, got, step.want)
			}
		}
	})
}

// TestExamplesOfSQLRun runs what docs/sql.md shows.
func TestExamplesOfSQLRun(t *testing.T) {
	text, err := os.ReadFile("docs/sql.md")
	must(t, err)
	examples := regexp.MustCompile("(?s)```sql\n(.*?);\n```").FindAllStringSubmatch(string(text), -1)
	want := []string{
		"Ada|1700000000; Bob|1700000099",
		"Bob|20; Ada|7",
		"0|Bob; 1|Ada",
		"Ada",
		"1-1|user|1; 1-1|what|login",
	}
	if len(examples) != len(want) {
		t.Fatalf("%d examples, want %d", len(examples), len(want))
	}
	onEachDatabase(t, func(t *testing.T, a *app, keys *DB) {
		ctx := t.Context()
		must(t, justExec(a, `CREATE TABLE users (id VARCHAR(20) PRIMARY KEY, name VARCHAR(100))`))
		must(t, justExec(a, `INSERT INTO users (id, name) VALUES ('1', 'Ada'), ('2', 'Bob'), ('3', 'Cy')`))
		must(t, keys.HSet(ctx, "seen", "1", 1700000000, "2", 1700000099, "4", 1).Err())
		must(t, keys.ZAdd(ctx, "scores", redis.Z{Score: 7, Member: "1"}, redis.Z{Score: 20, Member: "2"}).Err())
		must(t, keys.RPush(ctx, "queue", "2", "1").Err())
		must(t, keys.Set(ctx, "session:1", "x", time.Minute).Err())
		must(t, keys.Set(ctx, "session:2", "x", time.Hour*24).Err())
		must(t, keys.XAdd(ctx, &redis.XAddArgs{Stream: "log", ID: "1-1", Values: []string{"user", "1", "what", "login"}}).Err())
		for i, example := range examples {
			if got := a.ask(t, example[1]); got != want[i] {
				t.Errorf("%s: %q, want %q", example[1], got, want[i])
			}
		}
	})
}
