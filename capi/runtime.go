// Command capi is the C library libsds: build it with -buildmode=c-shared or
// c-archive. The functions of include/libsds.h are in shim.c, over the hidden
// exports of exports.go; what they do is package core's.
package main

/*
#cgo CFLAGS: -Wall -Wextra -Werror -Wno-unused-parameter
#cgo LDFLAGS: -pthread
#include "bridge.h"
*/
import "C"

import (
	"log/slog"
	"math"
	"runtime/debug"
)

// main is never called; -buildmode=c-shared asks for it.
func main() {}

func init() {
	C.sdsGiveSignalsBack()
	// The host's GOGC and GOMEMLIMIT, which are in the environment that this
	// runtime reads too, speak of the host's own heap.
	debug.SetGCPercent(100)
	debug.SetMemoryLimit(math.MaxInt64)
}

// logger is told of defects and of what goes wrong without failing a call. It
// is silent: stdout and stderr are the host's.
var logger = slog.New(slog.DiscardHandler)
