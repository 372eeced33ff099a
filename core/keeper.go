package core

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/libsds/libsds/core/channel"
	"github.com/libsds/libsds/core/persistence"
	"github.com/libsds/libsds/core/snapshot"
	"github.com/libsds/libsds/core/wire"
)

// keeper is how a manager keeps its channels: a backend, and what follows from
// what it can do.
type keeper struct {
	backend persistence.Backend
	// committer is the backend if it has transactions, else nil.
	committer persistence.Committer
	// sharing is not nil if operations share their commits.
	sharing *sharing
	// durable is whether there is anything to save to.
	durable bool
	// calls counts what the backend is called for.
	calls *calls
	// channels is what the channels are told, by what they write.
	channels map[dialect]*channel.Config
}

// dialect is what a channel writes, and whether it took that from a message.
type dialect struct {
	format wire.Format
	taken  bool
}

// newKeeper returns the keeper of a backend; nil keeps nothing.
func (m *Manager) newKeeper(backend persistence.Backend) *keeper {
	if backend == nil {
		backend = persistence.None{}
	}
	k := &keeper{backend: backend, calls: &m.calls, channels: make(map[dialect]*channel.Config)}
	_, none := backend.(persistence.None)
	k.durable = !none
	for format := wire.SDS02; format <= wire.LIP109; format++ {
		for _, taken := range []bool{false, true} {
			k.channels[dialect{format, taken}] = m.config.channelConfig(m.participantID, k.durable, format, taken)
		}
	}
	k.committer, _ = backend.(persistence.Committer)
	if k.committer != nil && m.config.StoreSync == StoreSyncBatch {
		k.sharing = &sharing{manager: m, keeper: k}
	}
	return k
}

// SetBackend sets what keeps the channels; nil keeps nothing. It must come
// before the first channel.
//
// Errors: ErrInvalidArgument when there are channels already, or when the
// configuration names a store of its own; ErrClosed.
func (m *Manager) SetBackend(backend persistence.Backend) error {
	const op = "set backend"
	keeper := m.newKeeper(backend)
	if err := m.setKeeper(keeper); err != nil {
		return m.fail(op, "", err)
	}
	m.log(slog.LevelInfo, op, "the backend is set", slog.String("persistence", m.persistence(keeper)))
	return nil
}

func (m *Manager) setKeeper(keeper *keeper) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.closed:
		return ErrClosed
	case m.store != nil:
		return fmt.Errorf("%w: the configuration has the channels kept in the file %q (storePath)", ErrInvalidArgument, m.config.StorePath)
	case len(m.channels) > 0:
		return fmt.Errorf("%w: there are channels already; set it before the first", ErrInvalidArgument)
	}
	m.keeper = keeper
	return nil
}

// persistence says who keeps the channels.
func (m *Manager) persistence(keeper *keeper) string {
	switch {
	case m.store != nil:
		return "store"
	case keeper.durable:
		return "backend"
	}
	return "none"
}

// alone keeps shared commits from being written until the returned function is
// called, so that none brings back what is dropped meanwhile. It comes before
// locking a slot.
func (k *keeper) alone() (release func()) {
	if k.sharing == nil {
		return func() {}
	}
	k.sharing.writing.Lock()
	return k.sharing.writing.Unlock
}

// dialectOf tells what a channel writes: what the configuration names for it;
// else what it took from the message that made it, as the backend has kept it;
// else, where received, not nil, is such a message, and of the other dialect than
// the configured one, what that message is; else the configured one.
func (m *Manager) dialectOf(channelID string, data *snapshot.ChannelData, received *wire.Message) (dialect, error) {
	if format, named := m.config.ChannelWireFormats[channelID]; named {
		return dialect{format: format}, nil
	}
	if data.Meta != nil && data.Meta.WireFormat != 0 {
		if data.Meta.WireFormat > uint64(wire.LIP109) {
			return dialect{}, fmt.Errorf("it writes format %d, which this library does not know", data.Meta.WireFormat)
		}
		return dialect{format: wire.Format(data.Meta.WireFormat), taken: true}, nil
	}
	made := received != nil && data.Meta == nil && len(data.History) == 0
	if made && (received.Format == wire.LIP109) != (m.config.WireFormat == wire.LIP109) {
		return dialect{format: received.Format, taken: true}, nil
	}
	return dialect{format: m.config.WireFormat}, nil
}

