package main

/*
#include "bridge.h"
#include <stdlib.h>
*/
import "C"

import (
	"fmt"
	"math"
	"sync"
	"unsafe"

	"github.com/libsds/libsds/capi/internal/text"
	"github.com/libsds/libsds/capi/internal/turn"
	"github.com/libsds/libsds/core"
	callbacks "github.com/libsds/libsds/persistence_callbacks"
)

// mostMarked bounds how many ids one call can mark as met: it is the bound of
// reading an array whose size only the host knows.
const mostMarked = 1_000_000

//export sdsGoOpen
func sdsGoOpen(participantID, config C.SdsText, reply C.SdsReply) (address unsafe.Pointer) {
	if err := containing(func() error {
		c, err := open(stringOf(participantID), stringOf(config))
		if err != nil {
			return err
		}
		if address = newHandle(c); address == nil {
			c.manager.Close()
			return core.ErrOutOfMemory
		}
		return nil
	}); err != nil {
		give(reply, wrong(reason(err)), reply.inside)
		return nil
	}
	give(reply, done(), reply.inside)
	return address
}

// configVariable names the configuration of hosts that pass none.
var configVariable = C.CString("SDS_CONFIG")

func open(participantID, json string) (*context, error) {
	makePlaces()
	source := ""
	if json == "" {
		// The host's environment as it is now; Go's own copy is that of the
		// moment of loading.
		json, source = C.GoString(C.getenv(configVariable)), "in the environment variable SDS_CONFIG: "
	}
	config := core.DefaultConfig()
	if json != "" {
		var err error
		if config, err = core.ParseConfig([]byte(json)); err != nil {
			return nil, fmt.Errorf("%s%w", source, err)
		}
	}
	manager, err := core.New(core.Options{ParticipantID: participantID, Config: &config, Logger: logger})
	if err != nil {
		return nil, err
	}
	return &context{manager: manager, mostContent: config.Limits.MaxContentBytes}, nil
}

//export sdsGoSetEventCallback
func sdsGoSetEventCallback(address C.uintptr_t, callback C.SdsReply) {
	performSilently(address, callback.inside, func(c *call) {
		c.callback = callback
		c.listen()
		c.announce() // what happened while there was none
	})
}

//export sdsGoSetHintProvider
func sdsGoSetHintProvider(address C.uintptr_t, provider C.SdsReply) {
	performSilently(address, provider.inside, func(c *call) { c.setHints(provider) })
}

//export sdsGoCleanup
func sdsGoCleanup(address C.uintptr_t, reply C.SdsReply) C.int {
	if !closeContext(address, reply.inside) {
		return give(reply, refused(invalidContext), reply.inside)
	}
	return give(reply, answer{returned: C.RET_OK, status: C.RET_OK}, reply.inside)
}

// closeContext ends a context, and tells whether there was one that nobody else
// is closing.
func closeContext(address C.uintptr_t, inside C.uint64_t) bool {
	h := handleOf(address)
	if h == nil {
		return false
	}
	c := h.context.Load()
	if c == nil || !c.turn.Close(turn.Token(inside)) {
		return false
	}
	h.context.Store(nil)
	_ = contain(func() { // the context is gone either way
		c.stop()
		c.manager.Close()
		c.spare.free()
	})
	return true
}

//export sdsGoReset
func sdsGoReset(address C.uintptr_t, reply C.SdsReply) C.int {
	return perform(resetManager, address, reply, func(c *call) answer {
		if err := c.manager.Reset(); err != nil {
			return failed(resetManager, err)
		}
		return done()
	})
}

// payloads are buffers for wire bytes on their way to being text.
var payloads = sync.Pool{New: func() any { return new([]byte) }}

//export sdsGoWrap
func sdsGoWrap(address C.uintptr_t, message unsafe.Pointer, size C.size_t, messageID, channelID C.SdsText, reply C.SdsReply) C.int {
	return perform(wrapMessage, address, reply, func(c *call) answer {
		switch {
		case message == nil && size > 0:
			return wrong("message pointer is NULL but length > 0")
		case messageID.data == nil:
			return wrong("message ID pointer is NULL")
		case channelID.data == nil:
			return wrong("channel ID pointer is NULL")
		case channelID.size == 0:
			return wrong("channel ID is empty string")
		case messageID.size == 0:
			return wrong("message ID is empty string")
		}
		buffer := payloads.Get().(*[]byte)
		defer payloads.Put(buffer)
		payload, err := c.askingHints(func() ([]byte, error) {
			return c.manager.Wrap((*buffer)[:0], stringOf(channelID), stringOf(messageID), bytesOf(message, size))
		})
		if err != nil {
			return failed(wrapMessage, err)
		}
		if cap(payload) <= mostKept {
			*buffer = payload
		}
		return succeeded(wrapMessage, text.DecimalBound(len(payload)), func(dst []byte) []byte { return text.AppendDecimal(dst, payload) })
	})
}

