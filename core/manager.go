package core

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"github.com/libsds/libsds/core/channel"
	"github.com/libsds/libsds/core/limits"
	"github.com/libsds/libsds/core/persistence"
	"github.com/libsds/libsds/core/store"
	"github.com/libsds/libsds/core/wire"
)

// Options are what a Manager is made of. The zero value is usable.
type Options struct {
	// ParticipantID names this participant to its peers; empty switches
	// repairs (SDS-R) off.
	ParticipantID string
	// Config is copied; nil is DefaultConfig.
	Config *Config
	// Backend keeps the channels; nil keeps nothing, unless the configuration
	// names a store (StorePath).
	Backend persistence.Backend
	// Handler is called for every event, one at a time, in the order of the
	// operations, with nothing locked: it may call back in. An operation's
	// events are handled before it returns, unless another goroutine is
	// handling events at that moment (or the operation is called from Handler
	// itself): then they are handled right after those. One that is slower than
	// its peers lets events pile up. Nil leaves events to NextEvent.
	Handler func(Event)
	// Logger is told of every operation and event (Debug), of what a channel, the
	// timers and the manager begin and end (Info), of operations that failed and
	// of what was lost (Warn), and of what goes wrong without failing an operation
	// (Error); nil is silence. No line has contents or payloads in it. A line
	// about a channel is written while that is locked: the Logger must not call
	// the manager, and holds up who waits for the channel.
	Logger *slog.Logger
	// Now returns the time in Unix milliseconds; nil is the wall clock. The
	// timer of Start reads it too.
	Now func() int64
}

// Manager is one participant with its channels. All methods are safe for
// concurrent use; operations on different channels run side by side.
type Manager struct {
	participantID string
	config        Config
	handler       func(Event)
	logger        *slog.Logger
	now           func() int64
	store         *store.Store // the one that the configuration names; nil: none
	outbox        outbox

	handling sync.Mutex // held while Handler is called
	decoded  sync.Pool  // of *wire.Message, reused between operations
	refused  refused
	calls    calls // of the backend

	mu       sync.RWMutex // guards what follows, and is never held while waiting
	keeper   *keeper      // of the channels to come
	channels map[string]*slot
	closed   bool
	hints    HintProvider
	schedule schedule
	runner   *Runner
	ticks    uint64
	retired  counts           // of the channels that are gone
	left     map[string]*slot // when Close came, and not retired since
}

// HintProvider returns what the host knows about where a message can be
// fetched, or nothing. It is called during an operation, with the channel
// locked: it must not call the manager. The bytes become the manager's.
type HintProvider func(channelID, messageID string) []byte

// New returns a manager without channels. It starts no goroutine.
func New(o Options) (*Manager, error) {
	config := DefaultConfig()
	if o.Config != nil {
		config = *o.Config
		config.ChannelWireFormats = maps.Clone(config.ChannelWireFormats)
	}
	m := &Manager{
		participantID: o.ParticipantID,
		config:        config,
		handler:       o.Handler,
		logger:        o.Logger,
		now:           o.Now,
		channels:      make(map[string]*slot),
	}
	if m.logger == nil {
		m.logger = slog.New(slog.DiscardHandler)
	}
	if err := config.check(); err != nil {
		return nil, m.fail(opOpen, "", err)
	}
	if err := config.checkID("participant id", o.ParticipantID); err != nil && o.ParticipantID != "" {
		return nil, m.fail(opOpen, "", err)
	}
	if config.StorePath != "" {
		if o.Backend != nil {
			return nil, m.fail(opOpen, "", fmt.Errorf("%w: there are a Backend and a storePath: one keeper is enough", ErrInvalidArgument))
		}
		opened, err := store.Open(config.StorePath)
		if err != nil {
			return nil, m.fail(opOpen, "", fmt.Errorf("%w: %w", ErrPersistence, err))
		}
		m.store, o.Backend = opened, opened
	}
	m.keeper = m.newKeeper(o.Backend)
	if m.now == nil {
		m.now = WallClock
	} else {
		m.now = func() int64 { return sane(o.Now()) }
	}
	if m.handler == nil {
		m.outbox.keep(limits.KeptEvents)
	}
	m.decoded.New = func() any { return new(wire.Message) }
	if config.MaxMessageHistory > config.BloomFilterCapacity {
		m.log(slog.LevelWarn, opOpen, "maxMessageHistory is larger than bloomFilterCapacity: the filter forgets messages that the log still has",
			slog.Int("maxMessageHistory", config.MaxMessageHistory), slog.Int("bloomFilterCapacity", config.BloomFilterCapacity))
	}
	m.log(slog.LevelInfo, opOpen, "a manager is open", slog.String("participant", m.participantID), slog.String("wireFormat", config.WireFormat.String()),
		slog.String("persistence", m.persistence(m.keeper)), slog.String("storePath", config.StorePath))
	return m, nil
}

