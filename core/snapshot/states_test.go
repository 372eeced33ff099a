package snapshot

import (
	"bytes"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/libsds/libsds/core/limits"
)

// failer is what *testing.T and *rapid.T have in common.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// equality is that of states: nil and empty are the same. Bytes are compared at
// once, which makes it ten times faster.
var equality = cmp.Options{
	cmpopts.EquateEmpty(),
	cmp.FilterValues(func(a, b []byte) bool { return len(a)+len(b) > 0 }, cmp.Comparer(bytes.Equal)),
}

// same fails the test unless got is want.
func same(t failer, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, equality); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

// fullMeta has every part, and every optional field both set and not.
func fullMeta() *ChannelMeta {
	return &ChannelMeta{
		Lamport: 300,
		Outgoing: []Unacknowledged{
			{Message: []byte("own 1"), SendTime: 1_700_000_000_000, Attempts: 2,
				Witnesses: []Witness{{MessageID: "w1", SenderID: "bob"}, {MessageID: "w2"}}},
			{Message: []byte("own 2"), SendTime: -4500},
		},
		Incoming: []Incoming{
			{Message: []byte("waits"), ReceivedTime: 1_700_000_000_001,
				Missing: []HistoryEntry{{MessageID: "a"}, {MessageID: "b", SenderID: "bob", RetrievalHint: []byte("where")}, {MessageID: "c"}}},
			{Message: []byte("ready")},
		},
		OutgoingRepair: []OutgoingRepair{
			{Entry: HistoryEntry{MessageID: "a"}, TReq: 1_700_000_000_002, FirstDue: 1_700_000_000_000},
			{Entry: HistoryEntry{MessageID: "b", SenderID: "bob", RetrievalHint: []byte("where")}, TReq: 1},
		},
		IncomingRepair: []IncomingRepair{
			{Entry: HistoryEntry{MessageID: "own 1", SenderID: "alice"}, Message: []byte("own 1"), TResp: 1_700_000_000_003},
		},
		Met: []string{"met 1", "met 2"},
	}
}

func fullData() *ChannelData {
	return &ChannelData{
		Meta:    fullMeta(),
		History: [][]byte{[]byte("oldest"), []byte("newest")},
		Hints:   []RetrievalHint{{MessageID: "m", Hint: []byte("where")}},
	}
}

func fullUpdate() *HistoryUpdate {
	return &HistoryUpdate{
		Append: []HistoryRecord{
			{MessageID: "m1", Lamport: 300, Message: []byte("one")},
			{Message: []byte("its key is not known")},
			{MessageID: "m3", Message: []byte("three")},
			{Message: []byte("nor this one's")},
		},
		Evict: []string{"old 1", "old 2"},
	}
}

