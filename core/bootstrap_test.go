package core_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/snapshot"
)

// restart ends a peer and begins it anew on what its backend kept.
func (p *peer) restart(changes ...func(*core.Config)) *peer {
	p.t.Helper()
	p.Close()
	return newPeerOn(p.t, p.keeping, "alice", p.clock, p.memory, changes...)
}

func TestRestartDoesNotTurnTheClockBack(t *testing.T) {
	alice := newPeer(t, "alice", newClock())
	var last uint64
	for i := range 10 {
		last = decoded(t, alice.wrap("c", fmt.Sprint("m", i))).Lamport
	}
	alice.clock.advance(-hour)
	alice = alice.restart()
	payload := alice.wrap("c", "after")
	if got := decoded(t, payload).Lamport; got != last+1 {
		t.Errorf("after %d comes %d", last, got)
	}
	if diff := cmp.Diff([]string{"m0", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "m9"}, cited(t, payload)); diff != "" {
		t.Error(diff)
	}
}

func TestRestartKeepsTheClockOfAChannelWithoutMessages(t *testing.T) {
	alice := newPeer(t, "alice", newClock())
	last := decoded(t, alice.wrapSync("c")).Lamport
	alice.clock.advance(-hour)
	if got := decoded(t, alice.restart().wrapSync("c")).Lamport; got != last+1 {
		t.Errorf("after %d comes %d", last, got)
	}
}

func TestRestartKnowsDuplicates(t *testing.T) {
	alice, bob := newPeer(t, "alice", newClock()), newPeer(t, "bob", newClock())
	first := bob.wrap("c", "first")
	alice.unwrap(first)
	bob.wrap("c", "lost")
	third := bob.wrap("c", "third")
	alice.unwrap(third)
	alice = alice.restart()
	if received := alice.unwrap(first); !received.Duplicate || received.SenderID != "bob" {
		t.Errorf("delivered before, it is %+v", received)
	}
	received := alice.unwrap(third)
	if diff := cmp.Diff([]string{"lost"}, ids(received.Missing)); diff != "" || !received.Buffered || received.Duplicate {
		t.Errorf("buffered before, it is %+v %s", received, diff)
	}
	if events := alice.takeEvents(); len(events) > 0 {
		t.Errorf("announced again: %v", briefs(events))
	}
}

func TestRestartReleasesWhatWasBufferedWhenDependenciesCome(t *testing.T) {
	alice, bob := newPeer(t, "alice", newClock()), newPeer(t, "bob", newClock())
	first, second := bob.wrap("c", "first"), bob.wrap("c", "second")
	alice.unwrap(bob.wrap("c", "third"))
	alice = alice.restart()
	alice.unwrap(second)
	alice = alice.restart()
	alice.unwrap(first)
	want := []string{"message_ready c/first", "message_ready c/second", "message_ready c/third"}
	events := alice.takeEvents()
	if diff := cmp.Diff(want, briefs(events)); diff != "" {
		t.Fatal(diff)
	}
	if got := string(events[2].Content); got != "content of third" {
		t.Errorf("the content is %q", got)
	}
}

func TestRestartKeepsTheMetSet(t *testing.T) {
	alice, bob := newPeer(t, "alice", newClock()), newPeer(t, "bob", newClock())
	bob.wrap("c", "first")
	second := bob.wrap("c", "second")
	if err := alice.EnsureChannel("c"); err != nil {
		t.Fatal(err)
	}
	if err := alice.MarkDependenciesMet("c", []string{"first"}); err != nil {
		t.Fatal(err)
	}
	if received := alice.restart().unwrap(second); len(received.Missing) > 0 {
		t.Errorf("missing: %v", received.Missing)
	}
}

// TestRestartKeepsTimes: of sending, receiving and repairing, absolute ones.
func TestRestartKeepsTimes(t *testing.T) {
	shared := newClock()
	alice, bob := newPeer(t, "alice", shared), newPeer(t, "bob", shared)
	carol := newPeer(t, "carol", shared)
	lost := carol.wrap("c", "lost")
	alice.unwrap(lost)
	carol.wrap("c", "gap")
	payload := carol.wrap("c", "m")
	bob.unwrap(payload) // lacks "lost" and "gap"
	alice.unwrap(payload)
	alice.wrap("c", "mine")
	shared.advance(300_000)
	alice.unwrap(bob.wrapSync("c"))
	alice.tick(shared.read())
	alice.tick(shared.read() + 60_000)

	before := alice.kept("c")
	meta := before.Meta
	if len(meta.Outgoing) != 1 || meta.Outgoing[0].Attempts != 1 || len(meta.Incoming) != 1 || len(meta.IncomingRepair) != 1 {
		t.Fatalf("the state is not worth restoring: %+v", meta)
	}
	shared.advance(12_345)
	alice = alice.restart()
	if err := alice.EnsureChannel("c"); err != nil {
		t.Fatal(err)
	}
	if err := alice.MarkDependenciesMet("c", nil); err != nil { // saves
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, alice.kept("c")); diff != "" {
		t.Error(diff)
	}
	// The answer is due by the time that was set before the restart.
	due := meta.IncomingRepair[0].TResp
	alice.tick(due - 10_000)
	early, _ := alice.tick(due - 1)
	answered, _ := alice.tick(due + 5_000)
	if diff := cmp.Diff([]string{"repair_ready c/lost"}, onlyRepairs(answered)); diff != "" || len(onlyRepairs(early)) > 0 {
		t.Errorf("early %v, when due %v", early, answered)
	}
}

