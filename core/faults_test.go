package core_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/persistence"
	"github.com/libsds/libsds/core/snapshot"
)

// outcome is what an operation did, as its caller sees it.
type outcome struct {
	Err      string
	Events   []string
	Channels []string
}

func (point *savePoint) outcomeOf(alice *peer, argument []byte) outcome {
	var o outcome
	if err := point.act(alice, argument); err != nil {
		o.Err = err.Error()
	}
	o.Events, o.Channels = briefs(alice.takeEvents()), alice.Channels()
	return o
}

// settled is all that the backend has once every channel was saved again.
func settled(t *testing.T, p *peer) map[string]snapshot.ChannelData {
	t.Helper()
	p.faulty.Heal()
	kept := map[string]snapshot.ChannelData{}
	for _, id := range p.Channels() {
		if err := p.MarkDependenciesMet(id, nil); err != nil {
			t.Fatal(err)
		}
		kept[id] = p.kept(id)
	}
	return kept
}

// firstFailure is the procedure that failed first, or 0.
func firstFailure(p *peer) persistence.Procedure {
	for _, call := range p.recorded.Calls() {
		if call.Err != nil {
			return call.Procedure
		}
	}
	return 0
}

// TestEveryBackendCallOfEveryOperationMayFail: for each operation and each way
// of keeping, the nth call fails, n = 1 until none is left, once and from there
// on. What must not fail the operation changes nothing that its caller sees,
// and the backend catches up with the next success. What fails it leaves
// everything as it was, and the operation can be made again. A process that
// ends at that moment comes back consistent.
func TestEveryBackendCallOfEveryOperationMayFail(t *testing.T) {
	faults, restarts := 0, 0
	for _, keeping := range keepings {
		for _, point := range savePoints {
			flawless, argument := point.begin(t, keeping)
			want := point.outcomeOf(flawless, argument)
			wantKept := settled(t, flawless)
			for _, lasting := range []bool{false, true} {
				for n, left := 1, true; left; n++ {
					t.Run(fmt.Sprintf("%s/%s/call %d fails/lasting %v", keeping, point.name, n, lasting), func(t *testing.T) {
						alice, argument := point.begin(t, keeping)
						before := alice.Channels()
						if lasting {
							alice.faulty.FailFrom(n)
						} else {
							alice.faulty.FailOnce(n)
						}
						got := point.outcomeOf(alice, argument)
						left = alice.faulty.Failures() > 0
						faults += alice.faulty.Failures()
						restarts += restartsConsistently(t, alice)
						if failed := firstFailure(alice); failed == persistence.LoadChannel || failed == persistence.DropChannel {
							if !strings.Contains(got.Err, persistence.ErrInjected.Error()) || len(got.Events) != 0 {
								t.Errorf("it returns %q and announces %v", got.Err, got.Events)
							}
							if diff := cmp.Diff(before, got.Channels); diff != "" {
								t.Errorf("channels: %s", diff)
							}
							alice.faulty.Heal()
							got = point.outcomeOf(alice, argument)
						}
						if diff := cmp.Diff(want, got); diff != "" {
							t.Error(diff)
						}
						if diff := cmp.Diff(wantKept, settled(t, alice)); diff != "" {
							t.Errorf("the backend did not catch up: %s", diff)
						}
					})
				}
			}
		}
	}
	t.Logf("%d injected faults, %d restarts after them", faults, restarts)
}

// restartsConsistently restarts a peer on what its backend has now, with every
// call of the recovery failing in turn.
func restartsConsistently(t *testing.T, p *peer) (restarts int) {
	t.Helper()
	ids := p.Channels()
	for n := 0; ; n++ {
		restarted := newPeerOn(t, p.keeping, "alice", p.clock, p.memory.Clone(), quietTimers)
		if n > 0 {
			restarted.faulty.FailOnce(n)
		}
		restarts++
		for _, id := range ids {
			err := restarted.EnsureChannel(id)
			if errors.Is(err, persistence.ErrInjected) {
				err = restarted.EnsureChannel(id)
			}
			if err != nil {
				t.Fatalf("restarted with call %d failing: %v", n, err)
			}
			// Recovery writes nothing by itself; the first operations do.
			if _, err := restarted.Wrap(nil, id, "after the restart", []byte("content")); err != nil {
				t.Fatal(err)
			}
			if err := restarted.MarkDependenciesMet(id, nil); err != nil {
				t.Fatal(err)
			}
			checkKept(t, restarted.kept(id))
		}
		failed := restarted.faulty.Failures()
		restarted.Close()
		if n > 0 && failed == 0 {
			return restarts
		}
	}
}

