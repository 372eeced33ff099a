package core_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/channel"
	"github.com/libsds/libsds/core/persistence"
)

func (p *peer) inspect(channelID string) core.Inspection {
	p.t.Helper()
	inspection, err := p.Inspect(channelID)
	if err != nil {
		p.t.Fatal(err)
	}
	return inspection
}

// whyNotDelivered answers the question from an inspection alone, in the way of a
// person who reads it: a line for each message on the way to what is missing.
func whyNotDelivered(i core.Inspection, messageID string) (lines []string) {
	for _, logged := range i.Log {
		if logged.MessageID == messageID {
			return []string{messageID + " is delivered"}
		}
	}
	for _, waiting := range i.Incoming {
		if waiting.MessageID != messageID {
			continue
		}
		for _, missing := range waiting.Missing {
			line := fmt.Sprintf("%s waits for %s of %s: %s", messageID, missing.MessageID, missing.SenderID, missing.State)
			if missing.Asking != nil {
				line += fmt.Sprintf(", %d times, next in %d s", missing.Times, (missing.NextAt-i.At)/1000)
			}
			lines = append(lines, line)
			if missing.State == channel.MissingReceived {
				lines = append(lines, whyNotDelivered(i, missing.MessageID)...)
			}
		}
		return lines
	}
	return []string{messageID + " never came"}
}

// TestInspectionAnswersWhyAMessageIsNotDelivered by itself, at every step of a
// chain of messages that comes from its end.
func TestInspectionAnswersWhyAMessageIsNotDelivered(t *testing.T) {
	shared := newClock()
	changes := func(c *core.Config) {
		c.MaxCausalHistory = 1
		c.RepairTMinMs, c.RepairTMaxMs = 30_000, 30_000 // each is asked for after 30 s, and again until 30 s later
	}
	alice, bob := newPeer(t, "alice", shared, changes), newPeer(t, "bob", shared, changes)
	b1, b2, b3 := bob.wrap("c", "b1"), bob.wrap("c", "b2"), bob.wrap("c", "b3")
	answer := func(want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, whyNotDelivered(alice.inspect("c"), "b3")); diff != "" {
			t.Error(diff)
		}
	}
	if err := alice.EnsureChannel("c"); err != nil {
		t.Fatal(err)
	}
	answer("b3 never came")
	alice.unwrap(b3)
	answer("b3 waits for b2 of bob: scheduled, 0 times, next in 30 s")
	shared.advance(30_000)
	alice.wrapSync("c")
	answer("b3 waits for b2 of bob: asked, 1 times, next in 30 s")
	alice.unwrap(b2)
	answer("b3 waits for b2 of bob: received", "b2 waits for b1 of bob: scheduled, 0 times, next in 30 s")
	shared.advance(30_000)
	alice.wrapSync("c")
	answer("b3 waits for b2 of bob: received", "b2 waits for b1 of bob: asked, 1 times, next in 30 s")
	shared.advance(30_001)
	alice.wrapSync("c")
	answer("b3 waits for b2 of bob: received", "b2 waits for b1 of bob: ended")
	alice.unwrap(b1)
	answer("b3 is delivered")
}

