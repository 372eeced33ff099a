package channel

import (
	"fmt"
	"slices"
	"testing"

	"github.com/libsds/libsds/core/limits"
	"github.com/libsds/libsds/core/wire"
)

func TestMessageOlderThanMissingTimeoutLosesHope(t *testing.T) {
	p := newPeer(t, "alice")
	p.take(message("b1", 1001, cites("x", "y")))
	p.take(message("x", 1000))
	p.now += 600 * second
	p.sweepBuffers()
	p.expectEvents(t)
	expect(t, "changed at the timeout", p.effects.Changed, false)
	p.now++
	p.sweepBuffers()
	p.expectEvents(t, "dependencies_lost b1 [y]", "message_ready b1")
	expect(t, "changed past it", p.effects.Changed, true)
	expect(t, "content", string(p.effects.Events[1].Content), "content of b1")
	expect(t, "log", p.logIDs(), []string{"x", "b1"})
	expect(t, "incoming", p.incomingIDs(), nil)
	p.take(message("y", 999)) // better late than never
	p.expectEvents(t, "message_ready y")
}

func TestLosingHopeIsOldestFirstAndReleasesOthers(t *testing.T) {
	p := newPeer(t, "alice")
	p.take(message("b3", 1003, cites("b2")))
	p.take(message("b2", 1002, cites("b1")))
	p.take(message("c1", 1000, cites("y")))
	p.now += 601 * second
	p.sweepBuffers()
	p.expectEvents(t,
		"dependencies_lost b3 [b2]", "message_ready b3",
		"dependencies_lost b2 [b1]", "message_ready b2",
		"dependencies_lost c1 [y]", "message_ready c1")

	p.take(message("d2", 1002, cites("d1")))
	p.now += 300 * second
	p.take(message("d3", 1001, cites("d2")))
	p.now += 301 * second
	p.sweepBuffers()
	p.expectEvents(t, "dependencies_lost d2 [d1]", "message_ready d2", "message_ready d3")
}

func TestMissingTimeoutOfZeroIsNever(t *testing.T) {
	p := newPeer(t, "alice", func(c *Config) { c.MissingTimeout = 0 })
	p.take(message("b1", 1001, cites("x")))
	p.now += 1 << 50
	p.sweepBuffers()
	p.expectEvents(t)
	expect(t, "incoming", p.incomingIDs(), []string{"b1"})
}

func TestIncomingSweepWithTheClockSetBack(t *testing.T) {
	p := newPeer(t, "alice")
	p.now += 3600 * second
	p.take(message("b1", 1001, cites("x")))
	p.now -= 3600 * second
	p.sweepBuffers()
	p.expectEvents(t)
	expect(t, "to be saved", p.effects.Changed, true) // else a restart would begin to wait anew
	p.sweepBuffers()
	expect(t, "to be saved again", p.effects.Changed, false)
	p.now += 601 * second
	p.sweepBuffers()
	p.expectEvents(t, "dependencies_lost b1 [x]", "message_ready b1")
}

// One that came while the clock was ahead does not hold up those that came after it.
func TestIncomingSweepFindsWhatWaitedLongerThanWhatCameBefore(t *testing.T) {
	p := newPeer(t, "alice")
	p.now += 500 * second
	p.take(message("b1", 1001, cites("x")))
	p.now -= 500 * second
	p.take(message("b2", 1002, cites("y")))
	p.now += 601 * second
	p.sweepBuffers()
	p.expectEvents(t, "dependencies_lost b2 [y]", "message_ready b2")
	p.now += 500 * second
	p.sweepBuffers()
	p.expectEvents(t, "dependencies_lost b1 [x]", "message_ready b1")
}

func TestIncomingOverflowDeliversOldest(t *testing.T) {
	p := newPeer(t, "alice", func(c *Config) { c.Limits.MaxIncomingMessages = 2 })
	p.take(message("b3", 1003, cites("x")))
	p.take(message("b2", 1002, cites("y")))
	receipt := p.take(message("b1", 1001, cites("z")))
	expect(t, "buffered", receipt.Buffered, true)
	p.expectEvents(t, "missing_dependencies b1 [z]", "dependencies_lost b3 [x]", "message_ready b3")
	expect(t, "incoming", p.incomingIDs(), []string{"b2", "b1"})
	expect(t, "log", p.logIDs(), []string{"b3"})
}

