package channel

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/libsds/libsds/core/bloom"
	"github.com/libsds/libsds/core/limits"
	"github.com/libsds/libsds/core/snapshot"
	"github.com/libsds/libsds/core/wire"
)

// start is when every test begins, in Unix milliseconds: a whole number of
// seconds, so that clocks are easy to read.
const start = 1_000_000

// second is in the unit of the tests' time.
const second = 1000

// testConfig is the default configuration of PROTOCOL, section 6, with a
// filter small enough for many channels in one test.
func testConfig(participant string) *Config {
	return &Config{
		ParticipantID:        participant,
		Format:               wire.SDS04,
		LamportUnit:          Seconds,
		FilterCapacity:       1000,
		FilterErrorRate:      0.001,
		MaxHistory:           1000,
		MaxCausalHistory:     10,
		ResendInterval:       60 * second,
		MaxResendAttempts:    5,
		RepairTMin:           30 * second,
		RepairTMax:           300 * second,
		ResponseGroups:       1,
		MaxRepairRequests:    3,
		AckConfidence:        1e-6,
		PossibleAckThreshold: 2,
		MissingTimeout:       600 * second,
		MaxLamportDrift:      86400 * second,
		Limits:               limits.Default(),
		Durable:              true,
	}
}

// failer is the part of testing.TB that rapid.T has too.
type failer interface {
	Helper()
	Fatalf(format string, arguments ...any)
}

// peer is a channel under test with the time that it is told.
type peer struct {
	*Channel
	t       failer
	now     int64
	effects Effects
}

func newPeer(t failer, participant string, adjust ...func(*Config)) *peer {
	cfg := testConfig(participant)
	for _, change := range adjust {
		change(cfg)
	}
	return &peer{Channel: New("room", cfg), t: t, now: start}
}

// step applies an input and checks what holds after every step.
func (p *peer) step(input Input) *Effects {
	p.t.Helper()
	p.Step(p.now, input, &p.effects)
	p.checkInvariants()
	return &p.effects
}

// send returns the wire bytes of a new message.
func (p *peer) send(id string) []byte {
	p.t.Helper()
	effects := p.step(Input{Op: OpSend, MessageID: id, Content: []byte("content of " + id)})
	if effects.Err != nil {
		p.t.Fatalf("send %s: %v", id, effects.Err)
	}
	return bytes.Clone(effects.Encoded)
}

func (p *peer) sendSync() []byte {
	p.t.Helper()
	return bytes.Clone(p.step(Input{Op: OpSendSync}).Encoded)
}

// receive takes in wire bytes, as the manager does: decoded as a view, which
// is destroyed after the step.
func (p *peer) receive(payload []byte) Receipt {
	p.t.Helper()
	view := bytes.Clone(payload)
	m := decode(p.t, view)
	receipt := p.take(m)
	for i := range view {
		view[i] = 0xff
	}
	return receipt
}

// take takes in a decoded message.
func (p *peer) take(m *wire.Message) Receipt {
	p.t.Helper()
	return p.step(Input{Op: OpReceive, Received: m}).Receipt
}

func (p *peer) markMet(ids ...string) { p.t.Helper(); p.step(Input{Op: OpMarkMet, MetIDs: ids}) }
func (p *peer) sweepBuffers()         { p.t.Helper(); p.step(Input{Op: OpSweepBuffers}) }
func (p *peer) sweepRepairs()         { p.t.Helper(); p.step(Input{Op: OpSweepRepairs}) }

// Meta is what the channel's snapshot says.
func (c *Channel) Meta() *snapshot.ChannelMeta {
	meta, err := snapshot.DecodeMeta(c.AppendMeta(nil))
	if err != nil {
		panic(err)
	}
	return meta
}

// restarted is the peer as its snapshot and log describe it, saved to the end.
func (p *peer) restarted() *peer {
	p.t.Helper()
	p.HistorySaved()
	data := &snapshot.ChannelData{Meta: p.Meta()}
	p.log.all(func(e *entry) {
		data.History = append(data.History, e.stored.Bytes())
		if e.hint != nil {
			data.Hints = append(data.Hints, snapshot.RetrievalHint{MessageID: e.id, Hint: e.hint})
		}
	})
	restored, irregular, err := Restore(p.id, p.cfg, data)
	if err != nil || irregular != (Irregularities{}) {
		p.t.Fatalf("restore: %v, %+v", err, irregular)
	}
	return &peer{Channel: restored, t: p.t, now: p.now}
}

// logIDs lists the log, oldest first.
func (p *peer) logIDs() []string {
	var ids []string
	p.log.all(func(e *entry) { ids = append(ids, e.id) })
	return ids
}

// logged is all that the log has of its messages, oldest first.
func (p *peer) logged() (messages []string) {
	p.log.all(func(e *entry) {
		messages = append(messages, fmt.Sprintf("%d %s by %q hint %q unacknowledged %v: %x", e.lamport, e.id, e.sender, e.hint, e.unacked != nil, e.stored.Bytes()))
	})
	return messages
}

// incomingIDs lists the incoming buffer in the order of arrival.
func (p *peer) incomingIDs() []string {
	var ids []string
	for element := p.incoming.arrival.Front(); element != nil; element = element.Next() {
		ids = append(ids, element.Value.(*waiting).entry.id)
	}
	return ids
}

// outgoingIDs lists the outgoing buffer in the order of sending.
func (p *peer) outgoingIDs() []string {
	var ids []string
	for i := range p.outgoing.items {
		ids = append(ids, p.outgoing.items[i].message.entry.id)
	}
	return ids
}

// repairIDs lists a repair buffer, most urgent first.
func repairIDs(b *repairBuffer) []string {
	var ids []string
	b.all(func(item *repairItem) { ids = append(ids, item.entry.ID) })
	return ids
}

