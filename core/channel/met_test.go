package channel

import (
	"fmt"
	"testing"
)

func TestMarkMetJoinsMetSetAndFilter(t *testing.T) {
	p := newPeer(t, "alice")
	p.markMet("x", "y", "x")
	p.expectEvents(t)
	expect(t, "changed", p.effects.Changed, true)
	expect(t, "met", p.Meta().Met, []string{"x", "y"})
	expect(t, "x in the filter", p.filterHolds("x"), true)
	expect(t, "ids in the filter", p.filter.Len(), 2)
	expect(t, "log", p.logIDs(), nil)
}

func TestMarkMetLeavesBothRepairBuffers(t *testing.T) {
	p := newPeer(t, "alice")
	p.take(message("b1", 1000, from("bob")))
	p.take(message("c1", 1001, from("carol"), cites("x"), asks("bob", "b1")))
	expect(t, "asking before", repairIDs(&p.asking), []string{"x"})
	expect(t, "asked before", repairIDs(&p.asked), []string{"b1"})
	p.markMet("x", "b1")
	expect(t, "asking after", repairIDs(&p.asking), nil)
	expect(t, "asked after", repairIDs(&p.asked), nil)
}

func TestMarkMetDeliversWhatBecameComplete(t *testing.T) {
	p := newPeer(t, "alice")
	p.take(message("b1", 1009, cites("x")))
	p.take(message("b2", 1001, cites("b1")))
	p.take(message("b3", 1002, cites("x", "y")))
	p.take(message("b4", 1000, cites("x", "z")))
	p.markMet("x", "y")
	p.expectEvents(t, "message_ready b3", "message_ready b1", "message_ready b2")
	expect(t, "content", string(p.effects.Events[0].Content), "content of b3")
	expect(t, "incoming", p.incomingIDs(), []string{"b4"})
	expect(t, "missing", p.take(message("b4", 1000)).Missing, []Dependency{{ID: "z"}})
}

func TestMarkMetOfALoggedMessageIsNotNoted(t *testing.T) {
	p := newPeer(t, "alice")
	p.take(message("b1", 1000))
	p.markMet("b1")
	expect(t, "met", p.Meta().Met, nil)
	expect(t, "ids in the filter", p.filter.Len(), 1)
}

func TestMarkMetOfNothing(t *testing.T) {
	p := newPeer(t, "alice")
	p.markMet()
	p.expectEvents(t)
	expect(t, "changed", p.effects.Changed, true)
}

func TestMetMessageThatArrivesIsDeliveredAndLeavesTheSet(t *testing.T) {
	p := newPeer(t, "alice")
	p.markMet("x", "y")
	p.take(message("x", 1000))
	p.expectEvents(t, "message_ready x")
	expect(t, "met", p.Meta().Met, []string{"y"})
	expect(t, "log", p.logIDs(), []string{"x"})
}

func TestMarkMetOfABufferedMessageMeetsOthersOnly(t *testing.T) {
	p := newPeer(t, "alice")
	p.take(message("b1", 1000, cites("x")))
	p.take(message("b2", 1001, cites("b1")))
	p.markMet("b1")
	p.expectEvents(t, "message_ready b2")
	expect(t, "incoming", p.incomingIDs(), []string{"b1"})
	p.take(message("x", 999))
	p.expectEvents(t, "message_ready x", "message_ready b1")
}

func TestMetSetIsBounded(t *testing.T) {
	p := newPeer(t, "alice", func(c *Config) { c.FilterCapacity = 3 })
	for i := range 5 {
		p.markMet(fmt.Sprintf("x%d", i))
	}
	expect(t, "met", p.Meta().Met, []string{"x2", "x3", "x4"})
	p.markMet("x2") // again: it does not become younger
	p.markMet("x5")
	expect(t, "met", p.Meta().Met, []string{"x3", "x4", "x5"})
	expect(t, "missing", p.take(message("b1", 1000, cites("x1", "x5"))).Missing, []Dependency{{ID: "x1"}})
}
