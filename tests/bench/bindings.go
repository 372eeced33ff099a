package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// A binding has a program of its own that prints what a wrap through it costs:
// the work of native.c's time_wraps, in the language's own words.
type binding struct {
	language string
	tool     string     // what has to be on the path
	build    [][]string // commands that come before
	run      []string
}

// bindingTurns is how often the programs run, in turns with the C one.
const bindingTurns = 5

// bindings returns how each is built and run, with what is built in folder.
func bindings(folder string) []binding {
	in := func(name string) string { return filepath.Join(folder, name) }
	return []binding{
		{
			language: "Python", tool: "python3",
			run: []string{"env", "PYTHONPATH=bindings/python/src", "PYTHONDONTWRITEBYTECODE=1", "python3", "bindings/python/bench/wrap.py"},
		},
		{
			language: "Nim", tool: "nim",
			build: [][]string{{"nim", "c", "--hints:off", "--warnings:off", "--gc:orc", "-d:danger", "--path:bindings/nim/src",
				"--nimcache:" + in("nimcache"), "-o:" + in("nim"), "bindings/nim/bench/wrap.nim"}},
			run: []string{in("nim")},
		},
		{
			language: "Rust", tool: "cargo",
			build: [][]string{{"cargo", "build", "--quiet", "--offline", "--release", "--example", "wrap",
				"--manifest-path", "bindings/rust/Cargo.toml", "--target-dir", in("rust")}},
			run: []string{in("rust/release/examples/wrap")},
		},
		{
			language: "Go (on the core, without C)", tool: "go",
			build: [][]string{{"go", "-C", "bindings/go", "build", "-o", in("go"), "./bench"}},
			run:   []string{in("go")},
		},
	}
}

// bindingRows tells what a wrap costs through each binding whose language is here,
// beside the same through the C API.
func bindingRows() []row {
	folder, err := os.MkdirTemp("", "libsds-bench")
	must(err)
	defer func() { must(os.RemoveAll(folder)) }()
	library, err := filepath.Abs("build")
	must(err)
	// How the three that load the library, and the one whose build asks, find it.
	must(os.Setenv("LIBSDS_PATH", filepath.Join(library, "libsds.so")))
	must(os.Setenv("LIBSDS_DIR", library))
	must(os.Setenv("LD_LIBRARY_PATH", library))

	native := compileAgainst(library, folder, "native")
	var here []binding
	for _, b := range bindings(folder) {
		if _, err := exec.LookPath(b.tool); err != nil {
			progress(fmt.Sprintf("nothing of %s: there is no %s here", b.language, b.tool))
			continue
		}
		for _, command := range b.build {
			run(command[0], command[1:]...)
		}
		here = append(here, b)
	}

	figures := figuresOf(func() string {
		inC := figuresOf(func() string { return run(native, "wraps") }, 1)["native_wrap"]
		printed := fmt.Sprintf("native_wrap %f\n", inC)
		for i, b := range here {
			wrap := figuresOf(func() string { return run(b.run[0], b.run[1:]...) }, 1)["wrap"]
			printed += fmt.Sprintf("wrap_%d %f\nratio_%d %f\n", i, wrap, i, wrap/inC)
		}
		return printed
	}, bindingTurns)

	rows := []row{{what: "SdsWrap from C, in turns with those below", value: figures["native_wrap"], unit: "ns"}}
	for i, b := range here {
		rows = append(rows, row{
			what: "  wrap through " + b.language, value: figures[fmt.Sprintf("wrap_%d", i)], unit: "ns",
			ratio: figures[fmt.Sprintf("ratio_%d", i)], to: "that",
		})
	}
	return rows
}
