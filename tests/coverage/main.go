// Command coverage judges what tests cover: scripts/check-coverage runs them.
//
//	go run ./tests/coverage -of core -at-least 95 [-exceptions FILE] PROFILE...
//
// The profiles, as go test -coverprofile writes them, count together. The share is that
// of the statements of the folders named, generated files excepted. With a file of
// exceptions, each block that nothing covers has to be listed there with a reason, and
// each that is listed has to be one. They are known by their text, so that lines may move.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

func main() {
	of := flag.String("of", "", "the folders to judge, with commas in between")
	atLeast := flag.Float64("at-least", 0, "the share that has to be covered, in percent")
	exceptions := flag.String("exceptions", "", "the file that lists what is not covered, and why")
	flag.Parse()
	if err := judge(strings.Split(*of, ","), *atLeast, *exceptions, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "coverage:", err)
		os.Exit(1)
	}
}

// place is a block of statements in a file.
type place struct {
	file                                       string // from the root of the module
	startLine, startColumn, endLine, endColumn int
}

type block struct {
	statements int
	covered    bool
}

func judge(folders []string, atLeast float64, exceptions string, profiles []string) error {
	blocks := map[place]block{}
	for _, path := range profiles {
		if err := readProfile(path, blocks); err != nil {
			return err
		}
	}
	sources := map[string]*source{}
	total, covered := 0, 0
	var missing []string // the names of what is not covered
	places := slices.SortedFunc(maps.Keys(blocks), func(a, b place) int {
		return strings.Compare(fmt.Sprintf("%s:%08d:%04d", a.file, a.startLine, a.startColumn), fmt.Sprintf("%s:%08d:%04d", b.file, b.startLine, b.startColumn))
	})
	for _, p := range places {
		if !slices.ContainsFunc(folders, func(folder string) bool { return strings.HasPrefix(p.file, folder+"/") }) {
			continue
		}
		if sources[p.file] == nil {
			s, err := readSource(p.file)
			if err != nil {
				return err
			}
			sources[p.file] = s
		}
		if sources[p.file].generated {
			continue
		}
		b := blocks[p]
		total += b.statements
		if b.covered {
			covered += b.statements
		} else {
			missing = append(missing, sources[p.file].name(p))
		}
	}
	if total == 0 {
		return fmt.Errorf("no statement of %v is in the profiles", folders)
	}
	name := strings.ReplaceAll(folders[0], "/", "_")
	share := 100 * float64(covered) / float64(total)
	fmt.Printf("%s: %d of %d statements covered, %.1f %%, in %d files\n", strings.Join(folders, ", "), covered, total, share, len(sources))
	good := verdict(share >= atLeast, name+"_statements_are_covered")
	if exceptions != "" {
		problems, err := compare(missing, exceptions)
		if err != nil {
			return err
		}
		for _, problem := range problems {
			fmt.Println(problem)
		}
		good = verdict(len(problems) == 0, name+"_exceptions_are_listed") && good
	}
	if !good {
		return fmt.Errorf("%s is not covered as it should be", strings.Join(folders, ", "))
	}
	return nil
}

func verdict(good bool, name string) bool {
	word := "FAIL"
	if good {
		word = "PASS"
	}
	fmt.Printf("--- %s: coverage/%s\n", word, name)
	return good
}

const (
	module = "github.com/libsds/libsds/"
	hook   = module + "capi/coverage_hook.go:" // what notes the coverage is not of the library
)

// readProfile adds the blocks of a profile: lines of the form
//
//	github.com/libsds/libsds/core/log.go:12.34,15.2 STATEMENTS COUNT
func readProfile(path string, blocks map[place]block) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "mode:") || strings.HasPrefix(line, hook) {
			continue
		}
		colon := strings.LastIndexByte(line, ':')
		if colon < 0 {
			return fmt.Errorf("%s: not a line of a profile: %q", path, line)
		}
		p := place{file: strings.TrimPrefix(line[:colon], module)}
		var statements, count int
		if _, err := fmt.Sscanf(line[colon+1:], "%d.%d,%d.%d %d %d",
			&p.startLine, &p.startColumn, &p.endLine, &p.endColumn, &statements, &count); err != nil {
			return fmt.Errorf("%s: %q: %w", path, line, err)
		}
		blocks[p] = block{statements, blocks[p].covered || count > 0}
	}
	return nil
}

