package hostile

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/limits"
	"github.com/libsds/libsds/core/wire"
)

// lists are the fields that hold a list in some format.
var lists = []protowire.Number{3, 8, 11, 13}

// TestHistoryOfAMillionEntriesIsRefused before a single entry is made room for.
func TestHistoryOfAMillionEntriesIsRefused(t *testing.T) {
	const million = 1_000_000
	entry := []byte("\x0a\x01i")
	for _, format := range formats {
		for _, number := range lists {
			r := openRoom(t)
			payload := forged(format, "evil")
			payload = append(payload, bytes.Repeat(field(number, entry), million)...)
			var err error
			used := allocated(func() { _, err = r.victim.Unwrap(payload) })
			if !errors.Is(err, core.ErrDeserialization) {
				t.Errorf("field %d in %v: %v", number, format, err)
			}
			// The error's words, and what the manager keeps ready for any message.
			expectAtMost(t, fmt.Sprintf("bytes allocated for a million entries in field %d of %v", number, format), used, 16*kib)
			if channels := r.victim.Channels(); len(channels) > 0 {
				t.Errorf("field %d in %v made %v", number, format, channels)
			}
		}
	}
}

// TestUnknownFieldsByTheMillionAreSkipped: they cost what it takes to walk over
// them, and no memory.
func TestUnknownFieldsByTheMillionAreSkipped(t *testing.T) {
	r := openRoom(t)
	payload := append(forged(wire.SDS04, "evil"), bytes.Repeat([]byte{15 << 3, 0}, 1_000_000)...)
	// Each of three managers keeps the message without them, and now has a filter of
	// 18 KiB; the payload of 2 MB is not kept.
	expectAtMost(t, "bytes kept of a message with a million unknown fields, by three", kept(func() { r.attack(payload) }), 128*kib)
	runtime.KeepAlive(payload)
	expectProportional(t, "unknown fields", 250_000, func(n int) func() {
		payload := append(forged(wire.SDS04, "evil"), bytes.Repeat([]byte{15 << 3, 0}, n)...)
		r := openRoom(t)
		return func() { r.victim.unwrap(payload) }
	})
	r.talk(12, nil)
	r.expectService()
}

// TestHistoryAsLongAsIsAllowed: the cost grows with its length and no faster, in
// whatever order, with whatever repetitions its details come.
func TestHistoryAsLongAsIsAllowed(t *testing.T) {
	most := limits.Default().MaxHistoryEntries
	shapes := map[string]func(n int) []byte{
		"ids":              func(n int) []byte { return forged(wire.SDS02, "evil", citing(numbered("i", n)...)) },
		"entries":          func(n int) []byte { return forged(wire.SDS03, "evil", citing(numbered("i", n)...)) },
		"one id":           func(n int) []byte { return forged(wire.SDS02, "evil", citing(repeated("i", n)...)) },
		"lip-109":          func(n int) []byte { return forged(wire.LIP109, "evil", citing(numbered("i", n)...)) },
		"requests":         func(n int) []byte { return forged(wire.SDS04, "evil", asking("alice", numbered("i", n)...)) },
		"reversed details": reversedDetails,
	}
	for name, shape := range shapes {
		r := openRoom(t)
		r.attack(shape(most))
		if waits := r.victim.held().OutgoingRepairs; waits > r.limits().MaxRepairEntries {
			t.Errorf("%s: %d entries wait to be asked for", name, waits)
		}
		expectProportional(t, name, most/4, func(n int) func() {
			r, payload := openRoom(t), shape(n)
			return func() { r.victim.unwrap(payload) }
		})
		r.talk(12, nil)
		r.expectService()
	}
}

// reversedDetails has field 8 in the wrong order, which is looked up by id.
func reversedDetails(n int) []byte {
	ids := numbered("i", n)
	payload := forged(wire.SDS02, "evil", citing(ids...))
	for i := range ids {
		entry := append(field(1, []byte(ids[len(ids)-1-i])), field(3, []byte("alice"))...)
		payload = append(payload, field(8, entry)...)
	}
	return payload
}

func repeated(id string, n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = id
	}
	return ids
}

// TestHintsOfMegabytesAreDropped, and not their messages. Those as long as can be
// are kept within the bounds of the buffers.
func TestHintsOfMegabytesAreDropped(t *testing.T) {
	hinted := func(id string, n, hint int) []byte {
		return forged(wire.SDS04, id, func(m *wire.Message) {
			m.History = entriesOf(numbered(id+" lacks ", n), "alice")
			for i := range m.History {
				m.History[i].Hint = make([]byte, hint)
			}
		})
	}
	r := openRoom(t)
	huge := hinted("evil", 7, int(mib))
	// Seven entries and a message of a few hundred bytes in each of three managers, and
	// their filters.
	expectAtMost(t, "bytes kept of a message with 7 hints of 1 MiB, by three", kept(func() { r.attack(huge) }), 128*kib)
	runtime.KeepAlive(huge)

	// 16 payloads of 4 MiB. Each hint is kept once in its message and once as what
	// is missing; both weigh against maxIncomingBytes.
	room := openRoom(t)
	grown := kept(func() {
		for i := range 16 {
			room.victim.unwrap(hinted(fmt.Sprint("evil", i), 1000, limits.MaxHintBytes))
		}
	})
	bytes := int64(room.limits().MaxIncomingBytes)
	history := int64(16) * 1000 * limits.MaxHintBytes // what gave way is in the log
	expectAtMost(t, "bytes kept of 16,000 hints of 4 KiB", grown, bytes+history+bytes/4)
	if held := room.victim.held(); held.IncomingBytes > int(bytes) || held.OutgoingRepairs > room.limits().MaxRepairEntries {
		t.Errorf("%d bytes wait, and %d entries", held.IncomingBytes, held.OutgoingRepairs)
	}
	r.talk(12, nil)
	r.expectService()
}

// TestHistoriesOfStrangersStayWithinMaxIncomingBytes: messages that lack thousands
// of others each, by the hundred.
func TestHistoriesOfStrangersStayWithinMaxIncomingBytes(t *testing.T) {
	const bound = 8 << 20
	most := limits.Default().MaxHistoryEntries
	r := openRoom(t, func(c *core.Config) { c.Limits.MaxIncomingBytes = bound })
	var stored int64
	const messages = 30
	grown := kept(func() {
		for i := range messages {
			payload := forged(wire.SDS02, fmt.Sprint("evil", i), citing(numbered(fmt.Sprint(i, "-"), most)...))
			stored += int64(len(payload))
			r.attack(payload)
		}
	}) / 3
	held := r.victim.held()
	if held.IncomingBytes > bound {
		t.Errorf("%d bytes wait", held.IncomingBytes)
	}
	// What gave way was delivered, and is in the log: that is bounded by messages.
	// What a missing dependency weighs is an estimate, of maps that are neither full
	// nor empty.
	expectAtMost(t, "bytes kept of 30 messages that lack 4,096 each, with 8 MiB for the waiting", grown, bound+bound/2+stored)
	if r.victim.hopeless == 0 || r.victim.foreign+held.Incoming != messages {
		t.Errorf("%d gave way, %d were delivered, %d wait", r.victim.hopeless, r.victim.foreign, held.Incoming)
	}
	r.talk(12, nil)
	r.expectService()
}
