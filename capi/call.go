package main

/*
#include "bridge.h"
*/
import "C"

import (
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/libsds/libsds/capi/internal/turn"
	"github.com/libsds/libsds/core"
)

// call is one call of the host, or one run of the timer, on one context.
type call struct {
	*context
	operation turn.Operation
}

// calls are used again: there is one for every message.
var calls = sync.Pool{New: func() any { return new(call) }}

// begin returns nil when there is no such context, or no longer. The caller
// must call end.
func begin(address C.uintptr_t, inside C.uint64_t) *call {
	c := contextOf(address)
	if c == nil {
		return nil
	}
	return c.begin(turn.Token(inside))
}

func (c *context) begin(inside turn.Token) *call {
	one := calls.Get().(*call)
	if !c.turn.Begin(&one.operation, inside) {
		calls.Put(one)
		return nil
	}
	one.context = c
	return one
}

// end ends a call, which is another one's from then on.
func (c *call) end() {
	c.operation.End()
	c.context = nil
	calls.Put(c)
}

// perform carries out a call: it runs step, which says how the call answers,
// then announces the events, then answers. Only the last two are done in turn,
// so that operations on different channels run side by side.
//
// The answer goes to the host even when an event callback of the same call has
// cleaned the context up: exactly one callback per call.
func perform(r request, address C.uintptr_t, reply C.SdsReply, step func(*call) answer) C.int {
	c := begin(address, reply.inside)
	if c == nil {
		return give(reply, refused(invalidContext), reply.inside)
	}
	defer c.end()
	var a answer
	if err := contain(func() { a = step(c) }); err != nil {
		a = failed(r, err)
	}
	c.operation.Take()
	_ = contain(c.announce) // the answer is owed in any case
	return give(reply, a, c.token())
}

// performSilently carries out a call that has no callback, in turn.
func performSilently(address C.uintptr_t, inside C.uint64_t, step func(*call)) {
	c := begin(address, inside)
	if c == nil {
		return
	}
	defer c.end()
	c.operation.Take()
	_ = contain(func() { step(c) }) // there is nobody to tell but the log
}

// contain runs step. A panic, which is a defect of ours, becomes an internal
// error: across the border to C it would end the host.
func contain(step func()) (err error) {
	defer func() {
		if problem := recover(); problem != nil {
			logger.Error("the library panicked", "panic", fmt.Sprint(problem), "stack", string(debug.Stack()))
			err = fmt.Errorf("%w: %v", core.ErrInternal, problem)
		}
	}()
	step()
	return nil
}

// give calls the host back with an answer. Calls from inside that callback come
// from the operation named by inside.
func give(reply C.SdsReply, a answer, inside C.uint64_t) C.int {
	C.sdsInvoke(reply, a.status, a.text, a.size, inside)
	if a.retained {
		retain(a.text)
	}
	return a.returned
}

// settle announces the events that are owed before a call returns. Where another
// call has taken them, it has the turn until they are delivered.
func (c *call) settle() {
	if !c.listens.Load() || !c.manager.HasEvents() && !c.turn.Held() {
		return
	}
	c.operation.Take()
	_ = contain(c.announce)
}

// operate carries out a call that returns a status: it runs step, then announces
// the events.
func operate(address C.uintptr_t, inside C.uint64_t, explanation **C.char, step func(*call) error) C.int {
	c := begin(address, inside)
	if c == nil {
		return outcome(errInvalidContext, explanation)
	}
	defer c.end()
	err := containing(func() error { return step(c) })
	c.settle()
	return outcome(err, explanation)
}

func (c *call) token() C.uint64_t { return C.uint64_t(c.operation.Token()) }
