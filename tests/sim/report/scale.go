package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"gonum.org/v1/plot/plotter"

	"github.com/libsds/libsds/tests/sim/world"
)

// Cell is what a group of a size costs at a loss.
type Cell struct {
	Config             string
	Participants, Loss int
	values             [len(columns)]float64
}

// column is a figure of a cell.
type column struct {
	key, title, format string
	of                 func(result *world.Result, window, lastSent int64, participants int) float64
}

// columns are all figures. Costs are those of the window; times are in seconds.
var columns = [...]column{
	{"consistent_s", "consistent after, s", "%.0f", func(r *world.Result, _, lastSent int64, _ int) float64 {
		if !r.Consistent {
			return -1
		}
		return float64(r.LastDelivery-lastSent) / 1000
	}},
	{"lacking", "lacking", "%.0f", func(r *world.Result, _, _ int64, _ int) float64 { return float64(r.Lacking) }},
	{"p50_s", "50 %, s", "%.1f", func(r *world.Result, _, _ int64, _ int) float64 { return r.Measures.Latency.Percentile(0.5) / 1000 }},
	{"p90_s", "90 %, s", "%.1f", func(r *world.Result, _, _ int64, _ int) float64 { return r.Measures.Latency.Percentile(0.9) / 1000 }},
	{"p99_s", "99 %, s", "%.1f", func(r *world.Result, _, _ int64, _ int) float64 { return r.Measures.Latency.Percentile(0.99) / 1000 }},
	{"syncs", "syncs for a message", "%.1f", func(r *world.Result, _, _ int64, _ int) float64 {
		return ratio(r.Measures.Syncs(), r.Measures.Messages)
	}},
	{"repairs", "repairs for a message", "%.2f", func(r *world.Result, _, _ int64, _ int) float64 {
		return ratio(r.Measures.Repairs(), r.Measures.Messages)
	}},
	{"resends", "resends for a message", "%.2f", func(r *world.Result, _, _ int64, _ int) float64 {
		return ratio(r.Measures.Resends(), r.Measures.Messages)
	}},
	{"payloads", "payloads taken in for a delivery", "%.1f", func(r *world.Result, _, _ int64, _ int) float64 {
		return ratio(r.Measures.Received, r.Measures.Deliveries)
	}},
	{"kilobytes", "kB taken in for a delivery", "%.1f", func(r *world.Result, _, _ int64, _ int) float64 {
		return ratio(r.Measures.ReceivedBytes, r.Measures.Deliveries) / 1000
	}},
	{"rate", "kB/s taken in by each", "%.2f", func(r *world.Result, window, _ int64, participants int) float64 {
		return float64(r.Measures.ReceivedBytes) / float64(participants) / float64(window)
	}},
	{"memory", "memory, kB", "%.0f", func(r *world.Result, _, _ int64, _ int) float64 { return float64(r.ChannelBytes) / 1000 }},
}

// NewCell returns the figures of a run that was measured.
func NewCell(config string, participants, loss int, window, lastSent int64, r *world.Result) Cell {
	c := Cell{Config: config, Participants: participants, Loss: loss}
	for i := range columns {
		c.values[i] = columns[i].of(r, window, lastSent, participants)
	}
	return c
}

// value returns a figure by its key.
func (c *Cell) value(key string) float64 {
	return c.values[slices.IndexFunc(columns[:], func(column column) bool { return column.key == key })]
}

// cell writes a figure for people.
func (c *Cell) cell(i int) string {
	if c.values[i] < 0 {
		return "not in 30 min"
	}
	return fmt.Sprintf(columns[i].format, c.values[i])
}

// AppendCSV writes a cell as a line: configuration, participants, loss, and the
// figures in the order of the columns.
func AppendCSV(w io.Writer, c Cell) error {
	record := []string{c.Config, strconv.Itoa(c.Participants), strconv.Itoa(c.Loss)}
	for _, value := range c.values {
		record = append(record, strconv.FormatFloat(value, 'g', 6, 64))
	}
	writer := csv.NewWriter(w)
	if err := writer.Write(record); err != nil {
		return err
	}
	writer.Flush()
	return writer.Error()
}

