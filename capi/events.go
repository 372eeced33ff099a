package main

/*
#include "bridge.h"
*/
import "C"

import (
	"sync"
	"unsafe"

	"github.com/libsds/libsds/capi/internal/text"
	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/limits"
)

// setEvents sets the event callback, in turn: when it returns, the one before
// is not called any more, though it may still be inside a nested call of its
// own that waits. What happened while there was none is announced at once.
func (c *call) setEvents(callback C.SdsReply) {
	c.events = callback
	if callback.function == 0 {
		c.manager.KeepEvents(limits.KeptEvents)
		return
	}
	c.manager.KeepEvents(0)
	c.announce()
}

// announce delivers the waiting events of the context, whichever operation they
// are of, in their order: operations queue them while their channel is locked,
// so none is overtaken. The operation has the turn.
//
// The callback may replace itself or clean the context up; the events that are
// left then go to the new one or nowhere.
func (c *call) announce() {
	for c.events.function != 0 && !c.operation.Ended() {
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
	buffer := eventTexts.Get().(*[]byte)
	defer eventTexts.Put(buffer)
	json := append(text.AppendEvent((*buffer)[:0], event), 0)
	if cap(json) <= mostKept {
		*buffer = json
	}
	C.sdsInvoke(c.events, C.RET_OK, (*C.char)(unsafe.Pointer(&json[0])), C.size_t(len(json)-1), c.token())
}
