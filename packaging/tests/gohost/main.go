// Command gohost is a Go program that links the static library, which has a Go runtime
// of its own: each allocates, collects and calls the other, and neither notices.
//
// It is a module of its own, because it links only where the library was built.
package main

import (
	"bytes"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"
)

const patience = 100 * time.Second

var sink []byte

var sinkLock sync.Mutex

// garbage is for the collector.
func garbage(size int) {
	block := make([]byte, size)
	sinkLock.Lock()
	sink = block
	sinkLock.Unlock()
}

// within waits for a condition.
func within(limit time.Duration, holds func() bool) bool {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if holds() {
			return true
		}
	}
	return holds()
}

// Eight pairs talk on goroutines, while everything is collected again and again.
func messagesArriveWhileBothRuntimesCollect() error {
	const pairs, messages = 8, 100
	done := make(chan struct{})
	var collector sync.WaitGroup
	collector.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				runtime.GC()
			}
		}
	})
	failures := make(chan error, pairs)
	for pair := range pairs {
		go func() { failures <- talk(fmt.Sprint(pair), messages) }()
	}
	var first error
	for range pairs {
		if err := <-failures; err != nil && first == nil {
			first = err
		}
	}
	close(done)
	collector.Wait()
	return first
}

func talk(name string, messages int) error {
	alice, err := open("alice-"+name, "{}")
	if err != nil {
		return err
	}
	bob, err := open("bob-"+name, "{}")
	if err != nil {
		return err
	}
	for i := range messages {
		content := bytes.Repeat([]byte(name), 1+i*17)
		payload, err := alice.wrap("lobby", fmt.Sprint("m", i), content)
		if err != nil {
			return err
		}
		garbage(len(payload))
		got, err := bob.unwrap(payload)
		if err != nil {
			return err
		}
		if !bytes.Equal(got, content) {
			return fmt.Errorf("message %d arrived as something else", i)
		}
	}
	if delivered := bob.delivered.Load(); delivered != int64(messages) {
		return fmt.Errorf("%d messages were delivered, not %d", delivered, messages)
	}
	if err := alice.close(); err != nil {
		return err
	}
	return bob.close()
}

// The thread is the other runtime's, and knows nothing of this one.
func eventsComeFromThreadsOfTheLibrary() error {
	alice, err := open("alice", `{"syncMessageIntervalMs": 20, "bufferSweepIntervalMs": 20}`)
	if err != nil {
		return err
	}
	if _, err := alice.wrap("lobby", "m1", []byte("hello")); err != nil {
		return err
	}
	if err := alice.start(); err != nil {
		return err
	}
	if !within(patience/2, func() bool { return alice.reminded.Load() >= 10 }) {
		return fmt.Errorf("only %d events came", alice.reminded.Load())
	}
	return alice.close()
}

// Only a signal ends such a loop for the collector.
func loopsWithoutCallsAreInterrupted() error {
	stop := make(chan struct{})
	go func() {
		for i := 0; ; i++ {
			if i == 1<<62 {
				close(stop)
			}
		}
	}()
	time.Sleep(20 * time.Millisecond)
	collected := make(chan struct{})
	go func() {
		for range 20 {
			runtime.GC()
		}
		close(collected)
	}()
	select {
	case <-collected:
		return nil
	case <-stop:
		return fmt.Errorf("the loop has ended")
	case <-time.After(patience / 2):
		return fmt.Errorf("the collector waits for the loop")
	}
}

func faultsOfTheProgramAreItsOwnPanics() (err error) {
	defer func() {
		fault, isError := recover().(runtime.Error)
		if !isError || fault == nil {
			err = fmt.Errorf("the fault was no panic")
		}
	}()
	var nowhere *participant
	nowhere.delivered.Add(1)
	return nil
}

func signalsComeToTheProgram() error {
	for _, s := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGPIPE, syscall.SIGURG, syscall.SIGHUP} {
		came := make(chan os.Signal, 16)
		signal.Notify(came, s)
		if err := syscall.Kill(os.Getpid(), s); err != nil {
			return err
		}
		select {
		case <-came:
		case <-time.After(patience / 4):
			return fmt.Errorf("%v did not come", s)
		}
		signal.Stop(came)
	}
	return nil
}

func main() {
	time.AfterFunc(patience, func() {
		fmt.Println("--- FAIL: static/go_program hangs")
		os.Exit(2)
	})
	status := 0
	for _, rule := range []struct {
		name string
		test func() error
	}{
		{"messages_arrive_while_both_runtimes_collect", messagesArriveWhileBothRuntimesCollect},
		{"events_come_from_threads_of_the_library", eventsComeFromThreadsOfTheLibrary},
		{"faults_of_the_program_are_its_own_panics", faultsOfTheProgramAreItsOwnPanics},
		{"signals_come_to_the_program", signalsComeToTheProgram},
		{"loops_without_calls_are_interrupted", loopsWithoutCallsAreInterrupted},
	} {
		if err := rule.test(); err != nil {
			fmt.Printf("    %v\n--- FAIL: static/go_program/%s\n", err, rule.name)
			status = 1
		} else {
			fmt.Printf("--- PASS: static/go_program/%s\n", rule.name)
		}
	}
	os.Exit(status)
}
