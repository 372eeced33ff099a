package core

import (
	"sync"
	"sync/atomic"

	"github.com/libsds/libsds/core/channel"
	"github.com/libsds/libsds/core/wire"
)

// Event is something that a channel announces to its host.
type Event = channel.Event

// EventType says what an Event announces.
type EventType = channel.EventType

// Dependency is a message that another one cites.
type Dependency = wire.Entry

// The types of events; see package channel for what each holds.
const (
	MessageReady        = channel.MessageReady
	MessageSent         = channel.MessageSent
	MissingDependencies = channel.MissingDependencies
	PeriodicSync        = channel.PeriodicSync
	RepairReady         = channel.RepairReady
	ResendReady         = channel.ResendReady
	DeliveryFailed      = channel.DeliveryFailed
	DependenciesLost    = channel.DependenciesLost
)

// outbox queues the events of all channels of a manager. They join it while
// their channel is locked, so that the events of a channel are in the order of
// its operations, whoever carries them out.
type outbox struct {
	mu     sync.Mutex
	events []Event
	first  int // of events; those before it were taken
	bound  int // newest kept; 0 or less for all
	// dropped is how many the bound has cost so far.
	dropped uint64
	waiting atomic.Int64 // how many were not taken; changed with mu held
}

func (o *outbox) put(channelID string, events []Event) {
	if len(events) == 0 {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, event := range events {
		event.ChannelID = channelID
		o.events = append(o.events, event)
	}
	o.trim()
}

// putAll queues events that say themselves which channel they are of.
func (o *outbox) putAll(announcements []announcement) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range announcements {
		o.events = append(o.events, announcements[i].Event)
	}
	o.trim()
}

func (o *outbox) take() (Event, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.first == len(o.events) {
		return Event{}, false
	}
	event := o.events[o.first]
	o.events[o.first] = Event{}
	o.first++
	o.waiting.Add(-1)
	if o.first == len(o.events) {
		o.events, o.first = o.events[:0], 0
	}
	return event, true
}

// count returns how many events wait, and how many were dropped so far.
func (o *outbox) count() (waiting int, dropped uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.events) - o.first, o.dropped
}

func (o *outbox) keep(bound int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.bound = bound
	o.trim()
}

// trim forgets the oldest events past the bound, and the room of those that
// are gone: a queue that never runs empty would grow for ever. The lock is
// held.
func (o *outbox) trim() {
	if excess := len(o.events) - o.first - o.bound; o.bound > 0 && excess > 0 {
		clear(o.events[o.first : o.first+excess])
		o.first += excess
		o.dropped += uint64(excess)
	}
	if o.first > len(o.events)/2 { // amortised: more have gone than are moved
		n := copy(o.events, o.events[o.first:])
		clear(o.events[n:])
		o.events, o.first = o.events[:n], 0
	}
	o.waiting.Store(int64(len(o.events) - o.first))
}
