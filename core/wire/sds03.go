package wire

import (
	"bytes"
	"slices"
)

// headSDS03 writes fields 1 to 5, also empty ones. The history is entries.
func (w *writer) headSDS03(m *Message) {
	w.string(sdsID, m.ID)
	w.lamportSDS(m)
	w.entries(sdsHistory, m.History)
	w.string(sdsChannel, m.ChannelID)
	w.bytes(sdsContent, m.Content)
}

func (w *writer) middleSDS03(m *Message) { w.optionalString(sdsSender, m.SenderID) }

// historySDS03 reads field 3 where no field 8 says what it holds: each value
// is an entry if it reads as one, and else a bare id. It reports whether there
// was an entry, which only sds-0.3 writes.
func (d *decoder) historySDS03() (hasEntries bool, err error) {
	m := d.message
	m.History = slices.Grow(m.History, d.fields[sdsHistory].count)
	l := d.list(sdsHistory)
	for l.next() {
		m.History = append(m.History, Entry{})
		e := &m.History[len(m.History)-1]
		if raw, ok := parseIfEntry(l.value()); ok {
			hasEntries = true
			err = d.entry(&raw, e)
		} else {
			e.ID, err = d.id(l.value(), "id of an entry")
		}
		if err != nil {
			return false, err
		}
	}
	return hasEntries, nil
}

// parseIfEntry reads value and reports whether it is a HistoryEntry: well-formed
// throughout, with a field 1. Ids that people and programs make are none, and
// it takes one look to see that: they would have to contain a line feed, which
// is the tag of field 1.
func parseIfEntry(value []byte) (rawEntry, bool) {
	if bytes.IndexByte(value, '\n') < 0 {
		return rawEntry{}, false
	}
	raw, err := parseEntry(value)
	return raw, err == nil && raw.hasID
}
