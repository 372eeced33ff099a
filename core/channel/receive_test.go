package channel

import (
	"bytes"
	"math"
	"testing"

	"github.com/libsds/libsds/core/limits"
	"github.com/libsds/libsds/core/wire"
)

// Step 2.

func TestReceiveTakesTheIDOutOfBothRepairBuffers(t *testing.T) {
	tests := []struct {
		name    string
		arrival *wire.Message
	}{
		{"delivered", message("b1", 1000)},
		{"buffered", message("b1", 1000, cites("other"))},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := newPeer(t, "alice")
			p.take(message("b2", 1001, cites("b1")))
			expect(t, "asking before", p.asking.has("b1"), true)
			p.take(test.arrival)
			expect(t, "asking after", p.asking.has("b1"), false)
		})
	}
	t.Run("duplicate", func(t *testing.T) {
		p := newPeer(t, "alice")
		p.take(message("b1", 1000, from("bob")))
		p.take(message("c1", 1001, from("carol"), asks("bob", "b1")))
		expect(t, "asked before", p.asked.has("b1"), true)
		p.take(message("b1", 1000, from("bob"))) // somebody else has answered
		expect(t, "asked after", p.asked.has("b1"), false)
	})
}

// TestASyncMessageIsNotWhatIsMissing, whatever its id: or it would stop asking and
// answering.
func TestASyncMessageIsNotWhatIsMissing(t *testing.T) {
	p := newPeer(t, "alice")
	p.take(message("b2", 1001, from("bob"), cites("b1")))
	p.take(message("b3", 1002, from("bob")))
	p.take(message("c1", 1003, from("carol"), asks("bob", "b3")))
	p.take(message("b1", 1004, empty))
	p.take(message("b3", 1005, empty))
	expect(t, "asking", repairIDs(&p.asking), []string{"b1"})
	expect(t, "asked", repairIDs(&p.asked), []string{"b3"})
}

// Step 3.

func TestDuplicateDeliversNothingButItsRequestsCount(t *testing.T) {
	p := newPeer(t, "alice")
	p.send("m1")
	p.take(message("b1", 1000, from("bob")))
	p.take(message("b2", 1000, from("bob"), cites("x")))
	clock := p.clock
	receipt := p.take(message("b1", 5000, from("bob"), cites("m1", "y"), asks("alice", "m1", "x")))
	expect(t, "receipt", receipt, Receipt{MessageID: "b1", SenderID: "bob", Duplicate: true})
	p.expectEvents(t)
	expect(t, "changed", p.effects.Changed, true)
	expect(t, "clock", p.clock, clock)
	expect(t, "outgoing", p.outgoingIDs(), []string{"m1"})
	expect(t, "asking", repairIDs(&p.asking), nil)
	expect(t, "asked", repairIDs(&p.asked), []string{"m1"})
	expect(t, "ids in the filter", p.filter.Len(), 3)
}

func TestOwnMessageAfterStateLossAcknowledgesNothing(t *testing.T) {
	p := newPeer(t, "alice")
	p.send("m1")
	echo := message("lost", 2000, from("alice"), cites("m1"), withFilter(filterOf(1, "m1")))
	receipt := p.take(echo)
	expect(t, "receipt", receipt, Receipt{MessageID: "lost", SenderID: "alice"})
	p.expectEvents(t, "message_ready lost")
	expect(t, "clock", p.clock, uint64(2000))
	expect(t, "outgoing", p.outgoingIDs(), []string{"m1"})
	expect(t, "log", p.logIDs(), []string{"m1", "lost"})

	p.take(message("lost too", 2001, from("alice"), cites("gone")))
	p.expectEvents(t, "missing_dependencies lost too [gone]")
}

