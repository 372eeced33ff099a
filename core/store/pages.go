package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"os"
)

// bbolt believes what its pages say. One that names itself as its child, a list
// of free pages that names one in use, a length beyond the end: it would run for
// ever, exhaust the stack, or overwrite what is well, and a process does not
// survive the first two. So Open looks at every page before bbolt does, by
// reading, which fails where mapped memory faults. It takes as long as reading
// the file does.
//
// What lies in the values is left to their readers.

// The format of bbolt's pages, in the byte order of the machine: a header, then
// elements, then the keys and values that these point to.
const (
	pageHeaderBytes = 16 // id u64, kind u16, count u16, overflow u32
	elementBytes    = 16
	metaBytes       = 64 // magic, version, page size, flags u32; root, sequence, free list, end, transaction, checksum u64
	bucketBytes     = 16 // root u64, sequence u64; an inline page follows where root is 0
	pageIDBytes     = 8

	kindBranch   = 0x01
	kindLeaf     = 0x02
	kindFreelist = 0x10

	leafIsBucket = 0x01

	boltMagic   = 0xED0CDAED
	boltVersion = 2

	metaPages     = 2 // written in turn; they come first
	noFreelist    = ^uint64(0)
	manyFree      = 0xFFFF // a count this high is in the place of the first id
	leastPageSize = 1 << 10
	mostPageSize  = 1 << 24
	// mostLevels is far beyond what the branches of any tree on a disk need.
	mostLevels = 100
)

var native = binary.NativeEndian

// boltMeta is where a database begins.
type boltMeta struct {
	pageSize                          int64
	root, freelist, end, transactions uint64
}

// parseMeta reads the meta that follows the header of a page.
func parseMeta(page []byte) (m boltMeta, ok bool) {
	if len(page) < pageHeaderBytes+metaBytes {
		return m, false
	}
	b := page[pageHeaderBytes:][:metaBytes]
	sum := fnv.New64a()
	sum.Write(b[:metaBytes-8])
	if native.Uint32(b) != boltMagic || native.Uint32(b[4:]) != boltVersion || native.Uint64(b[metaBytes-8:]) != sum.Sum64() {
		return m, false
	}
	m = boltMeta{
		pageSize: int64(native.Uint32(b[8:])),
		root:     native.Uint64(b[16:]), freelist: native.Uint64(b[32:]),
		end: native.Uint64(b[40:]), transactions: native.Uint64(b[48:]),
	}
	return m, m.pageSize >= leastPageSize && m.pageSize <= mostPageSize && m.pageSize&(m.pageSize-1) == 0
}

// pages are those of a file that is being looked at.
type pages struct {
	file     *os.File
	pageSize int64
	end      uint64 // of the pages that are in use or free
	seen     []bool // which of them were met
}

// checkPages tells what is wrong with a file whose first page, or second, bbolt
// has accepted. pageSize is what it found there.
func checkPages(file *os.File, pageSize int) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	p := pages{file: file, pageSize: int64(pageSize)}
	meta, err := p.meta()
	if err != nil {
		return err
	}
	if meta.end < metaPages || meta.end > uint64(info.Size()/p.pageSize) {
		return fmt.Errorf("%w: it should have %d pages of %d bytes and has %d bytes", ErrTruncated, meta.end, p.pageSize, info.Size())
	}
	p.end, p.seen = meta.end, make([]bool, meta.end)
	p.seen[0], p.seen[1] = true, true
	if err := p.tree(meta.root, 0); err != nil {
		return err
	}
	if meta.freelist == noFreelist { // then bbolt looks for itself
		return nil
	}
	return p.freelist(meta.freelist)
}

// meta returns the newer one of those that are whole.
func (p *pages) meta() (newest boltMeta, err error) {
	found := false
	for id := range uint64(metaPages) {
		b := make([]byte, pageHeaderBytes+metaBytes)
		if _, err := p.file.ReadAt(b, int64(id)*p.pageSize); err != nil {
			return newest, err
		}
		m, ok := parseMeta(b)
		if ok && m.pageSize == p.pageSize && (!found || m.transactions > newest.transactions) {
			newest, found = m, true
		}
	}
	if !found {
		return newest, fmt.Errorf("%w: it does not begin like one", ErrDamaged)
	}
	return newest, nil
}

// page is one page with those that it overflows into.
type page struct {
	id    uint64
	kind  uint16
	count int
	bytes []byte
}

func (p *page) damaged(format string, arguments ...any) error {
	return fmt.Errorf("%w: page %d %s", ErrDamaged, p.id, fmt.Sprintf(format, arguments...))
}

// parsePage reads the header of a page, or of an inline page within one.
func parsePage(id uint64, b []byte) page {
	return page{id: id, kind: native.Uint16(b[8:]), count: int(native.Uint16(b[10:])), bytes: b}
}

