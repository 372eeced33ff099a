package main

/*
#include "bridge.h"
#include <stdlib.h>
*/
import "C"

import (
	"sync/atomic"
	"unsafe"

	"github.com/libsds/libsds/core/limits"
	"github.com/libsds/libsds/internal/cblock"
)

// hints is how a context asks its host for retrieval hints. The core asks while
// a message is wrapped, with the channel locked. The host must not be asked
// while another callback of the context runs, so a wrap that may ask takes its
// turn first: turn before lock, everywhere.
type hints struct {
	provider atomic.Pointer[C.SdsReply] // nil: none; changed only in turn
	// unordered counts the wraps that began without a provider, and so without
	// the turn. They do not ask one that is set while they run.
	unordered atomic.Int32
}

// setHints sets the provider, in turn: when it returns, the one before is not
// called any more, and its user data may go.
func (c *context) setHints(provider C.SdsReply) {
	if provider.function == 0 {
		c.manager.SetHints(nil)
		c.hints.provider.Store(nil)
		return
	}
	c.hints.provider.Store(&provider)
	c.manager.SetHints(func(_, messageID string) []byte { return c.hints.ask(messageID) })
}

// askingHints runs a wrap, in turn where it may ask for hints.
func (c *call) askingHints(wrap func() ([]byte, error)) ([]byte, error) {
	if c.hints.provider.Load() == nil {
		c.hints.unordered.Add(1)
		defer c.hints.unordered.Add(-1)
	} else {
		c.operation.Take()
	}
	return wrap()
}

// ask asks the host where a message can be found. An answer of nil is not
// final: the core asks again when it next cites the message.
func (h *hints) ask(messageID string) []byte {
	if h.unordered.Load() > 0 {
		return nil // this may be one of them
	}
	provider := h.provider.Load()
	if provider == nil {
		return nil
	}
	id := append(cblock.AppendName(nil, messageID), 0)
	var size C.size_t
	hint := C.sdsAskHint(*provider, (*C.char)(unsafe.Pointer(&id[0])), &size)
	if hint == nil {
		return nil
	}
	defer C.free(unsafe.Pointer(hint))
	// One byte more than is allowed is enough for the core to see that.
	return C.GoBytes(unsafe.Pointer(hint), C.int(min(size, limits.MaxHintBytes+1)))
}
