package heap

import (
	"runtime"
	"testing"
)

func TestGaugeSeesWhatIsKept(t *testing.T) {
	const much, little = 64 << 20, 16 << 20
	var g Gauge
	if g.Exceeds(little, 0) {
		t.Error("at the first look the heap has grown")
	}
	if !g.Exceeds(little, much) {
		t.Error("what is about to be allocated does not count")
	}
	garbage := make([]byte, much)
	runtime.KeepAlive(garbage)
	if g.Exceeds(little, 0) {
		t.Error("garbage counts")
	}
	kept := make([]byte, much)
	if !g.Exceeds(little, 0) {
		t.Error("what is kept does not count")
	}
	runtime.KeepAlive(kept)
}
