package wire

import (
	"bytes"
	"slices"
)

// A Stored is a message as the log and the buffers keep it: encoded once, in
// one format, without the two parts that are fresh whenever it is sent, bloom
// filter and repair requests. It owns its bytes, which never change, so copies
// share them and any number of goroutines may use it.
//
// The zero Stored holds no message; only Bytes, Content and Size may be called.
type Stored struct {
	bytes []byte
	// The parts before, between and after filter and repair requests are
	// bytes[:filterAt], bytes[filterEnd:repairAt] and bytes[repairAt:]. What
	// lies between filterAt and filterEnd is the empty filter field that
	// sds-0.2 and sds-0.3 demand. Messages are far smaller than 4 GiB.
	filterAt, filterEnd, repairAt uint32
	contentLen                    uint32
	format                        Format
}

// Store encodes m in format f, without its filter and repair requests. It
// copies; m may alias memory that changes later. It allocates once. It panics
// when f is none of the four formats.
func Store(f Format, m *Message) Stored {
	measured := writer{measuring: true}
	measured.stored(f, m)
	w := writer{out: make([]byte, 0, measured.size)}
	s := w.stored(f, m)
	s.bytes = w.out
	return s
}

// A Storer is [Store] with memory that it uses again: to encode first and copy
// what came out is faster than to measure first. The zero Storer is ready. It
// must not be used by two goroutines at once.
type Storer struct {
	buffer []byte
}

// mostKept is the size up to which a Storer keeps its memory.
const mostKept = 8 << 10

// Store does what the function [Store] does.
func (r *Storer) Store(f Format, m *Message) Stored {
	if len(m.Content) >= mostKept {
		return Store(f, m)
	}
	w := writer{out: r.buffer[:0]}
	s := w.stored(f, m)
	s.bytes = bytes.Clone(w.out)
	if cap(w.out) <= 2*mostKept {
		r.buffer = w.out
	}
	return s
}

// StoreReceived does what Store does for a message as Decode left it. One that
// is in format f already, as its writers lay it out, is copied as it is.
func (r *Storer) StoreReceived(f Format, m *Message) Stored {
	if m.layout.format == f {
		return m.verbatim()
	}
	return r.Store(f, m)
}

// stored writes the stored form of m and returns where its parts are.
func (w *writer) stored(f Format, m *Message) Stored {
	s := Stored{format: f, contentLen: uint32(len(m.Content))}
	w.head(f, m)
	s.filterAt = uint32(len(w.out))
	w.filter(f, nil)
	s.filterEnd = uint32(len(w.out))
	w.middle(f, m)
	s.repairAt = uint32(len(w.out))
	w.tail(f, m)
	return s
}

// Append appends the message for the wire to dst and returns the result, which
// is grown at most once: the bytes that the function [Append] writes for the
// same message with this filter (nil for none) and these repair requests.
func (s Stored) Append(dst []byte, filter Filter, repair []Entry) []byte {
	dst = slices.Grow(dst, s.Len(filter, repair))
	w := writer{out: append(dst, s.bytes[:s.filterAt]...)}
	w.filter(s.format, filter)
	w.out = append(w.out, s.bytes[s.filterEnd:s.repairAt]...)
	w.repairs(s.format, repair)
	return append(w.out, s.bytes[s.repairAt:]...)
}

// Len returns how many bytes Append appends.
func (s Stored) Len(filter Filter, repair []Entry) int {
	w := writer{measuring: true, size: len(s.bytes) - int(s.filterEnd-s.filterAt)}
	w.filter(s.format, filter)
	w.repairs(s.format, repair)
	return w.size
}

// Bytes returns the stored form, itself a message of its format. The caller
// must not change it.
func (s Stored) Bytes() []byte { return s.bytes }

// Content returns the message's content, a view of Bytes. The caller must not
// change it.
func (s Stored) Content() []byte {
	end := uint32(len(s.bytes)) // in lip-109 the content is the last field
	if s.format != LIP109 {
		end = s.filterAt // and the last of the head in all others
	}
	return s.bytes[end-s.contentLen : end : end]
}

// Size returns the length of Bytes.
func (s Stored) Size() int { return len(s.bytes) }
