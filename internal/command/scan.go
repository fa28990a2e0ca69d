package command

import (
	"strconv"

	"github.com/redbud-go/redbud/internal/keyspace"
)

const errCursor = Refusal("ERR invalid cursor")

// scanOptions are the options of SCAN, HSCAN, SSCAN and ZSCAN.
type scanOptions struct {
	cursor  uint64
	count   int
	pattern []byte // nil: everything
	typ     []byte // SCAN alone; nil: every type
}

// scanArgs reads a cursor at argument i and the options behind it.
func (c *Ctx) scanArgs(i int) (o scanOptions, err error) {
	o.count = 10
	if o.cursor, err = strconv.ParseUint(string(c.Args[i]), 10, 64); err != nil {
		return o, errCursor
	}
	for i++; i < len(c.Args); i += 2 {
		more := i+1 < len(c.Args)
		switch {
		case more && c.is(i, "match"):
			o.pattern = c.Args[i+1]
			if len(o.pattern) == 1 && o.pattern[0] == '*' {
				o.pattern = nil
			}
		case more && c.is(i, "count"):
			n, err := c.integer(i + 1)
			if err != nil {
				return o, err
			}
			if n < 1 {
				return o, ErrSyntax
			}
			o.count = int(min(n, 1<<30))
		case more && c.is(i, "type") && c.Row.Name == "scan":
			o.typ = c.Args[i+1]
		default:
			return o, ErrSyntax
		}
	}
	return o, nil
}

func (o *scanOptions) wants(name []byte) bool { return o.pattern == nil || Match(o.pattern, name) }

// scanReply writes the reply of the SCAN family. scan visits elements and calls add for those to tell, which appends
// size replies each.
func (c *Ctx) scanReply(o *scanOptions, scan func(elements *int) (uint64, error)) error {
	// The cursor stands before the elements, and is known after them.
	mark := c.W.Len()
	n := 0
	next, err := scan(&n)
	if err != nil {
		return err
	}
	c.W.Insert(mark, n, (*writer).Array)
	c.num = strconv.AppendUint(c.num[:0], next, 10)
	c.W.Insert(mark, 2, func(w *writer, n int) {
		w.Array(n)
		w.Bulk(c.num)
	})
	return nil
}

// scanKeys is SCAN.
func scanKeys(c *Ctx) error {
	o, err := c.scanArgs(1)
	if err != nil {
		return err
	}
	return c.scanReply(&o, func(n *int) (uint64, error) {
		return c.Tx.Scan(o.cursor, o.count, func(key []byte, e keyspace.Entry) {
			if o.wants(key) && (o.typ == nil || equalFold(o.typ, e.Type.String())) {
				c.W.Bulk(key)
				*n++
			}
		})
	})
}
