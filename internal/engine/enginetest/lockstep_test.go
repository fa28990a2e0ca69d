package enginetest

import (
	"flag"
	"math/rand/v2"
	"testing"

	"github.com/redbud-go/redbud/internal/testenv"
)

var (
	seed  = flag.Uint64("seed", 0, "seed of the random calls; 0: another one each time")
	calls = flag.Int("calls", 120_000, "number of random calls")
)

func TestRandomCallsOnMemoryAnswerAsOnRedis(t *testing.T) {
	s := *seed
	if s == 0 {
		s = rand.Uint64N(1 << 32)
	}
	n := *calls
	if testing.Short() {
		n /= 10
	}
	Lockstep(t, openMemory(t), testenv.Redis(t).Addr, s, n)
}
