package main

/*
#include "bridge.h"
*/
import "C"

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/mattn/go-pointer"

	"github.com/libsds/libsds/capi/internal/turn"
	"github.com/libsds/libsds/core"
)

// context is what a handle stands for: one manager and how its host is called
// back.
type context struct {
	manager     *core.Manager
	mostContent int // what the configuration allows
	turn        turn.Turn
	receivers
	hints    hints
	timer    timer
	overhead atomic.Int64 // what the largest payload had beside its content
}

// handle outlives its context, for as long as the process does: its address
// was given to the host, so it must not come back as another one's. What stays
// of a context that was cleaned up is about a quarter of a kilobyte.
type handle struct {
	context atomic.Pointer[context]
}

// issued holds all handles by their addresses. A value that the host passes is
// looked up here and is never taken for a pointer: Go's runtime ends the process
// when it finds a small number in one.
var issued = struct {
	sync.RWMutex
	handles map[uintptr]*handle
}{handles: map[uintptr]*handle{}}

// newHandle returns the address that names a context; nil without memory.
func newHandle(c *context) unsafe.Pointer {
	// go-pointer cannot say that there is no memory: its byte ends the process then.
	// Where there was room for this, there will be for a byte.
	room := C.sdsRoomToRemember()
	if room == nil {
		return nil
	}
	h := &handle{}
	h.context.Store(c)
	address := pointer.Save(h)
	C.sdsRemember(room, address)
	issued.Lock()
	defer issued.Unlock()
	issued.handles[uintptr(address)] = h
	return address
}

// handleOf returns the handle at an address, or nil when it was never given
// out.
func handleOf(address C.uintptr_t) *handle {
	issued.RLock()
	defer issued.RUnlock()
	return issued.handles[uintptr(address)]
}

// contextOf returns the context of an address, or nil when there is none (any
// longer).
func contextOf(address C.uintptr_t) *context {
	if h := handleOf(address); h != nil {
		return h.context.Load()
	}
	return nil
}