func TestOwnRequestsAreNotTakenForAPeers(t *testing.T) {
	for _, known := range []bool{true, false} {
		p := newPeer(t, "alice")
		p.take(message("b1", 1000, from("bob")))
		p.take(message("b2", 1001, from("bob"), cites("x")))
		p.now += 300 * second
		payload := p.send("m1")
		if !known {
			own := p.log.get("m1")
			p.log.remove(own)
			p.evicted(own)
		}
		m := decode(t, payload)
		m.RepairRequests = append(m.RepairRequests, wire.Entry{ID: "b1", SenderID: "bob"})
		p.take(m)
		expect(t, "asking", repairIDs(&p.asking), []string{"x"})
		expect(t, "asked", repairIDs(&p.asked), nil)
	}
}

func TestUnnamedParticipantTakesUnnamedSendersForOthers(t *testing.T) {
	p := newPeer(t, "")
	p.send("m1")
	p.take(message("b1", 1000, cites("m1")))
	p.expectEvents(t, "message_sent m1", "message_ready b1")
}

func TestForgottenOwnMessageThatComesBackIsStillAcknowledgedByCitation(t *testing.T) {
	for _, restart := range []bool{false, true} {
		p := newPeer(t, "alice", func(c *Config) { c.MaxHistory = 1 })
		echo := p.send("m1")
		p.take(message("b1", 5000, from("bob"))) // pushes m1 out of the log
		p.receive(echo)
		if restart {
			p = p.restarted()
		}
		expect(t, "log", p.logIDs(), []string{"m1"})
		expect(t, "outgoing", p.outgoingIDs(), []string{"m1"})
		p.take(message("b2", 5001, from("bob"), cites("m1")))
		p.expectEvents(t, "message_sent m1", "message_ready b2")
	}
}

// Step 4.

func TestBufferedAgainReportsWhatIsMissingNow(t *testing.T) {
	p := newPeer(t, "alice")
	p.send("m1")
	late := func() *wire.Message { return message("b9", 3000, from("bob"), cites("x", "y", "z")) }
	p.take(late())
	p.take(message("y", 999))
	before, filtered := p.Meta(), p.filter.Len()
	again := late()
	again.Lamport = 9000
	again.History = append(again.History, wire.Entry{ID: "m1"}, wire.Entry{ID: "new"})
	receipt := p.take(again)
	expect(t, "receipt", receipt, Receipt{
		MessageID: "b9", SenderID: "bob", Buffered: true,
		Missing: []Dependency{{ID: "x"}, {ID: "z"}},
	})
	p.expectEvents(t)
	expect(t, "changed", p.effects.Changed, true)
	expect(t, "meta", p.Meta(), before)
	expect(t, "ids in the filter", p.filter.Len(), filtered)
}

// Step 5.

func TestReceiveClockNeverBeyondDrift(t *testing.T) {
	const drift = 86400 // testConfig's, in seconds
	tests := []struct {
		name           string
		clock, lamport uint64
		now            int64
		want           uint64
	}{
		{"behind the clock", 1000, 900, start, 1000},
		{"ahead of the clock", 1000, 1500, start, 1500},
		{"as far as the drift", 1000, 1000 + drift, start, 1000 + drift},
		{"one beyond the drift", 1000, 1000 + drift + 1, start, 1000 + drift},
		{"the largest", 1000, limits.MaxLamport, start, 1000 + drift},
		{"not of this world", 1000, math.MaxUint64, start, 1000 + drift},
		{"the clock is beyond the drift already", 1 << 40, limits.MaxLamport, start, 1 << 40},
		{"the end of time", 1000, limits.MaxLamport, math.MaxInt64, math.MaxInt64 / 1000},
		{"before 1970", 0, 10, -10 * drift * second, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := newPeer(t, "alice")
			p.clock, p.now = test.clock, test.now
			p.take(message("b1", test.lamport))
			expect(t, "clock", p.clock, test.want)
			expect(t, "next", decode(t, p.send("m1")).Lamport, max(test.want+1, uint64(max(p.now, 0))/1000))
		})
	}
}

// Step 8.

