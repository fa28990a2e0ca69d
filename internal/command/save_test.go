package command_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/memstore"
	"github.com/redbud-go/redbud/internal/resp"
)

// operated returns an engine whose DEBUG and directory are open to its caller.
func operated(t *testing.T) *command.Engine {
	e := command.NewEngine(memstore.New(memstore.Options{}), command.Options{})
	t.Cleanup(func() { _ = e.Close() })
	if err := e.Settings.Begin("enable-debug-command", "yes", "enable-protected-configs", "yes", "dir", t.TempDir()); err != nil {
		t.Fatal(err)
	}
	return e
}

// sample fills an engine with values of all types in two databases.
func sample(t *testing.T, e *command.Engine) {
	t.Helper()
	for _, line := range []string{"SET s v PX 100000000", "SET n 5", "RPUSH l a b c", "SADD set 1 2 x", "ZADD z 1.5 a inf b", "HSET h f v g w",
		"XADD x 1-1 f v", "XADD x 2-1 f v", "XDEL x 1-1", "XGROUP CREATE x g 0", "XREADGROUP GROUP g bob STREAMS x >", "COPY l l DB 3",
		"DEBUG POPULATE 3000 many 20"} {
		together(t, e, nil, line)
	}
}

func TestReloadKeepsEverything(t *testing.T) {
	e := operated(t)
	sample(t, e)
	ask := asking(t, e)
	ask("HPEXPIRE", "h", "100000000", "FIELDS", "1", "f")
	if v := ask("FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 'called' end)"); text(&v) != "lib" {
		t.Fatal(text(&v))
	}
	before := ask("DEBUG", "DIGEST")
	for _, call := range []string{"DEBUG RELOAD", "DEBUG LOADAOF", "DEBUG RELOAD NOSAVE NOFLUSH MERGE"} {
		if v := ask(strings.Fields(call)...); text(&v) != "OK" {
			t.Fatalf("%s: %s", call, text(&v))
		}
		if v := ask("DEBUG", "DIGEST"); text(&v) != text(&before) {
			t.Errorf("after %s the digest is %s, want %s", call, text(&v), text(&before))
		}
	}
	for _, c := range []struct{ call, want string }{
		{"XPENDING x g", "[1,2-1,2-1,[[bob,1]]]"},
		{"HTTL h FIELDS 2 f g", "[100000,-1]"},
		{"OBJECT ENCODING n", "int"},
		{"FCALL f 0", "called"},
	} {
		if v := ask(strings.Fields(c.call)...); text(&v) != c.want {
			t.Errorf("%s: %s, want %s", c.call, text(&v), c.want)
		}
	}
}

func TestReloadIntoWhatIsThereRefusesConflicts(t *testing.T) {
	e := operated(t)
	converse(t, e, 2, []exchange{
		{"SET k v", "+OK"},
		{"DEBUG RELOAD NOFLUSH", "-ERR Error trying to load the RDB dump, check server logs."},
		{"SET k w", "+OK"}, {"SET other v", "+OK"},
		{"DEBUG RELOAD NOSAVE NOFLUSH", "-ERR Error trying to load the RDB dump, check server logs."},
		{"GET k", "$1 w"},
		{"DEBUG RELOAD NOSAVE NOFLUSH MERGE", "+OK"},
		{"GET k", "$1 v"}, {"GET other", "$1 v"},
		{"DEBUG RELOAD NOSAVE", "+OK"},
		{"GET other", "$-1"},
		{"DEBUG RELOAD FOO", "-ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options."},
	})
}