var (
	anyID         = rapid.OneOf(rapid.StringN(1, 20, 80), rapid.StringMatching(`[0-9a-f]{64}`))
	anyOptionalID = rapid.OneOf(rapid.Just(""), anyID)
	anyBytes      = rapid.OneOf(
		rapid.SliceOfN(rapid.Byte(), 0, 20),
		rapid.SliceOfN(rapid.Byte(), 120, 300), // the length takes one byte or two
	)
	anyTime = rapid.OneOf(
		rapid.Int64(),
		rapid.SampledFrom([]int64{math.MinInt64, -1, 0, 1, 1_700_000_000_000, math.MaxInt64}),
	)
	anyLamport = rapid.OneOf(rapid.Uint64Range(0, limits.MaxLamport), rapid.SampledFrom([]uint64{0, 127, 128, limits.MaxLamport}))

	anyEntry = rapid.Custom(func(t *rapid.T) HistoryEntry {
		return HistoryEntry{MessageID: anyID.Draw(t, "id"), SenderID: anyOptionalID.Draw(t, "sender"), RetrievalHint: anyBytes.Draw(t, "hint")}
	})
	anyWitness = rapid.Custom(func(t *rapid.T) Witness {
		return Witness{MessageID: anyID.Draw(t, "id"), SenderID: anyOptionalID.Draw(t, "sender")}
	})
	anyUnacknowledged = rapid.Custom(func(t *rapid.T) Unacknowledged {
		return Unacknowledged{
			Message: anyBytes.Draw(t, "message"), SendTime: anyTime.Draw(t, "sent"),
			Attempts:  rapid.IntRange(0, math.MaxInt32).Draw(t, "attempts"),
			Witnesses: rapid.SliceOfN(anyWitness, 0, 3).Draw(t, "witnesses"),
		}
	})
	anyIncoming = rapid.Custom(func(t *rapid.T) Incoming {
		return Incoming{
			Message: anyBytes.Draw(t, "message"), ReceivedTime: anyTime.Draw(t, "received"),
			Missing: rapid.SliceOfN(anyEntry, 0, 4).Draw(t, "missing"),
		}
	})
	anyOutgoingRepair = rapid.Custom(func(t *rapid.T) OutgoingRepair {
		return OutgoingRepair{Entry: anyEntry.Draw(t, "entry"), TReq: anyTime.Draw(t, "T_req"), FirstDue: anyTime.Draw(t, "first due")}
	})
	anyIncomingRepair = rapid.Custom(func(t *rapid.T) IncomingRepair {
		return IncomingRepair{Entry: anyEntry.Draw(t, "entry"), Message: anyBytes.Draw(t, "message"), TResp: anyTime.Draw(t, "T_resp")}
	})
	anyMeta = rapid.Custom(func(t *rapid.T) *ChannelMeta {
		return &ChannelMeta{
			Lamport:        anyLamport.Draw(t, "lamport"),
			Outgoing:       rapid.SliceOfN(anyUnacknowledged, 0, 4).Draw(t, "outgoing"),
			Incoming:       rapid.SliceOfN(anyIncoming, 0, 4).Draw(t, "incoming"),
			OutgoingRepair: rapid.SliceOfN(anyOutgoingRepair, 0, 4).Draw(t, "outgoing repair"),
			IncomingRepair: rapid.SliceOfN(anyIncomingRepair, 0, 4).Draw(t, "incoming repair"),
			Met:            rapid.SliceOfN(anyID, 0, 4).Draw(t, "met"),
			WireFormat:     rapid.Uint64().Draw(t, "wire format"),
			Appending:      rapid.SliceOfN(anyID, 0, 4).Draw(t, "appending"),
		}
	})
	anyHint = rapid.Custom(func(t *rapid.T) RetrievalHint {
		return RetrievalHint{MessageID: anyID.Draw(t, "id"), Hint: anyBytes.Draw(t, "hint")}
	})
	anyData = rapid.Custom(func(t *rapid.T) *ChannelData {
		return &ChannelData{
			Meta:    anyMeta.Draw(t, "meta"),
			History: rapid.SliceOfN(anyBytes, 0, 4).Draw(t, "history"),
			Hints:   rapid.SliceOfN(anyHint, 0, 4).Draw(t, "hints"),
		}
	})
	anyRecord = rapid.Custom(func(t *rapid.T) HistoryRecord {
		record := HistoryRecord{Message: anyBytes.Draw(t, "message")}
		if rapid.Bool().Draw(t, "has a key") {
			record.MessageID, record.Lamport = anyOptionalID.Draw(t, "id"), anyLamport.Draw(t, "lamport")
		}
		return record
	})
	anyUpdate = rapid.Custom(func(t *rapid.T) *HistoryUpdate {
		return &HistoryUpdate{
			Append: rapid.SliceOfN(anyRecord, 0, 4).Draw(t, "append"),
			Evict:  rapid.SliceOfN(anyID, 0, 4).Draw(t, "evict"),
		}
	})
)

// codec is one of the three, for the rules that hold for each.
type codec struct {
	name   string
	any    func(t *rapid.T) any
	full   any
	append func(dst []byte, v any) []byte
	decode func(b []byte) (any, error)
}

func codecOf[T any](name string, generator *rapid.Generator[*T], full *T, appendTo func([]byte, *T) []byte, decode func([]byte) (*T, error)) codec {
	return codec{
		name:   name,
		any:    func(t *rapid.T) any { return generator.Draw(t, name) },
		full:   full,
		append: func(dst []byte, v any) []byte { return appendTo(dst, v.(*T)) },
		decode: func(b []byte) (any, error) {
			v, err := decode(b)
			if (v == nil) != (err != nil) {
				panic("a Decode function returns either a value or an error")
			}
			return v, err
		},
	}
}

var codecs = []codec{
	codecOf("ChannelMeta", anyMeta, fullMeta(), AppendMeta, DecodeMeta),
	codecOf("ChannelData", anyData, fullData(), AppendData, DecodeData),
	codecOf("HistoryUpdate", anyUpdate, fullUpdate(), AppendUpdate, DecodeUpdate),
}

// forEachCodec runs a test for each of the three.
func forEachCodec(t *testing.T, test func(t *testing.T, c codec)) {
	for _, c := range codecs {
		t.Run(c.name, func(t *testing.T) { test(t, c) })
	}
}
