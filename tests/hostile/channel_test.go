package hostile

import (
	"errors"
	"fmt"
	"testing"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/wire"
)

// TestChannelsOfStrangersByTheThousand: without maxChannels their number has no
// bound; each costs a filter and little beside, and those that nothing was said
// in cost next to nothing. The room is served.
func TestChannelsOfStrangersByTheThousand(t *testing.T) {
	const channels = 10_000
	r := openRoom(t)
	r.talk(12, nil)
	grown := kept(func() {
		for i := range channels {
			r.victim.unwrap(forged(formats[i%len(formats)], "evil", in(fmt.Sprint("stranger", i))))
		}
	})
	// A filter of the default configuration has 18,752 bytes.
	expectAtMost(t, "bytes kept of a strange channel with a message", grown/channels, 22*kib)

	quiet := openRoom(t)
	grown = kept(func() {
		for i := range channels {
			quiet.victim.unwrap(forged(wire.SDS04, "evil", in(fmt.Sprint("stranger", i)), func(m *wire.Message) { m.HasLamport = false }))
		}
	})
	expectAtMost(t, "bytes kept of a strange channel with nothing in it", grown/channels, 2*kib)
	r.talk(12, nil)
	r.expectService()
}

// TestTickGrowsWithTheChannels and no faster.
func TestTickGrowsWithTheChannels(t *testing.T) {
	expectProportional(t, "channels in a tick with all sweeps", 2_000, func(n int) func() {
		r := openRoom(t, smallFilter)
		for i := range n {
			r.victim.unwrap(forged(wire.SDS04, "evil", in(fmt.Sprint("stranger", i))))
		}
		r.victim.Tick(r.now)
		r.now += 600_000
		return func() { r.victim.Tick(r.now) }
	})
}

// TestMaxChannelsKeepsStrangersOut: past it, ten thousand more leave nothing, and
// the channels that exist go on.
func TestMaxChannelsKeepsStrangersOut(t *testing.T) {
	const channels, most = 10_000, 10
	r := openRoom(t, func(c *core.Config) { c.Limits.MaxChannels = most })
	r.talk(12, nil)
	for i := range most - 1 {
		r.victim.unwrap(forged(wire.SDS04, "evil", in(fmt.Sprint("stranger", i))))
	}
	refused := 0
	grown := kept(func() {
		for i := range channels {
			if _, err := r.victim.Unwrap(forged(wire.SDS04, "evil", in(fmt.Sprint("another", i)))); errors.Is(err, core.ErrLimitExceeded) {
				refused++
			}
		}
	})
	if refused != channels || len(r.victim.Channels()) != most {
		t.Errorf("%d of %d were refused, and there are %d channels", refused, channels, len(r.victim.Channels()))
	}
	expectAtMost(t, "bytes kept of 10,000 channels that were refused", grown, 64*kib)
	r.talk(12, nil)
	r.expectService()
}

// TestStrangersMakeNoChannelWhereTheHostNamesThem.
func TestStrangersMakeNoChannelWhereTheHostNamesThem(t *testing.T) {
	r := openRoom(t, func(c *core.Config) { c.Limits.AcceptUnknownChannels = false })
	for _, p := range r.everybody() {
		if err := p.EnsureChannel(channelID); err != nil {
			t.Fatal(err)
		}
	}
	r.talk(12, func(i int) {
		for j := range 100 {
			if _, err := r.victim.Unwrap(forged(wire.SDS04, "evil", in(fmt.Sprint("stranger", i*100+j)))); !errors.Is(err, core.ErrLimitExceeded) {
				t.Errorf("a strange channel: %v", err)
			}
		}
	})
	if channels := r.victim.Channels(); len(channels) != 1 {
		t.Errorf("there are %d channels", len(channels))
	}
	r.expectService()
}
