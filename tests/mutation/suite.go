package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// suite is a test binary with the mutants in it.
type suite struct {
	binary, dir string
	flags       []string
	tests       []*test
}

// test is one test, with what it does where nothing is wrong.
type test struct {
	name    string
	cost    time.Duration // of the processor
	reaches []byte        // at the number of a mutant: 1 if the test comes by
	failure string        // what is wrong with it here, although there is no fault
}

// seeded makes property tests take the same cases each time, and no time for making a
// failure beautiful.
var seeded = []string{"-rapid.seed=1", "-rapid.shrinktime=0s", "-rapid.nofailfile"}

func newSuite(binary, dir string) (*suite, error) {
	s := &suite{binary: binary, dir: dir}
	output, err := exec.Command(binary, append([]string{"-test.list=."}, seeded...)...).Output()
	if err == nil {
		s.flags = seeded
	} else if output, err = exec.Command(binary, "-test.list=.").Output(); err != nil {
		return nil, fmt.Errorf("%s: %w", binary, err)
	}
	for name := range strings.FieldsSeq(string(output)) {
		if !strings.HasPrefix(name, "Benchmark") {
			s.tests = append(s.tests, &test{name: name})
		}
	}
	return s, nil
}

// result is how a run of tests ended.
type result struct {
	passed bool
	cost   time.Duration
	output string
}

// Bounds of one run of tests, beside those of the processor's time: a mutant may wait for
// what never comes, and it may ask for all memory.
const (
	patience  = 5 * time.Minute
	memoryKiB = 6 << 20
)

// run runs tests with one mutant, 0 for none, for at most so long of the processor's time.
func (s *suite) run(tests []*test, number int, most time.Duration, environment ...string) result {
	names := make([]string, len(tests))
	for i, t := range tests {
		names[i] = t.name
	}
	limits := fmt.Sprintf(`ulimit -t %d; ulimit -v %d; exec "$0" "$@"`, int(most.Seconds())+1, memoryKiB)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	arguments := append([]string{"-c", limits, s.binary, "-test.failfast", "-test.run=^(" + strings.Join(names, "|") + ")$"}, s.flags...)
	command := exec.CommandContext(ctx, "bash", arguments...)
	command.Dir = s.dir
	command.Env = append(append(os.Environ(), "MUTANT="+strconv.Itoa(number)), environment...)
	output, err := command.CombinedOutput()
	var r result
	r.passed, r.output = err == nil, string(output)
	if command.ProcessState != nil {
		r.cost = command.ProcessState.UserTime() + command.ProcessState.SystemTime()
	}
	return r
}

// measure runs every test once without a fault.
func (s *subject) measure() error {
	for _, suite := range s.suites {
		for _, t := range suite.tests {
			path := filepath.Join(s.work, "reached")
			if err := os.WriteFile(path, make([]byte, len(s.mutants)+1), 0o644); err != nil {
				return err
			}
			r := suite.run([]*test{t}, 0, patience, "MUTANTS_REACHED="+path)
			if !r.passed {
				t.failure = r.output
				fmt.Printf("%s: %s is left out: it fails where all mutants are compiled in, without a fault\n", s.dir, t.name)
				continue
			}
			t.cost = r.cost
			var err error
			if t.reaches, err = os.ReadFile(path); err != nil {
				return err
			}
		}
	}
	return nil
}

// outcome is what became of a mutant.
type outcome struct {
	killed, unreached bool
	says              string // what the tests say that killed it
}

// stages are the tests that run together, by what they cost: quick ones go first.
var stages = []struct{ least, below time.Duration }{
	{0, 25 * time.Millisecond},
	{25 * time.Millisecond, 100 * time.Millisecond},
	{100 * time.Millisecond, 400 * time.Millisecond},
	{400 * time.Millisecond, time.Hour},
}

// A mutant that uses up so many times what its tests cost otherwise, and the allowance,
// has no end.
const (
	slower    = 10
	allowance = time.Second
)

// kill runs mutants, several at the same time.
func (s *subject) kill(numbers []int, workers int) map[int]outcome {
	var (
		mu       sync.Mutex
		wait     sync.WaitGroup
		outcomes = map[int]outcome{}
		queue    = make(chan int)
	)
	for range workers {
		wait.Go(func() {
			for number := range queue {
				o := s.killOne(number)
				mu.Lock()
				outcomes[number] = o
				if !o.killed {
					fmt.Fprintln(os.Stderr, "survives:", s.mutants[number-1].name())
				}
				if done := len(outcomes); done%50 == 0 {
					fmt.Fprintf(os.Stderr, "%s: %d of %d\n", s.dir, done, len(numbers))
				}
				mu.Unlock()
			}
		})
	}
	for _, number := range numbers {
		queue <- number
	}
	close(queue)
	wait.Wait()
	return outcomes
}

func (s *subject) killOne(number int) outcome {
	reached := false
	for _, stage := range stages {
		for _, suite := range s.suites {
			var tests []*test
			var usual time.Duration
			for _, t := range suite.tests {
				if t.failure == "" && t.reaches[number] == 1 && stage.least <= t.cost && t.cost < stage.below {
					tests = append(tests, t)
					usual += t.cost
				}
			}
			if len(tests) == 0 {
				continue
			}
			reached = true
			if r := suite.run(tests, number, slower*usual+allowance); !r.passed {
				return outcome{killed: true, says: r.output}
			}
		}
	}
	return outcome{unreached: !reached}
}
