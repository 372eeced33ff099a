package persistence

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"sync"

	"github.com/libsds/libsds/core/snapshot"
)

// Memory keeps channels in memory: for tests, for the simulator, and for hosts
// whose managers come and go within one process. It is safe for concurrent
// use; its zero value is ready.
type Memory struct {
	mu       sync.Mutex
	channels map[string]*memoryChannel
}

type memoryChannel struct {
	meta    []byte
	history map[string]snapshot.HistoryRecord
	hints   map[string][]byte
}

// channel returns the kept channel, made on demand. The lock is held.
func (m *Memory) channel(id string) *memoryChannel {
	c := m.channels[id]
	if c == nil {
		c = &memoryChannel{history: map[string]snapshot.HistoryRecord{}, hints: map[string][]byte{}}
		if m.channels == nil {
			m.channels = map[string]*memoryChannel{}
		}
		m.channels[id] = c
	}
	return c
}

// SaveChannelMeta keeps a copy of meta.
func (m *Memory) SaveChannelMeta(channelID string, meta []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.channel(channelID).putMeta(meta)
	return nil
}

func (c *memoryChannel) putMeta(meta []byte) { c.meta = bytes.Clone(meta) }

// UpdateHistory applies the change.
func (m *Memory) UpdateHistory(channelID string, update snapshot.HistoryUpdate) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.channel(channelID).update(&update)
	return nil
}

func (c *memoryChannel) update(update *snapshot.HistoryUpdate) {
	for _, key := range update.Gone { // also of messages that are replaced
		delete(c.hints, key.MessageID)
	}
	for _, record := range update.Append {
		c.history[record.MessageID] = record
	}
	for _, id := range update.Evict {
		delete(c.history, id)
		delete(c.hints, id)
	}
}

// LoadChannel returns what was kept.
func (m *Memory) LoadChannel(channelID string) (Kept, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.channels[channelID]
	if c == nil {
		return Kept{}, nil
	}
	records := make([]snapshot.HistoryRecord, 0, len(c.history))
	for _, record := range c.history {
		records = append(records, record)
	}
	slices.SortFunc(records, func(a, b snapshot.HistoryRecord) int {
		return cmp.Or(cmp.Compare(a.Lamport, b.Lamport), cmp.Compare(a.MessageID, b.MessageID))
	})
	kept := Kept{Meta: bytes.Clone(c.meta)}
	for _, record := range records {
		kept.History = append(kept.History, record.Message)
		if hint := c.hints[record.MessageID]; hint != nil {
			kept.Hints = append(kept.Hints, snapshot.RetrievalHint{MessageID: record.MessageID, Hint: hint})
		}
	}
	return kept, nil
}

// DropChannel forgets the channel.
func (m *Memory) DropChannel(channelID string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.channels, channelID)
	return nil
}

// SetRetrievalHint keeps the hint.
func (m *Memory) SetRetrievalHint(channelID, messageID string, hint []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.channel(channelID).putHint(messageID, hint)
	return nil
}

func (c *memoryChannel) putHint(messageID string, hint []byte) {
	c.hints[messageID] = bytes.Clone(hint)
}

// VisitChannels visits the channels in the order of their ids.
func (m *Memory) VisitChannels(visit func(channelID string, meta []byte) bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(m.channels)) {
		if !visit(id, m.channels[id].meta) {
			break
		}
	}
	return nil
}

// Clone returns a Memory with what this one keeps now: what a process that ends
// here leaves behind.
func (m *Memory) Clone() *Memory {
	clone := &Memory{}
	m.copyTo(clone)
	return clone
}

func (m *Memory) copyTo(clone *Memory) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, c := range m.channels {
		*clone.channel(id) = memoryChannel{meta: c.meta, history: maps.Clone(c.history), hints: maps.Clone(c.hints)}
	}
}
