package snapshot

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/libsds/libsds/core/wire"
)

// unacknowledgedMeta is the meta of a channel that has sent count messages
// which nobody acknowledged. Each bears the ids of the messages before it, cited
// in number as the protocol's default says.
func unacknowledgedMeta(count, contentSize, idSize int) *ChannelMeta {
	id := func(i int) string { return fmt.Sprintf("%0*x", idSize, i) }
	m := &ChannelMeta{Lamport: 1_700_000_000}
	for i := range count {
		message := &wire.Message{
			ID: id(i), ChannelID: "a-channel", SenderID: "alice",
			Lamport: 1_700_000_000 + uint64(i), HasLamport: true,
			Content: bytes.Repeat([]byte{0xab}, contentSize),
		}
		for cited := i - 10; cited < i; cited++ {
			message.History = append(message.History, wire.Entry{ID: id(cited + 1_000)})
		}
		m.Outgoing = append(m.Outgoing, Unacknowledged{
			Message:  wire.Append(nil, wire.SDS04, message, nil),
			SendTime: 1_700_000_000_000,
		})
	}
	return m
}

// forEachSize runs a benchmark for the states whose figures are documented. The
// size of the snapshot does not depend on the machine.
func forEachSize(b *testing.B, run func(b *testing.B, m *ChannelMeta)) {
	for _, idSize := range []int{36, 64} { // a UUID, a hash
		for _, contentSize := range []int{100, 1024} {
			for _, count := range []int{0, 10, 100} {
				b.Run(fmt.Sprintf("%dx%dB/ids=%dB", count, contentSize, idSize), func(b *testing.B) {
					m := unacknowledgedMeta(count, contentSize, idSize)
					b.ReportAllocs()
					run(b, m)
					b.ReportMetric(float64(len(AppendMeta(nil, m))), "B/snapshot")
				})
			}
		}
	}
}

func BenchmarkAppendMeta(b *testing.B) {
	forEachSize(b, func(b *testing.B, m *ChannelMeta) {
		for b.Loop() {
			AppendMeta(nil, m)
		}
	})
}

func BenchmarkAppendMetaReused(b *testing.B) {
	forEachSize(b, func(b *testing.B, m *ChannelMeta) {
		var blob []byte
		for b.Loop() {
			blob = AppendMeta(blob[:0], m)
		}
	})
}

func BenchmarkDecodeMeta(b *testing.B) {
	forEachSize(b, func(b *testing.B, m *ChannelMeta) {
		blob := AppendMeta(nil, m)
		for b.Loop() {
			if _, err := DecodeMeta(blob); err != nil {
				b.Fatal(err)
			}
		}
	})
}
