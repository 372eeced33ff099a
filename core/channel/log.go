package channel

import (
	"github.com/google/btree"

	"github.com/libsds/libsds/core/wire"
)

// entry is a message as the log and the buffers share it. Its stored form
// holds neither bloom filter nor repair requests.
type entry struct {
	id, sender string
	lamport    uint64
	stored     wire.Stored
	// hint is what the host said about where to find it; nil while unknown.
	hint []byte
	// delivered is the operation that put it into the log.
	delivered uint64
	// unacked is its place in the outgoing buffer, nil once acknowledged and
	// for the messages of others.
	unacked *unacknowledged
}

// branching is the width of the ordered trees: wide nodes make appending, the
// common case, a short move within one of them.
const branching = 32

// position is an entry in an ordered tree, with what almost always decides its
// order beside the pointer: comparing then leaves the entry alone.
type position struct {
	lamport uint64
	entry   *entry
}

func (p position) before(other position) bool {
	if p.lamport != other.lamport {
		return p.lamport < other.lamport
	}
	return p.entry.id < other.entry.id
}

func positionOf(e *entry) position { return position{e.lamport, e} }

// log holds the delivered messages in order. Every operation is at most
// logarithmic in its length.
type log struct {
	byID    map[string]*entry
	ordered *btree.BTreeG[position]
}

func (l *log) len() int { return len(l.byID) }

func (l *log) get(id string) *entry { return l.byID[id] }

func (l *log) insert(e *entry) {
	if l.ordered == nil {
		l.byID = make(map[string]*entry)
		l.ordered = btree.NewG(branching, position.before)
	}
	l.byID[e.id] = e
	l.ordered.ReplaceOrInsert(positionOf(e))
}

func (l *log) remove(e *entry) {
	delete(l.byID, e.id)
	l.ordered.Delete(positionOf(e))
}

// removeOldest removes and returns the first entry, or nil when operation
// delivered it.
func (l *log) removeOldest(operation uint64) *entry {
	first, _ := l.ordered.Min()
	if first.entry.delivered == operation {
		return nil
	}
	l.ordered.DeleteMin()
	delete(l.byID, first.entry.id)
	return first.entry
}

// removeBesides removes and returns those of the first n entries that operation did
// not deliver, and in place of those that it did, of which the first is one, the next
// that it did not.
func (l *log) removeBesides(n int, operation uint64) []*entry {
	victims := make([]*entry, 0, n)
	l.ordered.Ascend(func(p position) bool {
		n--
		if p.entry.delivered == operation {
			return true
		}
		victims = append(victims, p.entry)
		return n >= 0
	})
	for _, victim := range victims {
		l.remove(victim)
	}
	return victims
}

// removeBeyond removes and returns at most n entries past a timestamp, the largest
// first. Those that operation delivered are spared and counted.
func (l *log) removeBeyond(lamport uint64, n int, operation uint64) (victims []*entry, spared int) {
	l.ordered.Descend(func(p position) bool {
		switch {
		case p.lamport <= lamport:
			return false
		case p.entry.delivered == operation:
			spared++
		default:
			victims = append(victims, p.entry)
		}
		return len(victims) < n
	})
	for _, victim := range victims {
		l.remove(victim)
	}
	return victims, spared
}

// latest is the last entry, or nil.
func (l *log) latest() *entry {
	if l.ordered == nil {
		return nil
	}
	last, _ := l.ordered.Max()
	return last.entry
}

// afterAll is past every entry of smaller timestamps, and before those of its own.
var afterAll = &entry{}

// newest calls visit for the last n entries up to a timestamp, newest first.
func (l *log) newest(n int, lamport uint64, visit func(*entry)) {
	if l.ordered == nil || n <= 0 {
		return
	}
	l.ordered.DescendLessOrEqual(position{lamport + 1, afterAll}, func(p position) bool {
		visit(p.entry)
		n--
		return n > 0
	})
}

// all calls visit for every entry, oldest first.
func (l *log) all(visit func(*entry)) {
	if l.ordered == nil {
		return
	}
	l.ordered.Ascend(func(p position) bool {
		visit(p.entry)
		return true
	})
}

// readyQueue holds what has become deliverable, in the order of the log.
type readyQueue struct {
	ordered *btree.BTreeG[position]
}

func (q *readyQueue) push(e *entry) {
	if q.ordered == nil {
		q.ordered = btree.NewG(branching, position.before)
	}
	q.ordered.ReplaceOrInsert(positionOf(e))
}

func (q *readyQueue) len() int {
	if q.ordered == nil {
		return 0
	}
	return q.ordered.Len()
}

// all calls visit for every entry, oldest first.
func (q *readyQueue) all(visit func(*entry)) {
	if q.ordered == nil {
		return
	}
	q.ordered.Ascend(func(p position) bool {
		visit(p.entry)
		return true
	})
}

func (q *readyQueue) pop() (*entry, bool) {
	if q.ordered == nil {
		return nil, false
	}
	first, ok := q.ordered.DeleteMin()
	return first.entry, ok
}
