package snapshot

import (
	"fmt"
	"math"

	"github.com/libsds/libsds/core/limits"
	"google.golang.org/protobuf/encoding/protowire"
)

// DecodeMeta decodes a blob of [AppendMeta] or of another writer of the schema.
// The result shares no memory with b, and decoding takes no more than fifty
// times the memory of b, whatever b says. Nil and empty lists are the
// same. The error wraps [ErrMalformed], or [ErrSchemaVersion] with both versions
// named; the version is judged before all else that is well-formed.
func DecodeMeta(b []byte) (*ChannelMeta, error) {
	var f fields
	if err := f.read(b, &versionSchema); err != nil {
		return nil, err
	}
	if version := f.last[metaVersion].varint; version != SchemaVersion {
		return nil, fmt.Errorf("%w: it is of version %d, and this library reads version %d", ErrSchemaVersion, version, SchemaVersion)
	}
	if err := f.read(b, &metaSchema); err != nil {
		return nil, err
	}
	m := &ChannelMeta{}
	var err error
	if m.Lamport, err = f.atMost(metaLamport, limits.MaxLamport); err != nil {
		return nil, err
	}
	if m.Outgoing, err = list(&f, metaOutgoing, decodeUnacknowledged); err != nil {
		return nil, err
	}
	if m.Incoming, err = list(&f, metaIncoming, decodeIncoming); err != nil {
		return nil, err
	}
	if m.OutgoingRepair, err = list(&f, metaOutgoingRepair, decodeOutgoingRepair); err != nil {
		return nil, err
	}
	if m.IncomingRepair, err = list(&f, metaIncomingRepair, decodeIncomingRepair); err != nil {
		return nil, err
	}
	if m.Met, err = f.ids(metaMet); err != nil {
		return nil, err
	}
	m.WireFormat = f.last[metaWireFormat].varint
	if m.Appending, err = f.ids(metaAppending); err != nil {
		return nil, err
	}
	return m, nil
}

// DecodeData decodes a blob of [AppendData] or of another writer of the schema,
// like [DecodeMeta]. The order of the history is not looked at.
func DecodeData(b []byte) (*ChannelData, error) {
	var f fields
	if err := f.read(b, &dataSchema); err != nil {
		return nil, err
	}
	d := &ChannelData{}
	var err error
	if d.Meta, err = DecodeMeta(f.view(dataMeta)); err != nil {
		return nil, err
	}
	if n := f.count[dataMessage]; n > 0 {
		d.History = make([][]byte, n)
		for i, message := range f.all(dataMessage) {
			d.History[i] = owned(message)
		}
	}
	if d.Hints, err = list(&f, dataHint, decodeHint); err != nil {
		return nil, err
	}
	return d, nil
}

// DecodeUpdate decodes a blob of [AppendUpdate] or of another writer of the
// schema, like [DecodeMeta].
func DecodeUpdate(b []byte) (*HistoryUpdate, error) {
	var f fields
	if err := f.read(b, &updateSchema); err != nil {
		return nil, err
	}
	u := &HistoryUpdate{}
	if n := f.count[updateMessage]; n > 0 {
		u.Append = make([]HistoryRecord, n)
	}
	for i, message := range f.all(updateMessage) {
		u.Append[i].Message = owned(message)
	}
	if f.count[updateKey] > len(u.Append) {
		return nil, f.bad(updateKey, "tells of more messages than there are")
	}
	for i, key := range f.all(updateKey) {
		if err := u.Append[i].decodeKey(key); err != nil {
			return nil, f.within(updateKey, i, err)
		}
	}
	var err error
	if u.Evict, err = f.ids(updateEvicted); err != nil {
		return nil, err
	}
	return u, nil
}

// list decodes the values of a repeated field; nil where there is none.
func list[T any](f *fields, num protowire.Number, decode func(*T, []byte) error) ([]T, error) {
	if f.count[num] == 0 {
		return nil, nil
	}
	values := make([]T, f.count[num])
	for i, b := range f.all(num) {
		if err := decode(&values[i], b); err != nil {
			return nil, f.within(num, i, err)
		}
	}
	return values, nil
}