func onlyRepairs(events []string) []string {
	var repairs []string
	for _, line := range events {
		if len(line) > 6 && line[:6] == "repair" {
			repairs = append(repairs, line)
		}
	}
	return repairs
}

func TestRestartAsksForWhatIsMissing(t *testing.T) {
	shared := newClock()
	alice, bob := newPeer(t, "alice", shared), newPeer(t, "bob", shared)
	bob.wrap("c", "first")
	alice.unwrap(bob.wrap("c", "second"))
	due := alice.kept("c").Meta.OutgoingRepair[0].TReq
	alice = alice.restart()
	shared.advance(due - shared.read() - 1)
	if early := decoded(t, alice.wrapSync("c")).RepairRequests; len(early) > 0 {
		t.Errorf("asked for before T_req: %v", early)
	}
	shared.advance(1)
	requests := decoded(t, alice.wrapSync("c")).RepairRequests
	if len(requests) != 1 || requests[0].ID != "first" || requests[0].SenderID != "bob" {
		t.Errorf("at T_req, asked for: %+v", requests)
	}
}

// TestRestartResendsWhatIsUnacknowledged, counting on, and does not resend
// what was acknowledged.
func TestRestartResendsWhatIsUnacknowledged(t *testing.T) {
	shared := newClock()
	change := func(c *core.Config) { c.MaxResendAttempts = 3 }
	alice, bob := newPeer(t, "alice", shared, change), newPeer(t, "bob", shared)
	bob.unwrap(alice.wrap("c", "m1"))
	alice.unwrap(bob.wrap("c", "acknowledging m1"))
	alice.wrap("c", "m2")
	var announced []string
	for range 4 {
		alice.takeEvents()
		alice = alice.restart(change)
		if err := alice.EnsureChannel("c"); err != nil {
			t.Fatal(err)
		}
		alice.Tick(shared.read())
		shared.advance(60_001)
		alice.Tick(shared.read())
		for _, event := range alice.takeEvents() {
			if event.Type != core.PeriodicSync {
				announced = append(announced, brief(event))
			}
			if event.Type == core.ResendReady && event.Attempts == 3 {
				received := bob.unwrap(event.Message)
				if received.MessageID != "m2" || string(received.Content) != "content of m2" || received.Buffered {
					t.Errorf("resent: %+v", received)
				}
			}
		}
	}
	want := []string{"resend_ready c/m2 #1", "resend_ready c/m2 #2", "resend_ready c/m2 #3", "message_delivery_failed c/m2 #3"}
	if diff := cmp.Diff(want, announced); diff != "" {
		t.Error(diff)
	}
}

func TestRestartStillRecognisesAcknowledgements(t *testing.T) {
	shared := newClock()
	alice, bob := newPeer(t, "alice", shared), newPeer(t, "bob", shared)
	bob.unwrap(alice.wrap("c", "m"))
	alice = alice.restart()
	alice.unwrap(bob.wrap("c", "reply"))
	if diff := cmp.Diff([]string{"message_sent c/m", "message_ready c/reply"}, briefs(alice.takeEvents())); diff != "" {
		t.Error(diff)
	}
	if outgoing := alice.kept("c").Meta.Outgoing; len(outgoing) > 0 {
		t.Errorf("still unacknowledged: %v", outgoing)
	}
}

