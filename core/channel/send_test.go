package channel

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/libsds/libsds/core/bloom"
	"github.com/libsds/libsds/core/limits"
	"github.com/libsds/libsds/core/snapshot"
	"github.com/libsds/libsds/core/wire"
)

func TestSendRefusesContentAndChangesNothing(t *testing.T) {
	tests := []struct {
		name    string
		op      Op
		content []byte
		want    error
	}{
		{"nil", OpSend, nil, ErrEmptyContent},
		{"empty", OpSend, []byte{}, ErrEmptyContent},
		{"one byte too many", OpSend, make([]byte, 101), ErrContentSize},
		{"empty, ephemeral", OpSendEphemeral, nil, ErrEmptyContent},
		{"too large, ephemeral", OpSendEphemeral, make([]byte, 101), ErrContentSize},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := newPeer(t, "alice", func(c *Config) { c.Limits.MaxContentBytes = 100 })
			p.send("m1")
			before := p.Meta()
			effects := p.step(Input{Op: test.op, MessageID: "m2", Content: test.content})
			if !errors.Is(effects.Err, test.want) {
				t.Errorf("error %v, want %v", effects.Err, test.want)
			}
			if effects.Changed || len(effects.Events) > 0 || len(effects.Encoded) > 0 {
				t.Errorf("a failed step has effects: %+v", effects)
			}
			expect(t, "meta", p.Meta(), before)
			expect(t, "log", p.logIDs(), []string{"m1"})
		})
	}
}

func TestSendTakesContentOfTheLimit(t *testing.T) {
	p := newPeer(t, "alice", func(c *Config) { c.Limits.MaxContentBytes = 100 })
	if err := p.step(Input{Op: OpSend, MessageID: "m1", Content: make([]byte, 100)}).Err; err != nil {
		t.Error(err)
	}
}

func TestSendClockIsNowOrOnePastTheClock(t *testing.T) {
	tests := []struct {
		name  string
		unit  Unit
		clock uint64
		now   int64
		want  uint64
	}{
		{"the time, in seconds", Seconds, 0, 5999, 5},
		{"the time, in milliseconds", Milliseconds, 0, 5999, 5999},
		{"time stands still", Seconds, 5, 5000, 6},
		{"time passed by a second", Seconds, 5, 6000, 6},
		{"time was set back", Seconds, 5000, 0, 5001},
		{"time before 1970", Seconds, 0, -5000, 1},
		{"next to the end of the range", Seconds, limits.MaxLamport - 1, start, limits.MaxLamport},
		{"at the end of the range", Seconds, limits.MaxLamport, start, limits.MaxLamport},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := newPeer(t, "alice", func(c *Config) { c.LamportUnit = test.unit })
			p.clock, p.now = test.clock, test.now
			expect(t, "lamport", decode(t, p.send("m1")).Lamport, test.want)
			expect(t, "clock", p.clock, test.want)
		})
	}
}

func TestSendCitesTheEndOfTheLogOldestFirst(t *testing.T) {
	p := newPeer(t, "alice", func(c *Config) { c.MaxCausalHistory = 3 })
	p.take(message("b", 990, from("bob")))
	p.take(message("c", 980, from("carol")))
	p.take(message("a", 990, from("bob")))
	p.take(message("oldest", 970, from("bob")))
	expect(t, "first history", decode(t, p.send("m1")).History, []wire.Entry{
		{ID: "c", SenderID: "carol"}, {ID: "a", SenderID: "bob"}, {ID: "b", SenderID: "bob"},
	})
	expect(t, "second history", decode(t, p.send("m2")).History, []wire.Entry{
		{ID: "a", SenderID: "bob"}, {ID: "b", SenderID: "bob"}, {ID: "m1", SenderID: "alice"},
	})
}

func TestSendCitesNothingWhereMaxCausalHistoryIsZero(t *testing.T) {
	p := newPeer(t, "alice", func(c *Config) { c.MaxCausalHistory = 0 })
	p.send("m1")
	if history := decode(t, p.send("m2")).History; len(history) > 0 {
		t.Errorf("history %v, want none", history)
	}
}

