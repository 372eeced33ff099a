package world

import "github.com/libsds/libsds/core"

// storeName is the store node's in scripts: no participant has it.
const storeName = "store"

// How a host asks the store node: how long an answer takes, how often it asks
// and how long it waits in between, in milliseconds.
const (
	fetchTime  = 400
	fetchTries = 3
	fetchPause = 8000
)

// storeNode hears what is broadcast, keeps messages, and gives them to who knows
// the retrieval hint.
type storeNode struct {
	w        *World
	loss     float64
	payloads map[string]*payload // by the id of the message
	asked    map[asking]bool
}

// asking is one host's in one life for one message: none asks for it again.
type asking struct {
	name string
	life int
	id   string
}

func (s *storeNode) hear(p *payload) {
	if p.message == nil || s.w.agenda.now < s.w.network.calm && s.w.network.random(p.name, storeName).Float64() < s.loss {
		return
	}
	s.payloads[p.message.id] = p
}

// ask fetches a missing dependency for a host.
func (s *storeNode) ask(p *participant, dependency *core.Dependency) {
	id, ok := hinted(dependency.Hint)
	if this := (asking{p.name, p.life, id}); ok && !s.asked[this] {
		s.asked[this] = true
		s.w.fetching++
		s.try(p, p.life, id, fetchTries)
	}
}

func (s *storeNode) try(p *participant, life int, id string, tries int) {
	s.w.agenda.at(s.w.agenda.now+fetchTime, func() {
		if p.life != life || p.manager == nil {
			s.w.fetching--
			return
		}
		found := s.payloads[id]
		if found != nil && !s.w.network.cut(s.w.agenda.now, p.name, storeName) {
			s.w.fetching--
			s.w.measures.Fetched++
			s.w.trace.note(s.w.agenda.now, p.name, "fetches", id)
			p.takeIn(found)
			return
		}
		if tries == 1 {
			s.w.fetching--
			return
		}
		s.w.agenda.at(s.w.agenda.now+fetchPause, func() { s.try(p, life, id, tries-1) })
	})
}
