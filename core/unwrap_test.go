package core_test

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/persistence"
)

func TestUnwrapTellsWhatItReceived(t *testing.T) {
	alice, bob := newPeer(t, "alice", newClock()), newPeer(t, "bob", newClock())
	const seconds = uint64(start) / 1000
	ephemeral, err := bob.WrapEphemeral(nil, "c", "e", []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	first, second := bob.wrap("c", "first"), bob.wrap("c", "second")
	sync := bob.wrapSync("c")
	missing := []core.Dependency{{ID: "first", SenderID: "bob"}}
	base := core.Unwrapped{ChannelID: "c", SenderID: "bob", Kind: core.KindContent}
	for _, step := range []struct {
		payload []byte
		change  func(*core.Unwrapped)
	}{
		{ephemeral, func(u *core.Unwrapped) { u.MessageID, u.Kind, u.Content = "e", core.KindEphemeral, []byte("x") }},
		{second, func(u *core.Unwrapped) {
			u.MessageID, u.Content, u.Lamport, u.Missing, u.Buffered = "second", []byte("content of second"), seconds+1, missing, true
		}},
		{sync, func(u *core.Unwrapped) {
			u.MessageID, u.Lamport, u.Kind = decoded(t, sync).ID, seconds+2, core.KindSync
			u.Missing = []core.Dependency{{ID: "first", SenderID: "bob"}, {ID: "second", SenderID: "bob"}}
		}},
		{first, func(u *core.Unwrapped) {
			u.MessageID, u.Content, u.Lamport = "first", []byte("content of first"), seconds
		}},
		{second, func(u *core.Unwrapped) {
			u.MessageID, u.Content, u.Lamport, u.Duplicate = "second", []byte("content of second"), seconds+1, true
		}},
	} {
		want := base
		step.change(&want)
		got := alice.unwrap(step.payload)
		if len(got.Content) == 0 {
			got.Content = nil
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", want.MessageID, diff)
		}
	}
}

func TestKindNames(t *testing.T) {
	for kind, name := range map[core.Kind]string{
		core.KindContent: "content", core.KindSync: "sync", core.KindEphemeral: "ephemeral", 0: "unknown", 4: "unknown",
	} {
		if got := kind.String(); got != name {
			t.Errorf("kind %d is %q, not %q", kind, got, name)
		}
	}
}

// TestIrregularHistoryIsMendedAndLogged: a backend that loses the order, or
// gives a message twice, costs a warning and nothing else.
func TestIrregularHistoryIsMendedAndLogged(t *testing.T) {
	alice := newPeer(t, "alice", newClock())
	for _, id := range []string{"m1", "m2", "m3"} {
		alice.wrap("c", id)
	}
	regular := alice.kept("c").History
	for name, test := range map[string]struct {
		order []int
		says  string
	}{
		"regular":   {[]int{0, 1, 2}, ""},
		"unordered": {[]int{2, 0, 1}, "unordered=1 duplicates=0"},
		"twice":     {[]int{0, 1, 1, 2}, "unordered=0 duplicates=1"},
	} {
		var history [][]byte
		for _, i := range test.order {
			history = append(history, slices.Clone(regular[i]))
		}
		var logged bytes.Buffer
		m, err := core.New(core.Options{Backend: damaged{kept: persistence.Kept{History: history}}, Logger: slog.New(slog.NewTextHandler(&logged, complaints))})
		if err != nil {
			t.Fatal(err)
		}
		payload, err := m.WrapSync(nil, "c")
		if err != nil {
			t.Fatal(err)
		}
		m.Close()
		if diff := cmp.Diff([]string{"m1", "m2", "m3"}, cited(t, payload)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if text := logged.String(); !strings.Contains(text, test.says) || (test.says == "") != (text == "") {
			t.Errorf("%s: logged %q", name, text)
		}
	}
}
