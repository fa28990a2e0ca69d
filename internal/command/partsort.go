package command

import (
	"math/bits"
	"slices"
)

// sortPart sorts s as far as it takes for s[from:to] to be what it would be if all of s were sorted. Elements that compare
// equal end up where Redis puts them: in their order if all is sorted, else where a quicksort happens to.
func sortPart[E any](s []E, from, to int, compare func(a, b E) int) {
	switch {
	case from >= to:
	case from == 0 && to == len(s):
		slices.SortStableFunc(s, compare)
	default:
		quickSort(s, from, to, 3*bits.Len(uint(len(s))), compare)
	}
}

// quickSort is that of Bentley and McIlroy ("Engineering a Sort Function", 1993), which leaves out the parts that nobody
// asks for. It gives up at a depth that only elements chosen to make it slow lead to.
func quickSort[E any](s []E, from, to, depth int, compare func(a, b E) int) {
	for ; depth > 0; depth-- {
		n := len(s)
		if n < 7 {
			insertionSort(s, compare)
			return
		}
		p := pivot(s, compare)
		s[0], s[p] = s[p], s[0]
		below, above := partition(s, compare)
		if below > 1 && from < below && to > 0 {
			quickSort(s[:below], from, to, depth-1, compare)
		}
		first := n - above
		if above <= 1 || to <= first {
			return
		}
		s, from, to = s[first:], from-first, to-first
		if from >= above {
			return
		}
	}
	slices.SortStableFunc(s, compare)
}

func insertionSort[E any](s []E, compare func(a, b E) int) {
	for i := 1; i < len(s); i++ {
		for j := i; j > 0 && compare(s[j-1], s[j]) > 0; j-- {
			s[j-1], s[j] = s[j], s[j-1]
		}
	}
}

// pivot chooses an element that is likely near the middle.
func pivot[E any](s []E, compare func(a, b E) int) int {
	median := func(a, b, c int) int {
		if compare(s[a], s[b]) < 0 {
			switch {
			case compare(s[b], s[c]) < 0:
				return b
			case compare(s[a], s[c]) < 0:
				return c
			}
			return a
		}
		switch {
		case compare(s[b], s[c]) > 0:
			return b
		case compare(s[a], s[c]) < 0:
			return a
		}
		return c
	}
	n := len(s)
	low, middle, high := 0, n/2, n-1
	if n > 40 {
		d := n / 8
		low = median(low, low+d, low+2*d)
		middle = median(middle-d, middle, middle+d)
		high = median(high-2*d, high-d, high)
	}
	if n > 7 {
		middle = median(low, middle, high)
	}
	return middle
}

// partition brings what is less than s[0] to the front and what is greater to the back, and returns how many there are of
// each.
func partition[E any](s []E, compare func(a, b E) int) (below, above int) {
	n := len(s)
	// Until the end, s[:a] and s[d+1:] equal the pivot, s[a:b] is less, s[c+1:d+1] greater.
	a, b := 1, 1
	c, d := n-1, n-1
	for {
		for b <= c {
			r := compare(s[b], s[0])
			if r > 0 {
				break
			}
			if r == 0 {
				s[a], s[b] = s[b], s[a]
				a++
			}
			b++
		}
		for b <= c {
			r := compare(s[c], s[0])
			if r < 0 {
				break
			}
			if r == 0 {
				s[c], s[d] = s[d], s[c]
				d--
			}
			c--
		}
		if b > c {
			break
		}
		s[b], s[c] = s[c], s[b]
		b++
		c--
	}
	below, above = b-a, d-c
	swapEnds(s[:b], min(a, below))
	swapEnds(s[b:], min(above, n-1-d))
	return below, above
}

// swapEnds exchanges the first n elements with the last n.
func swapEnds[E any](s []E, n int) {
	for i := range n {
		j := len(s) - n + i
		s[i], s[j] = s[j], s[i]
	}
}
