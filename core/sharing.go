package core

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/libsds/libsds/core/persistence"
)

// sharing lets operations that run at the same time share a commit, and with it
// what makes a commit slow: waiting for the disk. An operation joins the commit
// that is open, unlocks its channel and waits for it. Whoever waits first
// writes for all, once the commit before is written; until then others join. So
// an operation that is alone waits for nobody, and there is no goroutine.
//
// What is written of a channel is its state at that moment, once for all
// operations that changed it.
//
// Locks are taken in this order: writing, a slot's, mu.
type sharing struct {
	manager *Manager
	keeper  *keeper

	writing sync.Mutex // held while a commit is written, or a channel dropped

	mu       sync.Mutex
	open     *sharedCommit // nil when nothing waits to be written
	expected int           // operations that the next commit may have
}

// sharedCommit is one transaction of the backend and the operations that wait
// for it.
type sharedCommit struct {
	sharing *sharing
	led     atomic.Bool   // somebody writes it
	done    chan struct{} // closed once it is written, or has failed, and its events are queued

	// Guarded by sharing.mu until it is written:
	operations int
	slots      []*slot // what they changed, each once
}

// join adds a locked slot and the events of its last step to the open commit.
func (sh *sharing) join(s *slot) *sharedCommit {
	for _, event := range s.effects.Events {
		event.ChannelID = s.id
		s.withheld = append(s.withheld, announcement{event, s.operation, s.debugging})
	}
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.open == nil {
		sh.open = &sharedCommit{sharing: sh, done: make(chan struct{})}
	}
	sh.open.operations++
	if s.joined != sh.open {
		s.joined = sh.open
		sh.open.slots = append(sh.open.slots, s)
	}
	s.unsaved = true
	return sh.open
}

// finish returns once the commit is written or has failed, and its events are
// queued. No slot may be locked. A nil commit is finished.
func (c *sharedCommit) finish() {
	if c == nil {
		return
	}
	if c.led.CompareAndSwap(false, true) {
		c.write()
		return
	}
	<-c.done
}

func (c *sharedCommit) write() {
	sh := c.sharing
	sh.writing.Lock()
	defer sh.writing.Unlock()
	defer close(c.done)

	b := batch{manager: sh.manager}
	defer b.end()
	for _, s := range c.seal() {
		b.collect(s)
	}
	if len(b.changes) > 0 {
		b.err = sh.keeper.commit(b.changes)
	}
	b.committed = b.err == nil
	c.written()
}

// patience is for how many times of giving way in a row nobody needs to join
// until those that are missing are taken to stay away: some 50 us, which is less
// than the time of a commit.
const patience = 256

// seal lets no operation join any more, and returns the slots of those that did.
//
// Who waited for the commit before this one has just been woken, and if it goes
// on with another operation, that can still be in this commit rather than in the
// next. Otherwise callers that come back at once would fall into two halves that
// wait for each other's commits.
func (c *sharedCommit) seal() []*slot {
	sh := c.sharing
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for before, quiet := c.operations, 0; c.operations < sh.expected && quiet < patience; quiet++ {
		if c.operations != before {
			before, quiet = c.operations, 0
		}
		sh.mu.Unlock()
		runtime.Gosched()
		sh.mu.Lock()
	}
	sh.open = nil // it is this one: they are written in the order in which they were opened
	slots := c.slots
	c.slots = nil // a slot keeps the commit that it joined last, and shall keep no other slot
	return slots
}

// written notes how many may come back: those of this commit, beside those that
// have joined the next one meanwhile.
func (c *sharedCommit) written() {
	sh := c.sharing
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.expected = c.operations
	if sh.open != nil {
		sh.expected += sh.open.operations
	}
}

// announcement is an event that waits for its commit, with what the log is told
// of the operation that it follows from.
type announcement struct {
	Event
	operation string
	debugging bool
}

// batch is what one shared commit writes, and what it announces afterwards.
type batch struct {
	manager   *Manager
	changes   []persistence.Change
	of        []*slot // whose changes they are
	buffers   []*[]byte
	withheld  []announcement
	committed bool
	err       error
}

// collect takes up the state of a channel and the events that wait for it to be
// saved.
func (b *batch) collect(s *slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b.withheld = append(b.withheld, s.withheld...)
	s.withheld = nil
	if s.removed || !s.unsaved { // an earlier commit had what changed
		return
	}
	s.unsaved, s.dirty = false, false
	buffer := metas.Get().(*[]byte)
	*buffer = s.channel.AppendMeta((*buffer)[:0])
	b.buffers = append(b.buffers, buffer)
	b.changes = append(b.changes, persistence.Change{
		ChannelID: s.id, Meta: *buffer, History: s.channel.PendingHistory(), Hints: s.channel.PendingHints(),
	})
	b.of = append(b.of, s)
	s.channel.HistorySaved()
	s.channel.HintsSaved()
}

// end queues what was not saved again, and the events in any case: a failing
// backend holds nothing up.
func (b *batch) end() {
	if !b.committed {
		for i, s := range b.of {
			b.offerAgain(s, &b.changes[i])
		}
	}
	for _, buffer := range b.buffers {
		if cap(*buffer) <= mostMetaKept {
			metas.Put(buffer)
		}
	}
	for i := range b.withheld {
		withheld := &b.withheld[i]
		b.manager.logEvent(withheld.operation, withheld.debugging, &withheld.Event)
	}
	b.manager.outbox.putAll(b.withheld)
}

func (b *batch) offerAgain(s *slot, change *persistence.Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.removed {
		s.unsaved = true // for an operation that joined the next commit before this one took its changes
		b.manager.offerAgain(s, change, b.err)
	}
}
