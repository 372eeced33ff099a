package bloom

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math/bits"
	"os"
	"testing"

	"github.com/libsds/libsds/core/limits"
	"github.com/libsds/libsds/internal/allocation"
	"github.com/libsds/libsds/internal/corpus"
)

// FuzzParse reads any bytes as filters of both layouts, which takes no memory.
// Whatever is used must be within the bounds that limit the work and the memory
// accesses, and must answer every question as the definition does.
func FuzzParse(f *testing.F) {
	for _, field := range vectorFilters(f) {
		f.Add(field, "id")
	}
	f.Add(make([]byte, 18752), "")
	for _, input := range corpus.Inputs(f, "../../tests/fuzz/corpus/filter") {
		f.Add(input, "id")
	}
	extremes := []Hashes{{}, {1<<64 - 1, 1<<64 - 1}, {1 << 63, 1}}
	f.Fuzz(func(t *testing.T, field []byte, id string) {
		for _, read := range []func([]byte) (View, bool){ParseSDS, ParseLIP} {
			var view View
			var used bool
			if took := allocation.Beyond(1<<10, func() { view, used = read(field) }); took > 0 {
				t.Errorf("%d bytes took %d bytes of memory", len(field), took)
			}
			if !used {
				if view.Contains(extremes[0]) || view.FalsePositive(view.Fill()) != 1 {
					t.Error("something is concluded from an ignored filter")
				}
				continue
			}
			if view.hashes < 1 || view.hashes > limits.MaxFilterHashes {
				t.Fatalf("k %d", view.hashes)
			}
			if len(view.data) > limits.MaxFilterBytes || len(view.data)%8 != 0 || len(view.data) > len(field) {
				t.Fatalf("%d bytes of data in %d", len(view.data), len(field))
			}
			if view.modulus.m < 1 || view.modulus.m > 8*uint64(len(view.data)) {
				t.Fatalf("m %d", view.modulus.m)
			}
			plain := newPlainFilter(&view)
			if got, want := view.Fill(), plain.fill(); got != want {
				t.Fatalf("fill %g, want %g", got, want)
			}
			for _, h := range append(extremes, view.Scheme().Sum(id)) {
				if got, want := view.Contains(h), plain.contains(h); got != want {
					t.Fatalf("contains %v: %v, want %v", h, got, want)
				}
			}
		}
	})
}

// plainFilter is a received filter by the words of PROTOCOL, section 2.
type plainFilter struct {
	words []uint64
	k, m  uint64
}

func newPlainFilter(v *View) plainFilter {
	plain := plainFilter{k: uint64(v.hashes), m: v.modulus.m}
	for data := v.data; len(data) > 0; data = data[8:] {
		word := binary.LittleEndian.Uint64(data)
		if v.Scheme() == Murmur3 {
			word = binary.BigEndian.Uint64(data)
		}
		plain.words = append(plain.words, word)
	}
	return plain
}

func (p *plainFilter) contains(h Hashes) bool {
	for i := range p.k {
		position := (h.A%p.m + i*(h.B%p.m)) % p.m
		if p.words[position/64]>>(position%64)&1 == 0 {
			return false
		}
	}
	return true
}

func (p *plainFilter) fill() float64 {
	ones := 0
	for i, word := range p.words {
		if past := 64*uint64(i+1) - min(64*uint64(i+1), p.m); past >= 64 {
			break
		} else if past > 0 {
			word &= 1<<(64-past) - 1
		}
		ones += bits.OnesCount64(word)
	}
	return float64(ones) / float64(p.m)
}

// vectorFilters returns the filters that the conformance vectors hold in full.
func vectorFilters(tb testing.TB) [][]byte {
	tb.Helper()
	var file struct {
		Vectors []struct {
			Hex string `json:"serializedHex"`
		} `json:"vectors"`
		Deserialize []struct {
			Hex string `json:"hex"`
		} `json:"deserialize"`
	}
	content, err := os.ReadFile("../../tests/conformance/vectors/bloom.json")
	if err != nil {
		tb.Fatal(err)
	}
	if err := json.Unmarshal(content, &file); err != nil {
		tb.Fatal(err)
	}
	var filters [][]byte
	add := func(text string) {
		field, err := hex.DecodeString(text)
		if err != nil {
			tb.Fatal(err)
		}
		filters = append(filters, field)
	}
	for _, vector := range file.Vectors {
		add(vector.Hex)
	}
	for _, entry := range file.Deserialize {
		add(entry.Hex)
	}
	return filters
}
