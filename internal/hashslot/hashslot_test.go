package hashslot_test

import (
	"testing"

	"github.com/redbud-go/redbud/internal/hashslot"
)

// TestCluster of engine/redis asks a real cluster besides.
func TestSlotsAreThoseOfRedis(t *testing.T) {
	const check = 0x31c3 // of 123456789, the specification's example
	for key, want := range map[string]int{
		"123456789": check, "{123456789}": check, "a{123456789}b": check, "{123456789}{x}": check, "}{123456789}": check, "{123456789}}": check,
		"": 0,
	} {
		if text, bytes := hashslot.Of(key), hashslot.Of([]byte(key)); text != want || bytes != want {
			t.Errorf("%q: %d and %d, not %d", key, text, bytes, want)
		}
	}
	for _, whole := range []string{"{}123456789", "{123456789", "123456789}", "}123456789{"} {
		if hashslot.Of(whole) == check {
			t.Errorf("%q has a tag", whole)
		}
	}
}
