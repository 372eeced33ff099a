package snapshot

import "google.golang.org/protobuf/encoding/protowire"

// A writer appends protobuf fields.
type writer struct {
	out []byte
}

func (w *writer) varint(num protowire.Number, v uint64) {
	w.out = protowire.AppendTag(w.out, num, protowire.VarintType)
	w.out = protowire.AppendVarint(w.out, v)
}

// optionalVarint writes nothing when v is 0.
func (w *writer) optionalVarint(num protowire.Number, v uint64) {
	if v != 0 {
		w.varint(num, v)
	}
}

func (w *writer) bytes(num protowire.Number, v []byte) {
	w.out = protowire.AppendTag(w.out, num, protowire.BytesType)
	w.out = protowire.AppendBytes(w.out, v)
}

func (w *writer) string(num protowire.Number, v string) {
	w.out = protowire.AppendTag(w.out, num, protowire.BytesType)
	w.out = protowire.AppendString(w.out, v)
}

// optionalBytes writes nothing when v is empty.
func (w *writer) optionalBytes(num protowire.Number, v []byte) {
	if len(v) > 0 {
		w.bytes(num, v)
	}
}

// optionalString writes nothing when v is empty.
func (w *writer) optionalString(num protowire.Number, v string) {
	if v != "" {
		w.string(num, v)
	}
}

// begin opens an embedded message, whose fields are what is written until end
// is called with what begin returned. Most are so short that their length
// takes the one byte that is left for it; others are moved up.
func (w *writer) begin(num protowire.Number) (start int) {
	w.out = protowire.AppendTag(w.out, num, protowire.BytesType)
	w.out = append(w.out, 0)
	return len(w.out)
}

func (w *writer) end(start int) {
	n := len(w.out) - start
	if more := protowire.SizeVarint(uint64(n)) - 1; more > 0 {
		var room [8]byte
		w.out = append(w.out, room[:more]...)
		copy(w.out[start+more:], w.out[start:start+n])
	}
	protowire.AppendVarint(w.out[:start-1], uint64(n)) // in place
}
