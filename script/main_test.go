package script_test

import (
	"testing"

	"github.com/redbud-go/redbud/internal/testenv"
	"github.com/redbud-go/redbud/script"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// compile compiles what build builds.
func compile(t *testing.T, build func(b *script.Builder)) *script.Program {
	t.Helper()
	b := script.New(t.Name())
	build(b)
	p, err := b.Compile()
	if err != nil {
		t.Fatal(err)
	}
	return p
}
