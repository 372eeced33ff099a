package hostile

import (
	"fmt"
	"testing"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/wire"
)

// long is how long the chains and cycles are.
const long = 100_000

// link is message i of a chain: it cites the one before.
func link(i int) []byte {
	return forged(wire.SDS02, fmt.Sprint("link", i), at(uint64(i+1)), citing(fmt.Sprint("link", i-1)))
}

// TestChainForwards: each is delivered as it comes, and the log keeps its bound.
func TestChainForwards(t *testing.T) {
	r := openRoom(t, smallFilter)
	r.talkBefore()
	r.victim.unwrap(forged(wire.SDS02, "link-1", at(1)))
	grown := kept(func() {
		for i := range long {
			r.victim.unwrap(link(i))
		}
	})
	// A log of 1,000 messages of 60 bytes, with what it takes to find them.
	expectAtMost(t, "bytes kept of a chain of 100,000 that came in order", grown, mib)
	if held := r.victim.held(); r.victim.foreign != long+1 || held.Log != core.DefaultConfig().MaxMessageHistory || held.Incoming > 0 {
		t.Errorf("%d were delivered, %d are in the log, %d wait", r.victim.foreign, held.Log, held.Incoming)
	}
	r.talk(12, nil)
	r.expectService()
}

// TestChainBackwards: the buffer holds maxIncomingMessages; past that the oldest
// gives way. The first one releases all that wait, in one step.
func TestChainBackwards(t *testing.T) {
	r := openRoom(t, smallFilter)
	r.talkBefore()
	bound := r.limits().MaxIncomingMessages
	grown := kept(func() {
		for i := long - 1; i >= 0; i-- {
			r.victim.unwrap(link(i))
		}
	})
	if held := r.victim.held(); held.Incoming != bound || r.victim.foreign != long-bound {
		t.Errorf("%d wait, %d were delivered", held.Incoming, r.victim.foreign)
	}
	// Each that waits is a message of 60 bytes and one missing dependency; and one
	// in ten of those that do not is in the log.
	expectAtMost(t, "bytes kept of each message that waits, of a chain of 100,000 from its end", grown/int64(bound), 1000)
	r.victim.unwrap(forged(wire.SDS02, "link-1", at(1)))
	if held := r.victim.held(); held.Incoming != 0 || r.victim.foreign != long+1 {
		t.Errorf("%d wait, %d were delivered", held.Incoming, r.victim.foreign)
	}
	r.talk(12, nil)
	r.expectService()
	if n := r.victim.held().Log; n > core.DefaultConfig().MaxMessageHistory {
		t.Errorf("the log has %d messages", n)
	}
}

// TestChainCostsGrowWithItsLength and no faster: in order, from its end, and when
// its first message releases all of it.
func TestChainCostsGrowWithItsLength(t *testing.T) {
	const n = 1500
	links := func(n int) [][]byte {
		payloads := make([][]byte, n)
		for i := range payloads {
			payloads[i] = link(i)
		}
		return payloads
	}
	expectProportional(t, "a chain in order", n, func(n int) func() {
		r, payloads := openRoom(t, smallFilter), links(n)
		r.victim.unwrap(forged(wire.SDS02, "link-1", at(1)))
		return func() { r.victim.unwrapAll(payloads) }
	})
	backwards := func(n int) (*room, func()) {
		r, payloads := openRoom(t, smallFilter), links(n)
		return r, func() {
			for i := n - 1; i >= 0; i-- {
				r.victim.unwrap(payloads[i])
			}
		}
	}
	expectProportional(t, "a chain from its end", n, func(n int) func() {
		_, run := backwards(n)
		return run
	})
	expectProportional(t, "the release of a chain", n, func(n int) func() {
		r, run := backwards(n)
		run()
		return func() { r.victim.unwrap(forged(wire.SDS02, "link-1", at(1))) }
	})
	expectProportional(t, "one message for which all wait", n, func(n int) func() {
		r := openRoom(t, smallFilter)
		for i := range n {
			r.victim.unwrap(forged(wire.SDS02, fmt.Sprint("fan", i), citing("root")))
		}
		return func() { r.victim.unwrap(forged(wire.SDS02, "root")) }
	})
	expectProportional(t, "a sweep over what waits", n, func(n int) func() {
		r, run := backwards(n)
		run()
		r.victim.Tick(r.now)
		r.now += core.DefaultConfig().MissingDependencyTimeoutMs + 60_001
		return func() { r.victim.Tick(r.now) }
	})
}

