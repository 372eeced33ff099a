package core_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/libsds/libsds/core"
)

// quiet is a manager without a handler.
func quiet(t *testing.T, id string) *core.Manager {
	t.Helper()
	m, err := core.New(core.Options{ParticipantID: id})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// deliverable returns n payloads of as many channels, "00" and so on; each
// makes its receiver announce message "m".
func deliverable(t *testing.T, n int) [][]byte {
	t.Helper()
	bob := newPeer(t, "bob", newClock())
	payloads := make([][]byte, n)
	for i := range payloads {
		payloads[i] = bob.wrap(fmt.Sprintf("%02d", i), "m")
	}
	return payloads
}

func TestOnlyOneEventIsHandledAtATime(t *testing.T) {
	const goroutines, channels = 16, 64
	payloads := deliverable(t, channels)
	alice := newPeer(t, "alice", newClock())
	var inside, handled atomic.Int32
	alice.onEvent = func(core.Event) {
		if inside.Add(1) != 1 {
			t.Error("two events are handled at once")
		}
		handled.Add(1)
		inside.Add(-1)
	}
	var group sync.WaitGroup
	for g := range goroutines {
		group.Go(func() {
			for i := range channels / goroutines {
				if _, err := alice.Unwrap(payloads[g*channels/goroutines+i]); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	// The last to leave the handler has left nothing behind.
	if got := handled.Load(); got != channels {
		t.Errorf("%d events of %d were handled", got, channels)
	}
}

func TestHandlerMayCallBackIn(t *testing.T) {
	payloads := deliverable(t, 3)
	calls := map[string]func(alice *peer) error{
		"wrap":      func(alice *peer) error { _, err := alice.Wrap(nil, "00", "mine", []byte("x")); return err },
		"wrap sync": func(alice *peer) error { _, err := alice.WrapSync(nil, "00"); return err },
		"unwrap":    func(alice *peer) error { _, err := alice.Unwrap(payloads[1]); return err },
		"mark met":  func(alice *peer) error { return alice.MarkDependenciesMet("00", []string{"x"}) },
		"ensure":    func(alice *peer) error { return alice.EnsureChannel("new") },
		"remove":    func(alice *peer) error { return alice.RemoveChannel("00") },
		"reset":     func(alice *peer) error { return alice.Reset() },
		"tick":      func(alice *peer) error { alice.Tick(start); return nil },
		"start":     func(alice *peer) error { return alice.Start() },
		"channels":  func(alice *peer) error { alice.Channels(); return nil },
		"hints":     func(alice *peer) error { alice.SetHints(nil); return nil },
		"next":      func(alice *peer) error { alice.NextEvent(); alice.KeepEvents(10); return nil },
		"close":     func(alice *peer) error { alice.Close(); return nil },
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			alice := newPeer(t, "alice", newClock())
			called := false
			alice.onEvent = func(core.Event) {
				if !called {
					called = true
					if err := call(alice); err != nil {
						t.Error(err)
					}
				}
			}
			alice.unwrap(payloads[0])
			if !called {
				t.Error("the handler was not called")
			}
		})
	}
}

// TestEventsOfAnInnerOperationComeAfterTheOneBeingHandled and before the outer
// operation returns.
func TestEventsOfAnInnerOperationComeAfterTheOneBeingHandled(t *testing.T) {
	payloads := deliverable(t, 4)
	alice := newPeer(t, "alice", newClock())
	depth, next := 0, 1
	alice.onEvent = func(core.Event) {
		depth++
		if depth != 1 {
			t.Error("the handler is called from within the handler")
		}
		if next < len(payloads) {
			payload := payloads[next]
			next++
			alice.unwrap(payload)
		}
		depth--
	}
	alice.unwrap(payloads[0])
	want := []string{"message_ready 00/m", "message_ready 01/m", "message_ready 02/m", "message_ready 03/m"}
	if diff := cmp.Diff(want, briefs(alice.takeEvents())); diff != "" {
		t.Error(diff)
	}
}

// TestEventsLeftToAnotherGoroutineAreHandledByIt: the operation does not wait
// for a handler that is busy.
func TestEventsLeftToAnotherGoroutineAreHandledByIt(t *testing.T) {
	payloads := deliverable(t, 2)
	alice := newPeer(t, "alice", newClock())
	busy, release := make(chan struct{}), make(chan struct{})
	first := true
	alice.onEvent = func(core.Event) {
		if first {
			first = false
			close(busy)
			<-release
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if _, err := alice.Unwrap(payloads[0]); err != nil {
			t.Error(err)
		}
	}()
	<-busy
	alice.unwrap(payloads[1])
	if events := alice.takeEvents(); len(events) != 0 {
		t.Errorf("handled beside a busy handler: %v", briefs(events))
	}
	close(release)
	<-done
	if diff := cmp.Diff([]string{"message_ready 00/m", "message_ready 01/m"}, briefs(alice.takeEvents())); diff != "" {
		t.Error(diff)
	}
}

// TestPanicOfAHandlerLeavesTheManagerUsable: the panic is the caller's, and
// the events after it are handled next time.
func TestPanicOfAHandlerLeavesTheManagerUsable(t *testing.T) {
	bob, alice := newPeer(t, "bob", newClock()), newPeer(t, "alice", newClock())
	first := bob.wrap("c", "first")
	alice.unwrap(bob.wrap("c", "second"))
	alice.takeEvents()
	alice.onEvent = func(e core.Event) {
		if e.MessageID == "first" {
			panic("a defect of the host")
		}
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic did not reach the caller")
			}
		}()
		_, _ = alice.Unwrap(first)
	}()
	alice.wrap("c", "mine")
	if diff := cmp.Diff([]string{"message_ready c/second"}, briefs(alice.takeEvents())); diff != "" {
		t.Error(diff)
	}
}

func TestNextEventTakesTheOldest(t *testing.T) {
	alice := quiet(t, "alice")
	if _, ok := alice.NextEvent(); ok {
		t.Error("there is an event before any operation")
	}
	for _, payload := range deliverable(t, 3) {
		if _, err := alice.Unwrap(payload); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"00", "01", "02"}, drain(alice)); diff != "" {
		t.Error(diff)
	}
}

// drain takes all events and returns their channels.
func drain(m *core.Manager) []string {
	var channels []string
	for {
		event, ok := m.NextEvent()
		if !ok {
			return channels
		}
		channels = append(channels, event.ChannelID)
	}
}

func TestKeepEventsKeepsTheNewest(t *testing.T) {
	var all []string
	for i := range 20 {
		all = append(all, fmt.Sprintf("%02d", i))
	}
	for _, test := range []struct {
		name  string
		bound int
		late  bool // set when the events wait already
		want  []string
	}{
		{"five", 5, false, all[15:]},
		{"five, of those that wait", 5, true, all[15:]},
		{"one", 1, false, all[19:]},
		{"as many as there are", 20, false, all},
		{"more than there are", 1024, false, all},
		{"no bound", 0, false, all},
		{"less than nothing is no bound", -1, true, all},
	} {
		t.Run(test.name, func(t *testing.T) {
			alice := quiet(t, "alice")
			if !test.late {
				alice.KeepEvents(test.bound)
			}
			for _, payload := range deliverable(t, 20) {
				if _, err := alice.Unwrap(payload); err != nil {
					t.Fatal(err)
				}
			}
			if test.late {
				alice.KeepEvents(test.bound)
			}
			if diff := cmp.Diff(test.want, drain(alice)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestEventsOutliveTheOperation: what was announced does not change when the
// channel's memory is used again.
func TestEventsOutliveTheOperation(t *testing.T) {
	bob, alice := newPeer(t, "bob", newClock()), newPeer(t, "alice", newClock())
	first := bob.wrap("c", "first")
	payload := bob.wrap("c", "second")
	alice.unwrap(payload)
	alice.unwrap(first)
	clear(payload) // the transport's memory
	clear(first)
	for i := range 20 {
		alice.unwrap(bob.wrap("c", fmt.Sprint("more", i)))
	}
	events := alice.takeEvents()
	want := []string{"missing_dependencies c/second first", "message_ready c/first", "message_ready c/second"}
	if diff := cmp.Diff(want, briefs(events[:3])); diff != "" {
		t.Error(diff)
	}
	for i, want := range []string{"content of first", "content of second"} {
		if got := string(events[1+i].Content); got != want {
			t.Errorf("the content is %q, want %q", got, want)
		}
	}
	if !slices.ContainsFunc(events[0].Deps, func(d core.Dependency) bool { return d.SenderID == "bob" }) {
		t.Errorf("the missing dependency is %+v", events[0].Deps)
	}
}
