package softwaretest

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/internal/testenv"
)

// writeCommands writes n commands as redis-cli --pipe takes them: the same ones each time.
func writeCommands(w io.Writer, n int) error {
	b := bufio.NewWriterSize(w, 1<<20)
	r := rand.New(rand.NewPCG(1, 2))
	value := make([]byte, 300)
	for i := range value {
		value[i] = byte(r.Uint32()) // line ends and zeros are bytes like others
	}
	put := func(args ...string) {
		fmt.Fprintf(b, "*%d\r\n", len(args))
		for _, a := range args {
			fmt.Fprintf(b, "$%d\r\n%s\r\n", len(a), a)
		}
	}
	cut := func(most int) string {
		from := r.IntN(len(value) - most)
		return string(value[from : from+r.IntN(most)])
	}
	for range n {
		// A few keys of each type grow large, most stay small.
		key := int(float64(n/3) * r.Float64() * r.Float64())
		switch r.IntN(3) {
		case 0:
			put("SET", fmt.Sprintf("string\r\n:%d", key), cut(100))
		case 1:
			put("HSET", fmt.Sprintf("hash:%d", key/20), fmt.Sprint("field", r.IntN(300)), cut(40), cut(10), fmt.Sprint(r.Int64()))
		case 2:
			put("ZADD", fmt.Sprintf("zset:%d", key/20), fmt.Sprint(r.NormFloat64()*1e6), fmt.Sprint("member", r.IntN(500)), fmt.Sprint(r.IntN(10)), cut(20))
		}
	}
	return b.Flush()
}

func TestRedisCLIPipesTheSameDataIntoBoth(t *testing.T) {
	t.Parallel()
	n := 1_000_000
	if testing.Short() || racing {
		n = 100_000
	}
	name := filepath.Join(t.TempDir(), "commands")
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := writeCommands(file, n); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	addrs := [2]string{testenv.Redis(t).Addr, serve(t).addr}
	var dbs [2]*redis.Client
	for i, addr := range addrs {
		input, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		out, code := tool{"redis-cli", at(addr, "--pipe"), input}.run(t)
		if err := input.Close(); err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("errors: 0, replies: %d\n", n); code != 0 || !strings.HasSuffix(out, want) {
			t.Fatalf("redis-cli --pipe ends with %d and %s", code, out)
		}
		dbs[i] = client(t, addr, 3)
	}
	var summaries [2]summary
	var keys []string
	for i, db := range dbs {
		summaries[i], keys = summarize(t, db)
	}
	if summaries[1] != summaries[0] {
		t.Errorf("redbud has %+v, redis-server has %+v", summaries[1], summaries[0])
	}
	if summaries[0].size < n/10 {
		t.Errorf("%d commands left only %d keys", n, summaries[0].size)
	}
	r := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		key := keys[r.IntN(len(keys))]
		want, got := content(t, dbs[0], key), content(t, dbs[1], key)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q is %v, want %v", key, got, want)
		}
	}
}

// summary is what can be said of many keys.
type summary struct {
	size                  int
	strings, hashes, sets int    // by TYPE
	hash                  string // of the sorted names
}

// summarize looks at all keys of a database, of which it returns the sorted names.
func summarize(t *testing.T, db *redis.Client) (summary, []string) {
	t.Helper()
	ctx := t.Context()
	s := summary{size: int(db.DBSize(ctx).Val())}
	keys := scan(t, db.Scan(ctx, 0, "", 1000))
	s.hash = fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%q", keys)))
	if len(keys) != s.size {
		t.Errorf("SCAN gives %d different keys, DBSIZE says %d", len(keys), s.size)
	}
	byType := map[string]int{}
	for part := range slices.Chunk(keys, 1000) {
		replies, err := db.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, key := range part {
				p.Type(ctx, key)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, reply := range replies {
			byType[reply.(*redis.StatusCmd).Val()]++
		}
	}
	s.strings, s.hashes, s.sets = byType["string"], byType["hash"], byType["zset"]
	for kind, n := range byType {
		if got := len(scan(t, db.ScanType(ctx, 0, "", 1000, kind))); got != n {
			t.Errorf("SCAN TYPE %s gives %d keys, TYPE says so of %d", kind, got, n)
		}
	}
	return s, keys
}

// scan returns the names that SCAN gives, sorted, once each.
func scan(t *testing.T, c *redis.ScanCmd) []string {
	t.Helper()
	var keys []string
	all := c.Iterator()
	for all.Next(t.Context()) {
		keys = append(keys, all.Val())
	}
	if err := all.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// content is all that a key holds.
func content(t *testing.T, db *redis.Client, key string) any {
	t.Helper()
	ctx := t.Context()
	var value any
	kind, err := db.Type(ctx, key).Result()
	if err == nil {
		switch kind {
		case "string":
			value, err = db.Get(ctx, key).Result()
		case "hash":
			value, err = db.HGetAll(ctx, key).Result()
		case "zset":
			value, err = db.ZRangeWithScores(ctx, key, 0, -1).Result()
		default:
			t.Fatalf("%q is a %s", key, kind)
		}
	}
	if err != nil {
		t.Fatalf("read %q: %v", key, err)
	}
	return value
}
