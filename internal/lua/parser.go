// The grammar of Lua 5.1, read into the syntax tree that gopher-lua compiles. `a .. b` becomes a call of our own, and so do the bounds of
// a numeric for that may be strings.

package lua

import (
	"math"
	"strconv"

	"github.com/yuin/gopher-lua/ast"
)

const (
	// maxLevels is how deep blocks and expressions may nest.
	maxLevels = 195
	// maxChainLength bounds what nests without brackets: a + b + c and so on, which the compiler walks down.
	maxChainLength = 20000
	// maxLocals are the local variables that a function may have at a time. A few registers stay for expressions.
	maxLocals = 200
	// maxConcat bounds the registers that one concatenation takes.
	maxConcat = 50
)

// parser reads a chunk.
type parser struct {
	lexer
	tok      token
	ahead    *token // read before its turn
	tokLine  int    // of tok
	lastLine int    // of the token before tok
	levels   int
	fn       *function
}

// function is one whose body is read.
type function struct {
	outer  *function
	line   int // 0 for a chunk
	vararg bool
	dots   bool // it uses its variable arguments
	locals int
	loops  int
}

// parse reads a chunk. dots tells whether it uses `...`.
func parse(source, name string) (body []ast.Stmt, dots bool, err error) {
	defer func() {
		switch e := recover().(type) {
		case nil:
		case syntaxError:
			err = e
		default:
			panic(e)
		}
	}()
	p := &parser{lexer: lexer{name: name, s: source, line: 1}, fn: &function{vararg: true}}
	p.advance()
	body = p.block()
	if p.tok.kind != tokenEnd {
		p.expected(endOfFile)
	}
	return body, p.fn.dots, nil
}

func (p *parser) advance() {
	p.lastLine = p.tokLine
	if p.ahead != nil {
		p.tok, p.ahead = *p.ahead, nil
	} else {
		p.tok = p.next()
	}
	p.tokLine = p.line
}

// wrong ends with an error near the token at hand.
func (p *parser) wrong(text string) { p.fail(text, p.tok.raw) }

func (p *parser) expected(what string) { p.wrong("'" + what + "' expected") }

func (p *parser) accept(what string) bool {
	if !p.tok.is(what) {
		return false
	}
	p.advance()
	return true
}

func (p *parser) expect(what string) {
	if !p.accept(what) {
		p.expected(what)
	}
}

// close expects what closes something that was opened in a line.
func (p *parser) close(what, who string, line int) {
	if p.accept(what) {
		return
	}
	if line == p.line {
		p.expected(what)
	}
	p.wrong("'" + what + "' expected (to close '" + who + "' at line " + strconv.Itoa(line) + ")")
}

func (p *parser) nameToken() string {
	if p.tok.kind != tokenName {
		p.expected("<name>")
	}
	name := p.tok.text
	p.advance()
	return name
}

func (p *parser) enter() {
	if p.levels++; p.levels > maxLevels {
		p.fail("chunk has too many syntax levels", "")
	}
}

func (p *parser) leave() { p.levels-- }

// declare counts local variables.
func (p *parser) declare(n int) {
	if p.fn.locals += n; p.fn.locals > maxLocals {
		where := "main function"
		if p.fn.line > 0 {
			where = "function at line " + strconv.Itoa(p.fn.line)
		}
		p.fail(where+" has more than "+strconv.Itoa(maxLocals)+" local variables", "")
	}
}

// at places a node.
func at[N ast.PositionHolder](n N, line, last int) N {
	n.SetLine(line)
	n.SetLastLine(last)
	return n
}

// blockEnds reports whether a block ends here.
func (p *parser) blockEnds() bool {
	return p.tok.kind == tokenEnd || p.tok.is("end") || p.tok.is("else") || p.tok.is("elseif") || p.tok.is("until")
}

// block reads statements and forgets their local variables.
func (p *parser) block() (stmts []ast.Stmt) {
	p.enter()
	before := p.fn.locals
	for last := false; !last && !p.blockEnds(); {
		var s ast.Stmt
		s, last = p.statement()
		stmts = append(stmts, s)
		p.accept(";")
	}
	p.fn.locals = before
	p.leave()
	return stmts
}

