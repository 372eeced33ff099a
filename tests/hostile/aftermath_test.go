package hostile

import (
	"fmt"
	"testing"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/limits"
	"github.com/libsds/libsds/core/wire"
)

// TestMemoryOfAnAttackIsGivenBack: what a flood of messages that lack thousands of
// others makes a channel hold, it gives back when they are given up and forgotten.
func TestMemoryOfAnAttackIsGivenBack(t *testing.T) {
	const history = 60
	most := limits.Default().MaxHistoryEntries
	r := openRoom(t, func(c *core.Config) { c.MaxMessageHistory = history })
	before := inUse()
	for i := range 40 {
		r.victim.unwrap(forged(wire.SDS02, fmt.Sprint("evil", i), citing(numbered(fmt.Sprint(i, "-"), most)...)))
	}
	during := inUse() - before
	r.victim.Tick(r.now)
	r.now += core.DefaultConfig().MissingDependencyTimeoutMs + 60_001
	r.victim.Tick(r.now)
	for i := range 2 * history {
		r.victim.unwrap(forged(wire.SDS02, fmt.Sprint("later", i), at(uint64(r.now/1000))))
	}
	// A log of sixty, a filter, and the room that buffers keep for the next messages.
	expectAtMost(t, fmt.Sprintf("bytes kept, after there were %d", during), inUse()-before, 256*kib)
	r.talk(12, nil)
	r.expectDelivery()
}

// TestForgottenMessagesAreGivenBack, also those that a long history named last.
func TestForgottenMessagesAreGivenBack(t *testing.T) {
	const history = 20
	r := openRoom(t, func(c *core.Config) { c.MaxMessageHistory = history })
	before := inUse()
	content := make([]byte, mib)
	ids := numbered("large", history)
	for i, id := range ids {
		r.victim.unwrap(forged(wire.SDS02, id, at(uint64(i)), saying(content)))
	}
	r.victim.unwrap(forged(wire.SDS02, "citing", at(history), citing(ids...), asking("alice", ids...)))
	for i := range 2 * history {
		r.victim.unwrap(forged(wire.SDS02, fmt.Sprint("later", i), at(uint64(r.now/1000))))
	}
	expectAtMost(t, "bytes kept of 20 MiB that the log has forgotten", inUse()-before, 64*kib)
	r.talk(12, nil)
	r.expectDelivery()
}
