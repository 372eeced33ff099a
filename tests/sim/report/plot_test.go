package report

import (
	"bytes"
	"math"
	"testing"

	"gonum.org/v1/plot/plotter"
)

// TestPlotsOfLittleAreDrawnToo: of nothing, of one value, and of what an axis cannot
// show.
func TestPlotsOfLittleAreDrawnToo(t *testing.T) {
	for name, curves := range map[string][]Curve{
		"no curve":       nil,
		"no point":       {{Name: "a"}},
		"one point":      {{Name: "a", Points: plotter.XYs{{X: 3, Y: 4}}}},
		"equal points":   {{Name: "a", Points: plotter.XYs{{X: 3, Y: 4}, {X: 3, Y: 4}}}},
		"nothing":        {{Name: "a", Points: plotter.XYs{{X: 0, Y: 0}, {X: 1, Y: 0}}}},
		"beyond numbers": {{Name: "a", Points: plotter.XYs{{X: math.NaN(), Y: 1}, {X: 1, Y: math.Inf(1)}, {X: -1, Y: -1}}}},
	} {
		for _, logarithmic := range []bool{false, true} {
			var text bytes.Buffer
			p := Plot{Title: name, LogX: logarithmic, LogY: logarithmic, Curves: curves}
			if err := p.WriteSVG(&text); err != nil || !bytes.Contains(text.Bytes(), []byte("</svg>")) {
				t.Errorf("%s: %v, %d bytes", name, err, text.Len())
			}
		}
	}
}

func TestATableIsReadAsItWasWritten(t *testing.T) {
	cells := []Cell{{Config: "default", Participants: 10, Loss: 5}, {Config: "a, b", Participants: 1000}}
	for i := range cells {
		for at := range cells[i].values {
			cells[i].values[at] = float64(at) + float64(i)/4
		}
	}
	var text bytes.Buffer
	for _, cell := range cells {
		if err := AppendCSV(&text, cell); err != nil {
			t.Fatal(err)
		}
	}
	got, err := ReadCSV(&text)
	if err != nil || len(got) != 2 || got[0] != cells[0] || got[1] != cells[1] {
		t.Errorf("read as %v: %v", got, err)
	}
	for _, broken := range []string{"a,b\n", "default,ten,0" + ",1,1,1,1,1,1,1,1,1,1,1,1\n"} {
		if _, err := ReadCSV(bytes.NewReader([]byte(broken))); err == nil {
			t.Errorf("%q is no table, and is read", broken)
		}
	}
}
