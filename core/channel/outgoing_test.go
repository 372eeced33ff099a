package channel

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/libsds/libsds/core/bloom"
	"github.com/libsds/libsds/core/snapshot"
	"github.com/libsds/libsds/core/wire"
)

// How many ids make filterOf's filters of 1000 a quarter, half and more than
// three quarters full: fill = 1 - exp(-10 n / 15000).
const (
	nearlyEmpty = 1    // conclusive
	quarterFull = 430  // 0.249^10 is just below 1e-6
	overQuarter = 440  // 0.254^10 is just above it
	halfFull    = 1000 // inconclusive
	nearlyFull  = 2500 // 0.81
)

// Step 6.

func TestAcknowledgeByCitation(t *testing.T) {
	p := newPeer(t, "alice")
	p.send("m1")
	p.send("m2")
	p.send("m3")
	p.take(message("b1", 2000, from("bob"), cites("m3", "x", "m1")))
	p.expectEvents(t, "message_sent m1", "message_sent m3", "missing_dependencies b1 [x]")
	expect(t, "outgoing", p.outgoingIDs(), []string{"m2"})
	p.take(message("b2", 2001, from("bob"), cites("m3", "m1")))
	p.expectEvents(t, "message_ready b2")
}

func TestAcknowledgeWhatTheLogHasForgotten(t *testing.T) {
	p := newPeer(t, "alice", func(c *Config) { c.MaxHistory = 1 })
	p.send("m1")
	p.send("m2")
	expect(t, "log", p.logIDs(), []string{"m2"})
	p.take(message("b1", 2000, from("bob"), cites("m1")))
	p.expectEvents(t, "message_sent m1", "missing_dependencies b1 [m1]")
}

func TestAcknowledgeByConclusiveFilter(t *testing.T) {
	for _, fill := range []int{nearlyEmpty, quarterFull} {
		p := newPeer(t, "alice")
		p.send("m1")
		p.send("m2")
		p.take(message("b1", 2000, from("bob"), withFilter(filterOf(fill, "m2"))))
		p.expectEvents(t, "message_sent m2", "message_ready b1")
		expect(t, "outgoing", p.outgoingIDs(), []string{"m1"})
	}
}

func TestAcknowledgeConfidenceIsConfigured(t *testing.T) {
	tests := []struct {
		confidence float64
		fill       int
		want       bool
	}{
		{1e-6, overQuarter, false},
		{1e-2, halfFull, true},
		{1, nearlyEmpty, true},
		{0, nearlyEmpty, false},
	}
	for _, test := range tests {
		p := newPeer(t, "alice", func(c *Config) { c.AckConfidence = test.confidence })
		p.send("m1")
		p.take(message("b1", 2000, from("bob"), withFilter(filterOf(test.fill, "m1"))))
		expect(t, fmt.Sprintf("confidence %g, %d ids: acknowledged", test.confidence, test.fill), p.outgoing.len() == 0, test.want)
	}
}

