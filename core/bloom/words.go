package bloom

import (
	"encoding/binary"
	"slices"
	"unsafe"
)

// wordBytes is the size of one word of a filter.
const wordBytes = 8

// hostIsLittleEndian tells whether words lie in memory as the sds-* dialects
// lay them out in a message.
var hostIsLittleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// appendLittleEndian appends words to dst, each with its lowest byte first: a
// plain copy where the machine's own order is that one.
func appendLittleEndian(dst []byte, words []uint64) []byte {
	if !hostIsLittleEndian {
		return appendLittleEndianPortably(dst, words)
	}
	// Any memory may be read as bytes. The view does not outlive this line.
	return append(dst, unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), wordBytes*len(words))...)
}

func appendLittleEndianPortably(dst []byte, words []uint64) []byte {
	at := len(dst)
	dst = extend(dst, words)
	for _, word := range words {
		binary.LittleEndian.PutUint64(dst[at:at+wordBytes], word)
		at += wordBytes
	}
	return dst
}

// appendBigEndian appends words to dst, each with its highest byte first.
func appendBigEndian(dst []byte, words []uint64) []byte {
	at := len(dst)
	dst = extend(dst, words)
	for _, word := range words {
		binary.BigEndian.PutUint64(dst[at:at+wordBytes], word)
		at += wordBytes
	}
	return dst
}

// extend makes dst longer by the size of words. What is there is anything.
func extend(dst []byte, words []uint64) []byte {
	size := wordBytes * len(words)
	return slices.Grow(dst, size)[:len(dst)+size]
}
