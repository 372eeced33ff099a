package hostile

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/libsds/libsds/core/wire"
)

// formats are those that everybody reads.
var formats = []wire.Format{wire.SDS02, wire.SDS03, wire.SDS04, wire.LIP109}

// mallory is who attacks.
const mallory = "mallory"

// forged makes the payload of a message to the room. What the changes leave alone
// is as an honest peer would have it; the room counts seconds, in whatever format.
func forged(f wire.Format, id string, changes ...func(*wire.Message)) []byte {
	m := wire.Message{
		ID: id, ChannelID: channelID, SenderID: mallory,
		Lamport: uint64(start / 1000), HasLamport: true,
		Content: []byte("content of " + id),
	}
	for _, change := range changes {
		change(&m)
	}
	return wire.Append(nil, f, &m, wire.RawFilter(m.Filter))
}

func at(lamport uint64) func(*wire.Message)     { return func(m *wire.Message) { m.Lamport = lamport } }
func by(sender string) func(*wire.Message)      { return func(m *wire.Message) { m.SenderID = sender } }
func in(channel string) func(*wire.Message)     { return func(m *wire.Message) { m.ChannelID = channel } }
func saying(content []byte) func(*wire.Message) { return func(m *wire.Message) { m.Content = content } }
func with(filter []byte) func(*wire.Message)    { return func(m *wire.Message) { m.Filter = filter } }

func citing(ids ...string) func(*wire.Message) {
	return func(m *wire.Message) { m.History = entriesOf(ids, "") }
}

func asking(sender string, ids ...string) func(*wire.Message) {
	return func(m *wire.Message) { m.RepairRequests = entriesOf(ids, sender) }
}

func entriesOf(ids []string, sender string) []wire.Entry {
	entries := make([]wire.Entry, len(ids))
	for i, id := range ids {
		entries[i] = wire.Entry{ID: id, SenderID: sender}
	}
	return entries
}

// numbered returns n ids.
func numbered(prefix string, n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("%s%d", prefix, i)
	}
	return ids
}

// filter is field 6 of the sds-* formats, with parameters that need not be true.
func filter(data []byte, hashes, bits uint64) []byte {
	var b []byte
	b = protowire.AppendTag(b, 1, protowire.BytesType)
	b = protowire.AppendBytes(b, data)
	for number, value := range []uint64{10000, 1000, hashes, bits} {
		b = protowire.AppendTag(b, protowire.Number(number+2), protowire.VarintType)
		b = protowire.AppendVarint(b, value)
	}
	return b
}

// filled returns n bytes with a share of their bits set, the same in every run:
// of each eight the first, in an order that pattern turns.
func filled(n, eighths, pattern int) []byte {
	data := make([]byte, n)
	for i := range data {
		for bit := range eighths {
			data[i] |= 1 << ((bit + pattern + i) % 8)
		}
	}
	return data
}

// field is a length-delimited field, of which one can have too many.
func field(number protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), value)
}
