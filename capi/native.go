package main

/*
#include "../persistence_callbacks/procedures.h"
#include "bridge.h"
#include <stdlib.h>
*/
import "C"

import (
	"encoding/json"
	"fmt"
	"unsafe"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/internal/cblock"
)

// The functions of the native API. What they give the host is allocated with
// malloc, in one block each; the shim has set their outputs to NULL and 0.

//export sdsGoOpenNative
func sdsGoOpenNative(options C.SdsOptionsRead, ctx *C.uintptr_t, explanation **C.char) C.int {
	err := containing(func() error {
		c, err := open(nameOf(options.participantId), stringOf(options.configJson))
		if err != nil {
			return err
		}
		if err := c.furnish(&options); err != nil {
			c.manager.Close()
			return err
		}
		address := newHandle(c)
		if address == nil {
			c.manager.Close()
			return core.ErrOutOfMemory
		}
		*ctx = C.uintptr_t(uintptr(address))
		return nil
	})
	return outcome(err, explanation)
}

// furnish sets what the host provides. Nobody else knows the context yet.
func (c *context) furnish(options *C.SdsOptionsRead) error {
	if options.persistence != nil {
		if err := c.setPersistence(options.persistence, uintptr(options.persistenceUserData)); err != nil {
			return err
		}
	}
	c.handler = options.eventHandler
	c.listen()
	c.setHints(options.hintProvider)
	return nil
}

//export sdsGoClose
func sdsGoClose(address C.uintptr_t, inside C.uint64_t) C.int {
	if !closeContext(address, inside) {
		return C.SDS_ERR_INVALID_CONTEXT
	}
	return C.SDS_OK
}

//export sdsGoSetEventHandler
func sdsGoSetEventHandler(address C.uintptr_t, handler C.SdsReply) C.int {
	return operate(address, handler.inside, nil, func(c *call) error {
		c.operation.Take()
		c.handler = handler
		c.listen()
		return nil
	})
}

//export sdsGoWrapNative
func sdsGoWrapNative(address C.uintptr_t, channelID, messageID C.SdsText, content unsafe.Pointer, size C.size_t, output C.SdsBytes, inside C.uint64_t, explanation **C.char) C.int {
	return operate(address, inside, explanation, func(c *call) error {
		if err := checkArguments(channelArgument(channelID), messageArgument(messageID), contentArgument(content, size)); err != nil {
			return err
		}
		if size > C.size_t(c.mostContent) { // the core would be shown less
			return fmt.Errorf("%w: content is too large: %d bytes, more than maxContentBytes (%d)", core.ErrMessageTooLarge, uint64(size), c.mostContent)
		}
		return c.send(output, int(size), func(dst []byte) ([]byte, error) {
			return c.askingHints(func() ([]byte, error) {
				return c.manager.Wrap(dst, nameOf(channelID), nameOf(messageID), bytesOf(content, size))
			})
		})
	})
}

//export sdsGoWrapSync
func sdsGoWrapSync(address C.uintptr_t, channelID C.SdsText, output C.SdsBytes, inside C.uint64_t, explanation **C.char) C.int {
	return operate(address, inside, explanation, func(c *call) error {
		if err := checkArguments(channelArgument(channelID)); err != nil {
			return err
		}
		return c.send(output, 0, func(dst []byte) ([]byte, error) {
			return c.askingHints(func() ([]byte, error) { return c.manager.WrapSync(dst, nameOf(channelID)) })
		})
	})
}

//export sdsGoWrapEphemeral
func sdsGoWrapEphemeral(address C.uintptr_t, channelID, messageID C.SdsText, content unsafe.Pointer, size C.size_t, output C.SdsBytes, inside C.uint64_t, explanation **C.char) C.int {
	return operate(address, inside, explanation, func(c *call) error {
		if err := checkArguments(channelArgument(channelID), messageArgument(messageID), contentArgument(content, size)); err != nil {
			return err
		}
		if size > C.size_t(c.mostContent) { // the core would be shown less
			return fmt.Errorf("%w: content is too large: %d bytes, more than maxContentBytes (%d)", core.ErrMessageTooLarge, uint64(size), c.mostContent)
		}
		return c.send(output, int(size), func(dst []byte) ([]byte, error) {
			return c.manager.WrapEphemeral(dst, nameOf(channelID), nameOf(messageID), bytesOf(content, size))
		})
	})
}

