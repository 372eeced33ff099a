package conformance

import (
	"strconv"
	"testing"

	"github.com/libsds/libsds/core/farmhash"
)

func TestFarmHashAgreesWithEveryVector(t *testing.T) {
	var file struct {
		Vectors []struct {
			Hex    string `json:"hex"`
			Len    int    `json:"len"`
			Hash   string `json:"hash"` // signed, decimal
			U64Hex string `json:"u64hex"`
		} `json:"vectors"`
	}
	loadVectors(t, "farmhash", &file)
	if len(file.Vectors) == 0 {
		t.Fatal("no vectors")
	}
	for _, vector := range file.Vectors {
		input := unhex(t, vector.Hex)
		if len(input) != vector.Len {
			t.Fatalf("vector of %d bytes claims %d", len(input), vector.Len)
		}
		want, err := strconv.ParseUint(vector.U64Hex, 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		if signed := strconv.FormatInt(int64(want), 10); signed != vector.Hash {
			t.Fatalf("vector contradicts itself: %s and %s", signed, vector.Hash)
		}
		if got := farmhash.Sum64(input); got != want {
			t.Errorf("%d bytes: got %#016x, want %#016x", len(input), got, want)
		}
		if got := farmhash.Sum64(string(input)); got != want {
			t.Errorf("%d bytes as a string: got %#016x, want %#016x", len(input), got, want)
		}
	}
}
