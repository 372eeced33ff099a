package store_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/libsds/libsds/core/store"
)

// filled returns the bytes of a filled store.
func filled(t testing.TB) []byte {
	t.Helper()
	path := newPath(t)
	fill(t, path)
	content, err := os.ReadFile(path)
	mustNot(t, err)
	return content
}

// pageSizeOf reads the page size of a store from its first page.
func pageSizeOf(store []byte) int { return int(binary.NativeEndian.Uint32(store[16+8:])) }

// patience is how long a test waits for what should take no time.
const patience = time.Minute

// inTime runs what must come to an end, however damaged the file is.
func inTime(t testing.TB, what string, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("%s does not come to an end", what)
	}
}

// exercise opens a file that may be damaged and uses all of it. It tells whether
// everything worked. Every failure must name the file.
func exercise(t testing.TB, path string) (works bool) {
	t.Helper()
	s, err := store.Open(path)
	if err != nil {
		if !strings.Contains(err.Error(), path) {
			t.Errorf("the error does not name the file: %v", err)
		}
		return false
	}
	works = true
	var ids []string
	outcomes := []error{s.VisitChannels(func(id string, _ []byte) bool {
		ids = append(ids, id)
		return true
	})}
	for _, id := range ids {
		_, err := s.LoadChannel(id)
		outcomes = append(outcomes, err)
	}
	outcomes = append(outcomes, callAll(s)...)
	outcomes = append(outcomes, s.Close())
	for _, err := range outcomes {
		if err == nil {
			continue
		}
		works = false
		if !strings.Contains(err.Error(), path) {
			t.Errorf("the error does not name the file: %v", err)
		}
	}
	return works
}

// untouched fails when the file is not as it was.
func untouched(t testing.TB, path string, want []byte, since time.Time) {
	t.Helper()
	got, err := os.ReadFile(path)
	mustNot(t, err)
	info, err := os.Stat(path)
	mustNot(t, err)
	if !bytes.Equal(want, got) || !info.ModTime().Equal(since) {
		t.Errorf("%s was touched", path)
	}
}

// longAgo is when files of tests were changed last.
var longAgo = time.Unix(1_000_000_000, 0)

func write(t testing.TB, path string, content []byte) {
	t.Helper()
	mustNot(t, os.WriteFile(path, content, 0o600))
	mustNot(t, os.Chtimes(path, longAgo, longAgo))
}

// TestATruncatedFileIsRefusedOrWorks: cut anywhere. What is refused is left
// alone, and works again once it is whole.
func TestATruncatedFileIsRefusedOrWorks(t *testing.T) {
	whole := filled(t)
	path := newPath(t)
	lengths := []int{1, 15, 63, 4095, 4097, 8191, 8193, len(whole) - 1}
	for length := 512; length < len(whole); length += 512 {
		lengths = append(lengths, length)
	}
	refused := 0
	for _, length := range lengths {
		write(t, path, whole[:length])
		s, err := store.Open(path)
		if err != nil {
			refused++
			if !errors.Is(err, store.ErrTruncated) && !errors.Is(err, store.ErrForeign) {
				t.Errorf("%d bytes of %d: %v", length, len(whole), err)
			}
			untouched(t, path, whole[:length], longAgo)
			continue
		}
		mustNot(t, s.Close())
		inTime(t, fmt.Sprint(length, " bytes"), func() {
			if !exercise(t, path) {
				t.Errorf("%d bytes of %d were opened and do not work", length, len(whole))
			}
		})
	}
	write(t, path, whole)
	if !exercise(t, path) {
		t.Error("the whole one does not work")
	}
	t.Logf("%d lengths, %d refused", len(lengths), refused)
	if refused == 0 || refused == len(lengths) {
		t.Error("the test cuts nothing that is used, or nothing else")
	}
}

