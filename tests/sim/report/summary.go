// Package report tells people what simulated runs measured: as a table, as a page
// of HTML, and as plots.
package report

import (
	"fmt"
	"math"
	"time"

	"github.com/libsds/libsds/tests/sim/world"
)

// Summary is what many seeds came to.
type Summary struct {
	From, Seeds     uint64
	Took            time.Duration
	Median, Slowest time.Duration // of a seed
	Found           map[world.Invariant]int
	Total           world.Measures
	// ByCell is the same by the class of the network's loss, and then by that of the
	// number of participants.
	ByCell [][]world.Measures
	Steps  uint64
}

// The classes of seeds: those of a loss up to each bound, in percent, and of a
// number of participants up to each.
var (
	lossBounds  = []float64{0, 5, 10, 20, 30, 50}
	groupBounds = []float64{2, 3, 4, 5, 8, 12}
)

// NewSummary returns the summary of no seeds yet.
func NewSummary(from, seeds uint64) *Summary {
	s := &Summary{From: from, Seeds: seeds, Found: map[world.Invariant]int{}}
	for range lossBounds {
		s.ByCell = append(s.ByCell, make([]world.Measures, len(groupBounds)))
	}
	return s
}

// Add adds a run.
func (s *Summary) Add(script *world.Script, result *world.Result) {
	if result.Violation != nil {
		s.Found[result.Violation.Invariant]++
	}
	s.Total.Add(&result.Measures)
	s.Steps += uint64(result.Steps)
	loss, group := 0, 0
	for loss < len(lossBounds)-1 && script.Network.Loss*100 > lossBounds[loss] {
		loss++
	}
	for group < len(groupBounds)-1 && float64(len(script.Participants)) > groupBounds[group] {
		group++
	}
	s.ByCell[loss][group].Add(&result.Measures)
}

// Row is a line of a table.
type Row struct{ What, Figure string }

// AcksWithinRisk tells whether acknowledgements of what nobody has are not more
// than the filters' probabilities explain.
func (s *Summary) AcksWithinRisk() bool {
	risk := s.Total.AckRisk
	return float64(s.Total.FalseAcks) <= risk+5*math.Sqrt(risk)+1
}

// Rows are the summary as a table.
func (s *Summary) Rows() []Row {
	m := &s.Total
	per := func(a, b uint64) string {
		if b == 0 {
			return "-"
		}
		return fmt.Sprintf("%.3g", float64(a)/float64(b))
	}
	rows := []Row{
		{"seeds", fmt.Sprintf("%d to %d, in %v", s.From, s.From+s.Seeds-1, s.Took.Round(100*time.Millisecond))},
		{"a seed", fmt.Sprintf("%v (median), %v (slowest)", s.Median.Round(10*time.Microsecond), s.Slowest.Round(time.Millisecond))},
		{"virtual time", fmt.Sprintf("%.0f hours", float64(m.Ended)/3.6e6)},
		{"steps", fmt.Sprint(s.Steps)},
		{"participants", fmt.Sprint(m.Participants)},
		{"messages, deliveries", fmt.Sprintf("%d, %d", m.Messages, m.Deliveries)},
		{"payloads broadcast", fmt.Sprintf("%d: %s for a delivery, %.0f bytes for one", m.Broadcasts(), per(m.Broadcasts(), m.Deliveries), float64(m.BroadcastBytes())/float64(max(m.Deliveries, 1)))},
		{"  sync messages", fmt.Sprint(m.Syncs())},
		{"  repairs", fmt.Sprint(m.Repairs())},
		{"  resends", fmt.Sprint(m.Resends())},
		{"latency, 50 %, 90 %, 99 %", fmt.Sprintf("%s, %s, %s", seconds(m.Latency.Percentile(0.5)), seconds(m.Latency.Percentile(0.9)), seconds(m.Latency.Percentile(0.99)))},
		{"had to wait for others", fmt.Sprint(m.Waits)},
		{"crashes", fmt.Sprint(m.Crashes)},
		{"fetched from a store node", fmt.Sprint(m.Fetched)},
		{"acknowledged", fmt.Sprint(m.Acks)},
		{"  of which nobody had", fmt.Sprintf("%d; the filters' probabilities allow %.1f in %d tests", m.FalseAcks, m.AckRisk, m.AckTests)},
		{"never acknowledged", fmt.Sprint(m.Failed)},
		{"delivered again after eviction", fmt.Sprint(m.Again)},
		{"runs in which evicted messages went round for ever", fmt.Sprint(m.Restless)},
		{"runs in which somebody lacks a message at the end", fmt.Sprintf("%d of %d", m.Incomplete, m.Runs)},
		{"  lacking, and cited by nothing that came", fmt.Sprint(m.Unseen)},
		{"  lacking, and given up", fmt.Sprint(m.Missing)},
		{"most held: log, waiting, unacknowledged, asked for, to be answered", fmt.Sprintf("%d, %d, %d, %d, %d", m.Most.Log, m.Most.Incoming, m.Most.Outgoing, m.Most.OutgoingRepairs, m.Most.IncomingRepairs)},
	}
	violations := 0
	for _, n := range s.Found {
		violations += n
	}
	return append(rows, Row{"seeds that violate an invariant", fmt.Sprint(violations)})
}

// seconds writes milliseconds for people.
func seconds(ms float64) string {
	switch {
	case ms < 1000:
		return fmt.Sprintf("%.0f ms", ms)
	case ms < 100_000:
		return fmt.Sprintf("%.1f s", ms/1000)
	}
	return fmt.Sprintf("%.0f s", ms/1000)
}
