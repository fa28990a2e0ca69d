package codec_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/redbud-go/redbud/cache/codec"
)

func TestURLsOfCodecs(t *testing.T) {
	for _, x := range []struct{ url, canonical string }{
		{"json://", "json://"},
		{"JSON://", "json://"},
		{"json://?", "json://"},
		{"noop://", "raw://"},
		{"null+zlib://", "raw+zlib://"},
		{"msgpack://?structs=array", "msgpack://"},
		{"msgpack://?structs=map", "msgpack://?structs=map"},
		{"msgpack+zstd://?level=3&min=512", "msgpack+zstd://?zstd.min=512"},
		{"json+zstandard://?compression-level=9", "json+zstd://?zstd.level=9"},
		{"json+zstandard://?zstandard.level=9", "json+zstd://?zstd.level=9"},
		{"json+zlib://?compression-level=-1", "json+zlib://"},
		{"json+zlib://?level=0", "json+zlib://?zlib.level=0"},
		{"msgpack+s2+zlib://?structs=map&max=1000&s2.max=2000&level=2", "msgpack+s2+zlib://?structs=map&s2.level=2&s2.max=2000&zlib.level=2&zlib.max=1000"},
		{"gob+s2://?min=0", "gob+s2://?s2.min=0"},
	} {
		c := open(t, x.url)
		if c.String() != x.canonical {
			t.Errorf("%s is %s, want %s", x.url, c, x.canonical)
		}
		if again := open(t, c.String()); again.String() != c.String() {
			t.Errorf("%s opened again is %s", c, again)
		}
	}
}

func TestBadURLsAreRefused(t *testing.T) {
	for url, says := range map[string]string{
		"":                                  "want codec+layer://",
		"json":                              "want codec+layer://",
		"json:":                             "want codec+layer://",
		"json:x":                            "want codec+layer://",
		"json://host":                       "want codec+layer://",
		"json:///path":                      "want codec+layer://",
		"json://user@":                      "want codec+layer://",
		"json://#part":                      "want codec+layer://",
		"json://?%zz":                       "invalid URL escape",
		"://":                               "missing protocol scheme",
		"js\x00on://":                       "invalid control character",
		"pickle://":                         `no "pickle", only gob, json, msgpack, raw, s2, zlib, zstd`,
		"json+://":                          `no ""`,
		"json+lz4://":                       `no "lz4"`,
		"zstd://":                           "needs a codec of values before it",
		"zlib+json://":                      "needs a codec of values before it",
		"json+msgpack://":                   "can only be the first",
		"json+zstd+zstandard://":            "twice",
		"json://?level=3":                   `no option "level", only none`,
		"msgpack+zstd://?lvl=3":             `no option "lvl", only compression-level, level, max, min, structs`,
		"msgpack+zstd://?json.level=3":      `no option "json.level"`,
		"msgpack+zstd://?msgpack.level=3":   `no option "msgpack.level"`,
		"msgpack+zstd://?level=0":           "from 1 to 22",
		"msgpack+zstd://?level=23":          "from 1 to 22",
		"msgpack+zstd://?level=fast":        "from 1 to 22",
		"msgpack+zstd://?level=":            "from 1 to 22",
		"msgpack+s2://?level=4":             "from 1 to 3",
		"msgpack+s2+zstd://?level=9":        "level of s2",
		"json+zlib://?level=10":             "from -1 to 9",
		"json+zlib://?compression-level=-2": "from -1 to 9",
		"json+zlib://?level=1&level=2":      "2 times",
		"json+zlib://?level=1&compression-level=2": "the same option",
		"json+zlib://?max=0":                       "from 1 to",
		"json+zlib://?min=-1":                      "from 0 to",
		"json+zlib://?max=99999999999999999999":    "from 1 to",
		"json+zlib://?max=10&min=11":               "above max",
		"msgpack://?structs=tuple":                 `"tuple" is none of array, map`,
	} {
		c, err := codec.Open(url)
		if c != nil || !errors.Is(err, codec.ErrOptions) || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v and %v, want %q", url, c, err, says)
		}
	}
}
