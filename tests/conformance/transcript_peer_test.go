package conformance

import (
	"slices"
	"strconv"
	"testing"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/persistence"
	"github.com/libsds/libsds/core/snapshot"
	"github.com/libsds/libsds/core/wire"
)

// peer is a manager that plays the part of a recorded one. It remembers what
// it was told, so that a second one can be brought to the same state and asked
// what cannot be asked without changing it.
type peer struct {
	t       *testing.T
	setting peerSetting
	manager *core.Manager
	backend *recordingBackend
	now     int64
	inputs  []func(*peer)
	events  []core.Event
}

type peerSetting struct {
	participantID string
	hints         bool
	config        core.Config
}

func newPeer(t *testing.T, setting peerSetting) *peer {
	t.Helper()
	p := &peer{t: t, setting: setting, backend: &recordingBackend{
		clocks: make(map[string]uint64),
		saved:  make(map[string]*snapshot.ChannelMeta),
	}}
	manager, err := core.New(core.Options{
		ParticipantID: setting.participantID,
		Config:        &setting.config,
		Backend:       p.backend,
		Handler:       func(e core.Event) { p.events = append(p.events, e) },
		Now:           func() int64 { return p.now },
	})
	if err != nil {
		t.Fatal(err)
	}
	if setting.hints {
		manager.SetHints(func(_, messageID string) []byte { return []byte("hint:" + messageID) })
	}
	p.manager = manager
	return p
}

// fork returns another peer that was told the same.
func (p *peer) fork(setting peerSetting) *peer {
	q := newPeer(p.t, setting)
	for _, input := range p.inputs {
		input(q)
	}
	return q
}

func (p *peer) wrap(now int64, channelID, messageID string, content []byte) ([]byte, error) {
	p.inputs = append(p.inputs, func(q *peer) { _, _ = q.wrap(now, channelID, messageID, content) })
	p.now = now
	return p.manager.Wrap(nil, channelID, messageID, content)
}

func (p *peer) unwrap(now int64, payload []byte) (core.Unwrapped, error) {
	p.inputs = append(p.inputs, func(q *peer) { _, _ = q.unwrap(now, payload) })
	p.now = now
	return p.manager.Unwrap(payload)
}

func (p *peer) markMet(now int64, channelID string, ids []string) error {
	p.inputs = append(p.inputs, func(q *peer) { _ = q.markMet(now, channelID, ids) })
	p.now = now
	return p.manager.MarkDependenciesMet(channelID, ids)
}

// sweepRepairs lets the schedule of the periodic tasks begin one interval
// before now, so that the repair sweep is due now.
func (p *peer) sweepRepairs(now int64) {
	p.inputs = append(p.inputs, func(q *peer) { q.sweepRepairs(now) })
	p.now = now
	p.manager.Tick(now - p.setting.config.RepairSweepIntervalMs)
	p.manager.Tick(now)
}

// hearClock moves the clock of a channel forward, by a sync message, which has
// no other effect. A channel that is not in memory is left to be loaded with
// that clock.
func (p *peer) hearClock(now int64, channelID string, clock uint64) {
	if !slices.Contains(p.manager.Channels(), channelID) {
		p.inputs = append(p.inputs, func(q *peer) { q.hearClock(now, channelID, clock) })
		p.backend.clocks[channelID] = clock
		return
	}
	m := wire.Message{ID: "clock", ChannelID: channelID, SenderID: "clock", Lamport: clock, HasLamport: true}
	if _, err := p.unwrap(now, wire.Append(nil, wire.SDS03, &m, nil)); err != nil {
		p.t.Fatal(err)
	}
}

// forgetTraces forgets which events and calls there were.
func (p *peer) forgetTraces() { p.events, p.backend.calls = nil, nil }

// inspection is what a channel of ours is, so far as transcripts record it.
type inspection struct {
	log            []string
	outgoing       []string
	incoming       map[string][]string
	asking         []wire.Entry
	asked          map[string]answer
	filterSHA256   string
	filterCapacity int
	filterIDs      int
}

// answer is an entry of the incoming repair buffer.
type answer struct {
	entry   wire.Entry
	message []byte
}

// inspect describes a channel: its buffers as they were saved last, its log and
// filter as they are in memory.
func (p *peer) inspect(channelID string) inspection {
	p.t.Helper()
	var seen inspection
	p.inspectSaved(channelID, &seen)
	p.inspectMemory(channelID, &seen)
	if kept := p.backend.history(p.t, channelID); !slices.Equal(kept, seen.log) {
		p.t.Errorf("the backend keeps the log %v, memory %v", kept, seen.log)
	}
	return seen
}

