package channel

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/libsds/libsds/core/limits"
	"github.com/libsds/libsds/core/snapshot"
	"github.com/libsds/libsds/core/wire"
)

// tight makes every bound one that a short run of inputs meets.
func tight(c *Config) {
	c.FilterCapacity = 10
	c.MaxHistory = 5
	c.MaxCausalHistory = 3
	c.MaxResendAttempts = 2
	c.Limits.MaxIncomingMessages = 4
	c.Limits.MaxOutgoingMessages = 4
	c.Limits.MaxRepairEntries = 3
}

// names is so few ids that messages meet, repeat and cite each other in
// circles.
var names = []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"}

var filters = [][]byte{
	nil,
	filterOf(nearlyEmpty, "a"),
	filterOf(quarterFull, "a", "b", "c"),
	filterOf(halfFull, "a", "b", "c", "d", "e"),
	filterOf(halfFull, "f", "g", "h", "i", "j"),
	filterOf(nearlyFull, "a", "b"),
	rawFilter(make([]byte, 8), 0, 0),
	rawFilter(make([]byte, 8), 1<<40, 64),
	[]byte("junk"),
}

func drawName(t *rapid.T, label string) string { return rapid.SampledFrom(names).Draw(t, label) }

func drawEntries(t *rapid.T, label string) []wire.Entry {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) wire.Entry {
		return wire.Entry{
			ID:       drawName(t, "id"),
			SenderID: rapid.SampledFrom([]string{"", "alice", "bob", "carol"}).Draw(t, "sender"),
			Hint:     rapid.SampledFrom([][]byte{nil, []byte("where")}).Draw(t, "hint"),
		}
	}), 0, 4).Draw(t, label)
}

func drawMessage(t *rapid.T) *wire.Message {
	m := message(drawName(t, "id"), 0, from(rapid.SampledFrom([]string{"", "alice", "bob", "carol"}).Draw(t, "sender")))
	m.Lamport = rapid.SampledFrom([]uint64{0, 999, 1000, 1001, 1002, 5000, 1 << 40, limits.MaxLamport}).Draw(t, "lamport")
	m.History = drawEntries(t, "history")
	m.RepairRequests = drawEntries(t, "requests")
	m.Filter = rapid.SampledFrom(filters).Draw(t, "filter")
	switch rapid.IntRange(0, 9).Draw(t, "kind") {
	case 0:
		empty(m)
	case 1:
		timeless(m)
	}
	return m
}

// drawInput makes anything happen.
func drawInput(t *rapid.T) Input {
	op := rapid.SampledFrom([]Op{
		OpReceive, OpReceive, OpReceive, OpReceive, OpSend, OpSend, OpSendSync, OpSendEphemeral,
		OpMarkMet, OpSweepBuffers, OpSweepRepairs,
	}).Draw(t, "op")
	input := Input{Op: op}
	switch op {
	case OpSend, OpSendEphemeral:
		input.MessageID = drawName(t, "own id")
		input.Content = rapid.SampledFrom([][]byte{[]byte("x"), []byte("hello"), nil}).Draw(t, "content")
	case OpReceive:
		input.Received = drawMessage(t)
	case OpMarkMet:
		input.MetIDs = rapid.SliceOfN(rapid.SampledFrom(names), 0, 3).Draw(t, "met")
	}
	return input
}

// drawPause is mostly time that passes, and sometimes a clock that is set
// back.
func drawPause(t *rapid.T) int64 {
	return rapid.SampledFrom([]int64{0, 0, 1, second, 31 * second, 61 * second, 601 * second, -3600 * second}).Draw(t, "pause")
}

func drawParticipant(t *rapid.T) string {
	return rapid.SampledFrom([]string{"alice", ""}).Draw(t, "participant")
}

// sameEffects fails the test unless two steps had the same effects. Without
// filters means that the filters of what they send may differ.
func sameEffects(t *rapid.T, a, b *Effects, withoutFilters bool) {
	t.Helper()
	comparable := func(e *Effects) Effects {
		c := *e
		c.Events = slices.Clone(e.Events)
		if withoutFilters {
			c.Encoded = unfiltered(t, e.Encoded)
			for i := range c.Events {
				c.Events[i].Message = unfiltered(t, c.Events[i].Message)
			}
		}
		return c
	}
	got, want := comparable(b), comparable(a)
	if got.Err != nil && want.Err != nil && got.Err.Error() == want.Err.Error() {
		got.Err, want.Err = nil, nil
	}
	same(t, "effects", got, want)
}