// A filter of one position and 64 bits, half of them set, is wrong with a
// probability of exactly one half.
func TestAcknowledgeConfidenceItselfIsNotEnough(t *testing.T) {
	for confidence, want := range map[float64]bool{0.5: false, 0.51: true} {
		p := newPeer(t, "alice", func(c *Config) { c.AckConfidence = confidence })
		p.send("m1")
		lower := rawFilter([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}, 1, 64)
		upper := rawFilter([]byte{0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, 1, 64)
		p.take(message("b1", 2000, from("bob"), withFilter(lower)))
		p.take(message("b2", 2000, from("bob"), withFilter(upper)))
		expect(t, fmt.Sprintf("confidence %g: acknowledged", confidence), p.outgoing.len() == 0, want)
	}
}

func TestPossibleAcknowledgementNeedsAnotherMessage(t *testing.T) {
	p := newPeer(t, "alice")
	p.send("m1")
	filter := withFilter(filterOf(halfFull, "m1"))
	p.take(message("s1", 2000, filter, empty)) // a sync message is not known when it comes again
	expect(t, "witnesses", p.Meta().Outgoing[0].Witnesses, []snapshot.Witness{{MessageID: "s1"}})
	p.take(message("s1", 2000, filter, empty))
	expect(t, "outgoing after the same message", p.outgoingIDs(), []string{"m1"})
	p.take(message("s2", 2001, filter, empty))
	p.expectEvents(t, "message_sent m1")
}

func TestPossibleAcknowledgementNeedsAnotherSender(t *testing.T) {
	p := newPeer(t, "alice")
	p.send("m1")
	filter := withFilter(filterOf(halfFull, "m1"))
	p.take(message("b1", 2000, from("bob"), filter))
	p.take(message("b2", 2001, from("bob"), filter))
	p.expectEvents(t, "message_ready b2")
	expect(t, "witnesses", p.Meta().Outgoing[0].Witnesses, []snapshot.Witness{{MessageID: "b1", SenderID: "bob"}})
	p.take(message("c1", 2002, from("carol"), filter))
	p.expectEvents(t, "message_sent m1", "message_ready c1")
}

func TestPossibleAcknowledgementByAnUnnamedSender(t *testing.T) {
	p := newPeer(t, "alice")
	p.send("m1")
	filter := withFilter(filterOf(halfFull, "m1"))
	p.take(message("b1", 2000, from("bob"), filter))
	p.take(message("u1", 2001, filter))
	p.expectEvents(t, "message_sent m1", "message_ready u1")
}

func TestPossibleAcknowledgementThreshold(t *testing.T) {
	for threshold := 1; threshold <= 4; threshold++ {
		p := newPeer(t, "alice", func(c *Config) { c.PossibleAckThreshold = threshold })
		p.send("m1")
		filter := withFilter(filterOf(halfFull, "m1"))
		for i := 1; i <= threshold; i++ {
			expect(t, "unacknowledged", p.outgoing.len(), 1)
			p.take(message(fmt.Sprintf("b%d", i), 2000, from(fmt.Sprintf("peer %d", i)), filter))
		}
		expect(t, fmt.Sprintf("unacknowledged after %d", threshold), p.outgoing.len(), 0)
	}
}

func TestFilterOverThreeQuartersWitnessesNothing(t *testing.T) {
	p := newPeer(t, "alice", func(c *Config) { c.PossibleAckThreshold, c.AckConfidence = 1, 1 })
	p.send("m1")
	p.take(message("b1", 2000, from("bob"), withFilter(filterOf(nearlyFull, "m1"))))
	p.expectEvents(t, "message_ready b1")
	expect(t, "witnesses", p.Meta().Outgoing[0].Witnesses, nil)

	ones := make([]byte, 1024)
	for i := range ones {
		ones[i] = 0xff
	}
	p.take(message("b2", 2001, from("carol"), withFilter(rawFilter(ones, 10, 8192))))
	p.expectEvents(t, "message_ready b2")
}

func TestFilterOutOfBoundsIsIgnoredAndTheMessageIsNot(t *testing.T) {
	zeros, ones := make([]byte, 64), make([]byte, 64)
	for i := range ones {
		ones[i] = 0x0f // half full, and holds m1 or not: nothing must be looked at
	}
	tests := []struct {
		name   string
		filter []byte
	}{
		{"m is 0", rawFilter(zeros, 10, 0)},
		{"m is beyond its data", rawFilter(ones, 10, 513)},
		{"m is far beyond its data", rawFilter(ones, 10, 1<<63)},
		{"k is 0, so that it holds everything", rawFilter(zeros, 0, 512)},
		{"k is 2^40", rawFilter(ones, 1<<40, 512)},
		{"k is 65", rawFilter(ones, 65, 512)},
		{"data is no whole number of words", rawFilter(ones[:63], 10, 500)},
		{"data is empty", rawFilter(nil, 10, 1)},
		{"data is over 1 MiB", rawFilter(make([]byte, 1<<20+8), 10, 8)},
		{"not protobuf", []byte{0xff, 0xff, 0xff}},
		{"truncated", filterOf(1, "m1")[:100]},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := newPeer(t, "alice", func(c *Config) { c.PossibleAckThreshold, c.AckConfidence = 1, 1 })
			p.send("m1")
			p.take(message("b1", 2000, from("bob"), withFilter(test.filter)))
			p.expectEvents(t, "message_ready b1")
			expect(t, "outgoing", p.outgoingIDs(), []string{"m1"})
			p.take(message("b2", 2000, from("bob"), withFilter(test.filter), cites("m1")))
			p.expectEvents(t, "message_sent m1", "message_ready b2")
		})
	}
}

