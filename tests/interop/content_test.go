//go:build interop

// Package interop lets libsds, through its C ABI, and @waku/sds, from the npm
// registry, talk with each other. Both are processes that do what they are told;
// time and network are the test's. scripts/test-interop prepares what it needs.
package interop

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pair is one child of each kind.
func pair(t *testing.T) (*clock, [2]*child) {
	t.Helper()
	c := newClock(t)
	return c, [2]*child{start(t, libsds, c), start(t, waku, c)}
}

// bothWays runs a test with each kind as the sender, the other as the receiver.
func bothWays(t *testing.T, test func(t *testing.T, c *clock, from, to *participant)) {
	for _, k := range []kind{libsds, waku} {
		t.Run(k.String()+" to "+k.other().String(), func(t *testing.T) {
			c, children := pair(t)
			test(t, c, children[k].join(t, "from", nil), children[k.other()].join(t, "to", nil))
		})
	}
}

func TestContentAndSenderArrive(t *testing.T) {
	bothWays(t, func(t *testing.T, c *clock, from, to *participant) {
		for _, content := range []string{"hi", "\x00\xff\xfe binary", "grüße, 世界, 🌱", strings.Repeat("long ", 200_000)} {
			id, payload := from.send(content)
			got := to.receive(payload)
			want := received{kind: "content", channelID: channelID, messageID: id, senderID: "from", lamport: got.lamport, content: []byte(content)}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(received{}, dependency{})); diff != "" {
				t.Error(diff)
			}
			if n := to.took("ready", id); n != 1 {
				t.Errorf("it was announced %d times", n)
			}
			c.set(c.now + 7)
		}
		if diff := cmp.Diff(from.logged(), to.logged()); diff != "" {
			t.Error(diff)
		}
	})
}

// TestClocksCountMilliseconds: a first message bears the time, a second one of the
// same moment the next number, and who received both goes on from there.
func TestClocksCountMilliseconds(t *testing.T) {
	bothWays(t, func(t *testing.T, c *clock, from, to *participant) {
		c.set(epoch + 1234)
		_, first := from.send("first")
		_, second := from.send("second")
		to.receive(first)
		to.receive(second)
		_, third := to.send("third")
		c.set(epoch - 10_000) // a clock that was set back
		_, fourth := to.send("fourth")
		got := []uint64{decode(t, first).Lamport, decode(t, second).Lamport, decode(t, third).Lamport, decode(t, fourth).Lamport}
		if from.kind() == waku {
			// A channel of it counts from the moment that it was made: the time itself is past.
			got[0]--
			got[1]--
			got[2]--
			got[3]--
		}
		if diff := cmp.Diff([]uint64{epoch + 1234, epoch + 1235, epoch + 1236, epoch + 1237}, got); diff != "" {
			t.Error(diff)
		}
		if unit := to.inspect().Clock.Lamport; unit < epoch {
			t.Errorf("the clock is at %d", unit)
		}
	})
}

// TestSyncMessagesTellAndAskWithoutBeingDelivered.
func TestSyncMessagesTellAndAskWithoutBeingDelivered(t *testing.T) {
	bothWays(t, func(t *testing.T, c *clock, from, to *participant) {
		lost, _ := from.send("lost")
		payload := from.sync()
		got := to.receive(payload)
		if got.kind != "sync" || len(got.missing) != 1 || got.missing[0].ID != lost || got.missing[0].SenderID != "from" {
			t.Errorf("%+v", got)
		}
		announced := 0
		for _, e := range to.take() {
			switch {
			case e.name == "missing" && len(e.deps) == 1 && e.deps[0].ID == lost:
				announced++
			case e.name == "ready":
				t.Errorf("%s was delivered", e.messageID)
			}
		}
		if announced != 1 || len(to.logged()) != 0 {
			t.Errorf("it was announced %d times that %s is missing; the log has %v", announced, lost, to.logged())
		}
		to.receive(payload) // once more: nothing is delivered either
		if n := len(to.logged()); n != 0 {
			t.Errorf("the log has %d messages", n)
		}
	})
}

// TestASyncMessageAcknowledges what it cites.
func TestASyncMessageAcknowledges(t *testing.T) {
	bothWays(t, func(t *testing.T, c *clock, from, to *participant) {
		id, payload := from.send("hi")
		to.receive(payload)
		from.receive(to.sync())
		if n := from.took("acknowledged", id); n != 1 {
			t.Errorf("it was acknowledged %d times", n)
		}
	})
}

// TestEphemeralMessagesLeaveNoTrace. @waku/sds announces none: its host has the
// content from decoding the payload.
func TestEphemeralMessagesLeaveNoTrace(t *testing.T) {
	bothWays(t, func(t *testing.T, c *clock, from, to *participant) {
		from.send("before")
		payload := from.ephemeral("typing")
		if m := decode(t, payload); m.HasLamport || len(m.History) > 0 || len(m.Filter) > 0 {
			t.Errorf("%+v", m)
		}
		got := to.receive(payload)
		if got.kind != "ephemeral" || string(got.content) != "typing" || got.senderID != "from" || got.messageID != idOf([]byte("typing")) {
			t.Errorf("%+v", got)
		}
		if n := to.took("ready", got.messageID); to.kind() == libsds && n != 1 {
			t.Errorf("it was announced %d times", n)
		}
		if s := to.inspect(); len(s.Log)+len(s.Incoming) != 0 {
			t.Errorf("%+v", s)
		}
		if s := from.inspect(); len(s.Outgoing) != 1 {
			t.Errorf("%+v waits for an acknowledgement", s.Outgoing)
		}
	})
}

// TestDuplicatesAreDeliveredOnce, whenever the copies come: while the first waits,
// and after it was delivered. @waku/sds announces one of the latter again; its
// log has it once.
func TestDuplicatesAreDeliveredOnce(t *testing.T) {
	bothWays(t, func(t *testing.T, c *clock, from, to *participant) {
		first, one := from.send("one")
		second, two := from.send("two")
		to.receive(two)
		to.receive(two)
		to.receive(one)
		to.tick()
		delivered := map[string]int{}
		for _, e := range to.take() {
			if e.name == "ready" {
				delivered[e.messageID]++
			}
		}
		if diff := cmp.Diff(map[string]int{first: 1, second: 1}, delivered); diff != "" {
			t.Error(diff)
		}
		again := to.receive(two)
		if to.kind() == libsds && !again.duplicate {
			t.Error("the copy is not known to be one")
		}
		if n := to.took("ready", second); to.kind() == libsds && n != 0 {
			t.Errorf("it was delivered %d times more", n)
		}
		if diff := cmp.Diff([]string{first, second}, to.logged()); diff != "" {
			t.Error(diff)
		}
	})
}

// TestOwnMessagesThatComeBackChangeNothing.
func TestOwnMessagesThatComeBackChangeNothing(t *testing.T) {
	bothWays(t, func(t *testing.T, c *clock, from, _ *participant) {
		id, payload := from.send("hi")
		from.receive(payload)
		from.receive(from.sync())
		if diff := cmp.Diff([]string{id}, from.logged()); diff != "" {
			t.Error(diff)
		}
		if n := len(from.inspect().Outgoing); n != 1 {
			t.Errorf("%d messages wait for an acknowledgement", n)
		}
	})
}
