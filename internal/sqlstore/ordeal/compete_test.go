package ordeal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/internal/resp"
)

// How several processes compete: keys are new ones after a while, so that what became of each is soon checked.
const (
	processes, clientsOfEach = 2, 4
	keysAtOnce, callsOnThem  = 6, 1200
)

// none is the value of a key that is missing, and the reply that says so.
const none = "(nil)"

// call is a call on one key.
type call struct{ name, key, arg string }

// drawCall draws one. Some values are numbers and some are not, some numbers too large to be added to.
func drawCall(rng *rand.Rand, key string) call {
	c := call{[]string{"GET", "GET", "SET", "INCR", "INCR", "APPEND", "DEL", "SETNX", "GETSET"}[rng.IntN(9)], key, ""}
	switch c.name {
	case "APPEND":
		c.arg = strconv.Itoa(rng.IntN(10))
	case "SET", "SETNX", "GETSET":
		c.arg = strconv.Itoa(rng.IntN(1_000_000))
	}
	return c
}

// apply is what a call makes of a value, and what it replies.
func apply(value string, c call) (after, reply string) {
	switch c.name {
	case "GET":
		return value, value
	case "SET":
		return c.arg, "OK"
	case "GETSET":
		return c.arg, value
	case "SETNX":
		if value != none {
			return value, "0"
		}
		return c.arg, "1"
	case "DEL":
		if value == none {
			return none, "0"
		}
		return none, "1"
	case "APPEND":
		if value == none {
			value = ""
		}
		return value + c.arg, strconv.Itoa(len(value) + len(c.arg))
	}
	if value == none {
		value = "0"
	}
	n, ok := resp.ParseInt([]byte(value))
	switch {
	case !ok:
		return value, "ERR value is not an integer or out of range"
	case n == math.MaxInt64:
		return value, "ERR increment or decrement would overflow"
	}
	after = strconv.FormatInt(n+1, 10)
	return after, after
}

// model is a key as Redis has it.
var model = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		var keys [][]porcupine.Operation
		at := map[string]int{}
		for _, op := range history {
			key := op.Input.(call).key
			if _, ok := at[key]; !ok {
				at[key] = len(keys)
				keys = append(keys, nil)
			}
			keys[at[key]] = append(keys[at[key]], op)
		}
		return keys
	},
	Init: func() any { return none },
	Step: func(state, input, output any) (bool, any) {
		after, reply := apply(state.(string), input.(call))
		return reply == output.(string), after
	},
}

// compete lets clients of several processes, which share nothing but the database, do what they like to the same keys. What became of
// each key must be what calls one after the other could have made of it, each at some time between its beginning and its end.
func compete(t *testing.T, d *database) {
	rng := random(t)
	length := 5 * time.Second
	if *long {
		length = time.Minute
	}
	var made atomic.Int64
	histories := make([][]porcupine.Operation, processes*clientsOfEach)
	var all sync.WaitGroup
	begun := time.Now()
	for i := range processes {
		p := start(t, d.fast)
		for j := range clientsOfEach {
			id, c, rng := i*clientsOfEach+j, p.client(t), rand.New(rand.NewPCG(rng.Uint64(), 0))
			all.Go(func() {
				for time.Since(begun) < length {
					turn := made.Add(1) / callsOnThem
					one := drawCall(rng, fmt.Sprintf("%d:%d", turn, rng.IntN(keysAtOnce)))
					from := time.Since(begun)
					reply, err := do(c, one)
					if err != nil {
						t.Errorf("%v: %v", one, err)
						return
					}
					histories[id] = append(histories[id], porcupine.Operation{ClientId: id, Input: one, Output: reply, Call: int64(from), Return: int64(time.Since(begun))})
				}
			})
		}
	}
	all.Wait()
	history := slices.Concat(histories...)
	keys := model.Partition(history)
	for _, one := range keys {
		if !porcupine.CheckOperations(model, one) {
			t.Fatalf("no order of these calls explains their replies:\n%s", describe(one))
		}
	}
	t.Logf("%d calls on %d keys", len(history), len(keys))
	if len(history) < 500 || len(keys) < keysAtOnce {
		t.Errorf("%d calls on %d keys prove nothing", len(history), len(keys))
	}
}

// do makes a call and returns its reply as text.
func do(c *redis.Client, one call) (string, error) {
	words := []any{one.name, one.key}
	if one.arg != "" {
		words = append(words, one.arg)
	}
	v, err := c.Do(context.Background(), words...).Result()
	var refused redis.Error
	switch {
	case err == redis.Nil:
		return none, nil
	case errors.As(err, &refused) && one.name == "INCR" && strings.HasPrefix(err.Error(), "ERR "):
		return err.Error(), nil
	}
	return fmt.Sprint(v), err
}

// describe lists calls with their times and replies.
func describe(history []porcupine.Operation) string {
	history = slices.SortedFunc(slices.Values(history), func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
	var b strings.Builder
	for _, op := range history {
		fmt.Fprintf(&b, "%12v to %12v client %d %v: %v\n", time.Duration(op.Call), time.Duration(op.Return), op.ClientId, op.Input, op.Output)
	}
	return b.String()
}

// TestTheModelOfAKeyTellsWrongFromRight shows that histories are refused which no order explains.
func TestTheModelOfAKeyTellsWrongFromRight(t *testing.T) {
	op := func(from, to int64, name, arg, reply string) porcupine.Operation {
		return porcupine.Operation{Input: call{name, "k", arg}, Output: reply, Call: from, Return: to}
	}
	for _, c := range []struct {
		what    string
		right   bool
		history []porcupine.Operation
	}{
		{"one after the other", true, []porcupine.Operation{op(1, 2, "INCR", "", "1"), op(3, 4, "APPEND", "0", "2"), op(5, 6, "GETSET", "7", "10"), op(7, 8, "DEL", "", "1"), op(9, 10, "GET", "", none)}},
		{"at once, the later first", true, []porcupine.Operation{op(1, 9, "INCR", "", "2"), op(2, 8, "INCR", "", "1")}},
		{"a lost update", false, []porcupine.Operation{op(1, 9, "INCR", "", "1"), op(2, 8, "INCR", "", "1")}},
		{"an old value", false, []porcupine.Operation{op(1, 2, "SET", "1", "OK"), op(3, 4, "SET", "2", "OK"), op(5, 6, "GET", "", "1")}},
		{"two who were first", false, []porcupine.Operation{op(1, 9, "SETNX", "1", "1"), op(2, 8, "SETNX", "2", "1")}},
		{"a number that is none", true, []porcupine.Operation{op(1, 2, "APPEND", "07", "2"), op(3, 4, "INCR", "", "ERR value is not an integer or out of range")}},
	} {
		if got := porcupine.CheckOperations(model, c.history); got != c.right {
			t.Errorf("%s: %v", c.what, got)
		}
	}
}
