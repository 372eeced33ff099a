package channel

import (
	"errors"
	"testing"

	"github.com/libsds/libsds/core/limits"
	"github.com/libsds/libsds/core/snapshot"
	"github.com/libsds/libsds/core/wire"
)

// busy returns a peer that has something in each of its parts.
func busy(t failer) *peer {
	p := newPeer(t, "alice")
	p.take(message("b1", 1000, from("bob")))
	p.send("m1")
	p.send("m2")
	p.LearnHint("m2", []byte("where"))
	p.now += 61 * second
	p.sweepBuffers()
	p.take(message("b3", 2000, from("bob"), cites("b2", "x", "x2"), asks("bob", "b1"), withFilter(filterOf(halfFull, "m1"))))
	p.take(message("x2", 1500, from("carol")))
	p.markMet("y", "z")
	return p
}

func TestRestoreIsTheInverseOfMeta(t *testing.T) {
	p := busy(t)
	p.HistorySaved()
	meta := p.Meta()
	for what, n := range map[string]int{
		"outgoing": len(meta.Outgoing), "incoming": len(meta.Incoming), "outgoing repair": len(meta.OutgoingRepair),
		"incoming repair": len(meta.IncomingRepair), "met": len(meta.Met), "witnesses": len(meta.Outgoing[0].Witnesses),
	} {
		if n == 0 {
			t.Fatalf("the test is about nothing: no %s", what)
		}
	}
	restarted := p.restarted()
	expect(t, "meta", restarted.Meta(), meta)
	expect(t, "log", restarted.logIDs(), p.logIDs())
	expect(t, "hint", restarted.log.get("m2").hint, []byte("where"))
	expect(t, "pending", restarted.PendingLen(), 0)
}

func TestMetaIsACopyThatLaterStepsDoNotChange(t *testing.T) {
	p := busy(t)
	before, same := p.Meta(), p.Meta()
	p.take(message("c1", 2000, from("carol"), cites("m1"), withFilter(filterOf(halfFull, "m2"))))
	p.take(message("x", 1000))
	p.markMet("b2", "w")
	p.now += 600 * second
	p.sweepBuffers()
	p.sweepRepairs()
	p.send("m9")
	expect(t, "meta", before, same)
}

func TestFilterIsRebuiltFromLogAndIncomingBuffer(t *testing.T) {
	restarted := busy(t).restarted()
	for id, want := range map[string]bool{"b1": true, "m1": true, "b3": true, "x2": true, "y": true, "b2": false, "x": false} {
		expect(t, id, restarted.filterHolds(id), want)
	}
}

func TestRestoreMendsTheOrderAndDropsDuplicates(t *testing.T) {
	stored := func(id string, lamport uint64) []byte {
		return wire.Append(nil, wire.SDS03, message(id, lamport, from("bob")), nil)
	}
	restored, found, err := Restore("room", testConfig("alice"), &snapshot.ChannelData{
		History: [][]byte{stored("b", 2), stored("a", 3), stored("c", 1), stored("b", 9), stored("d", 4)},
	})
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{Channel: restored, t: t, now: start}
	expect(t, "found", found, Irregularities{Unordered: 1, Duplicates: 1})
	expect(t, "log", p.logIDs(), []string{"c", "b", "a", "d"})
}

func TestRestoreRefusesWhatDoesNotDecode(t *testing.T) {
	junk := []byte("junk")
	tests := map[string]*snapshot.ChannelData{
		"log":             {History: [][]byte{junk}},
		"empty message":   {History: [][]byte{nil}},
		"outgoing":        {Meta: &snapshot.ChannelMeta{Outgoing: []snapshot.Unacknowledged{{Message: junk}}}},
		"incoming":        {Meta: &snapshot.ChannelMeta{Incoming: []snapshot.Incoming{{Message: junk}}}},
		"incoming repair": {Meta: &snapshot.ChannelMeta{IncomingRepair: []snapshot.IncomingRepair{{Message: junk}}}},
	}
	for name, data := range tests {
		restored, _, err := Restore("room", testConfig("alice"), data)
		if !errors.Is(err, wire.ErrMalformed) || restored != nil {
			t.Errorf("%s: restored %v with error %v", name, restored, err)
		}
	}
}