func TestIncomingOverflowInBytes(t *testing.T) {
	p := newPeer(t, "alice", func(c *Config) { c.Limits.MaxIncomingBytes = 10_000 })
	large := func(id string) *wire.Message {
		m := message(id, 1000, cites("missing "+id))
		m.Content = make([]byte, 4000)
		return m
	}
	p.take(large("b1"))
	p.take(large("b2"))
	expect(t, "incoming", p.incomingIDs(), []string{"b1", "b2"})
	p.take(large("b3"))
	p.expectEvents(t, "missing_dependencies b3 [missing b3]", "dependencies_lost b1 [missing b1]", "message_ready b1")
	expect(t, "incoming", p.incomingIDs(), []string{"b2", "b3"})
}

func TestIncomingBytesCountEveryDependency(t *testing.T) {
	ids := make([]string, 1000)
	for i := range ids {
		ids[i] = fmt.Sprintf("%04d", i)
	}
	p := newPeer(t, "alice")
	p.take(message("b1", 1000, cites(ids...)))
	if least := len(ids) * limits.MissingOverhead; p.incoming.bytes < least {
		t.Errorf("a message of %d dependencies counts as %d bytes, want at least %d", len(ids), p.incoming.bytes, least)
	}
}

func TestMessageThatGivesWayItselfIsNotBuffered(t *testing.T) {
	tests := []struct {
		name   string
		adjust func(*Config)
	}{
		{"no room at all", func(c *Config) { c.Limits.MaxIncomingMessages = 0 }},
		{"larger than the buffer", func(c *Config) { c.Limits.MaxIncomingBytes = 10 }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := newPeer(t, "alice", test.adjust)
			receipt := p.take(message("b1", 1000, cites("x")))
			p.expectEvents(t, "missing_dependencies b1 [x]", "dependencies_lost b1 [x]", "message_ready b1")
			expect(t, "receipt", receipt, Receipt{MessageID: "b1", Missing: []Dependency{{ID: "x"}}})
		})
	}
	t.Run("released by what gives way", func(t *testing.T) {
		p := newPeer(t, "alice", func(c *Config) { c.Limits.MaxIncomingMessages = 1 })
		p.take(message("b1", 1000, cites("x")))
		receipt := p.take(message("b2", 1001, cites("b1")))
		p.expectEvents(t, "missing_dependencies b2 [b1]", "dependencies_lost b1 [x]", "message_ready b1", "message_ready b2")
		expect(t, "buffered", receipt.Buffered, false)
	})
}

// A chain arrives newest first; then its root releases all of it. The stack
// would not hold so many nested calls of any size, and a quadratic release
// would take minutes.
func TestChainOfHundredThousandIsReleasedByItsRoot(t *testing.T) {
	const length = 100_000
	p := newPeer(t, "", func(c *Config) {
		c.Limits.MaxIncomingMessages, c.Limits.MaxIncomingBytes = length, 1<<30
		c.MaxHistory, c.Durable = length+1, false
	})
	id := func(i int) string { return fmt.Sprintf("%06d", i) }
	for i := length; i > 0; i-- {
		p.Step(p.now, Input{Op: OpReceive, Received: message(id(i), uint64(1000+i), cites(id(i-1)))}, &p.effects)
	}
	expect(t, "waiting", p.incoming.len(), length)
	p.take(message(id(0), 1000))
	expect(t, "announced", len(p.effects.Events), length+1)
	for i, event := range p.effects.Events {
		if event.Type != MessageReady || event.MessageID != id(i) {
			t.Fatalf("event %d is %v %s", i, event.Type, event.MessageID)
		}
	}
	expect(t, "log", p.log.len(), length+1)
}

func TestTenThousandWaitForOneMessage(t *testing.T) {
	const crowd = 10_000
	p := newPeer(t, "")
	var want []string
	for i := range crowd {
		m := message(fmt.Sprintf("%05d", i), 2000, cites("one"))
		want = append(want, "message_ready "+m.ID)
		p.Step(p.now, Input{Op: OpReceive, Received: m}, &p.effects)
	}
	p.take(message("one", 1000))
	p.expectEvents(t, append([]string{"message_ready one"}, want...)...)
	expect(t, "log spares what was delivered just now", p.log.len(), crowd+1)
	p.sweepBuffers()
	expect(t, "log after the next step", p.log.len(), p.cfg.MaxHistory)
}

