package channel

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/libsds/libsds/core/wire"
)

// request is T_req - start of a message for alice, with the defaults.
func request(id string) int64 { return RequestDelay("alice", id, 30*second, 300*second) }

// Asking.

func TestMissingIsNotedWithItsRequestTime(t *testing.T) {
	p := newPeer(t, "alice")
	p.take(message("b1", 1000, cites("x", "y")))
	var got []string
	p.asking.all(func(item *repairItem) {
		got = append(got, item.entry.ID)
		expect(t, "T_req of "+item.entry.ID, item.due, start+request(item.entry.ID))
		expect(t, "first T_req of "+item.entry.ID, item.firstDue, item.due)
	})
	slices.Sort(got)
	expect(t, "asking", got, []string{"x", "y"})
}

func TestFirstMissingNoticeTimerStands(t *testing.T) {
	p := newPeer(t, "alice")
	p.take(message("b1", 1000, cites("x")))
	p.now += 10 * second
	p.take(message("b2", 1000, cites("x")))
	expect(t, "T_req", p.Meta().OutgoingRepair[0].TReq, start+request("x"))
}

func TestBufferedMessageIsNotAskedFor(t *testing.T) {
	p := newPeer(t, "alice")
	p.take(message("b2", 1001, cites("b1")))
	receipt := p.take(message("b3", 1002, cites("b2")))
	expect(t, "missing", receipt.Missing, []Dependency{{ID: "b2"}})
	expect(t, "asking", repairIDs(&p.asking), []string{"b1"})
}

func TestEmptyParticipantSwitchesRepairsOff(t *testing.T) {
	p := newPeer(t, "")
	p.take(message("b1", 1000, from("bob")))
	p.take(message("b2", 1001, from("bob"), cites("x"), asks("bob", "b1")))
	p.expectEvents(t, "missing_dependencies b2 [x]")
	expect(t, "asking", p.asking.len(), 0)
	expect(t, "asked", p.asked.len(), 0)
	p.now += 600 * second
	p.sweepRepairs()
	p.expectEvents(t)
	expect(t, "requests", len(decode(t, p.send("m1")).RepairRequests), 0)
}

func TestSendTakesTheMostOverdueRequestsFirst(t *testing.T) {
	p := newPeer(t, "alice", func(c *Config) { c.MaxRepairRequests = 2 })
	ids := []string{"v", "w", "x", "y", "z"}
	p.take(message("b1", 1000, cites(ids...)))
	slices.SortFunc(ids, func(a, b string) int { return int(request(a) - request(b)) })

	p.now = start + request(ids[0]) - 1
	expect(t, "requests before the first is due", decode(t, p.send("m1")).RepairRequests, nil)
	p.now++
	expect(t, "requests when it is due", decode(t, p.send("m2")).RepairRequests, entries("", ids[:1]))
	p.now = start + 299*second
	expect(t, "requests when all are due", decode(t, p.send("m3")).RepairRequests, entries("", ids[1:3]))
}

func TestRequestsOfTheSameTimeAreInTheOrderCited(t *testing.T) {
	p := newPeer(t, "alice", func(c *Config) { c.RepairTMin, c.RepairTMax = 0, 0 })
	p.take(message("b1", 1000, cites("z", "a", "m")))
	expect(t, "requests", decode(t, p.send("m1")).RepairRequests, entries("", []string{"z", "a", "m"}))
}

func TestRepairRequestRearmsUntilTMax(t *testing.T) {
	p := newPeer(t, "alice")
	p.take(message("b1", 1000, cites("x")))
	firstDue := start + request("x")
	asked := 0
	for p.now = firstDue; p.now <= firstDue+300*second; p.now += request("x") {
		expect(t, "requests when due", decode(t, p.send(fmt.Sprint("due ", p.now))).RepairRequests, entries("", []string{"x"}))
		expect(t, "requests right after", decode(t, p.send(fmt.Sprint("after ", p.now))).RepairRequests, nil)
		kept := p.Meta().OutgoingRepair[0]
		expect(t, "T_req", kept.TReq, p.now+request("x"))
		expect(t, "first T_req", kept.FirstDue, firstDue)
		asked++
	}
	if asked < 2 {
		t.Errorf("asked %d times, so nothing was armed again", asked)
	}
	p.now = firstDue + 300*second
	p.sweepRepairs()
	expect(t, "asking at T_max", repairIDs(&p.asking), []string{"x"})
	expect(t, "changed at T_max", p.effects.Changed, false)
	p.now++
	p.sweepRepairs()
	expect(t, "asking past T_max", repairIDs(&p.asking), nil)
	expect(t, "changed past T_max", p.effects.Changed, true)
}

