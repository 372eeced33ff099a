package store_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"os"
	"slices"
	"testing"

	"github.com/libsds/libsds/core/store"
	"github.com/libsds/libsds/internal/allocation"
)

// Opening a file takes memoryFactor times its length at most, and fixedMemory.
const memoryFactor, fixedMemory = 4, 1 << 20

// FuzzOpen: no file hurts, or takes more memory than its length accounts for. What
// cannot be opened is refused for a reason that the package names, and not touched. It is a small store, changed in a few places; its
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
		content = content[:min(int(length), len(content))]
		path := newPath(t)
		write(t, path, content)
		var err error
		took := allocation.Beyond(fixedMemory+memoryFactor*uint64(len(content)), func() {
			inTime(t, "opening", func() {
				var s *store.Store
				if s, err = store.Open(path); err == nil {
					err = s.Close()
				}
			})
		})
		if took > 0 {
			t.Errorf("%d bytes of file took %d bytes of memory", len(content), took)
		}
		if err != nil {
			refusals := []error{store.ErrForeign, store.ErrSchemaVersion, store.ErrTruncated, store.ErrDamaged}
			if !slices.ContainsFunc(refusals, func(reason error) bool { return errors.Is(err, reason) }) {
				t.Errorf("refused with %v", err)
			}
			if left, err := os.ReadFile(path); err != nil || !bytes.Equal(left, content) {
				t.Errorf("a file that is refused was touched: %d bytes of %d are left (%v)", len(left), len(content), err)
			}
		}
		inTime(t, "a call", func() { exercise(t, path) })
	})
}
