package channel

import (
	"fmt"
	"math"

	"github.com/libsds/libsds/core/limits"
	"github.com/libsds/libsds/core/snapshot"
	"github.com/libsds/libsds/core/wire"
)

// keptLimits bound what is read back: it was bounded when it came in, perhaps
// by a configuration that allowed more.
var keptLimits = limits.Limits{
	MaxContentBytes:   math.MaxInt,
	MaxWireBytes:      math.MaxInt,
	MaxHistoryEntries: math.MaxInt,
	MaxIDBytes:        math.MaxInt,
}

// AppendMeta appends the snapshot of the channel as it is now, beside its log,
// to dst and returns the result: the blob of a snapshot.ChannelMeta. It grows
// with what is in flight.
func (c *Channel) AppendMeta(dst []byte) []byte {
	w := snapshot.NewMetaWriter(dst, c.metaSize, c.clock)
	for i := range c.outgoing.items {
		u := c.outgoing.items[i].message
		w.Outgoing(&snapshot.Unacknowledged{
			Message: u.entry.stored.Bytes(), SendTime: u.sentAt, Attempts: u.attempts, Witnesses: u.witnesses,
		})
	}
	for element := c.incoming.arrival.Front(); element != nil; element = element.Next() {
		message := element.Value.(*waiting)
		w.Incoming(message.entry.stored.Bytes(), message.snapshot())
	}
	c.asking.all(func(item *repairItem) {
		w.OutgoingRepair(&snapshot.OutgoingRepair{Entry: historyEntry(item.entry), TReq: item.due, FirstDue: item.firstDue})
	})
	c.asked.all(func(item *repairItem) {
		w.IncomingRepair(&snapshot.IncomingRepair{
			Entry: historyEntry(item.entry), Message: item.message.stored.Bytes(), TResp: item.due,
		})
	})
	for element := c.met.order.Front(); element != nil; element = element.Next() {
		w.Met(element.Value.(string))
	}
	if c.cfg.FormatTaken {
		w.WireFormat(uint64(c.cfg.Format))
	}
	if c.incoming.len() > 0 {
		for _, id := range c.pending.order {
			if c.log.get(id) != nil {
				w.Appending(id)
			}
		}
	}
	blob := w.Bytes()
	c.metaSize = len(blob) - len(dst)
	return blob
}

// snapshot is what is kept of the message beside its bytes. It is made when it
// has changed: a peer can let many messages wait for thousands each.
func (w *waiting) snapshot() []byte {
	if w.saved == nil {
		missing := make([]snapshot.HistoryEntry, 0, w.open)
		for i := range w.missing {
			if !w.missing[i].resolved {
				missing = append(missing, historyEntry(w.missing[i].Dependency))
			}
		}
		w.saved = snapshot.AppendWait(nil, missing, w.receivedAt)
	}
	return w.saved
}

func historyEntry(e wire.Entry) snapshot.HistoryEntry {
	return snapshot.HistoryEntry{MessageID: e.ID, SenderID: e.SenderID, RetrievalHint: e.Hint}
}

func wireEntry(e snapshot.HistoryEntry) wire.Entry {
	return wire.Entry{ID: e.MessageID, SenderID: e.SenderID, Hint: e.RetrievalHint}
}

// Irregularities are what a loader found and mended in a backend's data.
type Irregularities struct {
	// Unordered counts messages that came before an older one.
	Unordered int
	// Duplicates counts messages that came twice; the first one counts.
	Duplicates int
}

// Restore returns the channel that data describes. The bloom filter, which is
// not kept, is rebuilt from the log and the incoming buffer.
func Restore(id string, cfg *Config, data *snapshot.ChannelData) (*Channel, Irregularities, error) {
	c := New(id, cfg)
	c.restored = true
	var found Irregularities
	var last *entry
	for i, message := range data.History {
		e, err := c.restoreEntry(message)
		if err != nil {
			return nil, found, fmt.Errorf("history message %d: %w", i, err)
		}
		if c.log.get(e.id) != nil {
			found.Duplicates++
			continue
		}
		if last != nil && positionOf(e).before(positionOf(last)) {
			found.Unordered++
		}
		last = e
		c.log.insert(e)
	}
	c.log.all(func(e *entry) { c.filter.Add(c.filter.Scheme().Sum(e.id)) })
	for _, hint := range data.Hints {
		if e := c.log.get(hint.MessageID); e != nil && len(hint.Hint) > 0 {
			e.hint = hint.Hint
		}
	}
	if data.Meta != nil {
		if err := c.restoreMeta(data.Meta); err != nil {
			return nil, found, err
		}
	}
	return c, found, nil
}

