// Package turn decides who may call the host back, and when a context may go.
//
// A context calls its host back from whatever thread an operation or a timer
// runs on, but never from two at the same time: whoever calls back holds the
// context's [Turn]. A host may call the library from inside a callback, for
// the same context or another, and clean a context up there. Plain locks would
// deadlock on both; the rules below do not.
//
// # Rules
//
//  1. An [Operation] is one call into the library, or one run of a timer. It
//     knows the operation inside whose callback it was called, so the
//     operations of one thread form a chain.
//  2. A turn that the chain holds already is entered again, not waited for.
//  3. Whoever has to wait first gives back every turn that its chain holds,
//     and goes on once it can have all of them, and the one it lacks, in one
//     step.
//  4. [Turn.Close] waits for the operations of its context that are under way,
//     except those of its own chain, which cannot end before it returns, and
//     those that are themselves kept from ending, by another Close, until this
//     one returns.
//
// # Why nobody waits forever
//
// By rule 3 a waiter holds no turn, so a turn is only ever held by a thread
// that runs: it is in the host's callback or about to leave it. There is no
// circle of holders. What remains are circles of Close; the call that would
// complete one sees it when it begins, because every Close under way is on
// record, and leaves it by rule 4. A thread that waits for a turn waits for a
// thread that runs, never for a Close, since that holds nothing while it
// waits.
//
// The price of rule 3: while a callback is inside a nested call that waits,
// another thread's callback of the same context may run from beginning to end.
// No two callbacks of a context ever execute host code at the same time.
//
// # Who comes next
//
// Whoever finds the turn free takes it, even when others wait for it: to hand it
// over to one that sleeps would leave it unused until that one has woken up,
// which is many times longer than most callbacks take, and while it does so the
// others would fall asleep too. So one that needs the turn looks on for a moment
// before it sleeps, and one that is woken has to be the first to take it. Among
// those who sleep it is first come, first served, and one that has slept for a
// millisecond is handed the turn. Those who wait for more than one thing are
// handed all of it as soon as it is there.
//
// # Cost
//
// An operation is on record only from its Take on. Before that nobody can be
// called from inside it, so it is merely counted: an operation that has nothing
// to announce takes no lock that others take.
package turn

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Token names an operation that has taken its turn to the calls that the host
// makes from inside its callbacks. It travels through C as a plain number. The zero Token names
// none: the caller is in no callback.
type Token uint64

// Turn is the right to call back on behalf of one context, together with the
// record of the operations of that context. The zero value is free and open.
// All methods may be called from any goroutine.
type Turn struct {
	held atomic.Bool // changed with mu held
	// state is how many operations have begun and not taken the turn, times
	// beginning, and one of the flags, or none.
	state atomic.Int64
}

const (
	closing   = 1 // no operation begins any more; Close waits for the others
	closed    = 2
	flags     = closing | closed
	beginning = 4
)

// Operation is one call or one run of a timer on one context. Take and End are
// for the goroutine that began it.
type Operation struct {
	turn    *Turn
	outer   *Operation // the operation whose callback made this call; nil: none
	token   Token      // 0 before it took the turn
	taken   bool
	holds   bool  // it took the turn, rather than entered again what an outer one holds
	closing *Turn // what a call inside one of its callbacks waits to close
}

// One lock guards who has which turn: a decision involves several of them, and
// none takes longer than a few dozen nanoseconds.
var (
	mu      sync.Mutex
	last    Token
	running = map[Token]*Operation{} // those that took their turn or wait for it
	waiting []*waiter                // oldest first
)

// waiter is a goroutine that waits until ready says so (nil: at once) and all
// turns it wants are free.
type waiter struct {
	wants    []*Turn
	ready    func() bool
	since    time.Time
	admitted bool          // what it wants is its own
	woken    chan struct{} // has room for one
}

// Begin makes o an operation on t that was called from inside a callback of the
// operation named by inside. It reports false when t is closing or closed.
// Otherwise the caller must call End, and leave o where it is until then.
func (t *Turn) Begin(o *Operation, inside Token) bool {
	for {
		state := t.state.Load()
		if state&flags != 0 {
			return false
		}
		if t.state.CompareAndSwap(state, state+beginning) {
			*o = Operation{turn: t, outer: operationOf(inside)}
			return true
		}
	}
}

// operationOf returns the operation that a token names; nil: none.
func operationOf(token Token) *Operation {
	if token == 0 {
		return nil
	}
	mu.Lock()
	defer mu.Unlock()
	return running[token]
}

// Token names the operation, once it took its turn, to calls made from inside its
// callbacks.
func (o *Operation) Token() Token { return o.token }

// Take returns when the operation holds its context's turn. The turn stays
// with it until End; taking it again does nothing.
func (o *Operation) Take() {
	if o.taken {
		return
	}
	o.taken = true
	mu.Lock()
	o.record()
	if o.outer.holding(o.turn) {
		mu.Unlock()
		return
	}
	o.holds = true
	for range glances {
		if !o.turn.held.Load() {
			o.turn.held.Store(true)
			mu.Unlock()
			return
		}
		mu.Unlock()
		o.turn.lookOn()
		mu.Lock()
	}
	had := o.outer.held(nil)
	giveBack(had)
	await(&waiter{wants: append(had, o.turn)})
}

// record puts the operation on record, with a token. mu is held.
func (o *Operation) record() {
	o.turn.state.Add(-beginning)
	last++
	o.token = last
	running[last] = o
}

// An operation looks on for some twenty microseconds before it sleeps: longer than
// several callbacks take, and shorter than falling asleep and waking up, for which
// the runtime has to find another thread twice.
const glances = 16

