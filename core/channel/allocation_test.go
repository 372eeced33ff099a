package channel

import (
	"fmt"
	"testing"

	"github.com/libsds/libsds/core/wire"
)

// fullPeer has a full log, a filter of the default size and some messages that
// nobody acknowledges.
func fullPeer(t *testing.T) *peer {
	p := newPeer(t, "alice", func(c *Config) { c.FilterCapacity, c.Durable = 10_000, false })
	for i := range 100 {
		p.send(fmt.Sprint("unacknowledged ", i))
	}
	for i := range p.cfg.MaxHistory {
		p.take(message(fmt.Sprint("b", i), uint64(2000+i), from("bob")))
	}
	return p
}

// allocations counts those of f with an ever larger number.
func allocations(f func(i int)) float64 {
	i := 0
	return testing.AllocsPerRun(1000, func() {
		f(i)
		i++
	})
}

func TestSendIntoAReusedBufferAllocatesTwice(t *testing.T) {
	p := fullPeer(t)
	ids := make([]string, 1001)
	for i := range ids {
		ids[i] = fmt.Sprint("m", i)
	}
	content, buffer := make([]byte, 1024), make([]byte, 0, 64<<10)
	got := allocations(func(i int) {
		p.Step(p.now, Input{Op: OpSend, MessageID: ids[i], Content: content, Encoded: buffer}, &p.effects)
	})
	if got > 2 {
		t.Errorf("a send makes %v allocations, want at most 2", got)
	}
	expect(t, "the log is full", p.log.len(), p.cfg.MaxHistory)
}

func TestReceiveAllocatesThrice(t *testing.T) {
	p := fullPeer(t)
	bob := newPeer(t, "bob", func(c *Config) { c.FilterCapacity = 10_000 })
	messages := make([]*wire.Message, 1001)
	for i := range messages {
		messages[i] = decode(t, bob.send(fmt.Sprint("m", i)))
		messages[i].Lamport += 10_000
	}
	got := allocations(func(i int) {
		p.Step(p.now, Input{Op: OpReceive, Received: messages[i]}, &p.effects)
	})
	if got > 3 {
		t.Errorf("a receive makes %v allocations, want at most 3", got)
	}
	expect(t, "the log is full", p.log.len(), p.cfg.MaxHistory)
	expect(t, "nothing waits", p.incoming.len(), 0)
	expect(t, "unacknowledged", p.outgoing.len(), 100)
}
