package codec

import "testing"

func TestHugeBuffersAreNotKept(t *testing.T) {
	var c chained
	for _, size := range []int{10, keepAtMost, keepAtMost + 1, 100 * keepAtMost} {
		c.giveBack(c.borrow(), make([]byte, size))
		if got := cap(*c.borrow()); got > keepAtMost {
			t.Errorf("a buffer of %d bytes is kept", got)
		}
	}
}
