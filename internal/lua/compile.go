// From source to code that every state can run.

package lua

import (
	"strings"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"
)

// chunk is compiled source. Its code, run once in a state with the state's concatenation as argument, returns the function that the
// source is the body of.
type chunk struct {
	proto *lua.FunctionProto
}

// concatName is the local variable that `..` calls. No script can have a name with brackets.
const concatName = "(concat)"

// syntaxError is an error of the compiler, in Lua's words.
type syntaxError string

func (e syntaxError) Error() string { return string(e) }

// compile turns source into code. name is what stands before the line in messages.
func compile(source, name string) (*chunk, error) {
	body, err := parse.Parse(strings.NewReader(source), name)
	if err != nil {
		return nil, syntaxError(strings.TrimSpace(err.Error()))
	}
	body = rewrite(body)
	inner := &ast.FunctionExpr{ParList: &ast.ParList{HasVargs: true}, Stmts: body}
	last := 1
	if len(body) > 0 {
		last = body[len(body)-1].LastLine()
	}
	inner.SetLine(0)
	inner.SetLastLine(last)
	local := &ast.LocalAssignStmt{Names: []string{concatName}, Exprs: []ast.Expr{&ast.Comma3Expr{}}}
	proto, err := lua.Compile([]ast.Stmt{local, &ast.ReturnStmt{Exprs: []ast.Expr{inner}}}, name)
	if err != nil {
		return nil, syntaxError(strings.TrimSpace(err.Error()))
	}
	return &chunk{proto: proto}, nil
}