func (p *peer) inspectSaved(channelID string, seen *inspection) {
	meta := p.backend.saved[channelID]
	seen.incoming, seen.asked = make(map[string][]string), make(map[string]answer)
	for _, u := range meta.Outgoing {
		seen.outgoing = append(seen.outgoing, decodeMessage(p.t, u.Message).ID)
	}
	for _, waiting := range meta.Incoming {
		id := decodeMessage(p.t, waiting.Message).ID
		for _, missing := range waiting.Missing {
			seen.incoming[id] = append(seen.incoming[id], missing.MessageID)
		}
	}
	for _, item := range meta.OutgoingRepair {
		seen.asking = append(seen.asking, keptEntry(item.Entry))
	}
	for _, item := range meta.IncomingRepair {
		seen.asked[item.Entry.MessageID] = answer{keptEntry(item.Entry), item.Message}
	}
}

// inspectMemory asks a fork for a sync message, which tells the filter and, if
// it may cite all of it, the log. How many ids the filter was made of shows in
// how many more it takes until it is rebuilt.
func (p *peer) inspectMemory(channelID string, seen *inspection) {
	setting := p.setting
	setting.config.MaxCausalHistory = setting.config.MaxMessageHistory
	fork := p.fork(setting)
	payload, err := fork.manager.WrapSync(nil, channelID)
	if err != nil {
		p.t.Fatal(err)
	}
	told := decodeMessage(p.t, payload)
	for _, e := range told.History {
		seen.log = append(seen.log, e.ID)
	}
	seen.filterSHA256 = sha256Hex(told.Filter)
	capacity := decodeFilter(p.t, told.Filter).Capacity
	seen.filterCapacity = int(capacity)

	most := setting.config.BloomFilterCapacity * 6 / 5
	for room := range most + 2 {
		payload, err := fork.wrap(p.now, channelID, "filler-"+strconv.Itoa(room), []byte("x"))
		if err != nil {
			p.t.Fatal(err)
		}
		if decodeFilter(p.t, decodeMessage(p.t, payload).Filter).Capacity != capacity {
			seen.filterIDs = most + 1 - room
			return
		}
	}
	p.t.Errorf("the filter was never rebuilt")
}

func keptEntry(e snapshot.HistoryEntry) wire.Entry {
	return wire.Entry{ID: e.MessageID, SenderID: e.SenderID, Hint: e.RetrievalHint}
}

// recordingBackend keeps channels in memory and notes the calls.
type recordingBackend struct {
	persistence.Memory
	calls  []string
	saved  map[string]*snapshot.ChannelMeta
	clocks map[string]uint64 // what a channel that was never saved begins with
}

func (b *recordingBackend) SaveChannelMeta(channelID string, meta []byte) error {
	b.calls = append(b.calls, describeCall("saveChannelMeta", channelID))
	saved, err := snapshot.DecodeMeta(meta)
	if err != nil {
		return err
	}
	b.saved[channelID] = saved
	return b.Memory.SaveChannelMeta(channelID, meta)
}

func (b *recordingBackend) UpdateHistory(channelID string, update snapshot.HistoryUpdate) error {
	var appended []string
	for _, record := range update.Append {
		appended = append(appended, record.MessageID)
	}
	b.calls = append(b.calls, describeCall("updateHistory", channelID, describeUpdate(appended, update.Evict)...))
	return b.Memory.UpdateHistory(channelID, update)
}

func (b *recordingBackend) LoadChannel(channelID string) (persistence.Kept, error) {
	b.calls = append(b.calls, describeCall("loadChannel", channelID))
	kept, err := b.Memory.LoadChannel(channelID)
	if len(kept.Meta) == 0 {
		kept.Meta = snapshot.AppendMeta(nil, &snapshot.ChannelMeta{Lamport: b.clocks[channelID]})
	}
	return kept, err
}

func (b *recordingBackend) DropChannel(channelID string) error {
	b.calls = append(b.calls, describeCall("dropChannel", channelID))
	return b.Memory.DropChannel(channelID)
}

func (b *recordingBackend) SetRetrievalHint(channelID, messageID string, hint []byte) error {
	b.calls = append(b.calls, describeCall("setRetrievalHint", channelID, messageID))
	return b.Memory.SetRetrievalHint(channelID, messageID, hint)
}

// history lists the ids of the log that is kept, in its order.
func (b *recordingBackend) history(t *testing.T, channelID string) []string {
	t.Helper()
	kept, err := b.Memory.LoadChannel(channelID)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, message := range kept.History {
		ids = append(ids, decodeMessage(t, message).ID)
	}
	return ids
}
