package main

import (
	"fmt"
	"runtime"
	"time"

	"github.com/libsds/libsds/core"
)

// contentBytes is the content of the messages that the targets speak of.
const contentBytes = 1024

// conversation is two participants of one channel, with full logs.
type conversation struct {
	sender, receiver *core.Manager
	content          []byte
	sequence         int
	now              int64
}

func newConversation() *conversation {
	c := &conversation{content: make([]byte, contentBytes), now: 1_700_000_000_000}
	for i := range c.content {
		c.content[i] = byte(i)
	}
	c.sender, c.receiver = c.participant("sender"), c.participant("receiver")
	for range core.DefaultConfig().MaxMessageHistory + 100 {
		payload := c.wrap(c.sender, nil)
		c.unwrap(payload)
		if c.sequence%50 == 0 {
			c.acknowledge()
		}
	}
	return c
}

func (c *conversation) participant(id string) *core.Manager {
	config := core.DefaultConfig()
	config.PossibleAckThreshold = 1 // one peer is all there is to witness
	m, err := core.New(core.Options{ParticipantID: id, Config: &config, Handler: func(core.Event) {}, Now: func() int64 { return c.now }})
	must(err)
	return m
}

// id is as long as the ids of the field: 64 characters.
func (c *conversation) id() string {
	c.sequence++
	return fmt.Sprintf("%064d", c.sequence)
}

func (c *conversation) wrap(m *core.Manager, dst []byte) []byte {
	payload, err := m.Wrap(dst, "channel", c.id(), c.content)
	must(err)
	return payload
}

func (c *conversation) unwrap(payload []byte) {
	_, err := c.receiver.Unwrap(payload)
	must(err)
}

// acknowledge lets the sender know of everything that the receiver has.
func (c *conversation) acknowledge() {
	payload, err := c.receiver.Wrap(nil, "channel", c.id(), c.content)
	must(err)
	_, err = c.sender.Unwrap(payload)
	must(err)
	c.unwrap(c.wrap(c.sender, nil)) // which acknowledges the acknowledgement
}

// batch is how many operations are timed together, and rounds how often: the
// figure is the median of the rounds.
const (
	batch  = 200
	rounds = 100
)

// wrapCost times Wrap into a reused buffer on a full log, beside copying
// messages.
func (c *conversation) wrapCost(copying yardstick) cost {
	dst := make([]byte, 0, 64<<10)
	ids := make([]string, batch)
	return measure(copying, func() {
		for i := range ids {
			ids[i] = c.id()
		}
	}, func(i int) {
		payload, err := c.sender.Wrap(dst[:0], "channel", ids[i], c.content)
		must(err)
		dst = payload
	}, func() {
		// The receiver catches up with all but the last message by its word, so
		// that the next round finds an empty outgoing buffer.
		must(c.receiver.MarkDependenciesMet("channel", ids))
		c.unwrap(dst)
		c.acknowledge()
	})
}

// unwrapCost times Unwrap on a full log, with the given number of own messages
// unacknowledged, beside copying messages.
func (c *conversation) unwrapCost(unacknowledged int, copying yardstick) cost {
	for range unacknowledged {
		c.wrap(c.receiver, nil)
	}
	payloads := make([][]byte, batch)
	return measure(copying, func() {
		for i := range payloads {
			payloads[i] = c.wrap(c.sender, payloads[i][:0])
		}
	}, func(i int) { c.unwrap(payloads[i]) }, c.acknowledge)
}

// cost is what one operation takes.
type cost struct {
	nanoseconds float64 // median of the rounds
	ratio       float64 // to the yardstick: median of the ratios of the rounds
	allocations float64
}

// yardstick is work to compare with: one call does it once.
type yardstick func(i int)

// measure times operations in rounds, each after an untimed preparation and
// directly after the yardstick, so that both meet the machine in one mood.
func measure(beside yardstick, prepare func(), operation func(i int), after func()) cost {
	var times, ratios []float64
	var allocations uint64
	var before, done runtime.MemStats
	for range rounds {
		prepare()
		yard := timed(beside)
		runtime.ReadMemStats(&before)
		took := timed(operation)
		runtime.ReadMemStats(&done)
		allocations += done.Mallocs - before.Mallocs
		times = append(times, took)
		ratios = append(ratios, took/yard)
		after()
	}
	return cost{median(times), median(ratios), float64(allocations) / (rounds * batch)}
}

// once returns the nanoseconds that work takes.
func once(work func()) float64 {
	start := time.Now()
	work()
	return float64(time.Since(start).Nanoseconds())
}

// timed returns the nanoseconds that one of a batch of operations takes.
func timed(operation func(i int)) float64 {
	return once(func() {
		for i := range batch {
			operation(i)
		}
	}) / batch
}

// coreRows measures wrap and unwrap on full logs.
func coreRows(talk *conversation, yard *yardsticks) []row {
	wrap := talk.wrapCost(yard.copying)
	unwrap := newConversation().unwrapCost(0, yard.copying)
	const unacknowledged = 1000
	busy := newConversation().unwrapCost(unacknowledged, yard.copying)
	perMessage := (busy.nanoseconds - unwrap.nanoseconds) / unacknowledged
	against := func(what string, c cost, allocations float64) []row {
		return []row{
			{what: what, value: c.nanoseconds, unit: "ns", ratio: c.ratio, to: "copying messages", target: 4,
				allocations: c.allocations, mostAllocated: allocations},
			{what: "  beside copying one message again and again", value: c.nanoseconds, unit: "ns", ratio: c.nanoseconds / yard.cached, to: "that"},
		}
	}
	rows := append(against("core wrap, full log, 1 KiB", wrap, 2), against("core unwrap, full log, 1 KiB", unwrap, 3)...)
	return append(rows, row{what: "  more per unacknowledged message", value: perMessage, unit: "ns", target: 10})
}
