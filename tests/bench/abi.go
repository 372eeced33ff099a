package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// border is what a native call may cost beyond the core, in nanoseconds.
const border = 1500

// abiRows compiles the C programs against build/ and runs them, the native one in
// turns with the core, whose costs it is compared with.
func abiRows(yard *yardsticks) []row {
	folder, err := os.MkdirTemp("", "libsds-bench")
	must(err)
	defer func() { must(os.RemoveAll(folder)) }()
	library, err := filepath.Abs("build")
	must(err)
	replaced, native := compileAgainst(library, folder, "abi"), compileAgainst(library, folder, "native")
	loader := compile(folder, "load", "-ldl")

	figures := figuresOf(func() string { return run(replaced) }, 1)
	maps.Copy(figures, figuresOf(func() string { return run(loader, filepath.Join(library, "libsds.so")) }, 15))
	maps.Copy(figures, figuresOf(func() string { return besideCore(run(native), yard) }, 9))
	beyond := func(what, operation string) []row {
		core, whole := figures["core_"+operation], figures["native_"+operation]
		return []row{
			{what: what, value: whole, unit: "ns", ratio: whole / core, to: "the core's"},
			{what: "  the core's, measured in turns with it", value: core, unit: "ns"},
			{what: "  beyond that, median of the differences", value: figures["beyond_"+operation], unit: "ns", target: border},
		}
	}
	callers := func(what, name string) row {
		return row{what: what, value: figures[name+"_rate"], unit: "/s", ratio: figures[name], to: "one caller", least: 1.7}
	}
	// The core keeps a message, once; the tolerance is for what heaps round up.
	grown := func(function, operation string) row {
		return row{what: "  " + function + ": bytes of Go memory for a byte of content", value: figures["native_"+operation+"_growth"], target: 1.05}
	}
	text, wrap, unwrap := figures["text"], figures["wrap"], figures["unwrap"]
	// The result of an unwrap bears the content only: its own text costs far
	// less than the core's work for it.
	own := figures["core_unwrap"] + figures["content"]
	rows := append(beyond("SdsWrap, full log, 1 KiB", "wrap"), beyond("SdsUnwrap, full log, 1 KiB", "unwrap")...)
	return append(rows, []row{
		grown("SdsWrap", "wrap"),
		grown("SdsUnwrap", "unwrap"),
		callers("SdsWrap, 4 callers on 4 channels", "native_callers_wrap"),
		callers("SdsUnwrap, 4 callers on 4 channels", "native_callers_unwrap"),
		{what: "yardstick: writing a message as decimal text, in C", value: text, unit: "ns"},
		{what: "part 1 wrap", value: wrap, unit: "ns", ratio: wrap / text, to: "that", target: 2},
		{what: "part 1 unwrap", value: unwrap, unit: "ns", ratio: unwrap / text, to: "that", target: 2},
		{what: "  beside the core's and writing its own text", value: unwrap, unit: "ns", ratio: unwrap / own, to: "both"},
		{what: "loading the library", value: figures["load"] / 1e6, unit: "ms", target: 5},
		{what: "  and what it adds to memory", value: figures["resident"] / 1e6, unit: "MB", target: 5},
	}...)
}

// compile makes a program of tests/bench/c in folder.
func compile(folder, name string, flags ...string) string {
	program := filepath.Join(folder, name)
	run("gcc", append([]string{"-std=c11", "-D_DEFAULT_SOURCE", "-O2", "-Iinclude", "tests/bench/c/" + name + ".c", "-o", program}, flags...)...)
	return program
}

// compileAgainst makes one that the library in its folder is linked with.
func compileAgainst(library, folder, name string) string {
	return compile(folder, name, "-L"+library, "-lsds", "-pthread", "-Wl,-rpath,"+library)
}

// besideCore adds to what the native program printed what the core takes for the
// same, and the differences: a machine's moods last for longer than a run.
func besideCore(printed string, yard *yardsticks) string {
	native := figuresOf(func() string { return printed }, 1)
	wrap := newConversation().wrapCost(yard.copying).nanoseconds
	unwrap := newConversation().unwrapCost(0, yard.copying).nanoseconds
	return printed + fmt.Sprintf("core_wrap %f\ncore_unwrap %f\nbeyond_wrap %f\nbeyond_unwrap %f\n",
		wrap, unwrap, native["native_wrap"]-wrap, native["native_unwrap"]-unwrap)
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