func TestRestoreReadsEveryFormatAndKeepsItsOwn(t *testing.T) {
	for _, kept := range []wire.Format{wire.SDS02, wire.SDS03, wire.SDS04, wire.LIP109} {
		data := &snapshot.ChannelData{
			History: [][]byte{wire.Append(nil, kept, message("b1", 1000, cites("b0")), nil)},
			Meta: &snapshot.ChannelMeta{Incoming: []snapshot.Incoming{{
				Message: wire.Append(nil, kept, message("b2", 1001, cites("x")), nil),
				Missing: []snapshot.HistoryEntry{{MessageID: "x"}},
			}}},
		}
		restored, _, err := Restore("room", testConfig("alice"), data)
		if err != nil {
			t.Errorf("%v: %v", kept, err)
			continue
		}
		p := &peer{Channel: restored, t: t, now: start}
		p.take(message("x", 1000))
		p.expectEvents(t, "message_ready x", "message_ready b2")
		want := wire.Append(nil, wire.SDS04, message("b1", 1000, cites("b0")), nil)
		expect(t, "stored", p.log.get("b1").stored.Bytes(), want)
	}
}

// What a backend returns is checked like what a peer sends.
func TestRestoreOfRepeatedAndImpossibleThings(t *testing.T) {
	bytesOf := func(m *wire.Message) []byte { return wire.Append(nil, wire.SDS04, m, nil) }
	entry := func(id string) snapshot.HistoryEntry { return snapshot.HistoryEntry{MessageID: id} }
	waiting := snapshot.Incoming{Message: bytesOf(message("b2", 1001)), Missing: []snapshot.HistoryEntry{entry("x"), entry("x")}}
	own := snapshot.Unacknowledged{Message: bytesOf(message("m1", 1000, from("alice"))), SendTime: start}
	ask := snapshot.OutgoingRepair{Entry: entry("x"), TReq: start, FirstDue: start}
	answer := snapshot.IncomingRepair{Entry: entry("b1"), Message: bytesOf(message("b1", 1000)), TResp: start}
	restored, _, err := Restore("room", testConfig("alice"), &snapshot.ChannelData{
		History: [][]byte{bytesOf(message("b1", 1000))},
		Meta: &snapshot.ChannelMeta{
			Lamport:        1<<64 - 1,
			Outgoing:       []snapshot.Unacknowledged{own, own},
			Incoming:       []snapshot.Incoming{waiting, waiting, {Message: bytesOf(message("b1", 1000)), Missing: waiting.Missing}},
			OutgoingRepair: []snapshot.OutgoingRepair{ask, ask},
			IncomingRepair: []snapshot.IncomingRepair{answer, answer},
			Met:            []string{"b1", "y", "y"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{Channel: restored, t: t, now: start}
	p.checkInvariants()
	expect(t, "clock", p.clock, uint64(limits.MaxLamport))
	expect(t, "outgoing", p.outgoingIDs(), []string{"m1"})
	expect(t, "incoming", p.incomingIDs(), []string{"b2"})
	expect(t, "asking", repairIDs(&p.asking), []string{"x"})
	expect(t, "asked", repairIDs(&p.asked), []string{"b1"})
	expect(t, "met", p.Meta().Met, []string{"y"})
	p.take(message("x", 1000))
	p.expectEvents(t, "message_ready x", "message_ready b2")
}

func TestRestoreDeliversWhatLacksNothingAnyMore(t *testing.T) {
	p := newPeer(t, "alice")
	p.take(message("late", 2000, from("bob"), cites("came", "met")))
	meta := p.Meta() // the last that was saved
	meta.Met = []string{"met"}
	logged := message("came", 1000, from("bob"))
	data := &snapshot.ChannelData{Meta: meta, History: [][]byte{wire.Store(wire.SDS04, logged).Bytes()}}
	restored, _, err := Restore("channel", p.cfg, data)
	if err != nil {
		t.Fatal(err)
	}
	var effects Effects
	restored.Step(p.now, Input{Op: OpSweepRepairs}, &effects)
	if len(effects.Events) != 1 || effects.Events[0].Type != MessageReady || effects.Events[0].MessageID != "late" || !effects.Changed {
		t.Errorf("the first step announced %+v, changed %v; want late to be ready", effects.Events, effects.Changed)
	}
	if restored.incoming.len() != 0 || restored.log.get("late") == nil {
		t.Error("late is not in the log, or still in the incoming buffer")
	}
}

func TestRequestsOfAWriterThatKnowsNoFirstTimeAreNotStale(t *testing.T) {
	p := newPeer(t, "alice")
	data := &snapshot.ChannelData{Meta: &snapshot.ChannelMeta{OutgoingRepair: []snapshot.OutgoingRepair{
		{Entry: snapshot.HistoryEntry{MessageID: "x", SenderID: "bob"}, TReq: p.now + 1000},
	}}}
	restored, _, err := Restore("channel", p.cfg, data)
	if err != nil {
		t.Fatal(err)
	}
	var effects Effects
	restored.Step(p.now, Input{Op: OpSweepRepairs}, &effects)
	if !restored.asking.has("x") {
		t.Error("the first sweep dropped the request")
	}
}

func TestMessagesKeptWithoutATimeWaitFromTheFirstSweep(t *testing.T) {
	p := newPeer(t, "alice")
	kept := message("b1", 1000, from("bob"), cites("x"))
	data := &snapshot.ChannelData{Meta: &snapshot.ChannelMeta{Incoming: []snapshot.Incoming{{
		Message: wire.Store(wire.SDS04, kept).Bytes(), Missing: []snapshot.HistoryEntry{{MessageID: "x"}},
	}}}}
	restored, _, err := Restore("channel", p.cfg, data)
	if err != nil {
		t.Fatal(err)
	}
	var effects Effects
	for _, test := range []struct {
		after int64
		lost  bool
	}{{0, false}, {p.cfg.MissingTimeout, false}, {p.cfg.MissingTimeout + 1, true}} {
		restored.Step(p.now+test.after, Input{Op: OpSweepBuffers}, &effects)
		if lost := len(effects.Events) > 0; lost != test.lost {
			t.Errorf("%d ms after the first sweep: lost %v, want %v", test.after, lost, test.lost)
		}
	}
}

func TestWhatARestartFoundCompleteIsDeliveredOnce(t *testing.T) {
	for _, again := range []Input{
		{Op: OpReceive, Received: message("late", 2000, from("bob"), cites("came"))},
		{Op: OpSend, MessageID: "late", Content: []byte("mine")},
	} {
		p := newPeer(t, "alice")
		p.take(message("late", 2000, from("bob"), cites("came")))
		came := wire.Store(wire.SDS04, message("came", 1000, from("bob"))).Bytes()
		restored, _, err := Restore("channel", p.cfg, &snapshot.ChannelData{Meta: p.Meta(), History: [][]byte{came}})
		if err != nil {
			t.Fatal(err)
		}
		var effects Effects
		restored.Step(p.now, again, &effects)
		if len(effects.Events) != 1 || effects.Events[0].Type != MessageReady {
			t.Errorf("op %d: events %+v, want late to be ready once", again.Op, effects.Events)
		}
		if restored.log.len() != 2 || restored.log.ordered.Len() != 2 {
			t.Errorf("op %d: the log has %d messages in its map and %d in its tree, want 2", again.Op, restored.log.len(), restored.log.ordered.Len())
		}
	}
}

func TestAFailingStepDeliversNothing(t *testing.T) {
	p := newPeer(t, "alice")
	p.take(message("late", 2000, from("bob"), cites("came")))
	came := wire.Store(wire.SDS04, message("came", 1000, from("bob"))).Bytes()
	restored, _, err := Restore("channel", p.cfg, &snapshot.ChannelData{Meta: p.Meta(), History: [][]byte{came}})
	if err != nil {
		t.Fatal(err)
	}
	var effects Effects
	restored.Step(p.now, Input{Op: OpSend, MessageID: "empty"}, &effects)
	if !errors.Is(effects.Err, ErrEmptyContent) || len(effects.Events) != 0 || restored.log.len() != 1 {
		t.Errorf("error %v, %d events, %d messages in the log; want nothing to have changed", effects.Err, len(effects.Events), restored.log.len())
	}
}

// The meta of the last operations was not saved, their messages were.
func TestClockDoesNotGoBackBehindTheLogAfterARestart(t *testing.T) {
	p := newPeer(t, "alice")
	meta := p.Meta()
	for _, id := range []string{"m1", "m2", "m3"} {
		p.send(id)
	}
	data := &snapshot.ChannelData{Meta: meta}
	p.log.all(func(e *entry) { data.History = append(data.History, e.stored.Bytes()) })
	restored, _, err := Restore("room", p.cfg, data)
	if err != nil {
		t.Fatal(err)
	}
	after := &peer{Channel: restored, t: t, now: p.now - 3600*second}
	after.send("m4")
	expect(t, "lamport", after.log.get("m4").lamport, p.clock+1)
}

func TestHostileTimestampInTheLogDoesNotPoisonTheClockAfterARestart(t *testing.T) {
	p := newPeer(t, "alice")
	hostile := wire.Store(wire.SDS04, message("b1", limits.MaxLamport, from("alice"))).Bytes()
	restored, _, err := Restore("room", p.cfg, &snapshot.ChannelData{History: [][]byte{hostile}})
	if err != nil {
		t.Fatal(err)
	}
	after := &peer{Channel: restored, t: t, now: p.now}
	after.send("m1")
	expect(t, "lamport", after.log.get("m1").lamport, uint64(p.now+p.cfg.MaxLamportDrift)/1000+1)
}

// The meta has a message that was sent again, and the log still has the old one:
// the history that goes with the meta was not saved. What was broadcast is the
// new one.
func TestRestoreTakesTheNewerOfAMessageThatWasSentAgain(t *testing.T) {
	p := newPeer(t, "alice")
	p.step(Input{Op: OpSend, MessageID: "m", Content: []byte("old")})
	old := p.log.get("m").stored.Bytes()
	p.step(Input{Op: OpSend, MessageID: "m", Content: []byte("new")})
	restored, _, err := Restore("room", p.cfg, &snapshot.ChannelData{Meta: p.Meta(), History: [][]byte{old}})
	if err != nil {
		t.Fatal(err)
	}
	after := &peer{Channel: restored, t: t, now: p.now}
	after.checkInvariants()
	expect(t, "content", string(after.log.get("m").stored.Content()), "new")
	expect(t, "outgoing", after.outgoingIDs(), []string{"m"})
	update := after.PendingHistory()
	expect(t, "appended", appended(update), []string{"m"})
	expect(t, "gone", update.Gone, []snapshot.HistoryKey{{MessageID: "m", Lamport: 1000}})
}

// The clock of a channel that was restored goes to the newest message of its log once: a
// message that came later, from a clock far ahead, must not take it along as time passes.
func TestRestoredClockCatchesUpOnce(t *testing.T) {
	p := newPeer(t, "alice", func(c *Config) { c.MaxLamportDrift = 10 * second })
	p.send("m1")
	p = p.restarted()
	p.take(message("b1", 1_000_000, from("bob")))
	clock := p.clock
	p.now += 5 * second
	p.markMet("x")
	expect(t, "clock", p.clock, clock)
}

func TestRestoredMessagesThatAreCompleteAreInspectedInOrder(t *testing.T) {
	p := newPeer(t, "alice")
	p.take(message("b2", 1002, from("bob"), cites("b1")))
	p.take(message("b3", 1003, from("bob"), cites("b1")))
	meta := p.Meta()
	p.take(message("b1", 1001, from("bob")))
	data := &snapshot.ChannelData{Meta: meta, History: [][]byte{p.log.get("b1").stored.Bytes()}}
	restored, _, err := Restore(p.id, p.cfg, data)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "complete", restored.Inspect(start).Complete, []Named{{"b2", "bob", 1002}, {"b3", "bob", 1003}})
	expect(t, "count", restored.Count(start).Complete, 2)
}

func TestRestoredHintsAreThoseOfTheLogThatSaySomething(t *testing.T) {
	p := newPeer(t, "alice")
	p.send("m1")
	p.send("m2")
	data := &snapshot.ChannelData{Meta: p.Meta(), Hints: []snapshot.RetrievalHint{
		{MessageID: "unknown", Hint: []byte("where")}, {MessageID: "m1", Hint: []byte{}}, {MessageID: "m2", Hint: []byte("x")},
	}}
	p.log.all(func(e *entry) { data.History = append(data.History, e.stored.Bytes()) })
	restored, _, err := Restore(p.id, p.cfg, data)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "wanted", restored.HintsWanted(p.now, nil), []string{"m1"})
}

// The log is ahead of a meta that could not be saved: what the next message cites is
// known before it is made.
func TestHintsAreAskedForAsOfTheClockThatCatchesUp(t *testing.T) {
	p := newPeer(t, "alice")
	p.now += 3600 * second
	p.send("m1")
	data := &snapshot.ChannelData{Meta: &snapshot.ChannelMeta{Lamport: 1}}
	p.log.all(func(e *entry) { data.History = append(data.History, e.stored.Bytes()) })
	restored, _, err := Restore(p.id, p.cfg, data)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "wanted an hour back", restored.HintsWanted(p.now-3600*second, nil), []string{"m1"})
}

// What a meta has twice is there once, and what comes after it is there as well.
func TestWhatARestartFindsTwiceKeepsNothingFromComingBack(t *testing.T) {
	p := newPeer(t, "alice")
	p.send("m1")
	p.send("m2")
	p.take(message("b1", 2000, from("bob"), cites("x")))
	p.take(message("b2", 2001, from("bob"), cites("y")))
	p.take(message("b3", 2002, from("bob"), asks("alice", "m1", "m2")))
	meta := p.Meta()
	if len(meta.Outgoing) != 2 || len(meta.Incoming) != 2 || len(meta.OutgoingRepair) != 2 || len(meta.IncomingRepair) != 2 {
		t.Fatalf("the meta is %+v", meta)
	}
	want := p.restarted().Meta()
	twice := func(n int) []int { return append([]int{0, 0}, countFrom(1, n)...) }
	meta.Outgoing = those(meta.Outgoing, twice(len(meta.Outgoing)))
	meta.Incoming = those(meta.Incoming, twice(2))
	meta.OutgoingRepair = those(meta.OutgoingRepair, twice(2))
	meta.IncomingRepair = those(meta.IncomingRepair, twice(2))
	data := &snapshot.ChannelData{Meta: meta}
	p.log.all(func(e *entry) { data.History = append(data.History, e.stored.Bytes()) })
	restored, _, err := Restore(p.id, p.cfg, data)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "meta", restored.Meta(), want)
}

