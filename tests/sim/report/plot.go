package report

import (
	"bytes"
	"fmt"
	"image/color"
	"io"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Curve is one line of a plot.
type Curve struct {
	Name   string
	Points plotter.XYs
}

// Plot is a picture of some curves. Values that a logarithmic axis cannot show are
// left out.
type Plot struct {
	Title, X, Y string
	LogX, LogY  bool
	Curves      []Curve
}

// The size of plots, and their colours: those of Okabe and Ito, which people who see
// fewer colours can tell apart.
const (
	width  = 6.4 * vg.Inch
	height = 3.8 * vg.Inch
)

var colours = []color.Color{
	color.RGBA{0x00, 0x72, 0xb2, 0xff}, color.RGBA{0xd5, 0x5e, 0x00, 0xff}, color.RGBA{0x00, 0x9e, 0x73, 0xff},
	color.RGBA{0xcc, 0x79, 0xa7, 0xff}, color.RGBA{0xe6, 0x9f, 0x00, 0xff}, color.RGBA{0x56, 0xb4, 0xe9, 0xff},
}

// WriteSVG draws a plot.
func (p *Plot) WriteSVG(w io.Writer) error {
	picture := plot.New()
	for _, style := range []*font.Font{
		&picture.Title.TextStyle.Font, &picture.X.Label.TextStyle.Font, &picture.Y.Label.TextStyle.Font,
		&picture.X.Tick.Label.Font, &picture.Y.Tick.Label.Font, &picture.Legend.TextStyle.Font,
	} {
		style.Variant = "Sans"
	}
	picture.Title.Text, picture.X.Label.Text, picture.Y.Label.Text = p.Title, p.X, p.Y
	picture.Title.Padding, picture.X.Padding, picture.Y.Padding = 8, 4, 4
	picture.Legend.Top, picture.Legend.Left, picture.Legend.XOffs, picture.Legend.YOffs = true, true, 6, -4
	if p.LogX {
		picture.X.Scale, picture.X.Tick.Marker = plot.LogScale{}, decades{}
	}
	if p.LogY {
		picture.Y.Scale, picture.Y.Tick.Marker = plot.LogScale{}, decades{}
	} else {
		picture.Y.Min = 0
	}
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = color.Gray{0xdd}, color.Gray{0xee}
	picture.Add(grid)
	for i, curve := range p.Curves {
		line, points, err := plotter.NewLinePoints(p.shown(curve.Points))
		if err != nil {
			return fmt.Errorf("%s: %w", p.Title, err)
		}
		line.Width, line.Color = 1.5, colours[i%len(colours)]
		points.Color, points.Shape, points.Radius = line.Color, plotutil.Shape(i), 2.5
		picture.Add(line, points)
		picture.Legend.Add(curve.Name, line, points)
	}
	proper(&picture.X, p.LogX)
	proper(&picture.Y, p.LogY)
	p.roomForLegend(picture)
	canvas, err := draw.NewFormattedCanvas(width, height, "svg")
	if err != nil {
		return err
	}
	picture.Draw(draw.New(canvas))
	_, err = canvas.WriteTo(w)
	return err
}

// proper gives an axis a range where there is nothing to see, or only one value.
func proper(axis *plot.Axis, logarithmic bool) {
	switch {
	case axis.Min > axis.Max || math.IsInf(axis.Min, 0) || math.IsInf(axis.Max, 0):
		axis.Min, axis.Max = 1, 10
	case axis.Min < axis.Max:
	case logarithmic:
		axis.Min, axis.Max = axis.Min/2, axis.Max*2
	default:
		axis.Max++
	}
}

// roomForLegend raises the top of the plot by what the legend takes of it.
func (p *Plot) roomForLegend(picture *plot.Plot) {
	share := 0.09 * float64(len(p.Curves))
	if p.LogY {
		picture.Y.Max *= math.Pow(picture.Y.Max/picture.Y.Min, share)
		return
	}
	picture.Y.Max += share * (picture.Y.Max - picture.Y.Min)
}

// shown leaves out what cannot be drawn.
func (p *Plot) shown(points plotter.XYs) plotter.XYs {
	var shown plotter.XYs
	for _, at := range points {
		if !math.IsNaN(at.X+at.Y) && !math.IsInf(at.X+at.Y, 0) && (!p.LogX || at.X > 0) && (!p.LogY || at.Y > 0) {
			shown = append(shown, at)
		}
	}
	return shown
}

// svg returns the plot as text.
func (p *Plot) svg() (string, error) {
	var text bytes.Buffer
	err := p.WriteSVG(&text)
	return text.String(), err
}

// decades are the ticks of a logarithmic axis: 1, 3 and 10, with the others between
// them unnamed.
type decades struct{}

// Ticks is of plot.Ticker.
func (decades) Ticks(least, most float64) []plot.Tick {
	var ticks []plot.Tick
	for decade := math.Floor(math.Log10(least)); decade <= math.Ceil(math.Log10(most)); decade++ {
		for n := 1.0; n < 10; n++ {
			value := n * math.Pow(10, decade)
			if value < least || value > most {
				continue
			}
			tick := plot.Tick{Value: value}
			if n == 1 || n == 3 {
				tick.Label = strconv.FormatFloat(value, 'g', 4, 64)
			}
			ticks = append(ticks, tick)
		}
	}
	return ticks
}
