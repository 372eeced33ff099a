package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"

	"gonum.org/v1/plot/plotter"

	"github.com/libsds/libsds/tests/sim/world"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Parse(pageText))

// table is a table of figures by loss and number of participants.
type table struct {
	Title   string
	Columns []string
	Rows    []tableRow
}

type tableRow struct {
	Name  string
	Cells []string
}

// WriteHTML writes the summary as a page that stands alone.
func (s *Summary) WriteHTML(w io.Writer) error {
	data := struct {
		Summary *Summary
		Rows    []Row
		Found   map[world.Invariant]int
		Plots   []template.HTML
		Tables  []table
	}{Summary: s, Rows: s.Rows(), Found: s.Found, Tables: s.tables()}
	for _, plot := range s.plots() {
		text, err := plot.svg()
		if err != nil {
			return err
		}
		data.Plots = append(data.Plots, template.HTML(text)) // made here, of numbers
	}
	return page.Execute(w, &data)
}

// byLoss and byGroup are the measures of a loss with every number of participants,
// and the other way round.
func (s *Summary) byLoss(loss int) *world.Measures {
	total := &world.Measures{}
	for group := range groupBounds {
		total.Add(&s.ByCell[loss][group])
	}
	return total
}

func (s *Summary) byGroup(group int) *world.Measures {
	total := &world.Measures{}
	for loss := range lossBounds {
		total.Add(&s.ByCell[loss][group])
	}
	return total
}

// figures are what is told of some runs.
var figures = []struct {
	what   string
	format string
	of     func(*world.Measures) float64
}{
	{"latency, 50 %, in seconds", "%.1f", func(m *world.Measures) float64 { return m.Latency.Percentile(0.5) / 1000 }},
	{"latency, 90 %, in seconds", "%.1f", func(m *world.Measures) float64 { return m.Latency.Percentile(0.9) / 1000 }},
	{"latency, 99 %, in seconds", "%.1f", func(m *world.Measures) float64 { return m.Latency.Percentile(0.99) / 1000 }},
	{"repairs for a message", "%.2f", func(m *world.Measures) float64 { return ratio(m.Repairs(), m.Messages) }},
	{"resends for a message", "%.2f", func(m *world.Measures) float64 { return ratio(m.Resends(), m.Messages) }},
	{"sync messages for a message", "%.1f", func(m *world.Measures) float64 { return ratio(m.Syncs(), m.Messages) }},
	{"broadcast bytes for a delivery", "%.0f", func(m *world.Measures) float64 { return ratio(m.BroadcastBytes(), m.Deliveries) }},
	{"never delivered, of 1000 that were to be", "%.2f", func(m *world.Measures) float64 {
		return 1000 * ratio(m.Unseen+m.Missing, m.Deliveries+m.Unseen+m.Missing)
	}},
}

func ratio(a, b uint64) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// classes are the names of the classes of losses and of groups.
func classes(bounds []float64, unit string) []string {
	var names []string
	for i, bound := range bounds {
		switch {
		case i == 0 || bound == bounds[i-1]+1:
			names = append(names, fmt.Sprintf("%g%s", bound, unit))
		default:
			names = append(names, fmt.Sprintf("to %g%s", bound, unit))
		}
	}
	return names
}

func (s *Summary) tables() []table {
	byLoss := table{Title: "By the loss of the network", Columns: classes(lossBounds, " %")}
	byGroup := table{Title: "By the number of participants", Columns: classes(groupBounds, "")}
	for _, figure := range figures {
		row := tableRow{Name: figure.what}
		for loss := range lossBounds {
			row.Cells = append(row.Cells, fmt.Sprintf(figure.format, figure.of(s.byLoss(loss))))
		}
		byLoss.Rows = append(byLoss.Rows, row)
		row = tableRow{Name: figure.what}
		for group := range groupBounds {
			row.Cells = append(row.Cells, fmt.Sprintf(figure.format, figure.of(s.byGroup(group))))
		}
		byGroup.Rows = append(byGroup.Rows, row)
	}
	return []table{byLoss, byGroup}
}

func (s *Summary) plots() []*Plot {
	latency := &Plot{Title: "From a broadcast to its delivery", X: "share of the deliveries, %", Y: "seconds", LogY: true}
	for loss, name := range classes(lossBounds, " % lost") {
		m := s.byLoss(loss)
		curve := Curve{Name: name}
		for _, percent := range []float64{5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 99} {
			if m.Latency.N > 0 {
				curve.Points = append(curve.Points, plotter.XY{X: percent, Y: m.Latency.Percentile(percent/100) / 1000})
			}
		}
		if len(curve.Points) > 0 {
			latency.Curves = append(latency.Curves, curve)
		}
	}
	effort := &Plot{Title: "What loss costs", X: "loss of the network, % (upper end of its class)", Y: "broadcasts for a message"}
	for _, kind := range []struct {
		name string
		of   func(*world.Measures) uint64
	}{{"repairs", (*world.Measures).Repairs}, {"resends", (*world.Measures).Resends}} {
		curve := Curve{Name: kind.name}
		for loss, bound := range lossBounds {
			m := s.byLoss(loss)
			curve.Points = append(curve.Points, plotter.XY{X: bound, Y: ratio(kind.of(m), m.Messages)})
		}
		effort.Curves = append(effort.Curves, curve)
	}
	wire := &Plot{Title: "Bytes on the wire", X: "participants (upper end of their class)", Y: "broadcast bytes for a delivery"}
	for loss, name := range classes(lossBounds, " % lost") {
		curve := Curve{Name: name}
		for group, bound := range groupBounds {
			if m := &s.ByCell[loss][group]; m.Deliveries > 0 {
				curve.Points = append(curve.Points, plotter.XY{X: bound, Y: ratio(m.BroadcastBytes(), m.Deliveries)})
			}
		}
		if len(curve.Points) > 0 {
			wire.Curves = append(wire.Curves, curve)
		}
	}
	return []*Plot{latency, effort, wire}
}
