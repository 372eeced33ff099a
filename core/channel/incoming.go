package channel

import (
	"container/list"

	"github.com/libsds/libsds/core/limits"
)

// waiting is a received message with the dependencies that it lacks.
type waiting struct {
	entry      *entry
	missing    []missing
	open       int // how many of missing are not resolved yet
	receivedAt int64
	size       int
	place      *list.Element
	// saved is what a snapshot says of the wait, nil once that has changed.
	saved []byte
}

// missing is one dependency of a waiting message.
type missing struct {
	Dependency
	resolved bool
	// at is where the index of its id refers to it.
	at int
}

// reference is the position of one missing dependency.
type reference struct {
	message *waiting
	index   int
}

// incoming is the buffer of messages that wait for dependencies: in order of
// arrival, and by the ids that they lack.
type incoming struct {
	byID      map[string]*waiting
	byMissing map[string][]reference
	arrival   list.List
	bytes     int
	// grown is how many ids the larger index held at its most: maps do not shrink.
	grown int
}

// keptWaiting is the room that the indices of an empty buffer keep for the next
// messages.
const keptWaiting = 64

func (b *incoming) len() int { return len(b.byID) }

func (b *incoming) get(id string) *waiting { return b.byID[id] }

// add buffers e until every one of deps, of which there is at least one and
// none twice, is resolved.
func (b *incoming) add(e *entry, deps []Dependency, now int64) {
	if b.byID == nil {
		b.byID = make(map[string]*waiting)
		b.byMissing = make(map[string][]reference)
	}
	w := &waiting{entry: e, missing: make([]missing, len(deps)), open: len(deps), receivedAt: now, size: e.stored.Size()}
	for i, dependency := range deps {
		references := b.byMissing[dependency.ID]
		w.missing[i] = missing{Dependency: dependency, at: len(references)}
		w.size += limits.MissingOverhead + len(dependency.ID) + len(dependency.SenderID) + len(dependency.Hint)
		b.byMissing[dependency.ID] = append(references, reference{w, i})
	}
	b.byID[e.id] = w
	b.grown = max(b.grown, len(b.byID), len(b.byMissing))
	w.place = b.arrival.PushBack(w)
	b.bytes += w.size
}

// resolve strikes id from every message that lacks it and moves those that
// lack nothing more to ready.
func (b *incoming) resolve(id string, ready *readyQueue) {
	references, lacked := b.byMissing[id]
	if !lacked {
		return
	}
	delete(b.byMissing, id)
	for _, r := range references {
		r.message.missing[r.index].resolved = true
		r.message.saved = nil
		r.message.open--
		if r.message.open == 0 {
			b.drop(r.message)
			ready.push(r.message.entry)
		}
	}
}

// remove takes a message out, whatever it lacks.
func (b *incoming) remove(w *waiting) {
	for i := range w.missing {
		if !w.missing[i].resolved {
			b.forget(w, i)
		}
	}
	b.drop(w)
}

// forget removes one reference from the index, in constant time: the last one
// takes its place.
func (b *incoming) forget(w *waiting, index int) {
	id, at := w.missing[index].ID, w.missing[index].at
	references := b.byMissing[id]
	last := len(references) - 1
	moved := references[last]
	references[at] = moved
	moved.message.missing[moved.index].at = at
	references[last] = reference{}
	if last == 0 {
		delete(b.byMissing, id)
	} else {
		b.byMissing[id] = references[:last]
	}
}

func (b *incoming) drop(w *waiting) {
	delete(b.byID, w.entry.id)
	b.arrival.Remove(w.place)
	b.bytes -= w.size
	if len(b.byID) == 0 && b.grown > keptWaiting {
		*b = incoming{} // a flood leaves no empty room behind
	}
}

// oldest returns the message that has waited longest, or nil.
func (b *incoming) oldest() *waiting {
	front := b.arrival.Front()
	if front == nil {
		return nil
	}
	return front.Value.(*waiting)
}

// since is when w began to wait. A clock that was set back must not make
// anything wait longer, and what was kept without a time waits from now on.
func (w *waiting) since(now int64) int64 {
	if w.receivedAt == 0 {
		return now
	}
	return min(w.receivedAt, now)
}

// lacks lists what w still waits for, in the order cited.
func (w *waiting) lacks() []Dependency {
	deps := make([]Dependency, 0, w.open)
	for i := range w.missing {
		if !w.missing[i].resolved {
			deps = append(deps, w.missing[i].Dependency)
		}
	}
	return deps
}

// sweepIncoming delivers what has waited too long, in the order of arrival.
func (c *Channel) sweepIncoming(now int64, effects *Effects) {
	if c.cfg.MissingTimeout == 0 {
		return
	}
	// After a clock was set back, one that came later may have waited longer: so
	// all are looked at.
	var hopeless []*waiting
	for element := c.incoming.arrival.Front(); element != nil; element = element.Next() {
		w := element.Value.(*waiting)
		if since := w.since(now); since != w.receivedAt {
			w.receivedAt, w.saved, effects.Changed = since, nil, true
		}
		if now-w.receivedAt > c.cfg.MissingTimeout {
			hopeless = append(hopeless, w)
		}
	}
	for _, w := range hopeless {
		if c.incoming.get(w.entry.id) == w { // it was not released meanwhile
			c.loseHope(w, effects)
		}
	}
}

// boundIncoming lets the oldest messages give way until the buffer is within
// its bounds.
func (c *Channel) boundIncoming(effects *Effects) {
	for c.incoming.len() > c.cfg.Limits.MaxIncomingMessages || c.incoming.bytes > c.cfg.Limits.MaxIncomingBytes {
		c.loseHope(c.incoming.oldest(), effects)
	}
}

// loseHope names the dependencies that did not come and delivers w without.
func (c *Channel) loseHope(w *waiting, effects *Effects) {
	effects.Changed = true
	effects.announce(Event{Type: DependenciesLost, MessageID: w.entry.id, Deps: w.lacks()})
	c.incoming.remove(w)
	c.deliver(w.entry, effects)
}
