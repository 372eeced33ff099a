//go:build interop

package interop

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/libsds/libsds/core/wire"
)

// TestAMixedHost is in two networks at once: with waku in a lip-109 channel, with
// others in an sds-0.4 one, through one context, before and after a restart.
func TestAMixedHost(t *testing.T) {
	c, children := pair(t)
	mixed := children[libsds].join(t, "mixed", map[string]any{
		"wireFormat": "sds-0.4", "channelWireFormats": map[string]string{channelID: "lip-109"}, "storePath": filepath.Join(folder(t), "mixed"),
	})
	peers := map[string]*participant{
		channelID: children[waku].join(t, "of waku", nil),
		"cellar":  children[libsds].join(t, "of libsds", map[string]any{"wireFormat": "sds-0.4"}),
	}
	formats := map[string]wire.Format{channelID: wire.LIP109, "cellar": wire.SDS04}
	ids := map[string][]string{}
	for round := range 3 {
		for _, channel := range []string{channelID, "cellar"} {
			c.set(c.now + 2000)
			peer := peers[channel]
			one, payload := mixed.sendIn(channel, "from the mixed host, in "+channel+string(rune('0'+round)))
			if got := decode(t, payload).Format; got != formats[channel] {
				t.Errorf("in %s it writes %v", channel, got)
			}
			peer.receive(payload)
			two, payload := peer.sendIn(channel, "to the mixed host, in "+channel+string(rune('0'+round)))
			if got := mixed.receive(payload); len(got.missing) > 0 {
				t.Errorf("%v is missing", got.missing)
			}
			if n := mixed.took("acknowledged", one); n != 1 {
				t.Errorf("in %s it was acknowledged %d times", channel, n)
			}
			ids[channel] = append(ids[channel], one, two)
		}
		mixed.restart()
	}
	for channel, want := range ids {
		for _, p := range []*participant{mixed, peers[channel]} {
			state := p.inspectIn(channel)
			var got []string
			for _, m := range state.Log {
				got = append(got, m.MessageID)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s in %s: %s", p.name, channel, diff)
			}
		}
		if got := mixed.inspectIn(channel).WireFormat; got != formats[channel].String() {
			t.Errorf("in %s it says that it writes %s", channel, got)
		}
	}
}

// TestAChannelThatWakuMakesIsAnsweredInItsDialect, by a host that was told nothing,
// also after a restart.
func TestAChannelThatWakuMakesIsAnsweredInItsDialect(t *testing.T) {
	c, children := pair(t)
	newcomer := children[libsds].join(t, "newcomer", map[string]any{"wireFormat": "sds-0.4", "storePath": filepath.Join(folder(t), "newcomer")})
	peer := children[waku].join(t, "peer", nil)
	id, payload := peer.send("hi")
	newcomer.receive(payload)
	for round := range 2 {
		c.set(c.now + 2000)
		answer, payload := newcomer.send("answer " + string(rune('0'+round)))
		if got := peer.receive(payload); got.messageID != answer || got.lamport < epoch {
			t.Errorf("%+v", got)
		}
		if n := peer.took("acknowledged", id); n != 1 {
			t.Errorf("%d: it was acknowledged %d times", round, n)
		}
		id, payload = peer.send("and again " + string(rune('0'+round)))
		newcomer.receive(payload)
		newcomer.restart()
	}
	if got := newcomer.inspect().WireFormat; got != wire.LIP109.String() {
		t.Errorf("in the end it writes %s", got)
	}
}
