package bloom

import "math/bits"

// modulus is the number of bits of a filter, m, with what it takes to reduce a
// hash modulo m without a division: two multiplications, and half the time.
// The zero modulus reduces nothing; filters of no bits must not ask it to.
type modulus struct {
	m          uint64
	reciprocal uint64 // floor((2^64 - 1) / m)
}

// newModulus returns the modulus m, at least 1.
func newModulus(m uint64) modulus {
	return modulus{m: m, reciprocal: ^uint64(0) / m}
}

// reduce returns x mod m.
func (d modulus) reduce(x uint64) uint64 {
	// The reciprocal is short of 2^64/m by at most 1, so x times it, over 2^64,
	// is short of x/m by less than 1, and the quotient by at most 1.
	quotient, _ := bits.Mul64(x, d.reciprocal)
	return d.wrap(x - quotient*d.m)
}

// next returns the position that is step bits after position, going round at
// m. Both must be below m.
//
// The peers compute each position as |A + i*B| mod m. With A and B reduced
// first, as they do, this is the same without a multiplication or a division.
func (d modulus) next(position, step uint64) uint64 {
	return d.wrap(position + step)
}

// wrap returns x mod m, of x below 2m. Written so that it compiles without a
// jump, which hashes, being random, would make the processor guess wrong.
func (d modulus) wrap(x uint64) uint64 {
	wrapped, borrow := bits.Sub64(x, d.m, 0)
	return wrapped + d.m&-borrow
}
