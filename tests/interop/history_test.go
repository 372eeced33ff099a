//go:build interop

package interop

import (
	"fmt"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// cites is what waku cites by default, and libsds is told to.
const cites = 200

func citingAll(k kind) map[string]any {
	if k == libsds {
		return map[string]any{"maxCausalHistory": cites}
	}
	return nil
}

// TestCausalHistoryHasHintsAndSenders of as many messages as there are to cite, up
// to the 200 that waku cites, in the order of the log, and the reader sees all that
// the writer wrote.
func TestCausalHistoryHasHintsAndSenders(t *testing.T) {
	for _, k := range []kind{libsds, waku} {
		for _, n := range []int{1, 30, cites, 250} {
			t.Run(fmt.Sprintf("%v cites %d", k, n), func(t *testing.T) {
				c, children := pair(t)
				writer := children[k].join(t, "writer", citingAll(k))
				reader := children[k.other()].join(t, "reader", nil)
				other := children[k.other()].join(t, "other", citingAll(k.other()))
				var all []dependency
				for i := range n - 1 {
					c.set(c.now + int64(i%2)) // of two messages, one has the time of the other
					from, to := writer, other
					if i%3 == 0 {
						from, to = other, writer
					}
					id, payload := from.send(fmt.Sprint("message ", i))
					to.receive(payload)
					all = append(all, dependency{ID: id, SenderID: from.name, Hint: hintOf(payload)})
				}
				withoutHint := dependency{ID: idOf([]byte("without a hint")), SenderID: "other"}
				_, payload := other.send("without a hint")
				writer.do("receive", toHex(payload), "-")
				all = append(all, withoutHint)
				if len(all) > cites {
					all = all[len(all)-cites:]
				}

				_, citing := writer.send("cites them")
				got := reader.receive(citing)
				if diff := cmp.Diff(all, got.missing); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

// TestMissingDependenciesAreResolved by what comes late, in any order, and by what
// the host fetches where a hint says that it is.
func TestMissingDependenciesAreResolved(t *testing.T) {
	bothWays(t, func(t *testing.T, c *clock, from, to *participant) {
		archive := map[string][]byte{}
		var ids []string
		var last []byte
		for i := range 12 {
			id, payload := from.send(fmt.Sprint("message ", i))
			ids = append(ids, id)
			archive[string(hintOf(payload))] = payload
			last = payload
		}
		got := to.receive(last)
		missing := map[string]dependency{}
		for _, e := range to.take() {
			for _, d := range e.deps {
				missing[d.ID] = d
			}
		}
		if len(missing) == 0 || len(missing) != len(got.missing) {
			t.Fatalf("%d are announced as missing, %d are", len(missing), len(got.missing))
		}
		for len(missing) > 0 {
			fetched := missing
			missing = map[string]dependency{}
			for _, d := range fetched {
				payload, there := archive[string(d.Hint)]
				if !there {
					t.Fatalf("%s has the hint %x, where nothing is", d.ID, d.Hint)
				}
				to.receive(payload)
			}
			to.tick()
			for _, e := range to.take() {
				if e.name == "missing" {
					for _, d := range e.deps {
						missing[d.ID] = d
					}
				}
			}
			maps.DeleteFunc(missing, func(id string, _ dependency) bool { _, was := fetched[id]; return was })
		}
		to.tick()
		if diff := cmp.Diff(ids, to.logged()); diff != "" {
			t.Error(diff)
		}
		if n := len(to.inspect().Incoming); n != 0 {
			t.Errorf("%d messages still wait", n)
		}
	})
}

// TestEqualMessagesHaveEqualPlaces: messages of one moment lie in the order of their
// ids, whoever sent them and in whatever order they come.
func TestEqualMessagesHaveEqualPlaces(t *testing.T) {
	c, children := pair(t)
	var all []*participant
	for i := range 4 {
		all = append(all, children[kind(i%2)].join(t, fmt.Sprint("p", i), map[string]any{}))
	}
	for round := range 10 {
		c.set(epoch + int64(round)*1000)
		payloads := map[*participant][]byte{}
		for _, p := range all {
			_, payloads[p] = p.send(fmt.Sprint("round ", round, " of ", p.name))
		}
		for i, to := range all {
			for j := range all {
				from := all[(i*round+j)%len(all)]
				if from != to {
					to.receive(payloads[from])
				}
			}
		}
	}
	for _, p := range all {
		p.tick()
		if diff := cmp.Diff(all[0].logged(), p.logged()); diff != "" {
			t.Errorf("%v %s: %s", p.kind(), p.name, diff)
		}
	}
	if n := len(all[0].logged()); n != 40 {
		t.Errorf("the log has %d messages", n)
	}
}
