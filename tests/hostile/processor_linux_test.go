package hostile

import (
	"time"

	"golang.org/x/sys/unix"
)

// processorTime is what the calling thread has had of the processor, to the
// microsecond: other programs do not make it longer. The caller must not change
// threads.
func processorTime() time.Duration {
	var used unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Nano())
}
