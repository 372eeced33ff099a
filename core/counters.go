package core

import (
	"sync/atomic"
	"time"

	"github.com/libsds/libsds/core/channel"
	"github.com/libsds/libsds/core/persistence"
)

// counter is something that a channel counts. Those of one kind of message
// follow each other in the order of the kinds.
type counter int

const (
	wrappedContent counter = iota
	wrappedSync
	wrappedEphemeral
	unwrappedContent
	unwrappedSync
	unwrappedEphemeral
	delivered
	duplicate
	buffered
	acknowledged
	resent
	failed
	repairsAsked
	repairsAnswered
	dependenciesLost

	// These count bytes.
	sentContent
	sentSync
	sentEphemeral
	sentResend
	sentRepair
	receivedContent
	receivedSync
	receivedEphemeral

	counters // how many there are
)

// of is the counter of a kind of message, of which c is that of KindContent.
func (c counter) of(kind Kind) counter { return c + counter(kind-KindContent) }

// counts are what the operations on one channel did. The lock of its slot guards
// them, so counting costs an addition.
type counts [counters]uint64

func (c *counts) add(other *counts) {
	for i := range c {
		c[i] += other[i]
	}
}

func (c *counts) sent(kind Kind, bytes int) {
	c[wrappedContent.of(kind)]++
	c[sentContent.of(kind)] += uint64(bytes)
}

func (c *counts) received(kind Kind, bytes int) {
	c[unwrappedContent.of(kind)]++
	c[receivedContent.of(kind)] += uint64(bytes)
}

// note counts what followed from a step.
func (c *counts) note(effects *channel.Effects) {
	begins := false // to wait: another copy of what waits does not announce it again
	for i := range effects.Events {
		event := &effects.Events[i]
		switch event.Type {
		case MessageReady:
			c[delivered]++
		case MessageSent:
			c[acknowledged]++
		case MissingDependencies:
			begins = true
		case RepairReady:
			c[repairsAnswered]++
			c[sentRepair] += uint64(len(event.Message))
		case ResendReady:
			c[resent]++
			c[sentResend] += uint64(len(event.Message))
		case DeliveryFailed:
			c[failed]++
		case DependenciesLost:
			c[dependenciesLost] += uint64(len(event.Deps))
		}
	}
	c[repairsAsked] += uint64(effects.Requested)
	switch receipt := &effects.Receipt; {
	case receipt.Buffered && begins:
		c[buffered]++
	case receipt.Buffered, receipt.Duplicate:
		c[duplicate]++
	}
}

// refusal is why a received payload was refused.
type refusal int

const (
	refusedNotSDS refusal = iota
	refusedLimit
	refusedPersistence

	refusals // how many there are
)

// refused counts the payloads that no channel took in, and their bytes.
type refused struct {
	payloads [refusals]atomic.Uint64
	bytes    atomic.Uint64
}

func (r *refused) note(why refusal, payload []byte) {
	r.payloads[why].Add(1)
	r.bytes.Add(uint64(len(payload)))
}

// calls counts those of each procedure of the backends of a manager. They are
// atomic because a shared commit is no channel's; next to what a backend does
// they cost nothing.
type calls [persistence.Commit + 1]struct {
	made, failed atomic.Uint64
	duration     atomic.Int64 // in nanoseconds
}

// call makes one call of the backend, and counts it unless there is none. One
// that panics has failed.
func (k *keeper) call(procedure persistence.Procedure, do func() error) (err error) {
	if !k.durable {
		return do()
	}
	begun, done := time.Now(), false
	defer func() {
		counted := &k.calls[procedure]
		counted.made.Add(1)
		counted.duration.Add(int64(time.Since(begun)))
		if !done || err != nil {
			counted.failed.Add(1)
		}
	}()
	err = do()
	done = true
	return err
}

// commit makes one transaction of the backend, and counts it.
func (k *keeper) commit(changes []persistence.Change) error {
	return k.call(persistence.Commit, func() error { return k.committer.Commit(changes) })
}

// retire adds the counts of a slot that goes to those of the manager, once. Both
// locks are held. The slot keeps its counts, for a Stats that has found it before.
func (m *Manager) retire(s *slot) {
	if !s.retired {
		s.retired = true
		m.retired.add(&s.counts)
	}
}

// leave retires a locked slot that Close left behind.
func (m *Manager) leave(s *slot) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.retire(s)
	delete(m.left, s.id)
}