// ReadCSV reads what AppendCSV wrote.
func ReadCSV(r io.Reader) ([]Cell, error) {
	reader := csv.NewReader(r)
	reader.FieldsPerRecord = 3 + len(columns)
	records, err := reader.ReadAll()
	if err != nil {
		return nil, err
	}
	cells := make([]Cell, len(records))
	for line, record := range records {
		c := &cells[line]
		c.Config = record[0]
		for i, field := range record[1:] {
			value, err := strconv.ParseFloat(field, 64)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", line+1, err)
			}
			switch i {
			case 0:
				c.Participants = int(value)
			case 1:
				c.Loss = int(value)
			default:
				c.values[i-2] = value
			}
		}
	}
	return cells, nil
}

// WriteTable writes cells as text, a line each.
func WriteTable(w io.Writer, cells []Cell) error {
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	line := func(words []string) error {
		_, err := fmt.Fprintln(table, strings.Join(words, "\t"))
		return err
	}
	if err := line(heads()); err != nil {
		return err
	}
	for i := range cells {
		if err := line(cells[i].row()); err != nil {
			return err
		}
	}
	return table.Flush()
}

// WriteMarkdown writes cells as a table of Markdown.
func WriteMarkdown(w io.Writer, cells []Cell) error {
	rule := strings.Repeat("|---", 3+len(columns)) + "|"
	if _, err := fmt.Fprintf(w, "| %s |\n%s\n", strings.Join(heads(), " | "), rule); err != nil {
		return err
	}
	for i := range cells {
		if _, err := fmt.Fprintf(w, "| %s |\n", strings.Join(cells[i].row(), " | ")); err != nil {
			return err
		}
	}
	return nil
}

func heads() []string {
	names := []string{"settings", "participants", "loss, %"}
	for _, column := range columns {
		names = append(names, column.title)
	}
	return names
}

func (c *Cell) row() []string {
	row := []string{c.Config, strconv.Itoa(c.Participants), strconv.Itoa(c.Loss)}
	for i := range c.values {
		row = append(row, c.cell(i))
	}
	return row
}

// ScalePlots are the plots of a table, by the names of their files. They show what was
// measured with the default configuration.
func ScalePlots(cells []Cell) map[string]*Plot {
	plots := map[string]*Plot{}
	for _, p := range []struct{ name, title, y, key string }{
		{"scale_consistency", "From the last message until everybody has everything", "seconds", "consistent_s"},
		{"scale_latency", "From a broadcast to its delivery, slowest of 100", "seconds", "p99_s"},
		{"scale_bytes", "What a participant takes in for a message that is delivered to it", "kB", "kilobytes"},
		{"scale_repairs", "Answers to requests, for each message", "broadcasts", "repairs"},
		{"scale_memory", "A participant with its channel", "kB of memory", "memory"},
	} {
		plots[p.name] = &Plot{Title: p.title, X: "participants", Y: p.y, LogX: true, LogY: p.key != "memory", Curves: byLoss(cells, p.key)}
	}
	return plots
}

// byLoss is a curve over the participants for each loss.
func byLoss(cells []Cell, key string) []Curve {
	curves := map[int]*Curve{}
	for i := range cells {
		c := &cells[i]
		if c.Config != "default" {
			continue
		}
		if curves[c.Loss] == nil {
			curves[c.Loss] = &Curve{Name: fmt.Sprintf("%d %% lost", c.Loss)}
		}
		curves[c.Loss].Points = append(curves[c.Loss].Points, plotter.XY{X: float64(c.Participants), Y: c.value(key)})
	}
	var sorted []Curve
	for loss := range 101 {
		if curve := curves[loss]; curve != nil {
			slices.SortFunc(curve.Points, func(a, b plotter.XY) int { return int(a.X - b.X) })
			sorted = append(sorted, *curve)
		}
	}
	return sorted
}
