package memstore

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/redbud-go/redbud/internal/keyspace"
	"pgregory.net/rapid"
)

func valuesOf(l *list) (all, back []string) {
	if l.n == 0 {
		return nil, nil
	}
	l.visit(0, l.n-1, func(v []byte) bool { all = append(all, string(v)); return true })
	l.visitBack(0, l.n-1, func(v []byte) bool { back = append(back, string(v)); return true })
	slices.Reverse(back)
	return all, back
}

// checkChunks asks for what must be true of a list's chunks.
func checkChunks(t interface{ Fatalf(string, ...any) }, l *list) {
	n := 0
	for _, c := range l.used() {
		if c.n <= 0 || c.head < 0 || c.tail > len(c.buf) || c.head >= c.tail {
			t.Fatalf("a chunk of %d values lies from %d to %d of %d", c.n, c.head, c.tail, len(c.buf))
		}
		n += c.n
	}
	if n != l.n {
		t.Fatalf("the chunks hold %d values, the list counts %d", n, l.n)
	}
	for i, c := range l.chunks[:cap(l.chunks)] {
		if (i < l.front || i >= len(l.chunks)) && c != nil {
			t.Fatalf("place %d of %d is out of use and keeps a chunk", i, len(l.chunks))
		}
	}
}

func TestListHoldsWhatASliceHolds(t *testing.T) {
	lengths := rapid.OneOf(rapid.IntRange(0, 20), rapid.IntRange(120, 135), rapid.IntRange(8170, 8200), rapid.IntRange(16_380, 16_390))
	rapid.Check(t, func(t *rapid.T) {
		var l list
		var want []string
		draw := func(t *rapid.T) string {
			if len(want) > 0 && rapid.Bool().Draw(t, "there") {
				return want[rapid.IntRange(0, len(want)-1).Draw(t, "which")]
			}
			return strings.Repeat(rapid.SampledFrom([]string{"a", "b"}).Draw(t, "of"), lengths.Draw(t, "length"))
		}
		push := func(t *rapid.T) {
			v, end := draw(t), keyspace.End(rapid.Bool().Draw(t, "right"))
			for range rapid.IntRange(1, 400).Draw(t, "times") {
				l.push(end, []byte(v))
				if end == keyspace.Right {
					want = append(want, v)
				} else {
					want = append([]string{v}, want...)
				}
				if len(v) > 1000 && len(want) > 20 {
					return
				}
			}
		}
		cut := func(end keyspace.End, n int) (gone []string) {
			if end == keyspace.Left {
				gone, want = want[:n], slices.Clone(want[n:])
				return gone
			}
			gone, want = slices.Clone(want[len(want)-n:]), want[:len(want)-n]
			slices.Reverse(gone)
			return gone
		}
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				checkChunks(t, &l)
				all, back := valuesOf(&l)
				if !slices.Equal(all, want) || !slices.Equal(back, want) {
					t.Fatalf("list of %d values is not what it should be, %d forwards and %d backwards", len(want), len(all), len(back))
				}
			},
			"push": push,
			"pop": func(t *rapid.T) {
				end := keyspace.End(rapid.Bool().Draw(t, "right"))
				for _, v := range cut(end, rapid.IntRange(0, len(want)).Draw(t, "n")) {
					l.pop(end, func(got []byte) {
						if string(got) != v {
							t.Fatalf("pop: got %d bytes, want %d", len(got), len(v))
						}
					})
				}
			},
			"cut": func(t *rapid.T) {
				end := keyspace.End(rapid.Bool().Draw(t, "right"))
				n := rapid.IntRange(0, len(want)).Draw(t, "n")
				cut(end, n)
				l.cut(end, n)
			},
			"set": func(t *rapid.T) {
				if len(want) == 0 {
					return
				}
				i, v := rapid.IntRange(0, len(want)-1).Draw(t, "index"), draw(t)
				want[i] = v
				l.set(i, []byte(v))
			},
			"insert": func(t *rapid.T) {
				pivot, v, after := draw(t), draw(t), rapid.Bool().Draw(t, "after")
				i := slices.Index(want, pivot)
				if l.insert(after, []byte(pivot), []byte(v)) != (i >= 0) {
					t.Fatalf("insert beside index %d", i)
				}
				if i >= 0 {
					want = slices.Insert(want, i+btoi(after), v)
				}
			},
			"remove": func(t *rapid.T) {
				v, most, back := draw(t), rapid.IntRange(1, 500).Draw(t, "most"), rapid.Bool().Draw(t, "back")
				if back {
					slices.Reverse(want)
				}
				n := 0
				want = slices.DeleteFunc(want, func(w string) bool {
					match := w == v && n < most
					n += btoi(match)
					return match
				})
				if back {
					slices.Reverse(want)
				}
				if got := l.remove([]byte(v), most, back); got != n {
					t.Fatalf("removed %d, want %d", got, n)
				}
			},
			"copy": func(t *rapid.T) {
				c := l.copy(nil).(*list)
				l.release(nil)
				l = *c
			},
		})
	})
}

func TestPoppedChunksAreLetGo(t *testing.T) {
	for _, end := range []keyspace.End{keyspace.Left, keyspace.Right} {
		var l list
		for i := range 100_000 {
			l.push(end, fmt.Append(nil, "value ", i))
		}
		for range 99_999 {
			l.pop(end, func([]byte) {})
		}
		checkChunks(t, &l)
	}
}

func TestQueueDoesNotGrow(t *testing.T) {
	var l list
	for i := range 1_000_000 {
		l.push(keyspace.Right, []byte("a job"))
		if i >= 5000 {
			l.pop(keyspace.Left, func([]byte) {})
		}
	}
	checkChunks(t, &l)
	if len(l.chunks) > 500 {
		t.Errorf("5000 values take %d places for chunks", len(l.chunks))
	}
}
