package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// mutantsOf returns the mutants of a package of one file, and the file with them.
func mutantsOf(t *testing.T, source string) (names []string, mutated string) {
	t.Helper()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "p.go", source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}}
	pkg, err := new(types.Config).Check("p", fset, []*ast.File{file}, info)
	if err != nil {
		t.Fatal(err)
	}
	var mutants []mutant
	r := &rewriter{fset: fset, info: info, pkg: pkg, file: file, source: []byte(source), dir: "p", mutants: &mutants}
	mutated = r.rewrite()
	for i := range mutants {
		names = append(names, strings.TrimPrefix(mutants[i].name(), "p/p.go: "))
	}
	return names, mutated
}

func TestMutantsOfEachKind(t *testing.T) {
	for _, test := range []struct {
		name, source string
		want         []string
	}{
		{"a comparison", "func f(a, b int) bool { return a < b }", []string{"f: a < b => a <= b", "f: a < b => a >= b"}},
		{"both operands", "func f(a, b bool) bool { return a && b }",
			[]string{"f: a => !a", "f: b => !b", "f: a && b => a", "f: a && b => b"}},
		{"arithmetic and its result", "func f(a int) int { return a * 3 }",
			[]string{"f: 3 => 3+1", "f: 3 => 3-1", "f: a * 3 => a / 3", "f: return a * 3 => return zero"}},
		{"statements", "func f() (n int) { n = f(); f(); n++; return }",
			[]string{"f: n = f() => nothing", "f: f() => nothing", "f: n++ => n--", "f: n++ => nothing"}},
		{"a loop", "func f(n int) { for n > 0 { if n == 5 { break }; continue } }",
			[]string{"f: n > 0 => n >= 0", "f: n > 0 => n <= 0", "f: 5 => 5+1", "f: 5 => 5-1", "f: n == 5 => n != 5", "f: break => continue", "f: continue => break"}},
		{"the smaller and the larger", "type t struct{}; func (t) f(a, b int) int { return min(a, b) }",
			[]string{"t.f: min(a, b) => max(a, b)", "t.f: return min(a, b) => return zero"}},
		{"the same twice", "func f(a bool) bool { if a { return true }; return !a }",
			[]string{"f: a => !a", "f: true => !true", "f: a => !a #2"}},
		{"nothing of constants, types and panics", `const n = 3; var a [n]int; func f() { panic("x" + "y") }`, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			names, mutated := mutantsOf(t, "package p\n"+test.source+"\n")
			slices.Sort(names)
			slices.Sort(test.want)
			if !slices.Equal(names, test.want) {
				t.Errorf("got  %q\nwant %q", names, test.want)
			}
			if _, err := parser.ParseFile(token.NewFileSet(), "", mutated, 0); err != nil {
				t.Errorf("%v in\n%s", err, mutated)
			}
			if strings.Count(mutated, "\n") != strings.Count(test.source, "\n")+2 {
				t.Error("lines have moved")
			}
		})
	}
}

func TestSurvivorsHaveReasons(t *testing.T) {
	path := filepath.Join(t.TempDir(), "list")
	for text, want := range map[string]int{
		"# a comment\n\na: f: x => y\na: g: x => y\n  They do\n  no harm.\n\nb: f: x => y\n  Nor does this.\n": 3,
		"a: f: x => y\n":                               -1,
		"a: f: x => y\n  why\nb: f: x => y":            -1,
		"a: f: x => y\n  why\n\na: f: x => y\n  why\n": -1,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		listed, err := readList(path)
		if got := len(listed); (err == nil) != (want >= 0) || err == nil && got != want {
			t.Errorf("%q: %d names, %v", text, got, err)
		}
	}
	if _, err := readList("survivors.txt"); err != nil {
		t.Error(err)
	}
}