// TestAFileThatLosesItsEndWhileItIsOpen: the process lives, nobody waits for
// ever, and the next call fails at once.
func TestAFileThatLosesItsEndWhileItIsOpen(t *testing.T) {
	whole := filled(t)
	for pages := range 4 {
		length := int64(pages * pageSizeOf(whole))
		t.Run(fmt.Sprint(length), func(t *testing.T) {
			path := newPath(t)
			write(t, path, whole)
			s := open(t, path)
			mustNot(t, os.Truncate(path, length))
			inTime(t, "a call", func() {
				var group sync.WaitGroup
				for range 8 {
					group.Go(func() {
						for i, err := range callAll(s) {
							if !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), path) {
								t.Errorf("call %d: %v", i, err)
							}
						}
					})
				}
				group.Wait()
				if err := s.Close(); !errors.Is(err, store.ErrDamaged) {
					t.Errorf("closing: %v", err)
				}
			})
			// Who repairs it can open it, in this process too.
			file, err := os.OpenFile(path, os.O_WRONLY, 0)
			mustNot(t, err)
			_, err = file.WriteAt(whole, 0)
			mustNot(t, errors.Join(err, file.Close()))
			if !exercise(t, path) {
				t.Error("once repaired, it does not work")
			}
		})
	}
}

// TestNobodyWaitsForACallThatFailed: while one call is under way, others wait for
// it; then the file loses its end, and the first of them fails.
func TestNobodyWaitsForACallThatFailed(t *testing.T) {
	path := newPath(t)
	fill(t, path)
	s := open(t, path)
	inTime(t, "a call", func() {
		var group sync.WaitGroup
		visiting, proceed := make(chan struct{}), make(chan struct{})
		group.Go(func() {
			if err := s.VisitChannels(func(string, []byte) bool {
				close(visiting)
				<-proceed
				return false
			}); err != nil {
				t.Error(err)
			}
		})
		<-visiting
		for range 4 {
			group.Go(func() {
				long := change("c", "long", 1) // so that the file must grow
				long[0].History.Append[0].Message = make([]byte, 4<<20)
				if err := s.Commit(long); !errors.Is(err, store.ErrDamaged) {
					t.Errorf("a commit: %v", err)
				}
			})
			group.Go(func() {
				if _, err := s.LoadChannel("channel 5"); !errors.Is(err, store.ErrDamaged) {
					t.Errorf("loading: %v", err)
				}
			})
		}
		time.Sleep(100 * time.Millisecond) // most of them wait by now
		if err := os.Truncate(path, 0); err != nil {
			t.Error(err)
		}
		close(proceed)
		group.Wait()
	})
}

// TestFlippedBits: whatever bit of a store is wrong, calls work or fail, and
// all of them come to an end.
func TestFlippedBits(t *testing.T) {
	whole := filled(t)
	path := newPath(t)
	pageSize := pageSizeOf(whole)
	const flips = 400
	random := rand.New(rand.NewPCG(1, 2))
	failed := 0
	for range flips {
		at := random.IntN(len(whole) * 8)
		if random.IntN(2) == 0 { // where pages say what they are
			page := random.IntN(len(whole) / pageSize)
			at = page*pageSize*8 + random.IntN(48*8)
		}
		damaged := bytes.Clone(whole)
		damaged[at/8] ^= 1 << (at % 8)
		write(t, path, damaged)
		inTime(t, fmt.Sprint("with bit ", at, " flipped, a call"), func() {
			if !exercise(t, path) {
				failed++
			}
		})
	}
	t.Logf("%d flips, %d of them noticed", flips, failed)
}

