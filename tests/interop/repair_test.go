//go:build interop

package interop

import (
	"fmt"
	"testing"

	"github.com/libsds/libsds/core/channel"
	"github.com/libsds/libsds/core/wire"
)

// repairing is a configuration of repairs, in the words of both kinds.
func repairing(k kind, groups int) map[string]any {
	const least, most = 1000, 10_000
	if k == libsds {
		return map[string]any{"repairTMinMs": least, "repairTMaxMs": most, "numResponseGroups": groups, "repairSweepIntervalMs": 100}
	}
	return map[string]any{"repairConfig": map[string]any{"tMin": least, "tMax": most, "numResponseGroups": groups}}
}

// TestRepairsAreAskedForByOneAndAnsweredByTheOther: the answerer is the sender of
// the message, or another participant who has it.
func TestRepairsAreAskedForByOneAndAnsweredByTheOther(t *testing.T) {
	for _, asker := range []kind{libsds, waku} {
		for _, bySender := range []bool{true, false} {
			t.Run(fmt.Sprintf("%v asks, the sender answers: %v", asker, bySender), func(t *testing.T) {
				c, children := pair(t)
				asks := children[asker].join(t, "asks", repairing(asker, 1))
				answers := children[asker.other()].join(t, "answers", repairing(asker.other(), 1))
				sender := answers
				if !bySender {
					sender = children[asker].join(t, "sender", repairing(asker, 1))
				}
				answers.tick()
				lost, first := sender.send("lost")
				_, second := sender.send("arrives")
				if !bySender {
					answers.receive(first)
					answers.receive(second)
				}
				asks.receive(second)

				_, early := asks.send("before T_req")
				if n := len(decode(t, early).RepairRequests); n != 0 {
					t.Errorf("%d are asked for before T_req", n)
				}
				c.set(c.now + 10_000)
				request := asks.sync()
				requests := decode(t, request).RepairRequests
				if len(requests) != 1 || requests[0].ID != lost || requests[0].SenderID != sender.name {
					t.Fatalf("it asks for %v", requests)
				}
				answers.receive(request)
				answers.take()
				for range 100 { // T_resp is at most T_max away
					c.set(c.now + 100)
					answers.tick()
				}
				var answer []byte
				for _, e := range answers.take() {
					if e.name == "repair" && e.messageID == lost && answer == nil {
						answer = e.bytes
					} else if e.name == "repair" {
						t.Errorf("it answers %s once more", e.messageID)
					}
				}
				if answer == nil {
					t.Fatal("there is no answer")
				}
				if m := decode(t, answer); m.ID != lost || m.SenderID != sender.name || string(m.Content) != "lost" || m.Lamport != decode(t, first).Lamport {
					t.Errorf("it answers with %+v", m)
				}
				asks.receive(answer)
				asks.tick()
				if log := asks.logged(); len(log) != 3 || len(asks.inspect().Incoming) != 0 {
					t.Errorf("the log is %v", log)
				}
				c.set(c.now + 10_000)
				if n := len(decode(t, asks.sync()).RepairRequests); n != 0 {
					t.Errorf("%d are asked for although all came", n)
				}
			})
		}
	}
}

// TestResponseGroupsAreTheSame: of many participants, some of each kind, exactly
// those answer that are in the group of the sender, and both kinds agree on who
// that is.
func TestResponseGroupsAreTheSame(t *testing.T) {
	const groups, each = 3, 12
	c, children := pair(t)
	var all []*participant
	for i := range 2 * each {
		k := kind(i % 2)
		all = append(all, children[k].join(t, fmt.Sprint("participant ", i), repairing(k, groups)))
	}
	sender := children[waku].join(t, "sender", nil)
	asker := children[libsds].join(t, "asker", repairing(libsds, groups))
	answered := map[kind]int{}
	for round := range 5 {
		lost, first := sender.send(fmt.Sprint("lost ", round))
		_, second := sender.send(fmt.Sprint("arrives ", round))
		for _, p := range all {
			p.tick()
			p.receive(first)
			p.receive(second)
		}
		asker.receive(second)
		c.set(c.now + 10_000)
		request := asker.sync()
		if requests := decode(t, request).RepairRequests; len(requests) != 1 || requests[0].ID != lost {
			t.Fatalf("it asks for %v", requests)
		}
		for _, p := range all {
			p.take()
			p.receive(request)
		}
		for range 100 {
			c.set(c.now + 100)
			for _, p := range all {
				p.tick()
			}
		}
		for _, p := range all {
			got := p.took("repair", lost)
			want := 0
			if channel.InResponseGroup(wire.LIP109, p.name, "sender", lost, groups) {
				want = 1
			}
			if got != want {
				t.Errorf("%v %s answers %d times, not %d", p.kind(), p.name, got, want)
			}
			answered[p.kind()] += got
		}
		asker.receive(first)
	}
	if answered[libsds] == 0 || answered[waku] == 0 || answered[libsds]+answered[waku] > 80 {
		t.Errorf("of 120 answers, those of %v were given", answered)
	}
}
