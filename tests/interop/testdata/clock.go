// This file stands in for core/clock.go when the library is built for tests/interop: the
// time is what the test has written into a file, so that minutes pass at once and a seed
// gives the same conversation again.
package core

import (
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"
)

var givenTime = sync.OnceValue(func() *int64 {
	file, err := os.Open(os.Getenv("SDS_INTEROP_CLOCK"))
	if err != nil {
		panic(err)
	}
	memory, err := syscall.Mmap(int(file.Fd()), 0, 8, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		panic(err)
	}
	return (*int64)(unsafe.Pointer(&memory[0]))
})

// WallClock is the time that the file says, in Unix milliseconds.
func WallClock() int64 { return atomic.LoadInt64(givenTime()) }
