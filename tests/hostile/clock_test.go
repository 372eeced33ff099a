package hostile

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/limits"
	"github.com/libsds/libsds/core/wire"
)

// day is maxLamportDriftMs of the default configuration, in the room's unit.
const day = 86_400

// TestTimestampBeyondTheRangeIsRefused: the field's writers hold an int64, so a
// negative timestamp is one beyond 2^63-1. It leaves nothing behind.
func TestTimestampBeyondTheRangeIsRefused(t *testing.T) {
	minusOne := int64(-1)
	for _, lamport := range []uint64{1 << 63, 1<<63 + 1, math.MaxUint64 - 1, uint64(minusOne)} {
		for _, format := range formats {
			r := openRoom(t)
			if _, err := r.victim.Unwrap(forged(format, "evil", at(lamport))); !errors.Is(err, core.ErrDeserialization) {
				t.Errorf("%d in %v: %v", lamport, format, err)
			}
			if channels := r.victim.Channels(); len(channels) > 0 {
				t.Errorf("%d in %v made %v", lamport, format, channels)
			}
		}
	}
}

// TestTimestampCannotPoisonTheClock: whatever a peer claims, nobody's next message
// is dated later than maxLamportDriftMs from now, and the conversation goes on.
func TestTimestampCannotPoisonTheClock(t *testing.T) {
	now := uint64(start / 1000)
	for name, lamport := range map[string]uint64{
		"0": 0, "1": 1, "now": now,
		"just within the drift": now + day - 1,
		"the drift":             now + day,
		"just beyond the drift": now + day + 1,
		"now, in milliseconds":  uint64(start),
		"the largest but one":   limits.MaxLamport - 1,
		"the largest":           limits.MaxLamport,
	} {
		t.Run(name, func(t *testing.T) {
			r := openRoom(t)
			for _, format := range formats {
				r.attack(forged(format, fmt.Sprint("evil in ", format), at(lamport)))
			}
			for _, p := range r.everybody() {
				latest := now + day + uint64(len(r.said)) + 1
				if got := clockOf(t, r.say(p).payload); got > latest {
					t.Errorf("%s speaks at %d, past %d", p.name, got, latest)
				}
			}
			r.talk(12, nil)
			r.expectService()
		})
	}
}

// TestClockAtTheDriftDoesNotRunAway: who always claims the latest time that is
// believed moves the clock once. After that it goes with the local time, as fast
// as that, or by one for each message.
func TestClockAtTheDriftDoesNotRunAway(t *testing.T) {
	const messages, seconds = 60, 60
	r := openRoom(t)
	r.talk(messages, func(i int) {
		r.attack(forged(wire.SDS04, fmt.Sprint("evil", i), at(uint64(r.now/1000)+day)))
	})
	latest := uint64(start/1000) + day + seconds + messages + 1
	expectAtMost(t, "the clock, in seconds past the drift", int64(clockOf(t, r.say(r.victim).payload))-start/1000-day, int64(latest)-start/1000-day)
	r.expectService()
}
