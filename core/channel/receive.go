package channel

import (
	"bytes"
	"strings"

	"github.com/libsds/libsds/core/snapshot"
	"github.com/libsds/libsds/core/wire"
)

// receive takes in a decoded message, in the order of PROTOCOL, section 4.
func (c *Channel) receive(now int64, m *wire.Message, effects *Effects) {
	effects.Changed = true
	receipt := &effects.Receipt
	if m.IsEphemeral() {
		receipt.MessageID, receipt.SenderID = strings.Clone(m.ID), strings.Clone(m.SenderID)
		effects.announce(Event{Type: MessageReady, MessageID: receipt.MessageID, Content: bytes.Clone(m.Content)})
		return
	}
	if !m.IsSync() { // which is not what is missing, whatever its id
		c.asking.remove(m.ID)
		c.asked.remove(m.ID)
	}
	// An echo of an own message is no news from anybody else: it neither
	// acknowledges nor takes a repair request of ours for a peer's.
	own := c.isOwn(m)
	if e := c.log.get(m.ID); e != nil {
		receipt.MessageID, receipt.SenderID, receipt.Duplicate = e.id, e.sender, true
		if !own {
			c.noteRequests(now, m.RepairRequests)
		}
		return
	}
	if w := c.incoming.get(m.ID); w != nil {
		receipt.MessageID, receipt.SenderID = w.entry.id, w.entry.sender
		receipt.Buffered, receipt.Missing = true, w.lacks()
		return
	}
	c.witness(now, m.Lamport)
	cited := c.cite(m)
	if !own {
		c.acknowledge(m, cited, effects)
		c.noteRequests(now, m.RepairRequests)
	}
	receipt.Missing = c.missing(m, cited)
	clear(cited) // or the scratch would hold what the log forgets
	if m.IsSync() {
		receipt.MessageID, receipt.SenderID = strings.Clone(m.ID), strings.Clone(m.SenderID)
		c.noteMissing(now, receipt, effects)
		return
	}
	e := c.entryOf(m)
	receipt.MessageID, receipt.SenderID = e.id, e.sender
	c.filter.Add(c.filter.Scheme().Sum(e.id))
	if len(receipt.Missing) == 0 {
		c.deliver(e, effects)
		return
	}
	c.incoming.add(e, receipt.Missing, now)
	c.noteMissing(now, receipt, effects)
	c.boundIncoming(effects)
	receipt.Buffered = c.incoming.get(e.id) != nil // it may have had to give way itself
}

// isOwn tells whether a message is one of ours that comes back. One that names
// no sender, because we have no id or because its format has no room for one, is
// ours if it waits for its acknowledgement, or if it is the sync message that we
// would have made at its time.
func (c *Channel) isOwn(m *wire.Message) bool {
	if m.SenderID != "" {
		return m.SenderID == c.cfg.ParticipantID
	}
	return c.outgoing.evicted[m.ID] != nil || m.IsSync() && m.ID == c.syncID(m.Lamport)
}

// noteMissing announces what a message lacks and schedules asking for it.
func (c *Channel) noteMissing(now int64, receipt *Receipt, effects *Effects) {
	if len(receipt.Missing) == 0 {
		return
	}
	effects.announce(Event{Type: MissingDependencies, MessageID: receipt.MessageID, Deps: receipt.Missing})
	c.scheduleRequests(now, receipt.Missing)
}

// entryOf returns the entry for a received message. One of ours that the log
// has forgotten, but that nobody acknowledged, comes back as what it was: else
// a message that cites it would not be seen to acknowledge it.
func (c *Channel) entryOf(m *wire.Message) *entry {
	if u := c.outgoing.evicted[m.ID]; u != nil {
		return u.entry
	}
	return c.newEntry(m)
}

// newEntry copies a received message into the form that is kept, in three
// allocations.
func (c *Channel) newEntry(m *wire.Message) *entry {
	names := m.ID + m.SenderID
	if m.SenderID == "" { // what is joined to nothing is not copied
		names = strings.Clone(m.ID)
	}
	return &entry{
		id:      names[:len(m.ID)],
		sender:  names[len(m.ID):],
		lamport: m.Lamport,
		stored:  c.scratch.storer.StoreReceived(c.cfg.Format, m),
	}
}

func cloneEntry(e *wire.Entry) wire.Entry {
	return wire.Entry{ID: strings.Clone(e.ID), SenderID: strings.Clone(e.SenderID), Hint: bytes.Clone(e.Hint)}
}

func cloneWitness(m *wire.Message) snapshot.Witness {
	return snapshot.Witness{MessageID: strings.Clone(m.ID), SenderID: strings.Clone(m.SenderID)}
}
