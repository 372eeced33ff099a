package core

import (
	"fmt"

	"github.com/libsds/libsds/core/channel"
)

// Inspection is what a channel holds, what each part of it waits for and until
// when: the answer to why a message is not delivered, or not acknowledged.
// Contents are not in it. Times are Unix milliseconds.
//
// A received message is in one of the log (delivered), the incoming buffer (it
// says for what it waits) and the complete messages (the next operation delivers
// it), or else it was forgotten or never came. Everything that has a deadline is
// done by a periodic task: where Timers have not begun, nothing is.
type Inspection struct {
	// At is the time of the inspection.
	At        int64  `json:"inspectedAt"`
	ChannelID string `json:"channelId"`
	// ParticipantID is empty where repairs (SDS-R) are off.
	ParticipantID string `json:"participantId"`
	// WireFormat is the one that is written in this channel.
	WireFormat string `json:"wireFormat"`
	Timers     Timers `json:"timers"`
	channel.Inspection
	Persistence Persistence `json:"persistence"`
}

// Timers are when the periodic tasks are due next, in Unix milliseconds; 0, and
// absent in JSON, before the first tick. Times that are long past are those of
// tasks that nobody runs any more.
type Timers struct {
	// Begun tells whether there was a tick: of Start's or of the host's own.
	Begun bool `json:"begun"`
	// NextBufferSweep resends, gives up resending, and gives up waiting;
	// NextRepairSweep answers repair requests, and gives up asking; NextSync
	// announces PeriodicSync.
	NextBufferSweep int64 `json:"nextBufferSweepAt,omitempty"`
	NextRepairSweep int64 `json:"nextRepairSweepAt,omitempty"`
	NextSync        int64 `json:"nextPeriodicSyncAt,omitempty"`
}

// Persistence is how far the backend is behind.
type Persistence struct {
	// Kept tells whether there is a backend, or the store.
	Kept bool `json:"kept"`
	// Dirty: what the channel has beside its log was not saved as it is now.
	Dirty bool `json:"dirty"`
	// PendingChanges and PendingHints are what the backend has not confirmed of
	// the log; the next operation on the channel offers them again.
	PendingChanges int `json:"pendingChanges"`
	PendingHints   int `json:"pendingHints"`
}

// Overview is all channels in memory, sorted by their ids.
type Overview struct {
	Channels []ChannelSummary `json:"channels"`
}

// ChannelSummary is how much a channel holds.
type ChannelSummary struct {
	ChannelID string `json:"channelId"`
	// Waits tells whether something in it waits: a message for dependencies, one
	// of ours for an acknowledgement, a repair to be asked for or answered, or a
	// change for the backend. Inspect says what.
	Waits bool `json:"waits"`
	channel.Counts
	// Dirty is that of Persistence.
	Dirty bool `json:"dirty"`
}

// Inspect returns what a channel in memory holds. It changes nothing, loads
// nothing, and waits for an operation on the channel that is under way. It
// grows with what the channel holds.
//
// Errors: ErrInvalidID, ErrInvalidArgument when the channel is not in memory.
func (m *Manager) Inspect(channelID string) (Inspection, error) {
	const op = "inspect"
	if err := m.config.checkID("channel ID", channelID); err != nil {
		return Inspection{}, m.fail(op, channelID, err)
	}
	inspection := Inspection{
		ChannelID: channelID, ParticipantID: m.participantID, Timers: m.timers(),
	}
	found := false
	if s := m.inMemory(channelID); s != nil {
		visitSlot(s, func(s *slot) {
			found = true
			inspection.At, inspection.WireFormat = m.now(), s.channel.Format().String()
			inspection.Inspection = s.channel.Inspect(inspection.At)
			inspection.Persistence = s.persistence(s.channel.Count(inspection.At))
		})
	}
	switch {
	case found:
		return inspection, nil
	case m.isClosed():
		return Inspection{}, m.fail(op, channelID, ErrClosed)
	}
	return Inspection{}, m.fail(op, channelID, fmt.Errorf("%w: the channel is not in memory; its first use or EnsureChannel loads it", ErrInvalidArgument))
}

// Overview returns how much each channel in memory holds. It waits for the
// operations that are under way, channel by channel, so the channels are not
// those of one moment. After Close there are none.
func (m *Manager) Overview() Overview {
	overview := Overview{Channels: []ChannelSummary{}}
	now := m.now()
	m.visit(func(s *slot) {
		counts := s.channel.Count(now)
		kept := s.persistence(counts)
		overview.Channels = append(overview.Channels, ChannelSummary{
			ChannelID: s.id, Waits: counts.Waits() || kept.Dirty, Counts: counts, Dirty: kept.Dirty,
		})
	})
	return overview
}

// persistence is how far the backend is behind a locked channel.
func (s *slot) persistence(counts channel.Counts) Persistence {
	return Persistence{
		Kept: s.keeper.durable, Dirty: s.keeper.durable && (s.dirty || s.unsaved),
		PendingChanges: counts.PendingChanges, PendingHints: counts.PendingHints,
	}
}

// timers is when the periodic tasks are due.
func (m *Manager) timers() Timers {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return Timers{
		Begun:           m.schedule.begun,
		NextBufferSweep: m.schedule.buffers, NextRepairSweep: m.schedule.repairs, NextSync: m.schedule.sync,
	}
}
