package core

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/libsds/libsds/core/persistence"
	"github.com/libsds/libsds/core/wire"
)

// gated is a Committer whose commits wait until the test lets them through.
type gated struct {
	persistence.Transactions
	arrived chan []string // the channels of a commit that has come to the gate
	gate    chan error    // lets one commit through, or fails it
}

func (g *gated) Commit(changes []persistence.Change) error {
	var ids []string
	for _, change := range changes {
		ids = append(ids, change.ChannelID)
	}
	g.arrived <- ids
	if err := <-g.gate; err != nil {
		return err
	}
	return g.Transactions.Commit(changes)
}

// sharer is a manager whose operations share commits, and run beside the test.
type sharer struct {
	*Manager
	t     *testing.T
	gated *gated
	under sync.WaitGroup

	mu     sync.Mutex
	events []string
}

func newSharer(t *testing.T) *sharer {
	t.Helper()
	s := &sharer{t: t, gated: &gated{arrived: make(chan []string), gate: make(chan error)}}
	config := DefaultConfig()
	config.StoreSync, config.BloomFilterCapacity, config.MaxCausalHistory = StoreSyncBatch, 100, 100
	manager, err := New(Options{ParticipantID: "alice", Config: &config, Backend: s.gated, Handler: func(event Event) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.events = append(s.events, event.ChannelID+"/"+event.MessageID)
	}})
	if err != nil {
		t.Fatal(err)
	}
	s.Manager = manager
	t.Cleanup(manager.Close)
	return s
}

func (s *sharer) announced() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events)
}

// receive unwraps a message beside the test, and returns once it has joined a
// commit.
func (s *sharer) receive(channelID, messageID string) {
	s.t.Helper()
	payload := wire.Append(nil, wire.SDS04, &wire.Message{
		ID: messageID, ChannelID: channelID, SenderID: "bob", Lamport: 1, HasLamport: true, Content: []byte("content"),
	}, nil)
	s.under.Go(func() {
		if _, err := s.Unwrap(payload); err != nil {
			s.t.Error(err)
		}
	})
	s.eventually(func() bool { return s.logged(channelID, messageID) })
}

// logged tells whether a message is in the log.
func (s *sharer) logged(channelID, messageID string) bool {
	slot := s.inMemory(channelID)
	if slot == nil {
		return false
	}
	slot.mu.Lock()
	defer slot.mu.Unlock()
	return slot.channel != nil && slices.Contains(slot.channel.HintsWanted(0, nil), messageID)
}

// eventually gives other goroutines the time that they need.
func (s *sharer) eventually(holds func() bool) {
	for !holds() {
		runtime.Gosched()
	}
}

// letThrough expects a commit of some channels at the gate and ends it.
func (s *sharer) letThrough(err error, channels ...string) {
	s.t.Helper()
	if diff := cmp.Diff(channels, <-s.gated.arrived); diff != "" {
		s.t.Errorf("the commit: %s", diff)
	}
	s.gated.gate <- err
}

func (s *sharer) history(channelID string) int {
	s.t.Helper()
	kept, err := s.gated.LoadChannel(channelID)
	if err != nil {
		s.t.Fatal(err)
	}
	return len(kept.History)
}

