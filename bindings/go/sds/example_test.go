package sds

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"
)

// Two participants talk, one message is lost, and what waits for it is delivered once
// it came after all.
func Example() {
	alice, err := NewReliabilityManager(zap.NewNop())
	if err != nil {
		log.Fatal(err)
	}
	defer alice.Cleanup()
	bob, err := NewReliabilityManager(zap.NewNop())
	if err != nil {
		log.Fatal(err)
	}
	defer bob.Cleanup()
	bob.RegisterCallbacks(EventCallbacks{
		OnMissingDependencies: func(id MessageID, missing []HistoryEntry, channel string) {
			fmt.Printf("%s waits for %s\n", id, missing[0].MessageID)
		},
		OnMessageDelivered: func(message []byte, id MessageID, channel string) {
			fmt.Printf("%s in %s: %s\n", id, channel, message)
		},
	})

	first, _ := alice.WrapOutgoingMessage([]byte("hello"), "m-1", "lobby")
	second, _ := alice.WrapOutgoingMessage([]byte("anybody there?"), "m-2", "lobby")
	for _, payload := range [][]byte{second, first} { // the transport reorders
		if _, err := bob.UnwrapReceivedMessage(payload); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// m-2 waits for m-1
	// m-1 in lobby: hello
	// m-2 in lobby: anybody there?
}

// A participant with an id, for repairs, and a file, to survive restarts.
func ExampleNewReliabilityManagerWithOptions() {
	dir, err := os.MkdirTemp("", "sds")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	open := func() *ReliabilityManager {
		rm, err := NewReliabilityManagerWithOptions(zap.NewNop(),
			WithParticipantID("alice"),
			WithConfigJSON(`{"maxResendAttempts":3}`),
			WithStorePath(filepath.Join(dir, "alice.sds")),
		)
		if err != nil {
			log.Fatal(err)
		}
		return rm
	}

	alice := open()
	if _, err := alice.WrapOutgoingMessage([]byte("hello"), "m-1", "lobby"); err != nil {
		log.Fatal(err)
	}
	alice.Cleanup()
	<-alice.Done() // the file is free

	alice = open()
	defer alice.Cleanup()
	if err := alice.EnsureChannel("lobby"); err != nil {
		log.Fatal(err)
	}
	held, err := alice.Inspect("lobby")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("in the log:", held.Log[0].MessageID)
	fmt.Println("unacknowledged:", held.Outgoing[0].MessageID)
	// Output:
	// in the log: m-1
	// unacknowledged: m-1
}

// A program with a loop of its own lets time pass itself.
func ExampleReliabilityManager_Tick() {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	rm, err := NewReliabilityManagerWithOptions(nil,
		WithConfigJSON(`{"resendIntervalMs":30000}`),
		WithClock(func() time.Time { return now }),
		WithCallbacks(EventCallbacks{
			OnResendReady: func(message []byte, id MessageID, channel string, attempt int) {
				fmt.Printf("after %s: broadcast %s again\n", now.Format("15:04:05"), id)
			},
		}))
	if err != nil {
		log.Fatal(err)
	}
	defer rm.Cleanup()
	if _, err := rm.WrapOutgoingMessage([]byte("hello"), "m-1", "lobby"); err != nil {
		log.Fatal(err)
	}
	for now.Minute() < 3 {
		next, err := rm.Tick(now)
		if err != nil {
			log.Fatal(err)
		}
		now = next // a program sleeps until then, or until something else happens
	}
	// Output:
	// after 12:01:00: broadcast m-1 again
	// after 12:02:00: broadcast m-1 again
}
