package snapshot

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/libsds/libsds/internal/allocation"
)

// Blobs are put together from fields, so that a test shows what is in them.

func join(parts ...[]byte) []byte { return slices.Concat(parts...) }

func str(num protowire.Number, v string) []byte {
	return protowire.AppendString(protowire.AppendTag(nil, num, protowire.BytesType), v)
}

func sub(num protowire.Number, fields ...[]byte) []byte { return str(num, string(join(fields...))) }

func num(num protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, num, protowire.VarintType), v)
}

var (
	version   = num(1, 1)
	emptyMeta = join(version, num(2, 0))
)

// in puts a message into an otherwise empty meta.
func in(list protowire.Number, fields ...[]byte) []byte { return join(emptyMeta, sub(list, fields...)) }

func TestMalformedMetaIsRefused(t *testing.T) {
	unacked := func(witness ...[]byte) []byte {
		return in(3, str(1, "m"), num(2, 5), num(3, 0), sub(16, witness...))
	}
	incoming := func(more ...[]byte) []byte { return in(4, str(1, "m"), str(2, "a"), join(more...)) }
	asking := func(key string, entry ...[]byte) []byte {
		return in(5, str(1, key), sub(2, sub(1, entry...), num(2, 5)))
	}
	asked := func(fields ...[]byte) []byte { return in(6, str(1, "m"), sub(2, fields...)) }
	cases := []struct {
		name string
		blob []byte
		says string
	}{
		{"empty", nil, "ChannelMeta.schema_version is missing"},
		{"no version", num(2, 0), "ChannelMeta.schema_version is missing"},
		{"no lamport", version, "ChannelMeta.lamport is missing"},
		{"lamport 2^63", join(version, num(2, 1<<63)), "ChannelMeta.lamport is out of range"},

		{"truncated tag", join(emptyMeta, []byte{0x80}), "ends within"},
		{"truncated varint", join(version, []byte{0x10, 0x80}), "ends within"},
		{"truncated length", join(emptyMeta, []byte{0x1a, 0x80}), "ends within"},
		{"truncated value", join(emptyMeta, []byte{0x1a, 2, 0}), "ends within"},
		{"huge length", join(emptyMeta, []byte{0x1a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}), "ends within"},
		{"truncated fixed32", join(emptyMeta, []byte{0x7d, 1, 2, 3}), "ends within"},
		{"truncated fixed64", join(emptyMeta, []byte{0x79, 1, 2, 3, 4, 5, 6, 7}), "ends within"},
		{"trailing zeros", join(emptyMeta, []byte{0, 0}), "field number"},
		{"field number 2^29", join(emptyMeta, protowire.AppendVarint(nil, 1<<32), []byte{0}), "field number"},
		{"overlong tag", join(emptyMeta, []byte{0x9a, 0x00, 0}), "needless"},
		{"overlong lamport", join(version, []byte{0x10, 0x80, 0x00}), "needless"},
		{"overlong version", []byte{0x08, 0x81, 0x00, 0x10, 0x00}, "needless"},
		{"overlong length", join(emptyMeta, []byte{0x7a, 0x80, 0x00}), "needless"},
		{"varint over 64 bits", join(version, []byte{0x10}, bytes.Repeat([]byte{0xff}, 9), []byte{2}), "overflows"},
		{"group", join(emptyMeta, []byte{0x7b, 0x7c}), "group"},
		{"end of a group", join(emptyMeta, []byte{0x7c}), "group"},
		{"wire type 6", join(emptyMeta, []byte{0x7e}), "not defined"},
		{"group within", in(3, []byte{0x7b, 0x7c}), "ChannelMeta.outgoing 0: malformed snapshot: a wire type is a group's"},

		{"two blobs in one", join(emptyMeta, emptyMeta), "ChannelMeta.schema_version comes twice"},
		{"lamport twice", join(emptyMeta, num(2, 0)), "ChannelMeta.lamport comes twice"},
		{"version as text", join(str(1, "1"), num(2, 0)), "ChannelMeta.schema_version is of a wrong wire type"},
		{"lamport as fixed64", join(version, []byte{0x11, 0, 0, 0, 0, 0, 0, 0, 0}), "ChannelMeta.lamport is of a wrong wire type"},
		{"outgoing as a number", join(emptyMeta, num(3, 0)), "ChannelMeta.outgoing is of a wrong wire type"},
		{"met as a number", join(emptyMeta, num(16, 0)), "ChannelMeta.met is of a wrong wire type"},

		{"met: empty id", join(emptyMeta, str(16, "x"), str(16, "")), "ChannelMeta.met is empty"},
		{"met: not UTF-8", join(emptyMeta, str(16, "\xff")), "ChannelMeta.met is not UTF-8"},
		{"appending as a number", join(emptyMeta, num(18, 0)), "ChannelMeta.appending is of a wrong wire type"},
		{"appending: empty id", join(emptyMeta, str(18, "x"), str(18, "")), "ChannelMeta.appending is empty"},

		{"outgoing: empty", in(3), "Unacknowledged.message is missing"},
		{"outgoing: no time", in(3, str(1, "m"), num(3, 0)), "Unacknowledged.send_time is missing"},
		{"outgoing: no attempts", in(3, str(1, "m"), num(2, 0)), "Unacknowledged.attempts is missing"},
		{"outgoing: attempts 2^31", in(3, str(1, "m"), num(2, 0), num(3, 1<<31)), "Unacknowledged.attempts is out of range"},
		{"outgoing: attempts -1", in(3, str(1, "m"), num(2, 0), num(3, 1<<64-1)), "Unacknowledged.attempts is out of range"},
		{"outgoing: time as text", in(3, str(1, "m"), str(2, "now"), num(3, 0)), "Unacknowledged.send_time is of a wrong wire type"},
		{"the second outgoing", join(in(3, str(1, "m"), num(2, 0), num(3, 0)), sub(3)), "ChannelMeta.outgoing 1: "},
		{"witness: no id", unacked(str(2, "bob")), "Witness.message_id is missing"},
		{"witness: empty id", unacked(str(1, "")), "Witness.message_id is empty"},
		{"witness: not UTF-8", unacked(str(1, "\xff")), "Witness.message_id is not UTF-8"},
		{"witness: sender not UTF-8", unacked(str(1, "w"), str(2, "\xff")), "Witness.sender_id is not UTF-8"},

		{"incoming: no message", in(4, str(2, "a")), "Incoming.message is missing"},
		{"incoming: empty id", incoming(str(2, "")), "Incoming.missing is empty"},
		{"incoming: not UTF-8", incoming(str(2, "\xff")), "Incoming.missing is not UTF-8"},
		{"incoming: time as text", incoming(str(16, "now")), "Incoming.received_time is of a wrong wire type"},
		{"incoming: details of nothing", incoming(sub(17), sub(17)), "Incoming.missing_detail tells of more messages"},
		{"incoming: sender not UTF-8", incoming(sub(17, str(3, "\xff"))), "Incoming.missing_detail 0: malformed snapshot: MissingDetail.sender_id is not UTF-8"},
		{"incoming: two hints", incoming(sub(17, str(2, "a"), str(2, "b"))), "MissingDetail.retrieval_hint comes twice"},

		{"repair: no id", in(5, sub(2, sub(1, str(1, "m")), num(2, 5))), "OutgoingRepair.message_id is missing"},
		{"repair: no entry", in(5, str(1, "m")), "OutgoingRepair.entry is missing"},
		{"repair: no message", in(5, str(1, "m"), sub(2, num(2, 5))), "OutgoingRepairEntry.message is missing"},
		{"repair: no time", in(5, str(1, "m"), sub(2, sub(1, str(1, "m")))), "OutgoingRepairEntry.t_req is missing"},
		{"repair: another id", asking("m", str(1, "n")), "OutgoingRepair.message_id is not that of the entry"},
		{"repair: empty id", asking("", str(1, "")), "HistoryEntry.message_id is empty"},
		{"repair: entry without id", asking("m", str(3, "bob")), "HistoryEntry.message_id is missing"},
		{"repair: not UTF-8", asking("\xff", str(1, "\xff")), "HistoryEntry.message_id is not UTF-8"},
		{"repair: sender not UTF-8", asking("m", str(1, "m"), str(3, "\xff")), "HistoryEntry.sender_id is not UTF-8"},

		{"request: no message", asked(str(2, "cached"), num(3, 5)), "IncomingRepairEntry.message is missing"},
		{"request: nothing cached", asked(sub(1, str(1, "m")), num(3, 5)), "IncomingRepairEntry.cached_message is missing"},
		{"request: no time", asked(sub(1, str(1, "m")), str(2, "cached")), "IncomingRepairEntry.t_resp is missing"},
		{"request: another id", asked(sub(1, str(1, "n")), str(2, "cached"), num(3, 5)), "IncomingRepair.message_id is not that of the entry"},

		{"text", []byte("not a snapshot"), ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			meta, err := DecodeMeta(c.blob)
			if !errors.Is(err, ErrMalformed) || meta != nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("DecodeMeta(%x) = %+v, %v; want an error that says %q", c.blob, meta, err, c.says)
			}
		})
	}
}

