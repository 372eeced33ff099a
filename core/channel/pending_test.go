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

func TestPendingHistoryNamesTheKeyThatAMessageSentAgainLeaves(t *testing.T) {
	p := newPeer(t, "alice", bounded(1))
	p.send("m1")
	p.HistorySaved()
	p.send("m1")
	update := p.PendingHistory()
	expect(t, "appended", appended(update), []string{"m1"})
	expect(t, "evicted", update.Evict, nil)
	expect(t, "gone", update.Gone, []snapshot.HistoryKey{{MessageID: "m1", Lamport: 1000}})

	p.send("m2") // evicts m1, of which the backend may have either
	update = p.PendingHistory()
	expect(t, "appended after the eviction", appended(update), []string{"m2"})
	expect(t, "evicted after the eviction", update.Evict, []string{"m1"})
	expect(t, "gone after the eviction", update.Gone, []snapshot.HistoryKey{{MessageID: "m1", Lamport: 1000}, {MessageID: "m1", Lamport: 1001}})
}

func TestHistoryUnsavedIsPendingAgainAsTheLogIsNow(t *testing.T) {
	p := newPeer(t, "alice", bounded(2))
	p.send("m1")
	p.send("m2")
	update := p.PendingHistory()
	p.HistorySaved()
	p.send("m3") // evicts m1, meanwhile
	p.HistorySaved()
	p.HistoryUnsaved(&update)
	update = p.PendingHistory()
	expect(t, "appended", appended(update), []string{"m2"})
	expect(t, "evicted", update.Evict, []string{"m1"})
}

func TestPendingHintsAreThoseOfTheLogThatWereNotSaved(t *testing.T) {
	p := newPeer(t, "alice", bounded(2))
	p.send("m1")
	p.send("m2")
	p.LearnHint("m2", []byte("two"))
	p.LearnHint("m1", []byte("one"))
	want := []snapshot.RetrievalHint{{MessageID: "m2", Hint: []byte("two")}, {MessageID: "m1", Hint: []byte("one")}}
	expect(t, "hints", p.PendingHints(), want)
	expect(t, "until they are saved", p.PendingHints(), want)
	p.HintsSaved()
	expect(t, "once they are saved", p.PendingHints(), nil)
	p.HintUnsaved("m1")
	p.HintUnsaved("m2")
	p.HintUnsaved("m2")
	p.send("m3") // evicts m1
	expect(t, "once one is gone", p.PendingHints(), want[:1])
}

func TestRequeueIsTheWholeLogAndItsHints(t *testing.T) {
	p := newPeer(t, "alice")
	p.send("m2")
	p.send("m1")
	p.LearnHint("m1", []byte("where"))
	p.HistorySaved()
	p.HintsSaved()
	p.Requeue()
	expect(t, "appended", appended(p.PendingHistory()), []string{"m2", "m1"})
	expect(t, "hints", p.PendingHints(), []snapshot.RetrievalHint{{MessageID: "m1", Hint: []byte("where")}})
}

func TestNothingIsPendingWithoutABackend(t *testing.T) {
	p := newPeer(t, "alice", bounded(1), func(c *Config) { c.Durable = false })
	p.send("m1")
	p.send("m2")
	p.LearnHint("m2", []byte("where"))
	expect(t, "hints", p.PendingHints(), nil)
	expect(t, "pending", p.PendingLen(), 0)
}

func TestEvictionThatWasNotSavedIsPendingAgain(t *testing.T) {
	p := newPeer(t, "alice", bounded(1))
	p.send("m1")
	p.HistorySaved()
	p.send("m2") // evicts m1
	update := p.PendingHistory()
	expect(t, "evicted", update.Evict, []string{"m1"})
	p.HistorySaved()
	p.HistoryUnsaved(&update)
	expect(t, "pending again", p.PendingHistory(), snapshot.HistoryUpdate{
		Append: update.Append, Evict: []string{"m1"}, Gone: update.Gone,
	})
}

func TestPendingHintGoesWithItsMessage(t *testing.T) {
	p := newPeer(t, "alice", bounded(1))
	p.send("m1")
	p.LearnHint("m1", []byte("where"))
	p.send("m1") // again, as another message, of which nothing is known
	expect(t, "hints", len(p.PendingHints()), 0)
	p.LearnHint("m1", []byte("elsewhere"))
	p.send("m2") // evicts m1
	expect(t, "hints", len(p.PendingHints()), 0)
	expect(t, "pending", p.Count(p.now).PendingHints, 0)
}
