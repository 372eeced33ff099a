package hostile

import (
	"fmt"
	"strings"
	"testing"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/limits"
	"github.com/libsds/libsds/core/wire"
)

// TestFewFutureMessagesLeaveTheConversationWhole: messages from the end of time
// stay the newest of the log, and each takes one of the places that a message has
// for its citations. With half of them gone everything works.
func TestFewFutureMessagesLeaveTheConversationWhole(t *testing.T) {
	r := openRoom(t)
	for i := range core.DefaultConfig().MaxCausalHistory / 2 {
		r.attack(forged(wire.SDS04, fmt.Sprint("evil", i), at(limits.MaxLamport)))
	}
	r.talk(24, nil)
	r.expectService()
}

// TestFutureMessagesThatOwnTheLog is what is known to be wrong: as many of them as
// maxMessageHistory own the log for good, and all that is cited is theirs, so
// nobody notices what he lacks, and the order of what is repeated is lost. What
// remains: the log keeps its bound, what arrives is delivered once and at once,
// filters acknowledge it, and what nobody received is sent again.
func TestFutureMessagesThatOwnTheLog(t *testing.T) {
	const history = 200 // 1,000 take longer and show the same
	r := openRoom(t, func(c *core.Config) { c.MaxMessageHistory = history })
	before := r.say(r.victim)
	for i := range history {
		r.attack(forged(wire.SDS04, fmt.Sprint("evil", i), at(limits.MaxLamport)))
	}
	for _, p := range r.everybody() {
		cited := decoded(t, r.say(p).payload).History
		for _, entry := range cited {
			if r.sender(entry.ID) == p.name || entry.ID == before.id {
				t.Errorf("%s cites %s: the honest are heard again, so say that in the promises", p.name, entry.ID)
			}
		}
	}
	if held := r.honestInLog(); held > 1 {
		t.Errorf("%d honest messages are in a log that is full of later ones", held)
	}
	lost := r.say(r.others[0], r.victim, r.others[1])
	r.say(r.others[1])
	r.pass(300)
	for _, p := range r.everybody() {
		if n := p.held().Log; n > history+1 {
			t.Errorf("%s: the log has %d messages", p.name, n)
		}
		for _, u := range r.said {
			switch n := p.contents["content of "+u.id]; {
			case u.sender != p.name && n != 1:
				t.Errorf("%s: %s was delivered %d times", p.name, u.id, n)
			case u.sender == p.name && p.sent[u.id] != 1:
				t.Errorf("%s: %s was acknowledged %d times", p.name, u.id, p.sent[u.id])
			}
		}
	}
	if r.others[0].resent == 0 {
		t.Errorf("%s came without being sent again", lost.id)
	}
}

// honestInLog is how many messages of honest participants the victim's log has.
func (r *room) honestInLog() int {
	r.t.Helper()
	inspection, err := r.victim.Inspect(channelID)
	if err != nil {
		r.t.Fatal(err)
	}
	honestOnes := 0
	for _, logged := range inspection.Log {
		if strings.HasPrefix(logged.MessageID, honest) {
			honestOnes++
		}
	}
	return honestOnes
}
