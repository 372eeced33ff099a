package channel

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/libsds/libsds/core/farmhash"
	"github.com/libsds/libsds/core/limits"
	"github.com/libsds/libsds/core/wire"
)

// ownEntry is an own message and its place in the outgoing buffer, in one
// allocation.
type ownEntry struct {
	entry   entry
	unacked unacknowledged
}

// send wraps a content message: see PROTOCOL, section 4.
//
// An id that this channel knows already is sent again as a new message that
// replaces the old one: hosts that derive ids from contents do that.
func (c *Channel) send(now int64, input Input, effects *Effects) {
	effects.Changed = true
	known := c.displace(input.MessageID)

	lamport := c.tick(now)
	requests := c.dueRequests(now)
	effects.Requested = len(requests)
	m := &c.scratch.message
	*m = wire.Message{
		ID: input.MessageID, ChannelID: c.id, SenderID: c.cfg.ParticipantID,
		Lamport: lamport, HasLamport: true,
		History: c.citations(),
		Content: input.Content,
	}
	own := &ownEntry{}
	own.entry = entry{id: input.MessageID, sender: c.cfg.ParticipantID, lamport: lamport, stored: c.scratch.storer.Store(c.cfg.Format, m)}
	m.Content = nil // the host's memory

	// The filter that travels is the one before this message.
	effects.Encoded = own.entry.stored.Append(input.Encoded, c.filter, requests)
	hashes := c.filter.Scheme().Sum(own.entry.id)
	if !known {
		c.filter.Add(hashes)
	}
	c.record(&own.entry)
	c.outgoing.add(own, hashes, now)
}

// displace takes a message that is sent again out of everything that has it,
// and tells whether the filter holds it.
func (c *Channel) displace(id string) (known bool) {
	if c.unacknowledged(id) != nil {
		c.outgoing.retain(func(item *outgoingItem) bool { return item.message.entry.id != id })
	}
	if e := c.log.get(id); e != nil {
		c.log.remove(e)
		c.changed(e)
		known = true
	}
	if w := c.incoming.get(id); w != nil {
		c.incoming.remove(w)
		known = true
	}
	c.asking.remove(id)
	c.asked.remove(id)
	return known
}

// sendSync makes a message without content: it tells the clock, the causal
// history and the filter, and asks for repairs, but joins nothing.
func (c *Channel) sendSync(now int64, input Input, effects *Effects) {
	effects.Changed = true
	lamport := c.tick(now)
	requests := c.dueRequests(now)
	effects.Requested = len(requests)
	m := wire.Message{
		ID: c.syncID(lamport), ChannelID: c.id, SenderID: c.cfg.ParticipantID,
		Lamport: lamport, HasLamport: true,
		History: c.citations(),
	}
	effects.Encoded = c.scratch.storer.Store(c.cfg.Format, &m).Append(input.Encoded, c.filter, requests)
}

// syncID names a sync message: unlike those of other times and of other
// participants with an id, and the same whenever the same state is stepped again.
func (c *Channel) syncID(lamport uint64) string {
	seed := strconv.AppendUint(nil, lamport, 10)
	seed = append(append(append(append(seed, 0), c.cfg.ParticipantID...), 0), c.id...)
	return "sync-" + strconv.FormatUint(farmhash.Sum64(seed), 16)
}

// sendEphemeral wraps a message that leaves no trace on either side.
func (c *Channel) sendEphemeral(input Input, effects *Effects) {
	m := wire.Message{ID: input.MessageID, ChannelID: c.id, SenderID: c.cfg.ParticipantID, Content: input.Content}
	effects.Encoded = wire.Append(input.Encoded, c.cfg.Format, &m, nil)
}

// refuse tells why an input cannot be, before anything changes.
func (c *Channel) refuse(input Input) error {
	if input.Op != OpSend && input.Op != OpSendEphemeral {
		return nil
	}
	if err := CheckContent(input.Content, &c.cfg.Limits); err != nil || input.Op == OpSendEphemeral {
		return err
	}
	if n := c.outgoing.len(); n >= c.cfg.Limits.MaxOutgoingMessages && c.unacknowledged(input.MessageID) == nil {
		return fmt.Errorf("%w: %d wait for an acknowledgement, as many as maxOutgoingMessages allows", ErrOutgoingFull, n)
	}
	return nil
}

// CheckContent tells why content cannot be sent: it wraps ErrEmptyContent or
// ErrContentSize, or is nil.
func CheckContent(content []byte, l *limits.Limits) error {
	if len(content) == 0 {
		return ErrEmptyContent
	}
	if len(content) > l.MaxContentBytes {
		return fmt.Errorf("%w: %d bytes, more than maxContentBytes (%d)", ErrContentSize, len(content), l.MaxContentBytes)
	}
	return nil
}

// citations is the causal history of a message that is made now: the end of the log,
// oldest first. What is past the clock (see witness) would stay there for ever, and
// nothing else would be cited any more.
func (c *Channel) citations() []wire.Entry {
	n := min(c.cfg.MaxCausalHistory, c.log.len())
	history := slices.Grow(c.scratch.history[:0], n)[:n]
	at := n
	c.log.newest(n, c.clock, func(e *entry) {
		at--
		history[at] = wire.Entry{ID: e.id, SenderID: e.sender, Hint: e.hint}
	})
	c.scratch.history = history
	return history[at:]
}

// HintsWanted appends to ids those that a message made now would cite without a
// retrieval hint, so that the host can be asked first.
func (c *Channel) HintsWanted(now int64, ids []string) []string {
	c.catchUp(now)
	c.log.newest(c.cfg.MaxCausalHistory, c.next(now), func(e *entry) {
		if e.hint == nil {
			ids = append(ids, e.id)
		}
	})
	return ids
}

// LearnHint keeps a retrieval hint with a message of the log. The bytes are
// the channel's from then on.
func (c *Channel) LearnHint(messageID string, hint []byte) {
	e := c.log.get(messageID)
	if e == nil || len(hint) == 0 {
		return
	}
	e.hint = hint
	if c.cfg.Durable {
		c.HintUnsaved(e.id)
	}
}