// checkKept checks that what a backend has of a channel agrees with itself:
// every message in one place, nothing that refers to what is not there.
func checkKept(t *testing.T, kept snapshot.ChannelData) {
	t.Helper()
	logged := map[string]bool{}
	for _, message := range kept.History {
		id := strings.Clone(decoded(t, message).ID)
		if logged[id] {
			t.Errorf("%s is in the log twice", id)
		}
		logged[id] = true
	}
	for _, hint := range kept.Hints {
		if !logged[hint.MessageID] {
			t.Errorf("there is a hint for %s, which is not in the log", hint.MessageID)
		}
	}
	if kept.Meta == nil {
		if len(logged) > 0 {
			t.Errorf("%d messages in the log of a channel without a meta", len(logged))
		}
		return
	}
	for _, waiting := range kept.Meta.Incoming {
		id := decoded(t, waiting.Message).ID
		if logged[id] {
			t.Errorf("%s waits, and is in the log", id)
		}
		if len(waiting.Missing) == 0 {
			t.Errorf("%s waits for nothing", id)
		}
		for _, missing := range waiting.Missing {
			if logged[missing.MessageID] {
				t.Errorf("%s waits for %s, which is in the log", id, missing.MessageID)
			}
		}
	}
	for _, id := range kept.Meta.Met {
		if logged[id] {
			t.Errorf("%s was declared met, and is in the log", id)
		}
	}
}

// TestOperationsThatMustNotFailSucceedUnderABackendThatAlwaysFails: the five
// that save. To load and to drop are the two procedures whose failure the caller
// hears of, so the channel is there already.
func TestOperationsThatMustNotFailSucceedUnderABackendThatAlwaysFails(t *testing.T) {
	for _, keeping := range keepings {
		t.Run(string(keeping), func(t *testing.T) {
			shared := newClock()
			alice := newPeerOn(t, keeping, "alice", shared, new(persistence.Transactions), mixedConfig)
			bob := newPeer(t, "bob", shared, mixedConfig)
			known(alice, bob)
			alice.faulty.FailFrom(1)
			alice.Tick(shared.read())
			lost := bob.wrap("c", "lost")
			waiting := bob.wrap("c", "waiting")
			for range 50 {
				bob.unwrap(alice.wrap("c", fmt.Sprint("mine ", shared.read())))
				alice.unwrap(bob.wrap("c", fmt.Sprint("his ", shared.read())))
				alice.unwrap(waiting)
				if err := alice.MarkDependenciesMet("c", []string{"elsewhere"}); err != nil {
					t.Fatal(err)
				}
				shared.advance(1000)
				alice.Tick(shared.read()) // all three sweeps, in their turn
			}
			alice.unwrap(lost)
			if err := alice.RemoveChannel("c"); !errors.Is(err, core.ErrPersistence) {
				t.Errorf("a removal returns %v", err)
			}
			if err := alice.Reset(); !errors.Is(err, core.ErrPersistence) {
				t.Errorf("a reset returns %v", err)
			}
			if kept := alice.kept("c"); kept.Meta != nil || kept.History != nil {
				t.Errorf("the backend has %+v", kept)
			}
			kept := settled(t, alice)["c"]
			checkKept(t, kept)
			if len(kept.History) != 8 { // mixedConfig's maxMessageHistory
				t.Errorf("the backend caught up with %d messages", len(kept.History))
			}
		})
	}
}

