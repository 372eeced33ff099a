package bloom

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestReduceIsTheRemainder(t *testing.T) {
	edges := []uint64{0, 1, 2, 3, 63, 64, 65, 150000, 1<<32 - 1, 1 << 32, 1<<63 - 1, 1 << 63, 1<<63 + 1, math.MaxUint64 - 1, math.MaxUint64}
	for _, m := range edges {
		if m == 0 {
			continue
		}
		for _, x := range edges {
			if got, want := newModulus(m).reduce(x), x%m; got != want {
				t.Errorf("%d mod %d: got %d, want %d", x, m, got, want)
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.Uint64Min(1).Draw(t, "m")
		x := rapid.Uint64().Draw(t, "x")
		if got, want := newModulus(m).reduce(x), x%m; got != want {
			t.Fatalf("got %d, want %d", got, want)
		}
	})
}

func TestPositionsAreThoseOfTheProtocol(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.Uint64Range(1, 8*1<<20).Draw(t, "m")
		h := Hashes{
			A: rapid.Uint64Range(0, 1<<63).Draw(t, "A"),
			B: rapid.Uint64Range(0, 1<<63).Draw(t, "B"),
		}
		modulus := newModulus(m)
		position, step := modulus.reduce(h.A), modulus.reduce(h.B)
		for i := range uint64(64) {
			if want := (h.A%m + i*(h.B%m)) % m; position != want {
				t.Fatalf("position %d: got %d, want %d", i, position, want)
			}
			position = modulus.next(position, step)
		}
	})
}
