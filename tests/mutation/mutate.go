package main

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"path/filepath"
	"strings"
)

// mutant is one fault. Its number is its place in the list of all, counted from 1.
type mutant struct {
	file, function string
	was, becomes   string
	line           int
	occurrence     int // among those of the same name, from 1
}

// name tells a mutant from all others, also after lines have moved.
func (m *mutant) name() string {
	name := fmt.Sprintf("%s: %s: %s => %s", m.file, m.function, m.was, m.becomes)
	if m.occurrence > 1 {
		name += fmt.Sprintf(" #%d", m.occurrence)
	}
	return name
}

// rewriter writes a file again with all mutants of its functions in it.
type rewriter struct {
	fset    *token.FileSet
	info    *types.Info
	pkg     *types.Package
	file    *ast.File
	source  []byte
	dir     string // of the package, as it is named in mutants
	mutants *[]mutant

	function string
	parents  []ast.Node // outermost first, without the node at hand
	silent   int        // within nodes that are not mutated
}

func (r *rewriter) rewrite() string {
	base := r.fset.Position(r.file.FileStart).Offset
	return string(r.source[base:r.offset(r.file.Pos())]) + r.text(r.file) + string(r.source[r.offset(r.file.End()):])
}

func (r *rewriter) offset(p token.Pos) int { return r.fset.Position(p).Offset }

func (r *rewriter) original(from, to token.Pos) string {
	return string(r.source[r.offset(from):r.offset(to)])
}

// text is a node with its mutants.
func (r *rewriter) text(n ast.Node) string {
	if declaration, ok := n.(*ast.FuncDecl); ok {
		r.function = functionName(declaration)
	} else if len(r.parents) == 1 {
		r.function = "package"
	}
	if r.unmutable(n) {
		r.silent++
		defer func() { r.silent-- }()
	}
	if r.silent > 0 {
		return r.original(n.Pos(), n.End())
	}
	if expression, ok := n.(ast.Expr); ok {
		if value := r.info.Types[expression].Value; value != nil {
			return r.constant(expression, value)
		}
	}
	text := r.node(n)
	if expression, ok := n.(ast.Expr); ok && r.isCondition(expression) {
		text = r.negated(n, text, "!"+oneLine(r.original(n.Pos(), n.End())))
	}
	return text
}

// plain is a node as it is, with the mutants of what is in it.
func (r *rewriter) plain(n ast.Node) string {
	var text strings.Builder
	at := n.Pos()
	r.parents = append(r.parents, n)
	ast.Inspect(n, func(child ast.Node) bool {
		if child == n {
			return true
		}
		if _, ok := child.(*ast.FuncType); ok {
			return false // around the name of a declaration
		}
		if child != nil {
			text.WriteString(r.original(at, child.Pos()))
			text.WriteString(r.text(child))
			at = child.End()
		}
		return false
	})
	r.parents = r.parents[:len(r.parents)-1]
	text.WriteString(r.original(at, n.End()))
	return text.String()
}

// child is the text of a part of a node.
func (r *rewriter) child(parent, n ast.Node) string {
	r.parents = append(r.parents, parent)
	defer func() { r.parents = r.parents[:len(r.parents)-1] }()
	return r.text(n)
}

func (r *rewriter) parent() ast.Node {
	if len(r.parents) == 0 {
		return nil
	}
	return r.parents[len(r.parents)-1]
}

// unmutable tells what is left alone, with all that is in it.
func (r *rewriter) unmutable(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GenDecl:
		return n.Tok != token.VAR
	case *ast.ImportSpec, *ast.FieldList, *ast.ArrayType, *ast.MapType, *ast.StructType, *ast.FuncType, *ast.InterfaceType:
		return true
	case *ast.CallExpr:
		return r.isBuiltin(n, "panic") || r.isError(n)
	case ast.Expr:
		if r.info.Types[n].IsType() {
			return true
		}
		switch parent := r.parent().(type) {
		case *ast.KeyValueExpr:
			return parent.Key == n // a field, or the index of an element
		case *ast.CallExpr: // the room that make is asked for
			return r.isBuiltin(parent, "make") && (len(parent.Args) == 3 && n == parent.Args[2] || isMap(r.info.TypeOf(parent)))
		}
	}
	return false
}

func isMap(t types.Type) bool {
	_, ok := t.Underlying().(*types.Map)
	return ok
}

func (r *rewriter) isBuiltin(call *ast.CallExpr, name string) bool {
	identifier, ok := call.Fun.(*ast.Ident)
	if !ok || identifier.Name != name {
		return false
	}
	_, ok = r.info.Uses[identifier].(*types.Builtin)
	return ok
}

