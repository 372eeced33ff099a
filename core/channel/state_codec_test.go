package channel

import (
	"bytes"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/libsds/libsds/core/snapshot"
)

// reloaded is the peer as the bytes of its snapshot describe it.
func (p *peer) reloaded() *peer {
	p.t.Helper()
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