// load bootstraps the channel of a locked slot from the backend. Received is the
// message that it is loaded for, or nil.
func (m *Manager) load(s *slot, received *wire.Message) error {
	var kept persistence.Kept
	err := s.keeper.call(persistence.LoadChannel, func() (err error) {
		kept, err = s.keeper.backend.LoadChannel(s.id)
		return err
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPersistence, err)
	}
	data := snapshot.ChannelData{History: kept.History, Hints: kept.Hints}
	if len(kept.Meta) > 0 {
		if data.Meta, err = snapshot.DecodeMeta(kept.Meta); err != nil {
			return fmt.Errorf("%w: what is kept of the channel is damaged: %w", ErrPersistence, err)
		}
	}
	writes, err := m.dialectOf(s.id, &data, received)
	if err != nil {
		return fmt.Errorf("%w: what is kept of the channel is damaged: %w", ErrPersistence, err)
	}
	restored, irregular, err := channel.Restore(s.id, s.keeper.channels[writes], &data)
	if err != nil {
		return fmt.Errorf("%w: what is kept of the channel is damaged: %w", ErrPersistence, err)
	}
	if irregular != (channel.Irregularities{}) {
		m.log(slog.LevelWarn, s.operation, "a backend's history was mended", channelAttr(s.id),
			slog.Int("unordered", irregular.Unordered), slog.Int("duplicates", irregular.Duplicates))
	}
	s.channel = restored
	text := "a channel was loaded"
	if len(kept.Meta) == 0 && len(kept.History) == 0 {
		text = "a channel was made"
	}
	m.log(slog.LevelInfo, s.operation, text, channelAttr(s.id), slog.Int("messages", restored.Count(m.now()).Log))
	if writes.taken {
		m.log(slog.LevelInfo, s.operation, "the channel writes what the message that made it is written in", channelAttr(s.id), slog.String("wireFormat", writes.format.String()))
	}
	return nil
}

// carryOut does what the effects of the last step ask for: first the state is
// offered to the backend, then the events are queued, in the order of the
// channel's operations because the slot is still locked. A commit that it
// returns is yet to be finished, with the slot unlocked.
func (m *Manager) carryOut(s *slot) (unfinished *sharedCommit) {
	s.counts.note(&s.effects)
	s.dirty = s.dirty || s.effects.Changed
	changed := s.dirty || s.channel.PendingLen() > 0 || len(s.channel.PendingHints()) > 0
	switch {
	case !s.keeper.durable || !changed:
	case s.keeper.sharing != nil:
		unfinished = s.keeper.sharing.join(s)
	case s.keeper.committer != nil:
		m.commit(s)
	default:
		m.save(s)
	}
	if unfinished == nil {
		for i := range s.effects.Events {
			event := &s.effects.Events[i]
			event.ChannelID = s.id
			m.logEvent(s.operation, s.debugging, event)
		}
		m.outbox.put(s.id, s.effects.Events)
	}
	s.effects.Release()
	return unfinished
}

// metas are buffers for snapshots, which backends read during their call only.
var metas = sync.Pool{New: func() any { return new([]byte) }}

// mostMetaKept is the size up to which a buffer is used again.
const mostMetaKept = 1 << 20

// withMeta calls use with the snapshot of a locked channel.
func withMeta(c *channel.Channel, use func(meta []byte)) {
	buffer := metas.Get().(*[]byte)
	meta := c.AppendMeta((*buffer)[:0])
	use(meta)
	if cap(meta) <= mostMetaKept {
		*buffer = meta
		metas.Put(buffer)
	}
}