// A host that runs no sweeps must not ask for ever.
func TestRequestPastTMaxIsTheLast(t *testing.T) {
	p := newPeer(t, "alice")
	p.take(message("b1", 1000, cites("x")))
	p.now += 3600 * second
	expect(t, "requests", len(decode(t, p.send("m1")).RepairRequests), 1)
	expect(t, "asking", repairIDs(&p.asking), nil)
}

func TestRequestEndsWhenTheMessageArrives(t *testing.T) {
	p := newPeer(t, "alice")
	p.take(message("b1", 1000, cites("x")))
	p.now += 300 * second
	p.send("m1")
	p.take(message("x", 999))
	p.now += 300 * second
	expect(t, "requests", decode(t, p.send("m2")).RepairRequests, nil)
}

func TestLeastUrgentRequestGivesWay(t *testing.T) {
	p := newPeer(t, "alice", func(c *Config) { c.Limits.MaxRepairEntries = 3 })
	ids := []string{"u", "v", "w", "x", "y", "z"}
	p.take(message("b1", 1000, cites(ids...)))
	slices.SortFunc(ids, func(a, b string) int { return int(request(a) - request(b)) })
	expect(t, "asking", repairIDs(&p.asking), ids[:3])
}

// Answering.

func TestRequestOfAPeerCancelsOurs(t *testing.T) {
	p := newPeer(t, "alice")
	p.take(message("b1", 1000, cites("x", "y")))
	p.take(message("c1", 1000, from("carol"), asks("bob", "x")))
	expect(t, "asking", repairIDs(&p.asking), []string{"y"})
	expect(t, "asked", p.asked.len(), 0)
}

func TestARequestThatNobodyAnswersChangesNothing(t *testing.T) {
	p := newPeer(t, "alice")
	p.take(message("b1", 1000, from("bob"), cites("x")))
	p.take(message("b2", 1001, from("bob")))
	p.take(message("c1", 1000, from("carol"), asks("", "x", "b2"))) // it names no sender
	expect(t, "asking", repairIDs(&p.asking), []string{"x"})
	expect(t, "asked", p.asked.len(), 0)
}

func TestRequestsAfterOneThatIsNotForUsCount(t *testing.T) {
	p := newPeer(t, "alice")
	p.take(message("b1", 1000, from("bob")))
	p.take(message("b2", 1000, from("bob")))
	p.take(message("c1", 1001, from("carol"), asks("bob", "unknown", "b1")))
	expect(t, "asked", repairIDs(&p.asked), []string{"b1"})
	p.take(message("c2", 1002, from("carol"), asks("bob", "b1", "b2"))) // b1 is noted already
	asked := repairIDs(&p.asked)
	slices.Sort(asked)
	expect(t, "asked then", asked, []string{"b1", "b2"})
}

func TestRequestsAfterOneThatNobodyAnswersCount(t *testing.T) {
	p := newPeer(t, "alice")
	p.take(message("b1", 1000, from("bob"), cites("x", "y")))
	c1 := message("c1", 1000, from("carol"), asks("", "x"))
	c1.RepairRequests = append(c1.RepairRequests, wire.Entry{ID: "y", SenderID: "bob"})
	p.take(c1)
	expect(t, "asking", repairIDs(&p.asking), []string{"x"})
}

