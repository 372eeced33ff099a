package bloom

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// View is a received filter, read where it lies. It is valid only as long as
// the bytes that it was parsed from stay unchanged. It never changes itself:
// goroutines may share it.
//
// The zero View stands for no filter: it contains nothing, and nothing may be
// concluded from it.
type View struct {
	data    []byte // whole words; modulus.m is within them
	modulus modulus
	hashes  int // k
	scheme  Scheme
}

// Scheme returns the scheme whose hashes Contains takes.
func (v *View) Scheme() Scheme { return v.scheme }

// Contains reports whether the sender added an id, given by its hashes of the
// filter's scheme; it may report true for one that was not.
func (v *View) Contains(h Hashes) bool {
	if v.hashes == 0 {
		return false
	}
	// Of a filter that is not full, the first position mostly decides.
	position := v.modulus.reduce(h.A)
	if !v.has(position) {
		return false
	}
	step := v.modulus.reduce(h.B)
	for range v.hashes - 1 {
		position = v.modulus.next(position, step)
		if !v.has(position) {
			return false
		}
	}
	return true
}

// has reports whether the bit at a position below m is set.
func (v *View) has(position uint64) bool {
	at := position / 8
	if v.scheme == Murmur3 {
		at ^= wordBytes - 1 // the same byte, counted from the other end of its word
	}
	return v.data[at]>>(position%8)&1 != 0
}

// Fill returns the share of bits that are set, from 0 to 1; bits at and past m
// do not count. It goes over the whole filter.
func (v *View) Fill() float64 {
	if v.modulus.m == 0 {
		return 0
	}
	partial := int(v.modulus.m / 64 * wordBytes)
	ones := countOnes(v.data[:partial])
	if rest := v.modulus.m % 64; rest > 0 {
		ones += bits.OnesCount64(v.word(partial) & (1<<rest - 1))
	}
	return float64(ones) / float64(v.modulus.m)
}

// countOnes returns the number of bits set in whole words.
func countOnes(words []byte) int {
	ones := 0
	// Four at a time, or the loop takes longer than the counting.
	for ; len(words) >= 4*wordBytes; words = words[4*wordBytes:] {
		ones += bits.OnesCount64(binary.NativeEndian.Uint64(words)) +
			bits.OnesCount64(binary.NativeEndian.Uint64(words[wordBytes:])) +
			bits.OnesCount64(binary.NativeEndian.Uint64(words[2*wordBytes:])) +
			bits.OnesCount64(binary.NativeEndian.Uint64(words[3*wordBytes:]))
	}
	for ; len(words) >= wordBytes; words = words[wordBytes:] {
		ones += bits.OnesCount64(binary.NativeEndian.Uint64(words))
	}
	return ones
}

// word returns the word at a byte offset.
func (v *View) word(offset int) uint64 {
	if v.scheme == Murmur3 {
		return binary.BigEndian.Uint64(v.data[offset:])
	}
	return binary.LittleEndian.Uint64(v.data[offset:])
}

// FalsePositive returns the probability, from 0 to 1, that the filter contains
// an id that was never added, given its Fill: the fill to the power of k.
func (v *View) FalsePositive(fill float64) float64 { return math.Pow(fill, float64(v.hashes)) }