var glanceLoops = 3000 // fewer in tests, where many goroutines share few cores

// lookOn returns once the turn is free, and soon in any case.
func (t *Turn) lookOn() {
	for range glanceLoops {
		if !t.held.Load() {
			return
		}
	}
}

// Held tells whether an operation has the turn at the moment.
func (t *Turn) Held() bool { return t.held.Load() }

// End gives the turn back, if the operation took it, and takes the operation
// off the record.
func (o *Operation) End() {
	if !o.taken {
		if o.turn.state.Add(-beginning)&flags == 0 {
			return
		}
	}
	mu.Lock()
	defer mu.Unlock()
	delete(running, o.token) // which has no 0
	if o.holds {
		o.turn.held.Store(false)
	}
	admit()
}

// Ended says that the context was closed while the operation ran: from inside
// one of its callbacks, or by a Close that it kept from ending. It must not
// announce anything more.
func (o *Operation) Ended() bool { return o.turn.state.Load()&closed != 0 }

// Close lets no operation begin on t any more, and returns when those under
// way have ended, save the ones that rule 4 excepts. It reports false, at
// once, when another Close came first. The caller must not be inside an
// operation's step, only inside a callback or outside.
func (t *Turn) Close(inside Token) bool {
	mu.Lock()
	if t.state.Or(closing)&flags != 0 {
		mu.Unlock()
		return false
	}
	caller := running[inside]
	had := caller.held(nil)
	giveBack(had)
	excepted := map[*Operation]bool{}
	for _, operation := range running {
		if operation.turn == t && operation.waitsFor(caller, map[*Turn]bool{}) {
			excepted[operation] = true
		}
	}
	for operation := caller; operation != nil; operation = operation.outer {
		operation.closing = t
		excepted[operation] = true
	}
	await(&waiter{wants: had, ready: func() bool {
		if t.state.Load() >= beginning {
			return false
		}
		for _, operation := range running {
			if operation.turn == t && !excepted[operation] {
				return false
			}
		}
		return true
	}})

	mu.Lock()
	defer mu.Unlock()
	for operation := caller; operation != nil; operation = operation.outer {
		operation.closing = nil
	}
	t.state.Store(closed)
	return true
}

// holding says whether the chain that ends in o holds t. mu is held.
func (o *Operation) holding(t *Turn) bool {
	for ; o != nil; o = o.outer {
		if o.holds && o.turn == t {
			return true
		}
	}
	return false
}

// held appends the turns that the chain which ends in o holds, each once, for
// no operation takes what an outer one holds. mu is held.
func (o *Operation) held(turns []*Turn) []*Turn {
	for ; o != nil; o = o.outer {
		if o.holds {
			turns = append(turns, o.turn)
		}
	}
	return turns
}

// waitsFor says whether o cannot end before the chain that ends in caller goes
// on: a call from inside a callback of o is in a Close that waits, directly or
// through other such calls, for an operation of that chain. seen holds the
// contexts already looked at. mu is held.
func (o *Operation) waitsFor(caller *Operation, seen map[*Turn]bool) bool {
	if o.closing == nil || seen[o.closing] {
		return false
	}
	seen[o.closing] = true
	for _, other := range running {
		if other.turn == o.closing && (caller.contains(other) || other.waitsFor(caller, seen)) {
			return true
		}
	}
	return false
}

// contains says whether other belongs to the chain that ends in o.
func (o *Operation) contains(other *Operation) bool {
	for ; o != nil; o = o.outer {
		if o == other {
			return true
		}
	}
	return false
}

// giveBack frees turns. mu is held, and admit has to follow.
func giveBack(turns []*Turn) {
	for _, turn := range turns {
		turn.held.Store(false)
	}
}

// await puts w last in the line and returns once it has what it wants. It is
// called with mu held and returns with mu free.
func await(w *waiter) {
	w.woken = make(chan struct{}, 1)
	w.since = time.Now()
	waiting = append(waiting, w)
	admit()
	for !w.admitted {
		mu.Unlock()
		<-w.woken
		mu.Lock()
		if !w.admitted && w.admissible() {
			w.take()
			waiting = slices.DeleteFunc(waiting, func(other *waiter) bool { return other == w })
		}
	}
	mu.Unlock()
}

// longestSleep is from when on a waiter is handed what it wants.
const longestSleep = time.Millisecond

// admit lets waiters go on, oldest first, for which all that they want is free.
// It runs after every change that could let one go on. mu is held.
func admit() {
	if len(waiting) == 0 {
		return
	}
	var called []*Turn // for each of these a waiter has been woken
	waiting = slices.DeleteFunc(waiting, func(w *waiter) bool {
		switch {
		case !w.admissible():
			return false
		case w.isPatient():
			if !slices.Contains(called, w.wants[0]) {
				called = append(called, w.wants[0])
				w.wake()
			}
			return false
		}
		w.take()
		w.wake()
		return true
	})
}

// isPatient tells whether a waiter is only woken, for whoever is first.
func (w *waiter) isPatient() bool {
	return len(w.wants) == 1 && w.ready == nil && time.Since(w.since) < longestSleep
}

// take makes what w wants its own. mu is held.
func (w *waiter) take() {
	for _, turn := range w.wants {
		turn.held.Store(true)
	}
	w.admitted = true
}

func (w *waiter) wake() {
	select {
	case w.woken <- struct{}{}:
	default: // it is about to look
	}
}

// admissible says whether all that w waits for is the case. mu is held.
func (w *waiter) admissible() bool {
	for _, turn := range w.wants {
		if turn.held.Load() {
			return false
		}
	}
	return w.ready == nil || w.ready()
}