func TestRequestIsNotedWithItsResponseTime(t *testing.T) {
	p := newPeer(t, "alice")
	p.take(message("b1", 1000, from("bob")))
	p.send("m1")
	p.take(message("c1", 1001, from("carol"), asks("bob", "b1")))
	p.take(message("c2", 1002, from("carol"), asks("alice", "m1")))
	due := map[string]int64{}
	p.asked.all(func(item *repairItem) { due[item.entry.ID] = item.due })
	expect(t, "T_resp", due, map[string]int64{
		"b1": start + ResponseDelay("alice", "bob", "b1", 300*second),
		"m1": start, // the sender itself does not wait
	})
}

func TestFirstRequestsTimerStands(t *testing.T) {
	p := newPeer(t, "alice")
	p.take(message("b1", 1000, from("bob")))
	p.take(message("c1", 1001, from("carol"), asks("bob", "b1")))
	want := p.Meta().IncomingRepair[0].TResp
	p.now += 10 * second
	p.take(message("d1", 1002, from("dave"), asks("alice", "b1")))
	expect(t, "T_resp", p.Meta().IncomingRepair[0].TResp, want)
}

func TestRequestIsNotedOnlyWhereWeCanAndShouldAnswer(t *testing.T) {
	outside := "" // an id for which alice is not in bob's response group
	for i := 0; outside == ""; i++ {
		if id := fmt.Sprint("b", i); !InResponseGroup(wire.SDS04, "alice", "bob", id, 10) {
			outside = id
		}
	}
	p := newPeer(t, "alice", func(c *Config) { c.ResponseGroups = 10 })
	p.take(message(outside, 1000, from("bob")))
	p.take(message("waiting", 1000, from("bob"), cites("x")))
	p.take(message("c1", 1001, from("carol"), asks("bob", outside, "waiting", "x", "never seen")))
	expect(t, "asked", p.asked.len(), 0)
	p.take(message("c2", 1002, from("carol"), asks("alice", outside))) // a group of our own
	expect(t, "asked", repairIDs(&p.asked), []string{outside})
}

func TestRequestThatNamesNoSenderIsNotAnswered(t *testing.T) {
	p := newPeer(t, "alice")
	p.take(message("b1", 1000, from("bob")))
	p.take(message("c1", 1001, from("carol"), asks("", "b1")))
	expect(t, "asked", p.asked.len(), 0)
}

func TestRepairSweepAnswersWhatIsDue(t *testing.T) {
	formats := []wire.Format{wire.SDS02, wire.SDS03, wire.SDS04, wire.LIP109}
	for _, format := range formats {
		t.Run(format.String(), func(t *testing.T) {
			p := newPeer(t, "alice", func(c *Config) { c.Format = format })
			original := message("b1", 1000, from("bob"), cites("b0"), withFilter(filterOf(1, "z")), asks("x", "y"))
			p.markMet("b0")
			p.take(original)
			p.take(message("c1", 1001, from("carol"), asks("bob", "b1")))
			due := start + ResponseDelay("alice", "bob", "b1", 300*second)
			p.now = due - 1
			p.sweepRepairs()
			p.expectEvents(t)
			expect(t, "changed before T_resp", p.effects.Changed, false)
			p.now = due
			p.sweepRepairs()
			p.expectEvents(t, "repair_ready b1")
			expect(t, "changed at T_resp", p.effects.Changed, true)

			answer := decode(t, p.effects.Events[0].Message)
			want := message("b1", 1000, cites("b0"))
			if format != wire.SDS02 {
				want.SenderID = "bob"
			}
			ignoreNilness(answer)
			want.Format = answer.Format
			expect(t, "answer", answer, want)
			p.sweepRepairs()
			p.expectEvents(t)
		})
	}
}

// ignoreNilness makes empty what is absent.
func ignoreNilness(m *wire.Message) {
	if len(m.Filter) == 0 {
		m.Filter = nil
	}
	if len(m.RepairRequests) == 0 {
		m.RepairRequests = nil
	}
}

func TestAnswersAreInTheOrderOfTheirTimes(t *testing.T) {
	p := newPeer(t, "alice")
	ids := []string{"b1", "b2", "b3", "b4"}
	for _, id := range ids {
		p.take(message(id, 1000, from("bob")))
	}
	p.take(message("c1", 1001, from("carol"), asks("bob", ids...)))
	slices.SortFunc(ids, func(a, b string) int {
		return int(ResponseDelay("alice", "bob", a, 300*second) - ResponseDelay("alice", "bob", b, 300*second))
	})
	p.now += 300 * second
	p.sweepRepairs()
	var want []string
	for _, id := range ids {
		want = append(want, "repair_ready "+id)
	}
	p.expectEvents(t, want...)
}