//export sdsGoUnwrapNative
func sdsGoUnwrapNative(address C.uintptr_t, message unsafe.Pointer, size C.size_t, result **C.SdsUnwrapped, inside C.uint64_t, explanation **C.char) C.int {
	return operate(address, inside, explanation, func(c *call) error {
		if message == nil && size > 0 {
			return wrongArgument("message pointer is NULL but length > 0")
		}
		unwrapped, err := c.manager.Unwrap(bytesOf(message, size))
		if err != nil {
			return err
		}
		block := newUnwrapped(&unwrapped)
		if block == nil {
			return core.ErrOutOfMemory
		}
		*result = block
		return nil
	})
}

//export sdsGoMarkMetNative
func sdsGoMarkMetNative(address C.uintptr_t, channelID C.SdsText, messageIDs **C.char, count C.size_t, inside C.uint64_t, explanation **C.char) C.int {
	return operate(address, inside, explanation, func(c *call) error {
		if err := checkArguments(channelArgument(channelID)); err != nil {
			return err
		}
		ids, err := namesOf(messageIDs, count)
		if err != nil {
			return err
		}
		return c.manager.MarkDependenciesMet(nameOf(channelID), ids)
	})
}

//export sdsGoEnsureChannel
func sdsGoEnsureChannel(address C.uintptr_t, channelID C.SdsText, inside C.uint64_t, explanation **C.char) C.int {
	return onChannel(address, channelID, inside, explanation, func(c *call, id string) error { return c.manager.EnsureChannel(id) })
}

//export sdsGoDropChannel
func sdsGoDropChannel(address C.uintptr_t, channelID C.SdsText, inside C.uint64_t, explanation **C.char) C.int {
	return onChannel(address, channelID, inside, explanation, func(c *call, id string) error { return c.manager.RemoveChannel(id) })
}

//export sdsGoResetNative
func sdsGoResetNative(address C.uintptr_t, inside C.uint64_t, explanation **C.char) C.int {
	return operate(address, inside, explanation, func(c *call) error { return c.manager.Reset() })
}

//export sdsGoStartNative
func sdsGoStartNative(address C.uintptr_t, inside C.uint64_t, explanation **C.char) C.int {
	return operate(address, inside, explanation, func(c *call) error { return c.start() })
}

//export sdsGoTick
func sdsGoTick(address C.uintptr_t, now C.int64_t, next *C.int64_t, inside C.uint64_t, explanation **C.char) C.int {
	return operate(address, inside, explanation, func(c *call) error {
		due, err := c.tickForHost(int64(now))
		*next = C.int64_t(due)
		return err
	})
}

//export sdsGoChannels
func sdsGoChannels(address C.uintptr_t, output **C.char, inside C.uint64_t, explanation **C.char) C.int {
	return operate(address, inside, explanation, func(c *call) error { return tell(output, c.manager.Overview()) })
}

//export sdsGoInspect
func sdsGoInspect(address C.uintptr_t, channelID C.SdsText, output **C.char, inside C.uint64_t, explanation **C.char) C.int {
	return onChannel(address, channelID, inside, explanation, func(c *call, id string) error {
		inspection, err := c.manager.Inspect(id)
		if err != nil {
			return err
		}
		return tell(output, inspection)
	})
}

//export sdsGoStats
func sdsGoStats(address C.uintptr_t, output **C.char, inside C.uint64_t, explanation **C.char) C.int {
	return operate(address, inside, explanation, func(c *call) error { return tell(output, c.stats()) })
}

// onChannel is operate for what takes a channel and nothing else.
func onChannel(address C.uintptr_t, channelID C.SdsText, inside C.uint64_t, explanation **C.char, step func(*call, string) error) C.int {
	return operate(address, inside, explanation, func(c *call) error {
		if err := checkArguments(channelArgument(channelID)); err != nil {
			return err
		}
		return step(c, nameOf(channelID))
	})
}

// spare is the room that a payload is given beyond what the largest one so far
// had beside its content: names and hints differ in length.
const spare = 512

