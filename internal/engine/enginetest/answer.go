// Answers: what a reply looks like in a session, and when two answers count as the same.
package enginetest

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/redbud-go/redbud/internal/resp"
)

// closed is the answer to a call whose connection ended instead of replying.
const closed = "(closed)"

// show prints the reply to a step as its answer.
func show(step *Step, v *resp.Value) []string {
	if step.AnyValue {
		return []string{kind(v)}
	}
	text := string(resp.AppendCLI(nil, quoteVerbatim(v)))
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// quoteVerbatim puts verbatim strings between quotes, which redis-cli does not: their lines could not be told from those
// of the session.
func quoteVerbatim(v *resp.Value) *resp.Value {
	switch {
	case v.Kind == '=':
		return &resp.Value{Kind: '+', Str: resp.AppendQuoted([]byte("(verbatim) "), v.Str)}
	case v.IsAggregate():
		quoted := *v
		quoted.Elems = nil
		for i := range v.Elems {
			quoted.Elems = append(quoted.Elems, *quoteVerbatim(&v.Elems[i]))
		}
		return &quoted
	}
	return v
}

// kind is the answer of a step whose value does not count.
func kind(v *resp.Value) string {
	switch {
	case v.Null:
		return "(nil)"
	case v.IsError():
		return "(error)"
	}
	switch v.Kind {
	case '+':
		return "(status)"
	case ':':
		return "(integer)"
	case ',':
		return "(double)"
	case '(':
		return "(big number)"
	case '#':
		return "(boolean)"
	case '*':
		return "(array)"
	case '~':
		return "(set)"
	case '%':
		return "(map)"
	case '>':
		return "(push)"
	}
	return "(string)" // bulk and verbatim: the protocol decides which, not the command
}

// unwritable says why an answer could not be read back from a session; empty if it can.
func unwritable(answer []string) string {
	for _, line := range answer {
		if line == "" || line[0] == '#' || line[0] == '@' || strings.HasPrefix(line, "> ") {
			return fmt.Sprintf("the line %q would not be read as a part of an answer; mark the call # any value", line)
		}
	}
	return ""
}

// same reports whether an answer is the recorded one, as far as the step cares.
func same(step *Step, recorded, got []string) bool {
	if slices.Equal(recorded, got) {
		return true
	}
	if step.AnyOrder {
		recorded, got = sorted(recorded), sorted(got)
	}
	if step.Tolerance == 0 {
		return slices.Equal(recorded, got)
	}
	return near(strings.Join(recorded, "\n"), strings.Join(got, "\n"), step.Tolerance)
}

var integers = regexp.MustCompile(`\(integer\) -?\d+`)

// near reports whether two texts are the same, save for integers that differ by at most the tolerance.
func near(a, b string, tolerance int64) bool {
	if integers.ReplaceAllString(a, "") != integers.ReplaceAllString(b, "") {
		return false
	}
	as, bs := integers.FindAllString(a, -1), integers.FindAllString(b, -1)
	for i := range as {
		n, err1 := strconv.ParseInt(strings.TrimPrefix(as[i], "(integer) "), 10, 64)
		m, err2 := strconv.ParseInt(strings.TrimPrefix(bs[i], "(integer) "), 10, 64)
		if err1 != nil || err2 != nil || max(n-m, m-n) > tolerance {
			return false
		}
	}
	return len(as) == len(bs)
}

var firstElement = regexp.MustCompile(`^( *)1([)~#]) `)

// sorted is an answer with the elements of every aggregate in it in alphabetical order, without their numbers. Anything
// else stays as it is.
func sorted(answer []string) []string {
	m := firstElement.FindStringSubmatch(answer[0])
	if m == nil {
		return answer
	}
	width := len(m[1]) + 1
	var elements [][]string
	for _, line := range answer {
		if len(line) < width+2 {
			return answer
		}
		n, err := strconv.Atoi(strings.TrimSpace(line[:width]))
		isNext := err == nil && n == len(elements)+1 && line[width] == m[2][0]
		if isNext {
			elements = append(elements, nil)
		} else if strings.TrimSpace(line[:width+2]) != "" {
			return answer
		}
		last := &elements[len(elements)-1]
		*last = append(*last, line[width+2:])
	}
	for i := range elements {
		elements[i] = sorted(elements[i])
	}
	slices.SortFunc(elements, slices.Compare)
	out := []string{m[2]}
	for _, e := range elements {
		out = append(out, m[2]+" "+e[0])
		for _, l := range e[1:] {
			out = append(out, "  "+l)
		}
	}
	return out
}

// throughLua is an answer as a script passes it on: numbers of Lua are floats, of which not all integers are.
func throughLua(answer []string) []string {
	through := make([]string, len(answer))
	for i, line := range answer {
		through[i] = integers.ReplaceAllStringFunc(line, func(text string) string {
			const kind = "(integer) "
			n, err := strconv.ParseInt(strings.TrimPrefix(text, kind), 10, 64)
			if err != nil {
				return text
			}
			if f := float64(n); f < 1<<63 {
				return kind + strconv.FormatInt(int64(f), 10)
			}
			return kind + strconv.FormatInt(math.MinInt64, 10) // as C on x86 converts what does not fit
		})
	}
	return through
}
