package main

import (
	"fmt"

	"github.com/libsds/libsds/core/farmhash"
)

// filterBytes is the size of the bloom filter of a default configuration.
const filterBytes = 18752

// yardsticks are what the same work costs without the library, here and now,
// in nanoseconds.
type yardsticks struct {
	copying  yardstick // copies messages, each from memory of its own, as they come
	message  int       // their size in bytes
	filter   float64   // copying filterBytes that are in the cache
	cached   float64   // copying a message that is in the cache
	messages float64   // copying messages
	hashes   float64   // hashing a 64-byte id twice
}

func measureYardsticks(talk *conversation) *yardsticks {
	payloads := make([][]byte, batch)
	for i := range payloads {
		payloads[i] = talk.wrap(talk.sender, nil)
	}
	dst := make([]byte, 2*len(payloads[0]))
	id := fmt.Sprintf("%064d", 1)
	var sum uint64
	y := &yardsticks{message: len(payloads[0]), copying: func(i int) { copy(dst, payloads[i]) }}
	y.filter = often(func(int) { copy(dst, payloads[0][:filterBytes]) })
	y.cached = often(func(int) { copy(dst, payloads[0]) })
	y.messages = often(y.copying)
	y.hashes = often(func(int) { sum += farmhash.Sum64(id) + farmhash.Sum64(id) })
	if sum == 0 {
		panic("nothing was hashed")
	}
	return y
}

// often returns the median of the rounds.
func often(work yardstick) float64 {
	times := make([]float64, rounds)
	for i := range times {
		times[i] = timed(work)
	}
	return median(times)
}

func (y *yardsticks) rows() []row {
	return []row{
		{what: "yardstick: copying 18,752 bytes again and again", value: y.filter, unit: "ns"},
		{what: fmt.Sprintf("yardstick: copying a message (%d bytes) again and again", y.message), value: y.cached, unit: "ns"},
		{what: fmt.Sprintf("yardstick: copying messages, each of %d, once", batch), value: y.messages, unit: "ns"},
		{what: "yardstick: hashing a 64-byte id twice", value: y.hashes, unit: "ns"},
	}
}
