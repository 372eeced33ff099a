package hostile

import (
	"errors"
	"fmt"
	"testing"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/wire"
)

// TestFloodOfEphemeralMessages leaves nothing behind.
func TestFloodOfEphemeralMessages(t *testing.T) {
	r := openRoom(t)
	r.talk(12, nil)
	const n = 2000
	grown := kept(func() {
		for i := range n {
			r.attack(forged(formats[i%len(formats)], fmt.Sprint("evil", i), saying(make([]byte, 1000)), func(m *wire.Message) { m.HasLamport = false }))
		}
	})
	expectAtMost(t, "bytes kept of 2,000 ephemeral messages of 1,000 bytes, by three", grown, 64*kib)
	if r.victim.foreign != n {
		t.Errorf("%d of %d were delivered", r.victim.foreign, n)
	}
	r.talk(12, nil)
	r.expectService()
}

// TestFloodOfSyncMessages leaves nothing behind, but what they make worth asking
// for.
func TestFloodOfSyncMessages(t *testing.T) {
	r := openRoom(t)
	r.talk(12, nil)
	before := r.victim.held()
	const n = 2000
	grown := kept(func() {
		for i := range n {
			r.attack(forged(wire.SDS04, fmt.Sprint("evil", i), saying(nil), by(fmt.Sprint("mallory", i))))
		}
	})
	expectAtMost(t, "bytes kept of 2,000 sync messages, by three", grown, 64*kib)
	if held := r.victim.held(); held.Log != before.Log || held.Incoming != before.Incoming {
		t.Errorf("%d are in the log, %d wait", held.Log, held.Incoming)
	}
	r.talk(12, nil)
	r.expectService()
}

// TestFloodOfMessages: the log is bounded by maxMessageHistory, and by nothing in
// bytes: it may hold as many of the largest.
func TestFloodOfMessages(t *testing.T) {
	const history = 40
	r := openRoom(t, func(c *core.Config) { c.MaxMessageHistory = history })
	r.talkBefore()
	content := make([]byte, mib)
	grown := kept(func() {
		for i := range 3 * history {
			r.victim.unwrap(forged(wire.SDS02, fmt.Sprint("evil", i), at(uint64(i)), saying(content)))
		}
	})
	expectAtMost(t, "bytes kept of 120 messages of 1 MiB, with a log of 40", grown, history*mib+mib)
	r.talk(12, nil)
	r.expectService()
}

// TestContentOverTheLimitIsRefused, and the payload over the limit is not read.
func TestContentOverTheLimitIsRefused(t *testing.T) {
	r := openRoom(t)
	huge := make([]byte, r.limits().MaxWireBytes)
	for _, format := range formats {
		for what, payload := range map[string][]byte{
			"a content of a byte too many": forged(format, "evil", saying(huge[:mib+1])),
			"a payload that is too long":   forged(format, "evil", saying(huge)),
		} {
			var err error
			used := allocated(func() { _, err = r.victim.Unwrap(payload) })
			if !errors.Is(err, core.ErrDeserialization) {
				t.Errorf("%s in %v: %v", what, format, err)
			}
			if used > 16*kib {
				t.Errorf("%s in %v: %d bytes were allocated", what, format, used)
			}
		}
		r.attack(forged(format, fmt.Sprint("as large as can be in ", format), saying(huge[:mib])))
	}
	r.talk(12, nil)
	r.expectService()
}

// TestWhatOnlyTheVictimHears: she cites what the others never got, so they wait,
// ask her and get it; everything is delivered in order.
func TestWhatOnlyTheVictimHears(t *testing.T) {
	r := openRoom(t)
	r.talk(12, func(i int) { r.victim.unwrap(forged(wire.SDS04, fmt.Sprint("evil", i), at(uint64(i)))) })
	r.expectDelivery()
	for _, p := range r.everybody() {
		if len(p.lost) > 0 {
			t.Errorf("%s: gave up waiting for %v", p.name, p.lost)
		}
	}
}
