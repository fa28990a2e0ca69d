package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redbud-go/redbud/internal/testenv"
)

// said runs a command on an engine and returns what it says.
func said(t *testing.T, args ...string) string {
	t.Helper()
	r := redbud(t, "", append([]string{"do"}, args...)...)
	if r.code != 0 {
		t.Fatalf("%q: %+v", args, r)
	}
	return r.out
}

// saved is a file that a real Redis wrote, with keys of all types in two databases, and what a digest of it is.
func saved(t *testing.T) (file, digest string) {
	t.Helper()
	dir := t.TempDir()
	url := testenv.Redis(t, "--dir", dir).URL()
	for _, line := range []string{
		"SET s text", "SET i 12345", "RPUSH l a b c", "SADD e 1 2 3", "SADD m x y", "HSET h f v g w", "ZADD z 1.5 a -inf b inf c",
		"XADD x 1-1 f v", "XADD x 2-1 f v", "XDEL x 1-1", "XGROUP CREATE x g 0", "XREADGROUP GROUP g alice STREAMS x >",
		"SET t v PXAT 33177117420000",
		"EVAL for\tj=0,9\tdo\tfor\ti=1,900\tdo\tredis.call('RPUSH','L',i)\tredis.call('HSET','H',i,j)\tredis.call('ZADD','Z',i/7,i)\tend\tend 0",
	} {
		call := strings.Fields(line)
		if call[0] == "EVAL" {
			_, script, _ := strings.Cut(line, " ")
			call = []string{"EVAL", strings.TrimSuffix(script, " 0"), "0"}
		}
		said(t, append([]string{url}, call...)...)
	}
	said(t, url, "EVAL", "redis.call('SELECT', 3) return redis.call('SET', 's', 'of another database')", "0")
	digest = said(t, url, "DEBUG", "DIGEST")
	said(t, url, "DEBUG", "SET-ACTIVE-EXPIRE", "0")
	said(t, url, "SET", "gone", "v", "PX", "1")
	said(t, url, "SAVE")
	return filepath.Join(dir, "dump.rdb"), digest
}

func TestDumpIsLoadedAsARedisWroteIt(t *testing.T) {
	file, digest := saved(t)
	s := testenv.Redis(t)
	said(t, s.URL(), "SADD", "s", "what is there")
	if got := said(t, "--load", file, s.URL()); got != "13 keys loaded, 1 had expired\n" {
		t.Errorf("it says %q", got)
	}
	if got := said(t, s.URL(), "DEBUG", "DIGEST"); got != digest {
		t.Errorf("the digest is %s, not %s", got, digest)
	}
	if got := said(t, s.URL(), "XPENDING", "x", "g"); !strings.Contains(got, "alice") {
		t.Errorf("the group is lost: %s", got)
	}
	if got := said(t, s.URL(), "EVAL", "redis.call('SELECT', 3) return redis.call('GET', 's')", "0"); got != "of another database\n" {
		t.Errorf("in the other database there is %q", got)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if r := redbud(t, string(b), "do", "--load", "-", "memory://"); r.code != 0 || r.out != "13 keys loaded, 1 had expired\n" {
		t.Errorf("from standard input: %+v", r)
	}
}

func TestDamagedDumpIsNotLoaded(t *testing.T) {
	file, _ := saved(t)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := testenv.Redis(t)
	flipped := append([]byte{}, whole...)
	flipped[len(flipped)-1] ^= 1
	bad := filepath.Join(t.TempDir(), "bad.rdb")
	for _, c := range []struct {
		what, text, want string
	}{
		{"cut off", string(whole[:len(whole)/2]), "at byte "},
		{"flipped", string(flipped), "the checksum is wrong"},
		{"another file", "not at all an RDB file", "this is no RDB file"},
		{"of the future", "REDIS0099" + string(whole[9:]), `version "0099"`},
		{"empty", "", "this is no RDB file"},
	} {
		if err := os.WriteFile(bad, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		r := redbud(t, "", "do", "--load", bad, s.URL())
		if r.code != 1 || r.out != "" || !strings.Contains(r.errors, c.want) || !strings.Contains(r.errors, "nothing was loaded") {
			t.Errorf("%s: %+v", c.what, r)
		}
		if got := said(t, s.URL(), "DBSIZE"); got != "0\n" {
			t.Errorf("%s: there are %s keys", c.what, got)
		}
	}
}