// isError tells whether a call makes an error out of nothing but its words.
func (r *rewriter) isError(call *ast.CallExpr) bool {
	text := r.original(call.Fun.Pos(), call.Fun.End())
	return text == "fmt.Errorf" || text == "errors.New"
}

// add makes a mutant of a node and returns the condition of its being the one.
func (r *rewriter) add(n ast.Node, was, becomes string) string {
	position := r.fset.Position(n.Pos())
	m := mutant{
		file:     r.dir + "/" + filepath.Base(position.Filename),
		function: r.function, was: oneLine(was), becomes: oneLine(becomes), line: position.Line, occurrence: 1,
	}
	for _, other := range *r.mutants {
		if other.file == m.file && other.function == m.function && other.was == m.was && other.becomes == m.becomes {
			m.occurrence++
		}
	}
	*r.mutants = append(*r.mutants, m)
	return fmt.Sprintf("mutantIs(%d)", len(*r.mutants))
}

func (r *rewriter) negated(n ast.Node, text, becomes string) string {
	is := r.add(n, r.original(n.Pos(), n.End()), becomes)
	return fmt.Sprintf("((%s) != %s)", text, is)
}

// constant is a constant with the mutants that it has where it stands.
func (r *rewriter) constant(n ast.Expr, value constant.Value) string {
	text := r.original(n.Pos(), n.End())
	if _, ok := r.parent().(*ast.ParenExpr); ok {
		return text // of something constant
	}
	if binary, ok := r.parent().(*ast.BinaryExpr); ok && movedBounds[binary.Op] != 0 {
		return text // the bound is moved with the comparison
	}
	t := r.info.TypeOf(n)
	basic, ok := t.Underlying().(*types.Basic)
	if !ok {
		return text
	}
	switch {
	case basic.Info()&types.IsBoolean != 0:
		return r.negated(n, text, "!"+text)
	case basic.Info()&types.IsInteger != 0 && value.Kind() == constant.Int:
		name, ok := r.typeName(types.Default(t))
		if !ok {
			return text
		}
		more := r.add(n, text, text+"+1")
		less := "false"
		if constant.Sign(value) != 0 {
			less = r.add(n, text, text+"-1")
		}
		return fmt.Sprintf("mutantNear[%s](%s, %s, %s)", name, text, more, less)
	}
	return text
}

var (
	negations = map[token.Token]token.Token{
		token.EQL: token.NEQ, token.NEQ: token.EQL, token.LSS: token.GEQ, token.GEQ: token.LSS, token.GTR: token.LEQ, token.LEQ: token.GTR,
	}
	movedBounds = map[token.Token]token.Token{
		token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR,
	}
	arithmetic = map[token.Token]token.Token{
		token.ADD: token.SUB, token.SUB: token.ADD, token.MUL: token.QUO, token.QUO: token.MUL, token.REM: token.MUL,
		token.SHL: token.SHR, token.SHR: token.SHL, token.AND: token.OR, token.OR: token.AND, token.XOR: token.AND, token.AND_NOT: token.AND,
		token.ADD_ASSIGN: token.SUB_ASSIGN, token.SUB_ASSIGN: token.ADD_ASSIGN, token.MUL_ASSIGN: token.QUO_ASSIGN, token.QUO_ASSIGN: token.MUL_ASSIGN,
		token.REM_ASSIGN: token.MUL_ASSIGN, token.SHL_ASSIGN: token.SHR_ASSIGN, token.SHR_ASSIGN: token.SHL_ASSIGN,
		token.AND_ASSIGN: token.OR_ASSIGN, token.OR_ASSIGN: token.AND_ASSIGN, token.XOR_ASSIGN: token.AND_ASSIGN, token.AND_NOT_ASSIGN: token.AND_ASSIGN,
	}
)

// node is a node with its own mutants and those of what is in it.
func (r *rewriter) node(n ast.Node) string {
	switch n := n.(type) {
	case *ast.BinaryExpr:
		return r.binary(n)
	case *ast.CallExpr:
		return r.call(n)
	case *ast.IncDecStmt:
		return r.incDec(n)
	case *ast.AssignStmt:
		return r.assignment(n)
	case *ast.ExprStmt:
		if call, ok := n.X.(*ast.CallExpr); ok && !r.isBuiltin(call, "panic") {
			return r.removable(n)
		}
	case *ast.ReturnStmt:
		return r.returned(n)
	case *ast.BranchStmt:
		return r.branch(n)
	}
	return r.plain(n)
}

