package main

/*
#include "../persistence_callbacks/procedures.h"
#include "bridge.h"
#include <stdlib.h>
*/
import "C"

import (
	"unsafe"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/internal/cblock"
)

// The structs that the host reads, each with all that it points to in one block
// of C memory: the struct, its tables of pointers, and then ids and bytes.

const (
	unwrappedSize  = int(unsafe.Sizeof(C.SdsUnwrapped{}))
	eventSize      = int(unsafe.Sizeof(C.SdsEvent{}))
	dependencySize = int(unsafe.Sizeof(C.SdsDependency{}))
	pointerSize    = int(unsafe.Sizeof((*C.char)(nil)))
)

// newBlock returns memory for tables and, behind them, for size bytes; nil when
// there is none.
func newBlock(tables, size int) (unsafe.Pointer, cblock.Room) {
	block := C.sdsAllocateBlock(C.size_t(tables), C.size_t(tables+size))
	if block == nil {
		return nil, nil
	}
	return block, cblock.NewRoom(block, tables, size)
}

// newUnwrapped returns a received message for the host, or nil without memory.
func newUnwrapped(u *core.Unwrapped) *C.SdsUnwrapped {
	tables := unwrappedSize + len(u.Missing)*dependencySize
	size := len(u.Content) + nameSize(u.ChannelID) + nameSize(u.MessageID) + nameSize(u.SenderID) + dependenciesSize(u.Missing)
	block, room := newBlock(tables, size)
	if block == nil {
		return nil
	}
	result := (*C.SdsUnwrapped)(block)
	*result = C.SdsUnwrapped{
		size: C.uint32_t(unwrappedSize), kind: C.uint32_t(u.Kind),
		contentLen: C.size_t(len(u.Content)), lamport: C.uint64_t(u.Lamport),
		duplicate: flag(u.Duplicate), buffered: flag(u.Buffered),
		missingCount: C.size_t(len(u.Missing)),
	}
	result.channelId = cName(&room, u.ChannelID)
	result.messageId = cName(&room, u.MessageID)
	result.senderId = cName(&room, u.SenderID)
	result.missing = putDependencies(unsafe.Add(block, unwrappedSize), &room, u.Missing)
	result.content = cBytes(&room, u.Content)
	return result
}

// eventMemory is a block that the host has for the time of a handler, and that is
// used again.
type eventMemory struct {
	block unsafe.Pointer // nil: none
	size  int
	// instead has the memory where malloc had none: an event must not get lost,
	// and without memory of its own this runtime could not go on anyway.
	instead []uint64 // aligned for pointers
}

// leastMemory has room for most events.
const leastMemory = 1 << 10

// take is newBlock in this memory, which grows where it has to.
func (m *eventMemory) take(tables, size int) (unsafe.Pointer, cblock.Room) {
	if tables+size > m.size {
		m.free()
		m.size = max(tables+size, leastMemory)
		if m.block, _ = newBlock(0, m.size); m.block == nil {
			m.instead = make([]uint64, (m.size+7)/8)
			m.block = unsafe.Pointer(&m.instead[0])
		}
	}
	clear(unsafe.Slice((*byte)(m.block), tables))
	return m.block, cblock.NewRoom(m.block, tables, size)
}

func (m *eventMemory) free() {
	if m.instead == nil {
		C.free(m.block)
	}
	*m = eventMemory{}
}

// newEvent returns an event for the host, in memory.
func newEvent(e *core.Event, memory *eventMemory) *C.SdsEvent {
	message := e.Message
	if e.Type == core.MessageReady {
		message = e.Content
	}
	hasIDs := e.Type != core.PeriodicSync
	tables := eventSize + len(e.Deps)*dependencySize + len(e.ChannelIDs)*pointerSize
	size := len(message) + nameSize(e.ChannelID) + nameSize(e.MessageID) + dependenciesSize(e.Deps)
	for _, id := range e.ChannelIDs {
		size += nameSize(id)
	}
	block, room := memory.take(tables, size)
	event := (*C.SdsEvent)(block)
	*event = C.SdsEvent{
		size: C.uint32_t(eventSize), _type: C.uint32_t(e.Type),
		messageLen: C.size_t(len(message)), depCount: C.size_t(len(e.Deps)),
		attempts: C.uint32_t(e.Attempts), channelCount: C.size_t(len(e.ChannelIDs)),
	}
	if hasIDs {
		event.channelId = cName(&room, e.ChannelID)
		event.messageId = cName(&room, e.MessageID)
	}
	event.deps = putDependencies(unsafe.Add(block, eventSize), &room, e.Deps)
	if n := len(e.ChannelIDs); n > 0 {
		ids := unsafe.Slice((**C.char)(unsafe.Add(block, eventSize+len(e.Deps)*dependencySize)), n)
		event.channelIds = &ids[0]
		for i, id := range e.ChannelIDs {
			ids[i] = cName(&room, id)
		}
	}
	event.message = cBytes(&room, message)
	return event
}

func nameSize(id string) int { return cblock.NameLen(id) + 1 }

func dependenciesSize(dependencies []core.Dependency) (size int) {
	for i := range dependencies {
		d := &dependencies[i]
		size += nameSize(d.ID) + nameSize(d.SenderID) + len(d.Hint)
	}
	return size
}

// putDependencies fills a table, and returns it; nil when there are none.
func putDependencies(table unsafe.Pointer, room *cblock.Room, dependencies []core.Dependency) *C.SdsDependency {
	if len(dependencies) == 0 {
		return nil
	}
	rows := unsafe.Slice((*C.SdsDependency)(table), len(dependencies))
	for i := range dependencies {
		d := &dependencies[i]
		rows[i] = C.SdsDependency{
			messageId: cName(room, d.ID), senderId: cName(room, d.SenderID),
			hint: cBytes(room, d.Hint), hintLen: C.size_t(len(d.Hint)),
		}
	}
	return &rows[0]
}

func cName(room *cblock.Room, id string) *C.char { return (*C.char)(room.Name(id)) }

func cBytes(room *cblock.Room, data []byte) *C.uint8_t { return (*C.uint8_t)(room.Bytes(data)) }

func flag(set bool) C.uint32_t {
	if set {
		return 1
	}
	return 0
}