func TestLibrariesAreReloadedToo(t *testing.T) {
	e := operated(t)
	ask := asking(t, e)
	load := func(name string) {
		ask("FUNCTION", "LOAD", "#!lua name="+name+"\nredis.register_function('"+name+"', function() return 'called' end)")
	}
	load("one")
	for _, c := range []struct{ call, want string }{
		{"DEBUG RELOAD NOFLUSH", "{error:ERR Error trying to load the RDB dump, check server logs.}"},
		{"DEBUG RELOAD NOFLUSH MERGE", "OK"},
		{"FUNCTION DELETE one", "OK"},
		{"DEBUG RELOAD NOSAVE", "OK"},
		{"FCALL one 0", "called"},
	} {
		if v := ask(strings.Fields(c.call)...); text(&v) != c.want {
			t.Errorf("%s: %s, want %s", c.call, text(&v), c.want)
		}
	}
	load("two")
	ask("DEBUG", "RELOAD", "NOSAVE", "NOFLUSH", "MERGE")
	for _, name := range []string{"one", "two"} {
		if v := ask("FCALL", name, "0"); text(&v) != "called" {
			t.Errorf("%s: %s", name, text(&v))
		}
	}
}

func TestSavedFileIsLoadedByAnEmptyEngine(t *testing.T) {
	for _, call := range []string{"SAVE", "BGSAVE", "BGSAVE SCHEDULE"} {
		t.Run(call, func(t *testing.T) {
			e := operated(t)
			ask := asking(t, e)
			sample(t, e)
			if values, _ := fields(t, ask, "persistence"); values["rdb_changes_since_last_save"] == "0" {
				t.Error("nothing has changed before the save")
			}
			ask(strings.Fields(call)...)
			saved := func() bool {
				values, _ := fields(t, ask, "persistence")
				return values["rdb_bgsave_in_progress"] == "0" && values["rdb_saves"] == "1"
			}
			for deadline := time.Now().Add(20 * time.Second); !saved(); {
				if time.Now().After(deadline) {
					t.Fatal("there is no file")
				}
			}
			if values, _ := fields(t, ask, "persistence"); values["rdb_changes_since_last_save"] != "0" || values["rdb_last_bgsave_status"] != "ok" {
				t.Errorf("after the save: %q", values)
			}
			other := operated(t)
			dir := string(ask("CONFIG", "GET", "dir").Elems[1].Str)
			load := asking(t, other)
			if v := load("CONFIG", "SET", "dir", dir); text(&v) != "OK" {
				t.Fatal(text(&v))
			}
			if v := load("DEBUG", "RELOAD", "NOSAVE"); text(&v) != "OK" {
				t.Fatal(text(&v))
			}
			want, got := ask("DEBUG", "DIGEST"), load("DEBUG", "DIGEST")
			if text(&got) != text(&want) {
				t.Errorf("the digest is %s, want %s", text(&got), text(&want))
			}
			if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
				t.Errorf("the directory has %v, %v", files, err)
			}
		})
	}
}

func TestFileThatCannotBeWrittenIsARefusalThatNamesNoPath(t *testing.T) {
	e := operated(t)
	dir := filepath.Join(t.TempDir(), "gone")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	ask := asking(t, e)
	ask("CONFIG", "SET", "dir", dir)
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	v := ask("SAVE")
	if got := text(&v); !v.IsError() || strings.Contains(got, "gone") {
		t.Errorf("SAVE: %s", got)
	}
	if values, _ := fields(t, ask, "persistence"); values["rdb_last_bgsave_status"] != "err" {
		t.Errorf("rdb_last_bgsave_status is %s", values["rdb_last_bgsave_status"])
	}
}