func (r *rewriter) binary(n *ast.BinaryExpr) string {
	x, y := r.child(n, n.X), r.child(n, n.Y)
	between := func(operator token.Token) string {
		return r.original(n.X.End(), n.OpPos) + operator.String() + r.original(n.OpPos+token.Pos(len(n.Op.String())), n.Y.Pos())
	}
	source := func(operator token.Token) string {
		return r.original(n.X.Pos(), n.X.End()) + between(operator) + r.original(n.Y.Pos(), n.Y.End())
	}
	was, text := source(n.Op), x+between(n.Op)+y
	switch {
	case n.Op == token.LAND || n.Op == token.LOR:
		left := r.add(n, was, r.original(n.X.Pos(), n.X.End()))
		right := r.add(n, was, r.original(n.Y.Pos(), n.Y.End()))
		if n.Op == token.LAND {
			return fmt.Sprintf("((%s || %s)%s(%s || %s))", right, x, between(n.Op), left, y)
		}
		return fmt.Sprintf("((!%s && %s)%s(!%s && %s))", right, x, between(n.Op), left, y)
	case negations[n.Op] != 0:
		if moved := movedBounds[n.Op]; moved != 0 {
			is := r.add(n, was, source(moved))
			text = fmt.Sprintf("(%s && %s || !%s && %s)", is, x+between(moved)+y, is, text)
		}
		return r.negated(n, text, source(negations[n.Op]))
	case arithmetic[n.Op] != 0 && isNumber(r.info.TypeOf(n)):
		other := arithmetic[n.Op]
		if b, ok := r.info.TypeOf(n).Underlying().(*types.Basic); !ok || b.Info()&types.IsFloat != 0 && other == token.REM {
			break
		}
		return r.either(n, r.add(n, was, source(other)), x+between(other)+y, text)
	}
	return text
}

// either is an expression that has another value in a mutant.
func (r *rewriter) either(n ast.Expr, is, mutated, text string) string {
	name, ok := r.typeName(r.info.TypeOf(n))
	if !ok {
		panic("a type without a name: " + r.info.TypeOf(n).String())
	}
	return fmt.Sprintf("func() %s { if %s { return %s }; return %s }()", name, is, mutated, text)
}

func (r *rewriter) call(n *ast.CallExpr) string {
	text := r.plain(n)
	for name, other := range map[string]string{"min": "max", "max": "min"} {
		if r.isBuiltin(n, name) {
			arguments := r.original(n.Lparen, n.End())
			return r.either(n, r.add(n, name+arguments, other+arguments), other+strings.TrimPrefix(text, name), text)
		}
	}
	return text
}

func (r *rewriter) incDec(n *ast.IncDecStmt) string {
	x, was := r.child(n, n.X), r.original(n.Pos(), n.End())
	name, ok := r.typeName(r.info.TypeOf(n.X))
	if !ok {
		return r.plain(n)
	}
	other := token.DEC
	operator := "+="
	if n.Tok == token.DEC {
		other, operator = token.INC, "-="
	}
	is := r.add(n, was, r.original(n.X.Pos(), n.X.End())+other.String())
	text := fmt.Sprintf("%s %s mutantStep[%s](%s)", x, operator, name, is)
	if !r.inList() {
		return text
	}
	return r.leftOut(n, text)
}

func (r *rewriter) assignment(n *ast.AssignStmt) string {
	text := r.plain(n)
	if n.Tok == token.DEFINE || !r.inList() {
		return text
	}
	if other := arithmetic[n.Tok]; other != 0 && isNumber(r.info.TypeOf(n.Lhs[0])) {
		was := r.original(n.Pos(), n.End())
		mutated := strings.Replace(text, n.Tok.String(), other.String(), 1)
		is := r.add(n, was, strings.Replace(was, n.Tok.String(), other.String(), 1))
		text = fmt.Sprintf("if %s { %s } else { %s }", is, mutated, text)
	}
	return r.leftOut(n, text)
}

func (r *rewriter) removable(n ast.Stmt) string {
	text := r.plain(n)
	if !r.inList() {
		return text
	}
	return r.leftOut(n, text)
}

// leftOut is a statement that one mutant does not have.
func (r *rewriter) leftOut(n ast.Stmt, text string) string {
	return fmt.Sprintf("if !%s { %s }", r.add(n, r.original(n.Pos(), n.End()), "nothing"), text)
}

// returned is a return statement that in a mutant returns zero values.
func (r *rewriter) returned(n *ast.ReturnStmt) string {
	text := r.plain(n)
	if len(n.Results) == 0 || r.allZero(n.Results) {
		return text
	}
	results := r.signature().Results()
	var zeros []string
	for i := range results.Len() {
		t := results.At(i).Type()
		if results.Len() == 1 && isBoolean(t) {
			return text // it is negated already
		}
		name, ok := r.typeName(t)
		if !ok {
			return text
		}
		zeros = append(zeros, "*new("+name+")")
	}
	is := r.add(n, r.original(n.Pos(), n.End()), "return zero")
	return fmt.Sprintf("if %s { return %s }; %s", is, strings.Join(zeros, ", "), text)
}

