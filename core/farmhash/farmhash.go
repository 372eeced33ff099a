// Package farmhash computes the 64-bit hash on which the peers of SDS agree:
// Hash64 of the farmhash-na family, which Google's FarmHash also publishes as
// Fingerprint64 and promises never to change.
//
// It is not the Hash64 that most ports export: that one is farmhash-xo, which
// gives the same result for up to 32 bytes and another one from there on.
//
// The hash is fast and well spread, but not a secret: anyone can make inputs
// that collide.
package farmhash

import "math/bits"

// Primes between 2^63 and 2^64, part of the hash's definition.
const (
	prime0 = 0xc3a5c85c97cb3127
	prime1 = 0xb492b66fbe98f273
	prime2 = 0x9ae16a3b2f90404f
)

// blockSize is how many bytes at a time a long input is taken in.
const blockSize = 64

// Sum64 returns the hash of s. It does not allocate, and s may be of any
// length. Readers that speak of a signed hash mean the same 64 bits as an
// int64.
func Sum64[T string | []byte](s T) uint64 {
	switch n := len(s); {
	case n > blockSize:
		return sumLong(s)
	case n > 32:
		return sum33to64(s)
	case n > 16:
		return sum17to32(s)
	default:
		return sum0to16(s)
	}
}

func sum0to16[T string | []byte](s T) uint64 {
	n := len(s)
	length := uint64(n)
	switch {
	case n >= 8:
		mul := prime2 + length*2
		a := load64(s, 0) + prime2
		b := load64(s, n-8)
		c := bits.RotateLeft64(b, -37)*mul + a
		d := (bits.RotateLeft64(a, -25) + b) * mul
		return mix(c, d, mul)
	case n >= 4:
		mul := prime2 + length*2
		a := uint64(load32(s, 0))
		b := uint64(load32(s, n-4))
		return mix(length+a<<3, b, mul)
	case n > 0:
		first, middle, last := uint32(s[0]), uint32(s[n/2]), uint32(s[n-1])
		y := uint64(first + middle<<8)
		z := uint64(uint32(n) + last<<2)
		return shiftMix(y*prime2^z*prime0) * prime2
	default:
		return prime2
	}
}

func sum17to32[T string | []byte](s T) uint64 {
	n := len(s)
	mul := prime2 + uint64(n)*2
	a := load64(s, 0) * prime1
	b := load64(s, 8)
	c := load64(s, n-8) * mul
	d := load64(s, n-16) * prime2
	return mix(
		bits.RotateLeft64(a+b, -43)+bits.RotateLeft64(c, -30)+d,
		a+bits.RotateLeft64(b+prime2, -18)+c,
		mul)
}

func sum33to64[T string | []byte](s T) uint64 {
	n := len(s)
	mul := prime2 + uint64(n)*2
	a := load64(s, 0) * prime2
	b := load64(s, 8)
	c := load64(s, n-8) * mul
	d := load64(s, n-16) * prime2
	y := bits.RotateLeft64(a+b, -43) + bits.RotateLeft64(c, -30) + d
	z := mix(y, a+bits.RotateLeft64(b+prime2, -18)+c, mul)
	e := load64(s, 16) * mul
	f := load64(s, 24)
	g := (y + load64(s, n-32)) * mul
	h := (z + load64(s, n-24)) * mul
	return mix(
		bits.RotateLeft64(e+f, -43)+bits.RotateLeft64(g, -30)+h,
		e+bits.RotateLeft64(f+a, -18)+g,
		mul)
}

// sumLong hashes more than blockSize bytes. Seven words of state (x, y, z and
// the pairs v and w) take in every block but the last in turn, and then the
// last blockSize bytes with other factors; those overlap the block before them
// unless the length is a multiple of blockSize.
func sumLong[T string | []byte](s T) uint64 {
	var seed uint64 = 81 // a variable: constants may not wrap around
	n := len(s)
	inLast := (n - 1) % blockSize
	whole := n - 1 - inLast

	x := seed*prime2 + load64(s, 0)
	y := seed*prime1 + 113
	z := shiftMix(y*prime2+113) * prime2
	var v0, v1, w0, w1 uint64

	for at := 0; at < whole; at += blockSize {
		block := s[at : at+blockSize]
		x = bits.RotateLeft64(x+y+v0+load64(block, 8), -37) * prime1
		y = bits.RotateLeft64(y+v1+load64(block, 48), -42) * prime1
		x ^= w1
		y += v0 + load64(block, 40)
		z = bits.RotateLeft64(z+w0, -33) * prime1
		v0, v1 = absorb32(block[:32], v1*prime1, x+w0)
		w0, w1 = absorb32(block[32:], z+w1, y+load64(block, 16))
		x, z = z, x
	}

	mul := prime1 + z&0xff<<1
	w0 += uint64(inLast)
	v0 += w0
	w0 += v0

	block := s[n-blockSize:]
	x = bits.RotateLeft64(x+y+v0+load64(block, 8), -37) * mul
	y = bits.RotateLeft64(y+v1+load64(block, 48), -42) * mul
	x ^= w1 * 9
	y += v0*9 + load64(block, 40)
	z = bits.RotateLeft64(z+w0, -33) * mul
	v0, v1 = absorb32(block[:32], v1*mul, x+w0)
	w0, w1 = absorb32(block[32:], z+w1, y+load64(block, 16))
	x, z = z, x

	return mix(
		mix(v0, w0, mul)+shiftMix(y)*prime0+z,
		mix(v1, w1, mul)+x,
		mul)
}

// absorb32 takes 32 bytes into a pair of words.
func absorb32[T string | []byte](s T, a, b uint64) (uint64, uint64) {
	first, last := load64(s, 0), load64(s, 24)
	a += first
	b = bits.RotateLeft64(b+a+last, -21)
	sum := a + load64(s, 8) + load64(s, 16)
	b += bits.RotateLeft64(sum, -44)
	return sum + last, b + a
}

func shiftMix(v uint64) uint64 { return v ^ v>>47 }

// mix folds two words into one, in the manner of Murmur.
func mix(u, v, mul uint64) uint64 {
	a := shiftMix((u ^ v) * mul)
	b := shiftMix((v ^ a) * mul)
	return b * mul
}

// load64 reads eight bytes of s, the first one lowest. Written out like this,
// because then the compiler makes one load of it, for strings too.
func load64[T string | []byte](s T, at int) uint64 {
	w := s[at : at+8]
	return uint64(w[0]) | uint64(w[1])<<8 | uint64(w[2])<<16 | uint64(w[3])<<24 |
		uint64(w[4])<<32 | uint64(w[5])<<40 | uint64(w[6])<<48 | uint64(w[7])<<56
}

// load32 is load64 for four bytes.
func load32[T string | []byte](s T, at int) uint32 {
	w := s[at : at+4]
	return uint32(w[0]) | uint32(w[1])<<8 | uint32(w[2])<<16 | uint32(w[3])<<24
}