// read returns a page that was not met before.
func (p *pages) read(id uint64) (page, error) {
	if err := p.meet(id); err != nil {
		return page{id: id}, err
	}
	header := make([]byte, pageHeaderBytes)
	at := int64(id) * p.pageSize
	if _, err := p.file.ReadAt(header, at); err != nil {
		return page{id: id}, err
	}
	found := page{id: id}
	if native.Uint64(header) != id {
		return found, found.damaged("says it is page %d", native.Uint64(header))
	}
	overflow := uint64(native.Uint32(header[12:]))
	if overflow >= p.end-id {
		return found, found.damaged("goes on past the last page")
	}
	for more := range overflow {
		if err := p.meet(id + 1 + more); err != nil {
			return found, err
		}
	}
	b := make([]byte, int64(overflow+1)*p.pageSize)
	if _, err := p.file.ReadAt(b, at); err != nil {
		return found, err
	}
	return parsePage(id, b), nil
}

// meet notes that a page has a place, which must be its only one.
func (p *pages) meet(id uint64) error {
	at := page{id: id}
	switch {
	case id >= p.end:
		return at.damaged("is past the last one")
	case p.seen[id]:
		return at.damaged("has two places")
	}
	p.seen[id] = true
	return nil
}

// tree looks at a tree from its root.
func (p *pages) tree(id uint64, level int) error {
	at, err := p.read(id)
	if err != nil {
		return err
	}
	switch {
	case level > mostLevels:
		return at.damaged("is too deep down")
	case at.kind == kindLeaf:
		return p.leaf(&at, level)
	case at.kind == kindBranch:
		return p.branch(&at, level)
	}
	return at.damaged("is of kind %#x where there should be a tree", at.kind)
}

func (p *pages) branch(at *page, level int) error {
	if at.count == 0 {
		return at.damaged("has no branches")
	}
	return at.eachElement(func(element, key []byte, _ []byte) error {
		return p.tree(native.Uint64(element[8:]), level+1)
	})
}

func (p *pages) leaf(at *page, level int) error {
	return at.eachElement(func(element, _ []byte, value []byte) error {
		if native.Uint32(element)&leafIsBucket == 0 {
			return nil
		}
		if len(value) < bucketBytes {
			return at.damaged("has a bucket of %d bytes", len(value))
		}
		if root := native.Uint64(value); root != 0 {
			return p.tree(root, level+1)
		}
		return at.inline(value[bucketBytes:])
	})
}

// inline looks at a bucket so small that it is a page within a value. It has no
// buckets of its own.
func (p *page) inline(b []byte) error {
	if len(b) < pageHeaderBytes {
		return p.damaged("has an inline bucket of %d bytes", len(b))
	}
	inner := parsePage(p.id, b)
	if inner.kind != kindLeaf {
		return p.damaged("has an inline bucket of kind %#x", inner.kind)
	}
	return inner.eachElement(func(element, _ []byte, _ []byte) error {
		if native.Uint32(element)&leafIsBucket != 0 {
			return p.damaged("has a bucket in an inline bucket")
		}
		return nil
	})
}

// eachElement visits the elements of a branch, which have no values, or of a
// leaf, once they are known to lie within the page and in order.
func (p *page) eachElement(visit func(element, key, value []byte) error) error {
	first := pageHeaderBytes + p.count*elementBytes // what elements point to comes after them
	if first > len(p.bytes) {
		return p.damaged("has no room for its %d elements", p.count)
	}
	var last []byte
	for i := range p.count {
		at := pageHeaderBytes + i*elementBytes
		element := p.bytes[at:][:elementBytes]
		var position, keyLen, valueLen uint64
		if p.kind == kindBranch {
			position, keyLen = uint64(native.Uint32(element)), uint64(native.Uint32(element[4:]))
		} else {
			position, keyLen, valueLen = uint64(native.Uint32(element[4:])), uint64(native.Uint32(element[8:])), uint64(native.Uint32(element[12:]))
		}
		begin := uint64(at) + position
		if begin < uint64(first) || begin+keyLen+valueLen > uint64(len(p.bytes)) {
			return p.damaged("points outside of itself")
		}
		key := p.bytes[begin:][:keyLen]
		if i > 0 && bytes.Compare(last, key) >= 0 {
			return p.damaged("has its keys out of order")
		}
		last = key
		if err := visit(element, key, p.bytes[begin+keyLen:][:valueLen]); err != nil {
			return err
		}
	}
	return nil
}

// freelist looks at the pages that are free: none of them may be in use.
func (p *pages) freelist(id uint64) error {
	at, err := p.read(id)
	if err != nil {
		return err
	}
	if at.kind != kindFreelist {
		return at.damaged("is of kind %#x where there should be the free pages", at.kind)
	}
	ids := at.bytes[pageHeaderBytes:]
	count := uint64(at.count)
	if count == manyFree {
		count, ids = native.Uint64(ids), ids[pageIDBytes:]
	}
	if count > uint64(len(ids)/pageIDBytes) {
		return at.damaged("has no room for %d free pages", count)
	}
	for i := range count {
		if err := p.meet(native.Uint64(ids[i*pageIDBytes:])); err != nil {
			return err
		}
	}
	return nil
}
