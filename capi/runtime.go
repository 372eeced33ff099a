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
	"os"
	"runtime"
	"runtime/debug"
	"sync"
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

// makePlaces lets more threads of the host be inside the library than Go would by
// itself, unless the host has set how many. It is not for loading: each place takes
// some memory.
var makePlaces = sync.OnceFunc(func() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(mostCalls(runtime.GOMAXPROCS(0)))
	}
})

// mostCalls is how many threads of the host can be inside the library at the same
// time on so many cores; others sleep until one has left. Go's own bound, one for
// each core, is for threads that Go schedules. The host's are scheduled by the
// system, which takes cores away in the midst of a call, and a place that a thread
// leaves is not free at once, but when Go finds that it does not come back: so there
// are four places for a core, as long as that does not get out of hand.
func mostCalls(cores int) int { return min(4*cores, cores+16) }
