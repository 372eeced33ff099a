package channel

import (
	"github.com/libsds/libsds/core/bloom"
	"github.com/libsds/libsds/core/snapshot"
	"github.com/libsds/libsds/core/wire"
)

// maxTrustedFill is the fill past which a filter witnesses nothing: it would
// claim to hold almost any id.
const maxTrustedFill = 0.75

// unacknowledged is an own message that nobody is known to have received.
type unacknowledged struct {
	entry     *entry
	sentAt    int64
	attempts  int
	named     bool // cited by the message at hand
	witnesses []snapshot.Witness
}

// outgoingItem keeps an id's hashes beside the pointer, so that testing a
// received filter walks one array.
type outgoingItem struct {
	hashes  bloom.Hashes
	message *unacknowledged
}

// outgoing is the buffer of own messages not yet acknowledged, in the order of
// sending. Each is found by id through its entry in the log; those that the log
// has evicted are in evicted.
type outgoing struct {
	items   []outgoingItem
	evicted map[string]*unacknowledged
}

func (b *outgoing) len() int { return len(b.items) }

func (b *outgoing) add(own *ownEntry, hashes bloom.Hashes, now int64) {
	own.unacked = unacknowledged{entry: &own.entry, sentAt: now}
	own.entry.unacked = &own.unacked
	b.items = append(b.items, outgoingItem{hashes, &own.unacked})
}

// leftLog and joinedLog keep evicted true to the log.
func (b *outgoing) leftLog(e *entry) {
	if e.unacked == nil {
		return
	}
	if b.evicted == nil {
		b.evicted = make(map[string]*unacknowledged)
	}
	b.evicted[e.id] = e.unacked
}

func (b *outgoing) joinedLog(e *entry) {
	if e.unacked != nil {
		delete(b.evicted, e.id)
	}
}

// unacknowledged returns the own message with an id, or nil when there is none
// or it was acknowledged.
func (c *Channel) unacknowledged(id string) *unacknowledged {
	if e := c.log.get(id); e != nil {
		return e.unacked
	}
	return c.outgoing.evicted[id]
}

// retain keeps the items for which keep is true, in their order.
func (b *outgoing) retain(keep func(*outgoingItem) bool) {
	kept := b.items[:0]
	for i := range b.items {
		item := &b.items[i]
		if keep(item) {
			kept = append(kept, *item)
			continue
		}
		item.message.entry.unacked = nil
		delete(b.evicted, item.message.entry.id)
	}
	clear(b.items[len(kept):])
	b.items = kept
	if len(kept) == 0 && cap(kept) > keptItems {
		*b = outgoing{} // a burst leaves no empty room behind
	}
}

// keptItems is the room that an empty buffer keeps for the next messages.
const keptItems = 64

// acknowledge strikes from the outgoing buffer what m proves to be known to
// its sender: what it cites, and what its filter holds.
func (c *Channel) acknowledge(m *wire.Message, cited []*entry, effects *Effects) {
	if c.outgoing.len() == 0 {
		return
	}
	changed := false
	for i, e := range cited {
		var u *unacknowledged
		if e != nil {
			u = e.unacked
		} else { // it may be ours and evicted from the log
			u = c.outgoing.evicted[m.History[i].ID]
		}
		if u != nil {
			u.named, changed = true, true
		}
	}
	if c.acknowledgeByFilter(m) {
		changed = true
	}
	if !changed {
		return
	}
	c.outgoing.retain(func(item *outgoingItem) bool {
		if item.message.named {
			effects.announce(Event{Type: MessageSent, MessageID: item.message.entry.id})
		}
		return !item.message.named
	})
}

// acknowledgeByFilter marks what the filter of m proves to be received, and
// tells whether there was any.
func (c *Channel) acknowledgeByFilter(m *wire.Message) (found bool) {
	filter := c.receivedFilter(m)
	if !filter.usable {
		return false
	}
	for i := range c.outgoing.items {
		item := &c.outgoing.items[i]
		hashes := item.hashes
		if filter.foreign {
			hashes = filter.view.Scheme().Sum(item.message.entry.id)
		}
		if !filter.view.Contains(hashes) || item.message.named {
			continue
		}
		if !filter.credible() {
			return found
		}
		if filter.conclusive() || item.message.witness(m, c.cfg.PossibleAckThreshold) {
			item.message.named, found = true, true
		}
	}
	return found
}

// witness notes that the filter of m holds the message, and tells whether
// enough filters did: each of another message and, where senders are named, of
// another sender.
func (u *unacknowledged) witness(m *wire.Message, threshold int) bool {
	for _, w := range u.witnesses {
		if w.MessageID == m.ID || (m.SenderID != "" && w.SenderID == m.SenderID) {
			return false
		}
	}
	if len(u.witnesses)+1 >= threshold {
		return true
	}
	u.witnesses = append(u.witnesses, cloneWitness(m))
	return false
}

// receivedFilter is the bloom filter of a message. How full it is, which takes
// going over all of it, is worked out only once an id is found in it.
type receivedFilter struct {
	view       bloom.View
	usable     bool // there is one, and it is sound
	foreign    bool // its hashes are those of the other dialect
	confidence float64
	measured   bool
	fill       float64
	falsely    float64
}

func (c *Channel) receivedFilter(m *wire.Message) receivedFilter {
	f := receivedFilter{confidence: c.cfg.AckConfidence}
	if len(m.Filter) == 0 {
		return f
	}
	if m.Format == wire.LIP109 {
		f.view, f.usable = bloom.ParseLIP(m.Filter)
	} else {
		f.view, f.usable = bloom.ParseSDS(m.Filter)
	}
	f.foreign = f.view.Scheme() != c.filter.Scheme()
	return f
}

// credible tells whether what the filter holds means anything.
func (f *receivedFilter) credible() bool {
	if !f.measured {
		f.measured = true
		f.fill = f.view.Fill()
		f.falsely = f.view.FalsePositive(f.fill)
	}
	return f.fill <= maxTrustedFill
}

// conclusive tells whether one find in this filter, which is credible, is
// proof enough.
func (f *receivedFilter) conclusive() bool { return f.falsely < f.confidence }

// patience is how long a message stays unacknowledged before something is done
// about it, in milliseconds: twice as long if somebody may have it.
func (c *Channel) patience(u *unacknowledged) int64 {
	if len(u.witnesses) > 0 {
		return 2 * c.cfg.ResendInterval
	}
	return c.cfg.ResendInterval
}

// sweepOutgoing resends what has been unacknowledged for too long, and gives
// up on what was resent often enough.
func (c *Channel) sweepOutgoing(now int64, effects *Effects) {
	if c.outgoing.len() == 0 {
		return
	}
	failed := false
	for i := range c.outgoing.items {
		u := c.outgoing.items[i].message
		// A clock that was set back must not make anything wait longer.
		if u.sentAt > now {
			u.sentAt, effects.Changed = now, true
		}
		if now-u.sentAt <= c.patience(u) {
			continue
		}
		effects.Changed = true
		if u.attempts >= c.cfg.MaxResendAttempts {
			u.named, failed = true, true
			effects.announce(Event{Type: DeliveryFailed, MessageID: u.entry.id, Attempts: u.attempts})
			continue
		}
		u.attempts++
		u.sentAt = now
		effects.announce(Event{
			Type:      ResendReady,
			MessageID: u.entry.id,
			Message:   u.entry.stored.Append(nil, c.filter, nil),
			Attempts:  u.attempts,
		})
	}
	if failed {
		c.outgoing.retain(func(item *outgoingItem) bool { return !item.message.named })
	}
}