// rawFilter encodes a filter that nobody would make.
func rawFilter(data []byte, k, m uint64) []byte {
	b := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), data)
	b = protowire.AppendVarint(protowire.AppendTag(b, 4, protowire.VarintType), k)
	return protowire.AppendVarint(protowire.AppendTag(b, 5, protowire.VarintType), m)
}

func TestFilterOfTheOtherDialectAcknowledges(t *testing.T) {
	lipFilter := bloom.NewRolling(bloom.Murmur3, 10000, 0.001)
	lipFilter.Add(bloom.Murmur3.Sum("m1"))
	sdsFilter := filterOf(1, "m1")
	tests := []struct {
		ours, theirs wire.Format
		filter       []byte
	}{
		{wire.SDS04, wire.LIP109, lipFilter.AppendTo(nil)},
		{wire.LIP109, wire.SDS04, sdsFilter},
		{wire.LIP109, wire.LIP109, lipFilter.AppendTo(nil)},
	}
	for _, test := range tests {
		p := newPeer(t, "alice", func(c *Config) { c.Format = test.ours })
		p.send("m1")
		m := message("b1", 2000, from("bob"), withFilter(test.filter))
		m.Format = test.theirs
		p.take(m)
		p.expectEvents(t, "message_sent m1", "message_ready b1")
	}
}

// The outgoing sweep.

func TestResendAfterTheInterval(t *testing.T) {
	p := newPeer(t, "alice")
	first := decode(t, p.send("m1"))
	p.take(message("b1", 5000, from("bob")))
	p.now += 60 * second
	p.sweepBuffers()
	p.expectEvents(t)
	expect(t, "changed at the interval", p.effects.Changed, false)
	p.now++
	p.sweepBuffers()
	p.expectEvents(t, "resend_ready m1 attempt 1")
	expect(t, "changed past it", p.effects.Changed, true)
	again := decode(t, p.effects.Events[0].Message)
	view, ok := bloom.ParseSDS(again.Filter)
	expect(t, "current filter", ok && view.Contains(bloom.FarmHash.Sum("b1")), true)
	again.Filter, first.Filter = nil, nil
	expect(t, "all but the filter", again, first)
	kept := p.Meta().Outgoing[0]
	expect(t, "attempts", kept.Attempts, 1)
	expect(t, "sent at", kept.SendTime, p.now)
}

func TestResendKeepsTheCausalHistory(t *testing.T) {
	p := newPeer(t, "alice", func(c *Config) { c.MaxHistory = 2 })
	p.take(message("b1", 1000, from("bob")))
	p.LearnHint("b1", []byte("where"))
	want := decode(t, p.send("m1")).History
	p.take(message("b2", 6000, from("bob")))
	p.take(message("b3", 6001, from("bob"))) // m1 and what it cites are forgotten
	p.now += 61 * second
	p.sweepBuffers()
	expect(t, "history", decode(t, p.effects.Events[0].Message).History, want)
	expect(t, "what it cites", want, []wire.Entry{{ID: "b1", SenderID: "bob", Hint: []byte("where")}})
}

func TestPossiblyAcknowledgedWaitsTwiceAsLong(t *testing.T) {
	p := newPeer(t, "alice")
	p.send("m1")
	p.send("m2")
	p.take(message("b1", 2000, from("bob"), withFilter(filterOf(halfFull, "m1"))))
	p.now += 120 * second
	p.sweepBuffers()
	p.expectEvents(t, "resend_ready m2 attempt 1")
	p.now++
	p.sweepBuffers()
	p.expectEvents(t, "resend_ready m1 attempt 1")
}