// filterHolds tells whether the channel's own filter holds an id.
func (p *peer) filterHolds(id string) bool {
	view, ok := bloom.ParseSDS(p.filter.AppendTo(nil))
	return ok && view.Contains(bloom.FarmHash.Sum(id))
}

// events are the announcements of the last step, one line each.
func (p *peer) events() []string { return describe(p.effects.Events) }

func describe(events []Event) []string {
	var lines []string
	for _, event := range events {
		line := event.Type.String() + " " + event.MessageID
		switch event.Type {
		case MissingDependencies, DependenciesLost:
			line += " " + dependencyIDs(event.Deps)
		case ResendReady, DeliveryFailed:
			line += fmt.Sprintf(" attempt %d", event.Attempts)
		}
		lines = append(lines, line)
	}
	return lines
}

func dependencyIDs(deps []Dependency) string {
	ids := make([]string, len(deps))
	for i, dependency := range deps {
		ids[i] = dependency.ID
	}
	return "[" + strings.Join(ids, " ") + "]"
}

// checkInvariants holds the indices of every buffer against each other and
// against their bounds.
func (p *peer) checkInvariants() {
	p.t.Helper()
	check := func(ok bool, what string) {
		p.t.Helper()
		if !ok {
			p.t.Fatalf("invariant broken: %s", what)
		}
	}
	lim := &p.cfg.Limits
	check(p.clock <= limits.MaxLamport, "the clock is within an int64")
	check(p.log.ordered == nil || p.log.ordered.Len() == p.log.len(), "the log's tree and map agree")
	check(p.incoming.len() == p.incoming.arrival.Len(), "the incoming buffer's list and map agree")
	check(p.incoming.len() <= lim.MaxIncomingMessages, "the incoming buffer is within its messages")
	check(p.incoming.bytes <= lim.MaxIncomingBytes, "the incoming buffer is within its bytes")
	check(p.incoming.len() > 0 || (p.incoming.bytes == 0 && len(p.incoming.byMissing) == 0), "an empty incoming buffer weighs nothing")
	evicted := 0
	for _, item := range p.outgoing.items {
		u := item.message
		check(u.entry.unacked == u && p.unacknowledged(u.entry.id) == u, "every outgoing message is found by its id")
		if p.log.get(u.entry.id) == nil {
			evicted++
		}
	}
	check(len(p.outgoing.evicted) == evicted, "the outgoing buffer knows what the log has evicted")
	check(p.outgoing.len() <= lim.MaxOutgoingMessages, "the outgoing buffer is within its bound")
	for _, buffer := range []*repairBuffer{&p.asking, &p.asked} {
		check(buffer.byDue == nil || buffer.byDue.Len() == buffer.len(), "a repair buffer's tree and map agree")
		check(buffer.len() <= lim.MaxRepairEntries, "a repair buffer is within its bound")
	}
	check(p.met.order.Len() == len(p.met.byID), "the met set's list and map agree")
	check(len(p.met.byID) <= p.cfg.FilterCapacity, "the met set is within its bound")
	check(p.scratch.ready.ordered == nil || p.scratch.ready.ordered.Len() == 0, "nothing is left ready")
}

// decode reads wire bytes.
func decode(t failer, payload []byte) *wire.Message {
	t.Helper()
	lim := limits.Default()
	m := new(wire.Message)
	if err := wire.Decode(payload, &lim, m); err != nil {
		t.Fatalf("decode: %v", err)
	}
	return m
}

// A part is something that a received message says.
type part func(*wire.Message)

// message makes a received message of nobody in particular, with a content.
func message(id string, lamport uint64, parts ...part) *wire.Message {
	m := &wire.Message{
		Format: wire.SDS04, ID: id, ChannelID: "room",
		Lamport: lamport, HasLamport: true, Content: []byte("content of " + id),
	}
	for _, add := range parts {
		add(m)
	}
	return m
}

func from(sender string) part { return func(m *wire.Message) { m.SenderID = sender } }

func cites(ids ...string) part { return func(m *wire.Message) { m.History = entries("", ids) } }

// asks makes the message ask for messages of a sender.
func asks(sender string, ids ...string) part {
	return func(m *wire.Message) { m.RepairRequests = entries(sender, ids) }
}

func withFilter(filter []byte) part { return func(m *wire.Message) { m.Filter = filter } }

// empty makes it a sync message.
func empty(m *wire.Message) { m.Content = nil }

// timeless makes it an ephemeral message.
func timeless(m *wire.Message) { m.Lamport, m.HasLamport = 0, false }

func entries(sender string, ids []string) []wire.Entry {
	list := make([]wire.Entry, len(ids))
	for i, id := range ids {
		list[i] = wire.Entry{ID: id, SenderID: sender}
	}
	return list
}

// filterOf is an encoded filter that holds ids, and others until it has as
// many as fill says.
func filterOf(fill int, ids ...string) []byte {
	const capacity = 1000
	filter := bloom.NewFilter(capacity, 0.001)
	for _, id := range ids {
		filter.Add(bloom.FarmHash.Sum(id))
	}
	for i := len(ids); i < fill; i++ {
		filter.Add(bloom.FarmHash.Sum(fmt.Sprintf("filling %d", i)))
	}
	return filter.AppendTo(nil)
}

// expect fails the test when got is not want.
func expect[T any](t testing.TB, what string, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(wire.Message{})); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// expectEvents checks the announcements of the last step, in their order.
func (p *peer) expectEvents(t testing.TB, want ...string) {
	t.Helper()
	if got := p.events(); !slices.Equal(got, want) {
		t.Errorf("events (-want +got):\n%s", cmp.Diff(want, got))
	}
}
