package main

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/libsds/libsds/core"
)

// timer is the goroutine that runs the periodic tasks of a context.
type timer struct {
	mu     sync.Mutex
	runner *core.Runner // nil before the start
	driven bool         // the host ticks instead
}

// errDriven is a context with two clocks.
var errDriven = errors.New("the host's loop and the library's timer exclude each other")

// start runs the periodic tasks until stop. Starting twice is the same as once.
func (c *context) start() error {
	c.timer.mu.Lock()
	defer c.timer.mu.Unlock()
	if c.timer.driven {
		return fmt.Errorf("%w: SdsTick drives this context: %w", core.ErrInvalidArgument, errDriven)
	}
	if c.timer.runner == nil {
		c.timer.runner = core.StartRunner(core.WallClock, c.tick)
	}
	return nil
}

// latestTick is the end of the year 9999. What lies beyond is no count of
// milliseconds.
const latestTick int64 = 253402300799999

// tickForHost runs what is due, for a host with a loop of its own.
func (c *context) tickForHost(now int64) (next int64, err error) {
	if now < 0 || now > latestTick {
		return 0, fmt.Errorf("%w: the time is %d, which is not from 0 to %d, milliseconds since 1970", core.ErrInvalidArgument, now, latestTick)
	}
	if err := c.drive(); err != nil {
		return 0, err
	}
	return c.manager.Tick(now), nil
}

// drive notes that the host ticks.
func (c *context) drive() error {
	c.timer.mu.Lock()
	defer c.timer.mu.Unlock()
	if c.timer.runner != nil {
		return fmt.Errorf("%w: the library's timer was started for this context: %w", core.ErrInvalidArgument, errDriven)
	}
	c.timer.driven = true
	return nil
}

// stop ends the timer. A tick under way may be what calls it.
func (c *context) stop() {
	c.timer.mu.Lock()
	defer c.timer.mu.Unlock()
	if c.timer.runner != nil {
		c.timer.runner.Stop()
	}
}

// tickAgain is how long the timer waits after a tick that could not run.
const tickAgain = time.Second

// tick runs what is due, as an operation that nobody waits for.
func (c *context) tick(now int64) (next int64) {
	next = now + tickAgain.Milliseconds()
	one := c.begin(0)
	if one == nil {
		return next // the context is being closed
	}
	defer one.end()
	_ = contain(func() { next = c.manager.Tick(now) }) // there is nobody to tell but the log
	one.settle()
	return next
}
