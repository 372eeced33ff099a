package bloom

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"pgregory.net/rapid"
)

func TestViewAgreesWithTheFilterThatItIsOf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		capacity := rapid.IntRange(1, 100).Draw(t, "capacity")
		errorRate := rapid.SampledFrom([]float64{0.9999, 0.5, 0.1, 0.001, 1e-9}).Draw(t, "error rate")
		filter := NewFilter(capacity, errorRate)
		ids := rapid.SliceOfN(rapid.String(), 0, 100).Draw(t, "ids")
		for _, id := range ids {
			filter.Add(FarmHash.Sum(id))
		}
		view, ok := ParseSDS(filter.AppendTo(nil))
		if !ok {
			t.Fatal("a reader ignores it")
		}
		for _, id := range append(ids, rapid.SliceOfN(rapid.String(), 0, 100).Draw(t, "others")...) {
			h := FarmHash.Sum(id)
			if got, want := view.Contains(h), filter.Contains(h); got != want {
				t.Fatalf("%q: view %v, filter %v", id, got, want)
			}
		}
		if view.Fill() != filter.Fill() {
			t.Fatalf("fill: view %g, filter %g", view.Fill(), filter.Fill())
		}
	})
}

// encoding is a filter, field by field, in the order written.
type encoding []byte

func (e encoding) varint(number protowire.Number, value uint64) encoding {
	return appendVarintField(e, number, value)
}

func (e encoding) bytes(number protowire.Number, value []byte) encoding {
	return protowire.AppendBytes(protowire.AppendTag(e, number, protowire.BytesType), value)
}

// filler is a sound filter of so many bytes, most of them in a field that nobody knows.
func filler(size int) encoding {
	e := encoding{}.bytes(1, make([]byte, 8)).varint(4, 1).varint(5, 1)
	return e.bytes(6, make([]byte, size-len(e)-4)) // the tag takes a byte, such a length three
}

func TestReceivedFilterIsUsedOnlyWithinItsBounds(t *testing.T) {
	eight := make([]byte, 8)
	largest := make([]byte, 1<<20)
	tests := map[string]struct {
		field encoding
		used  bool
	}{
		"nothing":                       {nil, false},
		"least that is needed":          {encoding{}.bytes(1, eight).varint(4, 1).varint(5, 1), true},
		"any order":                     {encoding{}.varint(5, 64).varint(4, 64).bytes(1, eight), true},
		"no data":                       {encoding{}.varint(4, 1).varint(5, 1), false},
		"empty data":                    {encoding{}.bytes(1, nil).varint(4, 1).varint(5, 1), false},
		"no k":                          {encoding{}.bytes(1, eight).varint(5, 1), false},
		"no m":                          {encoding{}.bytes(1, eight).varint(4, 1), false},
		"k 0":                           {encoding{}.bytes(1, eight).varint(4, 0).varint(5, 1), false},
		"k 65":                          {encoding{}.bytes(1, eight).varint(4, 65).varint(5, 1), false},
		"k 2^64-1":                      {encoding{}.bytes(1, eight).varint(4, math.MaxUint64).varint(5, 1), false},
		"m 0":                           {encoding{}.bytes(1, eight).varint(4, 1).varint(5, 0), false},
		"m one past the data":           {encoding{}.bytes(1, eight).varint(4, 1).varint(5, 65), false},
		"m 2^64-1":                      {encoding{}.bytes(1, eight).varint(4, 1).varint(5, math.MaxUint64), false},
		"data not whole words":          {encoding{}.bytes(1, make([]byte, 9)).varint(4, 1).varint(5, 1), false},
		"largest data":                  {encoding{}.bytes(1, largest).varint(4, 64).varint(5, 1<<23), true},
		"data one word past the limit":  {encoding{}.bytes(1, make([]byte, 1<<20+8)).varint(4, 1).varint(5, 1), false},
		"far past the limit":            {encoding{}.bytes(1, eight).varint(4, 1).varint(5, 1).bytes(99, make([]byte, 2<<20)), false},
		"capacity and error rate odd":   {encoding{}.bytes(1, eight).varint(2, math.MaxUint64).varint(3, 0).varint(4, 1).varint(5, 1), true},
		"unknown fields":                {encoding{}.varint(99, 1).bytes(1, eight).bytes(6, []byte("x")).varint(4, 1).varint(5, 1), true},
		"last of a repeated field":      {encoding{}.bytes(1, eight).varint(4, 0).varint(5, 1).varint(4, 1), true},
		"last of a repeated field, bad": {encoding{}.bytes(1, eight).varint(4, 1).varint(5, 1).varint(4, 0), false},
		"data a varint":                 {encoding{}.varint(1, 8).varint(4, 1).varint(5, 1), false},
		"k bytes":                       {encoding{}.bytes(1, eight).bytes(4, eight).varint(5, 1), false},
		"capacity bytes":                {encoding{}.bytes(1, eight).bytes(2, nil).varint(4, 1).varint(5, 1), false},
		"error rate bytes":              {encoding{}.bytes(1, eight).bytes(3, nil).varint(4, 1).varint(5, 1), false},
		// What follows the tag would be a sound filter by itself.
		"data a varint without a value": {append(encoding{0x08}, encoding{}.bytes(1, eight).varint(4, 1).varint(5, 1)...), false},
		"k bytes without a length":      {append(encoding{0x22}, encoding{}.bytes(1, eight).varint(4, 1).varint(5, 1)...), false},
		"a group without an end":        {append(encoding{0x33}, encoding{}.bytes(1, eight).varint(4, 1).varint(5, 1)...), false},
		"a group that another ends":     {append(encoding{}.bytes(1, eight).varint(4, 1).varint(5, 1), 0x33, 0x0c), false},
		"as long as fields are read":    {filler(maxFieldBytes), true},
		"longer than fields are read":   {filler(maxFieldBytes + 1), false},
		"a group":                       {append(encoding{}.bytes(1, eight).varint(4, 1).varint(5, 1), 0x33, 0x34), false},
		"the end of a group":            {append(encoding{}.bytes(1, eight).varint(4, 1).varint(5, 1), 0x34), false},
		"field number 0":                {append(encoding{}.bytes(1, eight).varint(4, 1).varint(5, 1), 0x00, 0x01), false},
		"trailing byte":                 {append(encoding{}.bytes(1, eight).varint(4, 1).varint(5, 1), 0x80), false},
	}
	for name, test := range tests {
		view, used := ParseSDS(test.field)
		if used != test.used {
			t.Errorf("%s: used %v, want %v", name, used, test.used)
		}
		view.Contains(FarmHash.Sum("id"))
		if fill := view.Fill(); fill != 0 {
			t.Errorf("%s: fill %g of a filter without a bit", name, fill)
		}
	}
}

