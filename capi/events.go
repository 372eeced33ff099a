package main

/*
#include "bridge.h"
*/
import "C"

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/libsds/libsds/capi/internal/text"
	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/limits"
)

// receivers are who gets the events of a context. They are set in turn: then the
// one before is not called any more, though it may still be inside a nested call
// of its own that waits.
type receivers struct {
	callback C.SdsReply  // gets JSON, if its function is not 0
	handler  C.SdsReply  // gets structs, if its function is not 0
	listens  atomic.Bool // there is one
	spare    eventMemory // of the last event; none while a handler has it
}

// listen sees to it that events are kept while nobody gets them.
func (c *context) listen() {
	listens := c.callback.function != 0 || c.handler.function != 0
	c.listens.Store(listens)
	if listens {
		c.manager.KeepEvents(0)
	} else {
		c.manager.KeepEvents(limits.KeptEvents)
	}
}

// announce delivers the waiting events of the context, whichever operation they
// are of, in their order: operations queue them while their channel is locked,
// so none is overtaken. The operation has the turn.
//
// Receivers may replace themselves or close the context; what is left then goes to
// the new ones or nowhere.
func (c *call) announce() {
	for c.listens.Load() && !c.operation.Ended() {
		event, ok := c.manager.NextEvent()
		if !ok {
			return
		}
		_ = contain(func() { c.deliver(&event) }) // an event that cannot be written is lost
	}
}

// eventTexts are buffers for the JSON of events, which need not outlive their
// callback.
var eventTexts = sync.Pool{New: func() any { return new([]byte) }}

// mostKept is the size up to which a buffer is used again.
const mostKept = 256 << 10

func (c *call) deliver(event *core.Event) {
	if c.callback.function != 0 {
		c.deliverText(event)
	}
	if c.handler.function != 0 && !c.operation.Ended() {
		c.deliverStruct(event)
	}
}

func (c *call) deliverStruct(event *core.Event) {
	memory := c.spare
	c.spare = eventMemory{} // the handler may make calls that deliver events, too
	defer c.putBack(&memory)
	C.sdsHandle(c.handler, newEvent(event, &memory), c.token())
}

// putBack keeps memory for the next event, unless it is large, there is some
// already, or there will be no next event.
func (c *call) putBack(memory *eventMemory) {
	if c.spare.block != nil || memory.instead != nil || memory.size > mostKept || c.operation.Ended() {
		memory.free()
		return
	}
	c.spare = *memory
}

func (c *call) deliverText(event *core.Event) {
	buffer := eventTexts.Get().(*[]byte)
	defer eventTexts.Put(buffer)
	json := append(text.AppendEvent((*buffer)[:0], event), 0)
	if cap(json) <= mostKept {
		*buffer = json
	}
	C.sdsInvoke(c.callback, C.RET_OK, (*C.char)(unsafe.Pointer(&json[0])), C.size_t(len(json)-1), c.token())
}
