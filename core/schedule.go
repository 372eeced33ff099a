package core

import (
	"fmt"
	"log/slog"
	"math"
	"runtime/debug"
	"slices"

	"github.com/libsds/libsds/core/channel"
	"github.com/libsds/libsds/core/persistence"
	"github.com/libsds/libsds/core/snapshot"
)

// schedule is when the periodic tasks are due next, in Unix milliseconds; 0
// before the first tick.
type schedule struct {
	buffers, repairs, sync int64
	begun                  bool
}

// latest is the last time that is reckoned with: adding any duration to it
// stays within 64 bits.
const latest = math.MaxInt64 - 2*maxDurationMs

// sane brings a time of the host's into the range that is reckoned with.
func sane(now int64) int64 { return min(max(now, 0), latest) }

// due tells whether a task with the given interval is due and moves it on. A
// clock that was set back does not put it off for longer than one interval.
func due(next *int64, now, interval int64) bool {
	if *next == 0 || *next > now+interval {
		*next = now + interval
		return false
	}
	if now < *next {
		return false
	}
	*next = now + interval
	return true
}

// Start runs the periodic tasks on a goroutine of the manager, until Close.
// Starting twice is the same as once.
func (m *Manager) Start() error {
	if !m.startRunner() {
		return m.fail("start", "", ErrClosed)
	}
	return nil
}

// startRunner tells whether the manager has a runner: a closed one has none.
func (m *Manager) startRunner() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	if m.runner == nil {
		m.runner = StartRunner(m.now, m.tickSafely)
	}
	return true
}

// tickSafely is Tick on the runner's goroutine, where a panic, of a handler
// say, would end the process.
func (m *Manager) tickSafely(now int64) (next int64) {
	defer func() {
		if problem := recover(); problem != nil {
			m.log(slog.LevelError, opTick, "a periodic task panicked", slog.String("panic", fmt.Sprint(problem)), slog.String("stack", string(debug.Stack())))
			next = now + m.config.RepairSweepIntervalMs
		}
	}()
	return m.Tick(now)
}

// Tick runs the periodic tasks that are due at now (Unix milliseconds) and
// returns when to call it again, for hosts with a loop of their own. The first
// call only schedules; a task that is overdue several times over runs once.
func (m *Manager) Tick(now int64) (next int64) {
	now = sane(now)
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return math.MaxInt64
	}
	m.ticks++
	first := !m.schedule.begun
	m.schedule.begun = true
	buffers := due(&m.schedule.buffers, now, m.config.BufferSweepIntervalMs)
	repairs := due(&m.schedule.repairs, now, m.config.RepairSweepIntervalMs)
	sync := due(&m.schedule.sync, now, m.config.SyncMessageIntervalMs)
	next = min(m.schedule.buffers, m.schedule.repairs, m.schedule.sync)
	m.mu.Unlock()

	if first {
		m.log(slog.LevelInfo, opTick, "the timers begin")
		m.wake()
	}
	debugging := (buffers || repairs || sync) && m.debugging()
	if buffers {
		m.sweep(now, channel.OpSweepBuffers, debugging)
	}
	if repairs {
		m.sweep(now, channel.OpSweepRepairs, debugging)
	}
	if sync {
		m.announceSync(debugging)
	}
	m.handle()
	return next
}

// wake loads the channels that an earlier process left with something under way,
// where the backend can name them: their timers go on without waiting for the
// host to use them.
func (m *Manager) wake() {
	m.mu.RLock()
	lister, ok := m.keeper.backend.(persistence.Lister)
	m.mu.RUnlock()
	if !ok {
		return
	}
	var ids []string
	err := lister.VisitChannels(func(id string, meta []byte) bool {
		kept, err := snapshot.DecodeMeta(meta)
		if len(meta) > 0 && (err != nil || kept.UnderWay()) {
			ids = append(ids, id)
		}
		return true
	})
	if err != nil {
		m.log(slog.LevelError, opTick, "the channels that are kept cannot be listed: their timers wait for their first use", errorAttr(err))
	}
	for _, id := range ids {
		if err := m.EnsureChannel(id); err != nil {
			m.log(slog.LevelError, opTick, "a channel with something under way cannot be loaded", channelAttr(id), errorAttr(err))
		}
	}
}

// sweep steps every channel, in the order of their ids.
func (m *Manager) sweep(now int64, op channel.Op, debugging bool) {
	var unfinished []*sharedCommit // one for nearly all of them
	m.visit(func(s *slot) {
		s.operation, s.debugging = opTick, debugging
		s.channel.Step(now, channel.Input{Op: op}, &s.effects)
		if commit := m.carryOut(s); commit != nil && !slices.Contains(unfinished, commit) {
			unfinished = append(unfinished, commit)
		}
	})
	for _, commit := range unfinished {
		commit.finish()
	}
}

// announceSync tells the host that it is time for sync messages, and in which
// channels they would tell anybody anything.
func (m *Manager) announceSync(debugging bool) {
	var ids []string
	m.visit(func(s *slot) {
		if s.channel.HasNews() {
			ids = append(ids, s.id)
		}
	})
	event := Event{Type: PeriodicSync, ChannelIDs: ids}
	m.logEvent(opTick, debugging, &event)
	m.outbox.put("", []Event{event})
}

// visit calls f for every loaded channel, locked, in the order of their ids.
func (m *Manager) visit(f func(*slot)) {
	for _, id := range m.Channels() {
		if s := m.inMemory(id); s != nil {
			visitSlot(s, f)
		}
	}
}

func visitSlot(s *slot, f func(*slot)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.removed && s.channel != nil {
		f(s)
	}
}
