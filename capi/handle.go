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
	manager *core.Manager
	turn    turn.Turn
	events  C.SdsReply // the event callback, if its function is not 0; guarded by the turn
	hints   hints
	timer   timer
}

// handle outlives its context, for as long as the process does: its address
// was given to the host, so it must not come back as another one's. What stays
// of a context that was cleaned up is about a quarter of a kilobyte.
type handle struct {
	context atomic.Pointer[context]
}

// issued holds the addresses of all handles. A value that the host passes is
// looked up here before it is ever taken for a pointer: Go's runtime ends the
// process when it finds a small number in one.
var issued = struct {
	sync.RWMutex
	pointers map[uintptr]unsafe.Pointer
}{pointers: map[uintptr]unsafe.Pointer{}}

func newHandle(c *context) unsafe.Pointer {
	h := &handle{}
	h.context.Store(c)
	address := pointer.Save(h)
	C.sdsRemember(address)
	issued.Lock()
	defer issued.Unlock()
	issued.pointers[uintptr(address)] = address
	return address
}

// handleOf returns the handle at an address, or nil when it was never given
// out.
func handleOf(address C.uintptr_t) *handle {
	issued.RLock()
	known, ok := issued.pointers[uintptr(address)]
	issued.RUnlock()
	if !ok {
		return nil
	}
	h, _ := pointer.Restore(known).(*handle)
	return h
}

// contextOf returns the context of an address, or nil when there is none (any
// longer).
func contextOf(address C.uintptr_t) *context {
	if h := handleOf(address); h != nil {
		return h.context.Load()
	}
	return nil
}
