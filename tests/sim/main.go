// Command sim runs the protocol in virtual time: see package world for the model.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/libsds/libsds/tests/sim/world"
)

const usage = `usage: sim COMMAND [OPTION...] [ARGUMENT...]

Runs participants of libsds, the real managers, over a simulated network in virtual
time, and holds them to what the protocol promises. A seed decides everything: the
same seed is the same run, on any machine.

  run       runs many seeds, and says what they found
  script    prints the script of a SEED, or of a FILE again
  replay    runs the scripts in FILEs, or of SEEDs, with a trace of what happens
  shrink    makes the script of a SEED, or in a FILE, that violates an invariant
            as short as it can be, and prints it
  scale     measures groups of different sizes at different losses
  plots     draws what scale has measured, and prints it as a table of Markdown
  faults    lists the deliberate faults that participants of a script can have

sim COMMAND --help tells the options. Results go to stdout, progress to stderr. The
exit status is 1 where an invariant does not hold, and 2 where the command cannot
be carried out.
`

// errFound is what a command returns that has found a violation and said so.
var errFound = errors.New("an invariant does not hold")

// command is one of the program's.
type command struct {
	name, arguments, says string
	// prepare defines the options, and returns what runs with the arguments.
	prepare func(*flag.FlagSet) func(arguments []string, out io.Writer) error
}

var commands = []command{
	{"run", "", "Runs seeds.", runCommand},
	{"script", "SEED|FILE", "Prints a script.", scriptCommand},
	{"replay", "SEED|FILE...", "Runs scripts and prints what happens.", replayCommand},
	{"shrink", "SEED|FILE", "Prints a shorter script that violates the same invariant.", shrinkCommand},
	{"scale", "", "Measures how the protocol scales.", scaleCommand},
	{"plots", "TABLE", "Draws a table of sim scale.", plotsCommand},
	{"faults", "", "Lists the deliberate faults, and which invariant notices each.", faultsCommand},
}

func main() {
	os.Exit(program(os.Args[1:], os.Stdout, os.Stderr))
}

// program is main with its surroundings, for tests.
func program(arguments []string, out, problems io.Writer) int {
	if len(arguments) == 0 || arguments[0] == "--help" || arguments[0] == "-help" || arguments[0] == "-h" || arguments[0] == "help" {
		_, _ = fmt.Fprint(out, usage) // to who asked for it
		return 0
	}
	for _, c := range commands {
		if c.name == arguments[0] {
			return c.run(arguments[1:], out, problems)
		}
	}
	_, _ = fmt.Fprintf(problems, "sim: there is no command %q; sim --help lists them\n", arguments[0])
	return 2
}

func (c *command) run(arguments []string, out, problems io.Writer) int {
	flags := flag.NewFlagSet("sim "+c.name, flag.ContinueOnError)
	flags.SetOutput(problems)
	flags.Usage = func() {
		_, _ = fmt.Fprintf(flags.Output(), "usage: sim %s [OPTION...] %s\n%s\n", c.name, c.arguments, c.says)
		flags.PrintDefaults()
	}
	do := c.prepare(flags)
	switch err := flags.Parse(arguments); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2 // it has been said
	}
	switch err := do(flags.Args(), out); {
	case errors.Is(err, errFound):
		return 1
	case err != nil:
		_, _ = fmt.Fprintf(problems, "sim %s: %v\n", c.name, err)
		return 2
	}
	return 0
}

// load returns the script of a seed or in a file.
func load(argument string) (*world.Script, error) {
	if seed, err := strconv.ParseUint(argument, 10, 64); err == nil {
		return world.Generate(seed), nil
	}
	text, err := os.ReadFile(argument)
	if err != nil {
		return nil, fmt.Errorf("%q is neither a seed nor a file: %w", argument, err)
	}
	script, err := world.Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", argument, err)
	}
	return script, nil
}

// loadOne is load for commands that take one.
func loadOne(arguments []string) (*world.Script, error) {
	if len(arguments) != 1 {
		return nil, fmt.Errorf("it takes one seed or file, not %d", len(arguments))
	}
	return load(arguments[0])
}

func scriptCommand(*flag.FlagSet) func([]string, io.Writer) error {
	return func(arguments []string, out io.Writer) error {
		script, err := loadOne(arguments)
		if err != nil {
			return err
		}
		_, err = io.WriteString(out, script.String())
		return err
	}
}

func replayCommand(flags *flag.FlagSet) func([]string, io.Writer) error {
	quiet := flags.Bool("quiet", false, "print the end only, and not what happens")
	return func(arguments []string, out io.Writer) error {
		if len(arguments) == 0 {
			return errors.New("it takes a seed or a file")
		}
		var found error
		for _, argument := range arguments {
			script, err := load(argument)
			if err != nil {
				return err
			}
			options := world.Options{Trace: out}
			if *quiet {
				options.Trace = nil
			}
			result, err := world.Run(script, options)
			if err != nil {
				return fmt.Errorf("%s: %w", argument, err)
			}
			verdict := "every invariant holds"
			if result.Violation != nil {
				verdict, found = result.Violation.Error(), errFound
			}
			if _, err := fmt.Fprintf(out, "%s: %s (%d steps, %s)\n", argument, verdict, result.Steps, result.Hash); err != nil {
				return err
			}
		}
		return found
	}
}

func shrinkCommand(flags *flag.FlagSet) func([]string, io.Writer) error {
	runs := flags.Int("runs", 3000, "runs at most")
	return func(arguments []string, out io.Writer) error {
		script, err := loadOne(arguments)
		if err != nil {
			return err
		}
		short, err := world.Shrink(script, *runs)
		if err != nil {
			return err
		}
		result, err := world.Run(short, world.Options{})
		switch {
		case err != nil:
			return err
		case result.Violation == nil:
			return errors.New("it violates no invariant")
		}
		short.Comments = []string{result.Violation.Error()}
		_, err = io.WriteString(out, short.String())
		return err
	}
}

func faultsCommand(*flag.FlagSet) func([]string, io.Writer) error {
	return func(_ []string, out io.Writer) error {
		for _, name := range world.Faults() {
			says, breaks := world.Says(name)
			if name == "" {
				continue
			}
			if _, err := fmt.Fprintf(out, "%-12s %s: %s\n", name, says, breaks); err != nil {
				return err
			}
		}
		return nil
	}
}
