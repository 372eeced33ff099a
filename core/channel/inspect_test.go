package channel

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/libsds/libsds/core/snapshot"
	"github.com/libsds/libsds/core/wire"
)

// lacking returns what the inspection says of a dependency of a buffered
// message.
func (p *peer) lacking(messageID, dependencyID string) Missing {
	p.t.Helper()
	for _, waiting := range p.Inspect(p.now).Incoming {
		for _, missing := range waiting.Missing {
			if waiting.MessageID == messageID && missing.MessageID == dependencyID {
				return missing
			}
		}
	}
	p.t.Fatalf("the inspection does not say that %s waits for %s", messageID, dependencyID)
	return Missing{}
}

func TestInspectionTellsWhatIsDoneAboutAMissingDependency(t *testing.T) {
	delay := RequestDelay("alice", "x", 30*second, 300*second)
	due := start + delay
	scheduled := &Asking{NextAt: due, EndsAfter: due + 300*second}
	for _, test := range []struct {
		name   string
		adjust func(*Config)
		then   func(*peer)
		state  MissingState
		asking *Asking
	}{
		{"not asked for yet", nil, func(*peer) {}, AskingScheduled, scheduled},
		{"not due in a message", nil, func(p *peer) { p.send("m") }, AskingScheduled, scheduled},
		{"due and nothing sent", nil, func(p *peer) { p.now = due; p.sweepRepairs() }, AskingScheduled, scheduled},
		{"asked for", nil, func(p *peer) { p.now = due; p.send("m") }, AskingBegun,
			&Asking{Times: 1, LastAt: due, NextAt: due + delay, EndsAfter: due + 300*second}},
		{"asked for by a sync message", nil, func(p *peer) { p.now = due + 5; p.sendSync() }, AskingBegun,
			&Asking{Times: 1, LastAt: due + 5, NextAt: due + 5 + delay, EndsAfter: due + 300*second}},
		{"asked for twice", nil, func(p *peer) { p.now = due; p.send("m"); p.now = due + delay; p.send("m2") }, AskingBegun,
			&Asking{Times: 2, LastAt: due + delay, NextAt: due + 2*delay, EndsAfter: due + 300*second}},
		{"asked for, and restarted", nil, func(p *peer) { p.now = due; p.send("m"); *p = *p.restarted() }, AskingScheduled,
			&Asking{NextAt: due + delay, EndsAfter: due + 300*second}},
		{"asked for in vain", nil, func(p *peer) { p.now = due + 300*second + 1; p.sweepRepairs() }, AskingEnded, nil},
		{"a peer asks for it", nil, func(p *peer) { p.take(message("b", 1000, asks("carol", "x"))) }, AskingEnded, nil},
		{"gave way", func(c *Config) { c.Limits.MaxRepairEntries = 1 }, func(p *peer) {
			for i := range 50 {
				p.take(message(fmt.Sprint("b", i), 1000, cites(fmt.Sprint("y", i))))
			}
		}, AskingEnded, nil},
		{"received", nil, func(p *peer) { p.take(message("x", 1000, cites("w"))) }, MissingReceived, nil},
		{"without a participant id", func(c *Config) { c.ParticipantID = "" }, func(*peer) {}, AskingOff, nil},
		{"without requests", func(c *Config) { c.MaxRepairRequests = 0 }, func(*peer) {}, AskingOff, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newPeer(t, "alice")
			if test.adjust != nil {
				test.adjust(p.cfg)
			}
			m := message("waits", 1001)
			m.History = []wire.Entry{{ID: "x", SenderID: "carol", Hint: []byte("where")}}
			p.take(m)
			test.then(p)
			want := Missing{MessageID: "x", SenderID: "carol", Hint: []byte("where"), State: test.state, Asking: test.asking}
			expect(t, "the dependency", p.lacking("waits", "x"), want)
		})
	}
}

func TestInspectionTellsSinceWhenAndUntilWhenAMessageWaits(t *testing.T) {
	for _, test := range []struct {
		name         string
		timeout      int64
		passes       int64
		since, until int64
	}{
		{"at once", 600 * second, 0, start, start + 600*second},
		{"later", 600 * second, 70 * second, start, start + 600*second},
		{"for ever", 0, 70 * second, start, 0},
		{"with the clock set back", 600 * second, -10 * second, start - 10*second, start + 590*second},
	} {
		p := newPeer(t, "alice", func(c *Config) { c.MissingTimeout = test.timeout })
		p.take(message("waits", 1001, cites("x"), from("bob")))
		p.now += test.passes
		waiting := p.Inspect(p.now).Incoming[0]
		expect(t, test.name, waiting.Named, Named{"waits", "bob", 1001})
		expect(t, test.name, []int64{waiting.Since, waiting.GivenUpAfter}, []int64{test.since, test.until})
	}
}

