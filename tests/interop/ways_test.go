//go:build interop

package interop

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/libsds/libsds/core/wire"
)

// The tests of this file hold what docs/interop.md says of @waku/sds: a version
// that does otherwise makes the page wrong.

// said is a message of somebody, without a filter.
func said(id string, lamport uint64, cited ...string) []byte {
	m := &wire.Message{ID: id, ChannelID: channelID, SenderID: "somebody", Lamport: lamport, HasLamport: true, Content: []byte("content of " + id)}
	for _, c := range cited {
		m.History = append(m.History, wire.Entry{ID: c, SenderID: "somebody"})
	}
	return encode(m)
}

func announced(p *participant) (ready []string) {
	for _, e := range p.take() {
		if e.name == "ready" {
			ready = append(ready, e.messageID)
		}
	}
	return ready
}

func TestWakuOrdersIDsByTheLocale(t *testing.T) {
	_, children := pair(t)
	for k, want := range map[kind][]string{libsds: {"B", "C", "a"}, waku: {"a", "B", "C"}} {
		p := children[k].join(t, "p", nil)
		for _, id := range []string{"a", "B", "C"} {
			p.receive(said(id, epoch))
		}
		if diff := cmp.Diff(want, p.logged()); diff != "" {
			t.Errorf("%v: %s", k, diff)
		}
	}
}

func TestWakuAsksOnceAndLibsdsAgain(t *testing.T) {
	c, children := pair(t)
	for k, want := range map[kind]int{libsds: 2, waku: 1} {
		p := children[k].join(t, "p", repairing(k, 1))
		p.receive(said("m2", epoch, "m1"))
		asked := 0
		for i := range 2 {
			c.set(c.now + 10_000)
			_, payload := p.send(fmt.Sprint(k, " asks ", i))
			asked += len(decode(t, payload).RepairRequests)
		}
		if asked != want {
			t.Errorf("%v asks %d times", k, asked)
		}
	}
}

func TestWakuDeliversBeforeWhatWaits(t *testing.T) {
	_, children := pair(t)
	for k, want := range map[kind][]string{libsds: {"m1", "m2", "m3"}, waku: {"m3", "m1", "m2"}} {
		p := children[k].join(t, "p", nil)
		p.receive(said("m2", epoch+2, "m1"))
		p.receive(said("m3", epoch+3, "m2"))
		p.receive(said("m1", epoch+1))
		p.tick()
		if diff := cmp.Diff(want, announced(p)); diff != "" {
			t.Errorf("%v: %s", k, diff)
		}
		if diff := cmp.Diff([]string{"m1", "m2", "m3"}, p.logged()); diff != "" {
			t.Errorf("%v: %s", k, diff)
		}
	}
}

func TestWakuAnnouncesACopyAgain(t *testing.T) {
	_, children := pair(t)
	for k, want := range map[kind][]string{libsds: {"m1"}, waku: {"m1", "m1"}} {
		p := children[k].join(t, "p", nil)
		p.receive(said("m1", epoch))
		p.receive(said("m1", epoch))
		if diff := cmp.Diff(want, announced(p)); diff != "" {
			t.Errorf("%v: %s", k, diff)
		}
	}
}

func TestWakuAnnouncesNoEphemeralMessage(t *testing.T) {
	_, children := pair(t)
	for k, want := range map[kind][]string{libsds: {"m1"}, waku: nil} {
		p := children[k].join(t, "p", nil)
		p.receive(encode(&wire.Message{ID: "m1", ChannelID: channelID, SenderID: "somebody", Content: []byte("typing")}))
		if diff := cmp.Diff(want, announced(p)); diff != "" {
			t.Errorf("%v: %s", k, diff)
		}
	}
}

func TestWakuResendsTheSameBytes(t *testing.T) {
	c, children := pair(t)
	p := children[waku].join(t, "p", nil)
	id, payload := p.send("hi")
	p.send("more")
	c.set(c.now + 60_000)
	p.take()
	p.resend()
	sent := p.take()
	if i := slices.IndexFunc(sent, func(e event) bool { return e.messageID == id }); i < 0 || string(sent[i].bytes) != string(payload) {
		t.Errorf("%d messages, among them not %s with the same bytes", len(sent), id)
	}
}

func TestWakuTakesAnyTwoFilters(t *testing.T) {
	_, children := pair(t)
	full := make([]byte, 18_752)
	for i := range full {
		full[i] = 0xff
	}
	for k, want := range map[kind]int{libsds: 0, waku: 1} {
		p := children[k].join(t, "p", nil)
		id, _ := p.send("hi")
		for i := range 2 {
			m := &wire.Message{ID: fmt.Sprint("m", i), ChannelID: channelID, SenderID: "somebody", Lamport: epoch, HasLamport: true, Content: []byte("x")}
			p.receive(wire.Append(nil, wire.LIP109, m, wire.RawFilter(full)))
		}
		if n := p.took("acknowledged", id); n != want {
			t.Errorf("%v: it is acknowledged %d times", k, n)
		}
	}
}

func TestWakuIsSilentWithNothingToSay(t *testing.T) {
	_, children := pair(t)
	if payload := children[waku].join(t, "p", nil).sync(); payload != nil {
		t.Errorf("it says %x", payload)
	}
}

// TestAHistoryOfNoneIsAllOfIt, of which libsds takes 4096 entries.
func TestAHistoryOfNoneIsAllOfIt(t *testing.T) {
	_, children := pair(t)
	p := children[waku].join(t, "p", map[string]any{"causalHistorySize": 0, "arrayHistory": true})
	reader := children[libsds].join(t, "reader", nil)
	for i := range 4097 {
		p.receive(said(fmt.Sprint("m", i), epoch+uint64(i)))
		if i == 999 {
			_, payload := p.send("cites 1000")
			if n := len(reader.receive(payload).missing); n != 1000 {
				t.Errorf("%d messages are cited", n)
			}
		}
	}
	_, payload := p.send("cites more")
	if _, err := reader.try("receive", toHex(payload), "-"); err == nil {
		t.Error("it is read")
	}
}

// TestRebuiltFiltersDiffer past 12,000 ids, which those of libsds are rebuilt at.
func TestRebuiltFiltersDiffer(t *testing.T) {
	_, children := pair(t)
	var filters [2]string
	for k := range filters {
		p := children[k].join(t, "p", withoutHistory(kind(k)))
		for i := range 12_001 {
			p.do("receive", toHex(said(idOf(fmt.Append(nil, i)), epoch+uint64(i))), "-")
			p.take()
		}
		_, payload := p.send("hi")
		filters[k] = string(decode(t, payload).Filter)
	}
	if len(filters[libsds]) != len(filters[waku]) || filters[libsds] == filters[waku] {
		t.Error("the filters are the same")
	}
}
