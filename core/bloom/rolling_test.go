package bloom

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/libsds/libsds/core/limits"
)

// parse reads what r.AppendTo wrote, as its scheme has it.
func parse(s Scheme, field []byte) (View, bool) {
	if s == Murmur3 {
		return ParseLIP(field)
	}
	return ParseSDS(field)
}

var schemes = rapid.SampledFrom([]Scheme{FarmHash, Murmur3})

func TestReaderFindsEveryIDThatARollingFilterKeeps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scheme := schemes.Draw(t, "scheme")
		capacity := rapid.IntRange(2, 40).Draw(t, "capacity")
		errorRate := rapid.SampledFrom([]float64{0.5, 0.01, 0.001, 1e-9}).Draw(t, "error rate")
		ids := rapid.SliceOfN(rapid.String(), 1, 100).Draw(t, "ids")
		rolling := NewRolling(scheme, capacity, errorRate)
		for i, id := range ids {
			rolling.Add(scheme.Sum(id))
			if rolling.Len() > mostIDs(capacity) || rolling.Len() < min(i+1, keptIDs(capacity)) {
				t.Fatalf("%d ids of %d added, capacity %d", rolling.Len(), i+1, capacity)
			}
		}
		encoded := rolling.AppendTo(nil)
		if len(encoded) != rolling.EncodedLen() {
			t.Fatalf("EncodedLen %d, encoded %d", rolling.EncodedLen(), len(encoded))
		}
		view, ok := parse(scheme, encoded)
		if !ok {
			t.Fatal("a reader ignores it")
		}
		if view.Scheme() != scheme {
			t.Fatalf("read as %v", view.Scheme())
		}
		for _, id := range ids[len(ids)-rolling.Len():] {
			if !view.Contains(scheme.Sum(id)) {
				t.Fatalf("denies %q", id)
			}
		}
		if view.Fill() != rolling.Fill() {
			t.Fatalf("fill %g for the reader, %g for the writer", view.Fill(), rolling.Fill())
		}
	})
}

func TestRollingFilterForgetsTheOldest(t *testing.T) {
	const capacity = 1000
	for _, scheme := range []Scheme{FarmHash, Murmur3} {
		rolling := NewRolling(scheme, capacity, 0.001)
		for i := range 10 * capacity {
			rolling.Add(numberedID(scheme, i))
		}
		view, ok := parse(scheme, rolling.AppendTo(nil))
		if !ok {
			t.Fatalf("%v: a reader ignores it", scheme)
		}
		remembered := 0
		for i := range capacity {
			if view.Contains(numberedID(scheme, i)) {
				remembered++
			}
		}
		if remembered > capacity/100 {
			t.Errorf("%v: %d of the %d oldest ids remembered", scheme, remembered, capacity)
		}
	}
}

