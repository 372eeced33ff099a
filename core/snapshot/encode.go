package snapshot

import (
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// AppendMeta appends the blob of m to dst and returns the result. The blob
// shares no memory with m. Who saves often passes the memory of an earlier
// blob, cut to no length: a fresh one costs more than what is written.
func AppendMeta(dst []byte, m *ChannelMeta) []byte {
	w := NewMetaWriter(dst, room(m), m.Lamport)
	for i := range m.Outgoing {
		w.Outgoing(&m.Outgoing[i])
	}
	var wait []byte
	for i := range m.Incoming {
		in := &m.Incoming[i]
		wait = AppendWait(wait[:0], in.Missing, in.ReceivedTime)
		w.Incoming(in.Message, wait)
	}
	for i := range m.OutgoingRepair {
		w.OutgoingRepair(&m.OutgoingRepair[i])
	}
	for i := range m.IncomingRepair {
		w.IncomingRepair(&m.IncomingRepair[i])
	}
	for _, id := range m.Met {
		w.Met(id)
	}
	w.WireFormat(m.WireFormat)
	for _, id := range m.Appending {
		w.Appending(id)
	}
	return w.Bytes()
}

// AppendData appends the blob of d to dst and returns the result. The blob
// shares no memory with d. It always has a meta: where d has none, an empty
// one, which describes the same channel.
func AppendData(dst []byte, d *ChannelData) []byte {
	meta := d.Meta
	if meta == nil {
		meta = &ChannelMeta{}
	}
	n := room(meta)
	for _, message := range d.History {
		n += len(message) + overhead
	}
	w := writer{out: slices.Grow(dst, n)}
	start := w.begin(dataMeta)
	w.out = AppendMeta(w.out, meta)
	w.end(start)
	for _, message := range d.History {
		w.bytes(dataMessage, message)
	}
	for _, hint := range d.Hints {
		start := w.begin(dataHint)
		w.string(hintID, hint.MessageID)
		w.bytes(hintValue, hint.Hint)
		w.end(start)
	}
	return w.out
}

// AppendUpdate appends the blob of u to dst and returns the result. The blob
// shares no memory with u.
func AppendUpdate(dst []byte, u *HistoryUpdate) []byte {
	w := writer{out: dst}
	keys := 0 // up to the last that says something
	for i, record := range u.Append {
		w.bytes(updateMessage, record.Message)
		if record.MessageID != "" || record.Lamport != 0 {
			keys = i + 1
		}
	}
	for _, id := range u.Evict {
		w.string(updateEvicted, id)
	}
	for _, record := range u.Append[:keys] {
		start := w.begin(updateKey)
		w.optionalString(keyID, record.MessageID)
		w.optionalVarint(keyLamport, record.Lamport)
		w.end(start)
	}
	return w.out
}

// overhead is what the fields around a message take, more or less.
const overhead = 32

// room is about how long the blob of m will be: messages are most of it.
func room(m *ChannelMeta) int {
	n := overhead
	for i := range m.Outgoing {
		n += len(m.Outgoing[i].Message) + overhead
	}
	for i := range m.Incoming {
		n += len(m.Incoming[i].Message) + overhead
	}
	for i := range m.IncomingRepair {
		n += len(m.IncomingRepair[i].Message) + overhead
	}
	return n
}

func (w *writer) unacknowledged(u *Unacknowledged) {
	start := w.begin(metaOutgoing)
	w.bytes(unackedMessage, u.Message)
	w.varint(unackedSendTime, uint64(u.SendTime))
	w.varint(unackedAttempts, uint64(u.Attempts))
	for _, witness := range u.Witnesses {
		inner := w.begin(unackedWitness)
		w.string(witnessID, witness.MessageID)
		w.optionalString(witnessSender, witness.SenderID)
		w.end(inner)
	}
	w.end(start)
}

// wait writes all of an Incoming but its message.
func (w *writer) wait(entries []HistoryEntry, receivedTime int64) {
	details := 0 // up to the last that says something
	for i := range entries {
		w.string(incomingMissing, entries[i].MessageID)
		if entries[i].SenderID != "" || len(entries[i].RetrievalHint) > 0 {
			details = i + 1
		}
	}
	w.optionalVarint(incomingReceived, uint64(receivedTime))
	for i := range entries[:details] {
		inner := w.begin(incomingDetail)
		w.detail(&entries[i])
		w.end(inner)
	}
}

func (w *writer) outgoingRepair(r *OutgoingRepair) {
	start := w.begin(metaOutgoingRepair)
	w.string(repairID, r.Entry.MessageID)
	inner := w.begin(repairEntry)
	w.entry(askingMessage, &r.Entry)
	w.varint(askingTReq, uint64(r.TReq))
	w.optionalVarint(askingFirstDue, uint64(r.FirstDue))
	w.end(inner)
	w.end(start)
}

func (w *writer) incomingRepair(r *IncomingRepair) {
	start := w.begin(metaIncomingRepair)
	w.string(repairID, r.Entry.MessageID)
	inner := w.begin(repairEntry)
	w.entry(askedMessage, &r.Entry)
	w.bytes(askedCached, r.Message)
	w.varint(askedTResp, uint64(r.TResp))
	w.end(inner)
	w.end(start)
}

func (w *writer) entry(num protowire.Number, e *HistoryEntry) {
	start := w.begin(num)
	w.string(entryID, e.MessageID)
	w.detail(e)
	w.end(start)
}

// detail writes what there is of e beside its id.
func (w *writer) detail(e *HistoryEntry) {
	w.optionalBytes(entryHint, e.RetrievalHint)
	w.optionalString(entrySender, e.SenderID)
}
