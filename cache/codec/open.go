package codec

// A codec by URL: json://, msgpack+zstd://?level=3, gob+s2://.

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// part is what a word of the scheme stands for: a codec of values, or a layer behind one.
type part struct {
	options map[string]option
	codec   func(o settings) Codec // nil for a layer
	layer   func(name string, o settings) (Layer, error)
}

// option is a number between two others, or one of a few words.
type option struct {
	low, high int64
	words     []string // of which the first is the default
	preset    int64
	is        string // the option that this is another name of
}

// settings are the options of a part with their values: the number, or which of the words.
type settings map[string]int64

const megabyte = 1 << 20

// compressing is the part of a way to compress.
func compressing(level option, threshold int64, build func(level, max int) (format, error)) part {
	options := map[string]option{
		"level":             level,
		"compression-level": {is: "level"}, // what cachetory calls it
		"min":               {high: math.MaxInt32, preset: threshold},
		"max":               {low: 1, high: math.MaxInt32, preset: 512 * megabyte},
	}
	return part{
		options: options,
		layer: func(name string, o settings) (Layer, error) {
			if o["min"] > o["max"] {
				return nil, fmt.Errorf("%w: %s: min=%d is above max=%d", ErrOptions, name, o["min"], o["max"])
			}
			format, err := build(int(o["level"]), int(o["max"]))
			if err != nil {
				return nil, fmt.Errorf("%w: %s: %w", ErrOptions, name, err)
			}
			return &compressor{limits{int(o["min"]), int(o["max"])}, format, name + o.query(options)}, nil
		},
	}
}

// query is what of the settings is not preset, as a query.
func (o settings) query(options map[string]option) string {
	text := ""
	for _, key := range slices.Sorted(maps.Keys(o)) {
		if o[key] != options[key].preset {
			text += string("?&"[min(len(text), 1)]) + key + "=" + strconv.FormatInt(o[key], 10)
		}
	}
	return text
}

// parts by name.
var parts = map[string]part{
	"json": {codec: func(settings) Codec { return JSON() }},
	"gob":  {codec: func(settings) Codec { return Gob() }},
	"raw":  {codec: func(settings) Codec { return Raw() }},
	"msgpack": {
		codec:   func(o settings) Codec { return MessagePack(Structs(o["structs"])) },
		options: map[string]option{"structs": {words: []string{"array", "map"}}},
	},
	"zstd": compressing(option{low: 1, high: 22, preset: 3}, 0, newZstd),
	"zlib": compressing(option{low: -1, high: 9, preset: -1}, 0, newZlib),
	// No other program expects a block of s2 for every value, so small ones are spared.
	"s2": compressing(option{low: 1, high: 3, preset: 1}, 256, newS2),
}

// aliases are the names that cachetory has for them.
var aliases = map[string]string{"noop": "raw", "null": "raw", "zstandard": "zstd"}