// source is a file in which blocks are found.
type source struct {
	path      string
	lines     []string
	functions []function
	generated bool
}

type function struct {
	name       string
	first, end int // lines
}

func readSource(path string) (*source, error) {
	text, err := os.ReadFile(filepath.FromSlash(path))
	if err != nil {
		return nil, err
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	s := &source{path: path, lines: strings.Split(string(text), "\n"), generated: ast.IsGenerated(file)}
	for _, declaration := range file.Decls {
		f, ok := declaration.(*ast.FuncDecl)
		if !ok {
			continue
		}
		name := f.Name.Name
		if f.Recv != nil && len(f.Recv.List) == 1 {
			receiver := f.Recv.List[0].Type
			if star, ok := receiver.(*ast.StarExpr); ok {
				receiver = star.X
			}
			if identifier, ok := receiver.(*ast.Ident); ok {
				name = identifier.Name + "." + name
			}
		}
		s.functions = append(s.functions, function{name, fset.Position(f.Pos()).Line, fset.Position(f.End()).Line})
	}
	return s, nil
}

// longestText is how much of a block stands in its name.
const longestText = 120

// name is what a block is called in the list: its file, function and text, with what
// leads to it on the same line.
func (s *source) name(p place) string {
	name := "-"
	for _, f := range s.functions {
		if f.first <= p.startLine && p.startLine <= f.end {
			name = f.name
		}
	}
	lines := slices.Clone(s.lines[p.startLine-1 : p.endLine])
	last := len(lines) - 1
	lines[last] = lines[last][:min(p.endColumn-1, len(lines[last]))]
	text := strings.Join(strings.Fields(strings.Join(lines, " ")), " ")
	if runes := []rune(text); len(runes) > longestText {
		text = string(runes[:longestText]) + "…"
	}
	return s.path + ": " + name + ": " + text
}

// compare tells what is not covered and not listed, and the reverse. Blocks of the same
// name are counted: one line for each, or one with a count, as in "(3 times) core/log.go: …".
func compare(missing []string, path string) (problems []string, err error) {
	listed, chance, err := readExceptions(path)
	if err != nil {
		return nil, err
	}
	found := map[string]int{}
	for _, name := range missing {
		found[name]++
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if found[name] > listed[name] {
			problems = append(problems, fmt.Sprintf("covered by no test, and not listed (%d times):\n%s", found[name]-listed[name], name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(listed)) {
		if listed[name] > found[name] && !chance[name] {
			problems = append(problems, fmt.Sprintf("listed, and covered or gone (%d times):\n%s", listed[name]-found[name], name))
		}
	}
	return problems, nil
}

// readExceptions reads the list: names, a line each, and then, indented, the reason. What
// begins with a question mark may be covered, too: by chance, or on another machine.
func readExceptions(path string) (listed map[string]int, chance map[string]bool, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = file.Close() }()
	listed, chance = map[string]int{}, map[string]bool{}
	last := "" // a name that has no reason yet
	for scanner := bufio.NewScanner(file); scanner.Scan(); {
		line := scanner.Text()
		switch {
		case strings.HasPrefix(line, " "):
			last = ""
			continue
		case strings.HasPrefix(line, "#"), line == "":
			continue
		}
		line, maybe := strings.CutPrefix(line, "? ")
		times := 1
		if rest, ok := strings.CutPrefix(line, "("); ok {
			count, name, ok := strings.Cut(rest, " times) ")
			if times, err = strconv.Atoi(count); err != nil || !ok {
				return nil, nil, fmt.Errorf("%s: %q", path, line)
			}
			line = name
		}
		listed[line] += times
		chance[line] = maybe
		last = line
	}
	if last != "" {
		return nil, nil, fmt.Errorf("%s: no reason: %s", path, last)
	}
	return listed, chance, nil
}
