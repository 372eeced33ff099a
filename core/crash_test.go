package core_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/persistence"
	"github.com/libsds/libsds/core/snapshot"
)

// crash is a moment at which a process may end: what its backend has then, and
// what its host knows.
type crash struct {
	left      *persistence.Transactions
	announced []string // events, as brief says them
	wrapped   []string // ids of wraps that have returned
	// half: a meta was saved, and the history that goes with it was not.
	half bool
}

// crashes goes through a session and notes every boundary between effects:
// before and after each backend call, and before and after each event.
func crashes(t *testing.T, keeping keeping) (session, []crash) {
	var found []crash
	var announced []string
	s := mixedSession(t, keeping, func(alice *peer) {
		note := func(half bool) {
			found = append(found, crash{alice.memory.Clone(), slices.Clone(announced), slices.Clone(alice.wrapped), half})
		}
		alice.recorded.Watch(func(procedure persistence.Procedure, before bool) {
			note(procedure == persistence.SaveChannelMeta && !before || procedure == persistence.UpdateHistory && before)
		})
		alice.onEvent = func(event core.Event) {
			note(false)
			announced = append(announced, brief(event))
			note(false)
		}
	}, roomy)
	return s, found
}

// roomy keeps the log from evicting anything, so that what is not there is
// missing.
func roomy(c *core.Config) { c.MaxMessageHistory = 100 }

// TestCrashAtEveryEffectBoundaryLeavesAConsistentChannel, whatever the way of
// keeping: what was announced and what was returned is there, in one place, and
// the participant goes on with it. With five procedures there is one exception:
// a buffered message that an operation has just released is nowhere between its
// two saves, and has to be repaired. A backend with transactions has no such
// moment.
func TestCrashAtEveryEffectBoundaryLeavesAConsistentChannel(t *testing.T) {
	for _, keeping := range keepings {
		t.Run(string(keeping), func(t *testing.T) {
			lived, found := crashes(t, keeping)
			if len(found) < 80 {
				t.Fatalf("only %d boundaries", len(found))
			}
			for i := range found {
				t.Run(fmt.Sprint("boundary ", i), func(t *testing.T) { comesBack(t, &lived, keeping, &found[i]) })
			}
			t.Logf("%d boundaries", len(found))
		})
	}
}

func comesBack(t *testing.T, lived *session, keeping keeping, at *crash) {
	alice := newPeerOn(t, keeping, "alice", lived.alice.clock, at.left, mixedConfig, roomy)
	kept := alice.kept("c")
	checkKept(t, kept)
	known := whereabouts(t, &kept)
	for _, line := range at.announced {
		event, id, _ := strings.Cut(line, " c/")
		id, _, _ = strings.Cut(id, " ")
		place := known[id]
		switch {
		case id == "e": // an ephemeral message leaves no trace
		case event == "message_ready" && place != "log",
			event == "missing_dependencies" && place != "log" && place != "incoming" && !at.half,
			event == "message_sent" && place != "log",
			event == "message_delivery_failed" && place != "log",
			event == "resend_ready" && place == "":
			t.Errorf("%q was announced, and the message is %q", line, place)
		}
	}
	for _, id := range at.wrapped {
		if place := known[id]; place != "log" && place != "log, unacknowledged" {
			t.Errorf("%s was returned, and is %q", id, place)
		}
	}

	// It goes on: the clock moves forward, and all that its peer ever said ends
	// in the log, each message delivered once.
	if err := alice.EnsureChannel("c"); err != nil {
		t.Fatal(err)
	}
	var newest uint64
	if kept.Meta != nil {
		newest = kept.Meta.Lamport
	}
	if lamport := decoded(t, alice.wrap("c", "after")).Lamport; lamport <= newest {
		t.Errorf("after %d comes %d", newest, lamport)
	}
	for _, message := range lived.bob.kept("c").History {
		if decoded(t, message).SenderID == "bob" {
			alice.unwrap(message)
		}
	}
	delivered := map[string]int{}
	for _, event := range alice.takeEvents() {
		if event.Type == core.MessageReady {
			delivered[event.MessageID]++
		}
	}
	after := alice.kept("c")
	checkKept(t, after)
	ends := whereabouts(t, &after)
	for _, message := range lived.bob.kept("c").History {
		if m := decoded(t, message); m.SenderID == "bob" {
			if ends[m.ID] == "" || delivered[m.ID] > 1 || delivered[m.ID] == 1 && known[m.ID] == "log" {
				t.Errorf("%s is %q, was %q, and was delivered %d times", m.ID, ends[m.ID], known[m.ID], delivered[m.ID])
			}
		}
	}
}

// whereabouts is where a backend has each message.
func whereabouts(t *testing.T, kept *snapshot.ChannelData) map[string]string {
	places := map[string]string{}
	for _, message := range kept.History {
		places[strings.Clone(decoded(t, message).ID)] = "log"
	}
	if kept.Meta == nil {
		return places
	}
	for _, own := range kept.Meta.Outgoing {
		id := strings.Clone(decoded(t, own.Message).ID)
		places[id] = strings.TrimPrefix(places[id]+", unacknowledged", ", ")
	}
	for _, waiting := range kept.Meta.Incoming {
		places[strings.Clone(decoded(t, waiting.Message).ID)] = "incoming"
	}
	return places
}

// TestFailedResetThatForgotSomeChannelsSavesThemAgain, hints included.
func TestFailedResetThatForgotSomeChannelsSavesThemAgain(t *testing.T) {
	for _, keeping := range keepings {
		t.Run(string(keeping), func(t *testing.T) {
			alice := newPeerOn(t, keeping, "alice", newClock(), new(persistence.Transactions), quietTimers)
			alice.SetHints(func(_, id string) []byte { return []byte("hint of " + id) })
			for _, id := range []string{"b", "c"} {
				alice.wrap(id, "m1")
				alice.wrap(id, "m2")
			}
			before := alice.kept("b")
			if len(before.Hints) == 0 {
				t.Fatal("the test is about nothing: no hints")
			}
			alice.faulty.FailOnce(2, persistence.DropChannel)
			if err := alice.Reset(); !errors.Is(err, core.ErrPersistence) {
				t.Fatal(err)
			}
			if err := alice.EnsureChannel("b"); err != nil { // which changes nothing
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, alice.kept("b")); diff != "" {
				t.Error(diff)
			}
		})
	}
}