// afterward is how much behind a payload is set to 0, if it is there: functions of
// Go's runtime read a word that begins within a string, and what a host gives back
// to be unwrapped shall not look uninitialised to memory checkers.
const afterward = 16

// send makes a payload in the block that the host gets, whose size is guessed
// from the payloads before.
func (c *call) send(output C.SdsBytes, contentLen int, wrap func(dst []byte) ([]byte, error)) error {
	size := contentLen + int(c.overhead.Load()) + spare
	block, room := newBlock(0, size)
	if block == nil {
		return fmt.Errorf("%w: for a payload of some %d bytes", core.ErrOutOfMemory, size)
	}
	payload, err := wrap(room[:0])
	if err != nil {
		C.free(block)
		return err
	}
	c.noteOverhead(len(payload) - contentLen)
	if rest := size - len(payload); unsafe.SliceData(payload) == &room[0] && rest <= worthShrinking {
		clear(room[len(payload):][:min(rest, afterward)])
	} else if block, err = moved(block, payload); err != nil {
		return err
	}
	*output.data, *output.size = (*C.uint8_t)(block), C.size_t(len(payload))
	return nil
}

// moved puts a payload into a block of its own size: one that does not fit the
// guess is in memory of the core's, and one that is much smaller wastes it.
func moved(block unsafe.Pointer, payload []byte) (unsafe.Pointer, error) {
	defer C.free(block)
	fitting, room := newBlock(0, len(payload))
	if fitting == nil {
		return nil, fmt.Errorf("%w: for a payload of %d bytes", core.ErrOutOfMemory, len(payload))
	}
	copy(room, payload)
	return fitting, nil
}

// noteOverhead notes what a payload has beside its content, if that is the most
// so far.
func (c *context) noteOverhead(overhead int) {
	for {
		most := c.overhead.Load()
		if int64(overhead) <= most || c.overhead.CompareAndSwap(most, int64(overhead)) {
			return
		}
	}
}

// tell gives the host a value as JSON.
func tell(output **C.char, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("%w: %w", core.ErrInternal, err)
	}
	C.sdsGiveText(output, (*C.char)(unsafe.Pointer(unsafe.SliceData(text))), C.size_t(len(text)))
	if *output == nil {
		return fmt.Errorf("%w: for a text of %d bytes", core.ErrOutOfMemory, len(text))
	}
	return nil
}

// argument is one that was passed, and what is wrong with it, or "".
type argument string

func channelArgument(id C.SdsText) argument {
	switch {
	case id.data == nil:
		return "channel ID pointer is NULL"
	case id.size == 0:
		return "channel ID is empty string"
	}
	return ""
}

func messageArgument(id C.SdsText) argument {
	switch {
	case id.data == nil:
		return "message ID pointer is NULL"
	case id.size == 0:
		return "message ID is empty string"
	}
	return ""
}

func contentArgument(content unsafe.Pointer, size C.size_t) argument {
	if content == nil && size > 0 {
		return "content pointer is NULL but length > 0"
	}
	return ""
}

// checkArguments returns what is wrong with the first that is.
func checkArguments(arguments ...argument) error {
	for _, a := range arguments {
		if a != "" {
			return wrongArgument(string(a))
		}
	}
	return nil
}

func wrongArgument(what string) error { return fmt.Errorf("%w: %s", core.ErrInvalidArgument, what) }

// nameOf copies an id of the host.
func nameOf(t C.SdsText) string { return cblock.ID(stringOf(t)) }

// namesOf copies an array of ids of the host.
func namesOf(names **C.char, count C.size_t) ([]string, error) {
	switch {
	case names == nil && count > 0:
		return nil, wrongArgument("message IDs pointer is NULL but count > 0")
	case count > mostMarked:
		return nil, wrongArgument(fmt.Sprintf("more than %d message IDs in one call", mostMarked))
	}
	ids := make([]string, count)
	for i, name := range unsafe.Slice(names, count) {
		if name == nil {
			return nil, wrongArgument(fmt.Sprintf("message ID %d pointer is NULL", i))
		}
		if ids[i] = cblock.ID(C.GoString(name)); ids[i] == "" {
			return nil, wrongArgument(fmt.Sprintf("message ID %d is empty string", i))
		}
	}
	return ids, nil
}
