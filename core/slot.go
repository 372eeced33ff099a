package core

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/libsds/libsds/core/channel"
	"github.com/libsds/libsds/core/wire"
)

// slot is a channel and the lock that serialises its operations.
type slot struct {
	id     string
	keeper *keeper

	mu      sync.Mutex
	channel *channel.Channel // nil until it was loaded
	removed bool             // no longer in Manager.channels
	retired bool             // its counts are among the manager's
	counts  counts
	effects channel.Effects
	wanted  []string // ids without a retrieval hint, reused
	// operation is the one under way, or the last one, and debugging whether the
	// log wants to hear of it.
	operation string
	debugging bool
	// dirty: the backend lacks the state of the channel beside its log.
	dirty bool

	// Where operations share commits:
	joined   *sharedCommit  // the last one that the slot joined
	unsaved  bool           // something changed that no commit has taken up yet
	withheld []announcement // announced once that is written
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
	s := &slot{id: channelID, keeper: m.keeper}
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
		s = &slot{id: channelID, keeper: m.keeper}
		m.channels[channelID] = s
	}
	return s, nil
}

// forget takes a locked slot out of the map.
func (m *Manager) forget(s *slot) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s.removed = true
	m.retire(s)
	if m.channels[s.id] == s {
		delete(m.channels, s.id)
	}
}

// operate runs one operation on the channel that find returns, and then, with
// nothing locked, hands its events to the handler.
func (m *Manager) operate(op, channelID string, find func(string) (*slot, error), step func(*slot) error) error {
	return m.operateFor(nil, op, channelID, find, step)
}

// operateFor is operate for a received message, which may make the channel.
func (m *Manager) operateFor(received *wire.Message, op, channelID string, find func(string) (*slot, error), step func(*slot) error) error {
	for {
		s, err := find(channelID)
		if err == nil {
			err = m.operateOn(received, op, s, step)
		}
		if errors.Is(err, errRemoved) {
			continue
		}
		m.handle()
		if err != nil {
			return m.fail(op, channelID, err)
		}
		return nil
	}
}

// operateOn runs step on a slot and carries out its effects.
func (m *Manager) operateOn(received *wire.Message, op string, s *slot, step func(*slot) error) error {
	unfinished, err := m.stepOn(received, op, s, step)
	unfinished.finish()
	return err
}

// stepOn is operateOn while the slot is locked, and loads the channel first if
// nobody has yet.
func (m *Manager) stepOn(received *wire.Message, op string, s *slot, step func(*slot) error) (unfinished *sharedCommit, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.removed {
		return nil, errRemoved
	}
	s.operation, s.debugging = op, m.debugging()
	if s.channel == nil {
		if err := m.load(s, received); err != nil {
			m.forget(s)
			return nil, err
		}
	}
	if err := step(s); err != nil {
		return nil, classify(err)
	}
	return m.carryOut(s), nil
}

// handle hands waiting events to the handler, one at a time and in order. Who
// finds another goroutine at it, or is called from the handler, leaves the
// events to that.
func (m *Manager) handle() {
	if m.handler == nil {
		return
	}
	for m.HasEvents() && m.handling.TryLock() {
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