func TestOperationsThatRunAtTheSameTimeShareACommit(t *testing.T) {
	s := newSharer(t)
	// The first is alone: it waits for nobody.
	s.receive("a", "m0")
	first := <-s.gated.arrived
	if diff := cmp.Diff([]string{"a"}, first); diff != "" {
		t.Error(diff)
	}
	// While it is written, others join the next one: one change for a channel,
	// however many of its operations wait.
	var want []string
	for i := range 20 {
		for _, channel := range []string{"a", "b", "c"} {
			id := fmt.Sprint("m", i+1)
			s.receive(channel, id)
			want = append(want, channel+"/"+id)
		}
	}
	if events := s.announced(); len(events) != 0 {
		t.Errorf("announced before anything is on disk: %v", events)
	}
	s.gated.gate <- nil
	second := <-s.gated.arrived
	if diff := cmp.Diff([]string{"a", "b", "c"}, second); diff != "" {
		t.Errorf("the second commit: %s", diff)
	}
	s.eventually(func() bool { return len(s.announced()) == 1 })
	s.gated.gate <- nil
	s.under.Wait()
	got := s.announced()
	if len(got) != len(want)+1 {
		t.Errorf("%d events, not %d", len(got), len(want)+1)
	}
	for _, channel := range []string{"a", "b", "c"} { // in the order of its operations
		of := func(events []string) (own []string) {
			for _, event := range events {
				if event[:1] == channel && event != "a/m0" {
					own = append(own, event)
				}
			}
			return own
		}
		if diff := cmp.Diff(of(want), of(got)); diff != "" {
			t.Errorf("channel %s: %s", channel, diff)
		}
	}
	if n := s.history("a"); n != 21 {
		t.Errorf("%d messages are kept", n)
	}
}

// A channel that changed again after it had joined a commit, and before that
// was written, is in it as it is then: the later operation has nothing left to
// write.
func TestCommitHasTheStateOfTheMomentInWhichItIsWritten(t *testing.T) {
	s := newSharer(t)
	s.receive("a", "m0")
	<-s.gated.arrived
	s.receive("b", "m1")
	s.receive("b", "m2")
	s.gated.gate <- nil
	s.letThrough(nil, "b")
	s.under.Wait()
	if n := s.history("b"); n != 2 {
		t.Errorf("%d messages are kept", n)
	}
}

func TestFailedSharedCommitIsOfferedAgainAndHoldsNothingUp(t *testing.T) {
	s := newSharer(t)
	s.receive("a", "m1")
	<-s.gated.arrived
	s.receive("a", "m2")
	s.receive("b", "m3")
	s.gated.gate <- errors.New("no room")
	s.letThrough(errors.New("still no room"), "a", "b")
	s.under.Wait()
	if n := len(s.announced()); n != 3 {
		t.Errorf("%d events", n)
	}
	if s.history("a")+s.history("b") != 0 {
		t.Error("the failed commits left something")
	}
	for _, channel := range []string{"a", "b"} {
		s.under.Go(func() {
			if err := s.EnsureChannel(channel); err != nil {
				t.Error(err)
			}
		})
		s.letThrough(nil, channel)
		s.under.Wait()
	}
	if s.history("a") != 2 || s.history("b") != 1 {
		t.Errorf("%d and %d messages are kept", s.history("a"), s.history("b"))
	}
}

// An operation can join a commit whose channel the one before takes up with it.
// If that fails, its own commit has to save what it changed.
func TestStateThatAFailedCommitTookUpIsInTheNext(t *testing.T) {
	s := newSharer(t)
	s.receive("a", "m1")
	s.letThrough(nil, "a")
	s.under.Wait()
	slot := s.inMemory("a")
	s.receive("b", "n1")
	<-s.gated.arrived
	s.receive("a", "m2") // joins the second commit
	slot.mu.Lock()
	s.gated.gate <- nil
	s.eventually(func() bool { // the second commit is sealed, and waits for the slot
		sharing := slot.keeper.sharing
		sharing.mu.Lock()
		defer sharing.mu.Unlock()
		return sharing.open == nil
	})
	slot.channel.LearnHint("m2", []byte("hint"))
	third := s.carryOut(slot)
	slot.mu.Unlock()
	s.under.Go(third.finish)
	s.letThrough(errors.New("once"), "a")
	s.letThrough(nil, "a")
	s.under.Wait()
	if kept, err := s.gated.LoadChannel("a"); err != nil || len(kept.History) != 2 || len(kept.Hints) != 1 {
		t.Errorf("%d messages and %d hints are kept, error %v", len(kept.History), len(kept.Hints), err)
	}
}

