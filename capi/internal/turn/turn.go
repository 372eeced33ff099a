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
// Which thread comes next is decided first come, first served among those who
// can have all that they wait for.
package turn

import "sync"

// Token names an operation to the calls that the host makes from inside its
// callbacks. It travels through C as a plain number. The zero Token names
// none: the caller is in no callback.
type Token uint64

// Turn is the right to call back on behalf of one context, together with the
// record of the operations of that context. The zero value is free and open.
// All methods may be called from any goroutine.
type Turn struct {
	held  bool
	state state
}

type state uint8

const (
	open    state = iota
	closing       // no operation begins any more; Close waits for the others
	closed
)

// Operation is one call or one run of a timer on one context. Take and End are
// for the goroutine that began it.
type Operation struct {
	turn    *Turn
	outer   *Operation // the operation whose callback made this call; nil: none
	token   Token
	taken   bool
	holds   bool  // it took the turn, rather than entered again what an outer one holds
	closing *Turn // what a call inside one of its callbacks waits to close
}

// One lock guards the state of all turns: a decision involves several of them,
// and none takes longer than a few dozen nanoseconds.
var (
	mu      sync.Mutex
	last    Token
	running = map[Token]*Operation{}
	waiting []*waiter // oldest first
)

// waiter is a goroutine that waits until ready says so (nil: at once) and all
// turns it wants are free.
type waiter struct {
	wants    []*Turn
	ready    func() bool
	admitted chan struct{}
}

// Begin records an operation on t that was called from inside a callback of
// the operation named by inside. It returns nil when t is closing or closed.
// The caller must call End.
func (t *Turn) Begin(inside Token) *Operation {
	mu.Lock()
	defer mu.Unlock()
	if t.state != open {
		return nil
	}
	last++
	operation := &Operation{turn: t, outer: running[inside], token: last}
	running[last] = operation
	return operation
}

// Token names the operation to calls made from inside its callbacks.
func (o *Operation) Token() Token { return o.token }

// Take returns when the operation holds its context's turn. The turn stays
// with it until End; taking it again does nothing.
func (o *Operation) Take() {
	if o.taken {
		return
	}
	o.taken = true
	mu.Lock()
	if o.outer.holding(o.turn) {
		mu.Unlock()
		return
	}
	o.holds = true
	if !o.turn.held {
		o.turn.held = true
		mu.Unlock()
		return
	}
	had := o.outer.held(nil)
	giveBack(had)
	await(&waiter{wants: append(had, o.turn)})
}

// End gives the turn back, if the operation took it, and takes the operation
// off the record.
func (o *Operation) End() {
	mu.Lock()
	defer mu.Unlock()
	delete(running, o.token)
	if o.holds {
		o.turn.held = false
	}
	admit()
}

// Ended says that the context was closed while the operation ran: from inside
// one of its callbacks, or by a Close that it kept from ending. It must not
// announce anything more.
func (o *Operation) Ended() bool {
	mu.Lock()
	defer mu.Unlock()
	return o.turn.state == closed
}

// Close lets no operation begin on t any more, and returns when those under
// way have ended, save the ones that rule 4 excepts. It reports false, at
// once, when another Close came first. The caller must not be inside an
// operation's step, only inside a callback or outside.
func (t *Turn) Close(inside Token) bool {
	mu.Lock()
	if t.state != open {
		mu.Unlock()
		return false
	}
	t.state = closing
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
	t.state = closed
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
		turn.held = false
	}
}

// await puts w last in the line and returns once it was admitted. It is called
// with mu held and returns with mu free.
func await(w *waiter) {
	w.admitted = make(chan struct{})
	waiting = append(waiting, w)
	admit()
	mu.Unlock()
	<-w.admitted
}

// admit hands to each waiter, oldest first, what it wants if all of it is
// free. It runs after every change that could let one go on. mu is held.
func admit() {
	kept := waiting[:0]
	for _, w := range waiting {
		if !w.admissible() {
			kept = append(kept, w)
			continue
		}
		for _, turn := range w.wants {
			turn.held = true
		}
		close(w.admitted)
	}
	clear(waiting[len(kept):])
	waiting = kept
}

// admissible says whether all that w waits for is the case. mu is held.
func (w *waiter) admissible() bool {
	for _, turn := range w.wants {
		if turn.held {
			return false
		}
	}
	return w.ready == nil || w.ready()
}
