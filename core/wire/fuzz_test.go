package wire

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/libsds/libsds/core/limits"
	"github.com/libsds/libsds/internal/allocation"
	"github.com/libsds/libsds/internal/corpus"
)

// Reading a payload takes memoryFactor times its length at most, and fixedMemory.
// The worst are lists of short ids: an Entry of 56 bytes, and 8 of an index, for
// each 3 bytes.
const memoryFactor, fixedMemory = 32, 4 << 10

// tightLimits are within reach of short payloads.
var tightLimits = limits.Limits{MaxContentBytes: 4, MaxWireBytes: 100, MaxHistoryEntries: 2, MaxIDBytes: 3}

// FuzzDecode: no payload hurts. What is refused is refused for one of the two
// reasons, and leaves nothing behind. What is read is written in every format as
// something that reads back as the same, and as the same bytes from then on; it is
// kept whole; and under other limits it is the same or over one of them.
func FuzzDecode(f *testing.F) {
	for _, payload := range vectorPayloads(f) {
		f.Add(payload)
		var m Message
		if Decode(payload, &defaults, &m) != nil {
			continue
		}
		for _, format := range formats {
			f.Add(Append(nil, format, &m, RawFilter(m.Filter)))
		}
	}
	for _, format := range formats {
		f.Add(Append(nil, format, fullMessage(), RawFilter("filter")))
	}
	for _, input := range corpus.Inputs(f, "../../tests/fuzz/corpus/message") {
		f.Add(input)
	}
	var used, tight Message // used again and again, as callers do
	f.Fuzz(func(t *testing.T, payload []byte) {
		var m Message
		var err error
		took := allocation.Beyond(memoryFactor*uint64(len(payload))+fixedMemory, func() {
			m = Message{}
			err = Decode(payload, &defaults, &m)
		})
		if took > 0 {
			t.Errorf("%d bytes of payload took %d bytes of memory", len(payload), took)
		}
		if again := Decode(payload, &defaults, &used); (again == nil) != (err == nil) || !equal(&m, &used) {
			t.Errorf("read as\n%+v, %v\nwith used memory as\n%+v, %v", m, err, used, again)
		}
		narrow := Decode(payload, &tightLimits, &tight)
		if err != nil {
			checkRefused(t, err, &m)
			checkRefused(t, narrow, &tight)
			return
		}
		if narrow != nil {
			checkRefused(t, narrow, &tight)
			if !errors.Is(narrow, ErrTooLarge) {
				t.Errorf("under tight limits: %v", narrow)
			}
		} else if !equal(&m, &tight) {
			t.Errorf("under tight limits it differs: %s", diff(&m, &tight))
		}
		if _, known := ParseFormat(m.Format.String()); !known {
			t.Errorf("format %d", m.Format)
		}
		if m.ID == "" || m.ChannelID == "" || m.Lamport > limits.MaxLamport || !m.HasLamport && m.Lamport != 0 {
			t.Errorf("read as %+v", m)
		}
		for _, format := range formats {
			checkWritten(t, format, &m)
		}
	})
}

// checkRefused holds an error of Decode to its contract.
func checkRefused(t *testing.T, err error, m *Message) {
	t.Helper()
	if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrTooLarge) || len(err.Error()) > 200 {
		t.Errorf("refused with %v", err)
	}
	if !equal(m, &Message{}) {
		t.Errorf("refused, and left %+v behind", m)
	}
}

// checkWritten writes a message that was read in a format, and reads that.
func checkWritten(t *testing.T, f Format, m *Message) {
	t.Helper()
	written := Append(nil, f, m, RawFilter(m.Filter))
	stored := Store(f, m)
	if whole := stored.Append(nil, RawFilter(m.Filter), m.RepairRequests); !bytes.Equal(whole, written) {
		t.Errorf("%v: stored  %x\nwritten %x", f, whole, written)
	}
	if !bytes.Equal(stored.Content(), m.Content) {
		t.Errorf("%v: stored content %x, want %x", f, stored.Content(), m.Content)
	}
	var storer Storer
	received := storer.StoreReceived(f, m)
	if !bytes.Equal(received.Content(), m.Content) {
		t.Errorf("%v: received content %x, want %x", f, received.Content(), m.Content)
	}
	if !carries(f, m) {
		return
	}
	want := carried(f, m)
	var again Message
	if err := Decode(written, &defaults, &again); err != nil {
		t.Fatalf("%v: %x is not read back: %v", f, written, err)
	}
	if (again.Format == LIP109) != (f == LIP109) {
		t.Errorf("%v was taken for %v", f, again.Format)
	}
	if f == m.Format && again.Format != f {
		t.Errorf("%v was read back as %v", f, again.Format)
	}
	want.Format = again.Format
	if !equal(want, &again) {
		t.Errorf("%v: %x reads back as\n%s", f, written, diff(want, &again))
	}
	if twice := Append(nil, f, &again, RawFilter(again.Filter)); !bytes.Equal(twice, written) {
		t.Errorf("%v: written %x\nand then %x", f, written, twice)
	}
	// What is kept lacks what is fresh whenever it is sent.
	want.Filter, want.RepairRequests = nil, nil
	for _, kept := range []Stored{stored, received} {
		if err := Decode(kept.Bytes(), &defaults, &again); err != nil {
			t.Fatalf("%v: kept %x is not read back: %v", f, kept.Bytes(), err)
		}
		want.Format = again.Format
		if !equal(want, &again) {
			t.Errorf("%v: kept %x reads back as\n%s", f, kept.Bytes(), diff(want, &again))
		}
	}
}

// carries tells whether a format has the means to carry m so that it reads back:
// bare ids must not read as entries in sds-0.2, and details must have one id to
// belong to in sds-0.4. Its writers' overhead must leave it within the limits.
func carries(f Format, m *Message) bool {
	seen := make(map[string]bool, len(m.History))
	for _, e := range m.History {
		if _, ambiguous := parseIfEntry([]byte(e.ID)); ambiguous && f == SDS02 {
			return false
		}
		if seen[e.ID] && f == SDS04 && m.Format != SDS04 {
			return false
		}
		seen[e.ID] = true
	}
	return true
}

// equal is what diff finds no difference in, without the work of telling it.
func equal(a, b *Message) bool {
	sameEntry := func(a, b Entry) bool {
		return a.ID == b.ID && a.SenderID == b.SenderID && bytes.Equal(a.Hint, b.Hint)
	}
	return a.Format == b.Format && a.ID == b.ID && a.ChannelID == b.ChannelID && a.SenderID == b.SenderID &&
		a.Lamport == b.Lamport && a.HasLamport == b.HasLamport &&
		slices.EqualFunc(a.History, b.History, sameEntry) &&
		slices.EqualFunc(a.RepairRequests, b.RepairRequests, sameEntry) &&
		bytes.Equal(a.Content, b.Content) && bytes.Equal(a.Filter, b.Filter)
}

func vectorPayloads(f *testing.F) [][]byte {
	text, err := os.ReadFile("../../tests/conformance/vectors/wire.json")
	if err != nil {
		f.Fatal(err)
	}
	type vector struct{ WireHex string }
	var file struct{ Vectors, Decode []vector }
	if err := json.Unmarshal(text, &file); err != nil {
		f.Fatal(err)
	}
	var payloads [][]byte
	for _, v := range append(file.Vectors, file.Decode...) {
		payload, err := hex.DecodeString(v.WireHex)
		if err != nil {
			f.Fatal(err)
		}
		payloads = append(payloads, payload)
	}
	return payloads
}
