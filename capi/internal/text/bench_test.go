package text

import (
	"math/rand/v2"
	"testing"
)

// BenchmarkDecimal writes a message of the usual size: 20 KB, most of it the
// bloom filter.
func BenchmarkDecimal(b *testing.B) {
	for _, fill := range []struct {
		name string
		bits int // one in so many bits is set
	}{{"empty", 1 << 30}, {"tenth", 10}, {"half", 2}} {
		b.Run(fill.name, func(b *testing.B) {
			random := rand.New(rand.NewPCG(1, 2))
			message := make([]byte, 20_000)
			for i := range message {
				for bit := range 8 {
					if random.IntN(fill.bits) == 0 {
						message[i] |= 1 << bit
					}
				}
			}
			dst := make([]byte, 0, DecimalBound(len(message)))
			b.SetBytes(int64(len(message)))
			for b.Loop() {
				dst = AppendDecimal(dst[:0], message)
			}
		})
	}
}
