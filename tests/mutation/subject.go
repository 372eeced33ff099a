package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed switch.go.txt
var switchSource string

// conformance are the tests that look at several packages.
const conformance = "tests/conformance"

// subject is a package with all its mutants, compiled into its tests.
type subject struct {
	dir     string
	mutants []mutant
	suites  []*suite
	work    string
}

// listedPackage is what go list says of a package.
type listedPackage struct {
	Dir, ImportPath, Name, Export string
	GoFiles                       []string
}

// prepare mutates a package and compiles its tests.
func prepare(dir, work string) (*subject, error) {
	s := &subject{dir: dir, work: work}
	if err := os.RemoveAll(work); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(work, 0o755); err != nil {
		return nil, err
	}
	// A module of its own, so that mutants are no packages of this one.
	if err := os.WriteFile(filepath.Join(work, "go.mod"), []byte("module mutants\n"), 0o644); err != nil {
		return nil, err
	}
	overlay, err := s.mutate()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	for _, tests := range []string{dir, conformance} {
		binary := filepath.Join(work, strings.ReplaceAll(tests, "/", "_")+".test")
		if output, err := exec.Command("go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", binary, "./"+tests).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("the mutants of %s do not compile: %w\n%s", dir, err, output)
		}
		suite, err := newSuite(binary, tests)
		if err != nil {
			return nil, err
		}
		s.suites = append(s.suites, suite)
	}
	return s, s.measure()
}

// mutate writes the package with its mutants, and returns the overlay that puts it in the
// place of the original.
func (s *subject) mutate() (overlay string, err error) {
	output, err := exec.Command("go", "list", "-export", "-deps", "-json=Dir,ImportPath,Name,Export,GoFiles", "./"+s.dir).Output()
	if err != nil {
		return "", err
	}
	exports := map[string]string{}
	var subject listedPackage
	for decoder := json.NewDecoder(bytes.NewReader(output)); ; {
		var p listedPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return "", err
		}
		exports[p.ImportPath] = p.Export
		subject = p // the last one is what was asked for
	}

	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range subject.GoFiles {
		file, err := parser.ParseFile(fset, filepath.Join(subject.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return "", err
		}
		files = append(files, file)
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(exports[path])
	})}
	pkg, err := config.Check(subject.ImportPath, fset, files, info)
	if err != nil {
		return "", err
	}

	replace := map[string]string{filepath.Join(subject.Dir, "mutant_switch.go"): filepath.Join(s.work, "mutant_switch.go")}
	if err := os.WriteFile(filepath.Join(s.work, "mutant_switch.go"), []byte("package "+subject.Name+"\n"+switchSource), 0o644); err != nil {
		return "", err
	}
	for i, file := range files {
		original := filepath.Join(subject.Dir, subject.GoFiles[i])
		source, err := os.ReadFile(original)
		if err != nil {
			return "", err
		}
		r := &rewriter{fset: fset, info: info, pkg: pkg, file: file, source: source, dir: s.dir, mutants: &s.mutants}
		mutated := filepath.Join(s.work, subject.GoFiles[i])
		if err := os.WriteFile(mutated, []byte(r.rewrite()), 0o644); err != nil {
			return "", err
		}
		replace[original] = mutated
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlay = filepath.Join(s.work, "overlay.json")
	return overlay, os.WriteFile(overlay, text, 0o644)
}
