package codec

// Structs as MessagePack.
//
// As an array: the fingerprint of the names, then the values in the order of the names, cut where only zero ones follow. The fingerprint is the
// sum of a hash of each name, so it does not depend on the order of declaration, and that of a struct with a few fields more or less is
// found by trying which of them to leave out.

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/cespare/xxhash/v2"
	"github.com/tinylib/msgp/msgp"
)

type structPlan struct {
	asMaps      bool
	fields      []field // by name
	fingerprint uint32

	every    []field        // with those that were removed, by name
	byName   map[string]int // where in fields
	present  version        // that of the fingerprint
	versions sync.Map       // the others: of fingerprint to *version; no more than search tries
}

type field struct {
	name     string
	index    []int // as in reflect.Value.FieldByIndex; nil if it was removed
	plan     *plan
	omitZero bool
	hash     uint32
}

// version is which fields the values of a fingerprint are: indexes in fields, or skipped.
type version []int

const skipped = -1

// tries bounds the versions that are compared with a fingerprint, and so the chance that one of an unrelated struct fits: one in 800,000.
const tries = 5000

func (a *planner) structure(p *plan, t reflect.Type) error {
	// Before anything else, since the types within may ask for it.
	s := &structPlan{asMaps: a.structs == AsMaps, byName: map[string]int{}}
	p.structure = s
	removed, err := a.collect(s, t, nil)
	if err != nil {
		return err
	}
	if len(s.fields) == 0 && t.NumField() > 0 {
		return fmt.Errorf("%s has no exported fields and no methods to write it", t)
	}
	byName := func(a, b field) int { return cmp.Compare(a.name, b.name) }
	slices.SortFunc(s.fields, byName)
	s.every = append(slices.Clone(s.fields), removed...)
	slices.SortFunc(s.every, byName)
	for i, f := range s.every {
		if i > 0 && f.name == s.every[i-1].name {
			return fmt.Errorf("%s has two fields named %q", t, f.name)
		}
	}
	for i, f := range s.fields {
		s.byName[f.name] = i
		s.fingerprint += f.hash
	}
	s.present = s.version(nil)
	p.append, p.decode = s.append, s.decode
	p.isZero = func(v reflect.Value) bool {
		// What is not exported is not written, so it does not count.
		for i := range s.fields {
			if f := &s.fields[i]; !f.plan.isZero(f.of(v)) {
				return false
			}
		}
		return true
	}
	return nil
}

// collect adds the fields of t, which lies at the index in the outermost struct, to s and returns those that were removed.
func (a *planner) collect(s *structPlan, t reflect.Type, at []int) (removed []field, err error) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("msgpack"), ",")
		if name == "-" && options == "" {
			continue
		}
		index := append(slices.Clone(at), i)
		made := field{name: cmp.Or(name, f.Name), index: index}
		gone := false
		for option := range strings.SplitSeq(options, ",") {
			switch {
			case option == "":
			case option == "omitzero":
				made.omitZero = true
			case option == "removed" && f.Name == "_" && name != "":
				gone = true
			default:
				return nil, fmt.Errorf("%s.%s: there is no option %q, only omitzero, and removed for blank fields with a name in the tag", t, f.Name, option)
			}
		}
		made.hash = uint32(xxhash.Sum64String(made.name))
		if gone {
			made.index = nil
			removed = append(removed, made)
			continue
		}
		if f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct {
			own, err := ownForm(new(plan), f.Type)
			if err != nil {
				return nil, err
			}
			if !own {
				more, err := a.collect(s, f.Type, index)
				if err != nil {
					return nil, err
				}
				removed = append(removed, more...)
				continue
			}
		}
		if !f.IsExported() {
			if f.Anonymous {
				return nil, fmt.Errorf("%s.%s is embedded and not exported: its fields cannot be set", t, f.Name)
			}
			continue
		}
		if made.plan, err = a.plan(f.Type); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		s.fields = append(s.fields, made)
	}
	return removed, nil
}

func (f *field) of(v reflect.Value) reflect.Value {
	if len(f.index) == 1 {
		return v.Field(f.index[0])
	}
	return v.FieldByIndex(f.index)
}

func (s *structPlan) append(dst []byte, v reflect.Value, depth int) ([]byte, error) {
	if s.asMaps {
		return s.appendMap(dst, v, depth)
	}
	n := s.used(v)
	dst = msgp.AppendArrayHeader(dst, uint32(n+1))
	dst = appendFingerprint(dst, s.fingerprint)
	return s.appendValues(dst, v, n, depth)
}

// appendBare appends a struct without its fingerprint.
func (s *structPlan) appendBare(dst []byte, v reflect.Value, depth int) ([]byte, error) {
	n := s.used(v)
	return s.appendValues(msgp.AppendArrayHeader(dst, uint32(n)), v, n, depth)
}

// used is how many fields there are up to the last that is not zero.
func (s *structPlan) used(v reflect.Value) int {
	n := len(s.fields)
	for n > 0 && s.fields[n-1].plan.isZero(s.fields[n-1].of(v)) {
		n--
	}
	return n
}

