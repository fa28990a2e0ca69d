package stack_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"maps"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud"
	"github.com/redbud-go/redbud/internal/kittest"
	"github.com/redbud-go/redbud/script"
	"github.com/redbud-go/redbud/script/stack"
)

func Example() {
	ctx := context.Background()
	db, err := redbud.Open(ctx, "memory://")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	settings := stack.New(db, "settings")
	settings.Set(ctx, map[string]string{"color": "red", "size": "10"})
	settings.Push(ctx)
	settings.Set(ctx, map[string]string{"color": "blue"})
	fmt.Println(settings.Lookup(ctx, "color"))
	fmt.Println(settings.Lookup(ctx, "size"))
	settings.Pop(ctx)
	fmt.Println(settings.Lookup(ctx, "color"))
	// Output:
	// blue <nil>
	// 10 <nil>
	// red <nil>
}

// What redipy's own test expects of its stack.
func TestTwoStacks(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		foo, bar := stack.New(db, "foo"), stack.New(db, "bar")
		for _, err := range []error{
			foo.Set(ctx, map[string]string{"a": "hi", "b": "foo"}),
			bar.Set(ctx, map[string]string{"a": "bye", "b": "bar"}),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if below, err := foo.Push(ctx); below != 1 || err != nil {
			t.Fatal(below, err)
		}
		if err := foo.Set(ctx, map[string]string{"b": "bb", "c": "cc", "d": "dd"}); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			what string
			get  func(context.Context, string) (string, error)
			name string
			want string
		}{
			{"get foo", foo.Get, "a", ""}, {"get foo", foo.Get, "b", "bb"},
			{"look up foo", foo.Lookup, "a", "hi"}, {"look up foo", foo.Lookup, "b", "bb"}, {"look up foo", foo.Lookup, "c", "cc"},
			{"look up bar", bar.Lookup, "a", "bye"}, {"look up bar", bar.Lookup, "c", ""},
		} {
			got, err := c.get(ctx, c.name)
			if got != c.want || (c.want == "") != errors.Is(err, redis.Nil) {
				t.Errorf("%s %s is %q and %v, not %q", c.what, c.name, got, err, c.want)
			}
		}
		all, err := foo.All(ctx)
		if want := map[string]string{"a": "hi", "b": "bb", "c": "cc", "d": "dd"}; !maps.Equal(all, want) || err != nil {
			t.Errorf("all of foo is %v and %v", all, err)
		}
		for _, want := range []map[string]string{{"b": "bb", "c": "cc", "d": "dd"}, {"a": "hi", "b": "foo"}, {}, {}} {
			if frame, err := foo.Pop(ctx); !maps.Equal(frame, want) || err != nil {
				t.Errorf("the top frame was %v and %v, not %v", frame, err, want)
			}
		}
		if n := db.Exists(ctx, "foo").Val(); n != 0 {
			t.Error("a stack without frames has a key")
		}
	})
}

func TestAStackOfAnything(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		ctx := t.Context()
		s := stack.New(db, "s\n]]")
		if below, err := s.Push(ctx); below != 1 || err != nil {
			t.Errorf("the first Push returns %d and %v", below, err)
		}
		values := map[string]string{"": "", "\"\\\x00\xff]]": "\r\n\xfe", "long": strings.Repeat("x", 1<<16)}
		if err := s.Set(ctx, values); err != nil {
			t.Fatal(err)
		}
		if all, err := s.All(ctx); !maps.Equal(all, values) || err != nil {
			t.Errorf("what was put in is not what is in: %v", err)
		}
		if err := s.Set(ctx, nil); err != nil {
			t.Errorf("setting nothing: %v", err)
		}
		db.Set(ctx, "s", "text", 0)
		wrong := stack.New(db, "s")
		if _, err := wrong.Lookup(ctx, "a"); !errors.Is(err, script.ErrWrongType) {
			t.Errorf("on a string: %v", err)
		}
		if got := db.Get(ctx, "s").Val(); got != "text" {
			t.Errorf("it became %q", got)
		}
	})
}