func TestAnswerIsGivenAlthoughTheLogForgotTheMessage(t *testing.T) {
	for _, restart := range []bool{false, true} {
		p := newPeer(t, "alice", func(c *Config) { c.MaxHistory = 1 })
		p.take(message("b1", 1000, from("bob")))
		p.take(message("b1", 1000, from("bob"), asks("bob", "b1")))
		p.take(message("b2", 2000, from("bob")))
		expect(t, "log", p.logIDs(), []string{"b2"})
		if restart {
			p = p.restarted()
		}
		p.now += 300 * second
		p.sweepRepairs()
		p.expectEvents(t, "repair_ready b1")
	}
}

func TestLeastUrgentAnswerGivesWay(t *testing.T) {
	p := newPeer(t, "alice", func(c *Config) { c.Limits.MaxRepairEntries = 2 })
	p.send("m1")
	p.send("m2")
	p.take(message("b1", 1000, from("bob")))
	if ResponseDelay("alice", "bob", "b1", 300*second) == 0 {
		t.Fatal("the test needs an answer that is less urgent than those of the sender")
	}
	p.take(message("c1", 1001, from("carol"), asks("bob", "b1")))
	p.take(message("c2", 1001, from("carol"), asks("alice", "m1", "m2")))
	expect(t, "asked", repairIDs(&p.asked), []string{"m1", "m2"})
}

func TestRepairSweepWithTheClockSetBack(t *testing.T) {
	p := newPeer(t, "alice")
	p.now += 3600 * second
	p.take(message("b1", 1000, from("bob")))
	p.take(message("b2", 1001, from("bob"), cites("x"), asks("bob", "b1")))
	p.now -= 3600 * second
	p.sweepRepairs()
	p.expectEvents(t)
	expect(t, "to be saved", p.effects.Changed, true) // else a restart would begin to wait anew
	p.sweepRepairs()
	expect(t, "to be saved again", p.effects.Changed, false)
	p.now += 300 * second
	p.sweepRepairs()
	p.expectEvents(t, "repair_ready b1")
	expect(t, "requests", decode(t, p.send("m1")).RepairRequests, entries("", []string{"x"}))
	p.now += 301 * second
	p.sweepRepairs()
	expect(t, "asking past T_max", repairIDs(&p.asking), nil)
}

// The formulas. The values for whole vectors are in the conformance tests.

func TestRequestDelayFormula(t *testing.T) {
	tests := []struct {
		name               string
		participant, id    string
		tMin, tMax, expect int64
	}{
		{"vector", "", "m1", 30000, 300000, 227191},
		{"vector", "", "msg-0", 30000, 300000, 110579},
		{"vector, not ASCII", "", "é", 30000, 300000, 219025},
		{"the range is empty", "alice", "m1", 1000, 1000, 1000},
		{"the range is negative", "alice", "m1", 1000, 10, 1000},
		{"the range is one", "alice", "m1", 5, 6, 5},
		{"both are zero", "alice", "m1", 0, 0, 0},
	}
	for _, test := range tests {
		if got := RequestDelay(test.participant, test.id, test.tMin, test.tMax); got != test.expect {
			t.Errorf("%s: RequestDelay(%q, %q, %d, %d) = %d, want %d", test.name, test.participant, test.id, test.tMin, test.tMax, got, test.expect)
		}
	}
}