func TestFilterHoldsWhatWasReceivedNotWhatWasDelivered(t *testing.T) {
	p := newPeer(t, "alice")
	p.take(message("b1", 1000))
	p.take(message("b3", 1002, cites("b2")))
	for id, want := range map[string]bool{"b1": true, "b2": false, "b3": true} {
		expect(t, id, p.filterHolds(id), want)
	}
}

func TestDependencyIsMetByLogOrMetSet(t *testing.T) {
	p := newPeer(t, "alice")
	p.take(message("logged", 1000))
	p.markMet("declared")
	p.take(message("waiting", 1001, cites("nowhere")))
	receipt := p.take(message("b1", 1002, cites("logged", "declared", "waiting", "nowhere")))
	expect(t, "missing", receipt.Missing, []Dependency{{ID: "waiting"}, {ID: "nowhere"}})
	receipt = p.take(message("b2", 1002, cites("logged", "declared")))
	expect(t, "receipt", receipt, Receipt{MessageID: "b2"})
	p.expectEvents(t, "message_ready b2")
}

func TestDependencyOnItselfIsIgnored(t *testing.T) {
	p := newPeer(t, "alice")
	p.take(message("b1", 1000, cites("b1")))
	p.expectEvents(t, "message_ready b1")
	receipt := p.take(message("b2", 1000, cites("b2", "x")))
	expect(t, "missing", receipt.Missing, []Dependency{{ID: "x"}})
}

func TestDependencyCitedTwiceIsMissingOnce(t *testing.T) {
	p := newPeer(t, "alice")
	receipt := p.take(message("b1", 1000, cites("x", "y", "x")))
	expect(t, "missing", receipt.Missing, []Dependency{{ID: "x"}, {ID: "y"}})
	p.take(message("x", 900))
	p.expectEvents(t, "message_ready x")
	p.take(message("y", 901))
	p.expectEvents(t, "message_ready y", "message_ready b1")
}

func TestMissingDependencyTellsWhatIsKnownOfIt(t *testing.T) {
	p := newPeer(t, "alice")
	known := wire.Entry{ID: "x", SenderID: "carol", Hint: []byte("where")}
	m := message("b1", 1000, from("bob"))
	m.History = []wire.Entry{known}
	receipt := p.receive(wire.Append(nil, wire.SDS04, m, nil)) // destroys the payload
	want := []Dependency{known}
	expect(t, "receipt", receipt.Missing, want)
	expect(t, "event", p.effects.Events[0].Deps, want)
	p.now += 300 * second
	expect(t, "request", decode(t, p.send("m1")).RepairRequests, []wire.Entry{known})
}

// Step 9.

func TestDeliverAnnouncesLogsAndIsReadyAtOnce(t *testing.T) {
	p := newPeer(t, "alice")
	receipt := p.take(message("b1", 1000, from("bob")))
	expect(t, "receipt", receipt, Receipt{MessageID: "b1", SenderID: "bob"})
	p.expectEvents(t, "message_ready b1")
	expect(t, "content of the event", string(p.effects.Events[0].Content), "content of b1")
	expect(t, "log", p.logIDs(), []string{"b1"})
}

func TestReadyEventOfABufferedMessageHasItsContent(t *testing.T) {
	p := newPeer(t, "alice")
	p.take(message("b2", 1001, cites("b1")))
	p.take(message("b1", 1000))
	p.expectEvents(t, "message_ready b1", "message_ready b2")
	expect(t, "content", string(p.effects.Events[1].Content), "content of b2")
}

func TestReleaseOrderIsLamportThenID(t *testing.T) {
	p := newPeer(t, "alice")
	p.take(message("c", 1002, cites("root")))
	p.take(message("b", 1002, cites("root")))
	p.take(message("d", 1001, cites("root")))
	p.take(message("a", 1003, cites("root")))
	p.take(message("other", 1000, cites("another")))
	p.take(message("root", 2000)) // its own timestamp does not matter
	p.expectEvents(t, "message_ready root", "message_ready d", "message_ready b", "message_ready c", "message_ready a")
}

