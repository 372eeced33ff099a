// Command gohost is a Go program that loads libsds, a second Go runtime, with
// dlopen. It allocates hard, runs its own collector, spins and moves its stacks
// while several goroutines call in. A library that takes the host's signals
// hangs such a program in its next collection; a handle that is no address
// kills it when a stack moves.
//
// It prints one line in the manner of go test -v and exits 0 if all went well.
// SDS_LIBRARY names the library; SDS_TEST_SCALE, in percent, the share of the
// usual number of rounds.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	rounds  = 400 // of each pair of contexts
	pairs   = 4
	deepest = 200 // frames, each of more than a KiB: enough for a stack to grow several times
	// patience, in seconds, only bounds a hang.
	patience = 60
)

func main() {
	begin := time.Now()
	if err := run(); err != nil {
		fmt.Println("   ", err)
		fmt.Println("--- FAIL: gohost/a_go_program_with_a_busy_collector_can_call_in")
		os.Exit(1)
	}
	fmt.Printf("--- PASS: gohost/a_go_program_with_a_busy_collector_can_call_in (%.2fs, %d events)\n",
		time.Since(begin).Seconds(), eventCount())
}

func run() error {
	if err := watch(patience); err != nil {
		return err
	}
	if err := loadLibrary(libraryFile()); err != nil {
		return err
	}
	var stop atomic.Bool
	var collectors, talkers sync.WaitGroup
	for range 2 {
		collectors.Go(func() { collect(&stop) })
	}
	collectors.Go(func() { spin(&stop) })
	failures := make([]error, pairs)
	for i := range pairs {
		talkers.Go(func() { failures[i] = talk(i, scaled(rounds)) })
	}
	talkers.Wait()
	stop.Store(true)
	collectors.Wait()
	if eventCount() == 0 {
		failures = append(failures, errors.New("no event was told"))
	}
	return errors.Join(failures...)
}

func libraryFile() string {
	if file := os.Getenv("SDS_LIBRARY"); file != "" {
		return file
	}
	return "build/libsds.so.1"
}

func scaled(count int) int {
	percent, err := strconv.Atoi(os.Getenv("SDS_TEST_SCALE"))
	if err != nil || percent <= 0 {
		percent = 100
	}
	return max(1, count*percent/100)
}

// collect makes garbage of every size and has it collected until it is told to stop.
func collect(stop *atomic.Bool) {
	kept := make([][]byte, 64)
	for i := 0; !stop.Load(); i++ {
		kept[i%len(kept)] = make([]byte, 1<<(i%16))
		if i%256 == 0 {
			runtime.GC()
		}
	}
	runtime.KeepAlive(kept)
}

// spin runs a loop without a call in it. Only the runtime's signal, SIGURG, can
// interrupt it for a collection: a library that took that signal stops this
// program here, for ever.
func spin(stop *atomic.Bool) {
	for !stop.Load() {
	}
}

// talk lets two contexts exchange messages, each call from another depth of the stack.
func talk(pair, count int) error {
	const config = `{"bloomFilterCapacity":1000,"syncMessageIntervalMs":5,"bufferSweepIntervalMs":5,"resendIntervalMs":5}`
	alice, err := openContext("alice", config)
	if err != nil {
		return err
	}
	bob, err := openContext("bob", config)
	if err != nil {
		return err
	}
	if err := alice.start(); err != nil {
		return err
	}
	for i := range count {
		// A new goroutine starts with a small stack, which then has to move.
		failure := make(chan error)
		go func() { failure <- deeper(i%deepest, func() error { return exchange(alice, bob, pair, i) }) }()
		if err := <-failure; err != nil {
			return err
		}
	}
	return errors.Join(alice.close(), bob.close())
}

func exchange(alice, bob context, pair, round int) error {
	from, to := alice, bob
	if round%2 == 1 {
		from, to = bob, alice
	}
	id := fmt.Sprintf("m%d.%d", pair, round)
	wire, err := from.wrap("channel", id, []byte(strings.Repeat("x", 1+round%1000)))
	if err != nil {
		return err
	}
	result, err := to.unwrap(wire)
	if err != nil {
		return err
	}
	if !strings.Contains(result, `"messageId":"`+id+`"`) {
		return fmt.Errorf("unwrap of %s gave %.200s", id, result)
	}
	return nil
}

// deeper runs action below so many frames of a size that makes the stack move.
func deeper(frames int, action func() error) error {
	var frame [1024]byte
	frame[frames%len(frame)] = byte(frames)
	var err error
	if frames == 0 {
		err = action()
	} else {
		err = deeper(frames-1, action)
	}
	if frame[frames%len(frame)] != byte(frames) {
		return errors.New("a stack frame has changed")
	}
	return err
}