// Kind is what a message is for.
type Kind uint8

// The kinds of messages, with the numbers of the native C API.
const (
	KindContent   Kind = 1
	KindSync      Kind = 2
	KindEphemeral Kind = 3
)

// String returns "content", "sync" or "ephemeral".
func (k Kind) String() string {
	switch k {
	case KindContent:
		return "content"
	case KindSync:
		return "sync"
	case KindEphemeral:
		return "ephemeral"
	}
	return "unknown"
}

// Unwrapped is a received message.
type Unwrapped struct {
	ChannelID, MessageID, SenderID string
	// Lamport is in the unit of the sender; 0 for an ephemeral message.
	Lamport uint64
	Kind    Kind
	// Content is a view of the payload.
	Content []byte
	// Missing are the dependencies that the message waits for.
	Missing []Dependency
	// Duplicate: it was delivered before. Buffered: it waits for Missing.
	Duplicate, Buffered bool
}

// Wrap makes the payload that carries a new message, and appends it to dst.
// Content is copied. Pass a dst with room to avoid an allocation.
//
// Errors: ErrInvalidID, ErrInvalidArgument for empty content,
// ErrMessageTooLarge, ErrLimitExceeded when maxOutgoingMessages wait for an
// acknowledgement or maxChannels exist, ErrPersistence when the channel cannot
// be loaded.
func (m *Manager) Wrap(dst []byte, channelID, messageID string, content []byte) ([]byte, error) {
	if err := m.config.checkID("message ID", messageID); err != nil {
		return dst, m.fail("wrap", channelID, err)
	}
	return m.send("wrap", KindContent, channelID, channel.Input{Op: channel.OpSend, MessageID: messageID, Content: content, Encoded: dst})
}

// WrapSync makes a payload without content, which tells and asks what a
// message would: for a channel that has been quiet. Errors as for Wrap.
//
// Peers that run the replaced library take it for a content message and cite
// it: send none where there are such peers.
func (m *Manager) WrapSync(dst []byte, channelID string) ([]byte, error) {
	return m.send("wrap sync", KindSync, channelID, channel.Input{Op: channel.OpSendSync, Encoded: dst})
}

// WrapEphemeral makes the payload of a message that is delivered or lost, and
// leaves no trace. Errors as for Wrap.
func (m *Manager) WrapEphemeral(dst []byte, channelID, messageID string, content []byte) ([]byte, error) {
	if err := m.config.checkID("message ID", messageID); err != nil {
		return dst, m.fail("wrap ephemeral", channelID, err)
	}
	return m.send("wrap ephemeral", KindEphemeral, channelID, channel.Input{Op: channel.OpSendEphemeral, MessageID: messageID, Content: content, Encoded: dst})
}

func (m *Manager) send(op string, kind Kind, channelID string, input channel.Input) ([]byte, error) {
	encoded := input.Encoded
	if input.Op != channel.OpSendSync {
		// First of all, so that a refused message makes no channel.
		if err := channel.CheckContent(input.Content, &m.config.Limits); err != nil {
			return encoded, m.fail(op, channelID, classify(err))
		}
	}
	err := m.operate(op, channelID, m.slot, func(s *slot) error {
		if input.Op != channel.OpSendEphemeral {
			m.askHints(s)
		}
		s.channel.Step(m.now(), input, &s.effects)
		if s.effects.Err == nil {
			encoded = s.effects.Encoded
			bytes := len(encoded) - len(input.Encoded)
			s.counts.sent(kind, bytes)
			m.logWrapped(s, input.MessageID, kind, bytes)
		}
		return s.effects.Err
	})
	return encoded, err
}

// askHints asks the host for what the next message would cite without a
// retrieval hint.
func (m *Manager) askHints(s *slot) {
	m.mu.RLock()
	provider := m.hints
	m.mu.RUnlock()
	if provider == nil {
		return
	}
	s.wanted = s.channel.HintsWanted(m.now(), s.wanted[:0])
	for _, id := range s.wanted {
		hint := provider(s.id, id)
		if len(hint) == 0 {
			continue
		}
		if len(hint) > limits.MaxHintBytes {
			m.log(slog.LevelWarn, s.operation, "a retrieval hint is too long and is not used", channelAttr(s.id), messageAttr(id),
				slog.Int("bytes", len(hint)), slog.Int("most", limits.MaxHintBytes))
			continue
		}
		s.channel.LearnHint(id, hint)
	}
}

