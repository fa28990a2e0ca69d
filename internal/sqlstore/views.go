package sqlstore

import (
	_ "embed" // the views
	"fmt"
	"regexp"
	"strings"
)

//go:embed schema/views.sql
var viewsText string

// phrases are how a database says what stands in braces in the text of the views: a word, and what it is about.
type phrases struct {
	view  string // begins a view of that name
	text  string // bytes as text where they are text, without a zero byte; else as \x and hexadecimal digits
	word  string // a word, as a string
	time  string // milliseconds since 1970 as a time
	now   string // the milliseconds since 1970
	entry string // the id of an entry, as Redis writes it
	byte  string // the number in the byte at a place
	bytes string // what stands at a place, so many bytes
}

// Times beyond these are shown as forever, or as these: databases know none above.
const (
	lastPostgres = 9_000_000_000_000_000
	lastYear     = 253_402_300_799_999 // 9999
)

// SQLite takes any bytes for text. So the characters are taken apart, in runs of 512 bytes since a value is copied each time that it is
// looked at: where one is not spelled as char spells it, the run ends, and the last run does not get to the end. Text in ASCII is known
// at once.
const textSQLite = `CASE WHEN $1 IS NULL THEN NULL WHEN instr($1, x'00') = 0 AND (NOT CAST($1 AS TEXT) GLOB '*[^' || char(1) || '-' || char(127) || ']*' OR (
	WITH RECURSIVE run (start) AS (SELECT 1 UNION SELECT start + (
		WITH RECURSIVE one (i, part, c) AS (
			SELECT 1, substr($1, start, 515), CAST(char(unicode(CAST(substr($1, start, 4) AS TEXT))) AS BLOB)
			UNION ALL SELECT i + length(c), part, CAST(char(unicode(CAST(substr(part, i + length(c), 4) AS TEXT))) AS BLOB)
			FROM one WHERE i <= 512 AND i <= length(part) AND substr(part, i, length(c)) = c
		) SELECT max(i) - 1 FROM one
	) FROM run WHERE start <= length($1)) SELECT max(start) > length($1) FROM run
)) THEN CAST($1 AS TEXT) ELSE '\x' || lower(hex($1)) END`

// textMySQL compares as Redis does, byte by byte. The words for the character set are there since a view has that of the session
// which made it otherwise. Halves of surrogate pairs are characters to MariaDB.
const textMySQL = `(CASE WHEN $1 IS NULL THEN NULL WHEN LOCATE(X'00', $1) = 0 AND CAST(CONVERT($1 USING utf8mb4) AS BINARY) = $1 THEN CONVERT($1 USING utf8mb4)
	ELSE CONCAT(CONVERT(X'5C78' USING utf8mb4), LOWER(CONVERT(HEX($1) USING utf8mb4))) END COLLATE utf8mb4_bin)`

var (
	phrasesSQLite = phrases{
		view:  `CREATE VIEW $1`,
		text:  textSQLite,
		word:  `'$1'`,
		time:  fmt.Sprintf(`strftime('%%Y-%%m-%%d %%H:%%M:%%f', min($1, %d) / 1000.0, 'unixepoch')`, lastYear),
		now:   `CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)`,
		entry: `printf('%u-%u', ` + numberSQLite(1) + `, ` + numberSQLite(9) + `)`,
		byte:  `(instr('123456789ABCDEF', substr(hex(substr($2, $1, 1)), 1, 1)) << 4 | instr('123456789ABCDEF', substr(hex(substr($2, $1, 1)), 2, 1)))`,
		bytes: `substr($3, $1, $2)`,
	}
	phrasesPostgres = phrases{
		view:  `CREATE VIEW $1`,
		text:  `redbud_text($1)`,
		word:  `'$1'`,
		time:  fmt.Sprintf(`CASE WHEN $1 < %d THEN to_timestamp($1 / 1000.0) WHEN $1 IS NOT NULL THEN 'infinity' END`, lastPostgres),
		now:   `CAST(extract(epoch FROM statement_timestamp()) * 1000 AS BIGINT)`,
		entry: numberPostgres(1) + ` || '-' || ` + numberPostgres(9),
		byte:  `get_byte($2, $1 - 1)`,
		bytes: `substring($3 FROM $1 FOR $2)`,
	}
	phrasesMySQL = phrases{
		view:  `CREATE OR REPLACE VIEW $1`,
		text:  textMySQL,
		word:  `_utf8mb4'$1' COLLATE utf8mb4_bin`,
		time:  fmt.Sprintf(`TIMESTAMPADD(MICROSECOND, LEAST($1, %d) * 1000, TIMESTAMP'1970-01-01 00:00:00')`, lastYear),
		now:   `(TIMESTAMPDIFF(MICROSECOND, TIMESTAMP'1970-01-01 00:00:00', UTC_TIMESTAMP(3)) DIV 1000)`,
		entry: `CONVERT(CONCAT(CONV(HEX(SUBSTRING($1, 1, 8)), 16, 10), '-', CONV(HEX(SUBSTRING($1, 9, 8)), 16, 10)) USING utf8mb4) COLLATE utf8mb4_bin`,
		byte:  `ORD(SUBSTRING($2, $1, 1))`,
		bytes: `SUBSTRING($3, $1, $2)`,
	}
)