// TestInspectionAgreesWithTheSweeps: what it says will be done is done by the
// first sweep after the time that it names, and by none before.
func TestInspectionAgreesWithTheSweeps(t *testing.T) {
	p := newPeer(t, "alice", func(c *Config) { c.MaxResendAttempts, c.MissingTimeout = 1, 1000*second })
	p.send("m")
	p.take(message("waits", 1001, cites("x")))
	p.take(message("b", 1001, withFilter(filterOf(halfFull, "m"))))
	at := func(when int64, want ...string) {
		t.Helper()
		for p.now = when; p.now <= when+1; p.now++ {
			p.sweepBuffers()
			if p.now == when {
				p.expectEvents(t)
			}
		}
		p.expectEvents(t, want...)
	}
	own := p.Inspect(p.now).Outgoing[0]
	expect(t, "sent", own, Unacknowledged{
		Named: Named{"m", "alice", 1000}, LastSentAt: start, ResendsLeft: 1, ResendAfter: start + 120*second,
		Witnesses: 1, WitnessesNeeded: 2, InLog: true,
	})
	at(own.ResendAfter, "resend_ready m attempt 1")
	own = p.Inspect(p.now).Outgoing[0]
	expect(t, "sent again", own, Unacknowledged{
		Named: Named{"m", "alice", 1000}, LastSentAt: start + 120*second + 1, Resends: 1, GivenUpAfter: start + 240*second + 1,
		Witnesses: 1, WitnessesNeeded: 2, InLog: true,
	})
	at(own.GivenUpAfter, "message_delivery_failed m attempt 1")
	at(p.Inspect(p.now).Incoming[0].GivenUpAfter, "dependencies_lost waits [x]", "message_ready waits")
	expect(t, "nothing waits", len(p.Inspect(p.now).Incoming)+len(p.Inspect(p.now).Outgoing), 0)
}

func TestInspectionTellsWhoIsAskedForAndWhatIsAnswered(t *testing.T) {
	p := newPeer(t, "alice", func(c *Config) { c.MaxHistory = 1 })
	p.take(message("b1", 1000, from("bob")))
	p.take(message("b2", 1001, asks("bob", "b1")))
	p.send("m")
	p.markMet("met", "met too")
	p.LearnHint("m", []byte("where"))
	got := p.Inspect(p.now)
	expect(t, "answers", got.IncomingRepairs, []Answer{{"b1", "bob", start + ResponseDelay("alice", "bob", "b1", 300*second)}})
	expect(t, "met", got.Met, []string{"met", "met too"})
	expect(t, "log", got.Log, []Logged{{Named{"m", "alice", 1002}, []byte("where")}})
	expect(t, "clock", got.Clock, Clock{1002, Seconds})
	expect(t, "in the log", got.Outgoing[0].InLog, true)
	p.take(message("b3", 1003))
	expect(t, "in the log", p.Inspect(p.now).Outgoing[0].InLog, false)
	expect(t, "filter", p.Inspect(p.now).Filter, FilterCounts{IDs: 6, Capacity: 1000, Fill: p.filter.Fill(), Bytes: p.filter.EncodedLen()})
}

// TestInspectionTellsWhatTheNextOperationDelivers: a restart finds that a
// message lacks nothing when the history is ahead of the meta.
func TestInspectionTellsWhatTheNextOperationDelivers(t *testing.T) {
	p := newPeer(t, "alice")
	p.take(message("waits", 1001, cites("x"), from("bob")))
	data := &snapshot.ChannelData{Meta: p.Meta()}
	p.take(message("x", 1000))
	data.History = [][]byte{p.log.get("x").stored.Bytes()}
	restored, _, err := Restore(p.id, p.cfg, data)
	if err != nil {
		t.Fatal(err)
	}
	p.Channel = restored
	got := p.Inspect(p.now)
	expect(t, "complete", got.Complete, []Named{{"waits", "bob", 1001}})
	counts := p.Count(p.now)
	expect(t, "counted", counts.Complete, 1)
	expect(t, "it waits", counts.Waits(), true)
	p.sweepRepairs()
	p.expectEvents(t, "message_ready waits")
	expect(t, "complete", p.Inspect(p.now).Complete, []Named{})
}

// TestInspectionOfNothing is made of lists that are empty, not null.
func TestInspectionOfNothing(t *testing.T) {
	p := newPeer(t, "alice")
	text, err := json.Marshal(p.Inspect(p.now))
	if err != nil || strings.Contains(string(text), "null") {
		t.Errorf("%s, %v", text, err)
	}
	expect(t, "it waits", new(Counts).Waits(), false)
}