func (c *Channel) restoreMeta(meta *snapshot.ChannelMeta) error {
	c.clock = min(meta.Lamport, limits.MaxLamport)
	for i, kept := range meta.Outgoing {
		e, err := c.restoreEntry(kept.Message)
		if err != nil {
			return fmt.Errorf("unacknowledged message %d: %w", i, err)
		}
		e = c.restoreSentAgain(e)
		if c.unacknowledged(e.id) != nil {
			continue
		}
		u := &unacknowledged{entry: e, sentAt: kept.SendTime, attempts: kept.Attempts, witnesses: kept.Witnesses}
		e.unacked = u
		c.outgoing.items = append(c.outgoing.items, outgoingItem{c.filter.Scheme().Sum(e.id), u})
		if c.log.get(e.id) == nil {
			c.outgoing.leftLog(e)
		}
	}
	for _, id := range meta.Met {
		if c.log.get(id) == nil && c.met.add(id, c.cfg.FilterCapacity) {
			c.filter.Add(c.filter.Scheme().Sum(id))
		}
	}
	lost := make(map[string]bool, len(meta.Appending))
	for _, id := range meta.Appending {
		lost[id] = c.log.get(id) == nil && !c.met.has(id)
	}
	for i, kept := range meta.Incoming {
		e, err := c.restoreEntry(kept.Message)
		if err != nil {
			return fmt.Errorf("incoming message %d: %w", i, err)
		}
		if c.log.get(e.id) != nil || c.incoming.get(e.id) != nil {
			continue
		}
		c.filter.Add(c.filter.Scheme().Sum(e.id))
		if missing := c.stillMissing(&c.scratch.message, kept.Missing, lost); len(missing) > 0 {
			c.incoming.add(e, missing, kept.ReceivedTime)
		} else {
			c.scratch.ready.push(e) // the next step delivers it
		}
	}
	for _, kept := range meta.OutgoingRepair {
		if c.asking.has(kept.Entry.MessageID) {
			continue
		}
		firstDue := kept.FirstDue
		if firstDue == 0 { // the writer did not know of it
			firstDue = kept.TReq
		}
		c.asking.add(&repairItem{entry: wireEntry(kept.Entry), due: kept.TReq, firstDue: firstDue}, c.cfg.Limits.MaxRepairEntries)
	}
	for i, kept := range meta.IncomingRepair {
		e, err := c.restoreEntry(kept.Message)
		if err != nil {
			return fmt.Errorf("message %d of the incoming repair buffer: %w", i, err)
		}
		if c.asked.has(kept.Entry.MessageID) {
			continue
		}
		c.asked.add(&repairItem{entry: wireEntry(kept.Entry), due: kept.TResp, firstDue: kept.TResp, message: e}, c.cfg.Limits.MaxRepairEntries)
	}
	return nil
}

// stillMissing is what a buffered message lacks now, given what it lacked when the
// meta was saved. It leaves out what has come since: when saving the meta fails and
// the history is saved, the log is ahead of it.
//
// When it is the other way round, dependencies are struck that were lost with a history
// update: the message must not be delivered before them, and they are asked for again.
func (c *Channel) stillMissing(m *wire.Message, entries []snapshot.HistoryEntry, lost map[string]bool) []Dependency {
	missing := make([]Dependency, 0, len(entries))
	seen := make(map[string]bool, len(entries))
	for _, e := range entries {
		if c.log.get(e.MessageID) == nil && !c.met.has(e.MessageID) && !seen[e.MessageID] {
			seen[e.MessageID] = true
			missing = append(missing, wireEntry(e))
		}
	}
	for i := range m.History {
		if cite := &m.History[i]; lost[cite.ID] && !seen[cite.ID] {
			seen[cite.ID] = true
			again := cloneEntry(cite)
			missing = append(missing, again)
			c.lost = append(c.lost, again)
		}
	}
	return missing
}

// restoreSentAgain takes the message that restoreEntry has just decoded in place of
// e, which the log has under the same id, if it is newer: it was sent again, and
// its meta was saved but not its history.
func (c *Channel) restoreSentAgain(e *entry) *entry {
	m := &c.scratch.message
	if c.log.get(e.id) == nil || m.Lamport <= e.lamport {
		return e
	}
	sent := c.newEntry(m)
	c.log.remove(e)
	c.changed(e)
	c.log.insert(sent)
	c.changed(sent)
	return sent
}

// restoreEntry decodes a kept message, or finds it in the log or the outgoing
// buffer, so that a message is there once however often it was kept.
func (c *Channel) restoreEntry(message []byte) (*entry, error) {
	m := &c.scratch.message
	if err := wire.Decode(message, &keptLimits, m); err != nil {
		return nil, err
	}
	if e := c.log.get(m.ID); e != nil {
		return e, nil
	}
	return c.entryOf(m), nil
}