// TestInspectionAsJSON is what hosts of the C API read.
func TestInspectionAsJSON(t *testing.T) {
	shared := newClock()
	changes := func(c *core.Config) {
		c.MaxCausalHistory, c.BloomFilterCapacity = 1, 100
		c.RepairTMinMs, c.RepairTMaxMs = 30_000, 30_000
	}
	alice, bob := newPeer(t, "alice", shared, changes), newPeer(t, "bob", shared, changes)
	alice.SetHints(func(_, id string) []byte { return []byte("hint of " + id) })
	bob.SetHints(func(_, id string) []byte { return []byte("hint of " + id) })
	alice.Tick(shared.read())
	alice.wrap("c", "a1")
	alice.wrap("c", "a2")
	bob.wrap("c", "b1")
	b2 := bob.wrap("c", "b2")
	b3 := bob.wrap("c", "b3")
	alice.unwrap(b3)
	shared.advance(30_000)
	alice.wrapSync("c")
	alice.unwrap(b2)
	if err := alice.MarkDependenciesMet("c", []string{"elsewhere"}); err != nil {
		t.Fatal(err)
	}
	text, err := json.MarshalIndent(alice.inspect("c"), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want := `{
  "inspectedAt": 1700000030000,
  "channelId": "c",
  "participantId": "alice",
  "wireFormat": "sds-0.4",
  "timers": {
    "begun": true,
    "nextBufferSweepAt": 1700000060000,
    "nextRepairSweepAt": 1700000005000,
    "nextPeriodicSyncAt": 1700000030000
  },
  "clock": {
    "lamportTimestamp": 1700000030,
    "unit": "seconds"
  },
  "log": [
    {
      "messageId": "a1",
      "senderId": "alice",
      "lamportTimestamp": 1700000000,
      "retrievalHint": "aGludCBvZiBhMQ=="
    },
    {
      "messageId": "a2",
      "senderId": "alice",
      "lamportTimestamp": 1700000001,
      "retrievalHint": "aGludCBvZiBhMg=="
    }
  ],
  "incomingBuffer": [
    {
      "messageId": "b3",
      "senderId": "bob",
      "lamportTimestamp": 1700000002,
      "waitingSince": 1700000000000,
      "givenUpAfter": 1700000600000,
      "missingDependencies": [
        {
          "messageId": "b2",
          "senderId": "bob",
          "retrievalHint": "aGludCBvZiBiMg==",
          "state": "received"
        }
      ]
    },
    {
      "messageId": "b2",
      "senderId": "bob",
      "lamportTimestamp": 1700000001,
      "waitingSince": 1700000030000,
      "givenUpAfter": 1700000630000,
      "missingDependencies": [
        {
          "messageId": "b1",
          "senderId": "bob",
          "retrievalHint": "aGludCBvZiBiMQ==",
          "state": "scheduled",
          "timesAsked": 0,
          "nextAskAt": 1700000060000,
          "askingEndsAfter": 1700000090000
        }
      ]
    }
  ],
  "completeMessages": [],
  "outgoingBuffer": [
    {
      "messageId": "a1",
      "senderId": "alice",
      "lamportTimestamp": 1700000000,
      "lastSentAt": 1700000000000,
      "resends": 0,
      "resendsLeft": 5,
      "resendAfter": 1700000060000,
      "possibleAcknowledgements": 0,
      "possibleAcknowledgementsNeeded": 2,
      "inLog": true
    },
    {
      "messageId": "a2",
      "senderId": "alice",
      "lamportTimestamp": 1700000001,
      "lastSentAt": 1700000000000,
      "resends": 0,
      "resendsLeft": 5,
      "resendAfter": 1700000060000,
      "possibleAcknowledgements": 0,
      "possibleAcknowledgementsNeeded": 2,
      "inLog": true
    }
  ],
  "outgoingRepairBuffer": [
    {
      "messageId": "b1",
      "senderId": "bob",
      "retrievalHint": "aGludCBvZiBiMQ==",
      "timesAsked": 0,
      "nextAskAt": 1700000060000,
      "askingEndsAfter": 1700000090000
    }
  ],
  "incomingRepairBuffer": [],
  "metDependencies": [
    "elsewhere"
  ],
  "filter": {
    "ids": 5,
    "capacity": 100,
    "fill": 0.032,
    "bytes": 205
  },
  "persistence": {
    "kept": true,
    "dirty": false,
    "pendingChanges": 0,
    "pendingHints": 0
  }
}`
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(string(text), "\n")); diff != "" {
		t.Error(diff)
	}
}

