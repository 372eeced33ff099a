package world

import (
	"fmt"
	"slices"
	"strings"

	"github.com/libsds/libsds/core/channel"
	"github.com/libsds/libsds/core/snapshot"
	"github.com/libsds/libsds/core/wire"
)

// saved is what a disk has of a channel, read without the library's loader.
type saved struct {
	clock                 uint64
	log, waiting, unacked []string
	asks, answers, met    []string
	cites                 []string
}

// read decodes what a disk has.
func (d *disk) read() (saved, error) {
	var s saved
	kept, err := d.kept.LoadChannel(room)
	if err != nil {
		return s, err
	}
	for _, message := range kept.History {
		if err := s.add(&s.log, message); err != nil {
			return s, err
		}
	}
	if len(kept.Meta) == 0 {
		return s, nil
	}
	meta, err := snapshot.DecodeMeta(kept.Meta)
	if err != nil {
		return s, err
	}
	s.clock, s.met = meta.Lamport, slices.DeleteFunc(meta.Met, s.logged)
	for _, own := range meta.Outgoing {
		if err := s.add(&s.unacked, own.Message); err != nil {
			return s, err
		}
	}
	for _, waiting := range meta.Incoming {
		if err := s.add(&s.waiting, waiting.Message); err != nil {
			return s, err
		}
	}
	s.waiting = slices.DeleteFunc(s.waiting, s.logged)
	for _, request := range meta.OutgoingRepair {
		s.asks = append(s.asks, request.Entry.MessageID)
	}
	for _, request := range meta.IncomingRepair {
		s.answers = append(s.answers, request.Entry.MessageID)
	}
	return s, nil
}

func (s *saved) logged(id string) bool { return slices.Contains(s.log, id) }

// add decodes a message and notes its id, and what it cites.
func (s *saved) add(ids *[]string, message []byte) error {
	var m wire.Message
	if err := wire.Decode(message, &keptLimits, &m); err != nil {
		return err
	}
	*ids = append(*ids, m.ID)
	for i := range m.History {
		s.cites = append(s.cites, m.History[i].ID)
	}
	return nil
}

// loaded holds what a participant has right after it was started to what its
// disk has, and to what it had when it ended. From then on it is held to that.
func (l *ledger) loaded(p *participant) {
	s, err := p.disk.read()
	if err != nil {
		p.w.violate(SavedLoaded, p.name, "what was saved cannot be read: %v", err)
		return
	}
	inspection, err := p.manager.Inspect(room)
	if err != nil {
		p.w.violate(SavedLoaded, p.name, "it cannot be looked at: %v", err)
		return
	}
	if difference := s.differs(&inspection.Inspection); difference != "" {
		p.w.violate(SavedLoaded, p.name, "%s", difference)
	}
	if now := p.describe(&inspection.Inspection); l.before != "" && now != l.before {
		p.w.violate(SavedLoaded, p.name, "it crashed with\n%sand comes back with\n%s", l.before, now)
	}
	if l.between && p.member.Keeps != KeepsNothing && l.before != "" && inspection.Clock.Lamport < l.clock {
		p.w.violate(LamportClock, p.name, "it comes back with %d, and had %d", inspection.Clock.Lamport, l.clock)
	}
	l.resume(p, &s, &inspection.Inspection)
}

// differs says where a channel is not what was saved of it.
func (s *saved) differs(i *channel.Inspection) string {
	var logged, waiting, unacked, asks, answers []string
	for _, m := range i.Log {
		logged = append(logged, m.MessageID)
	}
	for _, m := range i.Incoming {
		waiting = append(waiting, m.MessageID)
	}
	for _, m := range i.Complete {
		waiting = append(waiting, m.MessageID)
	}
	for _, m := range i.Outgoing {
		unacked = append(unacked, m.MessageID)
	}
	for _, r := range i.OutgoingRepairs {
		asks = append(asks, r.MessageID)
	}
	for _, r := range i.IncomingRepairs {
		answers = append(answers, r.MessageID)
	}
	if s.clock != i.Clock.Lamport {
		return fmt.Sprintf("the clock was saved at %d and is loaded as %d", s.clock, i.Clock.Lamport)
	}
	slices.Sort(waiting)
	expected := slices.Sorted(slices.Values(s.waiting))
	for _, part := range []struct {
		what          string
		saved, loaded []string
	}{
		{"the log", s.log, logged}, {"the incoming buffer", expected, waiting}, {"the outgoing buffer", s.unacked, unacked},
		{"what it asks for", s.asks, asks}, {"what it is asked for", s.answers, answers}, {"what is met", s.met, i.Met},
	} {
		if !slices.Equal(part.saved, part.loaded) {
			return fmt.Sprintf("%s was saved as [%s] and is loaded as [%s]", part.what, strings.Join(part.saved, " "), strings.Join(part.loaded, " "))
		}
	}
	return ""
}

// resume has the ledger go on with what the disk has: the rest was lost, and
// may be delivered again.
func (l *ledger) resume(p *participant, s *saved, i *channel.Inspection) {
	if p.life == 1 {
		return
	}
	was := *l
	// The operation that the crash came into may have filled the log and evicted from it.
	evicting := !was.between && len(s.log) >= p.w.config.MaxMessageHistory
	*l = ledger{lost: was.lost, met: was.met, forgetful: was.full(p) || evicting}
	if l.forgetful {
		l.delivered = was.delivered
	}
	for _, id := range s.log {
		m := p.w.message(id)
		l.delivered.add(m.index)
		if was.done.has(m.index) && !slices.Contains(s.unacked, id) {
			l.done.add(m.index)
		}
	}
	for _, id := range slices.Concat(s.log, s.waiting) {
		l.arrived.add(p.w.message(id).index)
	}
	for _, id := range s.cites {
		l.cited.add(p.w.message(id).index)
	}
	for _, id := range s.asks {
		l.cited.add(p.w.message(id).index)
	}
	for _, id := range s.unacked {
		l.own = append(l.own, p.w.message(id))
	}
	l.clock, l.written = i.Clock.Lamport, 0
	for _, m := range i.Log {
		if m.SenderID == p.name {
			l.written = max(l.written, m.Lamport)
		}
	}
}
