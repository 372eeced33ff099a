package wire

import (
	"fmt"
	"slices"
	"testing"
)

func TestDetailsAreJoinedByID(t *testing.T) {
	ids := func(ids ...string) []byte {
		b := slices.Clone(sdsBase)
		for _, id := range ids {
			b = append(b, str(3, id)...)
		}
		return b
	}
	details := func(id, sender string) []byte { return sub(8, str(1, id), str(3, sender)) }
	cases := []struct {
		name    string
		payload []byte
		want    []Entry
	}{
		{"in order", join(ids("a", "b", "c"), details("a", "A"), details("c", "C")),
			[]Entry{{ID: "a", SenderID: "A"}, {ID: "b"}, {ID: "c", SenderID: "C"}}},
		{"in reverse order", join(ids("a", "b", "c"), details("c", "C"), details("b", "B"), details("a", "A")),
			[]Entry{{ID: "a", SenderID: "A"}, {ID: "b", SenderID: "B"}, {ID: "c", SenderID: "C"}}},
		{"of ids that are not there", join(ids("b", "d"), details("a", "A"), details("b", "B"), details("c", "C"), details("d", "D"), details("e", "E")),
			[]Entry{{ID: "b", SenderID: "B"}, {ID: "d", SenderID: "D"}}},
		{"no ids at all", join(sdsBase, details("a", "A")), nil},
		{"twice for one id: the last", join(ids("a", "b"), details("a", "1"), details("a", "2")),
			[]Entry{{ID: "a", SenderID: "2"}, {ID: "b"}}},
		{"one id twice: in turn", join(ids("a", "b", "a"), details("a", "1"), details("a", "2")),
			[]Entry{{ID: "a", SenderID: "1"}, {ID: "b"}, {ID: "a", SenderID: "2"}}},
		{"one id twice, after another", join(ids("a", "b", "a"), details("b", "B"), details("a", "A")),
			[]Entry{{ID: "a"}, {ID: "b", SenderID: "B"}, {ID: "a", SenderID: "A"}}},
		{"out of order, and on from there", join(ids("a", "b", "c", "a"), details("c", "C"), details("b", "B"), details("a", "1"), details("a", "2")),
			[]Entry{{ID: "a", SenderID: "2"}, {ID: "b", SenderID: "B"}, {ID: "c", SenderID: "C"}, {ID: "a", SenderID: "1"}}},
		{"with nothing in them", join(ids("a", "a"), sub(8, str(1, "a")), details("a", "A")),
			[]Entry{{ID: "a", SenderID: "A"}, {ID: "a"}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if d := diff(&Message{History: c.want}, &Message{History: decode(t, c.payload).History}); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestDetailsOutOfOrderAreJoinedInALongHistory(t *testing.T) {
	n := defaults.MaxHistoryEntries
	payload := slices.Clone(sdsBase)
	want := make([]Entry, n)
	for i := range want {
		want[i] = Entry{ID: fmt.Sprintf("%0100d", i), SenderID: fmt.Sprint(i)}
		payload = append(payload, str(3, want[i].ID)...)
	}
	for _, e := range slices.Backward(want) {
		payload = append(payload, sub(8, str(1, e.ID), str(3, e.SenderID))...)
	}
	if d := diff(&Message{History: want}, &Message{History: decode(t, payload).History}); d != "" {
		t.Error(d)
	}
}

func TestIDsThatReadAsEntriesGetDetails(t *testing.T) {
	for _, id := range []string{"\n\x01x", "\n\x00", "\x12\x01h\n\x01x", "\n\x40" + fmt.Sprintf("%064d", 1)} {
		m := &Message{ID: "m", ChannelID: "c", HasLamport: true, Content: []byte("x"), History: []Entry{{ID: id}}}
		got := decode(t, Append(nil, SDS04, m, nil))
		if d := diff(&Message{History: m.History}, &Message{History: got.History}); d != "" {
			t.Errorf("%q: %s", id, d)
		}
	}
}

// Details that come out of order go to the entries of their id in turn, however many.
func TestDetailsOfOneIDManyTimesAreJoinedInTurn(t *testing.T) {
	const n = 30
	payload := slices.Clone(sdsBase)
	var want []Entry
	for i := range n {
		for _, id := range []string{"a", "b"} {
			want = append(want, Entry{ID: id, SenderID: fmt.Sprint(id, i)})
			payload = append(payload, str(3, id)...)
		}
	}
	for _, id := range []string{"b", "a"} {
		for _, e := range want {
			if e.ID == id {
				payload = append(payload, sub(8, str(1, e.ID), str(3, e.SenderID))...)
			}
		}
	}
	if d := diff(&Message{History: want}, &Message{History: decode(t, payload).History}); d != "" {
		t.Error(d)
	}
}