// TestInspectLoadsAndMakesNoChannel: it says how the channel comes into memory.
func TestInspectLoadsAndMakesNoChannel(t *testing.T) {
	shared := newClock()
	first := newPeer(t, "alice", shared)
	first.wrap("kept", "m")
	first.Close()
	alice := newPeerOn(t, byProcedures, "alice", shared, first.memory)
	for _, id := range []string{"kept", "unknown"} {
		_, err := alice.Inspect(id)
		if !errors.Is(err, core.ErrInvalidArgument) {
			t.Errorf("%s: %v", id, err)
		}
		var failure *core.Error
		if !errors.As(err, &failure) || failure.Op != "inspect" || failure.ChannelID != id {
			t.Errorf("%s: %#v", id, err)
		}
		if text := fmt.Sprint(err); !strings.Contains(text, `in channel "`+id+`"`) || !strings.Contains(text, "the channel is not in memory") || !strings.Contains(text, "EnsureChannel") {
			t.Error(text)
		}
	}
	if _, err := alice.Inspect(""); !errors.Is(err, core.ErrInvalidID) {
		t.Error(err)
	}
	if calls := alice.recorded.Take(); len(calls) > 0 || len(alice.Channels()) > 0 {
		t.Errorf("channels %v, backend calls %v", alice.Channels(), calls)
	}
	if err := alice.EnsureChannel("kept"); err != nil {
		t.Fatal(err)
	}
	if n := len(alice.inspect("kept").Log); n != 1 {
		t.Errorf("%d messages", n)
	}
	alice.Close()
	if _, err := alice.Inspect("kept"); !errors.Is(err, core.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if n := len(alice.Overview().Channels); n != 0 {
		t.Errorf("after Close, there are %d channels", n)
	}
}

// TestInspectionChangesNothing that the backend or a peer could see.
func TestInspectionChangesNothing(t *testing.T) {
	session := mixedSession(t, byProcedures, func(alice *peer) {
		alice.onEvent = func(core.Event) { // in the middle of things
			alice.inspect("c")
			alice.Overview()
		}
	})
	if diff := cmp.Diff(mixedSession(t, byProcedures, func(*peer) {}).protocol, session.protocol); diff != "" {
		t.Error(diff)
	}
	session.alice.recorded.Take()
	session.alice.inspect("c")
	session.alice.Overview()
	if calls := session.alice.recorded.Take(); len(calls) > 0 || len(session.alice.takeEvents()) > 0 {
		t.Errorf("backend calls: %v", calls)
	}
}

// TestInspectionTellsWhetherTheTimersRun, which is an answer in itself.
func TestInspectionTellsWhetherTheTimersRun(t *testing.T) {
	alice := newPeer(t, "alice", newClock())
	alice.wrap("c", "m")
	if got := alice.inspect("c").Timers; got != (core.Timers{}) {
		t.Errorf("before the first tick: %+v", got)
	}
	alice.Tick(start)
	want := core.Timers{Begun: true, NextBufferSweep: start + 60_000, NextRepairSweep: start + 5_000, NextSync: start + 30_000}
	if got := alice.inspect("c").Timers; got != want {
		t.Errorf("after it: %+v", got)
	}
}

func TestInspectionTellsHowFarTheBackendIsBehind(t *testing.T) {
	for _, keeping := range keepings {
		t.Run(string(keeping), func(t *testing.T) {
			alice := newPeerOn(t, keeping, "alice", newClock(), new(persistence.Transactions))
			alice.SetHints(func(_, id string) []byte { return []byte(id) })
			alice.wrap("c", "m1")
			behind := func(when string, want core.Persistence) {
				t.Helper()
				if got := alice.inspect("c").Persistence; got != want {
					t.Errorf("%s: %+v", when, got)
				}
				summary := alice.Overview().Channels[0]
				if summary.Dirty != want.Dirty || summary.PendingChanges != want.PendingChanges || summary.PendingHints != want.PendingHints {
					t.Errorf("%s: %+v", when, summary)
				}
			}
			behind("in good order", core.Persistence{Kept: true})
			alice.faulty.FailFrom(1)
			alice.wrap("c", "m2")
			behind("while it fails", core.Persistence{Kept: true, Dirty: true, PendingChanges: 1, PendingHints: 1})
			alice.faulty.Heal()
			alice.wrapSync("c")
			behind("once it works", core.Persistence{Kept: true})
		})
	}
	m, err := core.New(core.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if _, err := m.Wrap(nil, "c", "m", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if got, err := m.Inspect("c"); err != nil || got.Persistence != (core.Persistence{}) {
		t.Errorf("without a backend: %+v, %v", got.Persistence, err)
	}
}

func TestOverviewTellsWhichChannelToInspect(t *testing.T) {
	shared := newClock()
	alice, bob := newPeer(t, "alice", shared), newPeer(t, "bob", shared)
	if diff := cmp.Diff(core.Overview{Channels: []core.ChannelSummary{}}, alice.Overview()); diff != "" {
		t.Error(diff)
	}
	alice.wrap("z sends", "m")
	bob.wrap("b waits", "b1")
	alice.unwrap(bob.wrap("b waits", "b2"))
	alice.unwrap(bob.wrap("a quiet", "b3"))
	if err := alice.EnsureChannel("c empty"); err != nil {
		t.Fatal(err)
	}
	shared.advance(1)
	weight := alice.Overview().Channels[1].IncomingBytes
	if weight <= 0 {
		t.Errorf("what waits weighs %d", weight)
	}
	clock := channel.Clock{Lamport: uint64(start / 1000), Unit: channel.Seconds}
	later := channel.Clock{Lamport: uint64(start/1000) + 1, Unit: channel.Seconds}
	want := core.Overview{Channels: []core.ChannelSummary{
		{ChannelID: "a quiet", Counts: channel.Counts{Clock: clock, Log: 1}},
		{ChannelID: "b waits", Waits: true, Counts: channel.Counts{Clock: later, Incoming: 1, IncomingBytes: weight, OutgoingRepairs: 1, WaitingSince: start}},
		{ChannelID: "c empty", Counts: channel.Counts{Clock: channel.Clock{Unit: channel.Seconds}}},
		{ChannelID: "z sends", Waits: true, Counts: channel.Counts{Clock: clock, Log: 1, Outgoing: 1}},
	}}
	if diff := cmp.Diff(want, alice.Overview()); diff != "" {
		t.Error(diff)
	}
	text, err := json.Marshal(alice.Overview().Channels[1])
	if err != nil {
		t.Fatal(err)
	}
	says := fmt.Sprintf(`{"channelId":"b waits","waits":true,"clock":{"lamportTimestamp":1700000001,"unit":"seconds"},"logMessages":0,"outgoingMessages":0,`+
		`"incomingMessages":1,"completeMessages":0,"outgoingRepairs":1,"incomingRepairs":0,"metDependencies":0,"incomingBytes":%d,`+
		`"waitingSince":1700000000000,"pendingChanges":0,"pendingHints":0,"dirty":false}`, weight)
	if diff := cmp.Diff(says, string(text)); diff != "" {
		t.Error(diff)
	}
}

func TestInspectionBesideOperations(t *testing.T) {
	alice := newPeer(t, "alice", newClock())
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			for i := range 50 {
				id := fmt.Sprint("c", i%3)
				switch worker {
				case 0:
					alice.wrap(id, fmt.Sprint("m", i))
				case 1:
					if err := alice.RemoveChannel(id); err != nil {
						t.Error(err)
					}
				case 2:
					if _, err := alice.Inspect(id); err != nil && !errors.Is(err, core.ErrInvalidArgument) {
						t.Error(err)
					}
				case 3:
					alice.Overview()
				}
			}
		})
	}
	group.Wait()
}
