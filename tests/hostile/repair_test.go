package hostile

import (
	"fmt"
	"testing"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/wire"
)

// TestRequestsForEverythingAreAnsweredOncePerSweep: however often a peer asks for
// the whole log, under whatever names, what is sent is each message once in a
// sweep of repairs, and the first request's timer stands. So the bytes sent for a
// byte received are at most a message's for a request's, and the more often is
// asked the fewer.
func TestRequestsForEverythingAreAnsweredOncePerSweep(t *testing.T) {
	const messages, times = 300, 50
	r := openRoom(t)
	ids := make([]string, messages)
	size := 0
	for i := range ids {
		ids[i] = fmt.Sprint("theirs", i)
		payload := forged(wire.SDS04, ids[i], at(uint64(start/1000+int64(i))))
		size += len(payload)
		r.attack(payload)
	}
	// In the victim's own name: then she does not wait before she answers.
	request := forged(wire.SDS04, "request", asking("victim", ids...))
	received := 0
	grown := kept(func() {
		for i := range times {
			request := forged(wire.SDS04, fmt.Sprint("request", i), asking("victim", ids...))
			received += len(request)
			r.victim.unwrap(request)
		}
	})
	// 300 entries, and 50 messages without their requests.
	expectAtMost(t, "bytes kept of 50 requests for each of 300 messages", grown, 256*kib)
	if waits := r.victim.held().IncomingRepairs; waits != messages {
		t.Errorf("%d answers wait for %d messages", waits, messages)
	}
	r.victim.Tick(r.now)
	r.now += 10_000
	r.victim.Tick(r.now)
	r.now += 10_000
	r.victim.Tick(r.now)
	expectAtMost(t, "answers to 50 requests for each of 300 messages", int64(r.victim.repairs), messages)
	expectAtMost(t, "bytes sent for 100 received, when all is asked for once", int64(100*r.victim.replied/len(request)), int64(100*size/len(request)))
	expectAtMost(t, "bytes sent for 100 received, when all is asked for 50 times", int64(100*r.victim.replied/received), 100)
	r.victim.outbox = nil
	r.talk(12, nil)
	r.expectService()
}

// TestRequestsForWhatNobodyHasLeaveNothing.
func TestRequestsForWhatNobodyHasLeaveNothing(t *testing.T) {
	r := openRoom(t)
	r.talk(12, nil)
	most := r.limits().MaxHistoryEntries
	// Of the messages, which are kept, as they are without their requests.
	expectAtMost(t, "bytes kept of 20 messages with 4,096 requests for nothing each", kept(func() {
		for i := range 20 {
			r.attack(forged(wire.SDS04, fmt.Sprint("evil", i), asking("alice", numbered("nothing", most)...)))
		}
	})/3, 32*kib)
	if waits := r.victim.held().IncomingRepairs; waits > 4 {
		t.Errorf("%d answers wait", waits)
	}
	r.talk(12, nil)
	r.expectService()
}

// TestRequestsStayWithinMaxRepairEntries: a log that is asked for as a whole.
func TestRequestsStayWithinMaxRepairEntries(t *testing.T) {
	const most = 100
	r := openRoom(t, func(c *core.Config) { c.Limits.MaxRepairEntries = most })
	ids := numbered("theirs", 10*most)
	for _, id := range ids {
		r.attack(forged(wire.SDS04, id))
	}
	r.attack(forged(wire.SDS04, "request", asking("nobody", ids...)))
	for _, p := range r.everybody() {
		if waits := p.held().IncomingRepairs; waits != most {
			t.Errorf("%s: %d answers wait, not %d", p.name, waits, most)
		}
	}
	r.talk(12, nil)
	r.expectService()
}

// TestStormOfResponsesIsOneDelivery: everybody answers a request a thousand times.
// The message is delivered once, nothing is sent because of the copies, and none
// costs more than a message.
func TestStormOfResponsesIsOneDelivery(t *testing.T) {
	r := openRoom(t)
	r.talk(4, nil) // the last one does not reach the victim
	r.say(r.others[0])
	lost := r.said[3]
	sent := 0
	for _, p := range r.everybody() {
		p.onSend = func([]byte) { sent++ }
	}
	for range 1000 {
		r.attack(lost.payload)
	}
	r.flush()
	expectAtMost(t, "payloads sent because of 3,000 responses", int64(sent), 0)
	r.talk(12, nil)
	r.expectService()
}

