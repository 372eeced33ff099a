package core

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/libsds/libsds/core/channel"
)

// slot is a channel and the lock that serialises its operations.
type slot struct {
	id string

	mu      sync.Mutex
	channel *channel.Channel // nil until it was loaded
	removed bool             // no longer in Manager.channels
	effects channel.Effects
	wanted  []string // ids without a retrieval hint, reused
}

// errRemoved is a slot that was removed between being found and being locked.
var errRemoved = errors.New("the channel was removed")

// inMemory returns the slot of a channel that is in memory, or nil.
func (m *Manager) inMemory(channelID string) *slot {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.channels[channelID]
}

// isClosed tells whether Close was called.
func (m *Manager) isClosed() bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.closed
}

// slotInMemory is inMemory for operations that need the channel to exist.
func (m *Manager) slotInMemory(channelID string) (*slot, error) {
	if s := m.inMemory(channelID); s != nil {
		return s, nil
	}
	if m.isClosed() {
		return nil, ErrClosed
	}
	return nil, fmt.Errorf("%w: the channel is not known", ErrInvalidArgument)
}

// slotOfReceived is slot for a channel that a peer names: it may be refused,
// and its id, a view of the payload, is copied when it is kept.
func (m *Manager) slotOfReceived(channelID string) (*slot, error) {
	if s := m.inMemory(channelID); s != nil {
		return s, nil
	}
	if !m.config.Limits.AcceptUnknownChannels && !m.isClosed() {
		return nil, fmt.Errorf("%w: the channel is unknown and acceptUnknownChannels is false", ErrLimitExceeded)
	}
	return m.slot(strings.Clone(channelID))
}

// slot returns the slot of a channel, made when there is none.
func (m *Manager) slot(channelID string) (*slot, error) {
	if s := m.inMemory(channelID); s != nil {
		return s, nil
	}
	if err := m.config.checkID("channel ID", channelID); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, ErrClosed
	}
	if s := m.channels[channelID]; s != nil {
		return s, nil
	}
	if most := m.config.Limits.MaxChannels; most > 0 && len(m.channels) >= most {
		return nil, fmt.Errorf("%w: there are %d channels, as many as maxChannels allows", ErrLimitExceeded, most)
	}
	s := &slot{id: channelID}
	m.channels[channelID] = s
	return s, nil
}

// slotToRemove returns the slot of a channel, made when there is none: so that
// nobody makes the channel while the backend drops it. maxChannels does not
// count, since the slot goes at once.
func (m *Manager) slotToRemove(channelID string) (*slot, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, ErrClosed
	}
	s := m.channels[channelID]
	if s == nil {
		s = &slot{id: channelID}
		m.channels[channelID] = s
	}
	return s, nil
}

// forget takes a locked slot out of the map.
func (m *Manager) forget(s *slot) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s.removed = true
	if m.channels[s.id] == s {
		delete(m.channels, s.id)
	}
}

// operate runs one operation on the channel that find returns, and then, with
// nothing locked, hands its events to the handler.
func (m *Manager) operate(op, channelID string, find func(string) (*slot, error), step func(*slot) error) error {
	for {
		s, err := find(channelID)
		if err == nil {
			err = m.operateOn(s, step)
		}
		if errors.Is(err, errRemoved) {
			continue
		}
		m.handle()
		if err != nil {
			return fail(op, channelID, err)
		}
		return nil
	}
}

// operateOn runs step on a locked and loaded slot and carries out its effects.
func (m *Manager) operateOn(s *slot, step func(*slot) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.removed {
		return errRemoved
	}
	if s.channel == nil {
		if err := m.load(s); err != nil {
			m.forget(s)
			return err
		}
	}
	if err := step(s); err != nil {
		return classify(err)
	}
	m.carryOut(s)
	return nil
}

// load bootstraps the channel of a locked slot from the backend.
func (m *Manager) load(s *slot) error {
	data, err := m.backend.LoadChannel(s.id)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPersistence, err)
	}
	restored, irregular, err := channel.Restore(s.id, m.channel, &data)
	if err != nil {
		return fmt.Errorf("%w: what is kept of the channel is damaged: %w", ErrPersistence, err)
	}
	if irregular != (channel.Irregularities{}) {
		m.logger.Warn("a backend's history was mended", "channel", s.id, "unordered", irregular.Unordered, "duplicates", irregular.Duplicates)
	}
	s.channel = restored
	return nil
}

// carryOut does what the effects of the last step ask for: first the state is
// offered to the backend, then the events are queued, in the order of the
// channel's operations because the slot is still locked.
func (m *Manager) carryOut(s *slot) {
	if m.durable {
		m.save(s)
	}
	m.outbox.put(s.id, s.effects.Events)
	s.effects.Release()
}

func (m *Manager) save(s *slot) {
	if s.effects.Changed {
		if err := m.backend.SaveChannelMeta(s.id, s.channel.Meta()); err != nil {
			m.logger.Error("a channel was not saved; the next save holds everything", "channel", s.id, "error", err)
		}
	}
	if s.channel.PendingLen() == 0 {
		return
	}
	err := m.backend.UpdateHistory(s.id, s.channel.PendingHistory())
	if err == nil {
		s.channel.HistorySaved()
		return
	}
	m.logger.Error("a history update was not saved; the next operation tries again", "channel", s.id, "error", err)
	if pending := s.channel.PendingLen(); pending > m.config.MaxMessageHistory {
		m.logger.Error("the backend is stuck: more changes wait than the log has messages", "channel", s.id, "pending", pending)
	}
}

// handle hands waiting events to the handler, one at a time and in order. Who
// finds another goroutine at it, or is called from the handler, leaves the
// events to that.
func (m *Manager) handle() {
	if m.handler == nil {
		return
	}
	for m.outbox.waiting() && m.handling.TryLock() {
		m.handleWaiting()
	}
}

func (m *Manager) handleWaiting() {
	defer m.handling.Unlock()
	for {
		event, ok := m.outbox.take()
		if !ok {
			return
		}
		m.handler(event)
	}
}
