package memstore

import (
	"testing"

	"github.com/redbud-go/redbud/internal/keyspace"
	"github.com/redbud-go/redbud/internal/keyspace/storetest"
)

func TestMemoryKeepsTheContractOfStorage(t *testing.T) {
	storetest.Run(t, func(t *testing.T) keyspace.Store { return balanced{New(Options{Seed: 1}), t} })
}

// balanced is a store that weighs everything once more at its end.
type balanced struct {
	*Store
	t *testing.T
}

func (b balanced) Close() error {
	checkScale(b.t, b.Store)
	return b.Store.Close()
}

// checkScale fails unless what a store keeps sums of are sums.
func checkScale(t *testing.T, s *Store) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	heap := 0
	tables := []*table{}
	for _, o := range s.objects {
		if o == nil {
			continue
		}
		heap += o.heap()
		switch x := o.(type) {
		case *hash:
			tables = append(tables, x.dict)
		case *set:
			tables = append(tables, x.dict)
		case *zset:
			tables = append(tables, x.dict)
		case *list:
			room := 0
			for _, c := range x.used() {
				room += len(c.buf)
			}
			if room != x.room {
				t.Errorf("the chunks of a list take %d bytes, not %d", room, x.room)
			}
		case *stream:
			room, pending := 0, 0
			for _, r := range x.runs {
				room += cap(r.buf)
			}
			for _, g := range x.groups {
				pending += g.pending.n
			}
			if room != x.room || pending != x.pending {
				t.Errorf("the runs of a stream take %d bytes, not %d, and %d entries are pending, not %d", room, x.room, pending, x.pending)
			}
		}
	}
	if heap != s.heap {
		t.Errorf("collections take %d bytes, the scale shows %d", heap, s.heap)
	}
	for i := range s.dbs {
		tables = append(tables, &s.dbs[i].keys, &s.dbs[i].volatile, &s.dbs[i].fields)
	}
	for _, x := range tables {
		if x == nil {
			continue
		}
		slots := 0
		for i := 0; i < len(x.dir); i += 1 << (x.depth - x.dir[i].depth) {
			slots += len(x.dir[i].slots)
		}
		if slots != x.slots {
			t.Errorf("a table has %d slots, not %d", slots, x.slots)
		}
	}
}