// TestInspectionChangesNothing, whatever the channel went through, holds no
// content, and agrees with what is counted.
func TestInspectionChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		participant := drawParticipant(t)
		inspected, other := newPeer(t, participant, tight), newPeer(t, participant, tight)
		for range rapid.IntRange(1, 40).Draw(t, "inputs") {
			input, pause := drawInput(t), drawPause(t)
			if rapid.IntRange(0, 9).Draw(t, "restart") == 0 {
				inspected, other = inspected.restarted(), other.restarted()
			}
			before := inspected.AppendMeta(nil)
			got := inspected.Inspect(inspected.now)
			counts := inspected.Count(inspected.now)
			inspected.FilterFill()
			same(t, "snapshots", inspected.AppendMeta(nil), before)
			same(t, "inspections", inspected.Inspect(inspected.now), got)
			checkInspection(t, inspected, &got, &counts)
			for _, p := range []*peer{inspected, other} {
				p.now += pause
				p.step(input)
			}
			sameEffects(t, &other.effects, &inspected.effects, false)
			sameState(t, other, inspected)
			same(t, "pending histories", inspected.PendingHistory(), other.PendingHistory())
			same(t, "pending hints", inspected.PendingHints(), other.PendingHints())
		}
	})
}

func checkInspection(t *rapid.T, p *peer, got *Inspection, counts *Counts) {
	same(t, "log", len(got.Log), counts.Log)
	same(t, "incoming", len(got.Incoming), counts.Incoming)
	same(t, "complete", len(got.Complete), counts.Complete)
	same(t, "outgoing", len(got.Outgoing), counts.Outgoing)
	same(t, "outgoing repairs", len(got.OutgoingRepairs), counts.OutgoingRepairs)
	same(t, "incoming repairs", len(got.IncomingRepairs), counts.IncomingRepairs)
	same(t, "met", len(got.Met), counts.Met)
	for _, waiting := range got.Incoming {
		if len(waiting.Missing) == 0 {
			t.Fatalf("%s waits for nothing", waiting.MessageID)
		}
		for _, missing := range waiting.Missing {
			if p.log.get(missing.MessageID) != nil || p.met.has(missing.MessageID) {
				t.Fatalf("%s waits for %s, which is there", waiting.MessageID, missing.MessageID)
			}
			if (missing.Asking != nil) != (missing.State == AskingScheduled || missing.State == AskingBegun) {
				t.Fatalf("%s is %s: %+v", missing.MessageID, missing.State, missing.Asking)
			}
		}
	}
	text, err := json.Marshal(got)
	if err != nil || strings.Contains(string(text), "content of") || strings.Contains(string(text), "null") {
		t.Fatalf("%s, %v", text, err)
	}
}

func TestUnitsOfTheClockHaveWords(t *testing.T) {
	for unit, want := range map[Unit]string{Seconds: "seconds", Milliseconds: "milliseconds"} {
		got, err := unit.MarshalText()
		if string(got) != want || err != nil {
			t.Errorf("%d is %q, %v", unit, got, err)
		}
	}
}

func TestInspectionOfTheShortestTimeout(t *testing.T) {
	p := newPeer(t, "alice", func(c *Config) { c.MissingTimeout = 1 })
	p.take(message("waits", 1001, cites("x")))
	expect(t, "given up after", p.Inspect(p.now).Incoming[0].GivenUpAfter, start+1)
}

// What a process with a participant id has scheduled, one without inherits.
func TestInspectionOfARequestThatWasInherited(t *testing.T) {
	p := newPeer(t, "alice")
	p.take(message("waits", 1001, cites("x")))
	p.cfg.ParticipantID = ""
	expect(t, "state", p.lacking("waits", "x").State, AskingScheduled)
}

func TestEachThingThatWaitsMakesAChannelWait(t *testing.T) {
	for name, counts := range map[string]Counts{
		"outgoing": {Outgoing: 1}, "incoming": {Incoming: 1}, "complete": {Complete: 1}, "asked for": {OutgoingRepairs: 1},
		"to answer": {IncomingRepairs: 1}, "changes": {PendingChanges: 1}, "hints": {PendingHints: 1},
	} {
		expect(t, name, counts.Waits(), true)
	}
	idle := Counts{Clock: Clock{1, Seconds}, Log: 1, Met: 1, IncomingBytes: 1, WaitingSince: 1}
	expect(t, "idle", idle.Waits(), false)
}

func TestCountTellsSinceWhenTheOldestWaits(t *testing.T) {
	p := newPeer(t, "alice")
	expect(t, "nothing waits", p.Count(p.now).WaitingSince, 0)
	p.take(message("waits", 1001, cites("x")))
	p.now += second
	p.take(message("waits too", 1001, cites("x")))
	expect(t, "since", p.Count(p.now).WaitingSince, start)
}

func TestFillOfTheOwnFilter(t *testing.T) {
	p := newPeer(t, "alice")
	expect(t, "fill of none", p.FilterFill(), 0)
	p.send("m")
	if fill := p.FilterFill(); fill <= 0 || fill != p.Inspect(p.now).Filter.Fill {
		t.Errorf("the fill is %v", fill)
	}
}