func TestReleasedMessageComesAfterWhatReleasedIt(t *testing.T) {
	p := newPeer(t, "alice")
	// Timestamps that contradict the dependencies.
	p.take(message("d", 1001, cites("c", "b")))
	p.take(message("c", 1009, cites("a")))
	p.take(message("b", 1005, cites("a")))
	p.take(message("e", 1006, cites("b")))
	p.take(message("a", 1000))
	p.expectEvents(t, "message_ready a", "message_ready b", "message_ready e", "message_ready c", "message_ready d")
	expect(t, "log", p.logIDs(), []string{"a", "d", "b", "e", "c"})
}

func TestSyncMessageCountsButIsNotKept(t *testing.T) {
	p := newPeer(t, "alice")
	p.send("m1")
	p.take(message("b1", 1000, from("bob"), cites("x")))
	filtered := p.filter.Len()
	receipt := p.take(message("s1", 2000, from("bob"), empty, cites("m1", "y"), asks("alice", "m1", "x")))
	expect(t, "receipt", receipt, Receipt{MessageID: "s1", SenderID: "bob", Missing: []Dependency{{ID: "y"}}})
	p.expectEvents(t, "message_sent m1", "missing_dependencies s1 [y]")
	expect(t, "clock", p.clock, uint64(2000))
	expect(t, "asking", repairIDs(&p.asking), []string{"y"})
	expect(t, "asked", repairIDs(&p.asked), []string{"m1"})
	expect(t, "log", p.logIDs(), []string{"m1"})
	expect(t, "incoming", p.incomingIDs(), []string{"b1"})
	expect(t, "ids in the filter", p.filter.Len(), filtered)
	p.take(message("b2", 2001, cites("s1")))
	p.expectEvents(t, "missing_dependencies b2 [s1]")
}

func TestEphemeralMessageIsReadyAndNothingElse(t *testing.T) {
	p := newPeer(t, "alice")
	p.send("m1")
	p.take(message("b1", 1000, from("bob"), cites("x")))
	before, filtered := p.Meta(), p.filter.Len()
	for range 2 { // there is no memory to tell a duplicate
		receipt := p.take(message("x", 0, timeless, from("bob"), cites("m1", "y"), asks("alice", "m1")))
		expect(t, "receipt", receipt, Receipt{MessageID: "x", SenderID: "bob"})
		p.expectEvents(t, "message_ready x")
	}
	expect(t, "meta", p.Meta(), before)
	expect(t, "log", p.logIDs(), []string{"m1"})
	expect(t, "ids in the filter", p.filter.Len(), filtered)
}

func TestReceivedMemoryIsCopied(t *testing.T) {
	p := newPeer(t, "alice")
	waits := message("b2", 1001, from("bob"), asks("alice", "m1"), withFilter(filterOf(500, "m1")))
	waits.History = []wire.Entry{{ID: "b1", SenderID: "bob", Hint: []byte("where")}}
	p.send("m1")
	var receipts [2]Receipt
	receipts[0] = p.receive(wire.Append(nil, wire.SDS04, waits, wire.RawFilter(waits.Filter)))
	before := p.Meta()
	expect(t, "missing", before.Incoming[0].Missing[0].MessageID, "b1")
	expect(t, "witness", before.Outgoing[0].Witnesses[0].SenderID, "bob")
	receipts[1] = p.receive(wire.Append(nil, wire.SDS04, message("b1", 1000, from("bob")), nil))
	expect(t, "receipts", []string{receipts[0].MessageID, receipts[0].SenderID, receipts[1].MessageID}, []string{"b2", "bob", "b1"})
	expect(t, "log", p.logIDs(), []string{"b1", "m1", "b2"})
	expect(t, "content", string(p.log.get("b2").stored.Content()), "content of b2")
}