func TestHintsAreAskedForUntilGivenAndThenCited(t *testing.T) {
	p := newPeer(t, "alice", func(c *Config) { c.MaxCausalHistory = 2 })
	p.send("m1")
	p.send("m2")
	p.send("m3")
	expect(t, "wanted", p.HintsWanted(p.now, nil), []string{"m3", "m2"})
	p.LearnHint("m2", []byte("where"))
	p.LearnHint("m3", nil)
	p.LearnHint("unknown", []byte("nowhere"))
	expect(t, "wanted, one given", p.HintsWanted(p.now, nil), []string{"m3"})
	expect(t, "history", decode(t, p.send("m4")).History, []wire.Entry{
		{ID: "m2", SenderID: "alice", Hint: []byte("where")}, {ID: "m3", SenderID: "alice"},
	})
}

func TestSendAttachesTheFilterBeforeTheMessage(t *testing.T) {
	p := newPeer(t, "alice")
	p.send("m1")
	view, ok := bloom.ParseSDS(decode(t, p.send("m2")).Filter)
	if !ok {
		t.Fatal("the filter is not one")
	}
	expect(t, "m1 in it", view.Contains(bloom.FarmHash.Sum("m1")), true)
	expect(t, "m2 in it", view.Contains(bloom.FarmHash.Sum("m2")), false)
}

func TestSendAddsToFilterLogAndOutgoingBuffer(t *testing.T) {
	p := newPeer(t, "alice")
	p.send("m1")
	p.expectEvents(t)
	expect(t, "changed", p.effects.Changed, true)
	expect(t, "filter", p.filterHolds("m1"), true)
	expect(t, "log", p.logIDs(), []string{"m1"})
	expect(t, "outgoing", p.outgoingIDs(), []string{"m1"})
	kept := p.Meta().Outgoing[0]
	expect(t, "send time", kept.SendTime, int64(start))
	expect(t, "attempts", kept.Attempts, 0)
	expect(t, "filter in what is kept", len(decode(t, kept.Message).Filter), 0)
}

func TestSendAppendsToTheGivenBuffer(t *testing.T) {
	p := newPeer(t, "alice")
	got := p.step(Input{Op: OpSend, MessageID: "m1", Content: []byte("x"), Encoded: []byte("prefix")}).Encoded
	if !bytes.HasPrefix(got, []byte("prefix")) {
		t.Fatalf("%q lost the prefix", got)
	}
	expect(t, "id", decode(t, got[len("prefix"):]).ID, "m1")
}

func TestSendCopiesTheContent(t *testing.T) {
	p := newPeer(t, "alice")
	content := []byte("hello")
	p.step(Input{Op: OpSend, MessageID: "m1", Content: content})
	copy(content, "?????")
	expect(t, "content", string(p.log.get("m1").stored.Content()), "hello")
}

func TestSendFailsWhenTooManyAreUnacknowledged(t *testing.T) {
	p := newPeer(t, "alice", func(c *Config) { c.Limits.MaxOutgoingMessages = 2 })
	p.send("m1")
	p.send("m2")
	effects := p.step(Input{Op: OpSend, MessageID: "m3", Content: []byte("x")})
	if !errors.Is(effects.Err, ErrOutgoingFull) {
		t.Fatalf("error %v, want %v", effects.Err, ErrOutgoingFull)
	}
	expect(t, "log", p.logIDs(), []string{"m1", "m2"})
	p.send("m1") // takes the place of itself
	p.take(message("b1", 1001, from("bob"), cites("m1")))
	p.send("m3")
	expect(t, "outgoing", p.outgoingIDs(), []string{"m2", "m3"})
}