func (p *parser) loop() []ast.Stmt {
	p.fn.loops++
	body := p.block()
	p.fn.loops--
	return body
}

// statement reads one; last is set for those that nothing follows.
func (p *parser) statement() (s ast.Stmt, last bool) {
	line := p.tokLine
	if p.tok.kind != tokenWord {
		return p.expressionStatement(), false
	}
	switch p.tok.text {
	case "if":
		return p.ifStatement(line), false
	case "while":
		p.advance()
		condition := p.expression()
		p.expect("do")
		body := p.loop()
		p.close("end", "while", line)
		return at(&ast.WhileStmt{Condition: condition, Stmts: body}, line, p.lastLine), false
	case "do":
		p.advance()
		body := p.block()
		p.close("end", "do", line)
		return at(&ast.DoBlockStmt{Stmts: body}, line, p.lastLine), false
	case "for":
		return p.forStatement(line), false
	case "repeat":
		return p.repeatStatement(line), false
	case "function":
		return p.functionStatement(line), false
	case "local":
		p.advance()
		if p.accept("function") {
			return p.localFunction(line), false
		}
		return p.localStatement(line), false
	case "return":
		p.advance()
		var list []ast.Expr
		if !p.blockEnds() && !p.tok.is(";") {
			list = p.expressions()
		}
		return at(&ast.ReturnStmt{Exprs: list}, line, p.lastLine), true
	case "break":
		p.advance()
		if p.fn.loops == 0 {
			p.wrong("no loop to break")
		}
		return at(&ast.BreakStmt{}, line, p.lastLine), true
	}
	return p.expressionStatement(), false
}

func (p *parser) ifStatement(line int) ast.Stmt {
	first := &ast.IfStmt{}
	s := first
	for n := 0; ; n++ {
		if n > maxChainLength {
			p.fail("chunk has too many syntax levels", "")
		}
		at(s, p.tokLine, p.tokLine)
		p.advance()
		s.Condition = p.expression()
		p.expect("then")
		s.Then = p.block()
		if !p.tok.is("elseif") {
			break
		}
		next := &ast.IfStmt{}
		s.Else = []ast.Stmt{next}
		s = next
	}
	if p.accept("else") {
		s.Else = p.block()
	}
	p.close("end", "if", line)
	first.SetLastLine(p.lastLine)
	return first
}

func (p *parser) repeatStatement(line int) ast.Stmt {
	p.advance()
	p.enter()
	before := p.fn.locals
	p.fn.loops++
	var body []ast.Stmt
	for last := false; !last && !p.blockEnds(); {
		var s ast.Stmt
		s, last = p.statement()
		body = append(body, s)
		p.accept(";")
	}
	p.fn.loops--
	p.close("until", "repeat", line)
	condition := p.expression() // sees the variables of the body
	p.fn.locals = before
	p.leave()
	return at(&ast.RepeatStmt{Condition: condition, Stmts: body}, line, p.lastLine)
}

func (p *parser) forStatement(line int) ast.Stmt {
	p.advance()
	before := p.fn.locals
	name := p.nameToken()
	var s ast.Stmt
	switch {
	case p.tok.is("="):
		p.advance()
		n := &ast.NumberForStmt{Name: name, Init: numeric(p.expression())}
		p.expect(",")
		n.Limit = numeric(p.expression())
		if p.accept(",") {
			n.Step = numeric(p.expression())
		}
		p.expect("do")
		doLine := p.lastLine
		p.declare(4)
		n.Stmts = p.loop()
		s = at(n, doLine, doLine)
	case p.tok.is(",") || p.tok.is("in"):
		names := []string{name}
		for p.accept(",") {
			names = append(names, p.nameToken())
		}
		p.expect("in")
		listLine := p.tokLine
		g := &ast.GenericForStmt{Names: names, Exprs: p.expressions()}
		p.expect("do")
		p.declare(3 + len(names))
		g.Stmts = p.loop()
		s = at(g, listLine, listLine)
	default:
		p.wrong("'=' or 'in' expected")
	}
	p.close("end", "for", line)
	p.fn.locals = before
	s.SetLastLine(p.lastLine)
	return s
}

