package conformance

import (
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/libsds/libsds/core/bloom"
)

func TestRollingFilterIsThatOfTheVectorsByteForByte(t *testing.T) {
	var file struct {
		Vectors []struct {
			Capacity       int      `json:"capacity"`
			ErrorRate      float64  `json:"errorRate"`
			Added          string   `json:"added"` // in words; the ids are m0, m1, ...
			AddedCount     int      `json:"addedCount"`
			Min            int      `json:"minCapacity"`
			Max            int      `json:"maxCapacity"`
			Kept           []string `json:"messagesKept"`
			FilterCapacity uint64   `json:"filterCapacity"`
			Bits           uint64   `json:"filterMBits"`
			Filter         string   `json:"filterHex"`
		} `json:"vectors"`
	}
	loadVectors(t, "rolling_bloom", &file)
	if len(file.Vectors) == 0 {
		t.Fatal("no vectors")
	}
	for _, vector := range file.Vectors {
		t.Run(fmt.Sprintf("%s in %d", vector.Added, vector.Capacity), func(t *testing.T) {
			rolling := bloom.NewRolling(bloom.FarmHash, vector.Capacity, vector.ErrorRate)
			most := 0
			for i := range vector.AddedCount {
				before := rolling.Len()
				rolling.Add(bloom.FarmHash.Sum(fmt.Sprintf("m%d", i)))
				most = max(most, rolling.Len())
				if rolling.Len() < before && rolling.Len() != vector.Min {
					t.Errorf("a rebuild kept %d ids, want %d", rolling.Len(), vector.Min)
				}
			}
			if most > vector.Max {
				t.Errorf("held %d ids, at most %d allowed", most, vector.Max)
			}
			if rolling.Len() != len(vector.Kept) {
				t.Errorf("holds %d ids, want %d", rolling.Len(), len(vector.Kept))
			}
			encoded := rolling.AppendTo(nil)
			if diff := cmp.Diff(vector.Filter, hex.EncodeToString(encoded)); diff != "" {
				t.Errorf("encoding (-want +got):\n%s", diff)
			}
			fields := decodeFilter(t, encoded)
			if fields.Capacity != vector.FilterCapacity || fields.Bits != vector.Bits {
				t.Errorf("capacity %d, m %d; want %d, %d", fields.Capacity, fields.Bits, vector.FilterCapacity, vector.Bits)
			}

			// The kept ids and no others: the same filter, made of them alone.
			fresh := bloom.NewFilter(int(vector.FilterCapacity), vector.ErrorRate)
			for _, id := range vector.Kept {
				fresh.Add(bloom.FarmHash.Sum(id))
			}
			if diff := cmp.Diff(fresh.AppendTo(nil), encoded); diff != "" {
				t.Errorf("not the filter of the kept ids (-want +got):\n%s", diff)
			}
		})
	}
}
