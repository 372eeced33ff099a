package wire

import (
	"bytes"
	"slices"
	"testing"

	"github.com/libsds/libsds/core/limits"
	"pgregory.net/rapid"
)

// ids generates valid ids, among them some that look like HistoryEntries.
var ids = rapid.OneOf(
	rapid.StringN(1, 40, 200),
	rapid.StringMatching(`[0-9a-f]{64}`),
	rapid.SampledFrom([]string{"\n\x01x", "\n\x00", "\x12\x01h", "\x00", "\n", "\x12\x00\n\x02ab"}),
)

var optionalIDs = rapid.OneOf(rapid.Just(""), ids)

var blobs = rapid.SliceOfN(rapid.Byte(), 0, 300)

func entries(t *rapid.T, label string) []Entry {
	entry := rapid.Custom(func(t *rapid.T) Entry {
		return Entry{ID: ids.Draw(t, "id"), SenderID: optionalIDs.Draw(t, "sender"), Hint: blobs.Draw(t, "hint")}
	})
	// sds-0.4 cannot tell which of two entries with one id its details are of.
	return rapid.SliceOfNDistinct(entry, 0, 12, func(e Entry) string { return e.ID }).Draw(t, label)
}

// validMessage generates messages that every format but sds-0.2 carries whole.
func validMessage(t *rapid.T) *Message {
	m := &Message{
		ID: ids.Draw(t, "ID"), ChannelID: ids.Draw(t, "ChannelID"), SenderID: optionalIDs.Draw(t, "SenderID"),
		HasLamport:     rapid.Bool().Draw(t, "HasLamport"),
		History:        entries(t, "History"),
		RepairRequests: entries(t, "RepairRequests"),
		Content:        blobs.Draw(t, "Content"),
		Filter:         blobs.Draw(t, "Filter"),
	}
	if m.HasLamport {
		m.Lamport = rapid.Uint64Range(0, limits.MaxLamport).Draw(t, "Lamport")
	}
	return m
}

// sendableMessage generates messages whose ids f can carry: sds-0.2 cannot tell
// one that reads as an entry.
func sendableMessage(t *rapid.T, f Format) *Message {
	m := validMessage(t)
	if f == SDS02 {
		m.History = slices.DeleteFunc(m.History, func(e Entry) bool {
			_, ambiguous := parseIfEntry([]byte(e.ID))
			return ambiguous
		})
	}
	return m
}

func TestWhatIsWrittenReadsBack(t *testing.T) {
	for _, f := range formats {
		t.Run(f.String(), rapid.MakeCheck(func(t *rapid.T) {
			m := sendableMessage(t, f)
			want := carried(f, m)
			var got Message
			if err := Decode(Append(nil, f, m, RawFilter(m.Filter)), &defaults, &got); err != nil {
				t.Fatal(err)
			}
			if (got.Format == LIP109) != (f == LIP109) {
				t.Errorf("%v was taken for %v", f, got.Format)
			}
			want.Format = got.Format
			if d := diff(want, &got); d != "" {
				t.Error(d)
			}
		}))
	}
}

func TestStoredAppendsWhatAppendWrites(t *testing.T) {
	for _, f := range formats {
		t.Run(f.String(), rapid.MakeCheck(func(t *rapid.T) {
			m := validMessage(t)
			var filter Filter
			if rapid.Bool().Draw(t, "hasFilter") {
				filter = RawFilter(m.Filter)
			}
			s := Store(f, m)
			prefix := blobs.Draw(t, "prefix")
			got := s.Append(bytes.Clone(prefix), filter, m.RepairRequests)
			if want := Append(bytes.Clone(prefix), f, m, filter); !bytes.Equal(got, want) {
				t.Errorf("got  %x\nwant %x", got, want)
			}
			if n := s.Len(filter, m.RepairRequests); n != len(got)-len(prefix) {
				t.Errorf("Len is %d, appended %d", n, len(got)-len(prefix))
			}
			if !bytes.Equal(s.Content(), m.Content) {
				t.Errorf("content %x, want %x", s.Content(), m.Content)
			}
		}))
	}
}
