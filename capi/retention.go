package main

/*
#include "bridge.h"
*/
import "C"

import (
	"sync"
	"time"
)

// sweeper is the timer that frees results when no later call comes to do it. It
// exists only while something is retained: a process that falls silent gives
// everything back and then sleeps.
var sweeper struct {
	sync.Mutex
	armed bool
}

// retain keeps a result readable for a while after its callback.
func retain(block *C.char) {
	C.sdsRetain(block)
	armSweeper(time.Second)
}

func armSweeper(wait time.Duration) {
	sweeper.Lock()
	defer sweeper.Unlock()
	if !sweeper.armed {
		sweeper.armed = true
		time.AfterFunc(wait, sweep)
	}
}

func sweep() {
	// Before, not after: what is retained while it sweeps arms the next one.
	sweeper.Lock()
	sweeper.armed = false
	sweeper.Unlock()
	if wait := int64(C.sdsSweepRetained()); wait >= 0 {
		armSweeper(time.Duration(max(wait, 1)) * time.Millisecond)
	}
}