func (p *parser) functionStatement(line int) ast.Stmt {
	p.advance()
	var target ast.Expr = at(&ast.IdentExpr{Value: p.nameToken()}, line, line)
	name := &ast.FuncName{}
	for n := 0; p.tok.is("."); n++ {
		if n > maxChainLength {
			p.fail("chunk has too many syntax levels", "")
		}
		p.advance()
		target = p.field(target)
	}
	if p.accept(":") {
		name.Receiver, name.Method = target, p.nameToken()
	} else {
		name.Func = target
	}
	fn := p.body(name.Receiver != nil, line)
	return at(&ast.FuncDefStmt{Name: name, Func: fn}, line, p.lastLine)
}

func (p *parser) localFunction(line int) ast.Stmt {
	name := p.nameToken()
	p.declare(1)
	fn := p.body(false, p.tokLine)
	return at(&ast.LocalAssignStmt{Names: []string{name}, Exprs: []ast.Expr{fn}}, line, p.lastLine)
}

func (p *parser) localStatement(line int) ast.Stmt {
	s := &ast.LocalAssignStmt{Names: []string{p.nameToken()}}
	for p.accept(",") {
		s.Names = append(s.Names, p.nameToken())
	}
	if p.accept("=") {
		s.Exprs = p.expressions()
	}
	p.declare(len(s.Names))
	return at(s, line, p.lastLine)
}

// expressionStatement is a call or an assignment.
func (p *parser) expressionStatement() ast.Stmt {
	line := p.tokLine
	e, assignable := p.primary()
	if call, ok := e.(*ast.FuncCallExpr); ok && !assignable && !call.AdjustRet {
		return at(&ast.FuncCallStmt{Expr: e}, line, p.lastLine)
	}
	var left []ast.Expr
	for {
		if !assignable {
			p.wrong("syntax error")
		}
		left = append(left, e)
		if len(left) > maxLevels {
			p.fail("chunk has too many syntax levels", "")
		}
		if !p.accept(",") {
			break
		}
		e, assignable = p.primary()
	}
	p.expect("=")
	return at(&ast.AssignStmt{Lhs: left, Rhs: p.expressions()}, line, p.lastLine)
}

func (p *parser) expressions() []ast.Expr {
	list := []ast.Expr{p.expression()}
	for p.accept(",") {
		list = append(list, p.expression())
	}
	return list
}

// body reads parameters and body of a function.
func (p *parser) body(method bool, line int) *ast.FunctionExpr {
	p.fn = &function{outer: p.fn, line: line}
	e := &ast.FunctionExpr{ParList: &ast.ParList{}}
	if method {
		// The compiler adds self.
		p.declare(1)
	}
	p.expect("(")
	for !p.tok.is(")") {
		if p.tok.kind == tokenName {
			e.ParList.Names = append(e.ParList.Names, p.nameToken())
		} else if p.tok.is("...") {
			p.advance()
			e.ParList.HasVargs, p.fn.vararg = true, true
			break
		} else {
			p.wrong("<name> or '...' expected")
		}
		if !p.tok.is(",") {
			break
		}
		p.advance()
		if p.tok.is(")") {
			p.wrong("<name> or '...' expected")
		}
	}
	p.declare(len(e.ParList.Names))
	p.expect(")")
	e.Stmts = p.block()
	last := p.tokLine
	p.close("end", "function", line)
	p.fn = p.fn.outer
	return at(e, line, last)
}

// field reads a name after a dot.
func (p *parser) field(object ast.Expr) ast.Expr {
	line := p.tokLine
	key := at(&ast.StringExpr{Value: p.nameToken()}, line, line)
	return at(&ast.AttrGetExpr{Object: object, Key: key}, line, line)
}

