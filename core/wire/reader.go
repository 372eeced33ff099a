package wire

import (
	"errors"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
)

// A reader walks the fields of one protobuf message. It is stricter than
// protowire: no overlong varints, no groups.
//
//	for r.next() { use r.num, r.typ and r.varint or r.bytes() }
//	if r.err != nil { the message is malformed }
//
// bytes makes a slice only when asked, so that a skipped field costs nothing
// beyond its tag and length.
type reader struct {
	buf []byte
	pos int // of what has not been read yet

	num    protowire.Number
	typ    protowire.Type
	varint uint64 // the value, when typ is VarintType
	start  int    // buf[start:pos] is the value, when typ is BytesType

	err error
}

// next reads one field; false means the end or an error.
func (r *reader) next() bool {
	if r.pos >= len(r.buf) || r.err != nil {
		return false
	}
	tag, ok := r.shortVarint()
	if !ok {
		if tag, ok = r.longVarint(); !ok {
			return false
		}
	}
	if tag>>3 < uint64(protowire.MinValidNumber) || tag>>3 > uint64(protowire.MaxValidNumber) {
		return r.fail(errFieldNumber)
	}
	r.num, r.typ = protowire.Number(tag>>3), protowire.Type(tag&7)
	switch r.typ {
	case protowire.BytesType:
		n, ok := r.shortVarint()
		if !ok {
			if n, ok = r.longVarint(); !ok {
				return false
			}
		}
		r.start = r.pos
		return r.skip(n)
	case protowire.VarintType:
		r.varint, ok = r.longVarint()
		return ok
	case protowire.Fixed32Type:
		return r.skip(4)
	case protowire.Fixed64Type:
		return r.skip(8)
	default:
		return r.fail(errWireType)
	}
}

// bytes returns the value of a length-delimited field, a view of the message.
// Its capacity ends with it, so that appending cannot write over what follows.
func (r *reader) bytes() []byte { return r.buf[r.start:r.pos:r.pos] }

// shortVarint reads a varint of one byte, if the next one is that short, as
// tags and most lengths are. Unlike longVarint it is inlined.
func (r *reader) shortVarint() (v uint64, ok bool) {
	if r.pos >= len(r.buf) || r.buf[r.pos] >= 0x80 {
		return 0, false
	}
	v = uint64(r.buf[r.pos])
	r.pos++
	return v, true
}

// longVarint reads a varint of any length, in its shortest form.
func (r *reader) longVarint() (uint64, bool) {
	v, n := protowire.ConsumeVarint(r.buf[r.pos:])
	switch {
	case n < 0 && errors.Is(protowire.ParseError(n), io.ErrUnexpectedEOF):
		return 0, r.fail(errTruncated)
	case n < 0:
		return 0, r.fail(errVarint)
	case n > 1 && r.buf[r.pos+n-1] == 0: // its top seven bits say nothing
		return 0, r.fail(errOverlong)
	}
	r.pos += n
	return v, true
}

func (r *reader) skip(n uint64) bool {
	if n > uint64(len(r.buf)-r.pos) {
		return r.fail(errTruncated)
	}
	r.pos += int(n)
	return true
}

func (r *reader) fail(err error) bool {
	r.err = err
	return false
}
