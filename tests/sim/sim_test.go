package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/libsds/libsds/tests/sim/report"
	"github.com/libsds/libsds/tests/sim/world"
)

var (
	seedsFlag = flag.Uint64("sim.seeds", 1000, "how many seeds")
	fromFlag  = flag.Uint64("sim.from", 1, "the first seed")
)

// TestEveryInvariantHolds for each of the seeds, and the acknowledgements of what
// nobody has are as rare as the filters' probabilities say, over all of them.
func TestEveryInvariantHolds(t *testing.T) {
	summary := report.NewSummary(*fromFlag, *seedsFlag)
	survey(t.Context(), *fromFlag, *seedsFlag, runtime.GOMAXPROCS(0), false, func(o *outcome) {
		if o.err != nil {
			t.Error(o.err)
			return
		}
		summary.Add(o.script, &o.result)
		if o.result.Violation != nil {
			t.Errorf("seed %d: %v (go run ./tests/sim shrink %d)", o.seed, o.result.Violation, o.seed)
		}
	})
	if !summary.AcksWithinRisk() {
		t.Errorf("%d acknowledgements of what nobody has, and the filters' probabilities allow %.1f", summary.Total.FalseAcks, summary.Total.AckRisk)
	}
	for _, row := range summary.Rows() {
		t.Logf("%-60s %s", row.What, row.Figure)
	}
}

// TestTheSameSeedIsTheSameRun, step by step.
func TestTheSameSeedIsTheSameRun(t *testing.T) {
	survey(t.Context(), 1, 50, runtime.GOMAXPROCS(0), true, func(o *outcome) {
		if o.err != nil {
			t.Error(o.err)
		}
	})
	hash := func(seed uint64) string { return runSeed(seed, false).result.Hash }
	if hash(1) == hash(2) {
		t.Error("different seeds have the same hash")
	}
}

// TestRegressions: scripts that once found something find nothing any more.
func TestRegressions(t *testing.T) {
	paths, err := filepath.Glob("regressions/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no regressions: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			t.Parallel()
			script, err := load(path)
			if err != nil {
				t.Fatal(err)
			}
			result, err := world.Run(script, world.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if result.Violation != nil {
				t.Error(result.Violation)
			}
		})
	}
}

// TestTheProgram: what its commands print, and with which status they end.
func TestTheProgram(t *testing.T) {
	folder := t.TempDir()
	faulty := filepath.Join("world", "testdata", "faults", "twice.txt")
	cells := filepath.Join(folder, "cells.csv")
	page := filepath.Join(folder, "deep", "report.html")
	for _, test := range []struct {
		arguments string
		status    int
		out, err  string
	}{
		{"", 0, "usage: sim COMMAND", ""},
		{"--help", 0, "usage: sim COMMAND", ""},
		{"dance", 2, "", `no command "dance"`},
		{"run --seeds 3 --quiet --workers 1", 0, "seeds that violate an invariant", ""},
		{"run --seeds 3 --quiet --twice --report " + page, 0, "report: " + page, ""},
		{"run --seeds 0", 2, "", "--seeds"},
		{"run --workers 0", 2, "", "--workers"},
		{"run seventeen", 2, "", `"seventeen"`},
		{"run --colour", 2, "", "-colour"},
		{"run --help", 0, "", "-seeds"},
		{"script 5", 0, "seed 5\n", ""},
		{"script", 2, "", "one seed or file, not 0"},
		{"script nowhere.txt", 2, "", `"nowhere.txt" is neither a seed nor a file`},
		{"script main.go", 2, "", "main.go: line 1"},
		{"replay 5", 0, "every invariant holds", ""},
		{"replay --quiet 5 " + faulty, 1, "a: m17 is delivered again", ""},
		{"replay", 2, "", "a seed or a file"},
		{"shrink " + faulty, 0, "fault=twice", ""},
		{"shrink 5", 2, "", "violates no invariant"},
		{"faults", 0, "twice", ""},
		{"scale --participants 3,4 --loss 0,50 --messages 2 --table " + cells, 0, "consistent after", ""},
		{"scale --participants 1", 2, "", "--participants takes whole numbers from 2"},
		{"scale --loss high", 2, "", `not "high"`},
		{"scale --messages 0", 2, "", "--messages"},
		{"scale --config {\"speed\":1}", 2, "", `unknown key "speed"`},
		{"plots --into " + filepath.Join(folder, "plots") + " " + cells, 0, "| default | 4 | 50 |", ""},
		{"plots", 2, "", "one table of sim scale, not 0"},
		{"plots main.go", 2, "", "main.go: "},
	} {
		t.Run(test.arguments, func(t *testing.T) {
			var out, problems bytes.Buffer
			status := program(strings.Fields(test.arguments), &out, &problems)
			if status != test.status || !strings.Contains(out.String(), test.out) || !strings.Contains(problems.String(), test.err) {
				t.Errorf("status %d, out:\n%.500s\nerr:\n%s", status, out.String(), problems.String())
			}
		})
	}
	if text, err := os.ReadFile(page); err != nil || !bytes.Contains(text, []byte("<svg")) {
		t.Errorf("the report has no plot: %v", err)
	}
	if plots, err := filepath.Glob(filepath.Join(folder, "plots", "*.svg")); err != nil || len(plots) != 5 {
		t.Errorf("there are %d plots: %v", len(plots), err)
	}
}