func TestMalformedDataAndUpdatesAreRefused(t *testing.T) {
	meta := sub(1, emptyMeta)
	cases := []struct {
		codec codec
		name  string
		blob  []byte
		says  string
	}{
		{codecs[1], "empty", nil, "ChannelData.meta is missing"},
		{codecs[1], "a meta alone", emptyMeta, "ChannelData.meta is of a wrong wire type"},
		{codecs[1], "two metas", join(meta, meta), "ChannelData.meta comes twice"},
		{codecs[1], "damaged meta", sub(1, version), "ChannelMeta.lamport is missing"},
		{codecs[1], "message as a number", join(meta, num(2, 0)), "ChannelData.message is of a wrong wire type"},
		{codecs[1], "hint without id", join(meta, sub(16, str(2, "where"))), "RetrievalHint.message_id is missing"},
		{codecs[1], "hint with empty id", join(meta, sub(16, str(1, ""), str(2, "where"))), "RetrievalHint.message_id is empty"},
		{codecs[1], "hint without hint", join(meta, sub(16, str(1, "m"))), "RetrievalHint.hint is missing"},
		{codecs[2], "message as a number", num(1, 0), "HistoryUpdate.message is of a wrong wire type"},
		{codecs[2], "empty evicted id", str(2, ""), "HistoryUpdate.evicted is empty"},
		{codecs[2], "evicted not UTF-8", str(2, "\xff"), "HistoryUpdate.evicted is not UTF-8"},
		{codecs[2], "keys of nothing", join(str(1, "m"), sub(16), sub(16)), "HistoryUpdate.key tells of more messages"},
		{codecs[2], "lamport of a key as a string", join(str(1, "m"), sub(16, str(2, "5"))), "HistoryUpdate.key 0: malformed snapshot: HistoryKey.lamport is of a wrong wire type"},
		{codecs[2], "lamport 2^63", join(str(1, "m"), sub(16, num(2, 1<<63))), "HistoryUpdate.key 0: malformed snapshot: HistoryKey.lamport is out of range"},
		{codecs[2], "id not UTF-8", join(str(1, "m"), sub(16, str(1, "\xff"))), "HistoryKey.message_id is not UTF-8"},
	}
	for _, c := range cases {
		t.Run(c.codec.name+"/"+c.name, func(t *testing.T) {
			_, err := c.codec.decode(c.blob)
			if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%x: error %v; want one that says %q", c.blob, err, c.says)
			}
		})
	}
}