func (r *rewriter) allZero(results []ast.Expr) bool {
	for _, result := range results {
		literal, ok := result.(*ast.CompositeLit)
		switch text := r.original(result.Pos(), result.End()); {
		case r.info.Types[result].IsNil(), ok && len(literal.Elts) == 0 && !isReference(r.info.TypeOf(result)):
		case text == `""`, text == "0", text == "false":
		default:
			return false
		}
	}
	return true
}

// signature is that of the innermost function.
func (r *rewriter) signature() *types.Signature {
	for i := len(r.parents) - 1; ; i-- {
		switch f := r.parents[i].(type) {
		case *ast.FuncLit:
			return r.info.TypeOf(f).(*types.Signature)
		case *ast.FuncDecl:
			return r.info.Defs[f.Name].Type().(*types.Signature)
		}
	}
}

func (r *rewriter) branch(n *ast.BranchStmt) string {
	was := r.original(n.Pos(), n.End())
	if n.Label != nil || !r.inList() {
		return was
	}
	loop := r.loop()
	switch {
	case n.Tok == token.CONTINUE && hasEnd(loop):
		return fmt.Sprintf("if %s { break }; continue", r.add(n, was, "break"))
	case n.Tok == token.BREAK && loop != nil:
		return fmt.Sprintf("if %s { continue }; break", r.add(n, was, "continue"))
	}
	return was
}

// loop is the innermost loop of the function, or nil.
func (r *rewriter) loop() ast.Stmt {
	for i := len(r.parents) - 1; i >= 0; i-- {
		switch loop := r.parents[i].(type) {
		case *ast.ForStmt:
			return loop
		case *ast.RangeStmt:
			return loop
		case *ast.FuncLit:
			return nil
		}
	}
	return nil
}

// hasEnd tells whether a function may go on after a loop: one more break in a loop that
// has no end would ask for a return.
func hasEnd(loop ast.Stmt) bool {
	f, ok := loop.(*ast.ForStmt)
	return !ok || f.Cond != nil
}

// inList tells whether the node at hand is a statement among others, so that several may
// stand in its place.
func (r *rewriter) inList() bool {
	switch parent := r.parent().(type) {
	case *ast.BlockStmt, *ast.CaseClause, *ast.CommClause:
		return parent != nil
	}
	return false
}

// isCondition tells whether an expression decides something, and is none of those whose
// operators are mutated.
func (r *rewriter) isCondition(n ast.Expr) bool {
	t := r.info.TypeOf(n)
	if t == nil || !isBoolean(t) {
		return false
	}
	switch n := n.(type) {
	case *ast.BinaryExpr, *ast.ParenExpr:
		return false
	case *ast.UnaryExpr:
		return n.Op != token.NOT
	}
	switch parent := r.parent().(type) {
	case *ast.IfStmt, *ast.ForStmt, *ast.ReturnStmt, *ast.ParenExpr:
		return true
	case *ast.UnaryExpr:
		return parent.Op == token.NOT
	case *ast.BinaryExpr:
		return parent.Op == token.LAND || parent.Op == token.LOR
	}
	return false
}

// typeName is how this file names a type, if it can.
func (r *rewriter) typeName(t types.Type) (string, bool) {
	known := true
	name := types.TypeString(t, func(p *types.Package) string {
		if p == r.pkg {
			return ""
		}
		for _, spec := range r.file.Imports {
			if strings.Trim(spec.Path.Value, `"`) != p.Path() {
				continue
			}
			if spec.Name != nil {
				return spec.Name.Name
			}
			return p.Name()
		}
		known = false
		return p.Name()
	})
	return name, known && !strings.Contains(name, "untyped")
}

// isReference tells whether an empty literal of a type is not its zero value.
func isReference(t types.Type) bool {
	switch t.Underlying().(type) {
	case *types.Map, *types.Slice:
		return true
	}
	return false
}

func isNumber(t types.Type) bool {
	basic, ok := t.Underlying().(*types.Basic)
	return ok && basic.Info()&types.IsNumeric != 0
}

func isBoolean(t types.Type) bool {
	basic, ok := t.Underlying().(*types.Basic)
	return ok && basic.Info()&types.IsBoolean != 0
}

func functionName(n *ast.FuncDecl) string {
	if n.Recv == nil || len(n.Recv.List) == 0 {
		return n.Name.Name
	}
	receiver := n.Recv.List[0].Type
	if star, ok := receiver.(*ast.StarExpr); ok {
		receiver = star.X
	}
	if index, ok := receiver.(*ast.IndexExpr); ok {
		receiver = index.X
	}
	return receiver.(*ast.Ident).Name + "." + n.Name.Name
}

// longestText is how much of a statement stands in the name of a mutant.
const longestText = 200

func oneLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > longestText {
		text = string(runes[:longestText]) + "…"
	}
	return text
}
