package world

import (
	"fmt"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/bloom"
	"github.com/libsds/libsds/core/channel"
	"github.com/libsds/libsds/core/wire"
)

// Invariant names what must hold.
type Invariant string

// The invariants; the package comment says what each promises.
const (
	AtMostOnce   Invariant = "at most once"
	CausalOrder  Invariant = "causal order"
	Convergence  Invariant = "convergence"
	Order        Invariant = "order of the log"
	NothingLost  Invariant = "nothing that arrived is lost"
	LamportClock Invariant = "Lamport clock"
	Acknowledged Invariant = "acknowledgement"
	Bounds       Invariant = "bounds"
	Patience     Invariant = "nothing waits for ever"
	SavedLoaded  Invariant = "what was saved is loaded"
	OneMessage   Invariant = "one id, one message"
	NoError      Invariant = "no error"
)

// Invariants returns all of them.
func Invariants() []Invariant {
	return []Invariant{
		AtMostOnce, CausalOrder, Convergence, Order, NothingLost, LamportClock,
		Acknowledged, Bounds, Patience, SavedLoaded, OneMessage, NoError,
	}
}

// Violation is an invariant that did not hold: where, when (in milliseconds)
// and what happened.
type Violation struct {
	Invariant Invariant
	At        int64
	Who       string
	What      string
}

// Error returns all of it.
func (v *Violation) Error() string {
	return fmt.Sprintf("%s at %s, %s: %s", v.Invariant, span(v.At), v.Who, v.What)
}

// violate ends the run: the first violation counts.
func (w *World) violate(invariant Invariant, who, format string, arguments ...any) {
	if w.violation == nil {
		w.violation = &Violation{invariant, w.agenda.now, who, fmt.Sprintf(format, arguments...)}
		w.trace.note(w.agenda.now, who, "VIOLATES", string(invariant)+":", w.violation.What)
	}
}

// ledger is what a participant is held to. It is kept by what was announced and
// broadcast alone, and knows nothing of how the library works.
type ledger struct {
	delivered set // its own messages, and those announced to be ready
	// forgetful: a log that had been full was loaded, so delivered has messages
	// that were evicted before.
	forgetful bool
	arrived   set             // messages of which a copy was taken in
	cited     set             // messages that something that arrived, or was kept, cites
	lost      map[[2]int]bool // what was given up for which message
	met       set             // what the host declared to have
	done      set             // own messages that were acknowledged
	own       []*message      // own messages that were not, and that nobody else had when last looked
	clock     uint64          // the Lamport clock, as seen last
	written   uint64          // the timestamp of its last message
	lose      int             // what the next crash loses
	before    string          // what it held when it crashed between operations
	between   bool            // it crashed there, and lost nothing

	deliveredNow int // by the operation at hand
}

// wrote takes down a message of its own that was broadcast.
func (l *ledger) wrote(p *participant, m *message) {
	if m.lamport <= l.written {
		p.w.violate(LamportClock, p.name, "%s is at %d, and its message before was at %d", m.id, m.lamport, l.written)
	}
	l.written = m.lamport
	l.delivered.add(m.index)
	l.own = append(l.own, m)
	l.deliveredNow++
	p.w.measures.Messages++
}

// hears takes down what arrives, before the library sees it.
func (l *ledger) hears(p *participant, arrived *payload) {
	for _, cited := range arrived.cites {
		l.cited.add(cited.index)
	}
	if arrived.from == p {
		return
	}
	if m := arrived.message; m != nil {
		l.arrived.add(m.index)
		m.heard.add(p.index)
	}
	l.weigh(p, arrived)
}

// weigh adds up with which probability the filter of a payload is taken for an
// acknowledgement of a message that nobody has.
func (l *ledger) weigh(p *participant, arrived *payload) {
	kept := l.own[:0]
	for _, m := range l.own {
		if !m.heard.others(p.index) && !l.done.has(m.index) {
			kept = append(kept, m)
		}
	}
	l.own = kept
	if len(kept) == 0 || len(arrived.filter) == 0 {
		return
	}
	view, ok := p.w.view(arrived.filter)
	if !ok {
		return
	}
	fill := view.Fill()
	if fill > trustedFill {
		return
	}
	p.w.measures.AckTests += uint64(len(kept))
	p.w.measures.AckRisk += float64(len(kept)) * view.FalsePositive(fill)
}