// within says where an embedded message is that is wrong.
func (f *fields) within(num protowire.Number, i int, err error) error {
	return fmt.Errorf("%s.%s %d: %w", f.schema.name, f.schema.fields[num].name, i, err)
}

func decodeUnacknowledged(u *Unacknowledged, b []byte) error {
	var f fields
	if err := f.read(b, &unackedSchema); err != nil {
		return err
	}
	attempts, err := f.atMost(unackedAttempts, math.MaxInt32)
	if err != nil {
		return err
	}
	u.Message, u.SendTime, u.Attempts = f.bytes(unackedMessage), f.time(unackedSendTime), int(attempts)
	u.Witnesses, err = list(&f, unackedWitness, decodeWitness)
	return err
}

func decodeWitness(w *Witness, b []byte) (err error) {
	var f fields
	if err = f.read(b, &witnessSchema); err != nil {
		return err
	}
	if w.MessageID, err = f.id(witnessID); err != nil {
		return err
	}
	w.SenderID, err = f.optionalID(witnessSender)
	return err
}

func decodeIncoming(in *Incoming, b []byte) error {
	var f fields
	if err := f.read(b, &incomingSchema); err != nil {
		return err
	}
	in.Message, in.ReceivedTime = f.bytes(incomingMessage), f.time(incomingReceived)
	if n := f.count[incomingMissing]; n > 0 {
		in.Missing = make([]HistoryEntry, n)
	}
	for i, id := range f.all(incomingMissing) {
		var err error
		if in.Missing[i].MessageID, err = f.checkedID(incomingMissing, id); err != nil {
			return err
		}
	}
	if f.count[incomingDetail] > len(in.Missing) {
		return f.bad(incomingDetail, "tells of more messages than are missing")
	}
	for i, detail := range f.all(incomingDetail) {
		var inner fields
		err := inner.read(detail, &detailSchema)
		if err == nil {
			err = inner.detail(&in.Missing[i])
		}
		if err != nil {
			return f.within(incomingDetail, i, err)
		}
	}
	return nil
}

func decodeOutgoingRepair(r *OutgoingRepair, b []byte) error {
	var f, entry fields
	if err := f.read(b, &outgoingRepairSchema); err != nil {
		return err
	}
	if err := entry.read(f.view(repairEntry), &askingSchema); err != nil {
		return err
	}
	r.TReq, r.FirstDue = entry.time(askingTReq), entry.time(askingFirstDue)
	return f.repaired(&r.Entry, entry.view(askingMessage))
}

func decodeIncomingRepair(r *IncomingRepair, b []byte) error {
	var f, entry fields
	if err := f.read(b, &incomingRepairSchema); err != nil {
		return err
	}
	if err := entry.read(f.view(repairEntry), &askedSchema); err != nil {
		return err
	}
	r.Message, r.TResp = entry.bytes(askedCached), entry.time(askedTResp)
	return f.repaired(&r.Entry, entry.view(askedMessage))
}

// repaired decodes which message a repair is about. It is said twice.
func (f *fields) repaired(e *HistoryEntry, b []byte) error {
	var inner fields
	err := inner.read(b, &entrySchema)
	if err != nil {
		return err
	}
	if e.MessageID, err = inner.id(entryID); err != nil {
		return err
	}
	if string(f.view(repairID)) != e.MessageID {
		return f.bad(repairID, "is not that of the entry")
	}
	return inner.detail(e)
}

// detail sets what there is of e beside its id.
func (f *fields) detail(e *HistoryEntry) (err error) {
	e.RetrievalHint = f.bytes(entryHint)
	e.SenderID, err = f.optionalID(entrySender)
	return err
}

func decodeHint(h *RetrievalHint, b []byte) (err error) {
	var f fields
	if err = f.read(b, &hintSchema); err != nil {
		return err
	}
	h.Hint = f.bytes(hintValue)
	h.MessageID, err = f.id(hintID)
	return err
}

func (r *HistoryRecord) decodeKey(b []byte) (err error) {
	var f fields
	if err = f.read(b, &keySchema); err != nil {
		return err
	}
	if r.Lamport, err = f.atMost(keyLamport, limits.MaxLamport); err != nil {
		return err
	}
	r.MessageID, err = f.optionalID(keyID)
	return err
}
