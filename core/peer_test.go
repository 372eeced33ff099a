package core_test

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/limits"
	"github.com/libsds/libsds/core/persistence"
	"github.com/libsds/libsds/core/snapshot"
	"github.com/libsds/libsds/core/wire"
)

// start is when the clocks of the tests begin: not 0, which a mistake would
// give too.
const start = int64(1_700_000_000_000)

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now int64
}

func newClock() *clock { return &clock{now: start} }

func (c *clock) read() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(ms int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now += ms
}

// keeping is how a peer's backend is called.
type keeping string

const (
	byProcedures    keeping = "five procedures"
	byCommits       keeping = "commits"
	bySharedCommits keeping = "shared commits"
)

var keepings = []keeping{byProcedures, byCommits, bySharedCommits}

// peer is a manager with everything around it in reach of the test. Its
// backend is a memory behind a Faulty behind a Recording.
type peer struct {
	*core.Manager
	t        testing.TB
	clock    *clock
	keeping  keeping
	memory   *persistence.Transactions
	faulty   *persistence.Faulty
	recorded *persistence.Recording

	wrapped []string // ids of messages whose wrap has returned, where a test notes them

	mu     sync.Mutex
	events []core.Event
	// onEvent is called for each event, before it is kept.
	onEvent func(core.Event)
}

// newPeer makes a peer whose configuration is the default but for what the
// changes do to it.
func newPeer(t testing.TB, id string, clock *clock, changes ...func(*core.Config)) *peer {
	t.Helper()
	return newPeerOn(t, byProcedures, id, clock, new(persistence.Transactions), changes...)
}

// newPeerOn is newPeer over a backend that may hold something already.
func newPeerOn(t testing.TB, keeping keeping, id string, clock *clock, memory *persistence.Transactions, changes ...func(*core.Config)) *peer {
	t.Helper()
	return newLoggedPeer(t, keeping, id, clock, memory, nil, changes...)
}

// newLoggedPeer is newPeerOn with a log.
func newLoggedPeer(t testing.TB, keeping keeping, id string, clock *clock, memory *persistence.Transactions, logger *slog.Logger, changes ...func(*core.Config)) *peer {
	t.Helper()
	config := core.DefaultConfig()
	if keeping == bySharedCommits {
		config.StoreSync = core.StoreSyncBatch
	}
	for _, change := range changes {
		change(&config)
	}
	p := &peer{t: t, clock: clock, keeping: keeping, memory: memory}
	var backend persistence.Backend
	if keeping == byProcedures {
		p.faulty = persistence.NewFaulty(p.memory)
		p.recorded = persistence.NewRecording(p.faulty)
		backend = p.recorded
	} else {
		faulty := persistence.NewFaultyCommitter(p.memory)
		recorded := persistence.NewRecordingCommitter(faulty)
		p.faulty, p.recorded, backend = faulty.Faulty, recorded.Recording, recorded
	}
	manager, err := core.New(core.Options{ParticipantID: id, Config: &config, Backend: backend, Handler: p.handle, Now: clock.read, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	p.Manager = manager
	t.Cleanup(manager.Close)
	return p
}

func (p *peer) handle(event core.Event) {
	if p.onEvent != nil {
		p.onEvent(event)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = append(p.events, event)
}

// takeEvents returns the events handled since it was last called.
func (p *peer) takeEvents() []core.Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	events := p.events
	p.events = nil
	return events
}

// wrap wraps what must not fail; the content is "content of <id>".
func (p *peer) wrap(channelID, messageID string) []byte {
	p.t.Helper()
	payload, err := p.Wrap(nil, channelID, messageID, []byte("content of "+messageID))
	if err != nil {
		p.t.Fatal(err)
	}
	return payload
}

func (p *peer) wrapSync(channelID string) []byte {
	p.t.Helper()
	payload, err := p.WrapSync(nil, channelID)
	if err != nil {
		p.t.Fatal(err)
	}
	return payload
}

func (p *peer) unwrap(payload []byte) core.Unwrapped {
	p.t.Helper()
	received, err := p.Unwrap(payload)
	if err != nil {
		p.t.Fatal(err)
	}
	return received
}

// kept returns what the backend has of a channel.
func (p *peer) kept(channelID string) snapshot.ChannelData {
	p.t.Helper()
	kept, err := p.memory.LoadChannel(channelID)
	if err != nil {
		p.t.Fatal(err)
	}
	data := snapshot.ChannelData{History: kept.History, Hints: kept.Hints}
	if len(kept.Meta) > 0 {
		if data.Meta, err = snapshot.DecodeMeta(kept.Meta); err != nil {
			p.t.Fatal(err)
		}
	}
	return data
}

// brief says an event in a line: "message_ready c/m".
func brief(e core.Event) string {
	text := fmt.Sprintf("%v %s/%s", e.Type, e.ChannelID, e.MessageID)
	if len(e.Deps) > 0 {
		text += " " + strings.Join(ids(e.Deps), ",")
	}
	if e.Attempts > 0 {
		text += fmt.Sprintf(" #%d", e.Attempts)
	}
	if e.Type == core.PeriodicSync {
		text += strings.Join(e.ChannelIDs, ",")
	}
	return text
}

func briefs(events []core.Event) []string {
	var lines []string
	for _, event := range events {
		lines = append(lines, brief(event))
	}
	return lines
}

func ids(dependencies []core.Dependency) []string {
	var ids []string
	for _, dependency := range dependencies {
		ids = append(ids, dependency.ID)
	}
	return ids
}

// briefCall says a backend call in a line: "UpdateHistory c +m -old".
func briefCall(call persistence.Call) string {
	text := fmt.Sprintf("%v %s", call.Procedure, call.ChannelID)
	if call.MessageID != "" {
		text += " " + call.MessageID
	}
	for _, id := range call.Appended {
		text += " +" + id
	}
	for _, id := range call.Evicted {
		text += " -" + id
	}
	for _, id := range call.Hinted {
		text += " ?" + id
	}
	return text
}

func briefCalls(calls []persistence.Call) []string {
	var lines []string
	for _, call := range calls {
		lines = append(lines, briefCall(call))
	}
	return lines
}

// decoded reads a payload, as a view.
func decoded(t testing.TB, payload []byte) *wire.Message {
	t.Helper()
	var message wire.Message
	bounds := limits.Default()
	if err := wire.Decode(payload, &bounds, &message); err != nil {
		t.Fatal(err)
	}
	return &message
}

// cited returns the causal history of a payload.
func cited(t testing.TB, payload []byte) []string {
	t.Helper()
	var cited []string
	for _, entry := range decoded(t, payload).History {
		cited = append(cited, strings.Clone(entry.ID))
	}
	return cited
}

// quietTimers leaves only the timers that a test sets.
func quietTimers(c *core.Config) {
	const never = 1 << 40
	c.BufferSweepIntervalMs, c.RepairSweepIntervalMs, c.SyncMessageIntervalMs = never, never, never
}
