package hostile

import (
	"errors"
	"testing"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/wire"
)

// whole is a message that has everything that a format can carry.
func whole(f wire.Format) []byte {
	return forged(f, "whole", citing("a", "b"), asking("alice", "c", "d"), with(filter(filled(16, 2, 0), 10, 128)),
		func(m *wire.Message) { m.History[1].Hint = []byte("there") })
}

// damage hands a payload to everybody: it is refused as no message, or taken.
func (r *room) damage(payload []byte) (taken bool) {
	for _, p := range r.everybody() {
		_, err := p.Unwrap(payload)
		if err != nil && !errors.Is(err, core.ErrDeserialization) {
			r.t.Errorf("%x: %v", payload, err)
		}
		taken = err == nil
	}
	return taken
}

// TestMessageOfEveryTruncation is an error, or the message of the fields that are
// left; and the conversation goes on.
func TestMessageOfEveryTruncation(t *testing.T) {
	for _, format := range formats {
		r := openRoom(t)
		payload := whole(format)
		r.damage(payload)
		taken := 0
		for n := range payload {
			if r.damage(payload[:n:n]) {
				taken++
			}
		}
		t.Logf("%v: of %d truncations %d were messages", format, len(payload), taken)
		if channels := r.victim.Channels(); len(channels) != 1 {
			t.Errorf("%v: they made %q", format, channels)
		}
		r.talk(12, nil)
		r.expectService()
	}
}

// TestMessageWithEveryBitFlipped, while the conversation goes on.
func TestMessageWithEveryBitFlipped(t *testing.T) {
	for _, format := range formats {
		r := openRoom(t)
		payload := whole(format)
		r.damage(payload)
		taken, bit := 0, 0
		r.talk(12, func(int) {
			for range (8*len(payload) + 11) / 12 {
				if bit < 8*len(payload) {
					payload[bit/8] ^= 1 << (bit % 8)
					if r.damage(payload) {
						taken++
					}
					payload[bit/8] ^= 1 << (bit % 8)
					bit++
				}
			}
		})
		t.Logf("%v: of %d flipped bits %d left a message", format, bit, taken)
		r.expectService()
	}
}