// save offers the changes of a locked channel to the backend, part by part.
func (m *Manager) save(s *slot) {
	if s.dirty {
		withMeta(s.channel, func(meta []byte) {
			err := s.keeper.call(persistence.SaveChannelMeta, func() error { return s.keeper.backend.SaveChannelMeta(s.id, meta) })
			if s.dirty = err != nil; s.dirty {
				m.log(slog.LevelError, s.operation, "a channel was not saved; the next operation tries again", channelAttr(s.id), errorAttr(err))
			}
		})
	}
	if s.channel.PendingLen() > 0 {
		update := s.channel.PendingHistory()
		if err := s.keeper.call(persistence.UpdateHistory, func() error { return s.keeper.backend.UpdateHistory(s.id, update) }); err == nil {
			s.channel.HistorySaved()
		} else {
			m.log(slog.LevelError, s.operation, "a history update was not saved; the next operation tries again", channelAttr(s.id), errorAttr(err))
			m.watchQueue(s)
		}
	}
	var unsaved []string
	for _, hint := range s.channel.PendingHints() {
		if err := s.keeper.call(persistence.SetRetrievalHint, func() error {
			return s.keeper.backend.SetRetrievalHint(s.id, hint.MessageID, hint.Hint)
		}); err != nil {
			m.logUnsavedHint(s, hint.MessageID, err)
			unsaved = append(unsaved, hint.MessageID)
		}
	}
	s.channel.HintsSaved()
	for _, id := range unsaved {
		s.channel.HintUnsaved(id)
	}
}

// commit offers the changes of a locked channel to the backend in one
// transaction.
func (m *Manager) commit(s *slot) {
	withMeta(s.channel, func(meta []byte) {
		change := persistence.Change{ChannelID: s.id, Meta: meta, History: s.channel.PendingHistory(), Hints: s.channel.PendingHints()}
		err := s.keeper.commit([]persistence.Change{change})
		if unkept := (*persistence.HintsError)(nil); err == nil || errors.As(err, &unkept) {
			s.channel.HistorySaved()
			s.channel.HintsSaved()
			s.dirty = false
		}
		if err != nil {
			m.offerAgain(s, &change, err)
		}
	})
}

// offerAgain has a locked channel offer again what a commit of it failed to
// keep.
func (m *Manager) offerAgain(s *slot, change *persistence.Change, err error) {
	if hints := (*persistence.HintsError)(nil); errors.As(err, &hints) {
		for _, hint := range hints.Unkept {
			if hint.ChannelID == s.id {
				m.logUnsavedHint(s, hint.MessageID, err)
				s.channel.HintUnsaved(hint.MessageID)
			}
		}
		return
	}
	s.dirty = true
	s.channel.HistoryUnsaved(&change.History)
	for _, hint := range change.Hints {
		s.channel.HintUnsaved(hint.MessageID)
	}
	m.log(slog.LevelError, s.operation, "the changes of a channel were not saved; the next operation tries again", channelAttr(s.id), errorAttr(err))
	m.watchQueue(s)
}

// watchQueue tells of a backend that has been failing for long.
func (m *Manager) watchQueue(s *slot) {
	if pending := s.channel.PendingLen(); pending > m.config.MaxMessageHistory {
		m.log(slog.LevelError, s.operation, "the backend is stuck: more changes wait than the log has messages", channelAttr(s.id), slog.Int("pending", pending))
	}
}

func (m *Manager) logUnsavedHint(s *slot, messageID string, err error) {
	m.log(slog.LevelError, s.operation, "a retrieval hint was not saved; the next operation tries again", channelAttr(s.id), messageAttr(messageID), errorAttr(err))
}

// drop has the backend forget the channel of a locked slot.
func (s *slot) drop() error {
	if err := s.keeper.call(persistence.DropChannel, func() error { return s.keeper.backend.DropChannel(s.id) }); err != nil {
		return fmt.Errorf("%w: %w", ErrPersistence, err)
	}
	return nil
}
