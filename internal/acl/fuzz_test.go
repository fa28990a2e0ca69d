package acl

import (
	"strings"
	"testing"
)

// FuzzRules takes rules of anybody's making: what is right describes itself so that it can be read again.
func FuzzRules(f *testing.F) {
	for _, rules := range []string{"on >x ~a* %R~b &c +@all -get", "+select|0 -@string (+get ~a) clearselectors", "(+config|get \"~a\\x20b\")", "( +get ~a ) #00 <x", "%RW~* ~\\"} {
		f.Add(rules)
	}
	f.Fuzz(func(t *testing.T, rules string) {
		r, err := changed(rightsOfNobody(false), strings.Split(rules, " "), false)
		if err != nil {
			return
		}
		for _, terse := range []bool{true, false} {
			line := r.Line(terse)
			again, err := changed(rightsOfNobody(false), strings.Split(line, " "), false)
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			if !terse && again.Line(false) != line {
				t.Fatalf("%q became %q", line, again.Line(false))
			}
		}
	})
}