// TestOverwrittenPages: by another page, by nothing, by noise.
func TestOverwrittenPages(t *testing.T) {
	whole := filled(t)
	path := newPath(t)
	pageSize := pageSizeOf(whole)
	random := rand.New(rand.NewPCG(3, 4))
	for page := range len(whole) / pageSize {
		for _, how := range []string{"another", "nothing", "noise", "ones"} {
			damaged := bytes.Clone(whole)
			victim := damaged[page*pageSize:][:pageSize]
			switch how {
			case "another":
				copy(victim, whole[random.IntN(len(whole)/pageSize)*pageSize:])
			case "nothing":
				clear(victim)
			case "noise":
				for i := range victim {
					victim[i] = byte(random.Uint32())
				}
			case "ones": // but for what it says it is
				for i := 10; i < len(victim); i++ {
					victim[i] = 0xFF
				}
			}
			write(t, path, damaged)
			inTime(t, fmt.Sprintf("with %s in the place of page %d, a call", how, page), func() { exercise(t, path) })
		}
	}
}

// TestPagesThatWouldLeadBboltAstray: it would not come back from any of these, so
// they are found before it looks.
func TestPagesThatWouldLeadBboltAstray(t *testing.T) {
	whole := filled(t)
	pageSize := pageSizeOf(whole)
	native := binary.NativeEndian
	newest := 0
	txid := func(page int) uint64 { return native.Uint64(whole[page*pageSize+16+48:]) }
	if txid(1) > txid(0) {
		newest = 1
	}
	meta := func(b []byte) []byte { return b[newest*pageSize+16:][:64] }
	freelist := int(native.Uint64(meta(whole)[32:]))
	free := map[int]bool{}
	for i := range int(native.Uint16(whole[freelist*pageSize+10:])) {
		free[int(native.Uint64(whole[freelist*pageSize+16+8*i:]))] = true
	}
	branch := 2
	for native.Uint64(whole[branch*pageSize:]) != uint64(branch) || native.Uint16(whole[branch*pageSize+8:]) != 1 || free[branch] {
		branch++ // there is one: the log has several pages
	}
	sum := func(b []byte) {
		h := fnv.New64a()
		h.Write(meta(b)[:56])
		native.PutUint64(meta(b)[56:], h.Sum64())
	}
	child := func(b []byte, i int) []byte { return b[branch*pageSize+16+16*i+8:] }
	stale := 2 // a free page that was another once
	for !free[stale] || native.Uint64(whole[stale*pageSize:]) != uint64(stale) || native.Uint16(whole[stale*pageSize+8:]) == 0x10 {
		stale++
	}
	// The element of the root page that is a bucket so small that its page lies within,
	// and that page.
	small := func(b []byte) []byte {
		root := b[int(native.Uint64(meta(b)[16:]))*pageSize:]
		for element := root[16:]; ; element = element[16:] {
			if key := element[native.Uint32(element[4:]):][:native.Uint32(element[8:])]; string(key) == "libsds" {
				return element
			}
		}
	}
	inside := func(b []byte) []byte {
		element := small(b)
		return element[native.Uint32(element[4:])+native.Uint32(element[8:])+16:]
	}
	for name, damage := range map[string]func(b []byte){
		"a branch that leads to itself":       func(b []byte) { native.PutUint64(child(b, 0), uint64(branch)) },
		"two branches that lead to one page":  func(b []byte) { copy(child(b, 0)[:8], child(b, 1)[:8]) },
		"a branch that leads out of the file": func(b []byte) { native.PutUint64(child(b, 0), 1<<40) },
		"a branch that leads to a meta":       func(b []byte) { native.PutUint64(child(b, 0), 0) },
		"a branch page without branches":      func(b []byte) { native.PutUint16(b[branch*pageSize+10:], 0) },
		"a page that says it is another":      func(b []byte) { native.PutUint64(b[branch*pageSize:], uint64(branch+1)) },
		"more branches than a page can hold":  func(b []byte) { native.PutUint16(b[branch*pageSize+10:], 0xFFFF) },
		"branches out of order": func(b []byte) {
			b[branch*pageSize+16+int(native.Uint32(b[branch*pageSize+16:]))] = 0xFF // the first key begins so
		},
		"a page that is longer than the file": func(b []byte) { native.PutUint32(b[branch*pageSize+12:], 1<<31) },
		"a key that is longer than its page":  func(b []byte) { native.PutUint32(b[branch*pageSize+20:], 1<<31) },
		"a key before its page":               func(b []byte) { native.PutUint32(b[branch*pageSize+16:], 0) },
		"a free page that is in use":          func(b []byte) { native.PutUint64(b[freelist*pageSize+16:], uint64(branch)) },
		"a free page twice":                   func(b []byte) { copy(b[freelist*pageSize+16:][:8], b[freelist*pageSize+24:][:8]) },
		"a free page past the end":            func(b []byte) { native.PutUint64(b[freelist*pageSize+16:], 1<<40) },
		"more free pages than memory can hold": func(b []byte) {
			native.PutUint16(b[freelist*pageSize+10:], 0xFFFF)
			native.PutUint64(b[freelist*pageSize+16:], 1<<44)
		},
		"a root that is the list of free pages": func(b []byte) { native.PutUint64(meta(b)[16:], uint64(freelist)); sum(b) },
		"a root past the end":                   func(b []byte) { native.PutUint64(meta(b)[16:], 1<<40); sum(b) },
		"a list of free pages past the end":     func(b []byte) { native.PutUint64(meta(b)[32:], 1<<40); sum(b) },
		"an end before the first page":          func(b []byte) { native.PutUint64(meta(b)[40:], 1); sum(b) },
		"a list of free pages that is none":     func(b []byte) { native.PutUint64(meta(b)[32:], uint64(stale)); sum(b) },
		"a bucket without room for its root":    func(b []byte) { native.PutUint32(small(b)[12:], 15) },
		"a small bucket without its page":       func(b []byte) { native.PutUint32(small(b)[12:], 16+15) },
		"a small bucket that is a branch":       func(b []byte) { native.PutUint16(inside(b)[8:], 1) },
		"a bucket in a small bucket":            func(b []byte) { native.PutUint32(inside(b)[16:], 1) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "store")
			damaged := bytes.Clone(whole)
			damage(damaged)
			write(t, path, damaged)
			inTime(t, "Open", func() {
				_, err := store.Open(path)
				if !errors.Is(err, store.ErrDamaged) && !errors.Is(err, store.ErrTruncated) {
					t.Errorf("the error is %v", err)
				}
			})
			untouched(t, path, damaged, longAgo)
		})
	}
}

