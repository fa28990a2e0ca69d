package command_test

import (
	"net"
	"strings"
	"testing"

	"github.com/redbud-go/redbud/internal/testenv"
)

func TestKeysMoveToARealServer(t *testing.T) {
	addr := testenv.Redis(t).Addr
	us, them := ours(t), askingAt(t, addr)
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	us("SET", "s", "v", "PX", "100000")
	us("RPUSH", "l", "a", "b")
	us("XADD", "x", "1-1", "f", "v")
	for _, c := range []struct{ call, want string }{
		{"MIGRATE HOST PORT nosuch 0 5000", "NOKEY"},
		{"MIGRATE HOST PORT s 0 5000 KEYS l", "{error:ERR When using MIGRATE KEYS option, the key argument must be set to the empty string}"},
		{"MIGRATE HOST PORT s 0 x", "{error:ERR value is not an integer or out of range}"},
		{"MIGRATE HOST PORT s 0 5000 AUTH", "{error:ERR syntax error}"},
		{"MIGRATE HOST PORT s 99 5000", "{error:ERR Target instance replied with error: ERR DB index is out of range}"},
		{"MIGRATE HOST PORT s 5 5000 COPY", "OK"},
		{"MIGRATE HOST PORT s 5 5000", "{error:ERR Target instance replied with error: BUSYKEY Target key name already exists.}"},
		{"EXISTS s l x", "3"},
		{"MIGRATE HOST PORT  5 5000 REPLACE KEYS s nosuch l x", "OK"},
		{"EXISTS s l x", "0"},
		{"SET s v", "OK"},
		{"MIGRATE 127.0.0.1 1 s 0 100", "{error:IOERR error or timeout writing to target instance}"},
	} {
		words := strings.Split(strings.NewReplacer("HOST", host, "PORT", port).Replace(c.call), " ")
		if v := us(words...); text(&v) != c.want {
			t.Errorf("%s: %s, want %s", c.call, text(&v), c.want)
		}
	}
	them("SELECT", "5")
	for call, want := range map[string]string{"GET s": "v", "LRANGE l 0 -1": "[a,b]", "XLEN x": "1", "DBSIZE": "3"} {
		if v := them(strings.Fields(call)...); text(&v) != want {
			t.Errorf("the other server answers %s with %s, want %s", call, text(&v), want)
		}
	}
	if v := them("PTTL", "s"); v.Int <= 0 {
		t.Errorf("the other server has lost the time at which s expires: %s", text(&v))
	}
}