func (s *structPlan) appendValues(dst []byte, v reflect.Value, n, depth int) (_ []byte, err error) {
	for i := range s.fields[:n] {
		f := &s.fields[i]
		if dst, err = f.plan.append(dst, f.of(v), depth); err != nil {
			return dst, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return dst, nil
}

func (s *structPlan) appendMap(dst []byte, v reflect.Value, depth int) (_ []byte, err error) {
	left := 0
	for i := range s.fields {
		if f := &s.fields[i]; f.omitZero && f.plan.isZero(f.of(v)) {
			left++
		}
	}
	dst = msgp.AppendMapHeader(dst, uint32(len(s.fields)-left))
	for i := range s.fields {
		f := &s.fields[i]
		at := f.of(v)
		if f.omitZero && f.plan.isZero(at) {
			continue
		}
		dst = msgp.AppendString(dst, f.name)
		if dst, err = f.plan.append(dst, at, depth); err != nil {
			return dst, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return dst, nil
}

// appendFingerprint writes it in its longest form, so that it can be told from a number that may be anything.
func appendFingerprint(dst []byte, f uint32) []byte {
	return append(dst, uint32Mark, byte(f>>24), byte(f>>16), byte(f>>8), byte(f))
}

const uint32Mark = 0xce

func isUint(b []byte) bool { return len(b) > 0 && b[0] == uint32Mark }

func (s *structPlan) decode(d *decoder, v reflect.Value) error {
	if nextType(d.rest) == msgp.MapType {
		return s.decodeMap(d, v)
	}
	n, err := d.array()
	if err != nil {
		return err
	}
	if n == 0 || !isUint(d.rest) {
		if len(d.rest) == 0 && n > 0 {
			return msgp.ErrShortBytes
		}
		return fmt.Errorf("%w: an array without a fingerprint for %s", ErrType, v.Type())
	}
	of, err := s.readVersion(d)
	if err != nil {
		return err
	}
	return s.decodeBare(d, v, of, n-1)
}

// decodeBare reads the first n values of a version.
func (s *structPlan) decodeBare(d *decoder, v reflect.Value, of *version, n uint32) error {
	if int64(n) > int64(len(*of)) {
		return fmt.Errorf("%w: %d values for the %d fields of %s", ErrType, n, len(*of), v.Type())
	}
	for _, at := range (*of)[:n] {
		if at == skipped {
			if err := d.skip(); err != nil {
				return err
			}
			continue
		}
		f := &s.fields[at]
		if err := f.plan.decode(d, f.of(v)); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return nil
}

var errNotText = errors.New("a name that is no text")

func (s *structPlan) decodeMap(d *decoder, v reflect.Value) error {
	n, err := d.mapping()
	if err != nil {
		return err
	}
	seen := make([]bool, len(s.fields))
	for range n {
		name, rest, err := msgp.ReadStringZC(d.rest)
		if err != nil {
			return fmt.Errorf("%w: %w", errNotText, err)
		}
		d.rest = rest
		at, ok := s.byName[string(name)]
		if !ok {
			if err := d.skip(); err != nil {
				return err
			}
			continue
		}
		if seen[at] {
			return errTwice
		}
		seen[at] = true
		f := &s.fields[at]
		if err := f.plan.decode(d, f.of(v)); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return nil
}

// readVersion reads a fingerprint.
func (s *structPlan) readVersion(d *decoder) (*version, error) {
	fingerprint, rest, err := msgp.ReadUint32Bytes(d.rest)
	if err != nil {
		return nil, err
	}
	d.rest = rest
	if fingerprint == s.fingerprint {
		return &s.present, nil
	}
	if known, ok := s.versions.Load(fingerprint); ok {
		return known.(*version), nil
	}
	of := s.search(fingerprint)
	if of == nil {
		return nil, fmt.Errorf("%w: fingerprint %08x, not %08x", ErrVersion, fingerprint, s.fingerprint)
	}
	s.versions.Store(fingerprint, of)
	return of, nil
}

// search finds the version with a fingerprint: one that differs from the present one in up to three fields, each of which was added since or removed
// since. If two fit, none does.
func (s *structPlan) search(fingerprint uint32) *version {
	// What a change of each field does to the sum.
	change := make([]uint32, len(s.every))
	for i, f := range s.every {
		change[i] = -f.hash
		if f.index == nil {
			change[i] = f.hash
		}
	}
	left := tries
	var found [][]int
	var try func(from int, sum uint32, changed []int, more int)
	try = func(from int, sum uint32, changed []int, more int) {
		for i := from; i < len(change); i++ {
			if next := append(changed, i); more > 1 {
				try(i+1, sum+change[i], next, more-1)
			} else if sum+change[i] == fingerprint {
				found = append(found, slices.Clone(next))
			}
		}
	}
	cost := 1
	for differ := 1; differ <= 3 && differ <= len(change); differ++ {
		cost = cost * (len(change) - differ + 1) / differ // ways to choose so many of them
		if left -= cost; left < 0 {
			break
		}
		try(0, s.fingerprint, nil, differ)
	}
	if len(found) != 1 {
		return nil
	}
	of := s.version(found[0])
	return &of
}

// version is the fields with the changes.
func (s *structPlan) version(changed []int) version {
	of := version{}
	for i, f := range s.every {
		present := f.index != nil
		if present == slices.Contains(changed, i) {
			continue
		}
		at := skipped
		if present {
			at = s.byName[f.name]
		}
		of = append(of, at)
	}
	return of
}
