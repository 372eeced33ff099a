package channel

import (
	"fmt"
	"testing"

	"github.com/libsds/libsds/core/wire"
)

func bounded(history int) func(*Config) { return func(c *Config) { c.MaxHistory = history } }

func TestLogIsOrderedByLamportThenID(t *testing.T) {
	p := newPeer(t, "alice")
	p.take(message("b", 1000))
	p.take(message("c", 999))
	p.take(message("a", 1000))
	p.take(message("d", 1<<62))
	p.take(message("B", 1000))
	expect(t, "log", p.logIDs(), []string{"c", "B", "a", "b", "d"})
}

func TestEvictionTakesTheSmallest(t *testing.T) {
	p := newPeer(t, "alice", bounded(3))
	for i, lamport := range []uint64{1005, 1001, 1003, 1004} {
		p.take(message(fmt.Sprint("b", i), lamport))
	}
	expect(t, "log", p.logIDs(), []string{"b2", "b3", "b0"})
}

func TestEvictionSparesThisOperation(t *testing.T) {
	t.Run("an old message", func(t *testing.T) {
		p := newPeer(t, "alice", bounded(2))
		p.take(message("b1", 1001))
		p.take(message("b2", 1002))
		p.take(message("old", 1))
		p.expectEvents(t, "message_ready old")
		expect(t, "log", p.logIDs(), []string{"old", "b2"})
		p.take(message("b3", 1003))
		expect(t, "log after the next", p.logIDs(), []string{"b2", "b3"})
	})
	t.Run("a cascade longer than the log", func(t *testing.T) {
		p := newPeer(t, "alice", bounded(2))
		p.take(message("before", 900))
		for i := 4; i > 0; i-- {
			p.take(message(fmt.Sprint("b", i), uint64(1000+i), cites(fmt.Sprint("b", i-1))))
		}
		p.take(message("b0", 1000))
		expect(t, "log", p.logIDs(), []string{"b0", "b1", "b2", "b3", "b4"})
		p.sweepBuffers()
		expect(t, "log after the next", p.logIDs(), []string{"b3", "b4"})
	})
	t.Run("a cascade below the others", func(t *testing.T) {
		p := newPeer(t, "alice", bounded(4))
		for i := range 4 {
			p.take(message(fmt.Sprint("b", i), uint64(2000+i)))
		}
		for i := 5; i > 0; i-- {
			p.take(message(fmt.Sprint("old", i), uint64(i), cites(fmt.Sprint("old", i-1))))
		}
		p.take(message("old0", 1))
		expect(t, "log", p.logIDs(), []string{"old0", "old1", "old2", "old3", "old4", "old5", "b1", "b2", "b3"})
		p.sweepBuffers()
		expect(t, "log after the next", p.logIDs(), []string{"old5", "b1", "b2", "b3"})
	})
}

// TestEvictionTakesFirstWhatIsPastTheClock, the largest first: or hostile timestamps own
// the log.
func TestEvictionTakesFirstWhatIsPastTheClock(t *testing.T) {
	p := newPeer(t, "alice", bounded(3))
	furthest := uint64(p.now+p.cfg.MaxLamportDrift) / second
	takes := func(m *wire.Message, log ...string) {
		t.Helper()
		p.take(m)
		expect(t, "log", p.logIDs(), log)
	}
	takes(message("b1", 1000), "b1")
	takes(message("far1", 1<<40), "b1", "far1")
	takes(message("far2", 1<<41), "b1", "far1", "far2")
	takes(message("b2", 1001), "b1", "b2", "far1")
	takes(message("b3", furthest), "b1", "b2", "b3")
	takes(message("far3", furthest+1), "b2", "b3", "far3") // delivered now: it is spared
	takes(message("far4", furthest+2), "b2", "b3", "far4")
	p.send("m1")
	expect(t, "log with a message of ours", p.logIDs(), []string{"b2", "b3", "m1"})
	takes(message("far5", 1<<40, cites("x")), "b2", "b3", "m1")
	takes(message("far6", 1<<41, cites("x")), "b2", "b3", "m1")
	takes(message("x", 1<<42), "b3", "m1", "far5", "far6", "x") // all delivered now: one other goes
	takes(message("b4", furthest), "b3", "b4", "m1")
}

// TestRoomIsForWhatIsPastTheClockToo: it goes when there is none.
func TestRoomIsForWhatIsPastTheClockToo(t *testing.T) {
	p := newPeer(t, "alice", bounded(4))
	p.take(message("far", 1<<40))
	for i := range 3 {
		p.take(message(fmt.Sprint("b", i), uint64(1000+i)))
	}
	expect(t, "a log that is full", p.logIDs(), []string{"b0", "b1", "b2", "far"})
	p.take(message("b3", 1003))
	expect(t, "the next", p.logIDs(), []string{"b0", "b1", "b2", "b3"})
}

