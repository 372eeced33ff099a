package hostile

import (
	"fmt"
	"testing"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/wire"
)

// TestReplayedMessageIsDeliveredOnce: every payload of a conversation comes a
// thousand times more, in the middle of it and after it.
func TestReplayedMessageIsDeliveredOnce(t *testing.T) {
	const times = 1000
	r := openRoom(t)
	r.talk(8, nil)
	expectAtMost(t, "bytes kept of 8 messages that came 3,000 times each", kept(func() {
		for _, u := range r.said {
			for range times {
				r.attack(u.payload)
			}
		}
	}), 64*kib)
	r.talk(16, func(i int) {
		for range times / 20 {
			r.attack(r.said[i].payload)
		}
	})
	r.expectService()
}

// TestReplayCostsNoMoreThanAMessage.
func TestReplayCostsNoMoreThanAMessage(t *testing.T) {
	const n = 2000
	receive := func(payload func(i int) []byte) func() func() {
		return func() func() {
			r := openRoom(t, smallFilter)
			payloads := make([][]byte, n)
			for i := range payloads {
				payloads[i] = payload(i)
			}
			r.victim.unwrap(payloads[0])
			return func() { r.victim.unwrapAll(payloads[1:]) }
		}
	}
	message := func(i int) []byte { return forged(wire.SDS04, fmt.Sprint("m", i)) }
	expectRatio(t, "a message that was delivered", 2, receive(message), receive(func(int) []byte { return message(0) }))
	waiting := func(i int) []byte { return forged(wire.SDS04, fmt.Sprint("m", i), citing(numbered("missing", 10)...)) }
	expectRatio(t, "a message that waits", 2, receive(waiting), receive(func(int) []byte { return waiting(0) }))
}

// TestReplayInOtherChannelsStaysThere: with the channel's name changed, a message
// is one of that channel, and none of the room's.
func TestReplayInOtherChannelsStaysThere(t *testing.T) {
	r := openRoom(t)
	r.talk(8, nil)
	for _, u := range r.said {
		m := decoded(t, u.payload)
		for i := range 20 {
			m.ChannelID = fmt.Sprint("elsewhere", i)
			r.attack(wire.Append(nil, m.Format, m, wire.RawFilter(m.Filter)))
		}
	}
	r.talk(12, nil)
	r.expectService()
}

// TestReplayBeyondTheLog is what is known: the log is the memory of what was
// delivered. A message that it has forgotten is delivered again when it comes
// again; it takes no more than one place in the log, and the conversation goes on.
func TestReplayBeyondTheLog(t *testing.T) {
	const history = 50
	r := openRoom(t, func(c *core.Config) { c.MaxMessageHistory = history })
	old := forged(wire.SDS04, "old", at(1))
	r.attack(old)
	for i := range history {
		r.attack(forged(wire.SDS04, fmt.Sprint("newer", i), at(uint64(10+i))))
	}
	before := r.victim.foreign
	for range 100 {
		r.attack(old)
	}
	t.Logf("delivered again: %d times of 100", r.victim.foreign-before)
	if n := r.victim.held().Log; n > history+1 {
		t.Errorf("the log has %d messages", n)
	}
	r.talk(24, func(int) { r.attack(old) })
	r.expectService()
}
