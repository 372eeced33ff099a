package bloom

import (
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/libsds/libsds/core/limits"
)

// numberedID is the hash of one id of a series.
func numberedID(s Scheme, i int) Hashes { return s.Sum(fmt.Sprintf("id-%d", i)) }

func TestFilterOfAnySettingsNeitherPanicsNorOutgrowsTheLimit(t *testing.T) {
	capacities := []int{math.MinInt, -1, 0, 1, 64, 10000, 1 << 24, math.MaxInt}
	errorRates := []float64{math.Inf(-1), -1, 0, math.SmallestNonzeroFloat64, 1e-20, 4e-20, 1e-9, 0.001, 0.5, 0.999999999, 1, 2, math.Inf(1), math.NaN()}
	hashes := []Hashes{{}, {1, 1}, {1 << 31, 1 << 31}, {1 << 63, 1 << 63}, {math.MaxUint64, math.MaxUint64}, FarmHash.Sum("id")}
	for _, capacity := range capacities {
		for _, errorRate := range errorRates {
			name := fmt.Sprintf("%d at %g", capacity, errorRate)
			filter := NewFilter(capacity, errorRate)
			for _, h := range hashes {
				filter.Add(h)
				if holds := filter.parameters.bits > 0; filter.Contains(h) != holds {
					t.Errorf("%s: added %v, Contains says %v", name, h, !holds)
				}
			}
			if fill := filter.Fill(); !(fill >= 0 && fill <= 1) {
				t.Errorf("%s: fill %g", name, fill)
			}
			if n := wordBytes * len(filter.words); n > limits.MaxFilterBytes {
				t.Errorf("%s: %d bytes", name, n)
			}
			if encoded := filter.AppendTo(nil); len(encoded) != filter.EncodedLen() {
				t.Errorf("%s: EncodedLen %d, encoded %d", name, filter.EncodedLen(), len(encoded))
			}
			_, usable := ParseSDS(filter.AppendTo(nil))
			if holds := filter.parameters.bits > 0; usable != holds {
				t.Errorf("%s: a reader uses it: %v, want %v", name, usable, holds)
			}
		}
	}
}

func TestFilterThatHoldsNothingContainsNothing(t *testing.T) {
	for _, filter := range []*Filter{NewFilter(0, 0.001), NewFilter(-5, 0.001), NewFilter(100, 0), NewFilter(100, math.NaN())} {
		filter.Add(FarmHash.Sum("id"))
		if filter.Contains(FarmHash.Sum("id")) {
			t.Errorf("%v: contains an id", filter.parameters)
		}
		if filter.Fill() != 0 {
			t.Errorf("%v: fill %g", filter.parameters, filter.Fill())
		}
	}
}

func TestBitSetSharesTheFiltersWords(t *testing.T) {
	// 64 ids at 15 bits: m is a multiple of 64, so one word is spare.
	for _, capacity := range []int{1, 10, 64, 10000} {
		filter := NewFilter(capacity, 0.001)
		last := Hashes{A: uint64(filter.parameters.bits) - 1}
		filter.Add(last)
		if set := filter.container.BitSet().Words(); &set[0] != &filter.words[0] {
			t.Errorf("capacity %d: the bit set moved away from our words", capacity)
		}
		if filter.words[(filter.parameters.bits-1)/64] == 0 {
			t.Errorf("capacity %d: the last bit is not in our words", capacity)
		}
	}
}

func TestClearedFilterIsAsNew(t *testing.T) {
	filter := NewFilter(100, 0.001)
	filter.Add(FarmHash.Sum("id"))
	filter.Clear()
	if diff := cmp.Diff(NewFilter(100, 0.001).AppendTo(nil), filter.AppendTo(nil)); diff != "" {
		t.Errorf("(-new +cleared):\n%s", diff)
	}
}

func TestFilterKeepsToItsErrorRate(t *testing.T) {
	const capacity, probes = 10000, 100000
	for _, scheme := range []Scheme{FarmHash, Murmur3} {
		filter := NewFilter(capacity, 0.001)
		for i := range capacity {
			filter.Add(numberedID(scheme, i))
		}
		wrong := 0
		for i := range probes {
			if filter.Contains(numberedID(scheme, capacity+i)) {
				wrong++
			}
		}
		// Deterministic: these ids, these hashes. The bound is three times the rate.
		if wrong > probes*3/1000 {
			t.Errorf("%v: %d of %d ids wrongly contained", scheme, wrong, probes)
		}
		if fill := filter.Fill(); fill < 0.45 || fill > 0.55 {
			t.Errorf("%v: fill at capacity %g, want about a half", scheme, fill)
		}
	}
}

func TestFilterDoesNotAllocateInUse(t *testing.T) {
	filter := NewFilter(10000, 0.001)
	buffer := make([]byte, 0, filter.EncodedLen())
	h := FarmHash.Sum("id")
	for name, use := range map[string]func(){
		"Add":      func() { filter.Add(h) },
		"Contains": func() { filter.Contains(h) },
		"Fill":     func() { filter.Fill() },
		"AppendTo": func() { filter.AppendTo(buffer) },
	} {
		if got := testing.AllocsPerRun(100, use); got != 0 {
			t.Errorf("%s: %v allocations", name, got)
		}
	}
}
