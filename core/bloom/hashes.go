package bloom

import "github.com/libsds/libsds/core/farmhash"

// Scheme is a way to place ids in a filter and to lay the filter out in a
// message. Hashes of one scheme mean nothing to filters of the other.
type Scheme uint8

const (
	// FarmHash is the scheme of the sds-* dialects: farmhash-na, and a filter
	// that names its own parameters.
	FarmHash Scheme = iota
	// Murmur3 is the scheme of lip-109 as @waku/sds speaks it: murmur3-32, and
	// a bare array of fixed size.
	//
	// We hash an id's UTF-8 bytes. @waku/sds hashes one UTF-16 unit for each
	// character, which is the same for ASCII; its own ids are hexadecimal.
	Murmur3
)

// String returns the name of the hash.
func (s Scheme) String() string {
	if s == Murmur3 {
		return "murmur3"
	}
	return "farmhash"
}

// Hashes is all that a filter needs to know of an id.
//
// The peers hash to a signed integer and take its absolute value. That of the
// smallest integer, which no signed integer of its width can hold, is here the
// true one: 2^63 for FarmHash, 2^31 for Murmur3.
type Hashes struct {
	A uint64 // |h(id)|
	B uint64 // |h(id + " b")|
}

const (
	// suffix turns an id into the input of its second hash.
	suffix = " b"
	// shortID is the length up to which ids are hashed in a small buffer: it
	// fits what the field uses, and a large one takes longer to clear than
	// such an id takes to hash.
	shortID = 126
	// longID is the length from which on an id is hashed in a buffer on the
	// heap.
	longID = 1024
)

// Sum hashes an id, any string. It does not allocate for ids of up to 1024
// bytes.
func (s Scheme) Sum(id string) Hashes {
	if len(id) > shortID {
		return s.sumLong(id)
	}
	var buffer [shortID + len(suffix)]byte
	return s.sum(append(append(buffer[:0], id...), suffix...))
}

// sumLong is apart from Sum because each call clears the buffers of its whole
// function.
//
//go:noinline
func (s Scheme) sumLong(id string) Hashes {
	var buffer [longID + len(suffix)]byte
	return s.sum(append(append(buffer[:0], id...), suffix...))
}

// sum hashes suffixed, an id with the suffix behind it, without and with that
// suffix.
func (s Scheme) sum(suffixed []byte) Hashes {
	id := suffixed[:len(suffixed)-len(suffix)]
	if s == Murmur3 {
		return Hashes{A: magnitude32(murmur3(id)), B: magnitude32(murmur3(suffixed))}
	}
	return Hashes{A: magnitude64(farmhash.Sum64(id)), B: magnitude64(farmhash.Sum64(suffixed))}
}

// magnitude64 reads h as a signed integer and returns its absolute value.
func magnitude64(h uint64) uint64 {
	if int64(h) < 0 {
		return -h
	}
	return h
}

// magnitude32 is magnitude64 for hashes of 32 bits.
func magnitude32(h uint32) uint64 {
	if int32(h) < 0 {
		return uint64(-h)
	}
	return uint64(h)
}
