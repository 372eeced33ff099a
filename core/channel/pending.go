package channel

import "github.com/libsds/libsds/core/snapshot"

// pendingHistory is the log's changes that the backend has not confirmed: what
// one operation accumulates and what earlier ones failed to save, in one queue
// of ids where the latest change of an id wins.
type pendingHistory struct {
	appends map[string]bool // true: to be appended, false: to be evicted
	order   []string
}

func (p *pendingHistory) append(id string) { p.set(id, true) }
func (p *pendingHistory) evict(id string)  { p.set(id, false) }

func (p *pendingHistory) set(id string, appended bool) {
	if p.appends == nil {
		p.appends = make(map[string]bool)
	}
	if _, queued := p.appends[id]; !queued {
		p.order = append(p.order, id)
	}
	p.appends[id] = appended
}

// PendingHistory returns the changes of the log that are not confirmed yet,
// those of the last step included. Every append is in the log.
func (c *Channel) PendingHistory() snapshot.HistoryUpdate {
	var update snapshot.HistoryUpdate
	for _, id := range c.pending.order {
		if c.pending.appends[id] {
			e := c.log.get(id)
			update.Append = append(update.Append, snapshot.HistoryRecord{MessageID: id, Lamport: e.lamport, Message: e.stored.Bytes()})
		} else {
			update.Evict = append(update.Evict, id)
		}
	}
	return update
}

// PendingLen returns how many changes are not confirmed.
func (c *Channel) PendingLen() int { return len(c.pending.order) }

// HistorySaved confirms what PendingHistory returned.
func (c *Channel) HistorySaved() {
	clear(c.pending.appends)
	clear(c.pending.order)
	c.pending.order = c.pending.order[:0]
}

// RequeueHistory queues the whole log again, for a backend that has dropped it
// although the channel lives on.
func (c *Channel) RequeueHistory() {
	c.log.all(func(e *entry) { c.pending.append(e.id) })
}