// same fails the test unless got is want, an empty list being as good as none.
func same(t *rapid.T, what string, got, want any) {
	t.Helper()
	if reflect.DeepEqual(got, want) { // much faster, and nearly always enough
		return
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.EquateErrors()); diff != "" {
		t.Fatalf("%s differ (-want +got):\n%s", what, diff)
	}
}

func unfiltered(t *rapid.T, payload []byte) []byte {
	if len(payload) == 0 {
		return nil
	}
	return wire.Append(nil, wire.SDS04, decode(t, payload), nil)
}

func sameState(t *rapid.T, a, b *peer) {
	t.Helper()
	same(t, "metas", b.Meta(), a.Meta())
	same(t, "logs", b.logged(), a.logged())
}

func TestAnyArrivalOrderEndsInTheSameLog(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.IntRange(1, 25).Draw(t, "messages")
		messages := make([]*wire.Message, count)
		for i := range messages {
			m := message(fmt.Sprint("m", i), rapid.Uint64Range(1000, 1010).Draw(t, "lamport"))
			if i > 0 {
				for _, cited := range rapid.SliceOfN(rapid.IntRange(0, i-1), 0, 3).Draw(t, "cites") {
					m.History = append(m.History, wire.Entry{ID: messages[cited].ID})
				}
			}
			messages[i] = m
		}
		inOrder := newPeer(t, drawParticipant(t))
		for _, m := range messages {
			inOrder.take(m)
		}

		arrivals := append(slices.Clone(messages), rapid.SliceOfN(rapid.SampledFrom(messages), 0, 10).Draw(t, "duplicates")...)
		arrivals = rapid.Permutation(arrivals).Draw(t, "arrivals")
		shuffled := newPeer(t, drawParticipant(t))
		delivered := map[string]bool{}
		for _, m := range arrivals {
			shuffled.take(m)
			for _, event := range shuffled.effects.Events {
				if event.Type != MessageReady {
					continue
				}
				if delivered[event.MessageID] {
					t.Fatalf("%s was delivered twice", event.MessageID)
				}
				delivered[event.MessageID] = true
				for _, dependency := range decode(t, shuffled.log.get(event.MessageID).stored.Bytes()).History {
					if !delivered[dependency.ID] {
						t.Fatalf("%s was delivered before %s, which it cites", event.MessageID, dependency.ID)
					}
				}
			}
		}
		if len(delivered) != count {
			t.Fatalf("%d of %d messages were delivered", len(delivered), count)
		}
		same(t, "logs", shuffled.logIDs(), inOrder.logIDs())
		if n := shuffled.incoming.len() + shuffled.asking.len(); n != 0 {
			t.Fatalf("%d things are still waited for", n)
		}
	})
}

func TestSameInputsAtTheSameTimesHaveTheSameEffects(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		participant := drawParticipant(t)
		first, second := newPeer(t, participant, tight), newPeer(t, participant, tight)
		for range rapid.IntRange(1, 40).Draw(t, "inputs") {
			input := drawInput(t)
			pause := drawPause(t)
			for _, p := range []*peer{first, second} {
				p.now += pause
				p.step(input)
			}
			sameEffects(t, &first.effects, &second.effects, false)
			sameState(t, first, second)
			same(t, "pending histories", second.PendingHistory(), first.PendingHistory())
		}
	})
}

// What a restart changes is what is not kept: the bloom filter, which is
// rebuilt without what the log has forgotten; the pending history queue; and
// the weight of the incoming buffer, which no longer counts the dependencies
// that were met. And the newest message of the log moves the clock once more, as
// if it came again (catchUp): here the original gets that, too.
func TestRestoredChannelGoesOnLikeTheOriginal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		original := newPeer(t, drawParticipant(t), tight)
		for range rapid.IntRange(0, 25).Draw(t, "inputs before") {
			original.now += drawPause(t)
			original.step(drawInput(t))
		}
		restored := original.restarted()
		sameState(t, original, restored)
		original.restored = true
		for range rapid.IntRange(1, 25).Draw(t, "inputs after") {
			input := drawInput(t)
			pause := drawPause(t)
			for _, p := range []*peer{original, restored} {
				p.now += pause
				p.step(input)
			}
			sameEffects(t, &original.effects, &restored.effects, true)
			sameState(t, original, restored)
		}
	})
}