func TestDeliveryFailsAfterMaxResendAttempts(t *testing.T) {
	for _, most := range []int{0, 1, 5} {
		p := newPeer(t, "alice", func(c *Config) { c.MaxResendAttempts = most })
		p.send("m1")
		for attempt := 1; attempt <= most; attempt++ {
			p.now += 61 * second
			p.sweepBuffers()
			p.expectEvents(t, fmt.Sprintf("resend_ready m1 attempt %d", attempt))
		}
		p.now += 61 * second
		p.sweepBuffers()
		p.expectEvents(t, fmt.Sprintf("message_delivery_failed m1 attempt %d", most))
		expect(t, "outgoing", p.outgoingIDs(), nil)
		expect(t, "log", p.logIDs(), []string{"m1"})
		p.take(message("b1", 5000, from("bob"), cites("m1"))) // too late to matter
		p.expectEvents(t, "message_ready b1")
	}
}

func TestResendsAreInTheOrderOfSending(t *testing.T) {
	p := newPeer(t, "alice")
	p.send("z")
	p.send("a")
	p.now += 30 * second
	p.send("young")
	p.now += 31 * second
	p.sweepBuffers()
	p.expectEvents(t, "resend_ready z attempt 1", "resend_ready a attempt 1")
}

func TestOutgoingSweepWithTheClockSetBack(t *testing.T) {
	p := newPeer(t, "alice")
	p.now += 3600 * second
	p.send("m1")
	p.now -= 3600 * second
	p.sweepBuffers()
	p.expectEvents(t)
	expect(t, "to be saved", p.effects.Changed, true) // else a restart would begin to wait anew
	p.sweepBuffers()
	expect(t, "to be saved again", p.effects.Changed, false)
	p.now += 61 * second
	p.sweepBuffers()
	p.expectEvents(t, "resend_ready m1 attempt 1")
}

// A burst that was acknowledged leaves no room for another one behind; what little
// traffic takes is kept.
func TestOutgoingBufferOfABurstGoesWithIt(t *testing.T) {
	for room, kept := range map[int]int{keptItems: keptItems, keptItems + 1: 0} {
		p := newPeer(t, "alice", bounded(1))
		p.outgoing.items = make([]outgoingItem, 0, room)
		p.send("m1")
		p.send("m2")
		p.take(message("b1", 2000, from("bob"), cites("m1")))
		expect(t, "outgoing", p.outgoingIDs(), []string{"m2"})
		expect(t, "room", cap(p.outgoing.items), room)
		p.take(message("b2", 2001, from("bob"), cites("m2")))
		expect(t, "outgoing", p.outgoing.len(), 0)
		expect(t, "room", cap(p.outgoing.items), kept)
		expect(t, "what the log has evicted", len(p.outgoing.evicted), 0)
	}
}

func TestEveryMessageThatWasResentOftenEnoughFails(t *testing.T) {
	p := newPeer(t, "alice", func(c *Config) { c.MaxResendAttempts = 0 })
	p.send("m1")
	p.send("m2")
	p.now += 61 * second
	p.send("m3")
	p.sweepBuffers()
	p.expectEvents(t, "message_delivery_failed m1 attempt 0", "message_delivery_failed m2 attempt 0")
	expect(t, "outgoing", p.outgoingIDs(), []string{"m3"})
}

// A filter of 64 bits and one position for each id.
func TestFilterIsCredibleUpToThreeQuarters(t *testing.T) {
	for bits, acknowledged := range map[int]int{48: 1, 49: 0} {
		p := newPeer(t, "alice", func(c *Config) { c.PossibleAckThreshold = 1 })
		p.send("m1")
		position := int(bloom.FarmHash.Sum("m1").A % 64)
		data := make([]byte, 8)
		for i := range bits { // that of the message, and those that follow it
			at := (position + i) % 64
			data[at/8] |= 1 << (at % 8)
		}
		filter := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), data)
		filter = protowire.AppendVarint(protowire.AppendTag(filter, 4, protowire.VarintType), 1)
		filter = protowire.AppendVarint(protowire.AppendTag(filter, 5, protowire.VarintType), 64)
		p.take(message("b1", 2000, from("bob"), withFilter(filter)))
		expect(t, fmt.Sprint(bits, " bits: outgoing"), p.outgoing.len(), 1-acknowledged)
	}
}