// numberSQLite is the number in the eight bytes from one on.
func numberSQLite(from int) string {
	var digits []string
	for i := range 16 {
		digits = append(digits, fmt.Sprintf(`(instr('123456789ABCDEF', substr(hex($1), %d, 1)) << %d)`, 2*from-1+i, 60-4*i))
	}
	return strings.Join(digits, " | ")
}

// numberPostgres is the number in the eight bytes from one on, in digits. A bigint has a sign, and it has none.
func numberPostgres(from int) string {
	n := fmt.Sprintf(`CAST(CAST('x' || encode(substring($1 FROM %d FOR 8), 'hex') AS BIT(64)) AS BIGINT)`, from)
	return `CAST(CASE WHEN ` + n + ` < 0 THEN CAST(` + n + ` AS NUMERIC) + 18446744073709551616 ELSE ` + n + ` END AS TEXT)`
}

// A varint has seven bits in each byte, the lowest first, and the highest bit set in all but the last.
const (
	headOfVarint = `CASE WHEN {byte $1 of $2} < 128 THEN 1 WHEN {byte $1 + 1 of $2} < 128 THEN 2 WHEN {byte $1 + 2 of $2} < 128 THEN 3 WHEN {byte $1 + 3 of $2} < 128 THEN 4 ELSE 5 END`
	sizeOfVarint = `({byte $1 of $2} & 127) + CASE WHEN {byte $1 of $2} < 128 THEN 0 ELSE (({byte $1 + 1 of $2} & 127) << 7) + CASE WHEN {byte $1 + 1 of $2} < 128 THEN 0
		ELSE (({byte $1 + 2 of $2} & 127) << 14) + CASE WHEN {byte $1 + 2 of $2} < 128 THEN 0 ELSE (({byte $1 + 3 of $2} & 127) << 21) + CASE WHEN {byte $1 + 3 of $2} < 128 THEN 0 ELSE ({byte $1 + 4 of $2} & 127) << 28 END END END END`
)

// replacements are what stands in braces, with what is said instead of it.
func (p *phrases) replacements() []replacement {
	return []replacement{
		{regexp.MustCompile(`\{view ([a-z_]+)\}`), p.view},
		{regexp.MustCompile(`\{text ([a-z_.]+)\}`), p.text},
		{regexp.MustCompile(`\{word ([a-z]+)\}`), p.word},
		{regexp.MustCompile(`\{time ([a-z_.]+)\}`), p.time},
		{regexp.MustCompile(`\{now\}`), p.now},
		{regexp.MustCompile(`\{entry ([a-z_.]+)\}`), p.entry},
		{regexp.MustCompile(`\{head ([^{}]+) of ([a-z_.]+)\}`), headOfVarint},
		{regexp.MustCompile(`\{size ([^{}]+) of ([a-z_.]+)\}`), sizeOfVarint},
		{regexp.MustCompile(`\{bytes ([a-z_.]+) ([a-z_.]+) of ([a-z_.]+)\}`), p.bytes},
		{regexp.MustCompile(`\{byte ([^{}]+) of ([a-z_.]+)\}`), p.byte},
	}
}

type replacement struct {
	of *regexp.Regexp
	by string
}

// views are the statements that make the views.
func (p *phrases) views() string {
	text := viewsText
	for _, r := range p.replacements() {
		text = r.of.ReplaceAllString(text, strings.NewReplacer(`$1`, `${1}`, `$2`, `${2}`, `$3`, `${3}`).Replace(r.by))
	}
	return text
}