// TestOneOfTheTwoPagesThatMakeCommitsValidIsEnough: with neither, it is no store.
func TestOneOfTheTwoPagesThatMakeCommitsValidIsEnough(t *testing.T) {
	whole := filled(t)
	path := newPath(t)
	damage := func(store []byte, page int) { store[page*pageSizeOf(whole)+16+56]++ } // its checksum
	for page := range 2 {
		damaged := bytes.Clone(whole)
		damage(damaged, page)
		write(t, path, damaged)
		if !exercise(t, path) {
			t.Errorf("without page %d, something failed", page)
		}
	}
	neither := bytes.Clone(whole)
	damage(neither, 0)
	damage(neither, 1)
	write(t, path, neither)
	if _, err := store.Open(path); !errors.Is(err, store.ErrForeign) {
		t.Errorf("without both, the error is %v", err)
	}
}

// TestAPageThatReachesIntoTheNext: whichever of the two is looked at first.
func TestAPageThatReachesIntoTheNext(t *testing.T) {
	whole := filled(t)
	pageSize := pageSizeOf(whole)
	path := newPath(t)
	refused := 0
	for page := 2; page < len(whole)/pageSize; page++ {
		damaged := bytes.Clone(whole)
		overflow := damaged[page*pageSize+12:][:4]
		binary.NativeEndian.PutUint32(overflow, binary.NativeEndian.Uint32(overflow)+1)
		write(t, path, damaged)
		inTime(t, "Open", func() {
			s, err := store.Open(path)
			if err == nil { // it is a free one
				mustNot(t, s.Close())
				return
			}
			refused++
			if !errors.Is(err, store.ErrDamaged) {
				t.Errorf("page %d: %v", page, err)
			}
		})
	}
	if refused == 0 {
		t.Error("no page is in use")
	}
}

