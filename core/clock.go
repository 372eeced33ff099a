package core

import "time"

// WallClock is the time of the system in Unix milliseconds.
func WallClock() int64 { return time.Now().UnixMilli() }