// TestWhatIsMissingIsAskedForWithinBounds: strangers cite what nobody has, without
// end. What is asked for is bounded in number, in what a message carries, and in
// time.
func TestWhatIsMissingIsAskedForWithinBounds(t *testing.T) {
	r := openRoom(t)
	most := r.limits().MaxRepairEntries
	for i := range 20 {
		r.attack(forged(wire.SDS04, fmt.Sprint("evil", i), saying(nil), citing(numbered(fmt.Sprint(i, "-"), 500)...)))
	}
	if waits := r.victim.held().OutgoingRepairs; waits != most {
		t.Errorf("%d entries wait to be asked for, not %d", waits, most)
	}
	requests := 0
	r.victim.onSend = func(payload []byte) {
		n := len(decoded(t, payload).RepairRequests)
		requests += n
		if n > core.DefaultConfig().MaxRepairRequests {
			t.Errorf("a message asks for %d", n)
		}
	}
	config := core.DefaultConfig()
	seconds := int(2*config.RepairTMaxMs/1000) + 10
	r.pass(seconds)
	if waits := r.victim.held().OutgoingRepairs; waits > 0 {
		t.Errorf("%d entries wait to be asked for after twice T_max", waits)
	}
	syncs := int64(seconds)*1000/config.SyncMessageIntervalMs + 1
	expectAtMost(t, "requests for 10,000 ids that nobody has", int64(requests), syncs*int64(config.MaxRepairRequests))
	r.talk(12, nil)
	r.expectService()
}

// TestMissingIDsOfStrangersAreOutrun: who cites what nobody has makes everybody ask
// for that, too, and a message asks for maxRepairRequests only, the most overdue
// first. Ten such ids in each interval of sync messages are outrun; thirty are where
// messages may ask for as many.
func TestMissingIDsOfStrangersAreOutrun(t *testing.T) {
	for name, test := range map[string]struct {
		ids     int
		changes func(*core.Config)
	}{
		"ten, by default":                      {10, func(*core.Config) {}},
		"thirty, with maxRepairRequests at 30": {30, func(c *core.Config) { c.MaxRepairRequests = 30 }},
	} {
		t.Run(name, func(t *testing.T) {
			r := openRoom(t, test.changes)
			flood := r.floodOfMissingIDs(test.ids)
			for range 10 {
				flood()
				r.pass(30)
			}
			r.talk(12, nil)
			for i := 0; i < 30 && !r.quiet(); i++ {
				flood()
				r.pass(30)
			}
			r.expectService()
		})
	}
}

// floodOfMissingIDs returns what makes everybody miss n more ids that nobody has.
func (r *room) floodOfMissingIDs(n int) func() {
	flood := 0
	return func() {
		flood++
		r.attack(forged(wire.SDS04, fmt.Sprint("flood", flood), saying(nil), citing(numbered(fmt.Sprint("missing", flood, "-"), n)...)))
	}
}

// TestWhatStopsRepairs is what is known to be wrong: more missing ids than messages may
// ask for keep what the network has lost from being asked for, while they come. What
// remains: what was not lost is delivered once and acknowledged, nothing waits for longer
// than missingDependencyTimeoutMs, and when it is over everything works.
func TestWhatStopsRepairs(t *testing.T) {
	const seconds = 10
	r := openRoom(t)
	flood := r.floodOfMissingIDs(30 * seconds / 30) // thirty in each interval of sync messages
	for range 30 {
		flood()
		r.pass(seconds)
	}
	r.talk(12, nil)
	config := core.DefaultConfig()
	timeout := int(config.MissingDependencyTimeoutMs+config.BufferSweepIntervalMs)/1000 + 1
	for range timeout / seconds {
		flood()
		r.pass(seconds)
	}
	missing := 0
	for _, p := range r.everybody() {
		for _, u := range r.said {
			switch n := p.contents["content of "+u.id]; {
			case u.sender == p.name && p.sent[u.id] != 1:
				t.Errorf("%s: %s was acknowledged %d times", p.name, u.id, p.sent[u.id])
			case u.sender != p.name && n > 1:
				t.Errorf("%s: %s was delivered %d times", p.name, u.id, n)
			case u.sender != p.name && n == 0:
				missing++
			}
		}
		if n := p.held().Incoming; n > 0 {
			t.Errorf("%s: %d messages wait", p.name, n)
		}
	}
	expectAtMost(t, "messages not delivered, of those that the network lost", int64(missing), 3)

	r.pass(int(2 * config.RepairTMaxMs / 1000))
	r.startOver()
	r.talk(12, nil)
	r.expectService()
}

// TestWhatDoesNotStopRepairs: what is not the missing message, and what nobody answers,
// does not keep it from being asked for.
func TestWhatDoesNotStopRepairs(t *testing.T) {
	for name, evil := range map[string]func(i int, missing string) []byte{
		"sync messages under the missing ids": func(_ int, missing string) []byte {
			return forged(wire.SDS04, missing, saying(nil))
		},
		"requests for the missing ids that name nobody": func(i int, missing string) []byte {
			return forged(wire.SDS04, fmt.Sprint("request", i), saying(nil), asking("", missing))
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := openRoom(t)
			r.talk(12, nil)
			for i := 0; i < 90 && !r.quiet(); i++ {
				for _, u := range r.said {
					r.attack(evil(i, u.id))
				}
				r.pass(10)
			}
			r.expectService()
		})
	}
}