// TestAStoreWithoutAListOfFreePages: bbolt can leave it out, and then finds them itself.
func TestAStoreWithoutAListOfFreePages(t *testing.T) {
	content := filled(t)
	pageSize := pageSizeOf(content)
	for page := range 2 {
		meta := content[page*pageSize+16:][:64]
		binary.NativeEndian.PutUint64(meta[32:], ^uint64(0))
		h := fnv.New64a()
		h.Write(meta[:56])
		binary.NativeEndian.PutUint64(meta[56:], h.Sum64())
	}
	path := newPath(t)
	write(t, path, content)
	if !exercise(t, path) {
		t.Error("it does not work")
	}
}

// TestAnEntryOfAChannelThatIsTooShort is noticed by whoever looks at that channel.
func TestAnEntryOfAChannelThatIsTooShort(t *testing.T) {
	path := newPath(t)
	fill(t, path)
	db, err := bolt.Open(path, 0o600, nil)
	mustNot(t, err)
	mustNot(t, errors.Join(db.Update(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte("channels")).Put([]byte("channel 1"), make([]byte, 7))
	}), db.Close()))
	s := open(t, path)
	_, loadErr := s.LoadChannel("channel 1")
	for i, err := range []error{
		loadErr,
		s.VisitChannels(func(string, []byte) bool { return true }),
		s.Commit(change("channel 1", "m", 1)),
		s.SaveChannelMeta("channel 1", []byte("meta")),
		s.DropChannel("channel 1"),
	} {
		if !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), path) {
			t.Errorf("call %d: %v", i, err)
		}
	}
}

// TestATreeThatIsTooDeep: each branch leads to one more, without going round.
func TestATreeThatIsTooDeep(t *testing.T) {
	whole := filled(t)
	pageSize := pageSizeOf(whole)
	first, native := len(whole)/pageSize, binary.NativeEndian
	const deep = 150
	for id := first; id < first+deep; id++ {
		branch := make([]byte, pageSize)
		native.PutUint64(branch, uint64(id))
		native.PutUint16(branch[8:], 1)             // a branch
		native.PutUint16(branch[10:], 1)            // of one element
		native.PutUint32(branch[16:], 16)           // whose key comes after it
		native.PutUint32(branch[20:], 1)            // and has one byte
		native.PutUint64(branch[24:], uint64(id)+1) // and which leads to the next
		whole = append(whole, branch...)
	}
	for page := range 2 {
		meta := whole[page*pageSize+16:][:64]
		native.PutUint64(meta[16:], uint64(first))
		native.PutUint64(meta[40:], uint64(first+deep))
		h := fnv.New64a()
		h.Write(meta[:56])
		native.PutUint64(meta[56:], h.Sum64())
	}
	path := newPath(t)
	write(t, path, whole)
	inTime(t, "Open", func() {
		if _, err := store.Open(path); !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), "too deep") {
			t.Errorf("the error is %v", err)
		}
	})
	untouched(t, path, whole, longAgo)
}

// bbolt refuses it with words only, and no error of a name.
func TestPagesThatAreLargerThanTheFileAreDamage(t *testing.T) {
	path, content := newPath(t), filled(t)
	pageSize := pageSizeOf(content)
	for page := range 2 {
		meta := content[page*pageSize+16:][:64]
		binary.NativeEndian.PutUint32(meta[8:], 1<<24)
		sum := fnv.New64a()
		sum.Write(meta[:56])
		binary.NativeEndian.PutUint64(meta[56:], sum.Sum64())
	}
	write(t, path, content)
	s, err := store.Open(path)
	if err == nil {
		_ = s.Close()
	}
	if !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), path) {
		t.Errorf("opened with %v", err)
	}
}