// Whatever else such a blob says: another version may mean something else by it.
func TestUnknownSchemaVersionIsRefusedAndNamed(t *testing.T) {
	for _, c := range []struct {
		blob []byte
		says string
	}{
		{num(1, 0), "version 0"},
		{join(num(1, 2), num(2, 0)), "version 2"},
		{num(1, 2), "version 2"},
		{join(num(1, 7), str(2, "a clock"), num(3, 1)), "version 7"},
		{num(1, 1<<64-1), "version 18446744073709551615"},
		{num(1, 1<<32+1), "version 4294967297"},
	} {
		for name, err := range map[string]error{
			"meta": second(DecodeMeta(c.blob)),
			"data": second(DecodeData(sub(1, c.blob))),
		} {
			if !errors.Is(err, ErrSchemaVersion) || errors.Is(err, ErrMalformed) ||
				!strings.Contains(err.Error(), c.says+",") || !strings.Contains(err.Error(), "reads version 1") {
				t.Errorf("%s %x: error %v; want one that names %s and version 1", name, c.blob, err, c.says)
			}
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestUnknownFieldsAreSkippedEverywhere(t *testing.T) {
	unknown := join(num(14, 1<<63), str(15, "x"), num(19, 1), []byte{0xe5, 1, 1, 2, 3, 4, 0xe1, 1, 1, 2, 3, 4, 5, 6, 7, 8}, str(1<<29-1, "y"))
	// with adds to a message.
	with := func(list protowire.Number, fields ...[]byte) []byte {
		return sub(list, join(unknown, join(fields...), unknown))
	}
	plain := sub
	type form func(list protowire.Number, fields ...[]byte) []byte
	meta := func(m form) []byte {
		return join(emptyMeta,
			m(3, str(1, "m"), num(2, 5), num(3, 1), m(16, str(1, "w"))),
			m(4, str(1, "m"), str(2, "a"), num(16, 5), m(17, str(3, "bob"))),
			m(5, str(1, "a"), m(2, m(1, str(1, "a")), num(2, 5))),
			m(6, str(1, "a"), m(2, m(1, str(1, "a")), str(2, "cached"), num(3, 5))))
	}
	blobs := map[string]func(m form) []byte{
		"ChannelMeta":   meta,
		"ChannelData":   func(m form) []byte { return join(m(1, meta(m)), str(2, "m"), m(16, str(1, "m"), str(2, "where"))) },
		"HistoryUpdate": func(m form) []byte { return join(str(1, "m"), str(2, "old"), m(16, str(1, "m"), num(2, 5))) },
	}
	forEachCodec(t, func(t *testing.T, c codec) {
		want, err := c.decode(blobs[c.name](plain))
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.decode(join(unknown, blobs[c.name](with), unknown))
		if err != nil {
			t.Fatal(err)
		}
		same(t, "with unknown fields", got, want)
	})
}

// A prefix is refused, or is what a shorter state would be written as.
func TestEveryPrefixIsRefusedOrAShorterState(t *testing.T) {
	forEachCodec(t, func(t *testing.T, c codec) {
		blob := c.append(nil, c.full)
		whole := 0
		for n := range blob {
			got, err := c.decode(blob[:n])
			switch {
			case err != nil && !errors.Is(err, ErrMalformed):
				t.Errorf("%d bytes: %v", n, err)
			case err == nil && !bytes.HasPrefix(blob[:n], c.append(nil, got)):
				t.Errorf("%d bytes were read as %+v", n, got)
			case err == nil:
				whole++
			}
		}
		// As many as there are fields, and not one more.
		if want := map[string]int{"ChannelMeta": 9, "ChannelData": 3, "HistoryUpdate": 9}[c.name]; whole != want {
			t.Errorf("%d prefixes were read, want %d", whole, want)
		}
	})
}

// A store's and a host's memory is not ours.
func TestNothingDecodedSharesMemoryWithTheBlob(t *testing.T) {
	forEachCodec(t, func(t *testing.T, c codec) {
		blob := c.append(nil, c.full)
		got, err := c.decode(blob)
		if err != nil {
			t.Fatal(err)
		}
		for i := range blob {
			blob[i] = 0xff
		}
		same(t, "after the blob was overwritten", got, c.full)
	})
}

// The worst are many messages that say next to nothing.
func TestDecodingTakesMemoryInProportionToTheBlob(t *testing.T) {
	const size, factor = 1 << 15, 50
	fill := func(head, unit []byte) []byte { return join(head, bytes.Repeat(unit, size/len(unit))) }
	within := func(list protowire.Number, head, unit []byte) []byte { return in(list, fill(head, unit)) }
	unacked := join(str(1, ""), num(2, 0), num(3, 0))
	cases := []struct {
		name string
		c    codec
		blob []byte
	}{
		{"met", codecs[0], fill(emptyMeta, str(16, "x"))},
		{"appending", codecs[0], fill(emptyMeta, str(18, "x"))},
		{"outgoing", codecs[0], fill(emptyMeta, sub(3, unacked))},
		{"damaged outgoing", codecs[0], fill(emptyMeta, sub(3))},
		{"witnesses", codecs[0], within(3, unacked, sub(16, str(1, "x")))},
		{"damaged witnesses", codecs[0], within(3, unacked, sub(16))},
		{"incoming", codecs[0], fill(emptyMeta, sub(4, str(1, "")))},
		{"damaged incoming", codecs[0], fill(emptyMeta, sub(4))},
		{"missing", codecs[0], within(4, str(1, ""), str(2, "x"))},
		{"details", codecs[0], within(4, str(1, ""), join(str(2, "x"), sub(17, str(2, "y"))))},
		{"outgoing repair", codecs[0], fill(emptyMeta, sub(5, str(1, "x"), sub(2, sub(1, str(1, "x")), num(2, 0))))},
		{"damaged outgoing repair", codecs[0], fill(emptyMeta, sub(5))},
		{"incoming repair", codecs[0], fill(emptyMeta, sub(6, str(1, "x"), sub(2, sub(1, str(1, "x")), str(2, ""), num(3, 0))))},
		{"damaged incoming repair", codecs[0], fill(emptyMeta, sub(6))},
		{"history", codecs[1], fill(sub(1, emptyMeta), str(2, ""))},
		{"history of short messages", codecs[1], fill(sub(1, emptyMeta), str(2, "m"))},
		{"hints", codecs[1], fill(sub(1, emptyMeta), sub(16, str(1, "x"), str(2, "y")))},
		{"damaged hints", codecs[1], fill(sub(1, emptyMeta), sub(16))},
		{"update", codecs[2], fill(nil, str(1, ""))},
		{"update with keys", codecs[2], fill(nil, join(str(1, ""), sub(16)))},
		{"evictions", codecs[2], fill(nil, str(2, "x"))},
		{"unknown fields", codecs[0], fill(emptyMeta, num(15, 0))},
		{"a length beyond the end", codecs[0], join(emptyMeta, []byte{0x1a, 0xff, 0xff, 0xff, 0xff, 0x07})},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			took := allocation.Beyond(factor*uint64(len(c.blob))+size, func() { _, _ = c.c.decode(c.blob) })
			if took > 0 {
				t.Errorf("%d bytes of blob took %d bytes of memory", len(c.blob), took)
			}
		})
	}
}
