package hostile

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/limits"
	"github.com/libsds/libsds/core/wire"
)

// TestCostOfHostilePayloads, for each kind that is not refused at once, in relation
// to honest messages of the same size: for those with a list, to one whose list is
// as long and names what was received; for the others, to one with a content
// instead. What is missing has to be kept, indexed and scheduled to be asked for,
// entry by entry. The bounds are a few times what was measured.
func TestCostOfHostilePayloads(t *testing.T) {
	most := limits.Default().MaxHistoryEntries
	full := filter(filled(64*int(kib), 6, 0), limits.MaxFilterHashes, 8*64*uint64(kib))
	lacking := func(i, n int) func(*wire.Message) { return citing(numbered(fmt.Sprint(i, "-"), n)...) }
	for _, test := range []struct {
		name    string
		most    float64
		n       int // how many are timed
		entries int // in a list
		changes func(i int) []func(*wire.Message)
	}{
		{"from the end of time", 10, 300, 0, func(int) []func(*wire.Message) { return changes(at(limits.MaxLamport)) }},
		{"in the victim's name", 10, 300, 0, func(int) []func(*wire.Message) { return changes(by("victim")) }},
		{"that depends on itself", 10, 300, 1, func(i int) []func(*wire.Message) { return changes(citing(fmt.Sprint("evil", i))) }},
		{"of a chain from its end", 10, 300, 1, func(i int) []func(*wire.Message) { return changes(citing(fmt.Sprint("evil", i+1))) }},
		{"with a filter of 64 KiB", 10, 100, 0, func(int) []func(*wire.Message) { return changes(with(full)) }},
		{"with 100 requests", 10, 100, 100, func(i int) []func(*wire.Message) {
			return changes(asking("alice", numbered(fmt.Sprint(i, "-"), 100)...))
		}},
		{"with 4,096 requests", 10, 20, most, func(i int) []func(*wire.Message) {
			return changes(asking("alice", numbered(fmt.Sprint(i, "-"), most)...))
		}},
		{"that lacks 100", 50, 100, 100, func(i int) []func(*wire.Message) { return changes(lacking(i, 100)) }},
		{"that lacks 4,096", 50, 20, most, func(i int) []func(*wire.Message) { return changes(lacking(i, most)) }},
		{"that syncs and lacks 4,096", 50, 20, most, func(i int) []func(*wire.Message) { return changes(saying(nil), lacking(i, most)) }},
		{"of a stranger's channel", 10, 300, 0, func(i int) []func(*wire.Message) { return changes(in(fmt.Sprint("stranger", i))) }},
	} {
		hostile, honest := make([][]byte, test.n), make([][]byte, test.n)
		for i := range hostile {
			hostile[i] = forged(wire.SDS04, fmt.Sprint("evil", i), test.changes(i)...)
			known := citing(repeatedly(test.entries, numbered("known", 100))...)
			room := len(hostile[i]) - len(forged(wire.SDS04, fmt.Sprint("fine", i), known, saying(nil)))
			honest[i] = forged(wire.SDS04, fmt.Sprint("fine", i), known, saying(make([]byte, max(room, 1))))
		}
		expectRatio(t, "a message "+test.name, test.most, receiving(t, honest), receiving(t, hostile))
	}
}

// TestCostOfWhatIsNoMessage, in relation to a message of the same size that cites
// what was received.
func TestCostOfWhatIsNoMessage(t *testing.T) {
	const n = 20
	honest := make([][]byte, n)
	for i := range honest {
		honest[i] = forged(wire.SDS04, fmt.Sprint("fine", i), citing(repeatedly(4000, numbered("known", 100))...))
	}
	size := len(honest[0])
	for what, payload := range map[string][]byte{
		"unknown fields":       bytes.Repeat([]byte{15 << 3, 0}, size/2),
		"zeros":                make([]byte, size),
		"a message cut off":    honest[0][:size-1],
		"a byte after the end": append(bytes.Clone(honest[0]), 0),
	} {
		hostile := make([][]byte, n)
		for i := range hostile {
			hostile[i] = payload
		}
		expectRatio(t, what, 10, receiving(t, honest), receiving(t, hostile))
	}
}

func changes(all ...func(*wire.Message)) []func(*wire.Message) { return all }

// repeatedly returns n ids that are those given, again and again.
func repeatedly(n int, ids []string) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = ids[i%len(ids)]
	}
	return all
}

// receiving has a victim who has a hundred messages of hers and of others take in
// payloads.
func receiving(t *testing.T, payloads [][]byte) func() func() {
	return func() func() {
		r := openRoom(t, smallFilter)
		r.sayUnheard(100)
		for _, id := range numbered("known", 100) {
			r.victim.unwrap(forged(wire.SDS02, id))
		}
		return func() {
			for _, payload := range payloads {
				if _, err := r.victim.Unwrap(payload); err != nil && !errors.Is(err, core.ErrDeserialization) {
					t.Error(err)
				}
			}
		}
	}
}
