package sds

import (
	"fmt"
	"go/importer"
	"go/token"
	"go/types"
	"os"
	"slices"
	"strings"
	"testing"
)

// exported lists what a package exports, one thing a line: fields in their order, other
// things in that of their names. Names of results do not count: they are no part of a
// type.
func exported(pkg *types.Package) []string {
	var lines []string
	say := func(format string, arguments ...any) { lines = append(lines, fmt.Sprintf(format, arguments...)) }
	text := func(t types.Type) string { return types.TypeString(unnamed(t), (*types.Package).Name) }
	for _, name := range pkg.Scope().Names() {
		object := pkg.Scope().Lookup(name)
		if !object.Exported() {
			continue
		}
		switch object := object.(type) {
		case *types.Const:
			say("const %s %s = %s", name, text(object.Type()), object.Val())
		case *types.Var:
			say("var %s %s", name, text(object.Type()))
		case *types.Func:
			say("func %s %s", name, text(object.Type()))
		case *types.TypeName:
			record, ok := object.Type().Underlying().(*types.Struct)
			if !ok {
				say("type %s %s", name, text(object.Type().Underlying()))
				continue
			}
			say("type %s struct", name)
			for i := range record.NumFields() {
				if field := record.Field(i); field.Exported() {
					line := fmt.Sprintf("field %s.%s %s", name, field.Name(), text(field.Type()))
					if tag := record.Tag(i); tag != "" {
						line += " `" + tag + "`"
					}
					say("%s", line)
				}
			}
			methods := types.NewMethodSet(types.NewPointer(object.Type()))
			for i := range methods.Len() {
				if method := methods.At(i); method.Obj().Exported() {
					say("method *%s.%s %s", name, method.Obj().Name(), text(method.Type()))
				}
			}
		}
	}
	return lines
}

// unnamed is a function type without the names of its results.
func unnamed(t types.Type) types.Type {
	signature, ok := t.(*types.Signature)
	if !ok {
		return t
	}
	var results []*types.Var
	for i := range signature.Results().Len() {
		results = append(results, types.NewVar(token.NoPos, nil, "", signature.Results().At(i).Type()))
	}
	return types.NewSignatureType(nil, nil, nil, signature.Params(), types.NewTuple(results...), signature.Variadic())
}

func kept(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("testdata/api.txt")
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(strings.Split(strings.TrimSpace(string(text)), "\n"),
		func(line string) bool { return strings.HasPrefix(line, "#") })
}

// Fields that come after those of the old struct are additions, as methods are.
func TestEveryExportedNameOfTheOldBindingsIsHereUnchanged(t *testing.T) {
	pkg, err := importer.ForCompiler(token.NewFileSet(), "source", nil).Import("github.com/libsds/libsds/bindings/go/sds")
	if err != nil {
		t.Fatal(err)
	}
	ours := exported(pkg)
	fields := make(map[string]int) // of each type, how many were seen
	for _, line := range kept(t) {
		at := slices.Index(ours, line)
		if at < 0 {
			t.Errorf("not here: %s", line)
			continue
		}
		if typeName, isField := fieldOf(line); isField {
			fields[typeName]++
			if first := slices.Index(ours, "type "+typeName+" struct"); at != first+fields[typeName] {
				t.Errorf("not in its place: %s", line)
			}
		}
	}
	for _, whole := range []string{"HistoryEntry", "UnwrappedMessage"} { // programs convert and print them
		has := 0
		for _, line := range ours {
			if typeName, isField := fieldOf(line); isField && typeName == whole {
				has++
			}
		}
		if has != fields[whole] {
			t.Errorf("%s has %d fields, not %d", whole, has, fields[whole])
		}
	}
}

func fieldOf(line string) (typeName string, is bool) {
	rest, is := strings.CutPrefix(line, "field ")
	typeName, _, _ = strings.Cut(rest, ".")
	return typeName, is
}
