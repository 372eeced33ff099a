package hostile

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/wire"
)

// places are where a message has an id.
var places = map[string]func(id string) func(*wire.Message){
	"message id": func(id string) func(*wire.Message) { return func(m *wire.Message) { m.ID = id } },
	"channel id": in,
	"sender id":  by,
	"cited id":   func(id string) func(*wire.Message) { return citing(id) },
	"sender of a citation": func(id string) func(*wire.Message) {
		return func(m *wire.Message) { m.History = entriesOf([]string{"i"}, id) }
	},
	"requested id":        func(id string) func(*wire.Message) { return asking("alice", id) },
	"sender of a request": func(id string) func(*wire.Message) { return asking(id, "i") },
}

// TestIDOfAMegabyteIsRefused wherever it stands, and not copied for that.
func TestIDOfAMegabyteIsRefused(t *testing.T) {
	huge := strings.Repeat("x", int(mib))
	r := openRoom(t)
	for what, place := range places {
		for _, format := range formats {
			payload := forged(format, "evil", place(huge))
			if len(payload) < len(huge) {
				continue // the format has no such place
			}
			var err error
			used := allocated(func() { _, err = r.victim.Unwrap(payload) })
			if !errors.Is(err, core.ErrDeserialization) {
				t.Errorf("%s in %v: %v", what, format, err)
			}
			if used > 16*kib {
				t.Errorf("%s in %v: %d bytes were allocated", what, format, used)
			}
			if len(err.Error()) > 256 {
				t.Errorf("%s in %v: the error has %d bytes", what, format, len(err.Error()))
			}
		}
	}
	if channels := r.victim.Channels(); len(channels) > 0 {
		t.Errorf("they made %d channels", len(channels))
	}
	r.talk(12, nil)
	r.expectService()
}

// TestIDsAsLongAsIsAllowed are kept as often as the buffers have room.
func TestIDsAsLongAsIsAllowed(t *testing.T) {
	most := openRoom(t).limits().MaxIDBytes
	long := func(prefix string, i int) string {
		id := fmt.Sprint(prefix, i, "-")
		return id + strings.Repeat("x", most-len(id))
	}
	r := openRoom(t)
	const messages, missing = 20, 100
	var sent int64
	grown := kept(func() {
		for i := range messages {
			lacks := make([]string, missing)
			for j := range lacks {
				lacks[j] = long("missing", i*missing+j)
			}
			payload := forged(wire.SDS03, long("evil", i), by(long("mallory", i)), citing(lacks...))
			sent += int64(len(payload))
			r.victim.unwrap(payload)
		}
	})
	// Once in the message, once as what is missing, and what the indices take.
	expectAtMost(t, fmt.Sprintf("bytes kept of %d with ids of %d", sent, most), grown, 2*sent+mib)
	for _, format := range formats {
		r.attack(forged(format, long("short history", int(format))))
	}
	if held := r.victim.held(); held.OutgoingRepairs > r.limits().MaxRepairEntries {
		t.Errorf("%d entries wait to be asked for", held.OutgoingRepairs)
	}
	r.talk(12, nil)
	r.expectService()
}