// A defect of ours in one channel must not cost the others their state.
func TestPanicWhileACommitIsPutTogetherLosesNoOtherChannel(t *testing.T) {
	config := DefaultConfig()
	config.StoreSync = StoreSyncBatch
	backend := new(persistence.Transactions)
	m, err := New(Options{Config: &config, Backend: backend})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var commit *sharedCommit
	for _, id := range []string{"sound", "broken"} {
		if _, err := m.Wrap(nil, id, "m", []byte("content")); err != nil {
			t.Fatal(err)
		}
		s := m.inMemory(id)
		s.mu.Lock()
		s.channel.LearnHint("m", []byte("hint"))
		s.effects.Events = []Event{{Type: MessageReady, MessageID: "m"}}
		commit = m.carryOut(s)
		s.mu.Unlock()
	}
	broken := m.inMemory("broken")
	channel := broken.channel
	broken.channel = nil
	func() {
		defer func() {
			if recover() == nil {
				t.Error("there was no panic")
			}
		}()
		commit.finish()
	}()
	broken.channel = channel
	for _, id := range []string{"sound", "broken"} {
		if event, ok := m.NextEvent(); !ok || event.ChannelID != id {
			t.Errorf("the next event is %+v, not that of the %s channel", event, id)
		}
		if err := m.EnsureChannel(id); err != nil {
			t.Fatal(err)
		}
		if kept, err := backend.LoadChannel(id); err != nil || len(kept.Hints) != 1 {
			t.Errorf("the %s channel: %d hints are kept, error %v", id, len(kept.Hints), err)
		}
	}
}

// What a commit under way has of a channel must not come back after the
// channel was dropped.
func TestDroppedChannelDoesNotComeBackWithACommit(t *testing.T) {
	for name, drop := range map[string]func(*Manager) error{
		"remove": func(m *Manager) error { return m.RemoveChannel("a") },
		"reset":  (*Manager).Reset,
	} {
		t.Run(name, func(t *testing.T) {
			s := newSharer(t)
			s.receive("a", "m1")
			<-s.gated.arrived
			s.receive("a", "m2")
			s.under.Go(func() {
				if err := drop(s.Manager); err != nil {
					t.Error(err)
				}
			})
			go func() { // the second commit comes before the drop or has nothing to write
				for range s.gated.arrived {
					s.gated.gate <- nil
				}
			}()
			s.gated.gate <- nil
			s.under.Wait()
			kept, err := s.gated.LoadChannel("a")
			if err != nil || len(kept.Meta)+len(kept.History) != 0 {
				t.Errorf("error %v, %d messages", err, len(kept.History))
			}
			close(s.gated.arrived)
			if n := len(s.announced()); n != 2 { // they happened
				t.Errorf("%d events", n)
			}
		})
	}
}

// One sweep of many channels is one commit.
func TestSweepSharesACommit(t *testing.T) {
	s := newSharer(t)
	now := int64(1_700_000_000_000)
	var want []string
	for i := range 5 {
		id := fmt.Sprint("channel ", i)
		want = append(want, id)
		s.under.Go(func() {
			if _, err := s.Wrap(nil, id, "m", []byte("content")); err != nil {
				t.Error(err)
			}
		})
		s.letThrough(nil, id)
		s.under.Wait()
	}
	s.under.Go(func() {
		s.Tick(now)
		s.Tick(now + s.config.BufferSweepIntervalMs)          // the messages were sent in the future: from now on, then
		s.Tick(now + 3*s.config.BufferSweepIntervalMs + 1000) // resends
	})
	s.letThrough(nil, want...) // both are saved
	s.letThrough(nil, want...)
	s.under.Wait()
}

// panicker is a Committer with a defect.
type panicker struct{ persistence.Transactions }

func (*panicker) Commit([]persistence.Change) error { panic("a defect of the backend") }

// Who writes for others must not leave them waiting.
func TestPanicOfABackendEndsItsCommit(t *testing.T) {
	config := DefaultConfig()
	config.StoreSync = StoreSyncBatch
	m, err := New(Options{Config: &config, Backend: new(panicker)})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for range 3 {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic did not reach the caller")
				}
			}()
			_, _ = m.Wrap(nil, "c", "m", []byte("content"))
		}()
	}
	if n := m.inMemory("c").channel.PendingLen(); n != 1 {
		t.Errorf("%d messages wait to be saved", n)
	}
}
