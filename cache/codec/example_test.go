package codec_test

import (
	"errors"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/redbud-go/redbud/cache/codec"
)

func Example() {
	c, err := codec.Open("msgpack+zstd://?level=3&min=512")
	if err != nil {
		log.Fatal(err)
	}
	type visit struct {
		Page string
		At   time.Time
		By   map[string]struct{}
	}
	data, err := c.Append(nil, visit{"/", time.Date(2026, 5, 1, 12, 0, 0, 5, time.FixedZone("", 7200)), map[string]struct{}{"ada": {}}})
	if err != nil {
		log.Fatal(err)
	}
	var v visit
	if err := c.Decode(data, &v); err != nil {
		log.Fatal(err)
	}
	fmt.Println(v.Page, v.At.Format(time.RFC3339Nano), v.By)
	// Output: / 2026-05-01T12:00:00.000000005+02:00 map[ada:{}]
}

// What other programs store is read, and they read what is stored here.
func Example_interoperable() {
	c, err := codec.Open("json://")
	if err != nil {
		log.Fatal(err)
	}
	data, err := c.Append(nil, map[string]int{"answer": 42})
	fmt.Println(string(data), err)
	// Output: {"answer":42} <nil>
}

func ExampleOpen_options() {
	_, err := codec.Open("msgpack+zstd://?levle=3")
	fmt.Println(errors.Is(err, codec.ErrOptions))
	fmt.Println(err)
	// Output:
	// true
	// bad codec URL "msgpack+zstd://?levle=3": there is no option "levle", only compression-level, level, max, min, structs
}

// Fields may come, go and change places; a value that would lose something is not read.
func ExampleMessagePack_versions() {
	type before struct{ Name, City string }
	type after struct {
		Age  int
		Name string
		_    string `msgpack:"City,removed"`
	}
	type forgetful struct{ Name string }

	c := codec.MessagePack(codec.AsArrays)
	data, err := c.Append(nil, before{"Ada", "London"})
	if err != nil {
		log.Fatal(err)
	}
	var a after
	fmt.Println(c.Decode(data, &a), a.Name)
	var f forgetful
	fmt.Println(errors.Is(c.Decode(data, &f), codec.ErrVersion), f.Name)
	// Output:
	// <nil> Ada
	// true
}

// upper is a layer, if a poor one: it stores text in capital letters.
type upper struct{}

func (upper) Append(dst, src []byte) ([]byte, error) {
	return append(dst, strings.ToUpper(string(src))...), nil
}
func (upper) Restore(dst, src []byte) ([]byte, error) {
	return append(dst, strings.ToLower(string(src))...), nil
}
func (upper) String() string { return "upper" }

func ExampleChain() {
	c := codec.Chain(codec.Raw(), upper{})
	data, err := c.Append(nil, "hello")
	fmt.Println(c, string(data), err)
	var v string
	fmt.Println(c.Decode(data, &v), v)
	// Output:
	// raw+upper:// HELLO <nil>
	// <nil> hello
}