func countFrom(first, end int) (numbers []int) {
	for i := first; i < end; i++ {
		numbers = append(numbers, i)
	}
	return numbers
}

func those[T any](from []T, indices []int) (picked []T) {
	for _, i := range indices {
		picked = append(picked, from[i])
	}
	return picked
}

func TestDependencyThatAMetaHasTwiceIsMissingOnce(t *testing.T) {
	p := newPeer(t, "alice")
	p.take(message("b1", 2000, from("bob"), cites("x")))
	meta := p.Meta()
	meta.Incoming[0].Missing = those(meta.Incoming[0].Missing, []int{0, 0})
	restored, _, err := Restore(p.id, p.cfg, &snapshot.ChannelData{Meta: meta})
	if err != nil {
		t.Fatal(err)
	}
	again := &peer{Channel: restored, t: t, now: p.now}
	expect(t, "missing", len(again.Inspect(again.now).Incoming[0].Missing), 1)
	again.take(message("x", 1999, from("bob")))
	again.expectEvents(t, "message_ready x", "message_ready b1")
}

// TestRestoreAsksAgainForADependencyThatWasNotSaved: it came, the meta that strikes it
// was saved, and the history that has it was not.
// TestRestoreAsksAgainForADependencyThatWasNotSaved: a process ended between the two saves
// of the step that struck it. A full log could as well have evicted it.
func TestRestoreAsksAgainForADependencyThatWasNotSaved(t *testing.T) {
	for _, full := range []bool{false, true} {
		p := newPeer(t, "alice", func(c *Config) {
			if full {
				c.MaxHistory = 1
			}
		})
		p.take(message("old", 999, from("bob")))
		p.take(message("late", 2000, from("bob"), cites("lost", "missing")))
		var log [][]byte
		p.log.all(func(e *entry) { log = append(log, e.stored.Bytes()) })
		p.take(message("lost", 1000, from("bob")))
		restored, _, err := Restore("room", p.cfg, &snapshot.ChannelData{Meta: p.Meta(), History: log})
		if err != nil {
			t.Fatal(err)
		}
		after := &peer{Channel: restored, t: t, now: p.now}
		after.take(message("missing", 1001, from("bob")))
		after.expectEvents(t, "message_ready missing")
		expect(t, "asking", repairIDs(&after.asking), []string{"lost"})
		after.take(message("lost", 1000, from("bob")))
		after.expectEvents(t, "message_ready lost", "message_ready late")
	}
}

