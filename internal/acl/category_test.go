package acl

import (
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func TestCategoriesAreThoseOfRedis(t *testing.T) {
	o, err := redis.ParseURL(testenv.SharedRedis(t).URL())
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(o)
	t.Cleanup(func() { _ = client.Close() })
	ask := func(words ...any) []string {
		list, err := client.Do(t.Context(), words...).StringSlice()
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	if theirs := strings.Join(ask("ACL", "CAT"), " "); theirs != strings.Join(command.Categories, " ") {
		t.Errorf("the categories of Redis are %s", theirs)
	}
	theirs := map[string]bool{}
	for _, name := range ask("COMMAND", "LIST") {
		theirs[name] = true
	}
	for _, category := range command.Categories {
		has := map[string]bool{}
		for _, name := range ask("ACL", "CAT", category) {
			has[name] = true
		}
		names, ok := InCategory(category)
		if !ok {
			t.Fatalf("there is no category %s", category)
		}
		ours := map[string]bool{}
		for _, name := range names {
			if ours[name] = true; theirs[name] && !has[name] {
				t.Errorf("%s is in @%s, but not in Redis", name, category)
			}
		}
		for name := range has {
			if row := command.Commands.Named([]byte(name)); row != nil && !ours[name] {
				t.Errorf("%s is not in @%s, but in Redis", name, category)
			}
		}
	}
}
