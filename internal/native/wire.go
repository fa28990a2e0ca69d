// Arguments and results on the wire.
package native

import (
	"github.com/redbud-go/redbud/internal/graph"
	"github.com/redbud-go/redbud/internal/resp"
)

// takeArgs reads the arguments, which travel as package graph says.
func (f *frame) takeArgs(args [][]byte) {
	g := f.p.graph
	fixed := len(g.Keys)
	many := fixed > 0 && g.Keys[fixed-1].Many
	if many {
		fixed--
	}
	switch {
	case many && len(f.keys) < fixed:
		panic(failf(graph.ErrManyKeys, len(f.keys), fixed))
	case !many && len(f.keys) != fixed:
		panic(failf(graph.ErrKeys, len(f.keys), fixed))
	}
	n := len(g.Args)
	rest := n > 0 && g.Rest(n-1)
	if rest {
		n--
	}
	if len(args) < n || len(args) > n && !rest {
		panic(failf(graph.ErrArgs, len(args), n))
	}
	for i, a := range args[:n] {
		f.args[i] = f.argument(a, g.Args[i].Type)
	}
	if rest {
		f.args[n] = f.listOf(args[n:])
	}
}

// listOf is a list of the texts of words, which stay as they are.
func (f *frame) listOf(words [][]byte) value {
	l := f.newList(len(words))
	for i, w := range words {
		l[i] = ofText(there(w))
	}
	return ofList(l)
}

func (f *frame) argument(a []byte, t graph.Type) value {
	if !t.Opt {
		switch t.Kind {
		case graph.String:
			return ofText(there(a))
		case graph.Int:
			return ofInt(toInt(ofText(there(a))))
		case graph.Float:
			return ofFloat(floatOf(a))
		case graph.Number:
			if n, ok := graph.ParseInteger(a); ok {
				return ofInt(n)
			}
			return ofFloat(floatOf(a))
		case graph.Bool:
			if len(a) != 1 || a[0] != '0' && a[0] != '1' {
				panic(failf(graph.ErrType, names[text], t))
			}
			return ofBool(a[0] == '1')
		}
	}
	v := f.parsed(a)
	f.must(v, t, 0)
	return v
}

// arrays are the types of results that are arrays on the wire.
var arrays = []graph.Type{graph.ListOf(graph.Of(graph.String)), graph.ListOf(graph.Of(graph.String).Optional())}

// writeResult writes the result as its type wants it: nil, 1 and 0, an integer or its digits, the text of a number, a string, an array
// of strings and nils, or else JSON.
func (f *frame) writeResult(w *resp.Writer) {
	v, t := f.result, f.p.graph.Result
	switch {
	case t.Kind == graph.Null || t.Opt && v.kind == null:
		w.Null()
	case t.Kind == graph.Bool:
		w.Int(v.n)
	case t.Kind == graph.Int && !beyond(v.n):
		w.Int(v.n)
	case t.Numeric():
		f.scratch = v.appendText(f.scratch[:0], "")
		w.Bulk(f.scratch)
	case t.Kind == graph.String:
		w.Bulk(v.s)
	case t.Required().Equal(arrays[0]), t.Required().Equal(arrays[1]):
		w.Array(len(v.list()))
		for _, e := range v.list() {
			w.BulkOrNull(e.s)
		}
	default:
		f.scratch = f.appendJSON(f.scratch[:0], v, 0)
		w.Bulk(f.scratch)
	}
}

// writeTrace writes the reply of a traced run: what it told, and then how it ended.
func (f *frame) writeTrace(w *resp.Writer, end func()) {
	told := []byte{'['}
	for i, r := range f.trace {
		if i > 0 {
			told = append(told, ',')
		}
		told = append(appendInt(append(told, '['), int64(r.n)), ',')
		told = append(append(told, r.json...), ']')
	}
	w.Array(3)
	w.Bulk(append(told, ']'))
	end()
}
