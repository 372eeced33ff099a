package world

import (
	"maps"
	"slices"
)

// set is a set of small numbers: of messages or participants by their index.
// The zero value is empty.
type set struct {
	words []uint64
	n     int
}

func (s *set) has(i int) bool { return i/64 < len(s.words) && s.words[i/64]>>(i%64)&1 != 0 }

func (s *set) add(i int) {
	for i/64 >= len(s.words) {
		s.words = append(s.words, 0)
	}
	if !s.has(i) {
		s.words[i/64] |= 1 << (i % 64)
		s.n++
	}
}

// len returns how many are in the set.
func (s *set) len() int { return s.n }

// others tells whether any but i is in the set.
func (s *set) others(i int) bool {
	if s.has(i) {
		return s.n > 1
	}
	return s.n > 0
}

// sortedKeys returns the keys of a map in their order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
