package wire

// headSDS02 writes fields 1 to 5, also empty ones. The history is bare ids; an
// id that happens to be a serialized HistoryEntry is taken for one by readers,
// which this format gives no means to prevent.
func (w *writer) headSDS02(m *Message) {
	w.string(sdsID, m.ID)
	w.lamportSDS(m)
	for i := range m.History {
		w.string(sdsHistory, m.History[i].ID)
	}
	w.string(sdsChannel, m.ChannelID)
	w.bytes(sdsContent, m.Content)
}