// primary reads a variable or call, and whether something can be assigned to it.
func (p *parser) primary() (e ast.Expr, assignable bool) {
	line := p.tokLine
	switch {
	case p.tok.kind == tokenName:
		e, assignable = at(&ast.IdentExpr{Value: p.nameToken()}, line, line), true
	case p.accept("("):
		e = single1(p.expression())
		p.close(")", "(", line)
	default:
		p.wrong("unexpected symbol")
	}
	for n := 0; ; n++ {
		if n > maxChainLength {
			p.fail("chunk has too many syntax levels", "")
		}
		switch {
		case p.tok.is("."):
			p.advance()
			e, assignable = p.field(e), true
		case p.tok.is("["):
			p.advance()
			key := p.expression()
			p.expect("]")
			e, assignable = at(&ast.AttrGetExpr{Object: e, Key: key}, p.lastLine, p.lastLine), true
		case p.tok.is(":"):
			p.advance()
			method := p.nameToken()
			e, assignable = p.call(&ast.FuncCallExpr{Receiver: e, Method: method}), false
		case p.tok.is("(") || p.tok.is("{") || p.tok.kind == tokenString:
			e, assignable = p.call(&ast.FuncCallExpr{Func: e}), false
		default:
			return e, assignable
		}
	}
}

// call reads the arguments of a call.
func (p *parser) call(e *ast.FuncCallExpr) ast.Expr {
	line := p.tokLine
	switch {
	case p.tok.is("("):
		if line != p.lastLine {
			p.wrong("ambiguous syntax (function call x new statement)")
		}
		p.advance()
		if !p.tok.is(")") {
			e.Args = p.expressions()
		}
		p.close(")", "(", line)
	case p.tok.is("{"):
		e.Args = []ast.Expr{p.table()}
	case p.tok.kind == tokenString:
		e.Args = []ast.Expr{at(&ast.StringExpr{Value: p.tok.text}, line, line)}
		p.advance()
	default:
		p.wrong("function arguments expected")
	}
	return at(e, line, p.lastLine)
}

func (p *parser) table() ast.Expr {
	line := p.tokLine
	e := &ast.TableExpr{}
	p.expect("{")
	for !p.tok.is("}") {
		e.Fields = append(e.Fields, p.tableField())
		if !p.accept(",") && !p.accept(";") {
			break
		}
	}
	p.close("}", "{", line)
	return at(e, line, p.lastLine)
}

func (p *parser) tableField() *ast.Field {
	line := p.tokLine
	switch {
	case p.tok.kind == tokenName:
		if p.ahead == nil {
			t := p.next()
			p.ahead = &t
		}
		if !p.ahead.is("=") {
			return &ast.Field{Value: p.expression()}
		}
		key := at(&ast.StringExpr{Value: p.nameToken()}, line, line)
		p.expect("=")
		return &ast.Field{Key: key, Value: p.expression()}
	case p.tok.is("["):
		p.advance()
		key := p.expression()
		p.expect("]")
		p.expect("=")
		return &ast.Field{Key: key, Value: p.expression()}
	}
	return &ast.Field{Value: p.expression()}
}

// precedence are the binding powers of an operator to its left and right.
func precedence(t token) (left, right int) {
	if t.kind != tokenSymbol && t.kind != tokenWord {
		return 0, 0
	}
	switch t.text {
	case "or":
		return 1, 1
	case "and":
		return 2, 2
	case "<", ">", "<=", ">=", "~=", "==":
		return 3, 3
	case "..":
		return 5, 4
	case "+", "-":
		return 6, 6
	case "*", "/", "%":
		return 7, 7
	case "^":
		return 10, 9
	}
	return 0, 0
}

const unaryPrecedence = 8

func (p *parser) expression() ast.Expr { return p.operand(0) }

// operand reads an expression of operators that bind stronger than limit.
func (p *parser) operand(limit int) ast.Expr {
	p.enter()
	var e ast.Expr
	switch op := p.tok; {
	case op.is("not"):
		p.advance()
		e = &ast.UnaryNotOpExpr{Expr: p.operand(unaryPrecedence)}
	case op.is("-"):
		p.advance()
		e = &ast.UnaryMinusOpExpr{Expr: p.operand(unaryPrecedence)}
	case op.is("#"):
		p.advance()
		e = &ast.UnaryLenOpExpr{Expr: p.operand(unaryPrecedence)}
	default:
		e = p.simple()
	}
	if e.Line() == 0 {
		at(e, p.lastLine, p.lastLine)
	}
	for n := 0; ; n++ {
		op := p.tok
		left, right := precedence(op)
		if left <= limit {
			p.leave()
			return e
		}
		if n > maxChainLength {
			p.fail("chunk has too many syntax levels", "")
		}
		p.advance()
		e = p.binary(op.text, e, p.operand(right))
	}
}

