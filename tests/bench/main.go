// Command bench measures what the library costs and prints it as ratios to
// yardsticks that are measured in the same run: machines differ, and the same
// machine differs from minute to minute. It needs build/libsds.so and a C
// compiler; `make bench` sees to both.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"text/tabwriter"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// row is one line of the table. A target of 0 is none; least is a target from
// below.
type row struct {
	what          string
	value         float64
	unit          string
	ratio         float64
	to            string
	target        float64
	least         float64
	allocations   float64 // negative: not counted
	mostAllocated float64
}

// section is what can be measured by itself.
type section struct {
	name string
	rows func(*conversation, *yardsticks) []row
}

// sections are measured in this order.
var sections = []section{
	{"core", coreRows},
	{"abi", func(_ *conversation, yard *yardsticks) []row { return abiRows(yard) }},
	{"bindings", func(*conversation, *yardsticks) []row { return bindingRows() }},
	{"growth", func(*conversation, *yardsticks) []row { return growthRows() }},
	{"snapshot", func(*conversation, *yardsticks) []row { return snapshotRows() }},
	{"store", func(*conversation, *yardsticks) []row { return storeRows() }},
	{"memory", func(*conversation, *yardsticks) []row { return memoryRows() }},
}

func main() {
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: bench [SECTION...]\nMeasures what the library costs, all of it or only: core abi bindings growth snapshot store memory")
	}
	flag.Parse()
	for _, name := range flag.Args() {
		if !slices.ContainsFunc(sections, func(s section) bool { return s.name == name }) {
			must(fmt.Errorf("there is no section %q", name))
		}
	}
	progress("yardsticks")
	talk := newConversation()
	yard := measureYardsticks(talk)
	rows := yard.rows()
	for _, s := range sections {
		if flag.NArg() == 0 || slices.Contains(flag.Args(), s.name) {
			progress(s.name)
			rows = append(rows, s.rows(talk, yard)...)
		}
	}
	fmt.Fprintln(os.Stderr)
	print(rows)
}

// progress says on stderr what is being measured.
func progress(what string) { fmt.Fprintf(os.Stderr, "bench: measuring %s ...\n", what) }

// print writes the table. A target that is missed is a figure and no failure:
// on a machine that others use too, some runs miss what most meet.
func print(rows []row) {
	targets, met := 0, 0
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0) // Flush tells what went wrong
	_, _ = fmt.Fprintln(w, "what\tmeasured\tratio\ttarget\tallocations\t")
	for _, r := range rows {
		ratio, target, allocations, verdict := "", "", "", ""
		if r.to != "" {
			ratio = fmt.Sprintf("%.2f x %s", r.ratio, r.to)
		}
		missed := false
		measured := r.value
		if r.to != "" {
			measured = r.ratio
		}
		switch {
		case r.target > 0:
			target = fmt.Sprintf("at most %g", r.target)
			missed = measured > r.target
		case r.least > 0:
			target = fmt.Sprintf("at least %g", r.least)
			missed = measured < r.least
		}
		if r.mostAllocated > 0 {
			allocations = fmt.Sprintf("%.2f (at most %g)", r.allocations, r.mostAllocated)
			missed = missed || r.allocations > r.mostAllocated+0.05 // maps and trees grow now and then
		}
		if r.target > 0 || r.least > 0 || r.mostAllocated > 0 {
			targets++
			verdict = "MISSED"
			if !missed {
				met++
				verdict = "met"
			}
		}
		_, _ = fmt.Fprintf(w, "%s\t%.4g %s\t%s\t%s\t%s\t%s\n", r.what, r.value, r.unit, ratio, target, allocations, verdict)
	}
	must(w.Flush())
	if targets > 0 {
		fmt.Printf("%d of %d targets met\n", met, targets)
	}
}
