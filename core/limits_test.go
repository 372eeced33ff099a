package core_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/libsds/libsds/core"
)

// TestIDs: empty, too long and not UTF-8 are refused by every method that
// takes an id, and leave nothing behind.
func TestIDs(t *testing.T) {
	methods := map[string]func(alice *peer, id string) error{
		"wrap, channel":           func(alice *peer, id string) error { return errorOf(alice.Wrap(nil, id, "m", []byte("x"))) },
		"wrap, message":           func(alice *peer, id string) error { return errorOf(alice.Wrap(nil, "new", id, []byte("x"))) },
		"wrap sync, channel":      func(alice *peer, id string) error { return errorOf(alice.WrapSync(nil, id)) },
		"wrap ephemeral, channel": func(alice *peer, id string) error { return errorOf(alice.WrapEphemeral(nil, id, "m", []byte("x"))) },
		"wrap ephemeral, message": func(alice *peer, id string) error { return errorOf(alice.WrapEphemeral(nil, "new", id, []byte("x"))) },
		"mark met, message":       func(alice *peer, id string) error { return alice.MarkDependenciesMet("c", []string{"fine", id}) },
		"ensure, channel":         func(alice *peer, id string) error { return alice.EnsureChannel(id) },
		"remove, channel":         func(alice *peer, id string) error { return alice.RemoveChannel(id) },
	}
	unusable := map[string]string{
		"empty":     "",
		"too long":  strings.Repeat("x", 1025),
		"huge":      strings.Repeat("x", 1<<20),
		"not UTF-8": "a\xffb",
		"cut short": "\xe2\x82",
		"surrogate": "\xed\xa0\x80",
	}
	usable := map[string]string{
		"as long as can be": strings.Repeat("x", 1024),
		"with a NUL":        "a\x00b",
		"blank":             " ",
		"emoji":             "👩‍👩‍👧",
	}
	for name, method := range methods {
		t.Run(name, func(t *testing.T) {
			alice := newPeer(t, "alice", newClock())
			if err := alice.EnsureChannel("c"); err != nil {
				t.Fatal(err)
			}
			alice.recorded.Take()
			for what, id := range unusable {
				err := method(alice, id)
				if !errors.Is(err, core.ErrInvalidID) || !errors.Is(err, core.ErrInvalidArgument) || core.StatusOf(err) != core.StatusInvalidArgument {
					t.Errorf("%s: %v", what, err)
				}
			}
			if diff := cmp.Diff([]string{"c"}, alice.Channels()); diff != "" {
				t.Error(diff)
			}
			if calls := alice.recorded.Take(); len(calls) > 0 {
				t.Errorf("backend calls: %v", calls)
			}
			for what, id := range usable {
				if err := method(alice, id); err != nil {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
	t.Run("mark met, unknown channel", func(t *testing.T) {
		alice := newPeer(t, "alice", newClock())
		for what, id := range unusable { // no channel can have such an id
			if err := alice.MarkDependenciesMet(id, []string{"m"}); !errors.Is(err, core.ErrInvalidArgument) {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
	t.Run("participant", func(t *testing.T) {
		for what, id := range unusable {
			m, err := core.New(core.Options{ParticipantID: id})
			if id == "" { // allowed: it switches repairs off
				if err != nil {
					t.Error(err)
				}
				continue
			}
			if m != nil || !errors.Is(err, core.ErrInvalidID) {
				t.Errorf("%s: %v", what, err)
			}
		}
		for what, id := range usable {
			if _, err := core.New(core.Options{ParticipantID: id}); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}

func TestMaxChannels(t *testing.T) {
	bob := newPeer(t, "bob", newClock())
	alice := newPeer(t, "alice", newClock(), func(c *core.Config) { c.Limits.MaxChannels = 2 })
	alice.wrap("c1", "m")
	alice.unwrap(bob.wrap("c2", "m"))
	for name, err := range map[string]error{
		"wrap":           errorOf(alice.Wrap(nil, "c3", "m", []byte("x"))),
		"wrap sync":      errorOf(alice.WrapSync(nil, "c3")),
		"wrap ephemeral": errorOf(alice.WrapEphemeral(nil, "c3", "m", []byte("x"))),
		"unwrap":         errorOf(alice.Unwrap(bob.wrap("c3", "m"))),
		"ensure":         alice.EnsureChannel("c3"),
	} {
		if !errors.Is(err, core.ErrLimitExceeded) || core.StatusOf(err) != core.StatusLimitExceeded {
			t.Errorf("%s: %v", name, err)
		}
	}
	alice.wrap("c2", "the channels that exist go on")
	if err := alice.RemoveChannel("c4"); err != nil {
		t.Errorf("removing a channel that is not in memory: %v", err)
	}
	if err := alice.RemoveChannel("c1"); err != nil {
		t.Fatal(err)
	}
	alice.unwrap(bob.wrap("c3", "m2"))
	if diff := cmp.Diff([]string{"c2", "c3"}, alice.Channels()); diff != "" {
		t.Error(diff)
	}
}

func TestAcceptUnknownChannels(t *testing.T) {
	bob := newPeer(t, "bob", newClock())
	payload := bob.wrap("c", "m")
	alice := newPeer(t, "alice", newClock(), func(c *core.Config) { c.Limits.AcceptUnknownChannels = false })
	if _, err := alice.Unwrap(payload); !errors.Is(err, core.ErrLimitExceeded) {
		t.Errorf("an unknown channel: %v", err)
	}
	if len(alice.Channels()) > 0 || len(alice.recorded.Take()) > 0 || len(alice.takeEvents()) > 0 {
		t.Error("the refused message left something behind")
	}
	if err := alice.EnsureChannel("c"); err != nil {
		t.Fatal(err)
	}
	alice.unwrap(payload)
}

func TestMaxOutgoingMessages(t *testing.T) {
	shared := newClock()
	alice := newPeer(t, "alice", shared, func(c *core.Config) { c.Limits.MaxOutgoingMessages = 2 })
	bob := newPeer(t, "bob", shared)
	bob.unwrap(alice.wrap("c", "m1"))
	alice.wrap("c", "m2")
	alice.recorded.Take()
	prefix := []byte("prefix")
	payload, err := alice.Wrap(prefix, "c", "m3", []byte("x"))
	if !errors.Is(err, core.ErrLimitExceeded) || !bytes.Equal(payload, prefix) {
		t.Errorf("%q %v", payload, err)
	}
	if calls := alice.recorded.Take(); len(calls) > 0 {
		t.Errorf("backend calls: %v", calls)
	}
	// What needs no room goes on, and so does what replaces its like.
	alice.wrapSync("c")
	if _, err := alice.WrapEphemeral(nil, "c", "e", []byte("x")); err != nil {
		t.Error(err)
	}
	alice.wrap("c", "m2")
	alice.wrap("another", "m3")
	alice.unwrap(bob.wrap("c", "acknowledging m1"))
	alice.wrap("c", "m3")
}

func TestMaxContentBytes(t *testing.T) {
	alice := newPeer(t, "alice", newClock())
	for _, test := range []struct {
		bytes int
		err   error
	}{{0, core.ErrInvalidArgument}, {1, nil}, {1 << 20, nil}, {1<<20 + 1, core.ErrMessageTooLarge}} {
		for name, wrap := range map[string]func([]byte, string, string, []byte) ([]byte, error){"wrap": alice.Wrap, "wrap ephemeral": alice.WrapEphemeral} {
			payload, err := wrap([]byte("prefix"), "c", fmt.Sprint("m", test.bytes), make([]byte, test.bytes))
			if !errors.Is(err, test.err) {
				t.Errorf("%s of %d bytes: %v", name, test.bytes, err)
			}
			if !bytes.HasPrefix(payload, []byte("prefix")) || (err != nil && len(payload) != len("prefix")) {
				t.Errorf("%s of %d bytes: the payload does not continue what it was given", name, test.bytes)
			}
		}
	}
	// A peer that may send more is not understood: hosts deliver it as it is.
	strict := newPeer(t, "strict", newClock(), func(c *core.Config) { c.Limits.MaxContentBytes = 10 })
	payload, err := alice.Wrap(nil, "c", "m", make([]byte, 11))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := strict.Unwrap(payload); !errors.Is(err, core.ErrDeserialization) {
		t.Error(err)
	}
}

// TestUnwrapRefusesWhatIsNoMessage, without a trace.
func TestUnwrapRefusesWhatIsNoMessage(t *testing.T) {
	alice := newPeer(t, "alice", newClock())
	whole := newPeer(t, "bob", newClock()).wrap("c", "m")
	payloads := map[string][]byte{
		"nil": nil, "empty": {}, "text": []byte("hello"), "zeros": make([]byte, 100), "too long": make([]byte, 8<<20+1),
		"trailing byte": append(bytes.Clone(whole), 0),
	}
	for _, n := range []int{1, 5, len(whole) / 2, len(whole) - 1} {
		payloads[fmt.Sprintf("cut after %d bytes", n)] = whole[:n]
	}
	for name, payload := range payloads {
		received, err := alice.Unwrap(payload)
		if !errors.Is(err, core.ErrDeserialization) || core.StatusOf(err) != core.StatusDeserialization {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(core.Unwrapped{}, received); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if len(alice.Channels()) > 0 || len(alice.recorded.Take()) > 0 || len(alice.takeEvents()) > 0 {
		t.Error("they left something behind")
	}
}

// TestHostileTimestampDoesNotPoisonTheClock: the next message of ours is at
// most maxLamportDriftMs ahead.
func TestHostileTimestampDoesNotPoisonTheClock(t *testing.T) {
	future := newClock()
	future.advance(1000 * 365 * 24 * hour)
	mallory := newPeer(t, "mallory", future)
	alice := newPeer(t, "alice", newClock())
	alice.unwrap(mallory.wrap("c", "from the future"))
	furthest := uint64(start+core.DefaultConfig().MaxLamportDriftMs)/1000 + 1
	if got := decoded(t, alice.wrap("c", "mine")).Lamport; got > furthest {
		t.Errorf("the clock is at %d, past %d", got, furthest)
	}
}
