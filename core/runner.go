package core

import (
	"sync"
	"time"
)

// Runner is the only goroutine of this library: it sleeps until the next
// deadline and calls a tick.
type Runner struct {
	stop func()
	done chan struct{}
}

// idlePoll bounds how long a runner sleeps, so that a clock that is set
// forward does not leave deadlines behind for long.
const idlePoll = 10 * time.Second

// StartRunner starts a goroutine that calls tick, at once and then whenever
// the time that tick returned has come, by the clock now (Unix milliseconds,
// not negative). A panic of tick is the caller's to contain.
func StartRunner(now func() int64, tick func(now int64) (next int64)) *Runner {
	stopped := make(chan struct{})
	r := &Runner{
		stop: sync.OnceFunc(func() { close(stopped) }),
		done: make(chan struct{}),
	}
	go func() {
		defer close(r.done)
		timer := time.NewTimer(0)
		defer timer.Stop()
		for {
			select {
			case <-stopped:
				return
			case <-timer.C:
			}
			select { // a stop that came with the timer wins
			case <-stopped:
				return
			default:
			}
			next := tick(now())
			delay := min(max(next, 0)-now(), idlePoll.Milliseconds())
			timer.Reset(time.Duration(max(delay, 1)) * time.Millisecond)
		}
	}()
	return r
}

// Stop ends the runner. It does not wait for a tick that is under way or just
// beginning, so that a tick may call it; Wait does.
func (r *Runner) Stop() { r.stop() }

// Wait returns when the goroutine has ended. A tick must not call it.
func (r *Runner) Wait() { <-r.done }
