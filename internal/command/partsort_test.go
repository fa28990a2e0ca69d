package command

import (
	"cmp"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestSortPartIsThatPartOfAllSorted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.SampledFrom([]int{1, 5, 1000}).Draw(t, "most")
		s := rapid.SliceOfN(rapid.IntRange(0, most), 0, 300).Draw(t, "elements")
		from := rapid.IntRange(0, len(s)).Draw(t, "from")
		to := rapid.IntRange(from, len(s)).Draw(t, "to")
		want := slices.Sorted(slices.Values(s))
		sortPart(s, from, to, cmp.Compare[int])
		if !slices.Equal(s[from:to], want[from:to]) {
			t.Fatalf("%d to %d is %v, want %v", from, to, s[from:to], want[from:to])
		}
		if slices.Sort(s); !slices.Equal(s, want) {
			t.Fatal("elements are lost")
		}
	})
}

// An adversary answers comparisons so that quicksort always has the worst pivot (McIlroy, "A Killer Adversary for
// Quicksort", 1999).
func TestNoOrderOfElementsMakesSortPartQuadratic(t *testing.T) {
	const n = 20_000
	const gas = n // greater than whatever has a value
	values := make([]int, n)
	elements := make([]int, n)
	for i := range values {
		values[i], elements[i] = gas, i
	}
	solid, candidate, comparisons := 0, 0, 0
	sortPart(elements, 1, n, func(a, b int) int {
		comparisons++
		if values[a] == gas && values[b] == gas {
			freeze := b
			if a == candidate {
				freeze = a
			}
			values[freeze] = solid
			solid++
		}
		switch {
		case values[a] == gas:
			candidate = a
		case values[b] == gas:
			candidate = b
		}
		return cmp.Compare(values[a], values[b])
	})
	if !slices.IsSortedFunc(elements[1:], func(a, b int) int { return cmp.Compare(values[a], values[b]) }) {
		t.Error("not sorted")
	}
	if comparisons > 100*n {
		t.Errorf("%d comparisons for %d elements", comparisons, n)
	}
}
