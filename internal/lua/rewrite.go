// What is changed in a syntax tree before it is compiled: `a .. b` becomes a call, since gopher-lua spells numbers unlike Lua 5.1 and
// bounds no length.

package lua

import (
	"strconv"

	"github.com/yuin/gopher-lua/ast"
)

// rewrite changes statements in place and returns them.
func rewrite(stmts []ast.Stmt) []ast.Stmt {
	for _, s := range stmts {
		rewriteStmt(s)
	}
	return stmts
}

func rewriteStmt(s ast.Stmt) {
	switch s := s.(type) {
	case *ast.AssignStmt:
		rewriteList(s.Lhs)
		rewriteList(s.Rhs)
	case *ast.LocalAssignStmt:
		rewriteList(s.Exprs)
	case *ast.FuncCallStmt:
		s.Expr = rewriteExpr(s.Expr)
	case *ast.DoBlockStmt:
		rewrite(s.Stmts)
	case *ast.WhileStmt:
		s.Condition = rewriteExpr(s.Condition)
		rewrite(s.Stmts)
	case *ast.RepeatStmt:
		s.Condition = rewriteExpr(s.Condition)
		rewrite(s.Stmts)
	case *ast.IfStmt:
		s.Condition = rewriteExpr(s.Condition)
		rewrite(s.Then)
		rewrite(s.Else)
	case *ast.NumberForStmt:
		s.Init = rewriteExpr(s.Init)
		s.Limit = rewriteExpr(s.Limit)
		s.Step = rewriteExpr(s.Step)
		rewrite(s.Stmts)
	case *ast.GenericForStmt:
		rewriteList(s.Exprs)
		rewrite(s.Stmts)
	case *ast.FuncDefStmt:
		rewrite(s.Func.Stmts)
	case *ast.ReturnStmt:
		rewriteList(s.Exprs)
	}
}

func rewriteList(list []ast.Expr) {
	for i := range list {
		list[i] = rewriteExpr(list[i])
	}
}

func rewriteExpr(e ast.Expr) ast.Expr {
	switch e := e.(type) {
	case *ast.AttrGetExpr:
		e.Object = rewriteExpr(e.Object)
		e.Key = rewriteExpr(e.Key)
	case *ast.TableExpr:
		for _, f := range e.Fields {
			f.Key = rewriteExpr(f.Key)
			f.Value = rewriteExpr(f.Value)
		}
	case *ast.FuncCallExpr:
		e.Func = rewriteExpr(e.Func)
		e.Receiver = rewriteExpr(e.Receiver)
		rewriteList(e.Args)
	case *ast.LogicalOpExpr:
		e.Lhs, e.Rhs = rewriteExpr(e.Lhs), rewriteExpr(e.Rhs)
	case *ast.RelationalOpExpr:
		e.Lhs, e.Rhs = rewriteExpr(e.Lhs), rewriteExpr(e.Rhs)
	case *ast.ArithmeticOpExpr:
		e.Lhs, e.Rhs = rewriteExpr(e.Lhs), rewriteExpr(e.Rhs)
	case *ast.UnaryMinusOpExpr:
		e.Expr = rewriteExpr(e.Expr)
	case *ast.UnaryNotOpExpr:
		e.Expr = rewriteExpr(e.Expr)
	case *ast.UnaryLenOpExpr:
		e.Expr = rewriteExpr(e.Expr)
	case *ast.FunctionExpr:
		rewrite(e.Stmts)
	case *ast.NumberExpr:
		// gopher-lua takes what is too large for no number at all.
		if f, ok := readNumber(e.Value); ok {
			e.Value = strconv.FormatFloat(f, 'g', -1, 64)
		}
	case *ast.StringConcatOpExpr:
		return concatCall(e)
	}
	return e
}

// concatCall makes one call of a chain a .. b .. c, which Lua joins from the right.
func concatCall(e *ast.StringConcatOpExpr) ast.Expr {
	name := &ast.IdentExpr{Value: concatName}
	call := &ast.FuncCallExpr{Func: name, AdjustRet: true}
	line := e.Line()
	for {
		call.Args = append(call.Args, single1(rewriteExpr(e.Lhs)))
		next, ok := e.Rhs.(*ast.StringConcatOpExpr)
		if !ok || len(call.Args) >= maxChain {
			break
		}
		e = next
	}
	call.Args = append(call.Args, single1(rewriteExpr(e.Rhs)))
	name.SetLine(line)
	name.SetLastLine(line)
	call.SetLine(line)
	call.SetLastLine(line)
	return call
}

// maxChain bounds the registers that one call takes.
const maxChain = 50

// single1 keeps an expression to one value where it is the last argument of a call.
func single1(e ast.Expr) ast.Expr {
	switch e := e.(type) {
	case *ast.FuncCallExpr:
		e.AdjustRet = true
	case *ast.Comma3Expr:
		e.AdjustRet = true
	}
	return e
}
