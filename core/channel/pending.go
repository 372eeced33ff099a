package channel

import (
	"slices"

	"github.com/libsds/libsds/core/snapshot"
)

// pendingHistory is which messages of the log the backend has not confirmed:
// what one operation accumulates and what earlier ones failed to save, in one
// queue. It holds ids only. Whether a message is to be appended or evicted is
// decided when the batch is built, by whether the log has it: so the latest
// change wins.
type pendingHistory struct {
	lamports map[string]lamports
	order    []string
}

// lamports are those under which the backend may know an id: one, unless the id
// was sent again.
type lamports struct {
	last  uint64
	older []uint64
}

// touch notes that a message joined the log or left it.
func (p *pendingHistory) touch(id string, lamport uint64) {
	if p.lamports == nil {
		p.lamports = make(map[string]lamports)
	}
	known, queued := p.lamports[id]
	switch {
	case !queued:
		p.order = append(p.order, id)
	case known.last == lamport:
		return
	default:
		if !slices.Contains(known.older, known.last) {
			known.older = append(known.older, known.last)
		}
	}
	known.last = lamport
	p.lamports[id] = known
}

// each calls visit for every lamport.
func (l *lamports) each(visit func(lamport uint64)) {
	for _, lamport := range l.older {
		if lamport != l.last {
			visit(lamport)
		}
	}
	visit(l.last)
}

// PendingHistory returns the changes of the log that are not confirmed yet,
// those of the last step included. Every append is in the log.
func (c *Channel) PendingHistory() snapshot.HistoryUpdate {
	var update snapshot.HistoryUpdate
	for _, id := range c.pending.order {
		e := c.log.get(id)
		if e != nil {
			update.Append = append(update.Append, snapshot.HistoryRecord{MessageID: id, Lamport: e.lamport, Message: e.stored.Bytes()})
		} else {
			update.Evict = append(update.Evict, id)
		}
		known := c.pending.lamports[id]
		known.each(func(lamport uint64) {
			if e == nil || e.lamport != lamport {
				update.Gone = append(update.Gone, snapshot.HistoryKey{MessageID: id, Lamport: lamport})
			}
		})
	}
	return update
}

// PendingLen returns how many messages have changes that are not confirmed.
func (c *Channel) PendingLen() int { return len(c.pending.order) }

// HistorySaved confirms what PendingHistory returned.
func (c *Channel) HistorySaved() {
	clear(c.pending.lamports)
	clear(c.pending.order)
	c.pending.order = c.pending.order[:0]
}

// HistoryUnsaved takes a confirmation back. Steps may have been made since.
func (c *Channel) HistoryUnsaved(update *snapshot.HistoryUpdate) {
	for _, record := range update.Append {
		c.pending.touch(record.MessageID, record.Lamport)
	}
	for _, key := range update.Gone {
		c.pending.touch(key.MessageID, key.Lamport)
	}
}

// PendingHints returns the retrieval hints that the backend has not confirmed,
// in the order in which they were learnt.
func (c *Channel) PendingHints() []snapshot.RetrievalHint {
	var hints []snapshot.RetrievalHint
	c.pendingHints = slices.DeleteFunc(c.pendingHints, func(id string) bool {
		e := c.log.get(id)
		if e == nil || e.hint == nil { // it went with its message
			return true
		}
		hints = append(hints, snapshot.RetrievalHint{MessageID: id, Hint: e.hint})
		return false
	})
	return hints
}

// HintsSaved confirms what PendingHints returned.
func (c *Channel) HintsSaved() { c.pendingHints = nil }

// HintUnsaved takes a confirmation back.
func (c *Channel) HintUnsaved(messageID string) {
	if !slices.Contains(c.pendingHints, messageID) {
		c.pendingHints = append(c.pendingHints, messageID)
	}
}

// Requeue queues the whole log and its hints again, for a backend that has
// dropped them although the channel lives on.
func (c *Channel) Requeue() {
	c.log.all(func(e *entry) {
		c.pending.touch(e.id, e.lamport)
		if e.hint != nil {
			c.HintUnsaved(e.id)
		}
	})
}
