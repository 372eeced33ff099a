package hostile

import (
	"fmt"
	"math"
	"testing"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/limits"
	"github.com/libsds/libsds/core/wire"
)

// TestFilterThatCannotBeIsIgnored: its message is delivered, nothing is
// acknowledged by it, and the conversation goes on.
func TestFilterThatCannotBeIsIgnored(t *testing.T) {
	ones := filled(4096, 8, 0)
	half := filled(4096, 4, 0)
	whole := filter(half, 10, 8*4096)
	filters := map[string][]byte{
		"all ones":                  filter(ones, 10, 8*4096),
		"all ones, one hash":        filter(ones, 1, 8*4096),
		"all ones, one bit":         filter(filled(8, 8, 0), 1, 1),
		"all zeros":                 filter(make([]byte, 4096), 10, 8*4096),
		"no data":                   filter(nil, 10, 150_000),
		"nothing":                   {},
		"no bits":                   filter(half, 10, 0),
		"no hashes":                 filter(half, 0, 8*4096),
		"one hash too many":         filter(half, limits.MaxFilterHashes+1, 8*4096),
		"2^40 hashes":               filter(half, 1<<40, 8*4096),
		"2^64-1 hashes":             filter(half, math.MaxUint64, 8*4096),
		"one bit too many":          filter(half, 10, 8*4096+1),
		"2^63 bits":                 filter(half, 10, 1<<63),
		"2^64-1 bits":               filter(half, 10, math.MaxUint64),
		"a word too short":          filter(half[:4088], 10, 8*4096),
		"a byte too short":          filter(half[:4095], 10, 8*4095),
		"a word too long for us":    filter(make([]byte, limits.MaxFilterBytes+8), 10, 8),
		"longer than its field":     whole[:len(whole)/2],
		"unknown fields only":       field(9, make([]byte, 1000)),
		"four bytes of a varint":    {0xff, 0xff, 0xff, 0xff},
		"the other dialect's words": filled(18752, 8, 0),
	}
	r := openRoom(t)
	unheard := r.sayUnheard(20)
	for name, bytes := range filters {
		for _, format := range formats {
			for _, sender := range []string{"mallory", "mallet"} {
				before := r.victim.foreign
				r.attack(forged(format, fmt.Sprint(name, " in ", format, " by ", sender), by(sender), with(bytes)))
				if n := len(r.victim.sent); n > 0 {
					t.Fatalf("%s in %v acknowledged %d messages", name, format, n)
				}
				if r.victim.foreign != before+1 {
					t.Errorf("the message of %s in %v was not delivered", name, format)
				}
			}
		}
	}
	r.hear(unheard)
	r.talk(12, nil)
	r.expectService()
}

// TestFilterOfEveryTruncationIsHarmless: cut off anywhere, it acknowledges nothing.
func TestFilterOfEveryTruncationIsHarmless(t *testing.T) {
	r := openRoom(t)
	unheard := r.sayUnheard(10)
	whole := filter(filled(256, 8, 0), 10, 8*256)
	for n := range whole {
		r.attack(forged(wire.SDS04, fmt.Sprint("evil", n), by(fmt.Sprint("mallory", n)), with(whole[:n])))
	}
	if n := len(r.victim.sent); n > 0 {
		t.Errorf("they acknowledged %d messages", n)
	}
	r.hear(unheard)
	r.talk(12, nil)
	r.expectService()
}

// TestFilterThatClaimsAlmostEverything: three quarters full and with one hash, it
// holds three of four ids that were never added, and is taken for a witness, of
// which possibleAckThreshold are wanted. One acknowledges nothing, and neither do
// any number under one name; what is possibly acknowledged is still sent again,
// after twice the time. Two under different names acknowledge what both hold:
// names are not proven, and who can forge them could as well cite the messages.
func TestFilterThatClaimsAlmostEverything(t *testing.T) {
	const messages = 100
	r := openRoom(t)
	r.sayUnheard(messages)
	claims := func(pattern int) []byte { return filter(filled(4096, 6, pattern), 1, 8*4096) }
	for i := range 50 {
		r.victim.unwrap(forged(wire.SDS04, fmt.Sprint("evil", i), with(claims(i))))
	}
	expectAtMost(t, "acknowledged by 50 filters under one name", int64(len(r.victim.sent)), 0)

	config := core.DefaultConfig()
	wait := (2*config.ResendIntervalMs + config.BufferSweepIntervalMs) / 1000
	for range wait + 1 {
		r.now += 1000
		r.victim.Tick(r.now)
	}
	if r.victim.resent < messages {
		t.Errorf("after %d s, %d of %d messages were sent again", wait, r.victim.resent, messages)
	}

	r.victim.unwrap(forged(wire.SDS04, "evil under another name", by("mallet"), with(claims(0))))
	expectAtMost(t, "acknowledged by a filter under a second name, of 100", int64(len(r.victim.sent)), messages*9/10)

	// One that is as full as is believed, and has all hashes, claims next to nothing.
	n := len(r.victim.sent)
	r.victim.unwrap(forged(wire.SDS04, "evil with all hashes", by("marvin"), with(filter(filled(4096, 6, 3), limits.MaxFilterHashes, 8*4096))))
	expectAtMost(t, "acknowledged by a filter with all hashes", int64(len(r.victim.sent)-n), 0)
	r.flush()
	r.talk(12, nil)
	r.expectService()
}

// TestFilterCostsAboutWhatAnHonestOneDoes: the largest filter, with
// the most hashes and as full as is believed, is tested against a thousand
// unacknowledged messages.
func TestFilterCostsAboutWhatAnHonestOneDoes(t *testing.T) {
	const outgoing, filters = 1000, 4
	receive := func(bytes []byte) func() func() {
		return func() func() {
			r := openRoom(t, smallFilter)
			r.sayUnheard(outgoing)
			payloads := make([][]byte, filters)
			for i := range payloads {
				payloads[i] = forged(wire.SDS04, fmt.Sprint("theirs", i), with(bytes))
			}
			return func() { r.victim.unwrapAll(payloads) }
		}
	}
	const bits = 8 * limits.MaxFilterBytes
	// An honest one of the largest size is a quarter full and has ten hashes.
	expectRatio(t, "the largest filter, with the most hashes, three quarters full", 10,
		receive(filter(filled(limits.MaxFilterBytes, 2, 0), 10, bits)),
		receive(filter(filled(limits.MaxFilterBytes, 6, 0), limits.MaxFilterHashes, bits)))
	// The smallest ones make the most work for their size: it is that of testing.
	expectRatio(t, "the smallest filter, with the most hashes, three quarters full", 10,
		receive(filter(filled(4096, 2, 0), 10, 8*4096)),
		receive(filter(filled(8, 6, 0), limits.MaxFilterHashes, 64)))
}

// smallFilter keeps the copying of our own filter from hiding the rest.
func smallFilter(c *core.Config) { c.BloomFilterCapacity = 100 }
