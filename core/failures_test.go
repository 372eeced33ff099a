package core_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/persistence"
	"github.com/libsds/libsds/core/snapshot"
)

// protected are the procedures whose failure never fails an operation.
var protected = []persistence.Procedure{persistence.SaveChannelMeta, persistence.UpdateHistory, persistence.SetRetrievalHint}

// mixedConfig makes every kind of operation happen in mixedSession.
func mixedConfig(c *core.Config) {
	quietTimers(c)
	c.MaxMessageHistory = 8
	c.BloomFilterCapacity = 100 // small messages: the session is repeated often
	c.ResendIntervalMs, c.MaxResendAttempts = 1000, 1
	c.BufferSweepIntervalMs, c.RepairSweepIntervalMs, c.SyncMessageIntervalMs = 2000, 2000, 5000
	c.RepairTMinMs, c.RepairTMaxMs = 100, 3000
	c.MissingDependencyTimeoutMs = 9000
}

// session is what mixedSession leaves behind.
type session struct {
	alice, bob *peer
	// protocol is what each operation returned and announced, a line for each.
	protocol []string
}

// mixedSession takes alice through every operation and every path.
func mixedSession(t *testing.T, keeping keeping, inject func(alice *peer), changes ...func(*core.Config)) session {
	t.Helper()
	shared := newClock()
	changes = append([]func(*core.Config){mixedConfig}, changes...)
	alice := newPeerOn(t, keeping, "alice", shared, new(persistence.Transactions), changes...)
	inject(alice)
	return converse(t, alice, newPeer(t, "bob", shared, changes...))
}

// converse is mixedSession for peers that are there already.
func converse(t *testing.T, alice, bob *peer) session {
	t.Helper()
	shared := alice.clock
	alice.SetHints(func(_, id string) []byte { return []byte("hint of " + id) })
	var protocol []string

	note := func(what string, result any, err error) {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		protocol = append(protocol, fmt.Sprintf("%s: %q", what, fmt.Sprint(result)))
		for _, line := range briefs(alice.takeEvents()) {
			protocol = append(protocol, "  "+line)
		}
	}
	wrap := func(id string) []byte {
		payload, err := alice.Wrap(nil, "c", id, []byte("content of "+id))
		alice.wrapped = append(alice.wrapped, id)
		note("wrap "+id, payload, err)
		return payload
	}
	unwrap := func(what string, payload []byte) {
		received, err := alice.Unwrap(payload)
		note("unwrap "+what, received, err)
	}
	tick := func(ms int64) {
		shared.advance(ms)
		note("tick", alice.Tick(shared.read()), nil)
	}

	note("ensure", nil, alice.EnsureChannel("c"))
	tick(0)
	bob.unwrap(wrap("a1"))
	wrap("a2") // lost on the way
	b1 := bob.wrap("c", "b1")
	unwrap("delivered", b1)
	unwrap("duplicate", b1)
	b2 := bob.wrap("c", "b2")
	b3 := bob.wrap("c", "b3")
	unwrap("buffered", b3)
	unwrap("already buffered", b3)
	payload, err := alice.WrapSync(nil, "c")
	note("wrap sync", payload, err)
	payload, err = alice.WrapEphemeral(nil, "c", "e", []byte("content of e"))
	note("wrap ephemeral", payload, err)
	unwrap("releasing", b2)
	unwrap("sync", bob.wrapSync("c"))
	bob.unwrap(wrap("a3")) // he misses a2
	tick(2500)
	shared.advance(4000)
	unwrap("asking for repair", bob.wrap("c", "b4"))
	tick(2500)
	bob.wrap("c", "b5")
	unwrap("buffered for ever", bob.wrap("c", "b6"))
	bob.wrap("c", "b7")
	unwrap("buffered until met", bob.wrap("c", "b8"))
	note("mark met", nil, alice.MarkDependenciesMet("c", []string{"b7"}))
	for range 6 {
		tick(2500)
	}
	for _, id := range []string{"a4", "a5", "a6", "a7"} {
		wrap(id)
	}
	return session{alice, bob, protocol}
}

// caughtUp compares what two backends hold after one more operation on each.
func caughtUp(t *testing.T, want, got *peer) {
	t.Helper()
	for _, p := range []*peer{want, got} {
		if err := p.MarkDependenciesMet("c", nil); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want.kept("c"), got.kept("c")); diff != "" {
		t.Errorf("the backend did not catch up: %s", diff)
	}
}

