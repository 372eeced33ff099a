package wire

import "google.golang.org/protobuf/encoding/protowire"

// A writer appends protobuf fields, or only adds up their sizes. Each format
// is described once, by the calls that it makes here; made twice, first
// measuring, the size of a message is right by construction.
type writer struct {
	out       []byte
	measuring bool
	size      int // what has been measured
}

// header begins a length-delimited field with n bytes of value.
func (w *writer) header(num protowire.Number, n int) {
	switch short := num < 1<<4 && n < 1<<7; { // almost all are: one byte each
	case short && w.measuring:
		w.size += 2
	case short:
		w.out = append(w.out, byte(num<<3)|byte(protowire.BytesType), byte(n))
	case w.measuring:
		w.size += protowire.SizeTag(num) + protowire.SizeVarint(uint64(n))
	default:
		w.out = protowire.AppendTag(w.out, num, protowire.BytesType)
		w.out = protowire.AppendVarint(w.out, uint64(n))
	}
}

func (w *writer) varint(num protowire.Number, v uint64) {
	if w.measuring {
		w.size += protowire.SizeTag(num) + protowire.SizeVarint(v)
		return
	}
	w.out = protowire.AppendTag(w.out, num, protowire.VarintType)
	w.out = protowire.AppendVarint(w.out, v)
}

func (w *writer) string(num protowire.Number, v string) {
	w.header(num, len(v))
	if w.measuring {
		w.size += len(v)
		return
	}
	w.out = append(w.out, v...)
}

func (w *writer) bytes(num protowire.Number, v []byte) {
	w.header(num, len(v))
	if w.measuring {
		w.size += len(v)
		return
	}
	w.out = append(w.out, v...)
}

// optionalString writes nothing when v is empty.
func (w *writer) optionalString(num protowire.Number, v string) {
	if v != "" {
		w.string(num, v)
	}
}

// optionalBytes writes nothing when v is empty.
func (w *writer) optionalBytes(num protowire.Number, v []byte) {
	if len(v) > 0 {
		w.bytes(num, v)
	}
}
