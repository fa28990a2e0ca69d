// Where the order of members is rough: indexes have the beginning of those that are long, and a hash in place of the rest. Those with the
// same score and the same beginning are next to each other, but in any order; here they are put into that of their bytes. To find out
// which places they have, all members before them are read: that takes long, and happens where members of 736 bytes and more are met.

package sqlstore

import (
	"bytes"
	"errors"
	"slices"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// errUnsure ends a walk over members at one that is unsure.
var errUnsure = errors.New("unsure")

// unsure reports whether the order does not tell the place of a member among others.
func (k *zsetKey) unsure(member []byte) bool { return k.t.s.dialect.rough && len(member) >= nameStart }

// visitExactly is visit for what is left after n members. The arguments end with how many they are, and after how many others.
func (k *zsetKey) visitExactly(q *reading, args []Value, n int64, f func(member []byte, score float64) bool) error {
	limit, skip := args[len(args)-2].Int-n, args[len(args)-1].Int
	if !q.back {
		skip += n
	}
	found, err := k.exactly(q, args[:len(args)-2], limit, skip)
	if q.back {
		slices.Reverse(found)
	}
	for _, s := range found {
		if !f(s.Member, s.Score) {
			break
		}
	}
	return err
}

// exactly returns members in the exact order: so many, after so many others.
func (k *zsetKey) exactly(q *reading, args []Value, limit, skip int64) (found []keyspace.Scored, err error) {
	end := skip + limit
	var run []keyspace.Scored // of members with the same score and beginning
	place := int64(0)         // of the first of them
	settle := func() {
		slices.SortFunc(run, func(a, b keyspace.Scored) int {
			if q.down {
				a, b = b, a
			}
			return bytes.Compare(a.Member, b.Member)
		})
		found = append(found, run[min(max(skip-place, 0), int64(len(run))):min(max(end-place, 0), int64(len(run)))]...)
		place += int64(len(run))
		run = run[:0]
	}
	k.t.args = args
	_, err = k.t.run(q.all, args, func(_ int, r Row) error {
		member, score := r.Bytes(0), r.Float(1)
		if len(run) > 0 && (run[0].Score != score || !bytes.Equal(beginning(run[0].Member), beginning(member))) {
			if settle(); place >= end {
				return errEnough
			}
		}
		run = append(run, keyspace.Scored{Member: bytes.Clone(member), Score: score})
		return nil
	})
	if err == errEnough {
		err = nil
	}
	settle()
	return found, err
}

func beginning(name []byte) []byte { return name[:min(len(name), nameStart)] }

// removeExactly removes members: so many, after so many others.
func (k *zsetKey) removeExactly(q *reading, limit, skip int64) (int, error) {
	found, err := k.exactly(q, []Value{integer(k.m.collection)}, limit, skip)
	if err != nil {
		return 0, err
	}
	var names [][]byte
	for _, s := range found {
		names = append(names, s.Member)
	}
	return k.Remove(names)
}
