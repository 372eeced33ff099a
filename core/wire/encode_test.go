package wire

import (
	"bytes"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// The expected bytes are spelled out field by field: the order and the
// presence of fields are part of each format.
func TestAppendWritesTheBytesOfEachFormat(t *testing.T) {
	full := fullMessage()
	d1, d2, d3 := str(1, "d1"), join(str(1, "d2"), str(2, "h2"), str(3, "bob")), join(str(1, "d3"), str(3, "bob"))
	repairs := join(sub(13, str(1, "r1"), str(3, "carol")), sub(13, str(1, "r2"), str(2, "h")))
	bareIDs := join(str(3, "d1"), str(3, "d2"), str(3, "d3"))

	sync := &Message{ID: "m", ChannelID: "ch", Lamport: 0, HasLamport: true}
	ephemeral := &Message{ID: "m", ChannelID: "ch", Lamport: 9, Content: []byte("hi")}
	empty := &Message{}

	cases := []struct {
		name    string
		format  Format
		message *Message
		filter  Filter
		want    []byte
	}{
		{"full", SDS02, full, RawFilter("f"), join(str(1, "m"), varint(2, 300), bareIDs, str(4, "ch"), str(5, "hello"), str(6, "f"))},
		{"full", SDS03, full, RawFilter("f"), join(str(1, "m"), varint(2, 300), str(3, string(d1)), str(3, string(d2)), str(3, string(d3)),
			str(4, "ch"), str(5, "hello"), str(6, "f"), str(7, "alice"), repairs)},
		{"full", SDS04, full, RawFilter("f"), join(str(1, "m"), varint(2, 300), bareIDs, str(4, "ch"), str(5, "hello"), str(6, "f"),
			str(7, "alice"), str(8, string(d2)), str(8, string(d3)), repairs)},
		{"full", LIP109, full, RawFilter("f"), join(str(1, "alice"), str(2, "m"), str(3, "ch"), varint(10, 300),
			str(11, string(d1)), str(11, string(d2)), str(11, string(d3)), str(12, "f"), repairs, str(20, "hello"))},

		{"sync", SDS02, sync, nil, join(str(1, "m"), varint(2, 0), str(4, "ch"), str(5, ""), str(6, ""))},
		{"sync", SDS03, sync, nil, join(str(1, "m"), varint(2, 0), str(4, "ch"), str(5, ""), str(6, ""))},
		{"sync", SDS04, sync, nil, join(str(1, "m"), varint(2, 0), str(4, "ch"))},
		{"sync", LIP109, sync, nil, join(str(2, "m"), str(3, "ch"), varint(10, 0))},

		{"ephemeral", SDS02, ephemeral, nil, join(str(1, "m"), str(4, "ch"), str(5, "hi"), str(6, ""))},
		{"ephemeral", SDS03, ephemeral, nil, join(str(1, "m"), str(4, "ch"), str(5, "hi"), str(6, ""))},
		{"ephemeral", SDS04, ephemeral, nil, join(str(1, "m"), str(4, "ch"), str(5, "hi"))},
		{"ephemeral", LIP109, ephemeral, nil, join(str(2, "m"), str(3, "ch"), str(20, "hi"))},

		{"empty", SDS03, empty, nil, join(str(1, ""), str(4, ""), str(5, ""), str(6, ""))},
		{"empty", SDS04, empty, nil, str(5, "")},
		{"empty", LIP109, empty, nil, str(20, "")},

		{"empty filter", SDS03, sync, RawFilter{}, join(str(1, "m"), varint(2, 0), str(4, "ch"), str(5, ""), str(6, ""))},
		{"empty filter", SDS04, sync, RawFilter{}, join(str(1, "m"), varint(2, 0), str(4, "ch"))},
		{"empty filter", LIP109, sync, RawFilter{}, join(str(2, "m"), str(3, "ch"), varint(10, 0))},
	}
	for _, c := range cases {
		t.Run(c.format.String()+"/"+c.name, func(t *testing.T) {
			prefix := []byte("kept")
			got := Append(prefix, c.format, c.message, c.filter)
			if want := join(prefix, c.want); !bytes.Equal(got, want) {
				t.Errorf("got  %x\nwant %x", got, want)
			}
		})
	}
}

func TestAppendGrowsOnce(t *testing.T) {
	m := fullMessage()
	var filter Filter = RawFilter(bytes.Repeat([]byte{1}, 20_000))
	for _, f := range formats {
		n := len(Append(nil, f, m, filter))
		fits := make([]byte, 0, n)
		if allocs := testing.AllocsPerRun(20, func() { Append(fits, f, m, filter) }); allocs != 0 {
			t.Errorf("%v into enough room: %v allocations", f, allocs)
		}
		if allocs, once := testing.AllocsPerRun(20, func() { Append(nil, f, m, filter) }), allocsOfOneGrowth(n); allocs != once {
			t.Errorf("%v into nothing: %v allocations, want %v", f, allocs, once)
		}
	}
}

// allocsOfOneGrowth is 1 in a usual build; under the race detector slices.Grow
// takes two.
func allocsOfOneGrowth(n int) float64 {
	return testing.AllocsPerRun(20, func() { runtime.KeepAlive(slices.Grow([]byte(nil), n)) })
}

func TestAppendPanicsWithoutAFormat(t *testing.T) {
	for _, f := range []Format{0, LIP109 + 1, 255} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Append in format %d did not panic", uint8(f))
				}
			}()
			Append(nil, f, fullMessage(), nil)
		}()
	}
}

func TestFormatNames(t *testing.T) {
	for _, f := range formats {
		if got, ok := ParseFormat(f.String()); !ok || got != f {
			t.Errorf("ParseFormat(%q) = %v, %v", f.String(), got, ok)
		}
	}
	for _, name := range []string{"", "unknown", "sds", "SDS-0.4", "sds-0.4 "} {
		if f, ok := ParseFormat(name); ok || f != 0 {
			t.Errorf("ParseFormat(%q) = %v", name, f)
		}
	}
	if Format(0).String() != "unknown" || Format(200).String() != "unknown" {
		t.Error("a Format that is none has a name")
	}
}

// From 128 bytes on, a length takes two.
func TestLengthsAroundASecondByte(t *testing.T) {
	for _, f := range formats {
		for n := 120; n <= 136; n++ {
			value := strings.Repeat("x", n)
			m := &Message{
				ID: value, ChannelID: value, SenderID: value, Lamport: 1, HasLamport: true, Content: []byte(value),
				History:        []Entry{{ID: value, SenderID: "s"}, {ID: "d", SenderID: value, Hint: []byte(value)}},
				RepairRequests: []Entry{{ID: value}, {ID: "d", Hint: []byte(value)}, {ID: "e", SenderID: value}},
			}
			if d := diff(carried(f, m), decodeBare(t, Append(nil, f, m, nil))); d != "" {
				t.Errorf("%s, %d bytes: %s", f, n, d)
			}
		}
	}
}

// decodeBare decodes without what only a received message has.
func decodeBare(t *testing.T, payload []byte) *Message {
	t.Helper()
	m := decode(t, payload)
	m.Format, m.Filter = 0, nil
	return m
}