func TestTruncatedFilterIsIgnored(t *testing.T) {
	filter := NewFilter(10, 0.001).AppendTo(nil)
	for n := range filter {
		if _, used := ParseSDS(filter[:n]); used {
			t.Errorf("used, cut to %d of %d bytes", n, len(filter))
		}
	}
}

func TestLIPFilterIsUsedOnlyInItsOneSize(t *testing.T) {
	for n, want := range map[int]bool{0: false, 8: false, 18744: false, 18751: false, 18752: true, 18753: false, 18760: false, 2 << 20: false} {
		if _, used := ParseLIP(make([]byte, n)); used != want {
			t.Errorf("%d bytes: used %v, want %v", n, used, want)
		}
	}
}

func TestLIPFilterIsInBigEndianWords(t *testing.T) {
	field := make([]byte, 18752)
	h := Murmur3.Sum("hello")
	for i := range uint64(10) {
		position := (h.A%150000 + i*(h.B%150000)) % 150000
		word := field[position/64*8:]
		binary.BigEndian.PutUint64(word, binary.BigEndian.Uint64(word)|1<<(position%64))
	}
	rolling := NewRolling(Murmur3, 10000, 0.001)
	rolling.Add(h)
	if !slices.Equal(rolling.AppendTo(nil), field) {
		t.Error("the writer lays it out otherwise")
	}
	view, _ := ParseLIP(field)
	if !view.Contains(h) || view.Contains(Murmur3.Sum("world")) {
		t.Error("the reader looks elsewhere")
	}
}

func TestFillLeavesOutBitsPastM(t *testing.T) {
	const m = 150000 // not a multiple of 64
	full := slices.Repeat([]byte{0xff}, 18752)
	sds, _ := ParseSDS(encoding{}.bytes(1, full).varint(4, 10).varint(5, m))
	lip, _ := ParseLIP(full)
	for _, view := range []View{sds, lip} {
		if fill := view.Fill(); fill != 1 {
			t.Errorf("%v: all set: fill %g", view.Scheme(), fill)
		}
	}
	// Only the bits past m are set: the upper ones of the last word.
	past := ^(uint64(1)<<(m%64) - 1)
	clear(full[:len(full)-8])
	binary.LittleEndian.PutUint64(full[len(full)-8:], past)
	sds, _ = ParseSDS(encoding{}.bytes(1, full).varint(4, 10).varint(5, m))
	binary.BigEndian.PutUint64(full[len(full)-8:], past)
	lip, _ = ParseLIP(full)
	for _, view := range []View{sds, lip} {
		if fill := view.Fill(); fill != 0 {
			t.Errorf("%v: only bits past m set: fill %g", view.Scheme(), fill)
		}
	}
}

func TestFalsePositiveIsTheFillToThePowerOfK(t *testing.T) {
	half := []byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}
	view, ok := ParseSDS(encoding{}.bytes(1, half).varint(4, 10).varint(5, 64))
	if !ok || view.Fill() != 0.5 || view.FalsePositive(view.Fill()) != 1.0/1024 {
		t.Errorf("used %v, fill %g, false positive %g", ok, view.Fill(), view.FalsePositive(view.Fill()))
	}
}

func TestNothingIsConcludedFromTheZeroView(t *testing.T) {
	var view View
	if view.Contains(Hashes{}) || view.Fill() != 0 || view.FalsePositive(view.Fill()) != 1 {
		t.Errorf("contains %v, fill %g, false positive %g", view.Contains(Hashes{}), view.Fill(), view.FalsePositive(view.Fill()))
	}
}

func TestReadingAFilterDoesNotAllocate(t *testing.T) {
	rolling := NewRolling(FarmHash, 10000, 0.001)
	h := FarmHash.Sum("id")
	rolling.Add(h)
	field := rolling.AppendTo(nil)
	bare := make([]byte, 18752)
	view, _ := ParseSDS(field)
	for name, use := range map[string]func(){
		"ParseSDS":      func() { ParseSDS(field) },
		"ParseLIP":      func() { ParseLIP(bare) },
		"Contains":      func() { view.Contains(h) },
		"Fill":          func() { view.Fill() },
		"FalsePositive": func() { view.FalsePositive(view.Fill()) },
	} {
		if got := testing.AllocsPerRun(100, use); got != 0 {
			t.Errorf("%s: %v allocations", name, got)
		}
	}
}
