package channel

import "testing"

func TestEventTypesBearTheNamesOfTheCAPI(t *testing.T) {
	want := []string{
		"unknown", "message_ready", "message_sent", "missing_dependencies", "periodic_sync",
		"repair_ready", "resend_ready", "message_delivery_failed", "dependencies_lost", "unknown",
	}
	for number, name := range want {
		expect(t, "name", EventType(number).String(), name)
	}
	expect(t, "name", EventType(255).String(), "unknown")
}

func TestEveryStepReplacesTheEffectsOfTheLast(t *testing.T) {
	p := newPeer(t, "alice")
	p.take(message("b2", 1001, cites("b1")))
	p.sweepRepairs()
	expect(t, "changed", p.effects.Changed, false)
	expect(t, "events", len(p.effects.Events), 0)
	expect(t, "receipt", p.effects.Receipt, Receipt{})
}

func TestReleasedEffectsHoldNoMessages(t *testing.T) {
	p := newPeer(t, "alice")
	for _, id := range names {
		for _, other := range names {
			p.take(message(id+other, 1001, cites("x")))
		}
	}
	p.take(message("x", 1000))
	announced := p.effects.Events
	p.effects.Release()
	expect(t, "effects", p.effects, Effects{})
	for i := range announced {
		expect(t, "event", announced[i], Event{})
	}
}

func TestChannelKnowsItsID(t *testing.T) {
	expect(t, "id", newPeer(t, "alice").ID(), "room")
}

func TestReleasedEffectsKeepLittleRoom(t *testing.T) {
	for room, kept := range map[int]int{0: 0, keptEvents: keptEvents, keptEvents + 1: 0} {
		effects := Effects{Events: make([]Event, room)}
		effects.Release()
		expect(t, "room", cap(effects.Events), kept)
	}
}
