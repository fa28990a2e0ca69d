package queue_test

import (
	"testing"

	"github.com/redbud-go/redbud/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }
