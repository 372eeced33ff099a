package wire

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/libsds/libsds/core/limits"
	"google.golang.org/protobuf/encoding/protowire"
)

var defaults = limits.Default()

var formats = []Format{SDS02, SDS03, SDS04, LIP109}

// Payloads are put together from fields, so that a test shows what is in them.

func join(parts ...[]byte) []byte { return slices.Concat(parts...) }

func str(num protowire.Number, v string) []byte {
	return protowire.AppendString(protowire.AppendTag(nil, num, protowire.BytesType), v)
}

func sub(num protowire.Number, fields ...[]byte) []byte { return str(num, string(join(fields...))) }

func varint(num protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, num, protowire.VarintType), v)
}

func fixed64(num protowire.Number) []byte {
	return protowire.AppendFixed64(protowire.AppendTag(nil, num, protowire.Fixed64Type), 1)
}

// The smallest messages, which most tables extend.
var (
	sdsBase = join(str(1, "m"), varint(2, 7), str(4, "c"), str(5, "hi"))
	lipBase = join(str(1, "s"), str(2, "m"), str(3, "c"), varint(10, 7), str(20, "hi"))
)

func decode(t *testing.T, payload []byte) *Message {
	t.Helper()
	m := new(Message)
	if err := Decode(payload, &defaults, m); err != nil {
		t.Fatalf("Decode(%x): %v", payload, err)
	}
	return m
}

// diff compares messages; nil and empty are the same.
func diff(want, got *Message) string {
	return cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(Message{}))
}

// fullMessage has every part that some format can carry.
func fullMessage() *Message {
	return &Message{
		ID: "m", ChannelID: "ch", SenderID: "alice", Lamport: 300, HasLamport: true,
		History: []Entry{
			{ID: "d1"},
			{ID: "d2", SenderID: "bob", Hint: []byte("h2")},
			{ID: "d3", SenderID: "bob"},
		},
		RepairRequests: []Entry{{ID: "r1", SenderID: "carol"}, {ID: "r2", Hint: []byte("h")}},
		Content:        []byte("hello"),
		Filter:         []byte("filter"),
	}
}

// carried is what remains of m when it travels in format f.
func carried(f Format, m *Message) *Message {
	c := *m
	if f == SDS02 {
		c.SenderID, c.RepairRequests, c.History = "", nil, nil
		for _, e := range m.History {
			c.History = append(c.History, Entry{ID: e.ID})
		}
	}
	return &c
}
