// Package channel is the state machine of one SDS channel: what it knows, and
// how an input at a given time changes that and what follows.
//
// It is deterministic and pure. There is no goroutine, lock, clock, log,
// randomness or map order in it: the same inputs at the same times give the
// same state and the same effects, whatever the machine. The caller serialises
// the steps of a channel and carries out what they return.
package channel

import (
	"math"
	"slices"

	"github.com/libsds/libsds/core/bloom"
	"github.com/libsds/libsds/core/limits"
	"github.com/libsds/libsds/core/wire"
)

// Unit is what a Lamport timestamp counts.
type Unit int64

// The units of the field, as the milliseconds they hold.
const (
	Milliseconds Unit = 1
	Seconds      Unit = 1000
)

// Config is what a channel is told once. Durations are milliseconds. It is
// shared by the channels of a manager that write the same format, and never
// changed.
type Config struct {
	// ParticipantID names this participant; empty switches SDS-R off.
	ParticipantID string
	// Format is the wire format that is written; all are read.
	Format wire.Format
	// FormatTaken: nobody chose Format, it is that of the message that made the
	// channel. So it is kept with the channel.
	FormatTaken bool
	// LamportUnit is the unit of the channel's clock.
	LamportUnit Unit

	FilterCapacity  int
	FilterErrorRate float64

	MaxHistory       int
	MaxCausalHistory int

	ResendInterval    int64
	MaxResendAttempts int

	RepairTMin        int64
	RepairTMax        int64
	ResponseGroups    int
	MaxRepairRequests int

	// AckConfidence is the false-positive probability below which one filter
	// acknowledges; PossibleAckThreshold is how many do otherwise.
	AckConfidence        float64
	PossibleAckThreshold int

	// MissingTimeout is how long a message waits for its dependencies; 0 is
	// for ever.
	MissingTimeout int64
	// MaxLamportDrift is how far beyond the local time a received timestamp
	// can move the clock.
	MaxLamportDrift int64

	Limits limits.Limits

	// Durable keeps the pending history queue, for which there is a use only
	// when a backend drains it.
	Durable bool
}

// Channel is the state of one channel. It is not safe for concurrent use.
type Channel struct {
	id  string
	cfg *Config

	// operation numbers the steps, so that an entry can tell that it was
	// delivered in the current one.
	operation uint64

	clock uint64
	// restored is set until the first step after a restart, which is the first
	// to know the time.
	restored bool
	lost     []Dependency // what a restart found to be lost, to be asked for from then on
	log      log
	filter   *bloom.Rolling
	outgoing outgoing
	incoming incoming
	asking   repairBuffer // the outgoing repair buffer: what we may ask for
	asked    repairBuffer // the incoming repair buffer: what we may answer
	met      metSet

	pending      pendingHistory
	pendingHints []string // ids whose retrieval hint the backend has not confirmed
	metaSize     int      // how long the last snapshot was

	scratch scratch
}

// scratch is memory that steps reuse. Nothing in it outlives a step.
type scratch struct {
	history []wire.Entry
	repair  []wire.Entry
	message wire.Message
	storer  wire.Storer
	cited   []*entry
	ready   readyQueue
}

// New returns the channel with the given id, with nothing in it.
func New(id string, cfg *Config) *Channel {
	scheme := bloom.FarmHash
	if cfg.Format == wire.LIP109 {
		scheme = bloom.Murmur3
	}
	return &Channel{
		id:     id,
		cfg:    cfg,
		filter: bloom.NewRolling(scheme, cfg.FilterCapacity, cfg.FilterErrorRate),
	}
}

// ID returns the channel's id.
func (c *Channel) ID() string { return c.id }

// Format returns the wire format that the channel writes.
func (c *Channel) Format() wire.Format { return c.cfg.Format }

// Step applies one input at a time, in Unix milliseconds, and writes what
// follows from it into effects, whose memory it reuses. A step that fails has
// changed nothing.
func (c *Channel) Step(now int64, input Input, effects *Effects) {
	effects.reset()
	if effects.Err = c.refuse(input); effects.Err != nil {
		return
	}
	c.operation++
	c.catchUp(now)
	c.deliverReady(effects) // what a restart found complete
	switch input.Op {
	case OpSend:
		c.send(now, input, effects)
	case OpSendSync:
		c.sendSync(now, input, effects)
	case OpSendEphemeral:
		c.sendEphemeral(input, effects)
	case OpReceive:
		c.receive(now, input.Received, effects)
	case OpMarkMet:
		c.markMet(input.MetIDs, effects)
	case OpSweepBuffers:
		c.sweepOutgoing(now, effects)
		c.sweepIncoming(now, effects)
	case OpSweepRepairs:
		c.sweepRepairs(now, effects)
	}
	c.deliverReady(effects)
	c.evict()
}

// HasNews tells whether a sync message of this channel would tell or ask its
// peers anything.
func (c *Channel) HasNews() bool {
	return c.log.len() > 0 || c.incoming.len() > 0 || c.asking.len() > 0
}

// tick advances the clock for a message of ours.
func (c *Channel) tick(now int64) uint64 {
	c.clock = c.next(now)
	return c.clock
}