// TestRestoreAsksOnlyForWhatIsLost: not for what was evicted, came after all, is met, or
// is waited for anyhow.
func TestRestoreAsksOnlyForWhatIsLost(t *testing.T) {
	p := newPeer(t, "alice")
	p.take(message("late", 2000, from("bob"), cites("evicted", "came", "met", "missing")))
	meta := p.Meta()
	meta.Incoming[0].Missing = []snapshot.HistoryEntry{{MessageID: "missing"}}
	meta.Met = []string{"met"}
	meta.Appending = []string{"came", "met", "missing", "of no concern"}
	meta.OutgoingRepair = nil
	came := wire.Store(wire.SDS04, message("came", 1000, from("bob"))).Bytes()
	restored, _, err := Restore("room", p.cfg, &snapshot.ChannelData{Meta: meta, History: [][]byte{came}})
	if err != nil {
		t.Fatal(err)
	}
	after := &peer{Channel: restored, t: t, now: p.now}
	after.sweepRepairs()
	expect(t, "asking", repairIDs(&after.asking), nil)
	after.take(message("missing", 1002, from("bob")))
	after.expectEvents(t, "message_ready missing", "message_ready late")
}

// TestWhatIsLostIsLackedOnce, however often it is cited.
func TestWhatIsLostIsLackedOnce(t *testing.T) {
	p := newPeer(t, "alice")
	p.take(message("late", 2000, from("bob"), cites("lost", "lost", "missing")))
	p.take(message("lost", 1000, from("bob")))
	restored, _, err := Restore("room", p.cfg, &snapshot.ChannelData{Meta: p.Meta()})
	if err != nil {
		t.Fatal(err)
	}
	var lacks []string
	for _, d := range restored.incoming.get("late").lacks() {
		lacks = append(lacks, d.ID)
	}
	expect(t, "lacks", lacks, []string{"missing", "lost"})
}