// Unwrap takes in a payload. It is read during the call only. Payloads that are
// not SDS messages give ErrDeserialization: hosts deliver those as they are.
//
// Other errors: ErrLimitExceeded when the message is of a channel that may not
// be made, ErrPersistence when its channel cannot be loaded.
func (m *Manager) Unwrap(payload []byte) (Unwrapped, error) {
	message := m.decoded.Get().(*wire.Message)
	defer m.recycle(message)
	if err := wire.Decode(payload, &m.config.Limits, message); err != nil {
		m.refused.note(refusedNotSDS, payload)
		return Unwrapped{}, m.fail("unwrap", "", classify(err))
	}
	result := Unwrapped{Lamport: message.Lamport, Kind: kindOf(message), Content: message.Content}
	err := m.operateFor(message, "unwrap", message.ChannelID, m.slotOfReceived, func(s *slot) error {
		s.channel.Step(m.now(), channel.Input{Op: channel.OpReceive, Received: message}, &s.effects)
		receipt := &s.effects.Receipt
		result.ChannelID, result.MessageID, result.SenderID = s.id, receipt.MessageID, receipt.SenderID
		result.Missing, result.Duplicate, result.Buffered = receipt.Missing, receipt.Duplicate, receipt.Buffered
		if s.effects.Err == nil {
			s.counts.received(result.Kind, len(payload))
			m.logUnwrapped(s, &result, len(payload))
		}
		return s.effects.Err
	})
	switch {
	case err == nil:
		return result, nil
	case errors.Is(err, ErrLimitExceeded):
		m.refused.note(refusedLimit, payload)
	case errors.Is(err, ErrPersistence):
		m.refused.note(refusedPersistence, payload)
	}
	return Unwrapped{}, err
}

// recycle keeps a decoded message for the next payload, without its views of
// this one.
func (m *Manager) recycle(message *wire.Message) {
	clear(message.History)
	clear(message.RepairRequests)
	*message = wire.Message{History: message.History[:0], RepairRequests: message.RepairRequests[:0]}
	m.decoded.Put(message)
}

func kindOf(message *wire.Message) Kind {
	switch {
	case message.IsEphemeral():
		return KindEphemeral
	case message.IsSync():
		return KindSync
	}
	return KindContent
}

// MarkDependenciesMet declares that the host has these messages by other means:
// nothing waits for them any longer. The channel must exist.
func (m *Manager) MarkDependenciesMet(channelID string, messageIDs []string) error {
	const op = "mark dependencies met"
	if err := m.config.checkID("channel ID", channelID); err != nil {
		return m.fail(op, channelID, err)
	}
	for _, id := range messageIDs {
		if err := m.config.checkID("message ID", id); err != nil {
			return m.fail(op, channelID, err)
		}
	}
	return m.operate(op, channelID, m.slotInMemory, func(s *slot) error {
		s.channel.Step(m.now(), channel.Input{Op: channel.OpMarkMet, MetIDs: messageIDs}, &s.effects)
		if s.debugging {
			m.log(slog.LevelDebug, op, "dependencies were declared met", channelAttr(s.id), slog.Int("dependencies", len(messageIDs)))
		}
		return s.effects.Err
	})
}

// EnsureChannel makes or loads a channel before its first message.
func (m *Manager) EnsureChannel(channelID string) error {
	return m.operate("ensure channel", channelID, m.slot, func(*slot) error { return nil })
}

// Channels returns the ids of the channels in memory, sorted.
func (m *Manager) Channels() []string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return slices.Sorted(maps.Keys(m.channels))
}

// RemoveChannel forgets a channel, what the backend keeps of it first. When
// that fails, nothing changes. A channel that is not in memory is still
// dropped from the backend.
func (m *Manager) RemoveChannel(channelID string) error {
	const op = "remove channel"
	if err := m.config.checkID("channel ID", channelID); err != nil {
		return m.fail(op, channelID, err)
	}
	for {
		s, err := m.slotToRemove(channelID)
		if err == nil {
			err = m.remove(s)
		}
		if errors.Is(err, errRemoved) {
			continue
		}
		if err != nil {
			return m.fail(op, channelID, err)
		}
		m.log(slog.LevelInfo, op, "a channel was removed", channelAttr(channelID))
		return nil
	}
}