//export sdsGoUnwrap
func sdsGoUnwrap(address C.uintptr_t, message unsafe.Pointer, size C.size_t, reply C.SdsReply) C.int {
	return perform(unwrapMessage, address, reply, func(c *call) answer {
		if message == nil && size > 0 {
			return wrong("message pointer is NULL but length > 0")
		}
		unwrapped, err := c.manager.Unwrap(bytesOf(message, size))
		if err != nil {
			return failed(unwrapMessage, err)
		}
		return succeeded(unwrapMessage, text.UnwrappedBound(&unwrapped), func(dst []byte) []byte { return text.AppendUnwrapped(dst, &unwrapped) })
	})
}

//export sdsGoMarkMet
func sdsGoMarkMet(address C.uintptr_t, messageIDs **C.char, count C.size_t, channelID C.SdsText, reply C.SdsReply) C.int {
	return perform(markDependenciesMet, address, reply, func(c *call) answer {
		switch {
		case messageIDs == nil && count > 0:
			return wrong("MessageIDs pointer is NULL but count > 0")
		case channelID.data == nil:
			return wrong("channel ID pointer is NULL")
		case channelID.size == 0:
			return wrong("channel ID is empty string")
		case count > mostMarked:
			return wrong(fmt.Sprintf("more than %d message IDs in one call", mostMarked))
		}
		ids := make([]string, count)
		for i, id := range unsafe.Slice(messageIDs, count) {
			if id == nil {
				return wrong("message ID pointer is NULL")
			}
			if ids[i] = C.GoString(id); ids[i] == "" {
				return wrong("message ID is empty string")
			}
		}
		if err := c.manager.MarkDependenciesMet(stringOf(channelID), ids); err != nil {
			return failed(markDependenciesMet, err)
		}
		return done()
	})
}

//export sdsGoStart
func sdsGoStart(address C.uintptr_t, reply C.SdsReply) C.int {
	return perform(startTasks, address, reply, func(c *call) answer {
		if err := c.start(); err != nil {
			return failed(startTasks, err)
		}
		return done()
	})
}

//export sdsGoRemoveChannel
func sdsGoRemoveChannel(address C.uintptr_t, channelID C.SdsText, reply C.SdsReply) C.int {
	return perform(removeChannel, address, reply, func(c *call) answer {
		switch {
		case channelID.data == nil:
			return wrong("channel ID pointer is NULL")
		case channelID.size == 0:
			return wrong("channel ID is empty string")
		}
		if err := c.manager.RemoveChannel(stringOf(channelID)); err != nil {
			return failed(removeChannel, err)
		}
		return done()
	})
}

//export sdsGoSetPersistence
func sdsGoSetPersistence(address C.uintptr_t, procedures unsafe.Pointer, userData C.uintptr_t, inside C.uint64_t, explanation **C.char) C.int {
	return operate(address, inside, explanation, func(c *call) error { return c.setPersistence(procedures, uintptr(userData)) })
}

func (c *context) setPersistence(procedures unsafe.Pointer, userData uintptr) error {
	if procedures == nil {
		return c.manager.SetBackend(nil)
	}
	backend, err := callbacks.New(procedures, userData)
	if err != nil {
		return err
	}
	return c.manager.SetBackend(backend)
}

// What follows is called from inside the procedures. A panic there has nobody to
// tell but the log; the procedure goes on.

//export sdsGoLoadMeta
func sdsGoLoadMeta(call C.uintptr_t, meta unsafe.Pointer, size C.size_t) {
	_ = contain(func() { callbacks.LoadMeta(uintptr(call), meta, uintptr(size)) })
}

//export sdsGoLoadMessage
func sdsGoLoadMessage(call C.uintptr_t, message unsafe.Pointer, size C.size_t) {
	_ = contain(func() { callbacks.LoadMessage(uintptr(call), message, uintptr(size)) })
}

//export sdsGoLoadHint
func sdsGoLoadHint(call C.uintptr_t, messageID C.SdsText, hint unsafe.Pointer, size C.size_t) {
	_ = contain(func() { callbacks.LoadHint(uintptr(call), viewOf(messageID), hint, uintptr(size)) })
}

//export sdsGoFail
func sdsGoFail(call C.uintptr_t, reason C.SdsText) {
	_ = contain(func() { callbacks.Fail(uintptr(call), viewOf(reason)) })
}

// viewOf is a view of a string of the host; nil is NULL.
func viewOf(t C.SdsText) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(t.data)), t.size)
}

// stringOf copies a string of the host.
func stringOf(t C.SdsText) string {
	return string(viewOf(t))
}

// bytesOf is a view of memory of the host, for the duration of the call. A host
// may claim any size: the core looks at the length before it looks at the
// bytes, and no configuration lets it accept as much as this.
func bytesOf(data unsafe.Pointer, size C.size_t) []byte {
	return unsafe.Slice((*byte)(data), min(size, math.MaxInt32))
}
