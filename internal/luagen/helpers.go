// The functions of Lua that programs use: helpers.lua, which is taken apart here.

package luagen

import (
	_ "embed"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/redbud-go/redbud/internal/graph"
)

//go:embed helpers.lua
var helperText string

// What an error of the kind null or type says is wanted, besides types.
const (
	wantWord    = "a word of a command"
	wantText    = "a text"
	wantNumeral = "a number or a string"
	wantLength  = "a string, a list or a map"
)

// constants are what $ stands before in helpers.lua.
var constants = map[string]any{
	"ErrNull": graph.ErrNull, "ErrType": graph.ErrType, "ErrCompared": graph.ErrCompared, "ErrInteger": graph.ErrInteger,
	"ErrNumber": graph.ErrNumber, "ErrExact": graph.ErrExact, "ErrZero": graph.ErrZero, "ErrNaN": graph.ErrNaN,
	"ErrInfinite": graph.ErrInfinite, "ErrIndex": graph.ErrIndex, "ErrKeyIndex": graph.ErrKeyIndex, "ErrZip": graph.ErrZip,
	"ErrJSON": graph.ErrJSON, "ErrDepth": graph.ErrDepth, "ErrSeparator": graph.ErrSeparator, "ErrLong": graph.ErrLong,
	"ErrWords": graph.ErrWords, "ErrReply": graph.ErrReply,
	"WantWord": wantWord, "WantText": wantText, "WantNumeral": wantNumeral, "WantLength": wantLength,
	"MostWords": graph.MaxWords - 1, // besides the name of the command
	"MaxNested": graph.MaxNested, "MaxString": graph.MaxString, "MaxTrace": maxTrace,
}

// maxTrace is how many records a trace has at most.
const maxTrace = 10_000

// helper is a paragraph of helpers.lua.
type helper struct {
	names []string
	text  string
	needs []int // those above it that it uses, by number
}

var helpers, helperOf = readHelpers(helperText)

var (
	constantName  = regexp.MustCompile(`\$(\w+)`)
	paragraph     = regexp.MustCompile(`\n\n+`)
	declared      = regexp.MustCompile(`(?m)^local (?:function )?(\w+(?:, \w+)*)`)
	quotedOrNoted = regexp.MustCompile(`--[^\n]*|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'`)
	identifier    = regexp.MustCompile(`[.:]?\b[A-Za-z_]\w*`)
)

// readHelpers takes the paragraphs of the text, but for the first, apart; of is their numbers by the names that they declare.
func readHelpers(text string) (all []helper, of map[string]int) {
	of = map[string]int{}
	text = constantName.ReplaceAllStringFunc(text, func(name string) string {
		switch c := constants[name[1:]].(type) {
		case string:
			return quote(c)
		case int:
			return strconv.Itoa(c)
		}
		panic("luagen: helpers.lua names " + name)
	})
	for _, part := range joined(paragraph.Split(strings.TrimSpace(text), -1)[1:]) {
		h := helper{text: part, names: strings.Split(declared.FindStringSubmatch(part)[1], ", ")}
		for _, id := range identifier.FindAllString(quotedOrNoted.ReplaceAllString(part, `""`), -1) {
			if i, ok := of[id]; ok && !slices.Contains(h.needs, i) {
				h.needs = append(h.needs, i)
			}
		}
		for _, name := range h.names {
			of[name] = len(all)
		}
		all = append(all, h)
	}
	return all, of
}

// joined puts the functions together that an empty line has torn apart: one begins at the margin.
func joined(parts []string) (whole []string) {
	for _, part := range parts {
		if strings.HasPrefix(part, "\t") {
			whole[len(whole)-1] += "\n\n" + part
		} else {
			whole = append(whole, part)
		}
	}
	return whole
}

// withNeeds are the numbers of helpers and of all that they need, in their order.
func withNeeds(names map[string]bool) []int {
	need := make([]bool, len(helpers))
	for name := range names {
		need[helperOf[name]] = true
	}
	var numbers []int
	for i := len(helpers) - 1; i >= 0; i-- {
		if need[i] {
			numbers = append(numbers, i)
			for _, j := range helpers[i].needs {
				need[j] = true
			}
		}
	}
	slices.Reverse(numbers)
	return numbers
}
