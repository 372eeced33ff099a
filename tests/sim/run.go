package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/libsds/libsds/tests/sim/report"
	"github.com/libsds/libsds/tests/sim/world"
)

// outcome is what came of one seed.
type outcome struct {
	seed   uint64
	script *world.Script
	result world.Result
	took   time.Duration
	err    error
}

// survey runs seeds side by side, on so many workers, and hands over what came of
// each, one at a time and in the order of the seeds. No further seed begins once the
// context is done.
func survey(ctx context.Context, from, seeds uint64, workers int, twice bool, take func(*outcome)) {
	var next atomic.Uint64
	outcomes := make(chan *outcome, workers)
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for {
				n := next.Add(1) - 1
				if n >= seeds || ctx.Err() != nil {
					return
				}
				outcomes <- runSeed(from+n, twice)
			}
		})
	}
	go func() {
		group.Wait()
		close(outcomes)
	}()
	early := map[uint64]*outcome{}
	due := from
	for o := range outcomes {
		early[o.seed] = o
		for o := early[due]; o != nil; o = early[due] {
			take(o)
			delete(early, due)
			due++
		}
	}
}

// runSeed runs the script of a seed, twice if it is to be the same again.
func runSeed(seed uint64, twice bool) *outcome {
	begin := time.Now()
	o := &outcome{seed: seed, script: world.Generate(seed)}
	o.result, o.err = world.Run(o.script, world.Options{})
	o.took = time.Since(begin)
	if o.err == nil && twice {
		again, err := world.Run(o.script, world.Options{})
		if err == nil && again.Hash != o.result.Hash {
			err = fmt.Errorf("seed %d is not the same again: %s, then %s", seed, o.result.Hash, again.Hash)
		}
		o.err = err
	}
	return o
}

// runOptions are those of the command.
type runOptions struct {
	seeds, from uint64
	workers     int
	twice       bool
	report      string
	keep        string
	quiet       bool
}

func runCommand(flags *flag.FlagSet) func([]string, io.Writer) error {
	var o runOptions
	flags.Uint64Var(&o.seeds, "seeds", 1000, "how many seeds")
	flags.Uint64Var(&o.from, "from", 1, "the first seed")
	flags.IntVar(&o.workers, "workers", runtime.NumCPU(), "how many run side by side")
	flags.BoolVar(&o.twice, "twice", false, "run each seed twice, and compare the hashes")
	flags.StringVar(&o.report, "report", "", "write a report as HTML to this file")
	flags.StringVar(&o.keep, "keep", "", "write the shortened scripts of seeds that find something into this folder")
	flags.BoolVar(&o.quiet, "quiet", false, "no progress line")
	return func(arguments []string, out io.Writer) error {
		switch {
		case len(arguments) > 0:
			return fmt.Errorf("it takes options only, not %q", arguments[0])
		case o.seeds == 0:
			return errors.New("--seeds: one at least")
		case o.workers < 1:
			return errors.New("--workers: one at least")
		}
		return o.run(out)
	}
}

// mostShown bounds the seeds that are listed with what they found.
const mostShown = 20

func (o *runOptions) run(out io.Writer) error {
	begin := time.Now()
	summary := report.NewSummary(o.from, o.seeds)
	var took []time.Duration
	var found []*outcome
	var failed error
	progress := newProgress(o.quiet)
	// Who interrupts it gets what there is so far.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	survey(ctx, o.from, o.seeds, o.workers, o.twice, func(one *outcome) {
		if one.err != nil {
			failed = errors.Join(failed, one.err)
			return
		}
		took = append(took, one.took)
		summary.Add(one.script, &one.result)
		if one.result.Violation != nil {
			found = append(found, one)
		}
		progress.show(uint64(len(took)), o.seeds, len(found))
	})
	progress.end()
	if failed != nil || len(took) == 0 {
		return failed
	}
	slices.Sort(took)
	summary.Seeds = uint64(len(took))
	summary.Took = time.Since(begin)
	summary.Median, summary.Slowest = took[len(took)/2], took[len(took)-1]
	if err := o.print(out, summary, found); err != nil {
		return err
	}
	if o.report != "" {
		if err := writeReport(o.report, summary); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "report: %s\n", o.report); err != nil {
			return err
		}
	}
	if !summary.AcksWithinRisk() {
		if _, err := fmt.Fprintln(out, "more acknowledgements of what nobody has than the filters' probabilities explain"); err != nil {
			return err
		}
	}
	if len(found) > 0 || !summary.AcksWithinRisk() {
		return errFound
	}
	return nil
}

func (o *runOptions) print(out io.Writer, summary *report.Summary, found []*outcome) error {
	table := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	for _, row := range summary.Rows() {
		if _, err := fmt.Fprintf(table, "%s\t%s\n", row.What, row.Figure); err != nil {
			return err
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	slices.SortFunc(found, func(a, b *outcome) int { return cmp.Compare(a.seed, b.seed) })
	for i, one := range found {
		if i == mostShown {
			_, err := fmt.Fprintf(out, "and %d seeds more\n", len(found)-mostShown)
			return err
		}
		if _, err := fmt.Fprintf(out, "seed %d: %v\n", one.seed, one.result.Violation); err != nil {
			return err
		}
		if o.keep != "" {
			if err := o.shrink(out, one); err != nil {
				return err
			}
		}
	}
	return nil
}

// shrink keeps the short script of a seed that found something.
func (o *runOptions) shrink(out io.Writer, one *outcome) error {
	short, err := world.Shrink(one.script, 3000)
	if err != nil {
		return err
	}
	short.Comments = []string{fmt.Sprintf("Seed %d: %v", one.seed, one.result.Violation.Invariant)}
	path := filepath.Join(o.keep, fmt.Sprintf("seed_%d.txt", one.seed))
	if err := errors.Join(os.MkdirAll(o.keep, 0o755), os.WriteFile(path, []byte(short.String()), 0o644)); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "  its short script: %s\n", path)
	return err
}

func writeReport(path string, summary *report.Summary) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return summary.WriteHTML(file)
}

// progress is a line on stderr that says how far it is.
type progress struct {
	quiet bool
	begin time.Time
	shown time.Time
}

func newProgress(quiet bool) *progress { return &progress{quiet: quiet, begin: time.Now()} }

func (p *progress) show(done, all uint64, found int) {
	if now := time.Now(); !p.quiet && now.Sub(p.shown) > 200*time.Millisecond {
		p.shown = now
		left := time.Duration(float64(now.Sub(p.begin)) * float64(all-done) / float64(done)).Round(time.Second)
		fmt.Fprintf(os.Stderr, "\r%d of %d seeds, %d found something, %v left   ", done, all, found, left)
	}
}

func (p *progress) end() {
	if !p.shown.IsZero() {
		fmt.Fprintf(os.Stderr, "\r%60s\r", "")
	}
}