// TestTheFormatThatAChannelTookIsKept, and only that.
func TestTheFormatThatAChannelTookIsKept(t *testing.T) {
	for _, taken := range []bool{false, true} {
		p := newPeer(t, "alice", func(c *Config) { c.Format, c.FormatTaken = wire.LIP109, taken })
		want := uint64(0)
		if taken {
			want = uint64(wire.LIP109)
		}
		expect(t, "format", p.Meta().WireFormat, want)
	}
}

// TestAMetaNamesWhatIsBeingAppendedWhileMessagesWait, and what an update that failed was to
// append; not what the log has evicted since.
func TestAMetaNamesWhatIsBeingAppendedWhileMessagesWait(t *testing.T) {
	p := newPeer(t, "alice", func(c *Config) { c.MaxHistory = 2 })
	named := func(want ...string) {
		t.Helper()
		expect(t, "appending", p.Meta().Appending, want)
	}
	p.take(message("1", 1000, from("bob")))
	named()
	p.HistorySaved()
	p.take(message("late", 2000, from("bob"), cites("x", "y")))
	named()
	p.take(message("x", 1001, from("bob")))
	named("x")
	p.take(message("2", 1002, from("bob")))
	named("x", "2")
	p.take(message("3", 1003, from("bob")))
	named("2", "3")
	p.HistorySaved()
	named()
}
