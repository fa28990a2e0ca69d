package memstore

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestPackedHoldsWhatASliceHolds(t *testing.T) {
	type field struct{ name, value string }
	lengths := rapid.OneOf(rapid.IntRange(0, 64), rapid.IntRange(126, 129), rapid.IntRange(16_382, 16_386))
	rapid.Check(t, func(t *rapid.T) {
		var p packed
		var want []field
		find := func(name string) int {
			return slices.IndexFunc(want, func(f field) bool { return f.name == name })
		}
		// offset is where the field at index i stands, or the end.
		offset := func(i int) int {
			return append(p.offsets(nil), len(p.buf))[i]
		}
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				var got []field
				p.each(func(name, value []byte) { got = append(got, field{string(name), string(value)}) })
				if p.n != len(want) || !slices.Equal(got, want) {
					t.Fatalf("%d fields counted, %d visited, want %d", p.n, len(got), len(want))
				}
				for i, f := range want {
					if name, value := p.nth(i); string(name) != f.name || string(value) != f.value {
						t.Fatalf("field %d is another", i)
					}
				}
			},
			"insert": func(t *rapid.T) {
				f := field{rapid.StringN(0, 4, -1).Draw(t, "name"), strings.Repeat("v", lengths.Draw(t, "length"))}
				off, _, _ := p.find([]byte(f.name))
				if (off >= 0) != (find(f.name) >= 0) {
					t.Fatalf("find %q: %d", f.name, off)
				}
				if off >= 0 {
					return
				}
				i := rapid.IntRange(0, len(want)).Draw(t, "at")
				p.insert(offset(i), []byte(f.name), []byte(f.value))
				want = slices.Insert(want, i, f)
			},
			"remove": func(t *rapid.T) {
				if len(want) == 0 {
					return
				}
				i := rapid.IntRange(0, len(want)-1).Draw(t, "at")
				off, next, value := p.find([]byte(want[i].name))
				if off != offset(i) || string(value) != want[i].value {
					t.Fatalf("find %q: %d, want %d", want[i].name, off, offset(i))
				}
				p.remove(off, next)
				want = slices.Delete(want, i, i+1)
			},
			"copy": func(t *rapid.T) {
				c := p.copy()
				clear(p.buf)
				p = c
			},
		})
	})
}
