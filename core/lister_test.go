package core_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/persistence"
	"github.com/libsds/libsds/core/snapshot"
)

// restartedOn is alice on a backend that knows its channels, none of which she
// has used yet.
func restartedOn(t *testing.T, backend persistence.Backend, clock *clock) (alice *core.Manager, events *[]string) {
	t.Helper()
	events = new([]string)
	alice, err := core.New(core.Options{ParticipantID: "alice", Backend: backend, Now: clock.read, Handler: func(event core.Event) {
		if event.Type != core.PeriodicSync {
			*events = append(*events, brief(event))
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(alice.Close)
	return alice, events
}

// leftBehind is what a process with channels in several states has kept.
func leftBehind(t *testing.T, clock *clock) *persistence.Transactions {
	t.Helper()
	memory := new(persistence.Transactions)
	alice := newPeerOn(t, byCommits, "alice", clock, memory)
	bob := newPeer(t, "bob", clock)
	alice.wrap("unacknowledged", "m")
	alice.unwrap(bob.wrap("idle", "m"))
	bob.wrap("waiting", "lost")
	alice.unwrap(bob.wrap("waiting", "m"))
	alice.Close()
	return memory
}

func TestFirstTickLoadsTheChannelsThatHaveSomethingUnderWay(t *testing.T) {
	shared := newClock()
	alice, events := restartedOn(t, leftBehind(t, shared), shared)
	alice.Tick(shared.read())
	if diff := cmp.Diff([]string{"unacknowledged", "waiting"}, alice.Channels()); diff != "" {
		t.Error(diff)
	}
	shared.advance(120_001)
	alice.Tick(shared.read())
	if diff := cmp.Diff([]string{"resend_ready unacknowledged/m #1"}, *events); diff != "" {
		t.Error(diff)
	}
	shared.advance(600_001)
	*events = nil
	alice.Tick(shared.read())
	want := []string{"resend_ready unacknowledged/m #2", "dependencies_lost waiting/m lost", "message_ready waiting/m"}
	if diff := cmp.Diff(want, *events); diff != "" {
		t.Error(diff)
	}
}

func TestResetForgetsChannelsThatWereNotUsedSinceTheStart(t *testing.T) {
	shared := newClock()
	memory := leftBehind(t, shared)
	alice, _ := restartedOn(t, memory, shared)
	if err := alice.EnsureChannel("idle"); err != nil {
		t.Fatal(err)
	}
	if err := alice.Reset(); err != nil {
		t.Fatal(err)
	}
	left := 0
	if err := memory.VisitChannels(func(string, []byte) bool { left++; return true }); err != nil {
		t.Fatal(err)
	}
	if left != 0 || len(alice.Channels()) != 0 {
		t.Errorf("%d channels are kept, and %v are in memory", left, alice.Channels())
	}
}

// reluctant is a Lister that does not list, or does not drop a channel.
type reluctant struct {
	*persistence.Transactions
	listing   error
	undropped string
}

func (r *reluctant) VisitChannels(visit func(string, []byte) bool) error {
	if r.listing != nil {
		return r.listing
	}
	return r.Transactions.VisitChannels(visit)
}

func (r *reluctant) DropChannel(id string) error {
	if id == r.undropped {
		return errors.New("no")
	}
	return r.Transactions.DropChannel(id)
}

func TestFailedResetMakesNoChannelsThatWereNotUsed(t *testing.T) {
	for _, backend := range []*reluctant{{listing: errors.New("no list")}, {undropped: "unacknowledged"}} {
		shared := newClock()
		backend.Transactions = leftBehind(t, shared)
		alice, _ := restartedOn(t, backend, shared)
		if err := alice.EnsureChannel("idle"); err != nil {
			t.Fatal(err)
		}
		if err := alice.Reset(); !errors.Is(err, core.ErrPersistence) {
			t.Errorf("it returns %v", err)
		}
		if diff := cmp.Diff([]string{"idle"}, alice.Channels()); diff != "" {
			t.Error(diff)
		}
	}
}

// A channel that cannot be loaded, or a list that cannot be had, keeps no other
// from its timers.
func TestFirstTickGoesOnWithoutWhatCannotBeLoaded(t *testing.T) {
	shared := newClock()
	memory := leftBehind(t, shared)
	damaged := snapshot.AppendMeta(nil, &snapshot.ChannelMeta{Outgoing: []snapshot.Unacknowledged{{Message: []byte("no message")}}})
	for id, meta := range map[string][]byte{"damaged": damaged, "not a meta": []byte("what is this")} {
		if err := memory.SaveChannelMeta(id, meta); err != nil {
			t.Fatal(err)
		}
	}
	alice, _ := restartedOn(t, memory, shared)
	alice.Tick(shared.read())
	if diff := cmp.Diff([]string{"unacknowledged", "waiting"}, alice.Channels()); diff != "" {
		t.Error(diff)
	}
	unlisted, _ := restartedOn(t, &reluctant{Transactions: memory, listing: errors.New("no list")}, shared)
	if next := unlisted.Tick(shared.read()); next <= shared.read() || len(unlisted.Channels()) != 0 {
		t.Errorf("next %d, channels %v", next, unlisted.Channels())
	}
}

func TestSetBackendComesBeforeTheFirstChannel(t *testing.T) {
	alice, err := core.New(core.Options{ParticipantID: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	first, second := new(persistence.Transactions), new(persistence.Transactions)
	for _, backend := range []persistence.Backend{first, nil, second} {
		if err := alice.SetBackend(backend); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 2 {
		if _, err := alice.Wrap(nil, "c", fmt.Sprint("m", i), []byte("content")); err != nil {
			t.Fatal(err)
		}
	}
	for backend, want := range map[*persistence.Transactions]int{first: 0, second: 2} {
		if kept, err := backend.LoadChannel("c"); err != nil || len(kept.History) != want {
			t.Errorf("%d messages, error %v, not %d", len(kept.History), err, want)
		}
	}
	if err := alice.SetBackend(first); !errors.Is(err, core.ErrInvalidArgument) {
		t.Errorf("after the first channel it returns %v", err)
	}
	alice.Close()
	if err := alice.SetBackend(first); !errors.Is(err, core.ErrClosed) {
		t.Errorf("after Close it returns %v", err)
	}
	inStore := stored(t, t.TempDir()+"/store", core.StoreSyncFull)
	if err := inStore.SetBackend(first); !errors.Is(err, core.ErrInvalidArgument) {
		t.Errorf("beside a storePath it returns %v", err)
	}
}