func TestSendOfAKnownIDReplacesTheMessage(t *testing.T) {
	t.Run("own", func(t *testing.T) {
		p := newPeer(t, "alice")
		p.send("m1")
		p.send("m2")
		m := decode(t, p.send("m1"))
		expect(t, "history", m.History, []wire.Entry{{ID: "m2", SenderID: "alice"}})
		expect(t, "log", p.logIDs(), []string{"m2", "m1"})
		expect(t, "outgoing", p.outgoingIDs(), []string{"m2", "m1"})
		expect(t, "ids in the filter", p.filter.Len(), 2)
	})
	t.Run("waiting for a dependency", func(t *testing.T) {
		p := newPeer(t, "alice")
		p.take(message("m1", 1000, from("bob"), cites("missing")))
		p.send("m1")
		expect(t, "incoming", p.incomingIDs(), nil)
		expect(t, "log", p.logIDs(), []string{"m1"})
		p.take(message("missing", 999))
		p.expectEvents(t, "message_ready missing")
	})
}

func TestSendReleasesWhatWaitedForTheMessage(t *testing.T) {
	p := newPeer(t, "alice") // has lost m1 together with its state
	p.take(message("b1", 1000, from("bob"), cites("m1")))
	p.send("m1")
	p.expectEvents(t, "message_ready b1")
	expect(t, "log", p.logIDs(), []string{"b1", "m1"})
}

func TestSyncMessageTellsButJoinsNothing(t *testing.T) {
	p := newPeer(t, "alice")
	p.send("m1")
	p.now += 500 * second
	p.take(message("b1", 1000, from("bob"), cites("missing")))
	p.now += 300 * second
	m := decode(t, p.sendSync())
	if !m.IsSync() {
		t.Fatalf("%+v is not a sync message", m)
	}
	expect(t, "lamport", m.Lamport, uint64(1800))
	expect(t, "history", m.History, []wire.Entry{{ID: "m1", SenderID: "alice"}})
	expect(t, "requests", m.RepairRequests, []wire.Entry{{ID: "missing"}})
	expect(t, "has a filter", len(m.Filter) > 0, true)
	expect(t, "changed", p.effects.Changed, true)
	expect(t, "log", p.logIDs(), []string{"m1"})
	expect(t, "outgoing", p.outgoingIDs(), []string{"m1"})
	expect(t, "filter", p.filterHolds(m.ID), false)
}

func TestSyncMessagesHaveDifferentIDs(t *testing.T) {
	var ids []string
	for _, name := range []string{"alice", "bob", ""} {
		p := newPeer(t, name)
		ids = append(ids, decode(t, p.sendSync()).ID, decode(t, p.sendSync()).ID)
	}
	slices.Sort(ids)
	expect(t, "different ids", len(slices.Compact(ids)), 6)
}

func TestEphemeralSendLeavesNoTrace(t *testing.T) {
	p := newPeer(t, "alice")
	p.send("m1")
	before := p.Meta()
	effects := p.step(Input{Op: OpSendEphemeral, MessageID: "e1", Content: []byte("typing")})
	m := decode(t, effects.Encoded)
	if !m.IsEphemeral() || m.ID != "e1" || string(m.Content) != "typing" {
		t.Errorf("sent %+v", m)
	}
	expect(t, "history and filter", len(m.History)+len(m.Filter), 0)
	expect(t, "changed", effects.Changed, false)
	expect(t, "meta", p.Meta(), before)
	expect(t, "log", p.logIDs(), []string{"m1"})
}

