package world

import "container/heap"

// epoch is the time at which runs begin by a clock that is right, in Unix
// milliseconds: not 0, which a mistake would give too.
const epoch = int64(1_700_000_000_000)

// occurrence is something that comes at a time.
type occurrence struct {
	at       int64
	sequence uint64 // ties are broken by insertion
	do       func()
	// Of an arrival, which is by far the most common, so that it needs no function.
	payload  *payload
	receiver *participant
}

// agenda is virtual time: what is yet to come, in order. Nothing takes longer
// than the work that it is.
type agenda struct {
	now      int64
	sequence uint64
	coming   occurrences
	free     []*occurrence
}

// at has do called at a time, which is now if it has passed.
func (a *agenda) at(time int64, do func()) {
	o := a.add(time)
	o.do = do
}

// arrives hands a payload to a receiver at a time.
func (a *agenda) arrives(time int64, p *payload, receiver *participant) {
	o := a.add(time)
	o.payload, o.receiver = p, receiver
}

func (a *agenda) add(time int64) *occurrence {
	var o *occurrence
	if last := len(a.free) - 1; last >= 0 {
		o, a.free = a.free[last], a.free[:last]
	} else {
		o = &occurrence{}
	}
	a.sequence++
	*o = occurrence{at: max(time, a.now), sequence: a.sequence}
	heap.Push(&a.coming, o)
	return o
}

// next goes on to what comes next and does it. It tells whether there was
// anything up to the time until.
func (a *agenda) next(until int64) bool {
	if len(a.coming) == 0 || a.coming[0].at > until {
		a.now = max(a.now, until)
		return false
	}
	o := heap.Pop(&a.coming).(*occurrence)
	a.now = o.at
	do, p, receiver := o.do, o.payload, o.receiver
	*o = occurrence{}
	a.free = append(a.free, o)
	if do != nil {
		do()
	} else {
		receiver.hear(p)
	}
	return true
}

// occurrences is a heap (container/heap).
type occurrences []*occurrence

func (o occurrences) Len() int { return len(o) }

func (o occurrences) Less(i, j int) bool {
	if o[i].at != o[j].at {
		return o[i].at < o[j].at
	}
	return o[i].sequence < o[j].sequence
}

func (o occurrences) Swap(i, j int) { o[i], o[j] = o[j], o[i] }

func (o *occurrences) Push(x any) { *o = append(*o, x.(*occurrence)) }

func (o *occurrences) Pop() any {
	last := len(*o) - 1
	x := (*o)[last]
	(*o)[last] = nil
	*o = (*o)[:last]
	return x
}