// TestFailingSavesNeverFailOperations fails every single backend call of a
// session, once and from there on: what the protocol does must be the same as
// without faults, and the backend must catch up with the next success.
func TestFailingSavesNeverFailOperations(t *testing.T) {
	for _, keeping := range keepings {
		t.Run(string(keeping), func(t *testing.T) { testFailingSaves(t, keeping) })
	}
}

func testFailingSaves(t *testing.T, keeping keeping) {
	flawless := mixedSession(t, keeping, func(*peer) {})
	want := flawless.protocol
	// The session is worth the effort only if everything happens in it.
	for _, line := range []string{
		"  message_ready c/b1", "  message_sent c/a1", "  missing_dependencies c/b3 b2", "  message_ready c/b3", "  repair_ready c/a2",
		"  resend_ready c/a3 #1", "  message_delivery_failed c/a2 #1", "  dependencies_lost c/b6 b5", "  message_ready c/b8", "  periodic_sync /c",
	} {
		if !slices.Contains(want, line) {
			t.Errorf("%q does not happen in the session", line)
		}
	}
	if t.Failed() {
		for _, line := range want {
			t.Logf("%.120s", line)
		}
		t.FailNow()
	}

	procedures := protected
	if keeping != byProcedures {
		procedures = []persistence.Procedure{persistence.Commit}
	}
	faults := map[string]func(*persistence.Faulty, int){
		"once": func(f *persistence.Faulty, n int) { f.FailOnce(n, procedures...) },
		"from": func(f *persistence.Faulty, n int) { f.FailFrom(n, procedures...) },
	}
	for _, procedure := range procedures {
		faults["once "+procedure.String()] = func(f *persistence.Faulty, n int) { f.FailOnce(n, procedure) }
		faults["from "+procedure.String()] = func(f *persistence.Faulty, n int) { f.FailFrom(n, procedure) }
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			n := 1
			for ; ; n++ {
				damaged := mixedSession(t, keeping, func(alice *peer) { fault(alice.faulty, n) })
				alice, got := damaged.alice, damaged.protocol
				if alice.faulty.Failures() == 0 {
					break
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("the session with call %d failing: %s", n, diff)
				}
				alice.faulty.Heal()
				caughtUp(t, flawless.alice, alice)
				if t.Failed() {
					t.Fatalf("call %d failed", n)
				}
			}
			if n < 5 {
				t.Errorf("only %d calls to fail", n-1)
			}
		})
	}
}

// TestFailedHistoryUpdateIsOfferedAgainByTheNextOperation goes through what
// the next operation can be.
func TestFailedHistoryUpdateIsOfferedAgainByTheNextOperation(t *testing.T) {
	operations := map[string]func(alice, bob *peer) error{
		"wrap":           func(alice, _ *peer) error { return wrapOnly(alice, "next") },
		"wrap sync":      func(alice, _ *peer) error { _, err := alice.WrapSync(nil, "c"); return err },
		"wrap ephemeral": func(alice, _ *peer) error { _, err := alice.WrapEphemeral(nil, "c", "e", []byte("x")); return err },
		"unwrap":         func(alice, bob *peer) error { return unwrapArgument(alice, bob.wrap("c", "next")) },
		"unwrap sync":    func(alice, bob *peer) error { return unwrapArgument(alice, bob.wrapSync("c")) },
		"mark met":       func(alice, _ *peer) error { return alice.MarkDependenciesMet("c", []string{"x"}) },
		"ensure":         func(alice, _ *peer) error { return alice.EnsureChannel("c") },
		"buffers sweep": func(alice, _ *peer) error {
			return tickAfter(core.DefaultConfig().BufferSweepIntervalMs)(alice, nil)
		},
		"repair sweep": func(alice, _ *peer) error {
			return tickAfter(core.DefaultConfig().RepairSweepIntervalMs)(alice, nil)
		},
	}
	for name, operation := range operations {
		t.Run(name, func(t *testing.T) {
			shared := newClock()
			alice, bob := newPeer(t, "alice", shared), newPeer(t, "bob", shared)
			alice.faulty.FailOnce(1, persistence.UpdateHistory)
			alice.wrap("c", "m")
			if n := len(alice.kept("c").History); n != 0 {
				t.Fatalf("the failed update left %d messages", n)
			}
			if err := operation(alice, bob); err != nil {
				t.Fatal(err)
			}
			var appended []string
			for _, call := range alice.recorded.Calls() {
				if call.Err == nil {
					appended = append(appended, call.Appended...)
				}
			}
			if !slices.Contains(appended, "m") {
				t.Errorf("not offered again: %v", briefCalls(alice.recorded.Calls()))
			}
		})
	}
}

