package codec_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/redbud-go/redbud/cache/codec"
)

type (
	color  uint8
	userID string
	id     [16]byte
	secret []byte
	point  struct{ X, Y float64 }
	base   struct {
		Version int
		Author  string
	}
	tree struct {
		Name  string
		Left  *tree
		Kids  []tree
		Links []*tree
		By    map[string]tree
	}
	celsius struct{ degrees int } // written by its methods
	all     struct {
		base
		Bool    bool
		Int     int
		I8      int8
		I16     int16
		I32     int32
		I64     int64
		Uint    uint
		U8      uint8
		U16     uint16
		U32     uint32
		U64     uint64
		F32     float32
		F64     float64
		Text    string
		Bytes   []byte
		Secret  secret
		ID      id
		Color   color
		User    userID
		Ints    []int
		Floats  [3]float64
		Colors  []color
		Map     map[string]int
		ByID    map[id]string
		ByPoint map[point]bool
		Set     map[string]struct{}
		IDs     map[id]struct{}
		Nested  point
		Points  []point
		Maybes  []*point
		Grid    [][]int
		Corners [2]point
		Maybe   *point
		MaybeN  *int
		Slot    *[]int
		Deep    **int
		Any     any
		When    time.Time
		Whens   []time.Time
		Took    time.Duration
		Int2    *big.Int
		Rat     big.Rat
		Float   *big.Float
		Addr    netip.Addr
		Degrees celsius
		Tree    tree
		Named   []struct{ A, B string }
		Nothing struct{}
	}
)

func (c celsius) MarshalText() ([]byte, error) { return []byte(strings.Repeat("°", c.degrees)), nil }
func (c *celsius) UnmarshalText(b []byte) error {
	c.degrees = strings.Count(string(b), "°")
	return nil
}

