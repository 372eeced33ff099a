package channel

import (
	"testing"

	"github.com/libsds/libsds/core/snapshot"
)

// appended lists the ids that an update appends.
func appended(update snapshot.HistoryUpdate) []string {
	var ids []string
	for _, record := range update.Append {
		ids = append(ids, record.MessageID)
	}
	return ids
}

func TestPendingHistoryIsWhatTheOperationDidToTheLog(t *testing.T) {
	p := newPeer(t, "alice", bounded(3))
	expect(t, "at first", p.PendingHistory(), snapshot.HistoryUpdate{})
	p.send("m1")
	p.HistorySaved()
	p.take(message("b3", 2003, cites("b2")))
	expect(t, "while it waits", p.PendingLen(), 0)
	p.take(message("b2", 2002, cites("b1")))
	p.take(message("b1", 2001))
	update := p.PendingHistory()
	expect(t, "appended", appended(update), []string{"b1", "b2", "b3"})
	expect(t, "evicted", update.Evict, []string{"m1"})
	expect(t, "lamport", update.Append[0].Lamport, uint64(2001))
	expect(t, "message", decode(t, update.Append[0].Message).ID, "b1")
	p.HistorySaved()
	expect(t, "after it was saved", p.PendingHistory(), snapshot.HistoryUpdate{})
	expect(t, "length after it was saved", p.PendingLen(), 0)
}

func TestPendingHistoryLatestWins(t *testing.T) {
	p := newPeer(t, "alice", bounded(1))
	p.take(message("b1", 2001))
	p.take(message("b2", 2002)) // evicts b1 before it was saved
	update := p.PendingHistory()
	expect(t, "appended", appended(update), []string{"b2"})
	expect(t, "evicted", update.Evict, []string{"b1"})

	p.take(message("b1", 2001)) // comes back, and evicts b2
	update = p.PendingHistory()
	expect(t, "appended after the return", appended(update), []string{"b1"})
	expect(t, "evicted after the return", update.Evict, []string{"b2"})
}

func TestPendingHistoryOutlivesFailures(t *testing.T) {
	p := newPeer(t, "alice")
	p.send("m1")
	p.send("m2") // the backend has not confirmed m1
	p.step(Input{Op: OpSend})
	p.sweepRepairs()
	expect(t, "appended", appended(p.PendingHistory()), []string{"m1", "m2"})
	expect(t, "length", p.PendingLen(), 2)
}

func TestPendingHistoryOfAMessageSentAgainIsTheNewOne(t *testing.T) {
	p := newPeer(t, "alice")
	p.send("m1")
	p.send("m1")
	update := p.PendingHistory()
	expect(t, "appended", appended(update), []string{"m1"})
	expect(t, "lamport", update.Append[0].Lamport, uint64(1001))
}

func TestRequeueHistoryIsTheWholeLog(t *testing.T) {
	p := newPeer(t, "alice")
	p.send("m2")
	p.send("m1")
	p.HistorySaved()
	p.RequeueHistory()
	expect(t, "appended", appended(p.PendingHistory()), []string{"m2", "m1"})
}

func TestNothingIsPendingWithoutABackend(t *testing.T) {
	p := newPeer(t, "alice", bounded(1), func(c *Config) { c.Durable = false })
	p.send("m1")
	p.send("m2")
	expect(t, "pending", p.PendingLen(), 0)
}
