package script

import (
	"errors"
	"regexp"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/internal/graph"
)

// Kind is what went wrong while a program ran. It is an error, for errors.Is.
type Kind string

// Error implements error.
func (k Kind) Error() string { return "script error of the kind " + string(k) }

// The kinds.
const (
	KindNull   Kind = graph.KindNull   // null where a value is wanted
	KindType   Kind = graph.KindType   // a value of another kind than is wanted
	KindNumber Kind = graph.KindNumber // a string that spells no number
	KindExact  Kind = graph.KindExact  // an integer beyond 2^53-1 where only exact ones are taken
	KindZero   Kind = graph.KindZero   // a division by zero
	KindNaN    Kind = graph.KindNaN    // a result that is no number
	KindIndex  Kind = graph.KindIndex  // an index outside of what there is
	KindJSON   Kind = graph.KindJSON   // what is not JSON
	KindDepth  Kind = graph.KindDepth  // lists and maps that are nested too deep
	KindSize   Kind = graph.KindSize   // what is too long, or must not be empty
	KindReply  Kind = graph.KindReply  // a command replied something that it is not known for
	KindSteps  Kind = graph.KindSteps  // more turns of loops than the limit
	KindMemory Kind = graph.KindMemory // more memory than the limit
	KindCall   Kind = graph.KindCall   // the engine got other keys or arguments than the program has: nothing here sends such
	KindRedis  Kind = "redis"          // the engine refused a command; Code says why
)

// ErrWrongType is what a command on a key of another type than it is for ends a program with.
var ErrWrongType = errors.New("the key has a different type")

// Error is how a run ended that has no result. What it had written stays.
type Error struct {
	Program string
	Kind    Kind
	Code    string // of KindRedis: "WRONGTYPE", "ERR", …
	Text    string

	reply error
}

// Error names the program, the kind and what went wrong.
func (e *Error) Error() string {
	return "script " + e.Program + ": " + string(e.Kind) + ": " + e.Text
}

// Is makes errors.Is find the Kind, and ErrWrongType.
func (e *Error) Is(target error) bool {
	return target == e.Kind || target == ErrWrongType && e.Code == "WRONGTYPE"
}

// Unwrap is the error of go-redis.
func (e *Error) Unwrap() error { return e.reply }

// where is what Redis appends to the errors of scripts.
var where = regexp.MustCompile(` script: [0-9a-f]{40}, on @user_script:\d+\.?$`)

// failed is the error of a run whose reply was an error.
func (p *Program) failed(err error) error {
	var r redis.Error
	if !errors.As(err, &r) {
		return err
	}
	return p.errorOf(r.Error(), err)
}

// errorOf reads the text of an error reply.
func (p *Program) errorOf(text string, reply error) *Error {
	text = where.ReplaceAllString(text, "")
	if _, own, ok := strings.Cut(text, "script: "); ok {
		if kind, rest, ok := strings.Cut(own, ": "); ok && !strings.Contains(kind, " ") {
			return &Error{Program: p.Name(), Kind: Kind(kind), Text: rest, reply: reply}
		}
	}
	code, _, _ := strings.Cut(text, " ")
	return &Error{Program: p.Name(), Kind: KindRedis, Code: code, Text: text, reply: reply}
}
