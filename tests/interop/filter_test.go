//go:build interop

package interop

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/libsds/libsds/core/wire"
)

// withoutHistory has a kind cite nothing, or one message of somebody else, so that
// filters alone acknowledge. (For waku, a history of 0 messages is all of them.)
func withoutHistory(k kind) map[string]any {
	if k == libsds {
		return map[string]any{"maxCausalHistory": 0}
	}
	return map[string]any{"causalHistorySize": 1, "enableRepair": false, "arrayHistory": true}
}

// TestFiltersAcknowledge: what one kind received is acknowledged by its filter alone
// to the other, when that filter covers 100, 5,000 and 12,000 ids, and what it did
// not receive is not. The filters of both kinds over the same ids are the same bytes.
func TestFiltersAcknowledge(t *testing.T) {
	for _, n := range []int{0, 100, 5_000, 12_000} {
		t.Run(fmt.Sprint(n, " ids"), func(t *testing.T) {
			c, children := pair(t)
			var readers [2][]*participant
			for _, k := range []kind{libsds, waku} {
				for i := range 2 {
					readers[k] = append(readers[k], children[k].join(t, fmt.Sprint("reader ", i, " of ", k), withoutHistory(k)))
				}
			}
			// Senders have messages that everybody received, and one that nobody did.
			const own = 20
			senders := [2]*participant{children[libsds].join(t, "sender of libsds", withoutHistory(libsds)), children[waku].join(t, "sender of waku", withoutHistory(waku))}
			received := map[string]bool{}
			take := func(payload []byte) {
				for _, k := range []kind{libsds, waku} {
					for _, p := range readers[k] {
						p.do("receive", toHex(payload), "-")
						p.take()
					}
				}
			}
			for i := range n {
				if i < own {
					id, payload := senders[i%2].send(fmt.Sprint("own ", i))
					received[id] = true
					take(payload)
					continue
				}
				content := fmt.Sprint("filler ", i)
				take(encode(&wire.Message{
					ID: idOf([]byte(content)), ChannelID: channelID, SenderID: "author", Content: []byte(content), Lamport: epoch + uint64(i), HasLamport: true,
				}))
			}
			var lost [2]string
			for k, sender := range senders {
				lost[k], _ = sender.send("lost " + sender.name)
			}
			c.set(c.now + 1000)
			var filters [2][][]byte
			for _, k := range []kind{libsds, waku} {
				for i, reader := range readers[k] {
					_, payload := reader.send(fmt.Sprint("tells of ", n, " by ", i, " of ", k))
					filter := decode(t, payload).Filter
					filters[k] = append(filters[k], filter)
					for _, sender := range senders {
						sender.receive(payload)
					}
				}
			}
			for i := range filters[libsds] {
				if len(filters[libsds][i]) != 18_752 || !bytes.Equal(filters[libsds][i], filters[waku][i]) {
					t.Errorf("the filters of %d and %d bytes differ", len(filters[libsds][i]), len(filters[waku][i]))
				}
			}
			for k, sender := range senders {
				acknowledged := map[string]bool{}
				for _, e := range sender.take() {
					if e.name == "acknowledged" {
						acknowledged[e.messageID] = true
					}
				}
				want := min(n, own) / 2
				for id := range acknowledged {
					if !received[id] {
						t.Errorf("%v takes %s for acknowledged, which nobody received", sender.kind(), id)
					}
				}
				if len(acknowledged) != want || acknowledged[lost[k]] {
					t.Errorf("%v: %d of %d messages are acknowledged", sender.kind(), len(acknowledged), want)
				}
				if left := len(sender.inspect().Outgoing); left != 1 {
					t.Errorf("%v: %d messages wait for an acknowledgement, not the one that was lost", sender.kind(), left)
				}
			}
		})
	}
}

// TestFiltersDifferInIDsOutsideASCII, and in nothing else: the message passes, and
// its causal history acknowledges. @waku/sds hashes one UTF-16 unit of each
// character, libsds the bytes of UTF-8. The ids that @waku/sds makes are hexadecimal.
func TestFiltersDifferInIDsOutsideASCII(t *testing.T) {
	_, children := pair(t)
	from := children[libsds].join(t, "from", nil)
	to := children[waku].join(t, "to", nil)
	const id = "grüße"
	payload := fromHex(from.do("send", toHex(channelID), toHex(id), toHex("content"))[0])
	if got := to.receive(payload); got.messageID != id {
		t.Errorf("%+v", got)
	}
	_, answer := to.send("answer")
	m := decode(t, answer)
	if len(m.History) != 1 || m.History[0].ID != id {
		t.Fatalf("it cites %v", m.History)
	}
	_, ours := from.sendIn("another", "x")
	if bytes.Equal(m.Filter, decode(t, ours).Filter) {
		t.Error("the filter is empty")
	}
	reader := children[libsds].join(t, "reader", nil)
	reader.receive(payload)
	_, theirs := reader.send("answer")
	if bytes.Equal(m.Filter, decode(t, theirs).Filter) {
		t.Error("the filters agree on an id outside ASCII: docs/interop.md says that they do not")
	}
	from.receive(answer)
	if n := from.took("acknowledged", id); n != 1 {
		t.Errorf("it was acknowledged %d times", n)
	}
}
