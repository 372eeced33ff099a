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

// before is the order of the log: by (lamport, id).
func before(a, b *entry) bool {
	if a.lamport != b.lamport {
		return a.lamport < b.lamport
	}
	return a.id < b.id
}

// branching is the width of the ordered trees: wide nodes make appending, the
// common case, a short move within one of them.
const branching = 32

// log holds the delivered messages in order. Every operation is at most
// logarithmic in its length.
type log struct {
	byID    map[string]*entry
	ordered *btree.BTreeG[*entry]
}

func (l *log) len() int { return len(l.byID) }

func (l *log) get(id string) *entry { return l.byID[id] }

func (l *log) insert(e *entry) {
	if l.ordered == nil {
		l.byID = make(map[string]*entry)
		l.ordered = btree.NewG(branching, before)
	}
	l.byID[e.id] = e
	l.ordered.ReplaceOrInsert(e)
}

func (l *log) remove(e *entry) {
	delete(l.byID, e.id)
	l.ordered.Delete(e)
}

// oldest appends to victims the first n entries that were not delivered by
// operation.
func (l *log) oldest(victims []*entry, n int, operation uint64) []*entry {
	l.ordered.Ascend(func(e *entry) bool {
		if e.delivered != operation {
			victims = append(victims, e)
		}
		return len(victims) < n
	})
	return victims
}

// newest calls visit for the last n entries, newest first.
func (l *log) newest(n int, visit func(*entry)) {
	if l.ordered == nil || n <= 0 {
		return
	}
	l.ordered.Descend(func(e *entry) bool {
		visit(e)
		n--
		return n > 0
	})
}

// all calls visit for every entry, oldest first.
func (l *log) all(visit func(*entry)) {
	if l.ordered == nil {
		return
	}
	l.ordered.Ascend(func(e *entry) bool {
		visit(e)
		return true
	})
}

// readyQueue holds what has become deliverable, in the order of the log.
type readyQueue struct {
	ordered *btree.BTreeG[*entry]
}

func (q *readyQueue) push(e *entry) {
	if q.ordered == nil {
		q.ordered = btree.NewG(branching, before)
	}
	q.ordered.ReplaceOrInsert(e)
}

func (q *readyQueue) pop() (*entry, bool) {
	if q.ordered == nil {
		return nil, false
	}
	return q.ordered.DeleteMin()
}