func TestWhereFilesGoIsProtected(t *testing.T) {
	e := command.NewEngine(memstore.New(memstore.Options{}), command.Options{})
	defer e.Close()
	failed := func(name, why string) string {
		return fmt.Sprintf("-ERR CONFIG SET failed (possibly related to argument '%s') - %s", name, why)
	}
	converse(t, e, 2, []exchange{
		{"CONFIG SET dir /", failed("dir", "can't set protected config")},
		{"CONFIG SET maxmemory 5 dbfilename x", failed("dbfilename", "can't set protected config")},
		{"CONFIG SET enable-protected-configs yes", failed("enable-protected-configs", "can't set immutable config")},
		{"CONFIG GET maxmemory", "*2 $9 maxmemory $1 0"},
	})
	if err := e.Settings.Begin("enable-protected-configs", "local"); err != nil {
		t.Fatal(err)
	}
	converse(t, e, 2, []exchange{
		{"CONFIG SET dbfilename a/b", failed("dbfilename", "dbfilename can't be a path, just a filename")},
		{"CONFIG SET dir /nosuchdirectory", failed("dir", "No such file or directory")},
		{"CONFIG SET dbfilename b", "+OK"},
		{"CONFIG GET dbfilename", "*2 $10 dbfilename $1 b"},
	})
}

func TestOnlyHarmlessWordsOfDebugRunUnlessEnabled(t *testing.T) {
	e := command.NewEngine(memstore.New(memstore.Options{}), command.Options{})
	defer e.Close()
	const denied = `-ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it from a local connection, ` +
		"otherwise you need to set this option in the configuration file, and then restart the server."
	converse(t, e, 2, []exchange{
		{"SET k 12", "+OK"},
		{"DEBUG SLEEP 0", denied}, {"DEBUG RELOAD", denied}, {"DEBUG SET-ACTIVE-EXPIRE 0", denied}, {"DEBUG POPULATE 5", denied},
		{"DEBUG SLEEP", "-ERR unknown subcommand or wrong number of arguments for 'SLEEP'. Try DEBUG HELP."},
		{"DEBUG SEGFAULT", "-ERR DEBUG SEGFAULT is not supported: it would end the process"},
		{"DEBUG STRINGMATCH-LEN a*c abbc", ":1"},
		{"DEBUG SDSLEN k", "+key_sds_len:1, key_sds_avail:0, key_zmalloc: 1, val_sds_len:2, val_sds_avail:0, val_zmalloc: 2"},
		{"DEBUG OBJECT nosuch", "-ERR no such key"},
	})
	if err := e.Settings.Begin("enable-debug-command", "local"); err != nil {
		t.Fatal(err)
	}
	ask := asking(t, e)
	if v := ask("DEBUG", "SLEEP", "0"); text(&v) != "OK" {
		t.Errorf("in the same process: %s", text(&v))
	}
	if v := ask("DEBUG", "ERROR", "CODE some\r\ntext"); text(&v) != "{error:CODE some  text}" {
		t.Errorf("DEBUG ERROR: %s", text(&v))
	}
	v := ask("DEBUG", "OBJECT", "k")
	if got := text(&v); !strings.HasPrefix(got, "Value at:0x") || !strings.Contains(got, " encoding:int serializedlength:2 lru:") {
		t.Errorf("DEBUG OBJECT: %s", got)
	}
}

func TestKeysThatHaveExpiredAreNoChangeWhenDatabasesAreSwapped(t *testing.T) {
	now := int64(1000)
	e := at(t, &now)
	if err := e.Settings.Begin("enable-debug-command", "yes"); err != nil {
		t.Fatal(err)
	}
	converse(t, e, 2, []exchange{{"DEBUG SET-ACTIVE-EXPIRE 0", "+OK"}, {"SET x v PX 10", "+OK"}, {"SET y v", "+OK"}})
	now = 2000
	for _, c := range []struct {
		key     string
		changed bool
	}{{"x", false}, {"y", true}} {
		guard, err := e.Watch(t.Context(), 1, words(c.key))
		if err != nil {
			t.Fatal(err)
		}
		converse(t, e, 2, []exchange{{"SWAPDB 0 1", "+OK"}})
		err = e.Do(t.Context(), &engine.Batch{DB: 1, Calls: []engine.Call{words("PING")}, Atomic: true, Guard: guard}, &resp.Writer{})
		if errors.Is(err, engine.ErrChanged) != c.changed {
			t.Errorf("%s: %v, want a change %v", c.key, err, c.changed)
		}
		guard.Release()
	}
}
