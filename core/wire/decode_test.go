package wire

import (
	"errors"
	"strings"
	"testing"
	"unsafe"

	"github.com/libsds/libsds/core/limits"
	"google.golang.org/protobuf/encoding/protowire"
)

func TestDecodeRefusesWhatNoWriterWrites(t *testing.T) {
	group := func(typ protowire.Type) []byte { return protowire.AppendTag(nil, 9, typ) }
	cases := []struct {
		name    string
		payload []byte
		says    string
	}{
		{"empty payload", nil, "empty"},

		{"overlong tag", join(sdsBase, []byte{0xba, 0x00, 0x01, 'x'}), "needless"},
		{"overlong length", join([]byte{0x0a, 0x81, 0x00, 'm'}, varint(2, 7), str(4, "c"), str(5, "hi")), "needless"},
		{"overlong value", join(str(1, "m"), []byte{0x10, 0x87, 0x00}, str(4, "c"), str(5, "hi")), "needless"},
		{"overlong zero", join(str(1, "m"), []byte{0x10, 0x80, 0x00}, str(4, "c"), str(5, "hi")), "needless"},
		{"overlong value of an unknown field", join(sdsBase, []byte{0x48, 0x81, 0x80, 0x00}), "needless"},
		{"overlong length in an entry", join(sdsBase, str(13, "\x0a\x81\x00x")), "needless"},
		{"varint of more than 64 bits", join(sdsBase, []byte{0x48}, []byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02")), "overflows"},
		{"varint of eleven bytes", join(sdsBase, []byte{0x48}, []byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")), "overflows"},

		{"start of a group", join(sdsBase, group(protowire.StartGroupType)), "wire type"},
		{"end of a group", join(sdsBase, group(protowire.EndGroupType)), "wire type"},
		{"a whole group", join(sdsBase, group(protowire.StartGroupType), group(protowire.EndGroupType)), "wire type"},
		{"wire type 6", join(sdsBase, group(6)), "wire type"},
		{"wire type 7", join(sdsBase, group(7)), "wire type"},
		{"a group in an entry", join(sdsBase, sub(13, str(1, "r"), group(protowire.StartGroupType))), "wire type"},

		{"field number 0", join(sdsBase, []byte{0x00}), "field number"},
		{"field number 0 of four bytes", join(sdsBase, []byte{0x05, 1, 2, 3, 4}), "field number"},
		{"field number 0 of bytes", join(sdsBase, []byte{0x02, 0x00}), "field number"},
		{"field number 2^29", join(sdsBase, protowire.AppendVarint(nil, 1<<32), []byte{0}), "field number"},
		{"field number 2^32+1", join(sdsBase, protowire.AppendVarint(nil, (1<<32+1)<<3), []byte{0}), "field number"},

		{"sds message id not a string", join(varint(1, 3), varint(2, 7), str(4, "c"), str(5, "hi")), "message id is not a string"},
		{"sds lamport fixed64", join(str(1, "m"), fixed64(2), str(4, "c"), str(5, "hi")), "lamport timestamp is not a varint"},
		{"sds channel id not a string", join(str(1, "m"), varint(2, 7), varint(4, 1), str(5, "hi")), "channel id is not a string"},
		{"sds content not bytes", join(str(1, "m"), varint(2, 7), str(4, "c"), varint(5, 1)), "content is not bytes"},
		{"sds content last not bytes", join(sdsBase, varint(5, 1)), "content is not bytes"},
		{"lip-109 channel id not a string", join(str(2, "m"), varint(3, 1), varint(10, 7)), "channel id is not a string"},
		{"lip-109 lamport not a varint", join(str(2, "m"), str(3, "c"), str(10, "x"), str(20, "hi")), "lamport timestamp is not a varint"},
		{"lip-109 content not bytes", join(str(2, "m"), str(3, "c"), varint(10, 7), varint(20, 7)), "content is not bytes"},

		{"truncated tag", join(sdsBase, []byte{0x80}), "ends within"},
		{"no value", join(sdsBase, []byte{0x48}), "ends within"},
		{"truncated value", join(sdsBase, []byte{0x48, 0x80}), "ends within"},
		{"no length", join(sdsBase, []byte{0x4a}), "ends within"},
		{"truncated bytes", join(sdsBase, []byte{0x4a, 0x02, 'x'}), "ends within"},
		{"length near 2^64", join(sdsBase, []byte{0x4a}, []byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")), "ends within"},
		{"truncated fixed32", join(sdsBase, []byte{0x4d, 1, 2, 3}), "ends within"},
		{"truncated fixed64", join(sdsBase, []byte{0x49, 1, 2, 3, 4, 5, 6, 7}), "ends within"},
		{"truncated repair request", join(sdsBase, str(13, "\x0a\x02r")), "ends within"},
		{"truncated details", join(sdsBase, str(8, "\x0a\x02r")), "ends within"},
		{"truncated lip-109 history", join(lipBase, str(11, "\x0a\x02r")), "ends within"},
		{"trailing bytes", join(sdsBase, []byte{0, 0}), "field number"},

		{"no message id", join(varint(2, 7), str(4, "c"), str(5, "hi")), "message id is missing"},
		{"empty message id", join(str(1, ""), varint(2, 7), str(4, "c"), str(5, "hi")), "message id is empty"},
		{"last message id empty", join(sdsBase, str(1, "")), "message id is empty"},
		{"no channel id", join(str(1, "m"), varint(2, 7), str(5, "hi")), "channel id is missing"},
		{"empty channel id", join(str(1, "m"), varint(2, 7), str(4, ""), str(5, "hi")), "channel id is empty"},
		{"lip-109 empty message id", join(str(2, ""), str(3, "c"), varint(10, 7)), "message id is empty"},
		{"lip-109 empty channel id", join(str(2, "m"), str(3, ""), varint(10, 7)), "channel id is empty"},
		{"lip-109 no channel id", join(str(2, "m"), varint(10, 7)), "channel id is missing"},

		{"bare id empty", join(sdsBase, str(3, "")), "id of an entry is empty"},
		{"bare id empty, beside details", join(sdsBase, str(3, ""), sub(8, str(1, "d"))), "id of an entry is empty"},
		{"history entry with an empty id", join(sdsBase, sub(3, str(1, ""), str(3, "bob"))), "id of an entry is empty"},
		{"details with an empty id", join(sdsBase, str(3, "d"), sub(8, str(1, ""), str(3, "bob"))), "id of an entry is empty"},
		{"details without an id", join(sdsBase, str(3, "d"), sub(8, str(3, "bob"))), "id of an entry is missing"},
		{"details that are empty", join(sdsBase, str(3, "d"), sub(8)), "id of an entry is missing"},
		{"lip-109 repair request with an empty id", join(lipBase, sub(13, str(1, ""))), "id of an entry is empty"},
		{"repair request with another field than an id", join(sdsBase, sub(13, varint(5, 1))), "id of an entry is missing"},
		{"repair request with an empty id", join(sdsBase, sub(13, str(1, ""))), "id of an entry is empty"},
		{"repair request without an id", join(sdsBase, sub(13, str(2, "hint"))), "id of an entry is missing"},
		{"repair request whose id is a number", join(sdsBase, sub(13, varint(1, 4))), "id of an entry is missing"},
		{"repair request whose last id is a number", join(sdsBase, sub(13, str(1, "r"), varint(1, 4))), "id of an entry is missing"},
		{"repair request as a bare id", join(sdsBase, str(13, "dep1")), "wire type"},
		{"lip-109 history entry with an empty id", join(lipBase, sub(11, str(1, ""))), "id of an entry is empty"},
		{"lip-109 history as bare ids", join(lipBase, str(11, "dep1")), "wire type"},

		{"message id not UTF-8", join(str(1, "\xff"), varint(2, 7), str(4, "c"), str(5, "hi")), "message id is not UTF-8"},
		{"channel id not UTF-8", join(str(1, "m"), varint(2, 7), str(4, "\xfe"), str(5, "hi")), "channel id is not UTF-8"},
		{"sender id not UTF-8", join(sdsBase, str(7, "\xc3")), "sender id is not UTF-8"},
		{"bare id not UTF-8", join(sdsBase, str(3, "\xff")), "id of an entry is not UTF-8"},
		{"bare id that is a surrogate", join(sdsBase, str(3, "\xed\xa0\x80")), "id of an entry is not UTF-8"},
		{"history entry's id not UTF-8", join(sdsBase, sub(3, str(1, "\xff"))), "id of an entry is not UTF-8"},
		{"history entry's sender not UTF-8", join(sdsBase, sub(3, str(1, "d"), str(3, "\xff"))), "sender of an entry is not UTF-8"},
		{"ignored details not UTF-8", join(sdsBase, sub(8, str(1, "\xff"))), "id of an entry is not UTF-8"},
		{"sender of details not UTF-8", join(sdsBase, str(3, "d"), sub(8, str(1, "d"), str(3, "\xff"))), "sender of an entry is not UTF-8"},
		{"repair request's sender not UTF-8", join(sdsBase, sub(13, str(1, "r"), str(3, "\xff"))), "sender of an entry is not UTF-8"},
		{"lip-109 sender id not UTF-8", join(lipBase, str(1, "\xff")), "sender id is not UTF-8"},

		{"sds lamport 2^63", join(str(1, "m"), varint(2, 1<<63), str(4, "c"), str(5, "hi")), "range of int64"},
		{"lip-109 lamport 2^64-1", join(lipBase, varint(10, 1<<64-1)), "range of int64"},

		{"sds with neither lamport nor content", join(str(1, "m"), str(4, "c")), "neither"},
		{"lip-109 with neither lamport nor content", join(str(1, "s"), str(2, "m"), str(3, "c")), "neither"},
		{"lip-109 with a filter only", join(str(2, "m"), str(3, "c"), str(12, "f")), "neither"},

		{"text", []byte("hello, world"), ""},
		{"JSON", []byte(`{"type":"message","text":"hi"}`), ""},
		{"an entry is not a message", join(str(1, "m"), str(2, "hint"), str(3, "sender")), "neither"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := fullMessage()
			err := Decode(c.payload, &defaults, m)
			if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("Decode(%x) = %v; want ErrMalformed saying %q", c.payload, err, c.says)
			}
			if d := diff(&Message{}, m); d != "" {
				t.Errorf("the message is not empty after an error:\n%s", d)
			}
		})
	}
}

func TestDecodeSkipsWhatItDoesNotKnow(t *testing.T) {
	unknown := join(varint(9, 1<<63), str(14, "x"), fixed64(15), []byte{0x85, 0x01, 1, 2, 3, 4}, str(1<<29-1, "y"))
	wrongType := join(varint(3, 1), varint(6, 1), varint(7, 1), varint(8, 1), varint(13, 1))
	base := decode(t, sdsBase)
	with := func(change func(m *Message)) *Message {
		m := *base
		change(&m)
		return &m
	}
	cases := []struct {
		name    string
		payload []byte
		want    *Message
	}{
		{"unknown fields after", join(sdsBase, unknown), base},
		{"unknown fields before", join(unknown, sdsBase), base},
		{"unknown fields, lip-109", join(unknown, lipBase), decode(t, lipBase)},
		{"optional fields of a wrong type", join(sdsBase, wrongType), base},
		{"optional fields of a wrong type, lip-109", join(varint(1, 4), lipBase, varint(11, 1), varint(12, 1), varint(13, 1)), decode(t, lipBase)},
		{"a wrong type after a right one", join(sdsBase, str(7, "bob"), varint(7, 1)), with(func(m *Message) { m.SenderID = "bob" })},
		{"unknown and wrong fields in an entry", join(sdsBase, sub(13, varint(2, 1), varint(3, 1), str(9, "z"), str(1, "r"))),
			with(func(m *Message) { m.RepairRequests = []Entry{{ID: "r"}} })},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if d := diff(c.want, decode(t, c.payload)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestDecodeTakesTheLastOfARepeatedSingularField(t *testing.T) {
	want := &Message{
		Format: SDS04, ID: "m", ChannelID: "c", SenderID: "s",
		Lamport: 7, HasLamport: true, Content: []byte("hi"), Filter: []byte("f"),
	}
	earlier := join(str(1, "\xff"), varint(2, 1<<63), str(4, ""), str(5, "earlier"), str(6, "e"), str(7, "\xff"))
	otherTypes := join(varint(1, 1), str(2, "x"), varint(4, 1), varint(5, 1))
	payload := join(earlier, otherTypes, sdsBase, str(6, "f"), str(7, "s"))
	if d := diff(want, decode(t, payload)); d != "" {
		t.Error(d)
	}

	entry := decode(t, join(sdsBase, sub(13, str(1, ""), str(3, "a"), str(1, "r"), str(3, "b"))))
	if d := diff(&Message{RepairRequests: []Entry{{ID: "r", SenderID: "b"}}}, &Message{RepairRequests: entry.RepairRequests}); d != "" {
		t.Error(d)
	}
}

func TestDecodeTellsFormatsApart(t *testing.T) {
	cases := []struct {
		name    string
		payload []byte
		want    Format
		history []Entry
	}{
		{"field 2 a varint", sdsBase, SDS04, nil},
		{"field 2 a varint, with lip-109 field numbers", join(sdsBase, varint(10, 1), str(12, "x"), str(20, "y")), SDS04, nil},
		{"field 2 a string", lipBase, LIP109, nil},
		{"field 2 a varint last", join(str(2, "x"), sdsBase), SDS04, nil},
		{"field 2 a string last", join(varint(2, 7), lipBase), LIP109, nil},

		{"details", join(sdsBase, str(3, "d"), sub(8, str(1, "d"), str(3, "bob"))), SDS04, []Entry{{ID: "d", SenderID: "bob"}}},
		{"details before the ids", join(sub(8, str(1, "d"), str(3, "bob")), sdsBase, str(3, "d")), SDS04, []Entry{{ID: "d", SenderID: "bob"}}},
		{"details make an entry a bare id", join(sdsBase, sub(3, str(1, "x")), sub(8, str(1, "d"))), SDS04, []Entry{{ID: "\n\x01x"}}},
		{"details of a wrong type are none", join(sdsBase, sub(3, str(1, "x")), varint(8, 1)), SDS03, []Entry{{ID: "x"}}},

		{"an entry", join(sdsBase, sub(3, str(1, "d"), str(2, "h"), str(3, "bob"))), SDS03, []Entry{{ID: "d", SenderID: "bob", Hint: []byte("h")}}},
		{"an entry whose id is last", join(sdsBase, sub(3, str(3, "bob"), str(1, "d"))), SDS03, []Entry{{ID: "d", SenderID: "bob"}}},
		{"entries and bare ids", join(sdsBase, str(3, "bare"), sub(3, str(1, "d"))), SDS03, []Entry{{ID: "bare"}, {ID: "d"}}},

		{"a bare id", join(sdsBase, str(3, "dep1")), SDS04, []Entry{{ID: "dep1"}}},
		{"well-formed but without field 1", join(sdsBase, sub(3, str(2, "h"))), SDS04, []Entry{{ID: "\x12\x01h"}}},
		{"well-formed but field 1 a number", join(sdsBase, sub(3, varint(1, 10))), SDS04, []Entry{{ID: "\x08\x0a"}}},
		{"an entry with a byte too many", join(sdsBase, str(3, "\n\x01x!")), SDS04, []Entry{{ID: "\n\x01x!"}}},
		{"an entry with an overlong length", join(sdsBase, str(3, "\nx\x00")), SDS04, []Entry{{ID: "\nx\x00"}}},

		{"empty filter, bare ids", join(sdsBase, str(3, "dep1"), str(6, "")), SDS02, []Entry{{ID: "dep1"}}},
		{"empty filter, no history", join(sdsBase, str(6, "")), SDS03, nil},
		{"empty filter, bare ids and a sender", join(sdsBase, str(3, "dep1"), str(6, ""), str(7, "s")), SDS04, []Entry{{ID: "dep1"}}},
		{"empty filter, bare ids and a repair request", join(sdsBase, str(3, "dep1"), str(6, ""), sub(13, str(1, "r"))), SDS04, []Entry{{ID: "dep1"}}},
		{"empty filter in lip-109", join(lipBase, str(12, "")), LIP109, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := decode(t, c.payload)
			if m.Format != c.want {
				t.Errorf("format %v, want %v", m.Format, c.want)
			}
			if d := diff(&Message{History: c.history}, &Message{History: m.History}); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestDecodeTellsKindsApart(t *testing.T) {
	cases := []struct {
		name            string
		payload         []byte
		sync, ephemeral bool
	}{
		{"sds content", sdsBase, false, false},
		{"sds sync, content empty", join(str(1, "m"), varint(2, 7), str(4, "c"), str(5, "")), true, false},
		{"sds sync, content absent", join(str(1, "m"), varint(2, 7), str(4, "c")), true, false},
		{"sds lamport 0 is a lamport", join(str(1, "m"), varint(2, 0), str(4, "c")), true, false},
		{"sds ephemeral", join(str(1, "m"), str(4, "c"), str(5, "hi")), false, true},
		{"sds ephemeral, content empty", join(str(1, "m"), str(4, "c"), str(5, "")), false, true},
		{"lip-109 content", lipBase, false, false},
		{"lip-109 sync", join(str(1, "s"), str(2, "m"), str(3, "c"), varint(10, 0)), true, false},
		{"lip-109 ephemeral", join(str(2, "m"), str(3, "c"), str(20, "hi")), false, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := decode(t, c.payload)
			if m.IsSync() != c.sync || m.IsEphemeral() != c.ephemeral {
				t.Errorf("sync %v, ephemeral %v; want %v, %v", m.IsSync(), m.IsEphemeral(), c.sync, c.ephemeral)
			}
		})
	}
}

func TestDecodeHoldsTheLimits(t *testing.T) {
	repeat := func(n int, part []byte) []byte {
		var b []byte
		for range n {
			b = append(b, part...)
		}
		return b
	}
	long := strings.Repeat("x", 11)
	entry := sub(13, str(1, "e"))
	cases := []struct {
		name    string
		at      []byte // at the limit
		past    []byte // just past it
		limited func(l *limits.Limits)
	}{
		{"wire bytes", sdsBase, join(sdsBase, varint(9, 1)), func(l *limits.Limits) { l.MaxWireBytes = len(sdsBase) }},
		{"content", sdsBase, join(sdsBase, str(5, "hi!")), func(l *limits.Limits) { l.MaxContentBytes = 2 }},
		{"lip-109 content", lipBase, join(lipBase, str(20, "hi!")), func(l *limits.Limits) { l.MaxContentBytes = 2 }},
		{"message id", join(sdsBase, str(1, long[1:])), join(sdsBase, str(1, long)), nil},
		{"channel id", join(sdsBase, str(4, long[1:])), join(sdsBase, str(4, long)), nil},
		{"sender id", join(sdsBase, str(7, long[1:])), join(sdsBase, str(7, long)), nil},
		{"bare id", join(sdsBase, str(3, long[1:])), join(sdsBase, str(3, long)), nil},
		{"id of an entry", join(sdsBase, sub(3, str(1, long[1:]))), join(sdsBase, sub(3, str(1, long))), nil},
		{"sender of an entry", join(sdsBase, sub(3, str(1, "d"), str(3, long[1:]))), join(sdsBase, sub(3, str(1, "d"), str(3, long))), nil},
		{"id of ignored details", join(sdsBase, sub(8, str(1, long[1:]))), join(sdsBase, sub(8, str(1, long))), nil},
		{"id of a repair request", join(sdsBase, sub(13, str(1, long[1:]))), join(sdsBase, sub(13, str(1, long))), nil},
		{"id in lip-109", join(lipBase, sub(11, str(1, long[1:]))), join(lipBase, sub(11, str(1, long))), nil},
		{"bare ids", join(sdsBase, repeat(4, str(3, "d"))), join(sdsBase, repeat(5, str(3, "d"))), nil},
		{"entries", join(sdsBase, repeat(4, sub(3, str(1, "d")))), join(sdsBase, repeat(5, sub(3, str(1, "d")))), nil},
		{"details", join(sdsBase, repeat(4, sub(8, str(1, "d")))), join(sdsBase, repeat(5, sub(8, str(1, "d")))), nil},
		{"repair requests", join(sdsBase, repeat(4, entry)), join(sdsBase, repeat(5, entry)), nil},
		{"history and repair requests separately", join(sdsBase, repeat(4, str(3, "d")), repeat(4, entry)), join(sdsBase, repeat(4, str(3, "d")), repeat(5, entry)), nil},
		{"not repeated singular fields", join(sdsBase, repeat(5, str(7, "s"))), join(sdsBase, repeat(5, str(3, "d"))), nil},
		{"lip-109 history", join(lipBase, repeat(4, sub(11, str(1, "d")))), join(lipBase, repeat(5, sub(11, str(1, "d")))), nil},
		{"lip-109 repair requests", join(lipBase, repeat(4, entry)), join(lipBase, repeat(5, entry)), nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			lim := limits.Default()
			lim.MaxIDBytes, lim.MaxHistoryEntries = 10, 4
			if c.limited != nil {
				c.limited(&lim)
			}
			var m Message
			if err := Decode(c.at, &lim, &m); err != nil {
				t.Errorf("at the limit: %v", err)
			}
			if err := Decode(c.past, &lim, &m); !errors.Is(err, ErrTooLarge) {
				t.Errorf("past the limit: %v; want ErrTooLarge", err)
			}
		})
	}
}

func TestDecodeRefusesTooManyEntriesBeforeItKeepsAny(t *testing.T) {
	var payload []byte
	for range 2_000_000 {
		payload = append(payload, 0x1a, 0x01, 'd')
	}
	payload = append(payload, sdsBase...)
	var m Message
	if err := Decode(payload, &defaults, &m); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("%v; want ErrTooLarge", err)
	}
	if cap(m.History) != 0 {
		t.Errorf("room was made for %d entries", cap(m.History))
	}
}

func TestDecodeMakesViewsOfThePayloadOnly(t *testing.T) {
	for _, f := range formats {
		payload := Append(nil, f, fullMessage(), RawFilter("filter"))
		m := decode(t, payload)
		inside := func(name string, p *byte, n int) {
			t.Helper()
			if n == 0 {
				return
			}
			offset := uintptr(unsafe.Pointer(p)) - uintptr(unsafe.Pointer(&payload[0]))
			if offset > uintptr(len(payload)-n) {
				t.Errorf("%v: %s is not a view of the payload", f, name)
			}
		}
		text := func(name, s string) { t.Helper(); inside(name, unsafe.StringData(s), len(s)) }
		data := func(name string, b []byte) {
			t.Helper()
			inside(name, unsafe.SliceData(b), len(b))
			if cap(b) != len(b) {
				t.Errorf("%v: appending to %s would write over the payload", f, name)
			}
		}
		text("ID", m.ID)
		text("ChannelID", m.ChannelID)
		text("SenderID", m.SenderID)
		data("Content", m.Content)
		data("Filter", m.Filter)
		for _, e := range append(m.History, m.RepairRequests...) {
			text("entry's ID", e.ID)
			text("entry's SenderID", e.SenderID)
			data("entry's Hint", e.Hint)
		}
	}
}

func TestDecodeIntoAUsedMessageLeavesNothingOfIt(t *testing.T) {
	var m Message
	for _, f := range formats {
		if err := Decode(Append(nil, f, fullMessage(), RawFilter("filter")), &defaults, &m); err != nil {
			t.Fatal(err)
		}
		if err := Decode(sdsBase, &defaults, &m); err != nil {
			t.Fatal(err)
		}
		if d := diff(decode(t, sdsBase), &m); d != "" {
			t.Errorf("after a full %v message:\n%s", f, d)
		}
	}
}

func TestDecodeDoesNotAllocate(t *testing.T) {
	var m Message
	for _, f := range formats {
		payload := Append(nil, f, fullMessage(), RawFilter("filter"))
		if n := testing.AllocsPerRun(100, func() { _ = Decode(payload, &defaults, &m) }); n != 0 {
			t.Errorf("%v: %v allocations", f, n)
		}
	}
	foreign := []byte("no protobuf at all: hosts pass every payload")
	if n := testing.AllocsPerRun(100, func() { _ = Decode(foreign, &defaults, &m) }); n != 0 {
		t.Errorf("foreign payload: %v allocations", n)
	}
}

// Every prefix of a message is refused unless it ends between two fields and
// holds what is required: then it is a message that lacks the later fields.
func TestDecodePrefixes(t *testing.T) {
	for _, f := range formats {
		full := Append(nil, f, fullMessage(), RawFilter("filter"))
		required := sdsChannel
		if f == LIP109 {
			required = lipLamport
		}
		valid := map[int]bool{}
		enough := false
		for r := (reader{buf: full}); r.next(); {
			enough = enough || r.num == required
			valid[r.pos] = enough
		}
		want := carried(f, fullMessage())
		for n := range full {
			var m Message
			err := Decode(full[:n], &defaults, &m)
			if (err == nil) != valid[n] {
				t.Errorf("%v: the first %d bytes, %x: %v", f, n, full[:n], err)
			}
			if err != nil {
				continue
			}
			if m.ID != want.ID || m.ChannelID != want.ChannelID || m.Lamport != want.Lamport ||
				len(m.History) > len(want.History) || len(m.RepairRequests) > len(want.RepairRequests) {
				t.Errorf("%v: the first %d bytes make another message: %+v", f, n, m)
			}
		}
	}
}

func TestHintsOverTheirBoundAreDropped(t *testing.T) {
	for _, format := range []Format{SDS03, SDS04, LIP109} {
		for length, kept := range map[int]bool{limits.MaxHintBytes: true, limits.MaxHintBytes + 1: false} {
			entry := Entry{ID: "m0", SenderID: "alice", Hint: make([]byte, length)}
			sent := &Message{ID: "m1", ChannelID: "c", Lamport: 1, HasLamport: true, Content: []byte("x"),
				History: []Entry{entry}, RepairRequests: []Entry{entry}}
			lim := limits.Default()
			var got Message
			if err := Decode(Append(nil, format, sent, nil), &lim, &got); err != nil {
				t.Fatalf("%v: %v", format, err)
			}
			if stored := received(format, &got); (stored.Size() > length) != kept {
				t.Errorf("%v: with a hint of %d bytes, %d are stored", format, length, stored.Size())
			}
			for _, e := range []Entry{got.History[0], got.RepairRequests[0]} {
				if (len(e.Hint) == length) != kept || (e.Hint == nil) == kept {
					t.Errorf("%v: a hint of %d bytes came back with %d", format, length, len(e.Hint))
				}
				if e.ID != "m0" || e.SenderID != "alice" {
					t.Errorf("%v: the entry lost more than its hint: %q by %q", format, e.ID, e.SenderID)
				}
			}
		}
	}
}

func TestARefusedPayloadLeavesNoViews(t *testing.T) {
	payload := append(Append(nil, SDS03, fullMessage(), nil), sub(13, str(2, "no id"))...)
	var m Message
	if err := Decode(payload, &defaults, &m); err == nil {
		t.Fatal("an entry without an id was accepted")
	}
	for _, entries := range [][]Entry{m.History[:cap(m.History)], m.RepairRequests[:cap(m.RepairRequests)]} {
		for _, e := range entries {
			if e.ID != "" || e.SenderID != "" || e.Hint != nil {
				t.Errorf("left behind: %q by %q", e.ID, e.SenderID)
			}
		}
	}
}

// A message without field 2 is one of lip-109 if it has any of the fields that only that
// format has. It then lacks its id.
func TestFieldsOfLIP109AloneMakeAMessageOneOfIt(t *testing.T) {
	ephemeral := join(str(1, "m"), str(4, "c"), str(5, "hi"))
	lip := map[protowire.Number]bool{10: true, 11: true, 12: true, 20: true}
	for num := protowire.Number(9); num <= 21; num++ {
		if num == 13 {
			continue // repair requests, in all formats
		}
		var m Message
		err := Decode(join(ephemeral, str(num, "x")), &defaults, &m)
		if (err != nil) != lip[num] {
			t.Errorf("with field %d: %v", num, err)
		}
	}
}

func TestValueWithoutAnIDIsABareID(t *testing.T) {
	id := string(varint(5, '\n')) // a field that no entry has, in the shape of one
	m := decode(t, join(sdsBase, str(3, id)))
	if d := diff(&Message{History: []Entry{{ID: id}}}, &Message{History: m.History}); d != "" {
		t.Error(d)
	}
}

func TestDecodedMessageKeepsNoViewOfTheOneBefore(t *testing.T) {
	m := decode(t, join(sdsBase, str(3, "a"), str(3, "b"), sub(13, str(1, "r")), sub(13, str(1, "s"))))
	history, requests := m.History, m.RepairRequests
	if err := Decode(sdsBase, &defaults, m); err != nil {
		t.Fatal(err)
	}
	if d := diff(&Message{History: make([]Entry, 2), RepairRequests: make([]Entry, 2)}, &Message{History: history, RepairRequests: requests}); d != "" {
		t.Error(d)
	}
}

func TestHighestFieldNumberIsSkippedLikeOthersThatNobodyKnows(t *testing.T) {
	if m := decode(t, join(sdsBase, str(1<<29-1, "x"))); m.ID != "m" {
		t.Errorf("the id is %q", m.ID)
	}
}

func TestListsGoOnBehindOtherFields(t *testing.T) {
	m := decode(t, join(sub(13, str(1, "r1")), sdsBase, str(9, "\n\x01x"), varint(13, 5), sub(13, str(1, "r2"))))
	if d := diff(&Message{RepairRequests: []Entry{{ID: "r1"}, {ID: "r2"}}}, &Message{RepairRequests: m.RepairRequests}); d != "" {
		t.Error(d)
	}
}
