package redbud

import (
	"errors"
	"net"
	"path/filepath"
	"testing"

	"github.com/redis/go-redis/v9"

	_ "github.com/redbud-go/redbud/engine/sqlite"
)

// TestAFailureHasItsCodeWhicheverWayItComes has a database that refuses to be written tell so to go-redis: on the short cut, on a
// connection in the process, and through a server.
func TestAFailureHasItsCodeWhicheverWayItComes(t *testing.T) {
	ctx := t.Context()
	url := "sqlite:" + filepath.ToSlash(filepath.Join(t.TempDir(), "app.db"))
	writer, err := Open(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	if err := writer.Set(ctx, "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	db, err := Open(ctx, url+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go db.Serve(ctx, l)
	hooked, err := Open(ctx, url+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer hooked.Close()
	hooked.AddHook(&passing{}) // which turns the short cut off
	remote := redis.NewClient(&redis.Options{Addr: l.Addr().String(), MaxRetries: -1})
	defer remote.Close()
	for name, c := range map[string]redis.Cmdable{"short cut": db, "connection": hooked, "server": remote} {
		err := c.Set(ctx, "k", "w", 0).Err()
		if !redis.IsReadOnlyError(err) || !redis.HasErrorPrefix(err, "READONLY") || err.Error() != "READONLY the database can only be read" {
			t.Errorf("%s: SET: %v", name, err)
		}
		if !errors.As(err, new(redis.Error)) {
			t.Errorf("%s: it is no error of Redis: %T", name, err)
		}
		if got, err := c.Get(ctx, "k").Result(); got != "v" || err != nil {
			t.Errorf("%s: GET: %q, %v", name, got, err)
		}
		_, err = c.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.Get(ctx, "k")
			p.Incr(ctx, "n")
			return nil
		})
		if !redis.IsReadOnlyError(err) {
			t.Errorf("%s: EXEC: %v", name, err)
		}
	}
}
