package wire

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// received is the stored form of a payload as a Storer makes it.
func received(f Format, m *Message) Stored {
	var storer Storer
	return storer.StoreReceived(f, m)
}

func TestWhatAWriterWroteIsStoredAsIfWrittenAgain(t *testing.T) {
	for _, f := range formats {
		t.Run(f.String(), rapid.MakeCheck(func(t *rapid.T) {
			sent := sendableMessage(t, f)
			var filter Filter
			if len(sent.Filter) > 0 {
				filter = RawFilter(sent.Filter)
			}
			m := &Message{}
			if err := Decode(Append(nil, f, sent, filter), &defaults, m); err != nil {
				t.Fatal(err)
			}
			// m.Format is f, or another one that the bytes fit too.
			got, want := received(m.Format, m).Append(nil, filter, m.RepairRequests), Append(nil, m.Format, m, filter)
			if m.Format == f && !bytes.Equal(got, want) {
				t.Fatalf("got  %x\nwant %x", got, want)
			}
			copied, written := &Message{}, &Message{}
			if err := errors.Join(Decode(got, &defaults, copied), Decode(want, &defaults, written)); err != nil {
				t.Fatal(err)
			}
			if difference := diff(written, copied); difference != "" {
				t.Fatalf("-written again +copied:\n%s", difference)
			}
		}))
	}
}

func TestOnlyTheLayoutOfWritersIsCopied(t *testing.T) {
	id, lamport, channel, content := str(1, "m"), varint(2, 7), str(4, "c"), str(5, "hi")
	filter, sender := str(6, "filter"), str(7, "s")
	for _, test := range []struct {
		name   string
		fields [][]byte
		copied bool
	}{
		{"as written", [][]byte{id, lamport, channel, content, filter, sender}, true},
		{"without a filter", [][]byte{id, lamport, channel, content, sender}, true},
		{"out of order", [][]byte{lamport, id, channel, content, filter, sender}, false},
		{"a field twice", [][]byte{id, lamport, channel, content, content, filter}, false},
		{"the timestamp twice", [][]byte{id, lamport, lamport, channel, content, filter}, false},
		{"an unknown field", [][]byte{id, lamport, channel, content, filter, sender, str(9, "x")}, false},
		{"an unknown field of a high number", [][]byte{id, lamport, channel, content, filter, str(99, "x")}, false},
		{"a known field of another type", [][]byte{id, lamport, channel, content, varint(6, 1), sender}, false},
		{"a field of the other dialect", [][]byte{id, lamport, channel, content, filter, str(11, "x")}, false},
	} {
		m := decode(t, slices.Concat(test.fields...))
		if copied := m.layout.format == SDS04; copied != test.copied {
			t.Errorf("%s: copied: %v, want %v", test.name, copied, test.copied)
		}
		if got, want := received(SDS04, m).Bytes(), Store(SDS04, m).Bytes(); !bytes.Equal(got, want) {
			t.Errorf("%s: stored\n%x, want\n%x", test.name, got, want)
		}
	}
}

// What writers write is copied, and not encoded again.
func TestPayloadOfAWriterHasItsLayout(t *testing.T) {
	for _, f := range formats {
		for name, leaveOut := range map[string]func(*Message){
			"nothing":  func(*Message) {},
			"sender":   func(m *Message) { m.SenderID = "" },
			"content":  func(m *Message) { m.Content = nil },
			"lamport":  func(m *Message) { m.Lamport, m.HasLamport = 0, false },
			"history":  func(m *Message) { m.History = nil },
			"details":  func(m *Message) { m.History = m.History[:1] },
			"requests": func(m *Message) { m.RepairRequests = nil },
			"filter":   func(m *Message) { m.Filter = nil },
		} {
			m := fullMessage()
			leaveOut(m)
			m = decode(t, Append(nil, f, m, RawFilter(m.Filter)))
			if m.layout.format != m.Format { // which is f, or another one that the bytes fit too
				t.Errorf("%s without %s, read as %s: laid out as %s", f, name, m.Format, m.layout.format)
			}
		}
	}
}
