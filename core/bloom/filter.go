package bloom

import (
	"github.com/bits-and-blooms/bloom/v3"
)

// Filter is a bloom filter of fixed capacity: a set of ids that never denies
// what was added, and that affirms what was not with about the error rate, as
// long as no more than capacity ids were added.
//
// It must not be used by two goroutines at once.
type Filter struct {
	parameters parameters
	modulus    modulus
	words      []uint64           // ours; container works on the same memory
	container  *bloom.BloomFilter // only its bit set: its own hashing is another
}

// NewFilter returns an empty filter for capacity ids with the given error
// rate.
//
// Values from outside cannot make it panic or take more memory than
// limits.MaxFilterBytes, the size up to which filters are read: a larger
// capacity is cut to what fits there. A filter of capacity 0 or below, or of
// an error rate outside of (0, 1), or below 4e-20, holds nothing: what is
// added to it is not found.
func NewFilter(capacity int, errorRate float64) *Filter {
	return newFilter(newParameters(capacity, errorRate))
}

func newFilter(p parameters) *Filter {
	f := &Filter{parameters: p, words: make([]uint64, p.words())}
	if p.bits > 0 {
		f.modulus = newModulus(uint64(p.bits))
	}
	// The bit set shares our words as long as no bit past them is set, and
	// positions are below p.bits.
	f.container = bloom.FromWithM(f.words, uint(p.bits), uint(p.hashes))
	return f
}

// Add adds an id, given by its hashes.
func (f *Filter) Add(h Hashes) {
	if f.parameters.bits == 0 {
		return
	}
	set := f.container.BitSet()
	position, step := f.modulus.reduce(h.A), f.modulus.reduce(h.B)
	for range f.parameters.hashes {
		set.Set(uint(position))
		position = f.modulus.next(position, step)
	}
}

// Contains reports whether an id was added; it may report true for one that
// was not.
func (f *Filter) Contains(h Hashes) bool {
	if f.parameters.bits == 0 {
		return false
	}
	set := f.container.BitSet()
	position, step := f.modulus.reduce(h.A), f.modulus.reduce(h.B)
	for range f.parameters.hashes {
		if !set.Test(uint(position)) {
			return false
		}
		position = f.modulus.next(position, step)
	}
	return true
}

// Clear removes every id and keeps the memory.
func (f *Filter) Clear() { clear(f.words) }

// Fill returns the share of bits that are set, from 0 to 1. It counts them.
func (f *Filter) Fill() float64 {
	if f.parameters.bits == 0 {
		return 0
	}
	return float64(f.container.BitSet().Count()) / float64(f.parameters.bits)
}

// EncodedLen returns how many bytes AppendTo appends.
func (f *Filter) EncodedLen() int { return f.parameters.sdsLen() }

// AppendTo appends the filter as the sds-* dialects send it, and returns the
// longer slice. It allocates only where dst lacks the room.
func (f *Filter) AppendTo(dst []byte) []byte { return f.parameters.appendSDS(dst, f.words) }
