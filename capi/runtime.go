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