// TestEvictedAndAddedAgainWhileTheBackendIsDownIsOnDisk in the end: the latest
// change of a message wins.
func TestEvictedAndAddedAgainWhileTheBackendIsDownIsOnDisk(t *testing.T) {
	for _, keeping := range keepings {
		t.Run(string(keeping), func(t *testing.T) {
			shared := newClock()
			alice := newPeerOn(t, keeping, "alice", shared, new(persistence.Transactions), quietTimers, func(c *core.Config) { c.MaxMessageHistory = 1 })
			bob := newPeer(t, "bob", shared, quietTimers, func(c *core.Config) { c.MaxCausalHistory = 0 })
			first := bob.wrap("c", "first")
			alice.unwrap(first)
			alice.faulty.FailFrom(1)
			alice.unwrap(bob.wrap("c", "second")) // evicts it
			alice.unwrap(first)                   // and is evicted by it
			alice.faulty.Heal()
			if err := alice.EnsureChannel("c"); err != nil {
				t.Fatal(err)
			}
			history := alice.kept("c").History
			if len(history) != 1 || decoded(t, history[0]).ID != "first" {
				t.Errorf("the backend has %d messages", len(history))
			}
		})
	}
}

// forgetful is a Committer that keeps everything but hints.
type forgetful struct {
	persistence.Transactions
	appended []int // messages, a number for each commit
}

func (f *forgetful) Commit(changes []persistence.Change) error {
	err := &persistence.HintsError{Err: errors.New("no room for hints")}
	for i := range changes {
		f.appended = append(f.appended, len(changes[i].History.Append))
		for _, hint := range changes[i].Hints {
			err.Unkept = append(err.Unkept, persistence.HintOf{ChannelID: changes[i].ChannelID, MessageID: hint.MessageID})
		}
		changes[i].Hints = nil
	}
	return errors.Join(f.Transactions.Commit(changes), err)
}

func TestCommitThatKeptAllButHintsOffersOnlyTheseAgain(t *testing.T) {
	for _, sync := range []core.StoreSync{core.StoreSyncFull, core.StoreSyncBatch} {
		config := core.DefaultConfig()
		config.StoreSync = sync
		backend := new(forgetful)
		alice, err := core.New(core.Options{ParticipantID: "alice", Config: &config, Backend: backend})
		if err != nil {
			t.Fatal(err)
		}
		defer alice.Close()
		alice.SetHints(func(_, id string) []byte { return []byte("hint of " + id) })
		for i := range 5 {
			if _, err := alice.Wrap(nil, "c", fmt.Sprint("m", i), []byte("content")); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff([]int{1, 1, 1, 1, 1}, backend.appended); diff != "" {
			t.Error(diff)
		}
		if kept, err := backend.LoadChannel("c"); err != nil || len(kept.History) != 5 || len(kept.Hints) != 0 {
			t.Errorf("%d messages and %d hints are kept, error %v", len(kept.History), len(kept.Hints), err)
		}
	}
}

// TestMetaThatWasNotSavedIsSavedByTheNextOperation, whatever that is, also when
// nothing else is pending.
func TestMetaThatWasNotSavedIsSavedByTheNextOperation(t *testing.T) {
	for _, keeping := range keepings {
		for name, next := range map[string]func(alice *peer) error{
			"ensure":        func(alice *peer) error { return alice.EnsureChannel("c") },
			"buffers sweep": func(alice *peer) error { return tickAfter(1000)(alice, nil) },
		} {
			t.Run(string(keeping)+"/"+name, func(t *testing.T) {
				shared := newClock()
				alice := newPeerOn(t, keeping, "alice", shared, new(persistence.Transactions), quietTimers, sweepBuffersEvery(1000))
				bob := newPeer(t, "bob", shared, quietTimers)
				bob.unwrap(alice.wrap("c", "m"))
				acknowledgement := bob.wrapSync("c")
				alice.faulty.FailOnce(1)
				alice.unwrap(acknowledgement)
				if alice.faulty.Failures() != 1 || len(alice.kept("c").Meta.Outgoing) != 1 {
					t.Fatal("the test is about nothing: the acknowledgement was saved")
				}
				if err := next(alice); err != nil {
					t.Fatal(err)
				}
				if n := len(alice.kept("c").Meta.Outgoing); n != 0 {
					t.Errorf("%d messages are kept as unacknowledged", n)
				}
				alice.recorded.Take()
				if err := next(alice); err != nil {
					t.Fatal(err)
				}
				if calls := briefCalls(alice.recorded.Take()); len(calls) != 0 {
					t.Errorf("once it is saved, it is saved again: %v", calls)
				}
			})
		}
	}
}
