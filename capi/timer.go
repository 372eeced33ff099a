package main

import (
	"sync"
	"time"

	"github.com/libsds/libsds/core"
)

// timer is the goroutine that runs the periodic tasks of a context.
type timer struct {
	mu     sync.Mutex
	runner *core.Runner // nil before the start
}

// start runs the periodic tasks until stop. Starting twice is the same as once.
func (c *context) start() {
	c.timer.mu.Lock()
	defer c.timer.mu.Unlock()
	if c.timer.runner == nil {
		c.timer.runner = core.StartRunner(core.WallClock, c.tick)
	}
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
	operation := c.turn.Begin(0)
	if operation == nil {
		return next // the context is being cleaned up
	}
	defer operation.End()
	one := &call{context: c, operation: operation}
	_ = contain(func() { next = c.manager.Tick(now) }) // there is nobody to tell but the log
	operation.Take()
	_ = contain(one.announce)
	return next
}
