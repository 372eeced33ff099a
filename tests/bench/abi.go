package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// abiRows compiles the C programs against build/ and runs them. unwrapped is
// what the core's unwrap took, in nanoseconds.
func abiRows(unwrapped float64) []row {
	folder, err := os.MkdirTemp("", "libsds-bench")
	must(err)
	defer func() { must(os.RemoveAll(folder)) }()
	library, err := filepath.Abs("build")
	must(err)
	host := filepath.Join(folder, "abi")
	run("gcc", "-std=c11", "-D_POSIX_C_SOURCE=200809L", "-O2", "-Iinclude", "tests/bench/c/abi.c", "-o", host,
		"-L"+library, "-lsds", "-Wl,-rpath,"+library)
	loader := filepath.Join(folder, "load")
	run("gcc", "-std=c11", "-D_DEFAULT_SOURCE", "-O2", "tests/bench/c/load.c", "-o", loader, "-ldl")
	figures := figuresOf(func() string { return run(host) }, 1)
	for name, value := range figuresOf(func() string { return run(loader, filepath.Join(library, "libsds.so")) }, 15) {
		figures[name] = value
	}
	text, wrap, unwrap := figures["text"], figures["wrap"], figures["unwrap"]
	// The result of an unwrap bears the content only: its own text costs far
	// less than the core's work for it.
	own := unwrapped + figures["content"]
	return []row{
		{what: "yardstick: writing a message as decimal text, in C", value: text, unit: "ns"},
		{what: "part 1 wrap", value: wrap, unit: "ns", ratio: wrap / text, to: "that", target: 2},
		{what: "part 1 unwrap", value: unwrap, unit: "ns", ratio: unwrap / text, to: "that", target: 2},
		{what: "  beside the core's and writing its own text", value: unwrap, unit: "ns", ratio: unwrap / own, to: "both"},
		{what: "loading the library", value: figures["load"] / 1e6, unit: "ms", target: 5},
		{what: "  and what it adds to memory", value: figures["resident"] / 1e6, unit: "MB", target: 5},
	}
}

func run(name string, arguments ...string) string {
	var out, problems bytes.Buffer
	command := exec.Command(name, arguments...)
	command.Stdout, command.Stderr = &out, &problems
	if err := command.Run(); err != nil {
		must(fmt.Errorf("%s: %w\n%s", name, err, problems.String()))
	}
	return out.String()
}

// figuresOf runs a program that prints figures, a line each, and returns the
// median of each.
func figuresOf(program func() string, times int) map[string]float64 {
	all := map[string][]float64{}
	for range times {
		for _, line := range strings.Split(strings.TrimSpace(program()), "\n") {
			var name string
			var value float64
			_, err := fmt.Sscan(line, &name, &value)
			must(err)
			all[name] = append(all[name], value)
		}
	}
	medians := map[string]float64{}
	for name, values := range all {
		medians[name] = median(values)
	}
	return medians
}