// Every message of the crowd lacks the same two; taking one out of the middle
// must not disturb the others.
func TestCrowdThatGivesWayOneByOne(t *testing.T) {
	p := newPeer(t, "", func(c *Config) { c.Limits.MaxIncomingMessages = 100 })
	var lost []string
	for i := range 1000 {
		p.take(message(fmt.Sprintf("%04d", i), 2000, cites("one", "two")))
		for _, event := range p.effects.Events {
			if event.Type == DependenciesLost {
				lost = append(lost, event.MessageID)
			}
		}
	}
	expect(t, "given way", len(lost), 900)
	expect(t, "in order of arrival", slices.IsSorted(lost), true)
	p.take(message("one", 1000))
	p.expectEvents(t, "message_ready one")
	p.take(message("two", 1000))
	expect(t, "released", len(p.effects.Events), 101)
}

func TestCyclesWaitUntilTheyLoseHope(t *testing.T) {
	p := newPeer(t, "alice")
	p.take(message("a", 1000, cites("b")))
	p.take(message("b", 1000, cites("c")))
	p.take(message("c", 1000, cites("a", "c")))
	p.take(message("after", 1001, cites("a", "b", "c")))
	expect(t, "incoming", p.incomingIDs(), []string{"a", "b", "c", "after"})
	p.now += 601 * second
	p.sweepBuffers()
	p.expectEvents(t,
		"dependencies_lost a [b]", "message_ready a", "message_ready c", "message_ready b", "message_ready after")
	expect(t, "incoming after", p.incomingIDs(), nil)
}

func TestCycleIsBrokenByMarkingOneMet(t *testing.T) {
	p := newPeer(t, "alice")
	p.take(message("a", 1000, cites("b")))
	p.take(message("b", 1000, cites("a")))
	p.markMet("a")
	p.expectEvents(t, "message_ready b", "message_ready a")
}

func TestIncomingBytesAreThoseOfMessageAndDependencies(t *testing.T) {
	p := newPeer(t, "alice")
	m := message("b1", 1000, from("bob"))
	m.History = []wire.Entry{{ID: "x", SenderID: "carol", Hint: []byte("where it is")}, {ID: "another"}}
	p.take(m)
	size := wire.Store(p.cfg.Format, m).Size()
	expect(t, "bytes", p.incoming.bytes, size+2*limits.MissingOverhead+len("x")+len("carol")+len("where it is")+len("another"))
}

func TestIncomingBytesOfTheBoundAreWithinIt(t *testing.T) {
	first := newPeer(t, "alice")
	first.take(message("b1", 1000, cites("x")))
	for less, waits := range []int{1, 0} {
		p := newPeer(t, "alice", func(c *Config) { c.Limits.MaxIncomingBytes = first.incoming.bytes - less })
		p.take(message("b1", 1000, cites("x")))
		expect(t, "waiting", p.incoming.len(), waits)
	}
}

// TestAFloodLeavesNoRoomBehind: maps do not shrink, so those that grew are made anew once
// they are empty, be it by messages or by what one of them lacks; small ones are kept.
func TestAFloodLeavesNoRoomBehind(t *testing.T) {
	ids := make([]string, keptWaiting+1)
	for i := range ids {
		ids[i] = fmt.Sprint("x", i)
	}
	for _, test := range []struct {
		name  string
		flood func(p *peer)
		kept  bool
	}{
		{"of dependencies, as many as are kept", func(p *peer) { p.take(message("b", 1000, cites(ids[1:]...))) }, true},
		{"of dependencies, one more", func(p *peer) { p.take(message("b", 1000, cites(ids...))) }, false},
		{"of messages", func(p *peer) {
			for i := range ids {
				p.take(message(fmt.Sprint("b", i), 1000, cites("x0")))
			}
		}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newPeer(t, "alice")
			test.flood(p)
			p.take(message("b last", 1000, cites("x1"))) // it is not the end that counts
			p.markMet(ids...)
			expect(t, "waiting", p.incoming.len(), 0)
			expect(t, "maps are kept", p.incoming.byID != nil, test.kept)
			p.take(message("c", 1001, cites("y")))
			expect(t, "waiting again", p.incomingIDs(), []string{"c"})
		})
	}
}
