package farmhash

import (
	"testing"

	farm "github.com/dgryski/go-farm"
	"pgregory.net/rapid"
)

// patterned returns n bytes in which no two places look alike.
func patterned(n int) []byte {
	bytes := make([]byte, n)
	for i := range bytes {
		bytes[i] = byte(i*i*7 + i*31 + i>>3)
	}
	return bytes
}

func TestSum64AgreesWithFingerprint64AtEveryShortLength(t *testing.T) {
	all := patterned(300)
	for n := 0; n <= len(all); n++ {
		if got, want := Sum64(all[:n]), farm.Fingerprint64(all[:n]); got != want {
			t.Errorf("%d bytes: got %#016x, want %#016x", n, got, want)
		}
	}
}

func TestSum64AgreesWithFingerprint64OnAnyInput(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		input := rapid.SliceOfN(rapid.Byte(), 0, 2000).Draw(t, "input")
		if got, want := Sum64(input), farm.Fingerprint64(input); got != want {
			t.Fatalf("got %#016x, want %#016x", got, want)
		}
	})
}

func TestSum64OfAStringIsThatOfItsBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		input := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "input")
		if got, want := Sum64(string(input)), Sum64(input); got != want {
			t.Fatalf("string %#016x, bytes %#016x", got, want)
		}
	})
}

func TestSum64DoesNotAllocate(t *testing.T) {
	bytes := patterned(300)
	text := string(bytes)
	for _, n := range []int{0, 3, 7, 16, 32, 64, 65, 300} {
		var sink uint64
		allocations := testing.AllocsPerRun(100, func() {
			sink += Sum64(bytes[:n]) + Sum64(text[:n])
		})
		if allocations != 0 {
			t.Errorf("%d bytes: %v allocations", n, allocations)
		}
	}
}

// BenchmarkSum64 hashes what a bloom filter hashes for one id of 64
// characters: the id, and the id with two more.
func BenchmarkSum64(b *testing.B) {
	id := string(patterned(66))
	var sink uint64
	for b.Loop() {
		sink += Sum64(id[:64]) + Sum64(id)
	}
	_ = sink
}
