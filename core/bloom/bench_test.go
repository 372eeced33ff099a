package bloom

import (
	"strings"
	"testing"
)

// fullRolling returns a filter as a busy channel has it, with default settings.
func fullRolling(s Scheme) *Rolling {
	rolling := NewRolling(s, 10000, 0.001)
	for i := range 10000 {
		rolling.Add(numberedID(s, i))
	}
	return rolling
}

// BenchmarkCopy18752 is the yardstick of BenchmarkRollingAppendTo.
func BenchmarkCopy18752(b *testing.B) {
	from, to := make([]byte, 18752), make([]byte, 18752)
	for b.Loop() {
		copy(to, from)
	}
}

func BenchmarkSum(b *testing.B) {
	id := strings.Repeat("0123456789abcdef", 4)
	for _, scheme := range []Scheme{FarmHash, Murmur3} {
		b.Run(scheme.String(), func(b *testing.B) {
			for b.Loop() {
				scheme.Sum(id)
			}
		})
	}
}

func BenchmarkRollingAdd(b *testing.B) {
	rolling := fullRolling(FarmHash)
	h := FarmHash.Sum("id")
	for b.Loop() {
		h.A += 0x9e3779b97f4a7c15 // another id each time
		h.B += 0xbf58476d1ce4e5b9
		rolling.Add(h)
	}
}

func BenchmarkRollingAppendTo(b *testing.B) {
	for _, scheme := range []Scheme{FarmHash, Murmur3} {
		b.Run(scheme.String(), func(b *testing.B) {
			rolling := fullRolling(scheme)
			buffer := make([]byte, 0, rolling.EncodedLen())
			for b.Loop() {
				rolling.AppendTo(buffer)
			}
		})
	}
}

func BenchmarkParseSDS(b *testing.B) {
	field := fullRolling(FarmHash).AppendTo(nil)
	for b.Loop() {
		ParseSDS(field)
	}
}

// BenchmarkViewContains tests ids that are not in the filter against one that
// is a quarter full, the most that acknowledges at once, and against one that
// is half full; and ids that are in it, which takes all k positions.
func BenchmarkViewContains(b *testing.B) {
	const ids = 1024
	benchmark := func(name string, added, firstTested int) {
		b.Run(name, func(b *testing.B) {
			filter := NewFilter(10000, 0.001)
			for i := range added {
				filter.Add(numberedID(FarmHash, i))
			}
			view, _ := ParseSDS(filter.AppendTo(nil))
			tested := make([]Hashes, ids)
			for i := range tested {
				tested[i] = numberedID(FarmHash, firstTested+i)
			}
			i := 0
			for b.Loop() {
				view.Contains(tested[i%ids])
				i++
			}
		})
	}
	benchmark("absent, quarter full", 4000, 20000)
	benchmark("absent, half full", 10000, 20000)
	benchmark("present", 10000, 0)
}

func BenchmarkViewFill(b *testing.B) {
	view, _ := ParseSDS(fullRolling(FarmHash).AppendTo(nil))
	for b.Loop() {
		view.Fill()
	}
}
