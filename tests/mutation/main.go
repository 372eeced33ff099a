package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

const (
	listPath = "tests/mutation/survivors.txt"
	atLeast  = 0.85 // of the mutants of each package
)

func main() {
	packages := flag.String("packages", "core/bloom,core/wire,core/channel", "what to mutate, with commas in between")
	sample := flag.Int("sample", 0, "run so many mutants of all, chosen by -seed; 0: all")
	seed := flag.Uint64("seed", 1, "of the sample")
	match := flag.String("match", "", "run only mutants whose names match this expression")
	workers := flag.Int("j", runtime.NumCPU(), "mutants that are run at the same time")
	work := flag.String("work", "build/mutation", "where the mutated packages go")
	flag.Parse()
	if err := run(strings.Split(*packages, ","), *match, *sample, *seed, *workers, *work); err != nil {
		fmt.Fprintln(os.Stderr, "mutation:", err)
		os.Exit(1)
	}
}

func run(packages []string, match string, sample int, seed uint64, workers int, work string) error {
	work, err := filepath.Abs(work)
	if err != nil {
		return err
	}
	wanted, err := regexp.Compile(match)
	if err != nil {
		return err
	}
	listed, err := readList(listPath)
	if err != nil {
		return err
	}
	var subjects []*subject
	all := 0
	for _, dir := range packages {
		s, err := prepare(dir, filepath.Join(work, strings.ReplaceAll(dir, "/", "_")))
		if err != nil {
			return err
		}
		subjects = append(subjects, s)
		all += len(s.mutants)
	}
	failed := false
	for _, s := range subjects {
		var chosen []int
		for i := range s.mutants {
			if wanted.MatchString(s.mutants[i].name()) {
				chosen = append(chosen, i+1)
			}
		}
		if sample > 0 {
			random := rand.New(rand.NewPCG(seed, uint64(len(s.mutants))))
			random.Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
			chosen = chosen[:min(len(chosen), (sample*len(s.mutants)+all-1)/all)]
		}
		if !report(s, chosen, s.kill(chosen, workers), listed, sample == 0 && match == "", match != "") {
			failed = true
		}
	}
	if failed {
		return fmt.Errorf("see above, and %s", listPath)
	}
	return nil
}

// report prints what became of the mutants of a package, and tells whether it is as it
// should be. Of all of them none must be listed in vain; of some that somebody picked, the
// share that is killed says nothing.
func report(s *subject, chosen []int, outcomes map[int]outcome, listed map[string]string, complete, picked bool) bool {
	good := true
	killed, unreached := 0, 0
	survives, says := map[string]bool{}, map[string]string{}
	for _, number := range chosen {
		m := &s.mutants[number-1]
		if outcomes[number].killed {
			killed++
			says[m.name()] = outcomes[number].says
			continue
		}
		note := ""
		if outcomes[number].unreached {
			unreached++
			note = " (no test reaches it)"
		}
		survives[m.name()] = true
		if listed[m.name()] == "" {
			fmt.Printf("    line %d%s\n%s\n", m.line, note, m.name())
			good = false
		}
	}
	name := strings.ReplaceAll(s.dir, "/", "_")
	verdict(good, name+"_survivors_are_explained")
	if complete {
		stale := true
		for entry := range listed {
			if strings.HasPrefix(entry, s.dir+"/") && !survives[entry] {
				fmt.Printf("    does not survive, or is none any longer:\n%s\n", entry)
				if says := strings.TrimSpace(says[entry]); says != "" {
					fmt.Printf("    | %s\n", strings.ReplaceAll(says, "\n", "\n    | "))
				}
				stale = false
			}
		}
		verdict(stale, name+"_explanations_are_needed")
		good = good && stale
	}
	rate := float64(killed) / float64(max(len(chosen), 1))
	fmt.Printf("%s: %d mutants of %d run, %d killed, %d survive (%d of them not reached by any test): %.1f %%\n",
		s.dir, len(chosen), len(s.mutants), killed, len(chosen)-killed, unreached, 100*rate)
	if picked {
		return good
	}
	verdict(rate >= atLeast, name+"_mutants_are_killed")
	return good && rate >= atLeast
}

func verdict(good bool, name string) {
	word := "FAIL"
	if good {
		word = "PASS"
	}
	fmt.Printf("--- %s: mutation/%s\n", word, name)
}

// readList reads the kept survivors. A paragraph is the names of one or more mutants, a
// line each, and then, indented, why they survive. Lines with # are comments.
func readList(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	listed := map[string]string{}
	for paragraph := range strings.SplitSeq(string(text), "\n\n") {
		var names, reason []string
		for line := range strings.SplitSeq(paragraph, "\n") {
			switch {
			case strings.HasPrefix(line, "#"), strings.TrimSpace(line) == "":
			case strings.HasPrefix(line, " "):
				reason = append(reason, strings.TrimSpace(line))
			case len(reason) > 0:
				return nil, fmt.Errorf("%s: a name after a reason: %s", path, line)
			default:
				names = append(names, line)
			}
		}
		if len(names) > 0 && len(reason) == 0 {
			return nil, fmt.Errorf("%s: no reason: %s", path, names[0])
		}
		for _, name := range names {
			if listed[name] != "" {
				return nil, fmt.Errorf("%s: twice: %s", path, name)
			}
			listed[name] = strings.Join(reason, " ")
		}
	}
	return listed, nil
}
