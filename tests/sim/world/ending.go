package world

import (
	"cmp"
	"slices"

	"github.com/libsds/libsds/core/channel"
	"github.com/libsds/libsds/core/wire"
)

// settleTime is how long nothing can be said after calm: everybody has to have
// been heard, twice.
func (w *World) settleTime() int64 {
	return 2*w.config.SyncMessageIntervalMs + poll + 3*w.script.Network.Slowest + 1000
}

// deadline is when everything must have come to its end, however many messages
// have to be asked for one after the other.
func (w *World) deadline() int64 {
	c := &w.config
	messages := int64(len(w.inOrder))
	ask := max(c.RepairTMinMs, c.RepairTMaxMs) + c.RepairTMaxMs + 2*c.SyncMessageIntervalMs + c.RepairSweepIntervalMs + 2*poll + 2*w.script.Network.Slowest
	levels := messages/int64(max(min(c.MaxCausalHistory, c.MaxRepairRequests), 1)) + 3
	resends := int64(c.MaxResendAttempts+1) * (2*c.ResendIntervalMs + c.BufferSweepIntervalMs + poll)
	return w.script.Calm + w.settleTime() + levels*ask + c.MissingDependencyTimeoutMs + c.BufferSweepIntervalMs + resends
}

// settled tells whether nothing is under way any more, and the ends of all logs
// are the same.
func (w *World) settled() bool {
	if w.network.inFlight > 0 || w.fetching > 0 {
		return false
	}
	for _, p := range w.alive() {
		for _, c := range p.manager.Overview().Channels {
			if c.Waits {
				return false
			}
		}
	}
	logs := w.logs()
	for _, p := range logs {
		for _, q := range logs {
			if at := p.lacksTailOf(q); at != nil && w.answerable(logs, p, at) {
				return false
			}
		}
	}
	return true
}

// alive returns who is there.
func (w *World) alive() []*participant {
	return slices.DeleteFunc(slices.Clone(w.participants), func(p *participant) bool { return p.manager == nil })
}

// logOf is the log of a participant, as the library shows it.
type logOf struct {
	*participant
	channel.Inspection
	has map[string]bool
}

func (w *World) logs() []*logOf {
	var logs []*logOf
	for _, p := range w.alive() {
		inspection, err := p.manager.Inspect(room)
		if err != nil {
			w.violate(NoError, p.name, "it cannot be looked at: %v", err)
			continue
		}
		l := &logOf{p, inspection.Inspection, map[string]bool{}}
		for _, m := range l.Log {
			l.has[m.MessageID] = true
		}
		logs = append(logs, l)
	}
	return logs
}

// tail is the end of the log that its sync messages cite.
func (l *logOf) tail() []channel.Logged {
	return l.Log[max(len(l.Log)-l.w.config.MaxCausalHistory, 0):]
}

// lacksTailOf returns a message that a sync message of another cites and that p
// lacks without a good reason, or nil.
func (l *logOf) lacksTailOf(other *logOf) *message {
	for _, named := range other.tail() {
		if m := l.w.message(named.MessageID); !l.has[named.MessageID] && !l.ledger.met.has(m.index) && !l.past(m) {
			return m
		}
	}
	return nil
}

// past tells whether a message is one that the log has no room for any more, or
// had once and evicted.
func (l *logOf) past(m *message) bool {
	if len(l.Log) < l.w.config.MaxMessageHistory {
		return false
	}
	return l.ledger.delivered.has(m.index) || before(m, &l.Log[0])
}

func before(m *message, other *channel.Logged) bool {
	return cmp.Or(cmp.Compare(m.lamport, other.Lamport), cmp.Compare(m.id, other.MessageID)) < 0
}

// answerable tells whether p would ask for a message before it stops asking, and
// whether anybody would answer.
func (w *World) answerable(logs []*logOf, p *logOf, m *message) bool {
	c := &w.config
	if c.MaxRepairRequests == 0 || c.WireFormat == wire.SDS02 || c.RepairTMaxMs <= c.SyncMessageIntervalMs+c.RepairSweepIntervalMs {
		return false
	}
	if w.overwhelmed(p) {
		return false
	}
	for _, q := range logs {
		if q != p && q.has[m.id] && channel.InResponseGroup(c.WireFormat, q.name, m.sender, m.id, c.NumResponseGroups) {
			return true
		}
	}
	return false
}