// next is the timestamp that a message of ours would have.
func (c *Channel) next(now int64) uint64 {
	return max(c.timestamp(now), min(c.clock, limits.MaxLamport-1)+1)
}

// witness moves the clock to a received timestamp, but never further beyond
// the local time than the configured drift: a hostile one cannot poison it.
func (c *Channel) witness(now int64, lamport uint64) {
	furthest := c.timestamp(saturatingAdd(now, c.cfg.MaxLamportDrift))
	c.clock = max(c.clock, min(lamport, furthest))
}

// catchUp moves the clock of a restored channel to the newest message of its
// log, as if that came now: when saving a meta failed and the history was saved,
// the log is ahead of the clock, which must not go back.
func (c *Channel) catchUp(now int64) {
	if !c.restored {
		return
	}
	c.restored = false
	if e := c.log.latest(); e != nil {
		c.witness(now, e.lamport)
	}
	c.scheduleRequests(now, c.lost)
	c.lost = nil
}

// timestamp converts a time to the channel's Lamport unit.
func (c *Channel) timestamp(now int64) uint64 {
	return uint64(max(now, 0) / int64(c.cfg.LamportUnit))
}

func saturatingAdd(a, b int64) int64 {
	if b > 0 && a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// deliver puts e into the log, announces it, and goes on with every buffered
// message that this completes, in (lamport, id) order, each after what
// released it. It is one worklist: no recursion, O(n log n) for n releases.
func (c *Channel) deliver(e *entry, effects *Effects) {
	c.place(e, effects)
	c.deliverReady(effects)
}

// deliverReady delivers what has become complete, and what that completes.
func (c *Channel) deliverReady(effects *Effects) {
	for {
		next, ok := c.scratch.ready.pop()
		if !ok {
			return
		}
		effects.Changed = true
		c.place(next, effects)
	}
}

// place puts one message into the log and queues what waited only for it.
func (c *Channel) place(e *entry, effects *Effects) {
	effects.announce(Event{Type: MessageReady, MessageID: e.id, Content: e.stored.Content()})
	c.record(e)
}

// record is place without the announcement, which an own message has no need
// of.
func (c *Channel) record(e *entry) {
	c.log.insert(e)
	c.outgoing.joinedLog(e)
	e.delivered = c.operation
	c.met.remove(e.id)
	c.changed(e)
	c.resolve(e.id)
}

// resolve strikes a dependency and queues the messages that this completes.
func (c *Channel) resolve(id string) {
	c.incoming.resolve(id, &c.scratch.ready)
}

// evict shrinks the log to its bound, smallest first, sparing what this step
// delivered: that shall be announced before it can be forgotten, and goes with the
// next step. One larger message goes in its place and no more: or whoever has a
// long chain of old messages delivered at once would have all others forgotten.
//
// Before all others go those past the clock, which is behind nothing but hostile
// timestamps: they would never be the smallest, and own the log one by one. In place of
// those that this step delivered goes one as well.
func (c *Channel) evict() {
	excess := c.log.len() - c.cfg.MaxHistory
	if excess > 0 && c.log.latest().lamport > c.clock {
		victims, spared := c.log.removeBeyond(c.clock, excess, c.operation)
		for _, victim := range victims {
			c.evicted(victim)
		}
		excess -= len(victims) + max(0, spared-1)
	}
	for ; excess > 0; excess-- {
		victim := c.log.removeOldest(c.operation)
		if victim == nil { // a late message was delivered below the others
			for _, victim := range c.log.removeBesides(excess, c.operation) {
				c.evicted(victim)
			}
			return
		}
		c.evicted(victim)
	}
}

// evicted keeps the rest of the channel true to the log.
func (c *Channel) evicted(e *entry) {
	e.hint = nil // as in the backend: one of ours may come back
	c.outgoing.leftLog(e)
	c.changed(e)
}

// changed queues a message that joined the log or left it for the backend.
func (c *Channel) changed(e *entry) {
	if c.cfg.Durable {
		c.pending.touch(e.id, e.lamport)
	}
}

// missing lists the dependencies of m that are neither in the log nor declared
// met, each once, in the order of the causal history. cited is what the log
// holds of that history, position by position.
func (c *Channel) missing(m *wire.Message, cited []*entry) []Dependency {
	var missing []Dependency
	var seen map[string]struct{}
	for i := range m.History {
		cite := &m.History[i]
		if cited[i] != nil || cite.ID == m.ID || c.met.has(cite.ID) {
			continue
		}
		if seen == nil {
			seen = make(map[string]struct{}, len(m.History)-i)
			missing = make([]Dependency, 0, len(m.History)-i)
		}
		if _, twice := seen[cite.ID]; twice {
			continue
		}
		dependency := cloneEntry(cite)
		seen[dependency.ID] = struct{}{}
		missing = append(missing, dependency)
	}
	return missing
}

// cite looks up the causal history of m in the log.
func (c *Channel) cite(m *wire.Message) []*entry {
	cited := slices.Grow(c.scratch.cited[:0], len(m.History))[:len(m.History)]
	for i := range m.History {
		cited[i] = c.log.get(m.History[i].ID)
	}
	c.scratch.cited = cited
	return cited
}
