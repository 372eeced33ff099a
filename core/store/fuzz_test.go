package store_test

import (
	"encoding/binary"
	"hash/fnv"
	"os"
	"testing"

	"github.com/libsds/libsds/core/store"
)

// FuzzOpen: no file hurts. It is a small store, changed in a few places; its
// metas get the checksums that they should have, so that the fuzzer gets past
// them.
func FuzzOpen(f *testing.F) {
	path := newPath(f)
	s, err := store.Open(path)
	mustNot(f, err)
	for i := range uint64(40) {
		mustNot(f, s.Commit(change("channel 5", string(rune('a'+i)), i)))
	}
	mustNot(f, s.DropChannel("channel 4"))
	mustNot(f, s.Close())
	whole, err := os.ReadFile(path)
	mustNot(f, err)
	pageSize := pageSizeOf(whole)
	// A patch is a page, a place in it, and what to put there: 1, 2, 1 bytes.
	f.Add([]byte{}, uint32(len(whole)), true)
	f.Add([]byte{1, 40, 0, 3, 0, 16, 0, 1}, uint32(len(whole)), true)
	f.Add([]byte{3, 8, 0, 1}, uint32(len(whole)), false)
	f.Add([]byte{5, 24, 0, 5, 5, 25, 0, 0}, uint32(3*pageSize), true)
	f.Fuzz(func(t *testing.T, patches []byte, length uint32, sums bool) {
		content := append([]byte(nil), whole...)
		for ; len(patches) >= 4; patches = patches[4:] {
			at := int(patches[0])*pageSize + int(binary.LittleEndian.Uint16(patches[1:]))%pageSize
			content[at%len(content)] = patches[3]
		}
		for page := range 2 {
			if meta := content[page*pageSize+16:][:64]; sums {
				sum := fnv.New64a()
				sum.Write(meta[:56])
				binary.NativeEndian.PutUint64(meta[56:], sum.Sum64())
			}
		}
		path := newPath(t)
		write(t, path, content[:min(int(length), len(content))])
		inTime(t, "a call", func() { exercise(t, path) })
	})
}
