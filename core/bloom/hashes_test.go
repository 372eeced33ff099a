package bloom

import (
	"math"
	"strings"
	"testing"

	"github.com/libsds/libsds/core/farmhash"
)

// idLengths are ids' lengths around every place where hashing changes its way.
var idLengths = []int{0, 1, 3, 4, 5, 64, shortID - 1, shortID, shortID + 1, longID - 1, longID, longID + 1, 5000}

func TestSumIsTheMagnitudeOfBothHashes(t *testing.T) {
	for _, n := range idLengths {
		id := strings.Repeat("i", n)
		want := Hashes{A: magnitude64(farmhash.Sum64(id)), B: magnitude64(farmhash.Sum64(id + " b"))}
		if got := FarmHash.Sum(id); got != want {
			t.Errorf("FarmHash, %d bytes: got %v, want %v", n, got, want)
		}
		want = Hashes{A: magnitude32(murmur3([]byte(id))), B: magnitude32(murmur3([]byte(id + " b")))}
		if got := Murmur3.Sum(id); got != want {
			t.Errorf("Murmur3, %d bytes: got %v, want %v", n, got, want)
		}
	}
}

func TestMagnitudeOfTheSmallestIntegerIsThePowerOfTwo(t *testing.T) {
	for h, want := range map[int64]uint64{0: 0, 1: 1, -1: 1, math.MaxInt64: math.MaxInt64, -math.MaxInt64: math.MaxInt64, math.MinInt64: 1 << 63} {
		if got := magnitude64(uint64(h)); got != want {
			t.Errorf("|%d| is %d, want %d", h, got, want)
		}
	}
	for h, want := range map[int32]uint64{0: 0, 1: 1, -1: 1, math.MaxInt32: math.MaxInt32, -math.MaxInt32: math.MaxInt32, math.MinInt32: 1 << 31} {
		if got := magnitude32(uint32(h)); got != want {
			t.Errorf("|%d| is %d, want %d", h, got, want)
		}
	}
}

func TestMurmur3GivesThePublishedHashes(t *testing.T) {
	for input, want := range map[string]uint32{
		"":      0,
		"a":     0x3c2569b2,
		"abc":   0xb3dd93fa,
		"hello": 0x248bfa47,
		"The quick brown fox jumps over the lazy dog": 0x2e4ff723,
	} {
		if got := murmur3([]byte(input)); got != want {
			t.Errorf("%q: got %#08x, want %#08x", input, got, want)
		}
	}
}

// The remainders are those that the tests of @waku/sds state for its hash. The
// Greek one is what Nim computes from UTF-8; @waku/sds exempts itself from it.
func TestMurmur3SumAgreesWithWaku(t *testing.T) {
	const modulo = 10000
	for id, want := range map[string]Hashes{
		"":                           {A: 0, B: 6008},
		"hello":                      {A: 3351, B: 874},
		"test123":                    {A: 6227, B: 4404},
		"!@#$%^&*()":                 {A: 1311, B: 172},
		"Lorem ipsum dolor sit amet": {A: 9970, B: 103},
		"αβγδε":                      {A: 5366, B: 6613},
	} {
		h := Murmur3.Sum(id)
		if got := (Hashes{A: h.A % modulo, B: h.B % modulo}); got != want {
			t.Errorf("%q: got %v, want %v (modulo %d)", id, got, want, modulo)
		}
	}
}

func TestSumDoesNotAllocateForIDsOfUsualLength(t *testing.T) {
	for _, scheme := range []Scheme{FarmHash, Murmur3} {
		for _, n := range idLengths {
			if n > longID {
				continue
			}
			id := strings.Repeat("i", n)
			if got := testing.AllocsPerRun(100, func() { scheme.Sum(id) }); got != 0 {
				t.Errorf("%v, %d bytes: %v allocations", scheme, n, got)
			}
		}
	}
}

func TestSchemesBearTheNamesOfTheirHashes(t *testing.T) {
	for scheme, want := range map[Scheme]string{FarmHash: "farmhash", Murmur3: "murmur3"} {
		if got := scheme.String(); got != want {
			t.Errorf("scheme %d is %q, not %q", uint8(scheme), got, want)
		}
	}
}