// TestPendingHistoryMergesLatestWins: what was appended and evicted while the
// backend was failing was never there.
func TestPendingHistoryMergesLatestWins(t *testing.T) {
	alice := newPeer(t, "alice", newClock(), func(c *core.Config) { c.MaxMessageHistory = 2 })
	alice.faulty.FailFrom(1, persistence.UpdateHistory)
	for _, id := range []string{"m1", "m2", "m3", "m4"} {
		alice.wrap("c", id)
		alice.clock.advance(1000)
	}
	alice.faulty.Heal()
	alice.recorded.Take()
	alice.wrapSync("c")
	want := []string{"SaveChannelMeta c", "UpdateHistory c +m3 +m4 -m1 -m2"}
	if diff := cmp.Diff(want, briefCalls(alice.recorded.Take())); diff != "" {
		t.Error(diff)
	}
	alice.wrapSync("c")
	if diff := cmp.Diff([]string{"SaveChannelMeta c"}, briefCalls(alice.recorded.Take())); diff != "" {
		t.Errorf("after the success: %s", diff)
	}
}

// TestFailingLoadFailsTheOperationAndLeavesNoChannel: and the next one tries
// again.
func TestFailingLoadFailsTheOperationAndLeavesNoChannel(t *testing.T) {
	operations := map[string]func(alice, bob *peer) error{
		"wrap":           func(alice, _ *peer) error { return wrapOnly(alice, "m") },
		"wrap sync":      func(alice, _ *peer) error { _, err := alice.WrapSync(nil, "c"); return err },
		"wrap ephemeral": func(alice, _ *peer) error { _, err := alice.WrapEphemeral(nil, "c", "e", []byte("x")); return err },
		"unwrap":         func(alice, bob *peer) error { return unwrapArgument(alice, bob.wrap("c", "m")) },
		"unwrap sync":    func(alice, bob *peer) error { return unwrapArgument(alice, bob.wrapSync("c")) },
		"unwrap ephemeral": func(alice, bob *peer) error {
			payload, err := bob.WrapEphemeral(nil, "c", "e", []byte("x"))
			return errors.Join(err, unwrapArgument(alice, payload))
		},
		"ensure": func(alice, _ *peer) error { return alice.EnsureChannel("c") },
	}
	for name, operation := range operations {
		t.Run(name, func(t *testing.T) {
			shared := newClock()
			// With room for one channel, one that was left behind shows.
			alice := newPeer(t, "alice", shared, func(c *core.Config) { c.Limits.MaxChannels = 1 })
			bob := newPeer(t, "bob", shared)
			alice.faulty.FailOnce(1, persistence.LoadChannel)
			err := operation(alice, bob)
			if !errors.Is(err, core.ErrPersistence) || !errors.Is(err, persistence.ErrInjected) || core.StatusOf(err) != core.StatusPersistence {
				t.Errorf("it returns %v", err)
			}
			if channels := alice.Channels(); len(channels) != 0 {
				t.Errorf("it leaves the channels %q", channels)
			}
			if events := alice.takeEvents(); len(events) != 0 {
				t.Errorf("it announces %v", briefs(events))
			}
			if diff := cmp.Diff([]string{"LoadChannel c"}, briefCalls(alice.recorded.Take())); diff != "" {
				t.Error(diff)
			}
			if err := operation(alice, bob); err != nil {
				t.Errorf("the next call: %v", err)
			}
			if diff := cmp.Diff([]string{"c"}, alice.Channels()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// damaged is a backend that gives back what no message is.
type damaged struct {
	persistence.None
	kept persistence.Kept
}

func (d damaged) LoadChannel(string) (persistence.Kept, error) { return d.kept, nil }

func TestDamagedDataFailsTheOperation(t *testing.T) {
	garbage := []byte("garbage")
	meta := func(m snapshot.ChannelMeta) []byte { return snapshot.AppendMeta(nil, &m) }
	for name, kept := range map[string]persistence.Kept{
		"meta":            {Meta: garbage},
		"history":         {History: [][]byte{garbage}},
		"unacknowledged":  {Meta: meta(snapshot.ChannelMeta{Outgoing: []snapshot.Unacknowledged{{Message: garbage}}})},
		"incoming":        {Meta: meta(snapshot.ChannelMeta{Incoming: []snapshot.Incoming{{Message: nil}}})},
		"incoming repair": {Meta: meta(snapshot.ChannelMeta{IncomingRepair: []snapshot.IncomingRepair{{Entry: snapshot.HistoryEntry{MessageID: "m"}, Message: garbage}}})},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := core.New(core.Options{Backend: damaged{kept: kept}})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			if err := m.EnsureChannel("c"); !errors.Is(err, core.ErrPersistence) {
				t.Errorf("it returns %v", err)
			}
			if len(m.Channels()) != 0 {
				t.Error("it leaves a channel")
			}
		})
	}
}

// TestFailingDropLeavesMemoryAsItWas, for the removal of a channel.
func TestFailingDropLeavesMemoryAsItWas(t *testing.T) {
	alice := newPeer(t, "alice", newClock())
	first := alice.wrap("c", "m1")
	before := alice.kept("c")
	alice.faulty.FailOnce(1, persistence.DropChannel)
	err := alice.RemoveChannel("c")
	if !errors.Is(err, core.ErrPersistence) || !errors.Is(err, persistence.ErrInjected) {
		t.Errorf("it returns %v", err)
	}
	if diff := cmp.Diff([]string{"c"}, alice.Channels()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(before, alice.kept("c")); diff != "" {
		t.Error(diff)
	}
	if received := alice.unwrap(first); !received.Duplicate {
		t.Error("the log was forgotten")
	}
	if err := alice.RemoveChannel("c"); err != nil {
		t.Fatal(err)
	}
	if received := alice.unwrap(first); received.Duplicate {
		t.Error("the log was not forgotten")
	}

	// A channel that is not in memory does not come into being by it.
	alice.faulty.FailOnce(1, persistence.DropChannel)
	if err := alice.RemoveChannel("elsewhere"); !errors.Is(err, core.ErrPersistence) {
		t.Errorf("it returns %v", err)
	}
	if diff := cmp.Diff([]string{"c"}, alice.Channels()); diff != "" {
		t.Error(diff)
	}
}

// TestFailedResetLeavesMemoryAsItWas, whichever of its drops fails; what the
// backend has dropped by then is saved again by the next operations.
func TestFailedResetLeavesMemoryAsItWas(t *testing.T) {
	channels := []string{"a", "b", "c"}
	for failing := 1; failing <= len(channels); failing++ {
		t.Run(fmt.Sprintf("drop %d fails", failing), func(t *testing.T) {
			alice := newPeer(t, "alice", newClock())
			payloads := map[string][]byte{}
			for _, id := range channels {
				for i := range 3 {
					payloads[id] = alice.wrap(id, fmt.Sprint("m", i))
				}
			}
			alice.recorded.Take()
			alice.faulty.FailOnce(failing, persistence.DropChannel)
			if err := alice.Reset(); !errors.Is(err, core.ErrPersistence) || !errors.Is(err, persistence.ErrInjected) {
				t.Fatalf("it returns %v", err)
			}
			if diff := cmp.Diff(channels, alice.Channels()); diff != "" {
				t.Error(diff)
			}
			if drops := len(alice.recorded.Take()); drops != failing {
				t.Errorf("%d drops", drops)
			}
			for _, id := range channels {
				if !alice.unwrap(payloads[id]).Duplicate {
					t.Errorf("channel %s forgot its log", id)
				}
				if kept := alice.kept(id); len(kept.History) != 3 || kept.Meta == nil || len(kept.Meta.Outgoing) != 3 {
					t.Errorf("the backend has %d messages of channel %s, and the meta %+v", len(kept.History), id, kept.Meta)
				}
			}
			if err := alice.Reset(); err != nil {
				t.Fatal(err)
			}
			for _, id := range channels {
				if diff := cmp.Diff(snapshot.ChannelData{}, alice.kept(id)); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}
