package cblock

import "unsafe"

// Room is memory of C that is yet to be filled, from its beginning on. Filling
// more than there is panics.
type Room []byte

// NewRoom returns the room of size bytes from offset on in a block.
func NewRoom(block unsafe.Pointer, offset, size int) Room {
	return unsafe.Slice((*byte)(unsafe.Add(block, offset)), size)
}

// Name puts down an id, with the NUL that ends it, and returns where it is. It
// takes NameLen and one byte more.
func (r *Room) Name(id string) unsafe.Pointer {
	size := NameLen(id) + 1
	place := (*r)[:size:size]
	place[len(AppendName(place[:0], id))] = 0
	*r = (*r)[size:]
	return unsafe.Pointer(unsafe.SliceData(place))
}

// Bytes puts down bytes and returns where they are; nil when there are none.
func (r *Room) Bytes(data []byte) unsafe.Pointer {
	if len(data) == 0 {
		return nil
	}
	place := (*r)[:len(data):len(data)]
	*r = (*r)[copy(place, data):]
	return unsafe.Pointer(unsafe.SliceData(place))
}
