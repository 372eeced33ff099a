// Package text writes what part 1 of the C API hands to its callbacks: bytes
// as decimal numbers, and JSON.
package text

import (
	"encoding/binary"
	"unsafe"
)

// number is a byte as decimal digits and the comma after them. All four bytes
// are written at once, which is why AppendDecimal wants some room beyond its
// text.
type number struct {
	text   uint32 // as it lies in memory
	length uint32
}

var numbers = func() (table [256]number) {
	for i := range table {
		digits := []byte{byte('0' + i/100), byte('0' + i/10%10), byte('0' + i%10), ','}
		for len(digits) > 2 && digits[0] == '0' {
			digits = digits[1:]
		}
		var text [4]byte
		length := copy(text[:], digits)
		table[i] = number{binary.NativeEndian.Uint32(text[:]), uint32(length)}
	}
	return table
}()

// stretch is how many bytes are written without a call. The runtime can stop a
// goroutine at calls only (signals are the host's), and a garbage collection
// must not wait for megabytes of text.
const stretch = 4 << 10

// DecimalBound is the room that AppendDecimal needs for n bytes.
func DecimalBound(n int) int { return 4*n + 4 }

// AppendDecimal appends bytes as decimal numbers joined by commas. The capacity
// of dst must have room for DecimalBound(len(bytes)) more.
func AppendDecimal(dst, bytes []byte) []byte {
	if len(bytes) == 0 {
		return dst
	}
	for len(bytes) > stretch {
		dst = appendNumbers(dst, bytes[:stretch])
		bytes = bytes[stretch:]
	}
	dst = appendNumbers(dst, bytes)
	return dst[:len(dst)-1] // without the last comma
}

// appendNumbers appends each byte with a comma after it. It writes through a
// pointer, having made sure of the room once: checking at every byte takes as
// long again as the writing.
//
//go:noinline
func appendNumbers(dst, bytes []byte) []byte {
	at := len(dst)
	out := dst[:at+DecimalBound(len(bytes))]
	start := unsafe.Pointer(unsafe.SliceData(out))
	for _, b := range bytes {
		n := numbers[b]
		*(*uint32)(unsafe.Add(start, at)) = n.text
		at += int(n.length)
	}
	return out[:at]
}