// trustedFill is the fill past which a filter acknowledges nothing (PROTOCOL,
// section 4).
const trustedFill = 0.75

// view parses a received filter of the run's format.
func (w *World) view(filter []byte) (bloom.View, bool) {
	if w.config.WireFormat == wire.LIP109 {
		return bloom.ParseLIP(filter)
	}
	return bloom.ParseSDS(filter)
}

// ready takes down a delivery.
func (l *ledger) ready(p *participant, id string) {
	if p.w.ephemeral[id] {
		return // it leaves no trace, so a duplicate is delivered as well
	}
	m := p.w.message(id)
	l.deliveredNow++
	if l.delivered.has(m.index) {
		if !l.full(p) {
			p.w.violate(AtMostOnce, p.name, "%s is delivered again", id)
			return
		}
		p.w.measures.Again++
	}
	for _, cited := range m.cites {
		if cited != m && !l.delivered.has(cited.index) && !l.met.has(cited.index) && !l.lost[[2]int{m.index, cited.index}] {
			p.w.violate(CausalOrder, p.name, "%s is delivered before %s, which it cites and which was not given up", id, cited.id)
			return
		}
	}
	l.delivered.add(m.index)
	if m.sender != p.name {
		p.w.delivered(p, m)
	}
}

// full tells whether the log may have evicted something, so that it does not
// know any more what was delivered.
func (l *ledger) full(p *participant) bool {
	return l.forgetful || l.delivered.len() > p.w.config.MaxMessageHistory
}

// gaveUp takes down dependencies that a message is delivered without.
func (l *ledger) gaveUp(p *participant, e *core.Event) {
	m := p.w.message(e.MessageID)
	if l.lost == nil {
		l.lost = map[[2]int]bool{}
	}
	for _, dependency := range e.Deps {
		lost := p.w.message(dependency.ID)
		l.lost[[2]int{m.index, lost.index}] = true
		p.w.measures.GivenUp++
	}
}

// sent holds an acknowledgement to the truth.
func (l *ledger) sent(p *participant, id string) {
	m := p.w.message(id)
	if l.done.has(m.index) {
		p.w.violate(Acknowledged, p.name, "%s is acknowledged twice", id)
	}
	l.done.add(m.index)
	p.w.measures.Acks++
	if m.heard.others(p.index) {
		return
	}
	if p.hearing == nil {
		p.w.violate(Acknowledged, p.name, "%s is acknowledged when nothing arrives, and nobody else has it", id)
		return
	}
	for _, cited := range p.hearing.cites {
		if cited == m {
			p.w.violate(Acknowledged, p.name, "%s is cited by %s, and nobody else has it", id, p.hearing.name)
			return
		}
	}
	view, ok := p.w.view(p.hearing.filter)
	if !ok || !view.Contains(view.Scheme().Sum(id)) {
		p.w.violate(Acknowledged, p.name, "%s is acknowledged by %s, whose filter does not have it, and nobody else has it", id, p.hearing.name)
		return
	}
	p.w.measures.FalseAcks++
}

// check holds what the participant holds, after an operation, to its bounds, and
// its clock to its direction.
//
// It was a step if the library did something: else it offers nothing to a disk.
func (l *ledger) check(p *participant, step bool) {
	if p.w.unwatched || p.manager == nil {
		return
	}
	channels := p.manager.Overview().Channels
	if len(channels) != 1 {
		p.w.violate(Bounds, p.name, "it has %d channels", len(channels))
		return
	}
	holds := &channels[0].Counts
	if holds.Clock.Lamport < l.clock {
		p.w.violate(LamportClock, p.name, "it goes back from %d to %d", l.clock, holds.Clock.Lamport)
	}
	l.clock = holds.Clock.Lamport
	config := &p.w.config
	for _, bound := range []struct {
		what       string
		held, most int
	}{
		// What is delivered below a full log goes with the next operation, all but one.
		{"maxMessageHistory", holds.Log, config.MaxMessageHistory + max(0, l.deliveredNow-1)},
		{"maxIncomingMessages", holds.Incoming, config.Limits.MaxIncomingMessages},
		{"maxIncomingBytes", holds.IncomingBytes, config.Limits.MaxIncomingBytes},
		{"maxOutgoingMessages", holds.Outgoing, config.Limits.MaxOutgoingMessages},
		{"maxRepairEntries (what it asks for)", holds.OutgoingRepairs, config.Limits.MaxRepairEntries},
		{"maxRepairEntries (what it is asked for)", holds.IncomingRepairs, config.Limits.MaxRepairEntries},
		{"bloomFilterCapacity (what is met)", holds.Met, config.BloomFilterCapacity},
	} {
		if bound.held > bound.most {
			p.w.violate(Bounds, p.name, "it holds %d, and %s allows %d", bound.held, bound.what, bound.most)
		}
	}
	if step && !p.disk.fails && holds.PendingChanges > 0 {
		p.w.violate(Bounds, p.name, "%d changes were not offered to a disk that works", holds.PendingChanges)
	}
	l.patience(p, holds)
	p.w.measures.mostHeld(holds)
}

