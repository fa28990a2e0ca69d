// From source to code that every state can run.

package lua

import (
	"strings"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
)

// chunk is compiled source. Its code, run once in a state with the state's own functions as arguments, returns the function that the
// source is the body of.
type chunk struct {
	proto *lua.FunctionProto
}

// The local variables around every chunk: what `..` calls, and what makes numbers of the bounds of loops. No script can have a name with
// brackets.
const (
	concatName  = "(concat)"
	numericName = "(numeric)"
)

// syntaxError is an error of the compiler, in Lua's words.
type syntaxError string

func (e syntaxError) Error() string { return string(e) }

// compile turns source into code. name is what stands before the line in messages.
func compile(source, name string) (*chunk, error) {
	body, dots, err := parse(source, name)
	if err != nil {
		return nil, err
	}
	inner := at(&ast.FunctionExpr{ParList: &ast.ParList{HasVargs: dots}, Stmts: body}, 0, 1+strings.Count(source, "\n"))
	local := at(&ast.LocalAssignStmt{Names: []string{concatName, numericName}, Exprs: []ast.Expr{at(&ast.Comma3Expr{}, 1, 1)}}, 1, 1)
	proto, err := lua.Compile([]ast.Stmt{local, at(&ast.ReturnStmt{Exprs: []ast.Expr{inner}}, 1, 1)}, name)
	if err != nil {
		return nil, syntaxError(name + ":1: function or expression too complex")
	}
	return &chunk{proto: proto}, nil
}
