package wire

import (
	"github.com/libsds/libsds/core/limits"
	"google.golang.org/protobuf/encoding/protowire"
)

// The fields of a HistoryEntry, the same in all formats that have it.
const (
	entryID     protowire.Number = 1
	entryHint   protowire.Number = 2
	entrySender protowire.Number = 3
)

// A rawEntry is a HistoryEntry whose ids have not been checked yet.
type rawEntry struct {
	id, hint, sender []byte
	hasID            bool
}

// parseEntry reads b as a HistoryEntry. It fails unless all of b is well-formed.
func parseEntry(b []byte) (e rawEntry, err error) {
	r := reader{buf: b}
	for r.next() {
		if r.typ != protowire.BytesType {
			// A last id of another type is none.
			e.hasID = e.hasID && r.num != entryID
			continue
		}
		switch r.num {
		case entryID:
			e.id, e.hasID = r.bytes(), true
		case entryHint:
			e.hint = r.bytes()
		case entrySender:
			e.sender = r.bytes()
		}
	}
	return e, r.err
}

// entry checks raw and sets e to it.
func (d *decoder) entry(raw *rawEntry, e *Entry) (err error) {
	if !raw.hasID {
		return malformedField("id of an entry", "is missing")
	}
	if e.ID, err = d.id(raw.id, "id of an entry"); err != nil {
		return err
	}
	if e.SenderID, err = d.sender(raw.sender); err != nil {
		return err
	}
	e.Hint = d.usableHint(raw.hint)
	return nil
}

// usableHint drops a hint that is too long to be kept a thousand times over.
// The entry is still one without it.
func (d *decoder) usableHint(hint []byte) []byte {
	if len(hint) > limits.MaxHintBytes {
		d.lossy = true
		return nil
	}
	return hint
}

func entryLen(e *Entry) int {
	n := fieldLen(entryID, len(e.ID))
	if len(e.Hint) > 0 {
		n += fieldLen(entryHint, len(e.Hint))
	}
	if e.SenderID != "" {
		n += fieldLen(entrySender, len(e.SenderID))
	}
	return n
}

// fieldLen is the size of a length-delimited field with n bytes of value.
func fieldLen(num protowire.Number, n int) int {
	if num < 1<<4 && n < 1<<7 {
		return 2 + n
	}
	return protowire.SizeTag(num) + protowire.SizeBytes(n)
}

// entry writes one HistoryEntry. It always has an id, be it empty.
func (w *writer) entry(num protowire.Number, e *Entry) {
	w.header(num, entryLen(e))
	w.string(entryID, e.ID)
	w.optionalBytes(entryHint, e.Hint)
	w.optionalString(entrySender, e.SenderID)
}

func (w *writer) entries(num protowire.Number, entries []Entry) {
	for i := range entries {
		w.entry(num, &entries[i])
	}
}
