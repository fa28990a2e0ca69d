package script

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/internal/graph"
)

// Result is what a run returned. Of a run that was queued it is there once the pipeline has been executed.
type Result struct {
	p     *Program
	cmd   *redis.Cmd // whose reply it is; nil: reply is it
	reply any
	err   error
}

// Err is the error of the run: an *Error if the program or a command in it failed, ErrInput, or go-redis's own. A result that is null is none.
func (r *Result) Err() error {
	_, err := r.Value()
	return err
}

// Value is the result: nil, bool, int64, float64, string, []any or map[string]any, whichever it is. Of the type Float it is always a
// float64; of Any and Number it is an int64 if it has no fraction and at most 53 bits.
func (r *Result) Value() (any, error) {
	if r.err != nil {
		return nil, r.err
	}
	reply := r.reply
	if r.cmd != nil {
		var err error
		if reply, err = r.cmd.Result(); err != nil && !errors.Is(err, redis.Nil) {
			return nil, r.p.failed(err)
		}
	}
	v, ok := decode(reply, r.p.checked.Result)
	if !ok {
		return nil, fmt.Errorf("script %s: a reply of Go type %T is none of a program that returns %s", r.p.Name(), reply, r.p.checked.Result)
	}
	return v, nil
}

// IsNull tells whether the run returned null.
func (r *Result) IsNull() bool {
	v, err := r.Value()
	return v == nil && err == nil
}

// Bool is a result that is a boolean. Null is the error redis.Nil here and in what follows.
func (r *Result) Bool() (v bool, err error) { return v, r.Scan(&v) }

// Int is a result that is an integer.
func (r *Result) Int() (v int64, err error) { return v, r.Scan(&v) }

// Float is a result that is a number.
func (r *Result) Float() (v float64, err error) { return v, r.Scan(&v) }

// Text is a result that is a string.
func (r *Result) Text() (v string, err error) { return v, r.Scan(&v) }

// Strings is a result that is a list of strings.
func (r *Result) Strings() (v []string, err error) { return v, r.Scan(&v) }

// Scan puts the result into what to points at: a boolean, an integer that is wide enough, a float, a string, a []byte, a slice or map of these,
// a pointer to one, which null makes nil, or an any.
func (r *Result) Scan(to any) error {
	v, err := r.Value()
	if err != nil {
		return err
	}
	dst := reflect.ValueOf(to)
	if dst.Kind() != reflect.Pointer || dst.IsNil() {
		return fmt.Errorf("script %s: Scan into a %T, which is no pointer", r.p.Name(), to)
	}
	if err := scan(v, dst.Elem()); err != nil {
		if errors.Is(err, redis.Nil) {
			return err
		}
		return fmt.Errorf("script %s: %w", r.p.Name(), err)
	}
	return nil
}

func scan(v any, dst reflect.Value) error {
	misfit := fmt.Errorf("a result of Go type %T does not fit a %s", v, dst.Type())
	switch k := dst.Kind(); {
	case k == reflect.Interface && dst.NumMethod() == 0:
		if v == nil {
			dst.SetZero()
		} else {
			dst.Set(reflect.ValueOf(v))
		}
		return nil
	case k == reflect.Pointer:
		if v == nil {
			dst.SetZero()
			return nil
		}
		p := reflect.New(dst.Type().Elem())
		if err := scan(v, p.Elem()); err != nil {
			return err
		}
		dst.Set(p)
		return nil
	case v == nil:
		return redis.Nil
	}
	switch v := v.(type) {
	case bool:
		if dst.Kind() != reflect.Bool {
			return misfit
		}
		dst.SetBool(v)
	case int64:
		switch {
		case dst.CanInt() && !dst.OverflowInt(v):
			dst.SetInt(v)
		case dst.CanUint() && v >= 0 && !dst.OverflowUint(uint64(v)):
			dst.SetUint(uint64(v))
		case dst.CanFloat() && v >= -graph.MaxExact && v <= graph.MaxExact:
			dst.SetFloat(float64(v))
		default:
			return misfit
		}
	case float64:
		switch {
		case dst.CanFloat():
			dst.SetFloat(v)
		case v == math.Trunc(v) && math.Abs(v) <= graph.MaxExact:
			return scan(int64(v), dst)
		default:
			return misfit
		}
	case string:
		switch {
		case dst.Kind() == reflect.String:
			dst.SetString(v)
		case dst.Kind() == reflect.Slice && dst.Type().Elem().Kind() == reflect.Uint8:
			dst.SetBytes([]byte(v))
		default:
			return misfit
		}
	case []any:
		if dst.Kind() != reflect.Slice {
			return misfit
		}
		list := reflect.MakeSlice(dst.Type(), len(v), len(v))
		for i, x := range v {
			if err := scan(x, list.Index(i)); err != nil {
				return err
			}
		}
		dst.Set(list)
	case map[string]any:
		if dst.Kind() != reflect.Map || dst.Type().Key().Kind() != reflect.String {
			return misfit
		}
		m := reflect.MakeMapWithSize(dst.Type(), len(v))
		for key, x := range v {
			value := reflect.New(dst.Type().Elem()).Elem()
			if err := scan(x, value); err != nil {
				return err
			}
			m.SetMapIndex(reflect.ValueOf(key).Convert(dst.Type().Key()), value)
		}
		dst.Set(m)
	}
	return nil
}

// decode reads a reply to a program that returns t, as package graph says that they travel. ok is false for what is none.
func decode(reply any, t graph.Type) (v any, ok bool) {
	switch reply := reply.(type) {
	case nil:
		return nil, t.Nullable()
	case int64:
		switch t.Kind {
		case graph.Bool:
			return reply != 0, reply == 0 || reply == 1
		case graph.Int:
			return reply, true
		}
	case string:
		return decodeText(reply, t)
	case []any:
		if t.Kind != graph.List || t.Elem.Kind != graph.String {
			return nil, false
		}
		for _, x := range reply {
			if _, ok := x.(string); !ok && (x != nil || !t.Elem.Opt) {
				return nil, false
			}
		}
		return reply, true
	}
	return nil, false
}

func decodeText(text string, t graph.Type) (any, bool) {
	switch t.Kind {
	case graph.String:
		return text, true
	case graph.Int:
		n, err := strconv.ParseInt(text, 10, 64)
		return n, err == nil
	case graph.Float:
		f, err := strconv.ParseFloat(text, 64)
		return f, err == nil
	case graph.Number:
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n, true
		}
		f, err := strconv.ParseFloat(text, 64)
		return f, err == nil
	case graph.Any, graph.List, graph.Map:
		v, err := graph.ParseJSON([]byte(text))
		return floats(v, t), err == nil
	}
	return nil, false
}

// floats makes float64s of the numbers whose type says so: JSON has one kind of number.
func floats(v any, t graph.Type) any {
	switch v := v.(type) {
	case int64:
		if t.Kind == graph.Float {
			return float64(v)
		}
	case []any:
		if t.Kind == graph.List {
			for i := range v {
				v[i] = floats(v[i], *t.Elem)
			}
		}
	case map[string]any:
		if t.Kind == graph.Map {
			for key := range v {
				v[key] = floats(v[key], *t.Elem)
			}
		}
	}
	return v
}
