package codec

// Slices, arrays, maps, sets and pointers as MessagePack.
//
// A slice of structs holds their fingerprint once: it comes first, and the structs follow without.

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/tinylib/msgp/msgp"
)

func (a *planner) slice(p *plan, t reflect.Type) error {
	elem, err := a.plan(t.Elem())
	p.mayBeNil = true
	p.append = func(dst []byte, v reflect.Value, depth int) ([]byte, error) {
		if v.IsNil() {
			return msgp.AppendNil(dst), nil
		}
		return elem.appendAll(dst, v, depth)
	}
	p.decode = func(d *decoder, v reflect.Value) error {
		if d.isNil() {
			return nil
		}
		return elem.decodeAll(d, func(n int) (reflect.Value, error) {
			if n == 0 {
				v.Set(reflect.MakeSlice(t, 0, 0))
				return v, nil
			}
			v.Grow(n) // one allocation less than MakeSlice
			v.SetLen(n)
			return v, nil
		})
	}
	return err
}

func (a *planner) array(p *plan, t reflect.Type) error {
	elem, err := a.plan(t.Elem())
	p.append = elem.appendAll
	p.decode = func(d *decoder, v reflect.Value) error {
		return elem.decodeAll(d, func(n int) (reflect.Value, error) {
			if n != t.Len() {
				return v, fmt.Errorf("%w: %d elements for %s", ErrType, n, t)
			}
			return v, nil
		})
	}
	p.isZero = func(v reflect.Value) bool {
		for i := range v.Len() {
			if !elem.isZero(v.Index(i)) {
				return false
			}
		}
		return true
	}
	// A slice of arrays may be as long as the data has bytes for all their elements.
	p.least = 1 + min(t.Len(), 1<<30/elem.least)*elem.least
	return err
}