// patience holds waiting to its end.
func (l *ledger) patience(p *participant, holds *channel.Counts) {
	if p.w.config.MissingDependencyTimeoutMs == 0 || holds.WaitingSince == 0 {
		return
	}
	waited := min(p.local()-holds.WaitingSince, p.w.agenda.now-p.disturbed)
	if most := p.w.config.MissingDependencyTimeoutMs + p.w.config.BufferSweepIntervalMs + p.w.config.SyncMessageIntervalMs + poll; waited > most {
		p.w.violate(Patience, p.name, "a message has waited for %s", span(waited))
	}
}

// ends takes down what a process holds that ends between two operations.
func (l *ledger) ends(p *participant) {
	l.before = ""
	channels := p.manager.Overview().Channels
	if len(channels) == 1 && !channels[0].Dirty && channels[0].PendingChanges == 0 && channels[0].PendingHints == 0 {
		if inspection, err := p.manager.Inspect(room); err == nil && !ahead(&inspection) {
			l.before = p.describe(&inspection.Inspection)
		}
	}
}

// ahead tells whether something is from after the time at hand, by a clock that
// was set back: it is shown as of now, whenever that is.
func ahead(i *core.Inspection) bool {
	for _, own := range i.Outgoing {
		if own.LastSentAt >= i.At {
			return true
		}
	}
	for _, waiting := range i.Incoming {
		if waiting.Since >= i.At {
			return true
		}
	}
	return false
}

// describe writes what of a channel outlives a process.
func (p *participant) describe(i *channel.Inspection) string {
	if p.w.config.WireFormat == wire.SDS02 { // messages are kept in it, and it names no senders
		for at := range i.Log {
			i.Log[at].SenderID = ""
		}
		for at := range i.Incoming {
			i.Incoming[at].SenderID = ""
		}
	}
	text := fmt.Sprintln("clock", i.Clock.Lamport)
	// What is in a log beyond its bound goes with the next step, or with a restart.
	for _, m := range i.Log[max(0, len(i.Log)-p.w.config.MaxMessageHistory):] {
		text += fmt.Sprintf("log %d %s %s %s\n", m.Lamport, m.MessageID, m.SenderID, m.Hint)
	}
	for _, m := range i.Incoming {
		text += fmt.Sprintf("waiting %d %s %s %d\n", m.Lamport, m.MessageID, m.SenderID, m.Since)
		for _, d := range m.Missing {
			text += fmt.Sprintf("  lacks %s %s %s\n", d.MessageID, d.SenderID, d.Hint)
		}
	}
	for _, m := range i.Complete {
		text += fmt.Sprintf("complete %d %s\n", m.Lamport, m.MessageID)
	}
	for _, m := range i.Outgoing {
		text += fmt.Sprintf("unacknowledged %d %s %d %d %d\n", m.Lamport, m.MessageID, m.LastSentAt, m.Resends, m.Witnesses)
	}
	for _, r := range i.OutgoingRepairs {
		text += fmt.Sprintf("asks for %s %s %s %d %d\n", r.MessageID, r.SenderID, r.Hint, r.NextAt, r.EndsAfter)
	}
	for _, r := range i.IncomingRepairs {
		text += fmt.Sprintf("answers for %s %s %d\n", r.MessageID, r.SenderID, r.At)
	}
	return text + fmt.Sprintln("met", i.Met)
}