// Open returns the codec that a URL describes.
//
// The words of the scheme are a codec of values and then any number of layers, joined by +, in the order in which they encode:
//
//	json, msgpack, gob, raw (also noop, null)
//	zstd (also zstandard), s2, zlib
//
// Options follow as a query. One goes to every part that knows it, or with the name of a part in front to that alone (zstd.level=3).
//
//	structs   how msgpack writes structs: array or map; default array
//	level     of zstd 1 to 22, default 3; of s2 1 to 3, default 1; of zlib -1 to 9, default -1, which is the format's (also compression-level)
//	min       bytes below which a value is stored uncompressed, as is any that would not shrink; 0 compresses all, as other programs
//	          expect of zstd and zlib; default 0, of s2 256
//	max       bytes of the largest value before compression, up to 2 GiB - 1; default 512 MiB
//
// Whatever min is and was, both kinds of values are read. zstd and zlib have checksums, so damage behind them is always seen; s2 has none.
// A URL with anything that is not known or out of range is ErrOptions.
func Open(rawURL string) (Codec, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	if u.Scheme == "" || u.Opaque != "" || u.User != nil || u.Host != "" || u.Path != "" || u.Fragment != "" || !strings.Contains(rawURL, "://") {
		return nil, fmt.Errorf("%w %q: want codec+layer://?option=value", ErrOptions, rawURL)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("%w %q: %w", ErrOptions, rawURL, err)
	}
	names := strings.Split(u.Scheme, "+")
	for i, name := range names {
		if alias, ok := aliases[name]; ok {
			names[i] = alias
		}
		p, ok := parts[names[i]]
		switch {
		case !ok:
			return nil, fmt.Errorf("%w %q: there is no %q, only %s", ErrOptions, rawURL, name, list(parts))
		case i == 0 && p.codec == nil:
			return nil, fmt.Errorf("%w %q: %s is a layer and needs a codec of values before it", ErrOptions, rawURL, name)
		case i > 0 && p.layer == nil:
			return nil, fmt.Errorf("%w %q: %s is a codec of values and can only be the first", ErrOptions, rawURL, name)
		case slices.Contains(names[:i], names[i]):
			return nil, fmt.Errorf("%w %q: %s comes twice", ErrOptions, rawURL, name)
		}
	}
	chosen, err := choose(names, query)
	if err != nil {
		return nil, fmt.Errorf("%w %q: %w", ErrOptions, rawURL, err)
	}
	c := parts[names[0]].codec(chosen[names[0]])
	for _, name := range names[1:] {
		layer, err := parts[name].layer(name, chosen[name])
		if err != nil {
			return nil, err
		}
		c = Chain(c, layer)
	}
	return c, nil
}

// choose returns the settings of each part.
func choose(names []string, query url.Values) (map[string]settings, error) {
	chosen := map[string]settings{}
	known := map[string]bool{}
	for _, name := range names {
		chosen[name] = settings{}
		for key, o := range parts[name].options {
			known[key] = true
			if o.is == "" {
				chosen[name][key] = o.preset
			}
		}
	}
	// What is said of one part alone comes last: it counts for that part, whatever is said of all.
	keys := slices.SortedFunc(maps.Keys(query), func(a, b string) int {
		return cmp.Or(cmp.Compare(strings.Count(a, "."), strings.Count(b, ".")), cmp.Compare(a, b))
	})
	given := map[string]string{} // by which key an option of a part was set, to see two names of one thing
	for _, key := range keys {
		if len(query[key]) != 1 {
			return nil, fmt.Errorf("%s is given %d times", key, len(query[key]))
		}
		only, plain, qualified := strings.Cut(key, ".")
		if !qualified {
			plain = key
		} else if alias, ok := aliases[only]; ok {
			only = alias
		}
		used := false
		for _, name := range names {
			o, ok := parts[name].options[plain]
			if !ok || qualified && name != only {
				continue
			}
			used = true
			target := plain
			if o.is != "" {
				target, o = o.is, parts[name].options[o.is]
			}
			slot := fmt.Sprint(name, ".", target, qualified)
			if before, twice := given[slot]; twice {
				return nil, fmt.Errorf("%s and %s are the same option", before, key)
			}
			given[slot] = key
			value, err := o.parse(query.Get(key))
			if err != nil {
				return nil, fmt.Errorf("%s of %s: %w", key, name, err)
			}
			chosen[name][target] = value
		}
		if !used {
			return nil, fmt.Errorf("there is no option %q, only %s", key, list(known))
		}
	}
	return chosen, nil
}

func (o option) parse(text string) (int64, error) {
	if o.words != nil {
		i := slices.Index(o.words, text)
		if i < 0 {
			return 0, fmt.Errorf("%q is none of %s", text, strings.Join(o.words, ", "))
		}
		return int64(i), nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < o.low || n > o.high {
		return 0, fmt.Errorf("%q is no whole number from %d to %d", text, o.low, o.high)
	}
	return n, nil
}

// list is the keys of a map for people.
func list[V any](m map[string]V) string {
	if len(m) == 0 {
		return "none"
	}
	return strings.Join(slices.Sorted(maps.Keys(m)), ", ")
}