// TestMessageThatDependsOnItselfIsDelivered: what it cites of itself means nothing.
func TestMessageThatDependsOnItselfIsDelivered(t *testing.T) {
	r := openRoom(t)
	for i, format := range formats {
		id := fmt.Sprint("evil in ", format)
		r.attack(forged(format, id, citing(id, id, id)))
		if r.victim.foreign != i+1 {
			t.Errorf("%v: %d were delivered", format, r.victim.foreign)
		}
	}
	r.talk(12, nil)
	r.expectService()
}

// TestCycleOfTwoWaitsAndIsDelivered once each, when its time is up; nobody asks for
// what was received.
func TestCycleOfTwoWaitsAndIsDelivered(t *testing.T) {
	r := openRoom(t)
	r.attack(forged(wire.SDS04, "one", citing("other")))
	r.attack(forged(wire.SDS04, "other", citing("one")))
	if held := r.victim.held(); held.Incoming != 2 || r.victim.foreign != 0 {
		t.Errorf("%d wait, %d were delivered", held.Incoming, r.victim.foreign)
	}
	r.talk(12, nil)
	r.pass(int(core.DefaultConfig().MissingDependencyTimeoutMs/1000) + 61)
	for _, p := range r.everybody() {
		if held := p.held(); held.Incoming != 0 || p.foreign != 2 {
			t.Errorf("%s: %d wait, %d were delivered", p.name, held.Incoming, p.foreign)
		}
	}
	r.expectService()
}

// TestCycleOfAHundredThousand: the first gives way when the buffer is full, and
// releases all that follow it, once each.
func TestCycleOfAHundredThousand(t *testing.T) {
	r := openRoom(t, smallFilter)
	r.talkBefore()
	r.victim.unwrap(forged(wire.SDS02, "link0", at(1), citing(fmt.Sprint("link", long-1))))
	grown := kept(func() {
		for i := 1; i < long; i++ {
			r.victim.unwrap(link(i))
		}
	})
	expectAtMost(t, "bytes kept of a cycle of 100,000", grown, 4*mib)
	if held := r.victim.held(); held.Incoming != 0 || r.victim.foreign != long || r.victim.hopeless != 1 {
		t.Errorf("%d wait, %d were delivered, %d without what they cite", held.Incoming, r.victim.foreign, r.victim.hopeless)
	}
	r.talk(12, nil)
	r.expectService()
}

// TestWeb: each message cites all before it that a history can name. The cost is
// that of the citations.
func TestWeb(t *testing.T) {
	const n, width = 1000, 50
	citations := func(i int) []string {
		ids := make([]string, 0, width)
		for j := max(0, i-width); j < i; j++ {
			ids = append(ids, fmt.Sprint("web", j))
		}
		return ids
	}
	r := openRoom(t)
	for i := n - 1; i >= 0; i-- {
		r.attack(forged(wire.SDS02, fmt.Sprint("web", i), at(uint64(i+1)), citing(citations(i)...)))
	}
	for _, p := range r.everybody() {
		if held := p.held(); held.Incoming != 0 || p.foreign != n {
			t.Errorf("%s: %d wait, %d were delivered", p.name, held.Incoming, p.foreign)
		}
	}
	r.talk(12, nil)
	r.expectService()
}
