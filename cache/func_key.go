// Keys of a Func: text that is different for different keys.

package cache

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"time"
)

// keyText is the text that stands for a key, by FuncOptions.Key or as docs/cache.md says.
func (f *Func[K, V]) keyText(key K) (string, error) {
	if f.o.Key != nil {
		return f.o.Key(key), nil
	}
	v := reflect.ValueOf(&key).Elem()
	switch {
	case v.Kind() == reflect.String:
		return v.String(), nil
	case v.CanInt():
		return strconv.FormatInt(v.Int(), 10), nil
	case v.CanUint():
		return strconv.FormatUint(v.Uint(), 10), nil
	}
	text, err := appendKey(nil, v, 0)
	return string(text), err
}

// braced is the text between the braces that make a hash tag of it: with whatever follows, it stays on one node of a cluster. An empty tag would be
// none, and is one that begins with a NUL; so that nothing else is, what begins with a NUL gets one more.
func braced(text string) string {
	if text == "" || text[0] == '}' || text[0] == 0 {
		text = "\x00" + text
	}
	return "{" + text + "}"
}

// maxKeyDepth is how deep a key is nested. One that contains itself is deeper.
const maxKeyDepth = 100

// timeType is compared as an instant and a zone: its own fields have the reading of a clock in them.
var timeType = reflect.TypeFor[time.Time]()

// appendKey appends a value so that no other value of its type has the same bytes, nor any of which these are the beginning.
func appendKey(dst []byte, v reflect.Value, depth int) (_ []byte, err error) {
	if depth > maxKeyDepth {
		return dst, fmt.Errorf("%w: it is nested deeper than %d, or contains itself", ErrKey, maxKeyDepth)
	}
	switch k := v.Kind(); {
	case v.Type() == timeType:
		if !v.CanInterface() {
			return dst, fmt.Errorf("%w: a time in a field that is not exported: FuncOptions.Key has to write it", ErrKey)
		}
		t := v.Interface().(time.Time)
		zone, offset := t.Zone()
		return appendText(fmt.Appendf(dst, "t%d.%d.%d.", t.Unix(), t.Nanosecond(), offset), zone), nil
	case k == reflect.Bool:
		return strconv.AppendBool(dst, v.Bool()), nil
	case v.CanInt():
		return append(strconv.AppendInt(dst, v.Int(), 10), ';'), nil
	case v.CanUint():
		return append(strconv.AppendUint(dst, v.Uint(), 10), ';'), nil
	case v.CanFloat():
		return appendFloat(dst, v.Float()), nil
	case v.CanComplex():
		return appendFloat(appendFloat(dst, real(v.Complex())), imag(v.Complex())), nil
	case k == reflect.String:
		return appendText(dst, v.String()), nil
	case (k == reflect.Slice || k == reflect.Map || k == reflect.Pointer || k == reflect.Interface) && v.IsNil():
		return append(dst, 'n'), nil
	case k == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8:
		return appendText(append(dst, 'b'), string(v.Bytes())), nil
	case k == reflect.Slice || k == reflect.Array:
		dst = append(strconv.AppendInt(append(dst, 'l'), int64(v.Len()), 10), ':')
		for i := range v.Len() {
			if dst, err = appendKey(dst, v.Index(i), depth+1); err != nil {
				return dst, err
			}
		}
		return dst, nil
	case k == reflect.Map:
		return appendMap(dst, v, depth)
	case k == reflect.Struct:
		for i := range v.NumField() {
			if dst, err = appendKey(dst, v.Field(i), depth+1); err != nil {
				return dst, err
			}
		}
		return dst, nil
	case k == reflect.Pointer:
		return appendKey(append(dst, 'p'), v.Elem(), depth+1)
	case k == reflect.Interface: // the type tells 1 from "1"
		return appendKey(appendText(append(dst, 'i'), typeName(v.Elem().Type())), v.Elem(), depth+1)
	}
	return dst, fmt.Errorf("%w: a %s has no text: FuncOptions.Key has to write it", ErrKey, v.Type())
}

// typeName is the name of a type with the whole path of its package.
func typeName(t reflect.Type) string {
	if t.Name() != "" {
		return t.PkgPath() + "." + t.Name()
	}
	switch t.Kind() {
	case reflect.Pointer:
		return "*" + typeName(t.Elem())
	case reflect.Slice:
		return "[]" + typeName(t.Elem())
	case reflect.Array:
		return fmt.Sprintf("[%d]%s", t.Len(), typeName(t.Elem()))
	case reflect.Map:
		return "map[" + typeName(t.Key()) + "]" + typeName(t.Elem())
	}
	return t.String()
}

// appendText appends a text behind its length.
func appendText(dst []byte, s string) []byte {
	return append(append(strconv.AppendInt(dst, int64(len(s)), 10), ':'), s...)
}

// appendFloat appends the bits of a number. What is equal has the same ones: 0 and -0; and all that are not numbers are one.
func appendFloat(dst []byte, x float64) []byte {
	switch {
	case x == 0:
		x = 0
	case x != x:
		x = math.NaN()
	}
	return binary.BigEndian.AppendUint64(dst, math.Float64bits(x))
}

// appendMap appends a map in the order of the bytes of its keys.
func appendMap(dst []byte, v reflect.Value, depth int) ([]byte, error) {
	var pairs []string
	for it := v.MapRange(); it.Next(); {
		key, err := appendKey(nil, it.Key(), depth+1)
		if err != nil {
			return dst, err
		}
		if key, err = appendKey(key, it.Value(), depth+1); err != nil {
			return dst, err
		}
		pairs = append(pairs, string(key))
	}
	slices.Sort(pairs) // no key begins another
	dst = append(strconv.AppendInt(append(dst, 'm'), int64(len(pairs)), 10), ':')
	for _, p := range pairs {
		dst = append(dst, p...)
	}
	return dst, nil
}