func TestResponseDelayFormula(t *testing.T) {
	tests := []struct {
		name                    string
		participant, sender, id string
		tMax, expect            int64
	}{
		{"vector", "", "alice", "m1", 300000, 38310},
		{"vector", "", "alice", "msg-0", 300000, 147390},
		{"vector", "", "alice", "m1", 1000, 310},
		{"the sender", "alice", "alice", "m1", 300000, 0},
		{"T_max is 0", "alice", "bob", "m1", 0, 0},
		{"T_max is negative", "alice", "bob", "m1", -1, 0},
		{"T_max is 1", "alice", "bob", "m1", 1, 0},
	}
	for _, test := range tests {
		if got := ResponseDelay(test.participant, test.sender, test.id, test.tMax); got != test.expect {
			t.Errorf("%s: ResponseDelay(%q, %q, %q, %d) = %d, want %d", test.name, test.participant, test.sender, test.id, test.tMax, got, test.expect)
		}
	}
	for i := range 1000 { // the largest T_max that a configuration can have
		if got := ResponseDelay("alice", fmt.Sprint(i), "m1", math.MaxInt32); got < 0 || got >= math.MaxInt32 {
			t.Fatalf("ResponseDelay for sender %d is %d", i, got)
		}
	}
}

func TestResponseGroups(t *testing.T) {
	for _, format := range []wire.Format{wire.SDS04, wire.LIP109} {
		for _, groups := range []int{-1, 0, 1} {
			expect(t, fmt.Sprintf("%v: %d groups are one", format, groups), InResponseGroup(format, "alice", "bob", "m1", groups), true)
		}
		in := 0
		for i := range 1000 {
			id := fmt.Sprint("m", i)
			expect(t, "the sender is in the group", InResponseGroup(format, "bob", "bob", id, 10), true)
			if InResponseGroup(format, "alice", "bob", id, 10) {
				in++
			}
		}
		if in < 50 || in > 200 {
			t.Errorf("%v: with ten groups alice is in bob's for %d of 1000 messages", format, in)
		}
	}
	expect(t, "vector, 2 groups", InResponseGroup(wire.SDS04, "", "alice", "m1", 2), true)
	expect(t, "vector, 3 groups", InResponseGroup(wire.SDS04, "", "alice", "m1", 3), false)
	// By the first 8 bytes of SHA-256, worked out apart.
	for i, want := range [][2]bool{{true, false}, {true, true}, {false, true}, {true, true}, {true, false}} {
		id := fmt.Sprint("m", i+1)
		got := [2]bool{InResponseGroup(wire.LIP109, "alice", "bob", id, 2), InResponseGroup(wire.LIP109, "alice", "bob", id, 3)}
		expect(t, "lip-109, 2 and 3 groups, "+id, got, want)
	}
}

func TestMagnitudeIsTheAbsoluteValueOfASignedHash(t *testing.T) {
	for hash, want := range map[uint64]uint64{0: 0, 1: 1, 1<<63 - 1: 1<<63 - 1, 1 << 63: 1 << 63, 1<<64 - 1: 1} {
		expect(t, fmt.Sprintf("magnitude of %#x", hash), magnitude(hash), want)
	}
}

func TestOneThatIsAskedForDoesNotKeepOthersFromIt(t *testing.T) {
	p := newPeer(t, "alice")
	p.take(message("b1", 1000, cites("x")))
	p.take(message("b2", 1001, cites("x", "y")))
	p.take(message("b3", 1002, cites("b1", "z")))
	asking := repairIDs(&p.asking)
	slices.Sort(asking)
	expect(t, "asked for", asking, []string{"x", "y", "z"})
}

func TestARequestThatIsNotNotedDoesNotKeepOthersFromIt(t *testing.T) {
	p := newPeer(t, "alice")
	p.send("m1")
	p.send("m2")
	m := message("b1", 2000, from("bob"))
	m.RepairRequests = []wire.Entry{{ID: "m1"}, {ID: "unknown", SenderID: "alice"}, {ID: "m2", SenderID: "alice"}}
	p.take(m)
	expect(t, "to answer", repairIDs(&p.asked), []string{"m2"})
}

// T_min may be the longer one: then it is the delay.
func TestRepairSweepLeavesRequestsThatWaitForTMin(t *testing.T) {
	p := newPeer(t, "alice", func(c *Config) { c.RepairTMin, c.RepairTMax = 100*second, 10*second })
	p.take(message("b1", 1000, cites("x")))
	p.sweepRepairs()
	expect(t, "due", p.asking.get("x").due, start+100*second)
}