// overwhelmed tells whether a participant lacks more than it may ask for at once:
// which of it gives way cannot be foreseen.
func (w *World) overwhelmed(p *logOf) bool {
	lacking := 0
	for _, m := range w.inOrder {
		if p.ledger.cited.has(m.index) && !p.has[m.id] {
			lacking++
		}
	}
	return lacking > w.config.Limits.MaxRepairEntries
}

// judge holds the end of a run to what the protocol promises of it.
func (w *World) judge() {
	logs := w.logs()
	everything := map[int]*message{}
	for _, l := range logs {
		w.judgeOrder(l)
		w.judgeBuffers(l)
		for _, named := range l.Log {
			m := w.message(named.MessageID)
			everything[m.index] = m
		}
	}
	for _, l := range logs {
		for _, m := range w.inOrder {
			if everything[m.index] != nil && !l.has[m.id] && w.violation == nil {
				w.judgeLack(l, logs, m)
			}
		}
	}
}

// judgeOrder holds a log to the order of (timestamp, id), and its messages to
// what everybody knows of them.
func (w *World) judgeOrder(l *logOf) {
	for i := range l.Log {
		named := &l.Log[i]
		m := w.message(named.MessageID)
		switch {
		case m.sentAt >= 0 && m.lamport != named.Lamport:
			w.violate(OneMessage, l.name, "its log has %s at %d, and it was sent at %d", m.id, named.Lamport, m.lamport)
		case i > 0 && !before(w.message(l.Log[i-1].MessageID), named):
			w.violate(Order, l.name, "its log has %s before %s", l.Log[i-1].MessageID, m.id)
		case !l.ledger.delivered.has(m.index):
			w.violate(Order, l.name, "its log has %s, which it never announced", m.id)
		}
	}
}

// judgeBuffers: in the end nothing waits for an acknowledgement any more. What waits
// for others has its time, to which it is held all the while.
func (w *World) judgeBuffers(l *logOf) {
	w.measures.Waiting += uint64(len(l.Incoming))
	for _, own := range l.Outgoing {
		w.violate(Patience, l.name, "%s is neither acknowledged nor given up", own.MessageID)
	}
}

// judgeLack judges that a log lacks a message that another one has.
func (w *World) judgeLack(l *logOf, logs []*logOf, m *message) {
	ledger := &l.ledger
	waits := slices.ContainsFunc(l.Incoming, func(waiting channel.Waiting) bool { return waiting.MessageID == m.id })
	switch {
	case l.past(m):
		w.measures.Evicted++
	case ledger.delivered.has(m.index) && !ledger.forgetful:
		w.violate(Convergence, l.name, "its log has lost %s", m.id)
	case ledger.met.has(m.index), waits:
	case ledger.arrived.has(m.index):
		w.violate(NothingLost, l.name, "%s arrived and is nowhere", m.id)
	case w.peaceful():
		w.violate(Convergence, l.name, "it lacks %s, and nothing was ever lost", m.id)
	case !ledger.cited.has(m.index):
		w.measures.Unseen++
	default:
		for _, other := range logs {
			if other.citesLast(m) && w.answerable(logs, l, m) {
				w.violate(Convergence, l.name, "it lacks %s, which %s cites again and again", m.id, other.name)
				return
			}
		}
		w.measures.Missing++
	}
}

// citesLast tells whether a message is in the tail that sync messages cite.
func (l *logOf) citesLast(m *message) bool {
	return slices.ContainsFunc(l.tail(), func(named channel.Logged) bool { return named.MessageID == m.id })
}

// peaceful tells whether the script lets nothing be lost.
func (w *World) peaceful() bool {
	if w.script.Network.Loss > 0 {
		return false
	}
	for i := range w.script.Participants {
		if w.script.Participants[i].Joins > 0 {
			return false
		}
	}
	for i := range w.script.Fates {
		if len(w.script.Fates[i].Delays) == 0 {
			return false
		}
	}
	return !slices.ContainsFunc(w.script.Actions, func(a Action) bool {
		return a.Verb == verbSplit || a.Verb == verbCrash || a.Verb == verbRestart || a.Verb == verbClock || a.Verb == verbDisk
	})
}
