package bloom

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/libsds/libsds/core/limits"
)

// FuzzParse reads any bytes as filters of both layouts. Whatever is used must
// be within the bounds that limit the work and the memory accesses, and must
// answer every question.
func FuzzParse(f *testing.F) {
	for _, field := range vectorFilters(f) {
		f.Add(field)
	}
	f.Add(make([]byte, 18752))
	hashes := []Hashes{{}, {1<<64 - 1, 1<<64 - 1}, {1 << 63, 1}, FarmHash.Sum("id"), Murmur3.Sum("id")}
	f.Fuzz(func(t *testing.T, field []byte) {
		for _, read := range []func([]byte) (View, bool){ParseSDS, ParseLIP} {
			view, used := read(field)
			if !used {
				if view.Contains(hashes[0]) || view.FalsePositive(view.Fill()) != 1 {
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
			ones := 0
			for position := range view.modulus.m {
				if view.has(position) {
					ones++
				}
			}
			if got, want := view.Fill(), float64(ones)/float64(view.modulus.m); got != want {
				t.Fatalf("fill %g, want %g", got, want)
			}
			for _, h := range hashes {
				if view.Contains(h) && ones == 0 {
					t.Fatal("contains an id without a bit set")
				}
				if !view.Contains(h) && ones == int(view.modulus.m) {
					t.Fatal("denies an id with all bits set")
				}
			}
		}
	})
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
