package luagen

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/internal/graph"
	"github.com/redbud-go/redbud/internal/testenv"
)

// server is a Redis and a client of it.
func server(t testing.TB) *redis.Client {
	t.Helper()
	s := testenv.Redis(t)
	c := redis.NewClient(&redis.Options{Addr: s.Addr, Protocol: 2, MaxRetries: -1})
	t.Cleanup(func() { c.Close() })
	return c
}

// eval runs a program on a Redis. Its reply is as go-redis has it; an error is without what Redis adds to it.
func eval(t testing.TB, c *redis.Client, p *graph.Program, keys []string, args ...any) (any, string) {
	t.Helper()
	source := Source(checked(t, p))
	reply, err := c.Eval(context.Background(), source, keys, args...).Result()
	if err == redis.Nil {
		return nil, ""
	}
	if err != nil {
		text, _, _ := strings.Cut(err.Error(), " script: ")
		if at := strings.LastIndex(err.Error(), " script: "); at >= 0 {
			text = err.Error()[:at]
		}
		text = strings.TrimPrefix(text, "ERR ")
		if !strings.HasPrefix(text, "script: ") {
			t.Logf("the source:\n%s", source)
		}
		return nil, text
	}
	return reply, ""
}

func TestValuesAreWhatTheLanguageSays(t *testing.T) {
	c := server(t)
	for _, test := range []struct {
		x    *node
		want any
	}{
		{fn("add", num(1), num(2)), int64(3)},
		{fn("from_json", str(`{"b":[1,null,"x",9223372036854775807],"a":{}}`)), `{"a":{},"b":[1,null,"x",9223372036854775807]}`},
		{num(1 << 62), "4611686018427387904"},
	} {
		got, problem := eval(t, c, value(test.x), nil)
		if problem != "" || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %#v %s, want %#v", Source(checked(t, value(test.x))), got, problem, test.want)
		}
	}
}