// Invariants are checked after every step: see peer.checkInvariants.
func TestHostileInputsKeepEveryBufferWithinItsLimits(t *testing.T) {
	wildBytes := rapid.OneOf(
		rapid.SliceOfN(rapid.Byte(), 0, 200),
		rapid.SampledFrom(filters),
	)
	wildID := rapid.OneOf(rapid.SampledFrom(names), rapid.StringN(1, 20, 1024))
	wildEntries := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) wire.Entry {
		return wire.Entry{ID: wildID.Draw(t, "id"), SenderID: wildID.Draw(t, "sender"), Hint: wildBytes.Draw(t, "hint")}
	}), 0, 30)
	rapid.Check(t, func(t *rapid.T) {
		p := newPeer(t, drawParticipant(t), tight, func(c *Config) {
			c.Format = rapid.SampledFrom([]wire.Format{wire.SDS02, wire.SDS03, wire.SDS04, wire.LIP109}).Draw(t, "format")
			c.Limits.MaxIncomingBytes = 5000
			c.ResponseGroups = rapid.IntRange(0, 3).Draw(t, "groups")
		})
		for range rapid.IntRange(1, 40).Draw(t, "inputs") {
			p.now = rapid.OneOf(
				rapid.Int64Range(start, start+3600*second),
				rapid.SampledFrom([]int64{math.MinInt64, -1, 0, 1, math.MaxInt64}),
			).Draw(t, "now")
			switch rapid.IntRange(0, 4).Draw(t, "kind") {
			case 0:
				p.step(drawInput(t))
			case 1: // random bytes that happen to be a message
				lim := limits.Default()
				var m wire.Message
				if wire.Decode(wildBytes.Draw(t, "payload"), &lim, &m) == nil {
					p.take(&m)
				}
			default:
				p.take(&wire.Message{
					Format: rapid.SampledFrom([]wire.Format{wire.SDS02, wire.SDS04, wire.LIP109}).Draw(t, "from format"),
					ID:     wildID.Draw(t, "id"), ChannelID: "room", SenderID: wildID.Draw(t, "sender"),
					Lamport: rapid.Uint64().Draw(t, "lamport"), HasLamport: true,
					History: wildEntries.Draw(t, "history"), RepairRequests: wildEntries.Draw(t, "requests"),
					Content: wildBytes.Draw(t, "content"), Filter: wildBytes.Draw(t, "filter"),
				})
			}
			p.Meta()
		}
	})
}

// A backend that fails now and then, or says so although it has saved, ends
// with the log.
func TestPendingHistoryBatchesEndEqualToTheLog(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newPeer(t, drawParticipant(t), tight)
		kept := map[string]string{}
		save := func(applied, confirmed bool) {
			update := p.PendingHistory()
			if n := len(update.Append) + len(update.Evict); n != p.PendingLen() {
				t.Fatalf("%d changes are pending and %d in the batch", p.PendingLen(), n)
			}
			if applied {
				apply(kept, update)
			}
			if confirmed {
				p.HistorySaved()
			}
		}
		for range rapid.IntRange(1, 60).Draw(t, "inputs") {
			p.now += drawPause(t)
			p.step(drawInput(t))
			applied := rapid.Bool().Draw(t, "applied")
			save(applied, applied && rapid.Bool().Draw(t, "confirmed"))
		}
		save(true, true)
		want := map[string]string{}
		p.log.all(func(e *entry) { want[e.id] = string(e.stored.Bytes()) })
		same(t, "backend and log", kept, want)
	})
}

func apply(kept map[string]string, update snapshot.HistoryUpdate) {
	for _, record := range update.Append {
		kept[record.MessageID] = string(record.Message)
	}
	for _, id := range update.Evict {
		delete(kept, id)
	}
}