// TestWhatIsPastTheClockIsNotCited, until time has come to it: or hostile timestamps would
// be all that is ever cited.
func TestWhatIsPastTheClockIsNotCited(t *testing.T) {
	p := newPeer(t, "alice", func(c *Config) { c.MaxCausalHistory, c.MaxLamportDrift = 2, 0 })
	now := uint64(p.now) / second
	p.take(message("b1", now))
	p.take(message("b2", now+1)) // the next of ours has that time
	p.take(message("near", now+2))
	p.take(message("far", 1<<40))
	expect(t, "wanted", p.HintsWanted(p.now, nil), []string{"b2", "b1"})
	expect(t, "cited", cited(t, p.send("m1")), []string{"b1", "b2"})
	p.now += 2 * second
	expect(t, "wanted later", p.HintsWanted(p.now, nil), []string{"near", "m1"})
	expect(t, "cited later", cited(t, p.sendSync()), []string{"m1", "near"})
}

// TestNothingIsCitedWhereAllIsPastTheClock, and that is no error.
func TestNothingIsCitedWhereAllIsPastTheClock(t *testing.T) {
	p := newPeer(t, "alice")
	p.take(message("far", 1<<40))
	expect(t, "wanted", p.HintsWanted(p.now, nil), nil)
	expect(t, "cited", cited(t, p.send("m1")), nil)
}

// cited lists the ids of a payload's causal history.
func cited(t testing.TB, payload []byte) (ids []string) {
	t.Helper()
	for _, e := range decode(t, payload).History {
		ids = append(ids, e.ID)
	}
	return ids
}

// TestAHintGoesWithItsMessage, also of one of ours that comes back as an echo: the
// backend has forgotten it.
func TestAHintGoesWithItsMessage(t *testing.T) {
	p := newPeer(t, "alice", bounded(1))
	echo := p.send("m1")
	p.LearnHint("m1", []byte("where"))
	p.take(message("b1", p.clock+1))
	expect(t, "log", p.logIDs(), []string{"b1"})
	p.take(decode(t, echo))
	expect(t, "log", p.logIDs(), []string{"m1"})
	expect(t, "wanted", p.HintsWanted(p.now, nil), []string{"m1"})
}

func TestEvictionKeepsWhatIsNotAcknowledged(t *testing.T) {
	p := newPeer(t, "alice", bounded(1))
	p.send("m1")
	p.send("m2")
	p.now += 61 * second
	p.sweepBuffers()
	p.expectEvents(t, "resend_ready m1 attempt 1", "resend_ready m2 attempt 1")
}

func TestEvictedMessageIsMissingAgain(t *testing.T) {
	p := newPeer(t, "alice", bounded(1))
	p.take(message("b1", 1001))
	p.take(message("b2", 1002))
	expect(t, "missing", p.take(message("b3", 1003, cites("b1"))).Missing, []Dependency{{ID: "b1"}})
}

func TestLogLargerThanItsBoundShrinksWithTheNextOperation(t *testing.T) {
	p := newPeer(t, "alice")
	for i := range 10 {
		p.take(message(fmt.Sprint("b", i), uint64(1000+i)))
	}
	p.cfg.MaxHistory = 4
	restarted := p.restarted()
	expect(t, "log after the restart", restarted.log.len(), 10)
	restarted.step(Input{Op: OpSend, MessageID: "m1"})
	expect(t, "log after an operation that failed", restarted.log.len(), 10)
	restarted.sweepRepairs()
	expect(t, "log after the first operation", restarted.logIDs(), []string{"b6", "b7", "b8", "b9"})
	expect(t, "evicted", restarted.PendingHistory().Evict, []string{"b0", "b1", "b2", "b3", "b4", "b5"})
}

func TestHasNews(t *testing.T) {
	tests := []struct {
		name   string
		happen func(*peer)
		want   bool
	}{
		{"nothing", func(*peer) {}, false},
		{"an ephemeral message", func(p *peer) { p.take(message("e", 0, timeless)) }, false},
		{"a sync message", func(p *peer) { p.take(message("s", 1000, empty)) }, false},
		{"a message sent", func(p *peer) { p.send("m1") }, true},
		{"a message received", func(p *peer) { p.take(message("b1", 1000)) }, true},
		{"a message that waits", func(p *peer) { p.take(message("b1", 1000, cites("x"))) }, true},
		{"a request to make", func(p *peer) { p.take(message("s", 1000, empty, cites("x"))) }, true},
	}
	for _, test := range tests {
		p := newPeer(t, "alice")
		test.happen(p)
		expect(t, "news after "+test.name, p.HasNews(), test.want)
	}
}

func TestHasNewsOfWhatWaitsOrIsAskedForAlone(t *testing.T) {
	waits := newPeer(t, "") // asks for nothing
	waits.take(message("b1", 1000, cites("x")))
	asks := newPeer(t, "alice")
	asks.take(message("sync", 1000, cites("x"), empty))
	for _, p := range []*peer{waits, asks} {
		expect(t, "log", p.log.len(), 0)
		expect(t, "news", p.HasNews(), true)
	}
}