func TestEmptyRollingFilterCostsNothingAndEncodesLikeAnEmptyOne(t *testing.T) {
	tests := map[string]struct {
		rolling *Rolling
		want    []byte
	}{
		"FarmHash": {NewRolling(FarmHash, 10000, 0.001), NewFilter(10000, 0.001).AppendTo(nil)},
		"Murmur3":  {NewRolling(Murmur3, 10000, 0.001), make([]byte, 18752)},
	}
	for name, test := range tests {
		if diff := cmp.Diff(test.want, test.rolling.AppendTo(nil)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if got := test.rolling.EncodedLen(); got != len(test.want) {
			t.Errorf("%s: EncodedLen %d, want %d", name, got, len(test.want))
		}
		if test.rolling.filter != nil || cap(test.rolling.ids) != 0 {
			t.Errorf("%s: holds memory before the first Add", name)
		}
		if test.rolling.Fill() != 0 || test.rolling.Len() != 0 {
			t.Errorf("%s: fill %g, length %d", name, test.rolling.Fill(), test.rolling.Len())
		}
		view, ok := parse(test.rolling.Scheme(), test.rolling.AppendTo(nil))
		if !ok || view.Contains(test.rolling.Scheme().Sum("id")) {
			t.Errorf("%s: a reader uses it: %v; it must and find nothing", name, ok)
		}
	}
}

func TestMurmur3FilterAlwaysHasTheSizeThatItsReadersAssume(t *testing.T) {
	for _, capacity := range []int{math.MinInt, 0, 1, 7, 1000, 10000, math.MaxInt} {
		for _, errorRate := range []float64{0.1, 0.001, math.NaN()} {
			rolling := NewRolling(Murmur3, capacity, errorRate)
			for i := range 12002 { // one rebuild at the largest capacity
				rolling.Add(numberedID(Murmur3, i))
				if rolling.Len() > 12000 {
					t.Fatalf("capacity %d: holds %d ids", capacity, rolling.Len())
				}
			}
			if got := len(rolling.AppendTo(nil)); got != 18752 || rolling.EncodedLen() != got {
				t.Errorf("capacity %d at %g: %d bytes, EncodedLen %d", capacity, errorRate, got, rolling.EncodedLen())
			}
		}
	}
}

func TestRollingFilterIsEmptyWhereItCannotHoldAnything(t *testing.T) {
	for name, rolling := range map[string]*Rolling{
		"capacity 0":        NewRolling(FarmHash, 0, 0.001),
		"negative capacity": NewRolling(FarmHash, -1, 0.001),
		"error rate 0":      NewRolling(FarmHash, 100, 0),
		"error rate 1":      NewRolling(FarmHash, 100, 1),
		"not a number":      NewRolling(FarmHash, 100, math.NaN()),
		"tiny error rate":   NewRolling(FarmHash, 100, 1e-20),
		"Murmur3":           NewRolling(Murmur3, 0, 0.001),
	} {
		rolling.Add(FarmHash.Sum("id"))
		if rolling.Len() != 0 || rolling.Fill() != 0 {
			t.Errorf("%s: length %d, fill %g", name, rolling.Len(), rolling.Fill())
		}
		if encoded := rolling.AppendTo(nil); len(encoded) != rolling.EncodedLen() {
			t.Errorf("%s: EncodedLen %d, encoded %d", name, rolling.EncodedLen(), len(encoded))
		}
	}
}

func TestLargestRollingFilterIsJustWithinTheReadersLimit(t *testing.T) {
	for _, errorRate := range []float64{0.999, 0.5, 0.1, 0.01, 0.001, 1e-6, 1e-12, 4e-20} {
		largest := MaxCapacity(errorRate)
		if got := NewRolling(FarmHash, math.MaxInt, errorRate).most; got != mostIDs(largest) {
			t.Errorf("error rate %g: holds %d ids, want %d", errorRate, got, mostIDs(largest))
		}
		bits, _ := perElement(errorRate)
		if wordBytes*(1+mostIDs(largest)*bits/64) > limits.MaxFilterBytes {
			t.Errorf("error rate %g: capacity %d is too large", errorRate, largest)
		}
		if wordBytes*(1+mostIDs(largest+1)*bits/64) <= limits.MaxFilterBytes {
			t.Errorf("error rate %g: capacity %d is not the largest", errorRate, largest)
		}
	}
}

func TestRollingFilterIsAFunctionOfItsIDs(t *testing.T) {
	fill := func() []byte {
		rolling := NewRolling(FarmHash, 100, 0.001)
		for i := range 1000 {
			rolling.Add(numberedID(FarmHash, i))
		}
		return rolling.AppendTo(nil)
	}
	if diff := cmp.Diff(fill(), fill()); diff != "" {
		t.Errorf("(-first +second):\n%s", diff)
	}
}

func TestRollingFilterDoesNotAllocateOnceItIsFull(t *testing.T) {
	const capacity = 100
	for _, scheme := range []Scheme{FarmHash, Murmur3} {
		rolling := NewRolling(scheme, capacity, 0.001)
		for i := range 3 * capacity {
			rolling.Add(numberedID(scheme, i))
		}
		h := scheme.Sum("id")
		// Each run goes through at least two rebuilds, so an allocation in one
		// of them is not averaged away.
		if got := testing.AllocsPerRun(20, func() {
			for range capacity {
				rolling.Add(h)
			}
		}); got != 0 {
			t.Errorf("%v: Add: %v allocations", scheme, got)
		}
		buffer := make([]byte, 0, rolling.EncodedLen())
		if got := testing.AllocsPerRun(100, func() { rolling.AppendTo(buffer) }); got != 0 {
			t.Errorf("%v: AppendTo: %v allocations", scheme, got)
		}
		empty := NewRolling(scheme, capacity, 0.001)
		buffer = make([]byte, 0, empty.EncodedLen())
		if got := testing.AllocsPerRun(100, func() { empty.AppendTo(buffer) }); got != 0 {
			t.Errorf("%v: AppendTo of an empty one: %v allocations", scheme, got)
		}
	}
}

func TestEmptyFilterIsClearWhateverLayInItsPlace(t *testing.T) {
	for _, scheme := range []Scheme{FarmHash, Murmur3} {
		rolling := NewRolling(scheme, 10, 0.001)
		used := make([]byte, rolling.EncodedLen())
		for i := range used {
			used[i] = 0xff
		}
		if diff := cmp.Diff(rolling.AppendTo(nil), rolling.AppendTo(used[:0])); diff != "" {
			t.Errorf("%v: %s", scheme, diff)
		}
	}
}

func TestMurmur3FilterHoldsAtMostWhatItsSizeIsFor(t *testing.T) {
	for capacity, want := range map[int]int{-1: 0, 10000: 8000, 20000: 8000} {
		rolling := NewRolling(Murmur3, capacity, 0.001)
		for i := range 12001 {
			rolling.Add(numberedID(Murmur3, i))
		}
		if rolling.Len() != want {
			t.Errorf("capacity %d: built from %d ids, not %d", capacity, rolling.Len(), want)
		}
	}
}

func TestFilterOfCapacityOneHoldsOne(t *testing.T) {
	rolling := NewRolling(FarmHash, 1, 0.001)
	h := FarmHash.Sum("id")
	rolling.Add(h)
	view, ok := ParseSDS(rolling.AppendTo(nil))
	if !ok || !view.Contains(h) || rolling.Len() != 1 {
		t.Errorf("used %v, %d ids", ok, rolling.Len())
	}
}

func TestLargestCapacityIsTheLargest(t *testing.T) {
	for rate := 0.9; rate > 1e-18; rate /= 1.7 {
		bits, _ := perElement(rate)
		capacity, elements := MaxCapacity(rate), maxBits/bits
		if mostIDs(capacity) > elements || mostIDs(capacity+1) <= elements {
			t.Errorf("%g: capacity %d holds %d ids, and there is room for %d", rate, capacity, mostIDs(capacity), elements)
		}
	}
}

// 2^23 - 1 bits are a multiple of the 47 that each element takes here: all are used.
func TestLargestFilterUsesEveryBitThatThereMayBe(t *testing.T) {
	if p := newParameters(math.MaxInt, 2e-10); p.bits != maxBits || p.capacity != maxBits/47 {
		t.Errorf("%d bits for %d ids", p.bits, p.capacity)
	}
}

func TestErrorRatesThatNoFilterCanHave(t *testing.T) {
	for _, rate := range []float64{math.NaN(), math.Inf(-1), -0.5, 0, 1e-300, 4e-20, 1, 1.5, math.Inf(1)} {
		if bits, hashes := perElement(rate); (bits != 0 || hashes != 0) != (rate == 4e-20) {
			t.Errorf("%g: %d bits, %d hashes", rate, bits, hashes)
		}
	}
}
