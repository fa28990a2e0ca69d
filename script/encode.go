package script

import (
	"fmt"
	"math"
	"reflect"
	"strconv"

	"github.com/redbud-go/redbud/internal/graph"
)

// encode writes a value of Go as an argument of a type, as package graph says that they travel. rest: each element is a word.
func encode(v any, t graph.Type, rest bool) ([]string, error) {
	if list, ok := v.([]string); ok && rest {
		return list, nil
	}
	x, err := plain(v, t, 0)
	if err != nil {
		return nil, err
	}
	if rest {
		list := x.([]any)
		words := make([]string, len(list))
		for i, e := range list {
			words[i] = e.(string)
		}
		return words, nil
	}
	word, err := encodeWord(x, t)
	return []string{word}, err
}

func encodeWord(x any, t graph.Type) (string, error) {
	if !t.Opt {
		switch x := x.(type) {
		case string:
			if t.Kind == graph.String {
				return x, nil
			}
		case int64:
			if t.Numeric() {
				return strconv.FormatInt(x, 10), nil
			}
		case float64:
			if t.Numeric() {
				return string(graph.AppendNumber(nil, x)), nil
			}
		case bool:
			if t.Kind == graph.Bool {
				if x {
					return "1", nil
				}
				return "0", nil
			}
		}
	}
	text, err := graph.AppendJSON(nil, x)
	return string(text), err
}

// plain is a value of Go as nil, bool, int64, float64, string, []any or map[string]any, if it is of the type.
func plain(v any, t graph.Type, depth int) (any, error) {
	misfit := fmt.Errorf("a %T where %s is wanted", v, t)
	if b, ok := v.([]byte); ok {
		v = string(b)
	}
	r := reflect.ValueOf(v)
	for r.Kind() == reflect.Pointer && !r.IsNil() && depth <= graph.MaxNested {
		r, depth = r.Elem(), depth+1
	}
	for r.Kind() == reflect.Interface {
		r = r.Elem()
	}
	is := func(k ...graph.Kind) bool { return t.Kind == graph.Any || t.Is(k...) }
	switch {
	case depth > graph.MaxNested:
		return nil, fmt.Errorf("it is nested deeper than %d, or contains itself", graph.MaxNested)
	case !r.IsValid() || r.Kind() == reflect.Pointer:
		if t.Nullable() {
			return nil, nil
		}
		return nil, fmt.Errorf("nil where %s is wanted", t)
	case r.Kind() == reflect.Bool && is(graph.Bool):
		return r.Bool(), nil
	case r.CanInt() && is(graph.Int, graph.Number):
		return r.Int(), nil
	case r.CanUint() && is(graph.Int, graph.Number):
		if r.Uint() > math.MaxInt64 {
			return nil, fmt.Errorf("%d is beyond 64 bits with a sign", r.Uint())
		}
		return int64(r.Uint()), nil
	case (r.CanInt() || r.CanUint()) && is(graph.Float):
		return plainFloat(r)
	case r.CanFloat() && is(graph.Float, graph.Number):
		if math.IsNaN(r.Float()) {
			return nil, fmt.Errorf("NaN is no number")
		}
		return r.Float(), nil
	case r.Kind() == reflect.String && is(graph.String):
		return r.String(), nil
	case r.Kind() == reflect.Slice && r.Type().Elem().Kind() == reflect.Uint8 && is(graph.String):
		return string(r.Bytes()), nil
	case (r.Kind() == reflect.Slice || r.Kind() == reflect.Array) && is(graph.List):
		list := make([]any, r.Len())
		for i := range list {
			x, err := plain(r.Index(i).Interface(), elemOf(t), depth+1)
			if err != nil {
				return nil, fmt.Errorf("element %d: %w", i, err)
			}
			list[i] = x
		}
		return list, nil
	case r.Kind() == reflect.Map && r.Type().Key().Kind() == reflect.String && is(graph.Map):
		m := make(map[string]any, r.Len())
		for it := r.MapRange(); it.Next(); {
			x, err := plain(it.Value().Interface(), elemOf(t), depth+1)
			if err != nil {
				return nil, fmt.Errorf("key %q: %w", it.Key().String(), err)
			}
			m[it.Key().String()] = x
		}
		return m, nil
	}
	return nil, misfit
}

func elemOf(t graph.Type) graph.Type {
	if t.Elem == nil {
		return graph.Type{}
	}
	return *t.Elem
}

// plainFloat is an integer as a float, if it is one exactly.
func plainFloat(r reflect.Value) (any, error) {
	f := 0.0
	if r.CanInt() {
		f = float64(r.Int())
	} else {
		f = float64(r.Uint())
	}
	if math.Abs(f) > graph.MaxExact {
		return nil, fmt.Errorf("an integer beyond 2^53-1 where a Float is wanted")
	}
	return f, nil
}
