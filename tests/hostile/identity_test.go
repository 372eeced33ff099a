package hostile

import (
	"fmt"
	"testing"

	"github.com/libsds/libsds/core/wire"
)

// TestMessagesInTheVictimsName acknowledge nothing of hers and take no request of
// hers for a peer's. They are delivered like any others, for she may have lost
// her state.
func TestMessagesInTheVictimsName(t *testing.T) {
	r := openRoom(t)
	unheard := r.sayUnheard(10)
	ids := make([]string, len(unheard))
	for i, u := range unheard {
		ids[i] = u.id
	}
	for i, format := range formats[1:] { // sds-0.2 names nobody
		r.victim.unwrap(forged(format, fmt.Sprint("evil", i), by("victim"), citing(ids...), asking("alice", ids...)))
	}
	if n, waits := len(r.victim.sent), r.victim.held().IncomingRepairs; n > 0 || waits > 0 {
		t.Errorf("%d messages were acknowledged, and %d answers wait", n, waits)
	}
	if r.victim.foreign != len(formats)-1 {
		t.Errorf("%d were delivered", r.victim.foreign)
	}
	r.hear(unheard)
	r.talk(12, nil)
	r.pass(60)
	for _, u := range unheard {
		if n := r.victim.sent[u.id]; n != 1 {
			t.Errorf("%s was acknowledged %d times", u.id, n)
		}
	}
}

// TestSameIDWithOtherContent: whoever comes first has the id. What comes later under
// it is a copy: neither delivered, nor logged, nor repeated to others.
func TestSameIDWithOtherContent(t *testing.T) {
	r := openRoom(t)
	r.talk(12, func(i int) {
		for _, u := range r.said {
			for _, format := range formats {
				r.attackKnowing(u, forged(format, u.id, by(u.sender), saying([]byte("a lie")), at(uint64(i))))
			}
		}
	})
	r.expectService()
	for _, p := range r.everybody() {
		if n := p.contents["a lie"]; n > 0 {
			t.Errorf("%s was told %d lies", p.name, n)
		}
	}
}

// attackKnowing has those hear a payload who have the message of its id.
func (r *room) attackKnowing(u utterance, payload []byte) {
	for _, p := range r.everybody() {
		if u.sender == p.name || p.contents["content of "+u.id] > 0 {
			p.unwrap(payload)
		}
	}
}

// TestIDThatTheVictimWillUse: a message under the id of a later one of hers is
// delivered, and gives way to hers when she sends it. Meanwhile she has cited it, so
// others wait for it in vain, and the order is lost.
func TestIDThatTheVictimWillUse(t *testing.T) {
	r := openRoom(t)
	for i := range 3 {
		r.victim.unwrap(forged(wire.SDS04, fmt.Sprintf("%svictim-%d", honest, i*3), by("alice"), saying([]byte("a lie"))))
	}
	r.talk(12, nil)
	r.expectDelivery()
}
