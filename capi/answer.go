package main

/*
#include "bridge.h"
*/
import "C"

import (
	"errors"
	"strings"
	"unsafe"

	"github.com/libsds/libsds/core"
)

// answer is how a call ends: what it returns, and what its callback gets.
type answer struct {
	returned, status C.int
	text             *C.char // ends with a NUL; nil only after a cleanup
	size             C.size_t
	// retained says that text came from sdsAllocate: hosts may read it for a
	// while after the callback, and then it is freed.
	retained bool
}

// constant is a text that is there for as long as the process is. It is not in
// Go's heap, so hosts may read it whenever they like.
type constant struct {
	text *C.char
	size C.size_t
}

func newConstant(text string) constant {
	return constant{C.CString(text), C.size_t(len(text))}
}

var (
	empty          = newConstant("")
	invalidContext = newConstant("libsds error: invalid context")
)

// done answers with an empty text.
func done() answer {
	return answer{returned: C.RET_OK, status: C.RET_OK, text: empty.text, size: empty.size}
}

// refused answers a call that did not get as far as an operation.
func refused(why constant) answer {
	return answer{returned: C.RET_ERR, status: C.RET_ERR, text: why.text, size: why.size}
}

// worthShrinking is how much room a result must leave for giving it back to be
// worth the time: messages of the usual size leave less.
const worthShrinking = 64 << 10

// written answers with what write appends, at most bound bytes: the result goes
// straight into the block of C memory that the host reads.
// Without memory it answers with instead.
func written(returned, status C.int, bound int, write func(dst []byte) []byte, instead constant) answer {
	block := C.sdsAllocate(C.size_t(bound) + 1)
	if block == nil {
		return answer{returned: returned, status: C.RET_ERR, text: instead.text, size: instead.size}
	}
	room := unsafe.Slice((*byte)(unsafe.Pointer(block)), bound+1)
	size := len(write(room[:0:bound]))
	room[size] = 0 // panics if write did not keep to its bound
	if bound-size > worthShrinking {
		block = C.sdsShrink(block, C.size_t(size)+1)
	}
	return answer{returned: returned, status: status, text: block, size: C.size_t(size), retained: true}
}

// succeeded answers with a result.
func succeeded(r request, bound int, write func(dst []byte) []byte) answer {
	return written(C.RET_OK, C.RET_OK, bound, write, plainFailure(r, core.StatusOutOfMemory))
}

func told(returned C.int, message string, instead constant) answer {
	return written(returned, C.RET_ERR, len(message), func(dst []byte) []byte { return append(dst, message...) }, instead)
}

// wrong answers a call whose arguments are wrong.
func wrong(what string) answer { return told(C.RET_ERR, "libsds error: "+what, outOfMemory) }

// request is what an operation is called in the texts of its failures.
type request uint8

const (
	wrapMessage request = iota
	unwrapMessage
	markDependenciesMet
	resetManager
	startTasks
	removeChannel
	requests
)

var requestNames = [requests]string{
	wrapMessage:         "WRAP_MESSAGE",
	unwrapMessage:       "UNWRAP_MESSAGE",
	markDependenciesMet: "MARK_DEPENDENCIES_MET",
	resetManager:        "RESET_RELIABILITY_MANAGER",
	startTasks:          "START_PERIODIC_TASKS",
	removeChannel:       "REMOVE_CHANNEL",
}

func failure(r request, status core.Status) string {
	return "error processing " + requestNames[r] + " request: " + status.Name()
}

const (
	firstStatus = core.StatusInvalidArgument
	statuses    = core.StatusLimitExceeded - firstStatus + 1
)

// failures are the texts without details. Hosts pass every payload through
// unwrap, so "not an SDS message" is as frequent as a result.
var failures = func() (texts [requests][statuses]constant) {
	for r := range texts {
		for s := range texts[r] {
			texts[r][s] = newConstant(failure(request(r), firstStatus+core.Status(s)))
		}
	}
	return texts
}()

// plainFailure is the text of a failure without details.
func plainFailure(r request, status core.Status) constant { return failures[r][status-firstStatus] }

// outOfMemory answers where not even the text of an argument error could be
// allocated.
var outOfMemory = newConstant("libsds error: out of memory")

// failed answers a call whose operation failed. Hosts compare the texts of the
// failures that the replaced library has, so details follow only where it had
// none: it stored nothing, knew no limits and took any id.
func failed(r request, err error) answer {
	status := core.StatusOf(err)
	switch {
	case status == core.StatusPersistence, status == core.StatusLimitExceeded, status == core.StatusInternal,
		errors.Is(err, core.ErrInvalidID), errors.Is(err, errDriven):
		return told(C.RET_OK, failure(r, status)+": "+reason(err), plainFailure(r, status))
	}
	text := plainFailure(r, status)
	return answer{returned: C.RET_OK, status: C.RET_ERR, text: text.text, size: text.size}
}

// reason is what went wrong, without operation and channel, which the host
// knows. Of a store that failed it is the store's words alone: they are often
// the host's own.
func reason(err error) string {
	var operation *core.Error
	if errors.As(err, &operation) {
		err = operation.Err
	}
	return strings.TrimPrefix(err.Error(), core.ErrPersistence.Error()+": ")
}
