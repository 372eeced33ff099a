package channel

import (
	"bytes"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/libsds/libsds/core/snapshot"
)

// reloaded is the peer as the bytes of its snapshot describe it, saved to the end.
func (p *peer) reloaded() *peer {
	p.t.Helper()
	p.HistorySaved()
	data := &snapshot.ChannelData{Meta: p.Meta()}
	if written := snapshot.AppendMeta(nil, data.Meta); !bytes.Equal(written, p.AppendMeta(nil)) {
		p.t.Fatalf("the snapshot is not what is written of its own meaning:\n%x\n%x", p.AppendMeta(nil), written)
	}
	p.log.all(func(e *entry) {
		data.History = append(data.History, e.stored.Bytes())
		if e.hint != nil {
			data.Hints = append(data.Hints, snapshot.RetrievalHint{MessageID: e.id, Hint: e.hint})
		}
	})
	kept, err := snapshot.DecodeData(snapshot.AppendData(nil, data))
	if err != nil {
		p.t.Fatalf("decode: %v", err)
	}
	restored, irregular, err := Restore(p.id, p.cfg, kept)
	if err != nil || irregular != (Irregularities{}) {
		p.t.Fatalf("restore: %v, %+v", err, irregular)
	}
	return &peer{Channel: restored, t: p.t, now: p.now}
}

func TestFullChannelSurvivesTheBytesOfItsSnapshot(t *testing.T) {
	p := busy(t)
	reloaded := p.reloaded()
	expect(t, "meta", reloaded.Meta(), p.Meta())
	expect(t, "log", reloaded.logIDs(), p.logIDs())
	expect(t, "hint", reloaded.log.get("m2").hint, []byte("where"))
}

func TestSnapshotGrowsWithWhatIsInFlightAndNeverWithTheLog(t *testing.T) {
	p := newPeer(t, "alice")
	size := func() int { return len(p.AppendMeta(nil)) }
	p.take(message("b", 1000, from("bob")))
	atFirst := size()
	for i := range 999 {
		p.take(message(fmt.Sprint("b", i), 1001, from("bob")))
	}
	expect(t, "log", p.log.len(), 1000)
	expect(t, "with a full log", size(), atFirst)
	p.send("m1")
	one := size() - atFirst
	p.send("m2")
	if two := size() - atFirst - one; one < 10 || two < one {
		t.Errorf("a message in flight takes %d bytes, and another one %d", one, two)
	}
	p.take(message("c", 2000, from("carol"), cites("m1", "m2")))
	expect(t, "once they are acknowledged", size(), atFirst)
}

// A peer can let many messages wait for thousands of others each. A save goes
// over their bytes, but makes none of them anew.
func TestSnapshotOfWaitingMessagesIsMadeWhenTheyChange(t *testing.T) {
	p := newPeer(t, "alice")
	p.take(message("b1", 1000, from("bob"), cites("x", "y")))
	p.take(message("b2", 1000, from("bob"), cites("y")))
	p.AppendMeta(nil)
	first, second := p.incoming.get("b1").saved, p.incoming.get("b2").saved
	p.send("m")
	p.AppendMeta(nil)
	if &first[0] != &p.incoming.get("b1").saved[0] || &second[0] != &p.incoming.get("b2").saved[0] {
		t.Error("what had not changed was made again")
	}
	p.take(message("x", 900))
	p.AppendMeta(nil)
	if &first[0] == &p.incoming.get("b1").saved[0] || &second[0] != &p.incoming.get("b2").saved[0] {
		t.Error("what had changed was not made again, or what had not was")
	}
}

func TestEveryStateSurvivesTheBytesOfItsSnapshot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newPeer(t, drawParticipant(t), tight)
		for range rapid.IntRange(0, 25).Draw(t, "inputs") {
			p.now += drawPause(t)
			p.step(drawInput(t))
			p.LearnHint(drawName(t, "learn of"), rapid.SampledFrom([][]byte{nil, nil, []byte("here"), {0}}).Draw(t, "learnt hint"))
			sameState(t, p, p.reloaded())
		}
	})
}

// A reload in the middle of things is not noticed afterwards.
func TestReloadedChannelGoesOnLikeTheOriginal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		original := newPeer(t, drawParticipant(t), tight)
		for range rapid.IntRange(0, 15).Draw(t, "inputs before") {
			original.now += drawPause(t)
			original.step(drawInput(t))
		}
		reloaded := original.reloaded()
		original.restored = true // see TestRestoredChannelGoesOnLikeTheOriginal
		for range rapid.IntRange(1, 15).Draw(t, "inputs after") {
			input, pause := drawInput(t), drawPause(t)
			for _, p := range []*peer{original, reloaded} {
				p.now += pause
				p.step(input)
			}
			sameEffects(t, &original.effects, &reloaded.effects, true)
			sameState(t, original, reloaded)
		}
	})
}

// A snapshot from the channel to its bytes, as every operation on a channel
// with that many unacknowledged messages has to make it.
func BenchmarkSnapshot(b *testing.B) {
	for _, size := range []int{100, 1024} {
		for _, count := range []int{0, 10, 100} {
			b.Run(fmt.Sprintf("%dx%dB", count, size), func(b *testing.B) {
				p := newPeer(b, "alice")
				content := bytes.Repeat([]byte{0xab}, size)
				for i := range count {
					p.step(Input{Op: OpSend, MessageID: fmt.Sprintf("%064x", i), Content: content})
				}
				var blob []byte
				b.ReportAllocs()
				for b.Loop() {
					blob = p.AppendMeta(blob[:0])
				}
				b.ReportMetric(float64(len(blob)), "B/snapshot")
			})
		}
	}
}