func TestSendWorksAtTheEndOfTheClock(t *testing.T) {
	restored, _, err := Restore("room", testConfig("alice"), &snapshot.ChannelData{
		Meta: &snapshot.ChannelMeta{Lamport: 1<<64 - 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{Channel: restored, t: t, now: start}
	for _, id := range []string{"m1", "m2"} { // decoded, so within the range of the wire
		expect(t, "lamport of "+id, decode(t, p.send(id)).Lamport, uint64(limits.MaxLamport))
	}
	expect(t, "log", p.logIDs(), []string{"m1", "m2"})
}

func TestSendTellsHowManyMessagesItAsksFor(t *testing.T) {
	p := newPeer(t, "alice")
	p.take(message("b", 1001, cites("w", "x", "y", "z")))
	p.send("m1")
	expect(t, "asked for before it is due", p.effects.Requested, 0)
	p.now += 300 * second
	p.send("m2")
	expect(t, "asked for", p.effects.Requested, 3)
	p.sendSync()
	expect(t, "asked for by a sync message", p.effects.Requested, 1)
	p.sweepRepairs()
	expect(t, "asked for by a sweep", p.effects.Requested, 0)
}

func TestFilterIsOfTheSchemeOfTheFormat(t *testing.T) {
	for format, scheme := range map[wire.Format]bloom.Scheme{
		wire.SDS02: bloom.FarmHash, wire.SDS03: bloom.FarmHash, wire.SDS04: bloom.FarmHash, wire.LIP109: bloom.Murmur3,
	} {
		p := newPeer(t, "alice", func(c *Config) { c.Format = format })
		expect(t, format.String(), p.filter.Scheme(), scheme)
	}
}

func TestTimeBeforeTheEpochIsItsBeginning(t *testing.T) {
	for _, now := range []int64{math.MinInt64, -1, 0} {
		p := newPeer(t, "alice", func(c *Config) { c.LamportUnit, c.MaxLamportDrift = Milliseconds, 0 })
		p.now = now
		p.take(message("b1", 5, from("bob")))
		expect(t, "clock", p.clock, 0)
	}
}

func TestSumsOfTimesEndAtTheEndOfTime(t *testing.T) {
	for _, sum := range [][3]int64{
		{math.MaxInt64, 1, math.MaxInt64}, {math.MaxInt64 - 5, 6, math.MaxInt64}, {math.MaxInt64 - 5, 5, math.MaxInt64},
		{math.MaxInt64 - 5, 4, math.MaxInt64 - 1}, {math.MaxInt64, 0, math.MaxInt64}, {-5, 3, -2}, {5, -3, 2}, {math.MaxInt64, math.MaxInt64, math.MaxInt64},
	} {
		expect(t, fmt.Sprint(sum), saturatingAdd(sum[0], sum[1]), sum[2])
	}
}

func TestOwnMessageIsNeitherAskedForNorAnswered(t *testing.T) {
	p := newPeer(t, "alice")
	p.take(message("b1", 1000, cites("x")))
	p.send("m1")
	p.take(message("b2", 1001, asks("alice", "m1")))
	expect(t, "asked for", repairIDs(&p.asking), []string{"x"})
	expect(t, "to answer", repairIDs(&p.asked), []string{"m1"})
	p.send("x")
	p.send("m1") // as another message
	expect(t, "asked for", p.asking.len(), 0)
	expect(t, "to answer", p.asked.len(), 0)
}

func TestFilterHoldsAMessageThatWaitedOnceWhenItIsSent(t *testing.T) {
	p := newPeer(t, "alice")
	p.take(message("m1", 1000, cites("x")))
	p.send("m1")
	expect(t, "ids", p.filter.Len(), 1)
}

func TestSendKeepsNothingOfTheHostsMemory(t *testing.T) {
	p := newPeer(t, "alice")
	p.send("m1")
	if p.scratch.message.Content != nil {
		t.Error("the content is kept")
	}
}

func TestEphemeralMessageIsSentHoweverManyAreUnacknowledged(t *testing.T) {
	p := newPeer(t, "alice", func(c *Config) { c.Limits.MaxOutgoingMessages = 1 })
	p.send("m1")
	expect(t, "error", p.step(Input{Op: OpSendEphemeral, MessageID: "e", Content: []byte("content")}).Err, nil)
}

func TestOnlyAHintThatSaysSomethingIsLearnt(t *testing.T) {
	p := newPeer(t, "alice")
	p.send("m1")
	for _, hint := range [][]byte{nil, {}} {
		p.LearnHint("m1", hint)
		expect(t, "wanted", p.HintsWanted(p.now, nil), []string{"m1"})
		expect(t, "pending", p.Count(p.now).PendingHints, 0)
	}
	p.LearnHint("m1", []byte("x"))
	expect(t, "wanted", p.HintsWanted(p.now, nil), nil)
	expect(t, "pending", p.Count(p.now).PendingHints, 1)
}
