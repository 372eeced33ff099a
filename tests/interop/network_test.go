//go:build interop

package interop

import (
	"container/heap"
	"math/rand/v2"
)

// agenda is what happens when: of what happens at the same time, what was put
// down first happens first.
type agenda struct {
	clock *clock
	items happenings
	count int
}

type happening struct {
	at    int64
	order int
	do    func()
}

type happenings []happening

func (h happenings) Len() int { return len(h) }
func (h happenings) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].order < h[j].order
}
func (h happenings) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *happenings) Push(x any)   { *h = append(*h, x.(happening)) }
func (h *happenings) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}

// after puts something down for so many milliseconds from now.
func (a *agenda) after(delay int64, do func()) {
	a.count++
	heap.Push(&a.items, happening{a.clock.now + delay, a.count, do})
}

// every has something happen again and again, at first after delay.
func (a *agenda) every(delay, interval int64, do func()) {
	a.after(delay, func() {
		do()
		a.every(interval, interval, do)
	})
}

// until lets happen what happens up to a time.
func (a *agenda) until(end int64) {
	for len(a.items) > 0 && a.items[0].at <= end {
		next := heap.Pop(&a.items).(happening)
		a.clock.set(max(next.at, a.clock.now))
		next.do()
	}
	a.clock.set(max(end, a.clock.now))
}

// network loses, repeats and reorders, as its random numbers want it. It knows
// all that it ever carried by the hint of the payload.
type network struct {
	agenda *agenda
	random *rand.Rand
	// lost and doubled are shares of the deliveries, delay is the most
	// milliseconds that one takes.
	lost, doubled float64
	delay         int64
	archive       map[string][]byte

	sent, losses, copies int
}

// deliver brings a payload to somebody, or not.
func (n *network) deliver(payload []byte, receive func([]byte)) {
	n.sent++
	if n.random.Float64() < n.lost {
		n.losses++
		return
	}
	n.agenda.after(n.random.Int64N(n.delay+1), func() { receive(payload) })
	if n.random.Float64() < n.doubled {
		n.copies++
		n.agenda.after(n.random.Int64N(3*n.delay+1), func() { receive(payload) })
	}
}
