package main

/*
#include "bridge.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unsafe"

	"github.com/libsds/libsds/core"
)

// errInvalidContext is a context that was closed or never was one.
var errInvalidContext = errors.New("invalid context")

// outcome is how a call ends that returns a status: which one that is, and what
// the host is told, if it wants to know.
func outcome(err error, explanation **C.char) C.int {
	if err == nil {
		return C.SDS_OK
	}
	if explanation != nil {
		text := "libsds error: " + words(err)
		C.sdsGiveText(explanation, (*C.char)(unsafe.Pointer(unsafe.StringData(text))), C.size_t(len(text)))
	}
	if errors.Is(err, errInvalidContext) {
		return C.SDS_ERR_INVALID_CONTEXT
	}
	return C.int(core.StatusOf(err))
}

// words are what went wrong, and in which channel.
func words(err error) string {
	var operation *core.Error
	if errors.As(err, &operation) && operation.ChannelID != "" {
		return fmt.Sprintf("channel %s: %s", quoted(operation.ChannelID), problem(err))
	}
	return problem(err)
}

// problem is what went wrong, without the kind of thing that it is: the status
// says that.
func problem(err error) string {
	text := reason(err)
	for _, kind := range []error{core.ErrInvalidArgument, core.ErrMessageTooLarge, core.ErrLimitExceeded, core.ErrDeserialization} {
		text = strings.TrimPrefix(text, kind.Error()+": ")
	}
	return text
}

// quoted is an id in a text for people, cut off where nobody reads on: it may be
// a gigabyte that the host passed by mistake.
func quoted(id string) string {
	if len(id) > mostQuoted {
		return strconv.Quote(id[:mostQuoted]) + "..."
	}
	return strconv.Quote(id)
}

const mostQuoted = 100

// containing is contain for a step that can fail.
func containing(step func() error) (err error) {
	if panicked := contain(func() { err = step() }); panicked != nil {
		return panicked
	}
	return err
}
