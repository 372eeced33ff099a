package snapshot

import (
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// A MetaWriter writes the blob of a [ChannelMeta] without there being one, for
// who saves after every operation. The lists must be written in the order of
// the methods; each entry is written at once and not kept.
type MetaWriter struct {
	w writer
}

// NewMetaWriter begins a blob that is appended to dst. Size is about how long
// it will be.
func NewMetaWriter(dst []byte, size int, lamport uint64) MetaWriter {
	m := MetaWriter{writer{out: slices.Grow(dst, size)}}
	m.w.varint(metaVersion, SchemaVersion)
	m.w.varint(metaLamport, lamport)
	return m
}

// Outgoing writes the next entry of ChannelMeta.Outgoing.
func (m *MetaWriter) Outgoing(u *Unacknowledged) { m.w.unacknowledged(u) }

// Incoming writes the next entry of ChannelMeta.Incoming: its message, and what
// AppendWait wrote of the rest.
func (m *MetaWriter) Incoming(message, wait []byte) {
	w := &m.w
	w.out = protowire.AppendTag(w.out, metaIncoming, protowire.BytesType)
	w.out = protowire.AppendVarint(w.out, uint64(protowire.SizeTag(incomingMessage)+protowire.SizeBytes(len(message))+len(wait)))
	w.bytes(incomingMessage, message)
	w.out = append(w.out, wait...)
}

// OutgoingRepair writes the next entry of ChannelMeta.OutgoingRepair.
func (m *MetaWriter) OutgoingRepair(r *OutgoingRepair) { m.w.outgoingRepair(r) }

// IncomingRepair writes the next entry of ChannelMeta.IncomingRepair.
func (m *MetaWriter) IncomingRepair(r *IncomingRepair) { m.w.incomingRepair(r) }

// Met writes the next id of ChannelMeta.Met.
func (m *MetaWriter) Met(id string) { m.w.string(metaMet, id) }

// WireFormat writes ChannelMeta.WireFormat.
func (m *MetaWriter) WireFormat(format uint64) { m.w.optionalVarint(metaWireFormat, format) }

// Appending writes the next id of ChannelMeta.Appending.
func (m *MetaWriter) Appending(id string) { m.w.string(metaAppending, id) }

// Bytes returns dst with the blob appended.
func (m *MetaWriter) Bytes() []byte { return m.w.out }

// AppendWait appends what an entry of ChannelMeta.Incoming says beside its
// message. A message can wait for thousands: this part is worth keeping.
func AppendWait(dst []byte, missing []HistoryEntry, receivedTime int64) []byte {
	w := writer{out: dst}
	w.wait(missing, receivedTime)
	return w.out
}