// drawAll draws a value of every type there is.
func drawAll(t *rapid.T) all {
	points := rapid.Custom(func(t *rapid.T) point { return point{rapid.Float64().Draw(t, "x"), rapid.Float64().Draw(t, "y")} })
	ids := rapid.Custom(func(t *rapid.T) (x id) {
		copy(x[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
		return x
	})
	times := rapid.Custom(func(t *rapid.T) time.Time {
		at := time.Unix(rapid.Int64Range(-1<<40, 1<<40).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns"))
		if rapid.Bool().Draw(t, "utc") {
			return at.UTC()
		}
		return at.In(time.FixedZone("", rapid.IntRange(-50_000, 50_000).Draw(t, "offset")))
	})
	ints := rapid.SliceOf(rapid.Int())
	float := big.NewFloat(0).SetPrec(200)
	if err := float.UnmarshalText([]byte(rapid.StringMatching(`-?[1-9][0-9]{0,40}\.[0-9]{1,40}`).Draw(t, "float"))); err != nil {
		t.Fatal(err)
	}
	number, ok := new(big.Int).SetString(rapid.StringMatching(`-?[1-9][0-9]{0,60}`).Draw(t, "number"), 10)
	if !ok {
		t.Fatal("no number")
	}
	v := all{
		base: base{rapid.Int().Draw(t, "version"), rapid.String().Draw(t, "author")},
		Bool: rapid.Bool().Draw(t, "bool"), Int: rapid.Int().Draw(t, "int"), I8: rapid.Int8().Draw(t, "i8"), I16: rapid.Int16().Draw(t, "i16"),
		I32: rapid.Int32().Draw(t, "i32"), I64: rapid.Int64().Draw(t, "i64"), Uint: rapid.Uint().Draw(t, "uint"), U8: rapid.Uint8().Draw(t, "u8"),
		U16: rapid.Uint16().Draw(t, "u16"), U32: rapid.Uint32().Draw(t, "u32"), U64: rapid.Uint64().Draw(t, "u64"),
		F32: rapid.Float32().Draw(t, "f32"), F64: rapid.Float64().Draw(t, "f64"), Text: rapid.String().Draw(t, "text"),
		Bytes: orNil(t, rapid.SliceOf(rapid.Byte())), Secret: orNil(t, rapid.SliceOf(rapid.Byte())), ID: ids.Draw(t, "id"),
		Color: color(rapid.Byte().Draw(t, "color")), User: userID(rapid.String().Draw(t, "user")), Ints: orNil(t, ints),
		Floats: [3]float64{1: rapid.Float64().Draw(t, "floats")}, Colors: []color{1, 0, 200}[:rapid.IntRange(0, 3).Draw(t, "colors")],
		Map: orNil(t, rapid.MapOf(rapid.String(), rapid.Int())), ByID: orNil(t, rapid.MapOf(ids, rapid.String())),
		ByPoint: orNil(t, rapid.MapOf(points, rapid.Bool())), Set: orNil(t, rapid.MapOf(rapid.String(), rapid.Just(struct{}{}))),
		IDs: orNil(t, rapid.MapOf(ids, rapid.Just(struct{}{}))), Nested: points.Draw(t, "nested"), Points: orNil(t, rapid.SliceOf(points)),
		Maybes: orNil(t, rapid.SliceOf(rapid.Ptr(points, true))), Grid: orNil(t, rapid.SliceOf(ints)),
		Corners: [2]point{points.Draw(t, "corner")}, Maybe: rapid.Ptr(points, true).Draw(t, "maybe"), MaybeN: rapid.Ptr(rapid.Int(), true).Draw(t, "maybe n"),
		Slot: rapid.Ptr(ints, true).Draw(t, "slot"), Deep: rapid.Ptr(rapid.Ptr(rapid.Int(), true), true).Draw(t, "deep"),
		Any: drawAny(t, 3), When: times.Draw(t, "when"), Whens: orNil(t, rapid.SliceOf(times)), Took: time.Duration(rapid.Int64().Draw(t, "took")),
		Int2: number, Float: float, Addr: netip.AddrFrom4([4]byte{10, 0, 0, rapid.Byte().Draw(t, "addr")}),
		Degrees: celsius{rapid.IntRange(0, 3).Draw(t, "degrees")},
		Tree:    tree{Name: "root", Kids: []tree{{Name: "kid"}, {}}, Left: &tree{Links: []*tree{nil, {Name: "far"}}}, By: map[string]tree{"x": {Name: "by"}}},
		Named:   []struct{ A, B string }{{"a", ""}, {"", "b"}},
	}
	v.Rat.SetFrac64(rapid.Int64().Draw(t, "over"), rapid.Int64Range(1, math.MaxInt64).Draw(t, "under"))
	return v
}

func orNil[T any](t *rapid.T, g *rapid.Generator[T]) T {
	var none T
	return rapid.OneOf(g, rapid.Just(none)).Draw(t, "or nil")
}

func drawAny(t *rapid.T, depth int) any {
	kinds := 8
	if depth == 0 {
		kinds = 6
	}
	switch rapid.IntRange(0, kinds).Draw(t, "kind") {
	case 0:
		return rapid.Bool().Draw(t, "any")
	case 1:
		return rapid.Int64().Draw(t, "any")
	case 2:
		return rapid.Uint64().Draw(t, "any")
	case 3:
		return rapid.Float64().Draw(t, "any")
	case 4:
		return rapid.String().Draw(t, "any")
	case 5:
		return rapid.SliceOf(rapid.Byte()).Draw(t, "any")
	case 7:
		list := []any{}
		for range rapid.IntRange(0, 3).Draw(t, "n") {
			list = append(list, drawAny(t, depth-1))
		}
		return list
	case 8:
		m := map[string]any{}
		for range rapid.IntRange(0, 3).Draw(t, "n") {
			m[rapid.String().Draw(t, "key")] = drawAny(t, depth-1)
		}
		return m
	}
	return nil
}

func TestWhatGoesInComesOut(t *testing.T) {
	for _, url := range []string{"msgpack://", "msgpack://?structs=map", "msgpack+zstd://?min=100", "msgpack+s2+zlib://"} {
		c := open(t, url)
		rapid.Check(t, func(t *rapid.T) {
			v := drawAll(t)
			got := all{Text: "left over", Map: map[string]int{"left": 1}, Maybe: &point{1, 2}}
			again(t, c, v, &got)
			if !reflect.DeepEqual(plainTimes(v), plainTimes(got)) {
				t.Errorf("in\n%+v\nout\n%+v", v, got)
			}
			if got.When.Format(time.RFC3339Nano) != v.When.Format(time.RFC3339Nano) || got.Float.Cmp(v.Float) != 0 || got.Float.Prec() != v.Float.Prec() {
				t.Errorf("%v and %v came out as %v and %v", v.When, v.Float, got.When, got.Float)
			}
		})
	}
}

// plainTimes makes what does not compare deeply comparable: times are compared by their text.
func plainTimes(v all) all {
	strip := func(at *time.Time) {
		_, offset := at.Zone()
		*at = at.UTC().Add(time.Duration(offset) * time.Second)
	}
	strip(&v.When)
	if v.Whens != nil {
		whens := make([]time.Time, len(v.Whens))
		copy(whens, v.Whens)
		for i := range whens {
			strip(&whens[i])
		}
		v.Whens = whens
	}
	v.Float = nil
	v.Rat = *new(big.Rat).Set(&v.Rat)
	return v
}

func TestEdgesComeOutAsTheyWent(t *testing.T) {
	c := open(t, "msgpack://")
	for _, v := range []any{
		int64(math.MinInt64), int64(math.MaxInt64), int64(-33), int64(-32), int64(127), int64(128), int64(200), int64(70000),
		uint64(math.MaxUint64), uint64(1 << 63), uint64(127), uint64(128), int8(-128), uint16(65535),
		math.Inf(1), math.Inf(-1), math.Copysign(0, -1), math.SmallestNonzeroFloat64, float32(math.MaxFloat32), float32(math.Inf(-1)),
		"", "\x00\xff not utf-8", strings.Repeat("long", 20000), []byte{}, []byte(nil), []int{}, []int(nil), map[string]int{}, map[string]int(nil),
		map[id]struct{}{}, map[id]struct{}(nil), [0]int{}, [3]bool{true}, true, false, color(7), userID("u"), time.Duration(-5),
		time.Time{}, time.Unix(0, 1).UTC(), time.Unix(1<<33, 0).UTC(), time.Unix(1<<34, 5).UTC(), time.Unix(-1, 0).UTC(), time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC),
		struct{}{}, []struct{}{{}, {}}, (*int)(nil), netip.MustParsePrefix("10.0.0.0/8"), point{}, []*point{nil}, [2]*point{{1, 2}, nil},
		[]any{nil, int64(5), uint64(5), "x", []byte("b"), []any{}, map[string]any{}}, map[string]any{"a": uint64(1 << 40)},
	} {
		to := reflect.New(reflect.TypeOf(v))
		again(t, c, v, to.Interface())
		if got := to.Elem().Interface(); !reflect.DeepEqual(got, v) {
			t.Errorf("%T %#v came out as %#v", v, v, got)
		}
	}
	for _, f := range []float64{math.NaN(), math.Copysign(0, -1)} {
		// At the end of a struct, where zeros are left out.
		var got struct{ Z struct{ F [1]float64 } }
		v := got
		v.Z.F[0] = f
		again(t, c, v, &got)
		if math.Float64bits(got.Z.F[0]) != math.Float64bits(f) {
			t.Errorf("%v came out as %v", f, got)
		}
		var narrow float32
		again(t, c, float32(f), &narrow)
		if math.Signbit(float64(narrow)) != math.Signbit(f) || (narrow != narrow) != (f != f) {
			t.Errorf("float32 %v came out as %v", f, narrow)
		}
	}
}

func TestNilsOfPointersStayApart(t *testing.T) {
	c := open(t, "msgpack://")
	var none *int
	for _, v := range []**int{nil, &none, ptr(ptr(5))} {
		got := ptr(ptr(1))
		again(t, c, v, &got)
		if !reflect.DeepEqual(got, v) {
			t.Errorf("%v came out as %v", v, got)
		}
	}
}

func TestATimeKeepsItsOffset(t *testing.T) {
	c := open(t, "msgpack://")
	for _, zone := range []*time.Location{time.FixedZone("CEST", 7200), time.FixedZone("odd", -12345), time.FixedZone("GMT", 0)} {
		v := time.Date(2026, 5, 1, 2, 3, 4, 987654321, zone)
		for _, to := range []any{new(time.Time), new(any)} {
			again(t, c, v, to)
			got, ok := reflect.ValueOf(to).Elem().Interface().(time.Time)
			if _, offset := got.Zone(); !ok || !got.Equal(v) || got.Format(time.RFC3339Nano) != v.Format(time.RFC3339Nano) || offset != zoneOffset(v) || got.Location() == time.UTC {
				t.Errorf("%v came out as %v", v, got)
			}
		}
	}
}

func zoneOffset(t time.Time) int {
	_, offset := t.Zone()
	return offset
}

func TestAnyIsOfItsWidestType(t *testing.T) {
	c := open(t, "msgpack://")
	for _, x := range []struct{ in, out any }{
		{int8(5), int64(5)}, {200, int64(200)}, {uint16(300), uint64(300)}, {uint64(math.MaxUint64), uint64(math.MaxUint64)}, {float32(1.5), 1.5},
		{"s", "s"}, {[]byte("b"), []byte("b")}, {[]string{"a"}, []any{"a"}}, {map[string]int{"a": 1}, map[string]any{"a": int64(1)}}, {nil, nil}, {true, true},
		{id{1}, append([]byte{1}, make([]byte, 15)...)},
	} {
		var got any = "left over"
		again(t, c, x.in, &got)
		if !reflect.DeepEqual(got, x.out) {
			t.Errorf("%T %v came out as %T %v", x.in, x.in, got, got)
		}
	}
}

func TestBytesAreThoseOfTheFormat(t *testing.T) {
	type small struct {
		B string
		A int `msgpack:"a"`
		C bool
	}
	for _, x := range []struct {
		url  string
		v    any
		want string
	}{
		{"msgpack://", nil, "c0"},
		{"msgpack://", 42, "2a"},
		{"msgpack://", -1, "ff"},
		{"msgpack://", uint8(200), "ccc8"},
		{"msgpack://", 200, "d100c8"},
		{"msgpack://", 1.5, "cb3ff8000000000000"},
		{"msgpack://", float32(1.5), "ca3fc00000"},
		{"msgpack://", "hi", "a26869"},
		{"msgpack://", []byte("hi"), "c4026869"},
		{"msgpack://", id{15: 1}, "c41000000000000000000000000000000001"},
		{"msgpack://", []int{1, 2}, "920102"},
		{"msgpack://", map[string]struct{}{"a": {}}, "91a161"},
		{"msgpack://", map[string]bool{"a": true}, "81a161c3"},
		{"msgpack://", big.NewRat(3, 4), "a3332f34"},
		{"msgpack://", time.Unix(1, 0).UTC(), "d6ff00000001"},
		{"msgpack://", time.Unix(1, 1).UTC(), "d7ff0000000400000001"},
		{"msgpack://", time.Unix(-1, 0).UTC(), "c70cff00000000ffffffffffffffff"},
		{"msgpack://", time.Unix(1, 2).In(time.FixedZone("", 3600)), "d81000000000000000010000000200000e10"},
		{"msgpack://", small{B: "b", A: 1, C: true}, "94ce@a162c301"},
		{"msgpack://", small{B: "b"}, "92ce@a162"},
		{"msgpack://", small{}, "91ce@"},
		{"msgpack://", []small{{B: "b"}, {}}, "93ce@91a16290"},
		{"msgpack://", []small{}, "90"},
		{"msgpack://?structs=map", small{B: "b", A: 1}, "83a142a162a143c2a16101"},
		{"msgpack://", ptr([]int(nil)), "91c0"},
	} {
		// The sum of the names' hashes: a change of it would make every stored struct another version.
		want := strings.ReplaceAll(x.want, "@", fingerprintOfSmall)
		b, err := open(t, x.url).Append([]byte("+"), x.v)
		if got := hex.EncodeToString(b[1:]); err != nil || got != want {
			t.Errorf("%s of %#v is %s and %v, want %s", x.url, x.v, got, err, want)
		}
	}
}

const fingerprintOfSmall = "a707ce28"

type (
	first  struct{ Name, City string }
	second struct { // reordered
		City string
		Name string
	}
	third struct { // three more
		Age  int
		City string
		Zip  string
		Name string
		Kids []first
	}
	fourth struct { // City is no longer
		Name string
		Age  int
		Zip  string
		Kids []first
		_    string `msgpack:"City,removed"`
	}
	fifth struct { // City is no longer, and nobody remembers
		Name string
	}
	sixth struct { // Name is something else
		Name int
		City string
	}
)

func TestFieldsComeAndGo(t *testing.T) {
	c := open(t, "msgpack://")
	old, later := first{"Ada", "London"}, third{36, "London", "W1", "Ada", []first{{"Byron", "x"}}}
	for _, x := range []struct {
		in, to any
		want   any
		err    error
	}{
		{old, new(second), second{"London", "Ada"}, nil},
		{old, new(third), third{City: "London", Name: "Ada"}, nil},
		{later, new(fourth), fourth{Name: "Ada", Age: 36, Zip: "W1", Kids: []first{{"Byron", "x"}}}, nil},
		{fourth{Name: "Ada", Zip: "W1"}, new(third), third{Name: "Ada", Zip: "W1"}, nil},
		{fourth{Name: "Ada", Zip: "W1"}, new(fourth), fourth{Name: "Ada", Zip: "W1"}, nil},
		{old, new(fifth), fifth{}, codec.ErrVersion},
		{later, new(first), first{}, codec.ErrVersion},
		{point{1, 2}, new(first), first{}, codec.ErrVersion},
		{old, new(sixth), sixth{}, codec.ErrType},
		{[]first{old, {}}, new([]*third), []*third{{City: "London", Name: "Ada"}, {}}, nil},
		{[]first{old, {}}, new([]fifth), []fifth(nil), codec.ErrVersion},
		{map[string]first{"a": old}, new(map[string]second), map[string]second{"a": {"London", "Ada"}}, nil},
	} {
		b, err := c.Append(nil, x.in)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // found, and remembered
			err = c.Decode(b, x.to)
			if got := reflect.ValueOf(x.to).Elem().Interface(); !errors.Is(err, x.err) || x.err != nil && !errors.Is(err, codec.ErrDecode) || !reflect.DeepEqual(got, x.want) {
				t.Errorf("%T %v read as %T: %+v and %v, want %+v and %v", x.in, x.in, x.want, got, err, x.want, x.err)
			}
		}
	}
}

// In maps the names say it all.
func TestFieldsOfMapsComeAndGo(t *testing.T) {
	c := open(t, "msgpack://?structs=map")
	var f fifth
	again(t, c, third{Name: "Ada", Kids: []first{{}}}, &f)
	if f.Name != "Ada" {
		t.Errorf("less: %+v", f)
	}
	var later third
	again(t, c, []first{{"Ada", "London"}}[0], &later)
	if later.Name != "Ada" || later.City != "London" {
		t.Errorf("more: %+v", later)
	}
	type optional struct {
		A int `msgpack:",omitzero"`
		B int `msgpack:"b,omitzero"`
	}
	if b, err := c.Append(nil, optional{B: 1}); err != nil || string(b) != "\x81\xa1b\x01" {
		t.Errorf("omitzero: %x and %v", b, err)
	}
	// Whichever way they are written, both are read.
	b, err := open(t, "msgpack://").Append(nil, []third{{Name: "Ada"}})
	var got []third
	if err == nil {
		err = c.Decode(b, &got)
	}
	if err != nil || len(got) != 1 || got[0].Name != "Ada" {
		t.Errorf("arrays read by the codec of maps: %+v and %v", got, err)
	}
	if b, err = c.Append(nil, []*third{{Name: "Ada"}, nil}); err == nil {
		err = open(t, "msgpack://").Decode(b, &got)
	}
	if !errors.Is(err, codec.ErrType) || got != nil {
		t.Errorf("nil for a struct: %+v and %v", got, err)
	}
}

// As many fields as the docs promise may be new, whichever they are, and no fewer are found in a wider struct by accident.
func TestAnyThreeFieldsMayBeNew(t *testing.T) {
	c := open(t, "msgpack://")
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[A-Z][a-z]{0,5}`), 5, 30, rapid.ID).Draw(t, "names")
		lacking := rapid.IntRange(0, 4).Draw(t, "lacking")
		structOf := func(names []string) reflect.Type {
			fields := make([]reflect.StructField, len(names))
			for i, name := range names {
				fields[i] = reflect.StructField{Name: name, Type: reflect.TypeFor[int]()}
			}
			return reflect.StructOf(fields)
		}
		old := reflect.New(structOf(names[lacking:])).Elem()
		for i := range old.NumField() {
			old.Field(i).SetInt(int64(i + 1))
		}
		b, err := c.Append(nil, old.Interface())
		if err != nil {
			t.Fatal(err)
		}
		to := reflect.New(structOf(rapid.Permutation(names).Draw(t, "order")))
		err = c.Decode(b, to.Interface())
		if lacking > 3 {
			if !errors.Is(err, codec.ErrVersion) {
				t.Fatalf("%d new fields: %v", lacking, err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		for i, name := range names {
			if got := to.Elem().FieldByName(name).Int(); got != int64(max(i-lacking+1, 0)) {
				t.Errorf("%s is %d", name, got)
			}
		}
	})
}

// How many fields may be new depends on how many there are.
func TestWideStructsMayGetFewerNewFields(t *testing.T) {
	c := open(t, "msgpack://")
	for _, x := range []struct {
		wide, lacking int
		readable      bool
	}{{31, 3, true}, {31, 4, false}, {32, 3, false}, {32, 2, true}, {99, 2, true}, {100, 2, false}, {100, 1, true}, {1000, 1, true}} {
		fields := make([]reflect.StructField, x.wide)
		for i := range fields {
			fields[i] = reflect.StructField{Name: fmt.Sprintf("F%d", i), Type: reflect.TypeFor[int]()}
		}
		old := reflect.New(reflect.StructOf(fields[x.lacking:])).Elem()
		last := fmt.Sprintf("F%d", x.wide-1)
		old.FieldByName(last).SetInt(7)
		b, err := c.Append(nil, old.Interface())
		if err != nil {
			t.Fatal(err)
		}
		to := reflect.New(reflect.StructOf(fields))
		err = c.Decode(b, to.Interface())
		if got := to.Elem().FieldByName(last).Int(); x.readable && (err != nil || got != 7) || !x.readable && !errors.Is(err, codec.ErrVersion) {
			t.Errorf("%d of %d fields are new: %d, %v", x.lacking, x.wide, got, err)
		}
	}
}

func TestMoreValuesThanFieldsAreRefused(t *testing.T) {
	c := open(t, "msgpack://")
	b, err := c.Append(nil, point{1, 2})
	if err != nil {
		t.Fatal(err)
	}
	b[0]++ // the length of the array
	var got point
	if err := c.Decode(append(b, 0xc0), &got); !errors.Is(err, codec.ErrType) || got != (point{}) {
		t.Errorf("%v, %v", got, err)
	}
}

// F10807 and F106130 have the same hash, so nobody can tell which of them a value lacks.
func TestAFingerprintOfTwoVersionsIsOfNone(t *testing.T) {
	type old struct {
		F10807, X int
	}
	type now struct {
		F10807, F106130, X int
	}
	c := open(t, "msgpack://")
	b, err := c.Append(nil, old{1, 2})
	if err != nil {
		t.Fatal(err)
	}
	if got := (now{}); !errors.Is(c.Decode(b, &got), codec.ErrVersion) {
		t.Errorf("read as %+v", got)
	}
	var got now
	if again(t, c, now{1, 2, 3}, &got); got != (now{1, 2, 3}) {
		t.Errorf("%+v", got)
	}
}

func TestLongAndWideValuesComeOut(t *testing.T) {
	c := open(t, "msgpack://")
	var list []any
	grid, byNumber, sets := make([][]int, 3000), map[int]map[string]point{}, make([]map[int]struct{}, 3000)
	for n := range 3000 {
		list = append(list, []any{}, map[string]any{"n": int64(n)})
		grid[n] = make([]int, n%3)
		sets[n] = map[int]struct{}{n: {}}
		byNumber[n] = map[string]point{"p": {Y: float64(n % 2)}}
	}
	pointers := make([]*int, 3000)
	for n := range pointers {
		pointers[n] = ptr(n)
	}
	for _, v := range []any{list, grid, byNumber, sets, pointers} {
		to := reflect.New(reflect.TypeOf(v))
		again(t, c, v, to.Interface())
		if !reflect.DeepEqual(to.Elem().Interface(), v) {
			t.Errorf("a %T came out as something else", v)
		}
	}
	// What is left out is not what the entry before had.
	points := map[int]point{}
	for n := range 100 {
		points[n] = point{X: float64(n % 2), Y: float64(n % 3 / 2)}
	}
	var got map[int]point
	again(t, c, points, &got)
	if !reflect.DeepEqual(got, points) {
		t.Errorf("%v came out as %v", points, got)
	}
}

// labels is a map that is written by its methods.
type labels map[string]bool

func (l labels) MarshalText() ([]byte, error) {
	return []byte(strings.Join(slices.Sorted(maps.Keys(l)), ",")), nil
}
func (l *labels) UnmarshalText(b []byte) error {
	*l = labels{}
	for name := range strings.SplitSeq(string(b), ",") {
		(*l)[name] = true
	}
	return nil
}

func TestMapsMayHaveAFormOfTheirOwn(t *testing.T) {
	c := open(t, "msgpack://")
	b, err := c.Append(nil, labels{"b": true, "a": true})
	if err != nil || string(b) != "\xa3a,b" {
		t.Errorf("%q, %v", b, err)
	}
	var got []labels
	again(t, c, []labels{{"a": true}, {"b": true, "c": true}}, &got)
	if !reflect.DeepEqual(got, []labels{{"a": true}, {"b": true, "c": true}}) {
		t.Errorf("%v", got)
	}
}

func TestAppendAllocatesNothing(t *testing.T) {
	for _, url := range []string{"msgpack://", "msgpack://?structs=map"} {
		c := open(t, url)
		buffer := make([]byte, 0, 1000)
		if n := testing.AllocsPerRun(100, func() {
			if _, err := c.Append(buffer, &aTen); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", url, n)
		}
	}
}

func TestWrongTypesAreErrors(t *testing.T) {
	c := open(t, "msgpack://")
	for _, x := range []struct{ in, to any }{
		{1, new(string)}, {1, new(float64)}, {1, new(bool)}, {1.5, new(int)}, {1.0, new(int)}, {"1", new(int)}, {"a", new([]byte)}, {[]byte("a"), new(string)},
		{300, new(int8)}, {300, new(uint8)}, {-1, new(uint)}, {uint64(math.MaxUint64), new(int64)}, {1e300, new(float32)}, {0.1, new(float32)},
		{nil, new(int)}, {nil, new(string)}, {nil, new(point)}, {nil, new(time.Time)}, {nil, new(id)}, {nil, new([2]int)},
		{[]byte("short"), new(id)}, {[]int{1}, new([2]int)}, {[]int{1}, new([0]int)}, {[]int{1}, new(map[string]int)}, {[]int{1}, new(point)},
		{map[string]int{"a": 1}, new([]int)}, {map[string]int{"a": 1}, new(map[int]int)}, {[]int{1}, new(map[string]struct{})},
		{1, new(time.Time)}, {time.Now(), new(int)}, {"x", new(point)}, {point{}, new(string)}, {[]string{"a"}, new([]int)}, {map[int]int{1: 1}, new(any)},
		{[]int{1, 2}, new(*[]int)},
	} {
		b, err := c.Append(nil, x.in)
		if err != nil {
			t.Fatal(err)
		}
		if err = c.Decode(b, x.to); !errors.Is(err, codec.ErrType) || !errors.Is(err, codec.ErrDecode) {
			t.Errorf("%T %v into %T: %v", x.in, x.in, x.to, err)
		}
		if !reflect.ValueOf(x.to).Elem().IsZero() {
			t.Errorf("%T %v into %T left a value", x.in, x.in, x.to)
		}
	}
}

func TestTypesWithoutFormAreRefused(t *testing.T) {
	type loop struct{ Next *loop }
	ring := &loop{}
	ring.Next = ring
	c := open(t, "msgpack://")
	for _, v := range []any{
		make(chan int), func() {}, 1i, uintptr(1), struct{ a int }{1}, struct{ E error }{}, map[any]int{}, map[*int]int{}, map[struct{ P *int }]int{},
		[]any{struct{}{}}, []any{[]string{"a"}}, map[string]any{"a": userID("x")}, struct{ X any }{make(chan int)},
		struct {
			time.Time
			N int
		}{},
		struct {
			A int `msgpack:"x"`
			B int `msgpack:"x"`
		}{},
		struct {
			A int `msgpack:"x,omitempty"`
		}{},
		struct {
			A int `msgpack:"x,removed"`
		}{},
		struct {
			base
			Version string
		}{},
		struct{ *base }{}, ring,
	} {
		b, err := c.Append([]byte("kept"), v)
		if !errors.Is(err, codec.ErrType) || errors.Is(err, codec.ErrDecode) || string(b) != "kept" {
			t.Errorf("%T: %q and %v", v, b, err)
		}
	}
	if err := c.Decode([]byte{0xc0}, new(chan int)); !errors.Is(err, codec.ErrType) {
		t.Errorf("into a channel: %v", err)
	}
}

func TestDamagedMessagesAreErrors(t *testing.T) {
	c := open(t, "msgpack://")
	for _, x := range []struct {
		data string
		to   any
	}{
		{"", new(any)}, {"c1", new(any)}, {"0101", new(int)}, {"c0c0", new(any)},
		{"ddffffffff", new([]int)}, {"ddffffffff", new(any)}, {"dfffffffff", new(any)}, {"dfffffffff", new(map[string]int)}, {"ddffffffff", new(map[int]struct{})},
		{"c6ffffffff", new([]byte)}, {"dbffffffff", new(string)}, {"82a16101a16102", new(map[string]int)}, {"82a16101a16102", new(any)}, {"920101", new(map[int]struct{})},
		{"d7ffffffffff00000000", new(time.Time)}, {"d4ff00", new(time.Time)}, {"c70cff", new(time.Time)}, {"c7", new(any)}, {"d40500", new(any)},
		{"90", new(point)}, {"91", new(point)}, {"9101", new(point)}, {"92ce", new(point)}, {"82a158cb3ff8000000000000a158cb3ff8000000000000", new(point)},
		{strings.Repeat("91", 5000) + "c0", new(any)}, {strings.Repeat("dd00001000", 900) + "c0", new(any)},
		{"a3782f79", new(big.Rat)}, {"a9" + hex.EncodeToString([]byte("1e1000000")), new(big.Rat)}, {"c401ff", new(netip.Addr)}, {"c401ff", new(big.Float)},
	} {
		data, err := hex.DecodeString(x.data)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Decode(data, x.to); !errors.Is(err, codec.ErrDecode) {
			t.Errorf("%.40s into %T: %v", x.data, x.to, err)
		}
	}
}

func TestDecodeWantsAPointer(t *testing.T) {
	for _, url := range []string{"json://", "msgpack://", "gob://", "raw://", "msgpack+zstd://"} {
		c := open(t, url)
		b, err := c.Append(nil, "x")
		if err != nil {
			t.Fatal(err)
		}
		for _, to := range []any{nil, 1, "x", (*int)(nil), (*string)(nil)} {
			if err := c.Decode(b, to); !errors.Is(err, codec.ErrType) || errors.Is(err, codec.ErrDecode) {
				t.Errorf("%s into %T: %v", url, to, err)
			}
		}
	}
}

func ptr[T any](v T) *T { return &v }
