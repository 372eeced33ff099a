package sds

import (
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/libsds/libsds/core"
)

// timer is what makes time pass for a manager.
type timer struct {
	now func() int64

	mu     sync.Mutex
	runner *core.Runner // nil before the start
	driven bool         // the program ticks instead
}

// errTwoClocks is a manager that is to have a timer and a loop.
var errTwoClocks = errors.New("the program's loop and the manager's timer exclude each other")

// tickAgain is how long the timer waits after a tick that panicked.
const tickAgain = time.Second

// StartPeriodicTasks has a goroutine of the manager do, until Cleanup, what is due: send
// again, give up, answer requests, remind of sync messages. Starting twice is the same
// as once.
//
// Errors: ErrInvalidArgument after Tick.
func (rm *ReliabilityManager) StartPeriodicTasks() error {
	return rm.operate("StartPeriodicTasks", "START_PERIODIC_TASKS", func(*core.Manager) error {
		t := &rm.timer
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.driven {
			return fmt.Errorf("%w: Tick drives this manager: %w", core.ErrInvalidArgument, errTwoClocks)
		}
		if t.runner == nil {
			t.runner = core.StartRunner(t.now, rm.tick)
		}
		return nil
	})
}

func (t *timer) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.runner != nil {
		t.runner.Stop()
	}
}

// tick is Tick on the timer's goroutine, where a callback that panics would end the
// process.
func (rm *ReliabilityManager) tick(now int64) (next int64) {
	next = now + tickAgain.Milliseconds()
	if rm.begin() != nil {
		return next // until the last call ends, and the timer with it
	}
	defer rm.leave()
	defer func() {
		if problem := recover(); problem != nil {
			rm.logger.Error("a callback of the timer panicked", zap.Any("panic", problem), zap.ByteString("stack", debug.Stack()))
		}
	}()
	next = rm.manager.Tick(now)
	rm.deliver()
	return next
}

// Tick does what is due at a time, and returns when to call it again: for programs with
// a loop of their own, in place of StartPeriodicTasks. The first call only schedules.
//
// Errors: ErrInvalidArgument after StartPeriodicTasks, and for a time before 1970 or
// after the year 9999.
func (rm *ReliabilityManager) Tick(now time.Time) (next time.Time, err error) {
	err = rm.operate("Tick", "", func(m *core.Manager) error {
		if year := now.Year(); now.UnixMilli() < 0 || year > 9999 {
			return fmt.Errorf("%w: the time is in the year %d, which is not from 1970 to 9999", core.ErrInvalidArgument, year)
		}
		if err := rm.timer.drive(); err != nil {
			return err
		}
		next = time.UnixMilli(m.Tick(now.UnixMilli()))
		return nil
	})
	return next, err
}

// drive notes that the program ticks.
func (t *timer) drive() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.runner != nil {
		return fmt.Errorf("%w: the timer was started for this manager: %w", core.ErrInvalidArgument, errTwoClocks)
	}
	t.driven = true
	return nil
}