func (m *Manager) remove(s *slot) error {
	defer s.keeper.alone()()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.removed {
		return errRemoved
	}
	err := s.drop()
	if err == nil || s.channel == nil { // not loaded: the slot was made only for this
		m.forget(s)
	}
	return err
}

// Reset forgets all channels, what the backend keeps of them first: those in
// memory and, where the backend is a [persistence.Lister], all others too. When
// that fails, no channel in memory is forgotten, and those that the backend has
// dropped already are saved again by their next operation.
func (m *Manager) Reset() error {
	const op = "reset"
	slots, err := m.slotsToReset()
	channelID := ""
	if err == nil {
		channelID, err = m.resetAll(slots)
	}
	if err != nil {
		return m.fail(op, channelID, err)
	}
	m.log(slog.LevelInfo, op, "all channels were removed", slog.Int("channels", len(slots)))
	return nil
}

// resetAll is Reset for the slots that it found. It returns the channel that
// could not be dropped.
func (m *Manager) resetAll(slots []*slot) (channelID string, err error) {
	if len(slots) == 0 {
		return "", nil
	}
	defer slots[0].keeper.alone()()
	for _, s := range slots { // in one order everywhere, so that two resets cannot deadlock
		s.mu.Lock()
		defer s.mu.Unlock()
	}
	for i, s := range slots {
		if s.removed {
			continue
		}
		if err = s.drop(); err != nil {
			channelID = s.id
			for _, dropped := range slots[:i] {
				if !dropped.removed && dropped.channel != nil {
					dropped.channel.Requeue()
					dropped.dirty = true
				}
			}
			break
		}
	}
	for _, s := range slots {
		if err == nil || s.channel == nil { // not loaded: the slot was made only for this
			m.forget(s)
		}
	}
	return channelID, err
}

// slotsToReset returns the slots of all channels in memory and of those that the
// backend can name, in the order of their ids.
func (m *Manager) slotsToReset() ([]*slot, error) {
	m.mu.RLock()
	closed, backend := m.closed, m.keeper.backend
	slots := maps.Clone(m.channels)
	m.mu.RUnlock()
	if closed {
		return nil, ErrClosed
	}
	var kept []string
	if lister, ok := backend.(persistence.Lister); ok {
		if err := lister.VisitChannels(func(id string, _ []byte) bool {
			kept = append(kept, id)
			return true
		}); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrPersistence, err)
		}
	}
	for _, id := range kept {
		if slots[id] == nil {
			s, err := m.slotToRemove(id)
			if err != nil {
				return nil, err
			}
			slots[id] = s
		}
	}
	return slices.SortedFunc(maps.Values(slots), func(a, b *slot) int { return cmp.Compare(a.id, b.id) }), nil
}

// SetHints sets who is asked for retrieval hints; nil is nobody.
func (m *Manager) SetHints(provider HintProvider) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hints = provider
}

// NextEvent takes the oldest waiting event, for hosts that set no Handler.
func (m *Manager) NextEvent() (Event, bool) { return m.outbox.take() }

// HasEvents tells whether events wait for NextEvent.
func (m *Manager) HasEvents() bool { return m.outbox.waiting.Load() > 0 }

// KeepEvents bounds the events that wait for NextEvent: past it the oldest are
// forgotten. Without a Handler the bound is limits.KeptEvents at first. 0 is no
// bound: for hosts that take all of them after every operation.
func (m *Manager) KeepEvents(bound int) { m.outbox.keep(bound) }

// Close stops the timer, and closes the store that the configuration names. What
// the backend keeps stays. Operations fail with ErrClosed from then on; those
// under way, a tick of the timer included, may still reach the backend and the
// handler. What they change is not kept any more if the store was faster: let
// them end first.
func (m *Manager) Close() {
	m.mu.Lock()
	runner := m.runner
	channels := m.channels
	again := m.closed
	if !again {
		m.left = maps.Clone(channels)
	}
	m.runner, m.closed = nil, true
	m.channels = make(map[string]*slot)
	m.mu.Unlock()
	for _, s := range channels {
		if s.mu.TryLock() { // else the next Stats waits for it
			m.leave(s)
			s.mu.Unlock()
		}
	}
	if runner != nil {
		runner.Stop()
	}
	if m.store != nil {
		if err := m.store.Close(); err != nil {
			m.log(slog.LevelError, opClose, "the store was not closed", errorAttr(err))
		}
	}
	if !again {
		m.log(slog.LevelInfo, opClose, "a manager is closed", slog.Int("channels", len(channels)))
	}
}