// appendAll appends the elements of v, whose plan elem is.
func (elem *plan) appendAll(dst []byte, v reflect.Value, depth int) (_ []byte, err error) {
	n := v.Len()
	if depth == 0 {
		return dst, errTooDeep
	}
	if !fits(n + 1) {
		return dst, errTooLong
	}
	s := elem.structure
	if s == nil || s.asMaps || n == 0 {
		dst = msgp.AppendArrayHeader(dst, uint32(n))
		for i := range n {
			if dst, err = elem.append(dst, v.Index(i), depth-1); err != nil {
				return dst, err
			}
		}
		return dst, nil
	}
	dst = msgp.AppendArrayHeader(dst, uint32(n+1))
	dst = appendFingerprint(dst, s.fingerprint)
	for i := range n {
		at := v.Index(i)
		if at.Kind() == reflect.Pointer {
			if at.IsNil() {
				dst = msgp.AppendNil(dst)
				continue
			}
			at = at.Elem()
		}
		if dst, err = s.appendBare(dst, at, depth-1); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// decodeAll reads elements into the value that makeRoom returns for their number.
func (elem *plan) decodeAll(d *decoder, makeRoom func(n int) (reflect.Value, error)) error {
	promised, err := d.array()
	if err != nil {
		return err
	}
	s := elem.structure
	var bare *version
	if s != nil && promised > 0 && isUint(d.rest) {
		if bare, err = s.readVersion(d); err != nil {
			return err
		}
		promised--
	}
	n, err := d.claim(promised, elem.least)
	if err != nil {
		return err
	}
	v, err := makeRoom(n)
	if err != nil {
		return err
	}
	for i := range n {
		d.release(elem.least)
		at := v.Index(i)
		if bare == nil {
			err = elem.decode(d, at)
		} else {
			err = s.decodeElement(d, at, bare)
		}
		if err != nil {
			return err
		}
	}
	d.leave()
	return nil
}

// decodeElement reads a struct without a fingerprint, or a pointer to one.
func (s *structPlan) decodeElement(d *decoder, v reflect.Value, of *version) error {
	if v.Kind() == reflect.Pointer {
		if d.isNil() {
			return nil
		}
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	n, err := d.array()
	if err != nil {
		return err
	}
	return s.decodeBare(d, v, of, n)
}

func (a *planner) mapping(p *plan, t reflect.Type) error {
	key, err := a.plan(t.Key())
	if err != nil {
		return err
	}
	if err := comparesByValue(t.Key()); err != nil {
		return err
	}
	p.mayBeNil = true
	var elem *plan // nil for a set, which is an array of its members
	if value := t.Elem(); value.Kind() != reflect.Struct || value.NumField() > 0 {
		elem, err = a.plan(value)
	}
	p.append, p.decode = appendMap(key, elem), decodeMap(key, elem)
	return err
}

// comparesByValue refuses keys that would not be equal to themselves after they were read.
func comparesByValue(t reflect.Type) error {
	switch t.Kind() {
	case reflect.Interface, reflect.Pointer:
		return fmt.Errorf("a %s is no key that can be found again", t)
	case reflect.Array:
		return comparesByValue(t.Elem())
	case reflect.Struct:
		if own, _ := ownForm(new(plan), t); own {
			return nil
		}
		for i := range t.NumField() {
			if err := comparesByValue(t.Field(i).Type); err != nil {
				return err
			}
		}
	}
	return nil
}

func appendMap(key, elem *plan) func([]byte, reflect.Value, int) ([]byte, error) {
	header := msgp.AppendMapHeader
	if elem == nil {
		header = msgp.AppendArrayHeader
	}
	return func(dst []byte, v reflect.Value, depth int) (_ []byte, err error) {
		switch {
		case v.IsNil():
			return msgp.AppendNil(dst), nil
		case depth == 0:
			return dst, errTooDeep
		case !fits(v.Len()):
			return dst, errTooLong
		}
		dst = header(dst, uint32(v.Len()))
		k, e := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		for all := v.MapRange(); all.Next(); {
			k.SetIterKey(all)
			if dst, err = key.append(dst, k, depth-1); err != nil {
				return dst, err
			}
			if elem == nil {
				continue
			}
			e.SetIterValue(all)
			if dst, err = elem.append(dst, e, depth-1); err != nil {
				return dst, err
			}
		}
		return dst, nil
	}
}

var errTwice = errors.New("a key comes twice")

func decodeMap(key, elem *plan) func(*decoder, reflect.Value) error {
	header := (*decoder).array
	if elem != nil {
		header = (*decoder).mapping
	}
	return func(d *decoder, v reflect.Value) error {
		if d.isNil() {
			return nil
		}
		promised, err := header(d)
		if err != nil {
			return err
		}
		least := key.least
		if elem != nil {
			least += elem.least
		}
		n, err := d.claim(promised, least)
		if err != nil {
			return err
		}
		m := reflect.MakeMapWithSize(v.Type(), n)
		k, e := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		for range n {
			d.release(least)
			k.SetZero()
			e.SetZero()
			if err := key.decode(d, k); err != nil {
				return err
			}
			if elem != nil {
				if err := elem.decode(d, e); err != nil {
					return err
				}
			}
			m.SetMapIndex(k, e)
		}
		if m.Len() != n {
			return errTwice
		}
		d.leave()
		v.Set(m)
		return nil
	}
}

// A pointer is what it points at. If that may be nil itself, it is an array of one element, so that the two nils stay apart.
func (a *planner) pointer(p *plan, t reflect.Type) error {
	elem, err := a.plan(t.Elem())
	p.mayBeNil = true
	if t.Elem().Kind() == reflect.Struct {
		p.structure = elem.structure
	}
	p.append = func(dst []byte, v reflect.Value, depth int) ([]byte, error) {
		if v.IsNil() {
			return msgp.AppendNil(dst), nil
		}
		if depth == 0 {
			return dst, errTooDeep
		}
		if elem.mayBeNil {
			dst = msgp.AppendArrayHeader(dst, 1)
		}
		return elem.append(dst, v.Elem(), depth-1)
	}
	p.decode = func(d *decoder, v reflect.Value) error {
		if d.isNil() {
			return nil
		}
		if d.depth--; d.depth < 0 {
			return errTooDeep
		}
		if elem.mayBeNil {
			n, err := d.array()
			if err != nil {
				return err
			}
			if n != 1 {
				return fmt.Errorf("%w: %d elements for %s", ErrType, n, t)
			}
		}
		v.Set(reflect.New(t.Elem()))
		err := elem.decode(d, v.Elem())
		d.depth++
		return err
	}
	return err
}