func TestNothingOfAPayloadIsKept(t *testing.T) {
	filter := filterOf(halfFull, "own")
	messages := []*wire.Message{
		message("plain", 1000),
		message("signed", 1001, from("bob")),
		message("buffered", 1002, cites("gone", "plain")),
		message("buffered-signed", 1003, from("bob"), cites("gone2"), withFilter(filter)),
		message("asking", 1004, from("carol"), asks("bob", "signed"), asks("alice", "own")),
		{ID: "sync", ChannelID: "channel", Lamport: 1005, HasLamport: true, History: []wire.Entry{{ID: "gone3", SenderID: "bob", Hint: []byte("hint")}}},
		{ID: "ephemeral", ChannelID: "channel", Content: []byte("now")},
	}
	untouched, clobbered := newPeer(t, "alice"), newPeer(t, "alice")
	untouched.send("own")
	clobbered.send("own")
	lim := limits.Default()
	var was, is Effects
	for _, m := range messages {
		payload := wire.Append(nil, wire.SDS04, m, wire.RawFilter(m.Filter))
		for _, side := range []struct {
			peer    *peer
			effects *Effects
			payload []byte
		}{{untouched, &was, bytes.Clone(payload)}, {clobbered, &is, payload}} {
			var received wire.Message
			if err := wire.Decode(side.payload, &lim, &received); err != nil {
				t.Fatal(err)
			}
			side.peer.Step(side.peer.now, Input{Op: OpReceive, Received: &received}, side.effects)
		}
		for i := range payload {
			payload[i] = '#'
		}
		expect(t, m.ID+": events", is.Events, was.Events)
		expect(t, m.ID+": receipt", is.Receipt, was.Receipt)
		expect(t, m.ID+": meta", clobbered.Meta(), untouched.Meta())
		expect(t, m.ID+": log", clobbered.logIDs(), untouched.logIDs())
		clobbered.log.all(func(e *entry) { expect(t, m.ID+": sender", e.sender, untouched.log.get(e.id).sender) })
	}
}

// TestAnEchoThatNamesNoSenderAcknowledgesNothingEither: without a participant id, and
// with one in a format that has no room for it.
func TestAnEchoThatNamesNoSenderAcknowledgesNothingEither(t *testing.T) {
	for name, format := range map[string]wire.Format{"": wire.SDS04, "alice": wire.SDS02} {
		t.Run(format.String(), func(t *testing.T) {
			p := newPeer(t, name, func(c *Config) { c.MaxHistory, c.Format = 2, format })
			var payloads [][]byte
			for _, id := range []string{"m1", "m2", "m3", "m4"} {
				payloads = append(payloads, p.send(id))
			}
			sync := p.step(Input{Op: OpSendSync}).Encoded
			p.take(decode(t, sync))
			p.expectEvents(t)
			p.take(decode(t, payloads[1]))                    // evicted from the log, and cites m1
			p.expectEvents(t, "missing_dependencies m2 [m1]") // which the log has evicted, too
			expect(t, "outgoing", p.outgoingIDs(), []string{"m1", "m2", "m3", "m4"})
		})
	}
}

// Without an id of ours, only a sync message that says nothing of its sender and has the
// very id that ours would have is taken for an echo.
func TestOnlyTheVeryEchoOfASyncMessageIsOurs(t *testing.T) {
	const lamport = 2000
	for _, test := range []struct {
		name  string
		id    func(p *peer) string
		parts []part
		own   bool
	}{
		{"ours", func(p *peer) string { return p.syncID(lamport) }, []part{empty}, true},
		{"of another id", func(*peer) string { return "sync" }, []part{empty}, false},
		{"with content", func(p *peer) string { return p.syncID(lamport) }, nil, false},
		{"with a sender", func(p *peer) string { return p.syncID(lamport) }, []part{empty, from("bob")}, false},
		{"of another time", func(p *peer) string { return p.syncID(lamport + 1) }, []part{empty}, false},
	} {
		p := newPeer(t, "")
		p.send("m1")
		p.take(message(test.id(p), lamport, append(test.parts, cites("m1"))...))
		expect(t, test.name+": waits for an acknowledgement", p.outgoing.len() == 1, test.own)
	}
}
