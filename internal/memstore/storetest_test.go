package memstore

import (
	"testing"

	"github.com/redbud-go/redbud/internal/keyspace"
	"github.com/redbud-go/redbud/internal/keyspace/storetest"
)

func TestMemoryKeepsTheContractOfStorage(t *testing.T) {
	storetest.Run(t, func(*testing.T) keyspace.Store { return New(Options{Seed: 1}) })
}
