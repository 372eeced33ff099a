package bloom

import (
	"math"

	"github.com/libsds/libsds/core/limits"
)

// maxBits is the largest m of a filter that we make: all the bits of
// limits.MaxFilterBytes but one, so that the words, m/64 + 1, fit there.
const maxBits = 8*limits.MaxFilterBytes - 1

// parameters are everything about a filter but its bits.
type parameters struct {
	capacity  int
	errorRate float64
	hashes    int // k: positions of an id
	bits      int // m
}

// lipParameters are those that @waku/sds assumes of every filter, because its
// filters do not name any.
var lipParameters = newParameters(10000, 0.001)

// newParameters derives the parameters of a filter as all peers do. A capacity
// below 0 counts as 0, and one too large for limits.MaxFilterBytes is cut to
// what fits. An error rate that no filter can have gives the parameters of a
// filter that holds nothing.
func newParameters(capacity int, errorRate float64) parameters {
	bits, hashes := perElement(errorRate)
	if bits == 0 {
		return parameters{}
	}
	capacity = min(max(capacity, 0), maxBits/bits)
	return parameters{
		capacity:  capacity,
		errorRate: errorRate,
		hashes:    hashes,
		bits:      capacity * bits,
	}
}

// perElement returns the bits that a filter of this error rate has for each
// element, and the positions that each takes. Both are 0 unless the error rate
// lies between 0 and 1 and the positions are at most limits.MaxFilterHashes,
// past which no filter is read.
func perElement(errorRate float64) (bits, hashes int) {
	if !(errorRate > 0 && errorRate < 1) { // true for NaN
		return 0, 0
	}
	wholeBits := math.Ceil(-math.Log(errorRate) / (math.Ln2 * math.Ln2))
	positions := math.Round(math.Ln2 * wholeBits)
	if positions > limits.MaxFilterHashes {
		return 0, 0
	}
	return int(wholeBits), int(positions)
}

// words returns how many words hold the bits. One is spare when m is a
// multiple of 64; the peers send it, so it is part of the format.
func (p parameters) words() int { return 1 + p.bits/64 }