// TestHintsAreAskedForUntilGivenAndThenKept, over a restart too; the backend
// hears of each once.
func TestHintsAreAskedForUntilGivenAndThenKept(t *testing.T) {
	alice := newPeer(t, "alice", newClock())
	var asked []string
	give := false
	provider := func(channelID, messageID string) []byte {
		asked = append(asked, channelID+"/"+messageID)
		if give {
			return []byte("hint of " + messageID)
		}
		return nil
	}
	alice.SetHints(provider)
	hintsOf := func(payload []byte) map[string]string {
		hints := map[string]string{}
		for _, entry := range decoded(t, payload).History {
			hints[entry.ID] = string(entry.Hint)
		}
		return hints
	}
	step := func(messageID string, wantHints map[string]string, wantAsked, wantCalls []string) {
		t.Helper()
		asked = nil
		alice.recorded.Take()
		hints := hintsOf(alice.wrap("c", messageID))
		var calls []string
		for _, line := range briefCalls(alice.recorded.Take()) {
			if line[:3] == "Set" {
				calls = append(calls, line)
			}
		}
		if diff := cmp.Diff(wantHints, hints); diff != "" {
			t.Errorf("%s: hints %s", messageID, diff)
		}
		if diff := cmp.Diff(wantAsked, asked); diff != "" {
			t.Errorf("%s: asked %s", messageID, diff)
		}
		if diff := cmp.Diff(wantCalls, calls); diff != "" {
			t.Errorf("%s: calls %s", messageID, diff)
		}
	}
	step("m1", map[string]string{}, nil, nil)
	step("m2", map[string]string{"m1": ""}, []string{"c/m1"}, nil)
	step("m3", map[string]string{"m1": "", "m2": ""}, []string{"c/m2", "c/m1"}, nil)
	give = true
	step("m4", map[string]string{"m1": "hint of m1", "m2": "hint of m2", "m3": "hint of m3"}, []string{"c/m3", "c/m2", "c/m1"},
		[]string{"SetRetrievalHint c m3", "SetRetrievalHint c m2", "SetRetrievalHint c m1"})
	step("m5", map[string]string{"m1": "hint of m1", "m2": "hint of m2", "m3": "hint of m3", "m4": "hint of m4"}, []string{"c/m4"},
		[]string{"SetRetrievalHint c m4"})

	alice = alice.restart()
	alice.SetHints(provider)
	step("m6", map[string]string{"m1": "hint of m1", "m2": "hint of m2", "m3": "hint of m3", "m4": "hint of m4", "m5": "hint of m5"}, []string{"c/m5"},
		[]string{"SetRetrievalHint c m5"})
	alice.SetHints(nil)
	step("m7", map[string]string{"m1": "hint of m1", "m2": "hint of m2", "m3": "hint of m3", "m4": "hint of m4", "m5": "hint of m5", "m6": ""}, nil, nil)
}

func TestHintsOutliveAcknowledgementAndRestart(t *testing.T) {
	shared := newClock()
	alice, bob := newPeer(t, "alice", shared), newPeer(t, "bob", shared)
	alice.SetHints(func(_, id string) []byte { return []byte("hint of " + id) })
	bob.unwrap(alice.wrap("c", "m1"))
	bob.unwrap(alice.wrap("c", "m2")) // learns the hint of m1
	alice.unwrap(bob.wrap("c", "reply"))
	if outgoing := alice.kept("c").Meta.Outgoing; len(outgoing) != 0 {
		t.Fatalf("%d messages are not acknowledged", len(outgoing))
	}
	alice = alice.restart() // and knows nobody to ask
	for _, entry := range decoded(t, alice.wrap("c", "after")).History {
		if want := map[string]string{"m1": "hint of m1"}[entry.ID]; string(entry.Hint) != want {
			t.Errorf("%s is cited with the hint %q, not %q", entry.ID, entry.Hint, want)
		}
	}
}

// TestRestartWithASmallerHistory evicts from the backend too.
func TestRestartWithASmallerHistory(t *testing.T) {
	alice := newPeer(t, "alice", newClock())
	for i := range 5 {
		alice.wrap("c", fmt.Sprint("m", i))
	}
	alice = alice.restart(func(c *core.Config) { c.MaxMessageHistory = 2 })
	alice.wrap("c", "m5")
	if diff := cmp.Diff([]string{"LoadChannel c", "SaveChannelMeta c", "UpdateHistory c +m5 -m0 -m1 -m2 -m3"}, briefCalls(alice.recorded.Take())); diff != "" {
		t.Error(diff)
	}
}

// TestRemovedChannelStartsAnew, after a restart as well as before.
func TestRemovedChannelStartsAnew(t *testing.T) {
	for _, forget := range []func(*peer) error{
		func(alice *peer) error { return alice.RemoveChannel("c") },
		func(alice *peer) error { return alice.Reset() },
	} {
		alice := newPeer(t, "alice", newClock())
		alice.wrap("c", "m")
		if err := forget(alice); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(snapshot.ChannelData{}, alice.kept("c")); diff != "" {
			t.Error(diff)
		}
		if history := cited(t, alice.wrap("c", "m")); len(history) > 0 {
			t.Errorf("it cites %v", history)
		}
		if history := cited(t, alice.restart().wrap("c", "m2")); len(history) != 1 {
			t.Errorf("after a restart it cites %v", history)
		}
	}
}
