//go:build !linux

package hostile

import "time"

var begun = time.Now()

// processorTime is the wall clock's where there is no better one.
func processorTime() time.Duration { return time.Since(begun) }