func (p *parser) binary(op string, lhs, rhs ast.Expr) ast.Expr {
	switch op {
	case "and", "or":
		return at(&ast.LogicalOpExpr{Operator: op, Lhs: lhs, Rhs: rhs}, p.lastLine, p.lastLine)
	case "<", ">", "<=", ">=", "~=", "==":
		return at(&ast.RelationalOpExpr{Operator: op, Lhs: lhs, Rhs: rhs}, p.lastLine, p.lastLine)
	case "..":
		return p.concatenation(lhs, rhs)
	}
	return at(&ast.ArithmeticOpExpr{Operator: op, Lhs: lhs, Rhs: rhs}, p.lastLine, p.lastLine)
}

// concatenation calls our own function with all of a chain a .. b .. c, which Lua joins from the right.
func (p *parser) concatenation(lhs, rhs ast.Expr) ast.Expr {
	lhs = single1(lhs)
	if call, ok := rhs.(*ast.FuncCallExpr); ok && isHidden(call, concatName) && len(call.Args) < maxConcat && !call.AdjustRet {
		call.Args = append([]ast.Expr{lhs}, call.Args...)
		return call
	}
	return hidden(concatName, p.lastLine, lhs, single1(rhs))
}

// hidden calls a function of ours.
func hidden(name string, line int, args ...ast.Expr) *ast.FuncCallExpr {
	return at(&ast.FuncCallExpr{Func: at(&ast.IdentExpr{Value: name}, line, line), Args: args}, line, line)
}

// isHidden reports whether a call is one of ours.
func isHidden(call *ast.FuncCallExpr, name string) bool {
	ident, ok := call.Func.(*ast.IdentExpr)
	return ok && ident.Value == name
}

// single1 keeps an expression to one value where it is the last in a list.
func single1(e ast.Expr) ast.Expr {
	switch e := e.(type) {
	case *ast.FuncCallExpr:
		e.AdjustRet = true
	case *ast.Comma3Expr:
		e.AdjustRet = true
	}
	return e
}

// numeric makes a number of a bound of a loop if it is a string of one.
func numeric(e ast.Expr) ast.Expr {
	switch e.(type) {
	case *ast.NumberExpr, *ast.UnaryLenOpExpr, *ast.ArithmeticOpExpr, *ast.UnaryMinusOpExpr:
		return e
	}
	return single1(hidden(numericName, e.Line(), single1(e)))
}

func (p *parser) simple() ast.Expr {
	line := p.tokLine
	switch t := p.tok; {
	case t.kind == tokenNumber:
		p.advance()
		if math.IsInf(t.number, 0) {
			one, zero := at(&ast.NumberExpr{Value: "1"}, line, line), at(&ast.NumberExpr{Value: "0"}, line, line)
			return at(&ast.ArithmeticOpExpr{Operator: "/", Lhs: one, Rhs: zero}, line, line)
		}
		return at(&ast.NumberExpr{Value: strconv.FormatFloat(t.number, 'g', 17, 64)}, line, line)
	case t.kind == tokenString:
		p.advance()
		return at(&ast.StringExpr{Value: t.text}, line, line)
	case p.accept("nil"):
		return at(&ast.NilExpr{}, line, line)
	case p.accept("true"):
		return at(&ast.TrueExpr{}, line, line)
	case p.accept("false"):
		return at(&ast.FalseExpr{}, line, line)
	case t.is("..."):
		if !p.fn.vararg {
			p.wrong("cannot use '...' outside a vararg function")
		}
		p.advance()
		p.fn.dots = true
		return at(&ast.Comma3Expr{}, line, line)
	case t.is("{"):
		return p.table()
	case p.accept("function"):
		return p.body(false, line)
	}
	e, _ := p.primary()
	return e
}
