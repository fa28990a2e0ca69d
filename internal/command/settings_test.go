package command

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
)

// pairs is what CONFIG GET answers, as name=value.
func pairs(s *Settings, patterns ...string) []string {
	var out []string
	s.Match(patterns, func(name, value string) { out = append(out, name+"="+value) })
	return out
}

func TestConfigGetTellsEachParameterOnceUnderTheNameAskedFor(t *testing.T) {
	s := newSettings()
	for _, c := range []struct {
		patterns string
		want     []string
	}{
		{"MaxMemory maxmemory", []string{"MaxMemory=0"}},
		{"hash-max-*-entries", []string{"hash-max-listpack-entries=512", "hash-max-ziplist-entries=512"}},
		{"HASH-MAX-ZIP*-value appendonly", []string{"hash-max-ziplist-value=64", "appendonly=no"}},
		{"nosuch no*such", nil},
		{"maxmemory maxmemory", []string{"maxmemory=0"}},
	} {
		if got := pairs(s, strings.Fields(c.patterns)...); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.patterns, got, c.want)
		}
	}
}

func TestConfigSetKeepsValuesInTheirNormalForm(t *testing.T) {
	s := newSettings()
	for _, c := range [][3]string{
		{"maxmemory", "1gb", "1073741824"}, {"maxmemory", "5k", "5000"}, {"maxmemory", "", "0"}, {"maxmemory", "7B", "7"},
		{"maxmemory", "99999999999999999999", "9223372036854775807"},
		{"appendonly", "YES", "yes"}, {"maxmemory-policy", "AllKeys-LRU", "allkeys-lru"}, {"timeout", "5", "5"},
		{"notify-keyspace-events", "KEA", "AKE"}, {"notify-keyspace-events", "KEg$", "g$KE"},
		{"notify-keyspace-events", "AKEmn", "AKEmn"}, {"notify-keyspace-events", "Kn", "nK"}, {"notify-keyspace-events", "", ""},
		{"save", "900 1  300 10", "900 1 300 10"}, {"save", "", ""},
		{"client-output-buffer-limit", "normal 1mb 2mb 60 replica 1 2 3",
			"normal 1048576 2097152 60 slave 1 2 3 pubsub 33554432 8388608 60"},
	} {
		if err := s.Set(c[0], c[1]); err != nil {
			t.Errorf("%s %q: %v", c[0], c[1], err)
		}
		if got := s.String(c[0]); got != c[2] {
			t.Errorf("%s %q is kept as %q, want %q", c[0], c[1], got, c[2])
		}
	}
}

func TestConfigSetRefusesInTheWordsOfRedis(t *testing.T) {
	s := newSettings()
	failed := func(name, why string) string {
		return "ERR CONFIG SET failed (possibly related to argument '" + name + "') - " + why
	}
	for _, c := range []struct {
		pairs []string
		want  string
	}{
		{[]string{"a", "b", "c"}, "ERR syntax error"},
		{[]string{"maxmemory", "x", "NoSuch", "1"}, "ERR Unknown option or number of arguments for CONFIG SET - 'NoSuch'"},
		{[]string{"maxmemory", "1.5gb"}, failed("maxmemory", "argument must be a memory value")},
		{[]string{"MAXMEMORY", "x"}, failed("maxmemory", "argument must be a memory value")},
		{[]string{"maxmemory", "1", "maxmemory", "2"}, failed("maxmemory", "duplicate parameter")},
		{[]string{"appendonly", "maybe"}, failed("appendonly", "argument must be 'yes' or 'no'")},
		{[]string{"databases", "3"}, failed("databases", "can't set immutable config")},
		{[]string{"dir", "/"}, failed("dir", "can't set protected config")},
		{[]string{"timeout", "05"}, failed("timeout", "argument couldn't be parsed into an integer")},
		{[]string{"timeout", "-1"}, failed("timeout", "argument must be between 0 and 2147483647 inclusive")},
		{[]string{"hash-max-listpack-entries", "-1"}, failed("hash-max-listpack-entries", "argument must be between 0 and 9223372036854775807 inclusive")},
		{[]string{"appendfsync", "no!"}, failed("appendfsync", "argument(s) must be one of the following: everysec, always, no")},
		{[]string{"notify-keyspace-events", "q"}, failed("notify-keyspace-events", "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")},
		{[]string{"save", "a b"}, failed("save", "Invalid save parameters")},
		{[]string{"save", "1"}, failed("save", "Invalid save parameters")},
		{[]string{"client-output-buffer-limit", "foo 1 2 3"}, failed("client-output-buffer-limit", "Invalid client class specified in buffer limit configuration.")},
	} {
		if err := s.Set(c.pairs...); err == nil || err.Error() != c.want {
			t.Errorf("%q: %v\nwant %s", c.pairs, err, c.want)
		}
	}
}

func TestConfigSetIsAllOrNothing(t *testing.T) {
	s := newSettings()
	var applied []string
	s.Register(
		Setting{Name: "first", Kind: Int, Default: "1", Apply: func(v string) error { applied = append(applied, v); return nil }},
		Setting{Name: "second", Kind: Int, Default: "1", Apply: func(string) error { return errors.New("no room") }},
	)
	if err := s.Set("first", "2", "timeout", "x"); err == nil || s.Int("first") != 1 || len(applied) != 0 {
		t.Errorf("a value that cannot be read: %v, first is %d, applied %q", err, s.Int("first"), applied)
	}
	err := s.Set("first", "2", "second", "2")
	if err == nil || !strings.HasSuffix(err.Error(), "'second') - no room") {
		t.Errorf("a value that cannot be applied: %v", err)
	}
	if s.Int("first") != 1 || s.Int("second") != 1 || !slices.Equal(applied, []string{"2", "1"}) {
		t.Errorf("first %d, second %d, applied %q", s.Int("first"), s.Int("second"), applied)
	}
}

func TestAliasesShareAValue(t *testing.T) {
	s := newSettings()
	if err := s.Set("hash-max-listpack-entries", "7", "hash-max-ziplist-entries", "8"); err != nil {
		t.Fatal(err)
	}
	if a, b := s.Int("hash-max-listpack-entries"), s.Int("hash-max-ziplist-entries"); a != 8 || b != 8 {
		t.Errorf("%d and %d", a, b)
	}
}

func TestSettingsAreReadWhileTheyChange(t *testing.T) {
	s := newSettings()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				if n := s.Int("timeout"); n != 0 && n != 7 {
					t.Errorf("timeout is %d", n)
				}
				if err := s.Set("timeout", "7"); err != nil {
					t.Error(err)
				}
				s.Register(Setting{Name: "port", Kind: Int, Default: "6379"})
			}
		})
	}
	wg.Wait()
}

func TestReadingASettingDoesNotAllocate(t *testing.T) {
	s := newSettings()
	if n := testing.AllocsPerRun(100, func() { s.Int("hash-max-listpack-entries") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
