package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redbud-go/redbud/cache"
	"github.com/redbud-go/redbud/cache/codec"
)

func TestCacheShowsAndDeletesItsOwn(t *testing.T) {
	url := "sqlite://" + t.TempDir() + "/db"
	c, err := cache.Open[map[string]any](context.Background(), url, cache.Options{Prefix: "u:"})
	if err != nil {
		t.Fatal(err)
	}
	ann := map[string]any{"name": "Ann <3", "age": int64(30)}
	if err := c.SetMany(t.Context(), map[string]map[string]any{"ann": ann, "bob": {}}, time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := c.SetTagged(t.Context(), "eve", ann, time.Hour, "berlin"); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	bytes, err := cache.Open[[]byte](t.Context(), url, cache.Options{Prefix: "b:", Codec: codec.Raw()})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(bytes.Set(t.Context(), "k", []byte("\x00<\xff"), time.Hour), bytes.Close()); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		args      string
		code      int
		out, fail string
	}{
		{"get --prefix u: URL ann", 0, `{"age":30,"name":"Ann <3"}` + "\n", ""},
		{"get --prefix u: URL nobody", 1, "", "miss"},
		{"nosuch", 1, "", `unknown command "nosuch"`},
		{"get --prefix u: --codec json:// URL ann", 1, "", "cannot be decoded"},
		{"get --prefix u: --codec nosuch:// URL ann", 1, "", "nosuch"},
		{"get --prefix b: --codec raw:// URL k", 0, "\x00<\xff", ""},
		{"get --prefix b: --codec noop:// URL l", 1, "", "miss"},
		{"get URL", 1, "", "accepts 2 arg"},
		{"get --prefix u: URL eve", 0, `{"age":30,"name":"Ann <3"}` + "\n", ""},
		{"tag --prefix u: --soft URL berlin", 0, "", ""},
		{"get --prefix u: URL eve", 0, `{"age":30,"name":"Ann <3"}` + "\n", ""},
		{"tag --prefix u: URL berlin paris", 0, "", ""},
		{"get --prefix u: URL eve", 1, "", "miss"},
		{"tag --prefix u: URL", 1, "", "requires at least 2 arg"},
		{"clear URL", 1, "", "without a prefix"},
		{"stats URL", 1, "", "without a prefix"},
		{"clear --prefix x: URL", 0, "0 values deleted\n", ""},
		{"clear --prefix u: nosuch://", 1, "", "nosuch"},
	} {
		r := redbud(t, "", strings.Fields("cache "+strings.ReplaceAll(step.args, "URL", url))...)
		if r.code != step.code || r.out != step.out || !strings.Contains(r.errors, step.fail) || step.fail == "" && r.errors != "" {
			t.Errorf("cache %s: %+v", step.args, r)
		}
	}
	r := redbud(t, "", "cache", "stats", "--prefix", "u:", url)
	if lines := strings.Split(r.out, "\n"); r.code != 0 || lines[0] != "values: 3" || lines[1] != "without a time to live: 0" || !strings.HasPrefix(lines[2], "bytes: ") {
		t.Errorf("cache stats: %+v", r)
	}
	if r := redbud(t, "", "cache", "clear", "--prefix", "u:", url); r.code != 0 || r.out != "3 values deleted\n" {
		t.Errorf("cache clear: %+v", r)
	}
}
