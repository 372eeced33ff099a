package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/libsds/libsds/tests/sim/report"
	"github.com/libsds/libsds/tests/sim/world"
)

// scaleOptions are those of the command.
type scaleOptions struct {
	participants, losses string
	config, name, table  string
	messages             int
	every, window, until int64
}

func scaleCommand(flags *flag.FlagSet) func([]string, io.Writer) error {
	o := scaleOptions{every: 5_000, window: 300_000, until: 1_800_000}
	flags.StringVar(&o.participants, "participants", "10,30,100", "numbers of participants")
	flags.StringVar(&o.losses, "loss", "0,5,10,20,30", "losses of the network, in percent")
	flags.StringVar(&o.config, "config", "{}", "the configuration, as hosts give it")
	flags.StringVar(&o.name, "name", "default", "what the table calls that configuration")
	flags.IntVar(&o.messages, "messages", 24, "messages, one every 5 seconds, each from somebody else")
	flags.StringVar(&o.table, "table", "", "append what is measured to this file (CSV)")
	return func(arguments []string, out io.Writer) error {
		if len(arguments) > 0 {
			return fmt.Errorf("it takes options only, not %q", arguments[0])
		}
		groups, err := numbers("participants", o.participants, 2, 26_000)
		if err != nil {
			return err
		}
		losses, err := numbers("loss", o.losses, 0, 100)
		if err != nil {
			return err
		}
		if o.messages < 1 {
			return errors.New("--messages: one at least")
		}
		return o.run(out, groups, losses)
	}
}

// numbers parses a list.
func numbers(option, list string, least, most int) ([]int, error) {
	var all []int
	for word := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(word))
		if err != nil || n < least || n > most {
			return nil, fmt.Errorf("--%s takes whole numbers from %d to %d, not %q", option, least, most, word)
		}
		all = append(all, n)
	}
	return all, nil
}

func (o *scaleOptions) run(out io.Writer, groups, losses []int) error {
	var cells []report.Cell
	for _, group := range groups {
		for _, loss := range losses {
			fmt.Fprintf(os.Stderr, "\r%d participants, %d %% lost   ", group, loss)
			result, err := world.Run(o.script(group, loss), world.Options{Measured: o.window})
			if err != nil {
				return err
			}
			if result.Violation != nil {
				return result.Violation
			}
			cell := report.NewCell(o.name, group, loss, o.window, int64(o.messages-1)*o.every, &result)
			cells = append(cells, cell)
			if o.table != "" {
				if err := appendCell(o.table, cell); err != nil {
					return err
				}
			}
		}
	}
	fmt.Fprintf(os.Stderr, "\r%40s\r", "")
	return report.WriteTable(out, cells)
}

// script is a conversation of a group: somebody says something every few seconds, at
// an even pace, and the network loses all the time.
func (o *scaleOptions) script(group, loss int) *world.Script {
	s := &world.Script{
		Seed: 1, Config: o.config, Calm: o.until,
		Network: world.Network{Loss: float64(loss) / 100, Fastest: 50, Slowest: 2_000},
	}
	for i := range group {
		s.Participants = append(s.Participants, world.Member{Name: fmt.Sprintf("participant-%04d", i), Keeps: world.KeepsNothing})
	}
	for i := range o.messages {
		who := i * 7919 % group // a prime, so that they are spread
		s.Actions = append(s.Actions, world.Send(int64(i)*o.every, s.Participants[who].Name, fmt.Sprintf("%064x", i+1), 100))
	}
	return s
}

func appendCell(path string, cell report.Cell) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return report.AppendCSV(file, cell)
}

func plotsCommand(flags *flag.FlagSet) func([]string, io.Writer) error {
	into := flags.String("into", "build/sim", "the folder for the plots")
	return func(arguments []string, out io.Writer) error {
		if len(arguments) != 1 {
			return fmt.Errorf("it takes one table of sim scale, not %d", len(arguments))
		}
		file, err := os.Open(arguments[0])
		if err != nil {
			return err
		}
		cells, err := report.ReadCSV(file)
		if err := errors.Join(err, file.Close()); err != nil {
			return fmt.Errorf("%s: %w", arguments[0], err)
		}
		if err := os.MkdirAll(*into, 0o755); err != nil {
			return err
		}
		for name, plot := range report.ScalePlots(cells) {
			if err := writePlot(filepath.Join(*into, name+".svg"), plot); err != nil {
				return err
			}
		}
		return report.WriteMarkdown(out, cells)
	}
}

func writePlot(path string, plot *report.Plot) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return plot.WriteSVG(file)
}
