package core_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/libsds/libsds/core"
)

const goroutines = 64

// smallFilter keeps the payloads of the tests with many messages short.
func smallFilter(c *core.Config) { c.BloomFilterCapacity = 500 }

// together runs f on as many goroutines and waits for all of them.
func together(f func(g int)) {
	var group sync.WaitGroup
	for g := range goroutines {
		group.Go(func() { f(g) })
	}
	group.Wait()
}

// TestOneChannelFromManyGoroutines: every message is sent once with a time of
// its own, and received in any order by many goroutines all are delivered
// once, in an order that ends in the same log.
func TestOneChannelFromManyGoroutines(t *testing.T) {
	const each = 5
	wholeLog := func(c *core.Config) {
		smallFilter(c)
		c.MaxCausalHistory = 2 * goroutines * each
	}
	shared := newClock()
	alice, bob := newPeer(t, "alice", shared, smallFilter), newPeer(t, "bob", shared, wholeLog)
	carol := newPeer(t, "carol", shared, wholeLog)
	payloads := make([][]byte, goroutines*each)
	together(func(g int) {
		for i := range each {
			payload, err := alice.Wrap(nil, "c", fmt.Sprintf("m-%d-%d", g, i), []byte("x"))
			if err != nil {
				t.Error(err)
			}
			payloads[g*each+i] = payload
		}
	})
	lamports := map[uint64]bool{}
	for _, payload := range payloads {
		lamports[decoded(t, payload).Lamport] = true
	}
	if len(lamports) != len(payloads) {
		t.Errorf("%d messages have %d timestamps", len(payloads), len(lamports))
	}
	for seed, receiver := range []*peer{bob, carol} {
		order := rand.New(rand.NewPCG(1, uint64(seed))).Perm(len(payloads))
		together(func(g int) {
			for i := range each {
				payload := payloads[order[g*each+i]]
				for range 2 { // the transport repeats
					if _, err := receiver.Unwrap(payload); err != nil {
						t.Error(err)
					}
				}
			}
		})
		ready := 0
		for _, event := range receiver.takeEvents() {
			if event.Type == core.MessageReady {
				ready++
			}
		}
		if ready != len(payloads) {
			t.Errorf("%d deliveries of %d messages", ready, len(payloads))
		}
	}
	logOfBob, logOfCarol := cited(t, bob.wrapSync("c")), cited(t, carol.wrapSync("c"))
	if diff := cmp.Diff(logOfBob, logOfCarol); diff != "" || len(logOfBob) != len(payloads) {
		t.Errorf("%d messages in the log %s", len(logOfBob), diff)
	}
	if kept := len(bob.kept("c").History); kept != len(payloads) {
		t.Errorf("the backend has %d messages", kept)
	}
}

// TestManyChannelsFromManyGoroutines: channels do not disturb each other, and
// sweeps go on beside the operations.
func TestManyChannelsFromManyGoroutines(t *testing.T) {
	const each = 10
	alice := newPeer(t, "alice", newClock(), smallFilter)
	bob := newPeer(t, "bob", newClock(), smallFilter)
	together(func(g int) {
		channel := fmt.Sprint("channel ", g)
		for i := range each {
			payload, err := alice.Wrap(nil, channel, fmt.Sprint("m", i), []byte("x"))
			if err != nil {
				t.Error(err)
			}
			if received, err := bob.Unwrap(payload); err != nil || len(received.Missing) > 0 {
				t.Errorf("%v, %+v", err, received)
			}
			alice.clock.advance(10_000)
			alice.Tick(alice.clock.read())
			alice.Channels()
		}
	})
	if n := len(alice.Channels()); n != goroutines {
		t.Errorf("%d channels", n)
	}
	last := map[string]int{}
	for _, event := range bob.takeEvents() {
		if want := fmt.Sprint("m", last[event.ChannelID]); event.MessageID != want {
			t.Errorf("%s in place of %s", brief(event), want)
		}
		last[event.ChannelID]++
	}
	for channel, n := range last {
		if n != each {
			t.Errorf("%d deliveries in %s", n, channel)
		}
	}
}

// TestRemovalsAndResetsBesideOperations: nothing deadlocks, no operation fails
// but for a channel that is not there, and what the backend keeps of a channel
// is what is in memory.
func TestRemovalsAndResetsBesideOperations(t *testing.T) {
	const rounds = 30
	channels := []string{"a", "b", "c"}
	alice := newPeer(t, "alice", newClock(), smallFilter, func(c *core.Config) { c.MaxCausalHistory = 4000 })
	bob := newPeer(t, "bob", newClock(), smallFilter)
	var received [][]byte
	for i := range rounds {
		received = append(received, bob.wrap(channels[i%len(channels)], fmt.Sprint("b", i)))
	}
	together(func(g int) {
		random := rand.New(rand.NewPCG(2, uint64(g)))
		for i := range rounds {
			channel := channels[random.IntN(len(channels))]
			var err error
			switch g % 8 {
			case 0, 1:
				err = alice.RemoveChannel(channel)
			case 2:
				if i%5 == 0 {
					err = alice.Reset()
				}
			case 3:
				alice.clock.advance(30_000)
				alice.Tick(alice.clock.read())
			case 4:
				err = alice.MarkDependenciesMet(channel, []string{"x"})
				if errors.Is(err, core.ErrInvalidArgument) {
					err = nil // it is not known
				}
			case 5:
				_, err = alice.Unwrap(received[i])
			default:
				_, err = alice.Wrap(nil, channel, fmt.Sprintf("m-%d-%d", g, i), []byte("x"))
			}
			if err != nil {
				t.Error(err)
			}
		}
	})
	for _, channel := range channels {
		inMemory := cited(t, alice.wrapSync(channel))
		var kept []string
		for _, message := range alice.kept(channel).History {
			kept = append(kept, decoded(t, message).ID)
		}
		if diff := cmp.Diff(inMemory, kept); diff != "" {
			t.Errorf("memory and backend differ in channel %s: %s", channel, diff)
		}
	}
}

// TestCloseBesideOperations: they succeed before and fail with ErrClosed after.
func TestCloseBesideOperations(t *testing.T) {
	alice := newPeer(t, "alice", newClock(), smallFilter)
	if err := alice.Start(); err != nil {
		t.Fatal(err)
	}
	var succeeded atomic.Int32
	together(func(g int) {
		for i := range 50 {
			if g == 0 && i == 5 {
				alice.Close()
			}
			_, err := alice.Wrap(nil, fmt.Sprint("channel ", g%4), fmt.Sprintf("m-%d-%d", g, i), []byte("x"))
			switch {
			case err == nil:
				succeeded.Add(1)
			case !errors.Is(err, core.ErrClosed):
				t.Error(err)
			}
		}
	})
	kept := 0
	for g := range 4 {
		kept += len(alice.kept(fmt.Sprint("channel ", g)).History)
	}
	if int(succeeded.Load()) != kept || kept == 0 {
		t.Errorf("%d operations succeeded and %d messages were kept", succeeded.Load(), kept)
	}
}

// TestOperationsAfterCloseFail, all of them and always alike, and ask nothing
// of the backend.
func TestOperationsAfterCloseFail(t *testing.T) {
	bob := newPeer(t, "bob", newClock())
	payload := bob.wrap("c", "m")
	alice := newPeer(t, "alice", newClock(), func(c *core.Config) { c.Limits.AcceptUnknownChannels = false })
	if err := alice.EnsureChannel("c"); err != nil {
		t.Fatal(err)
	}
	alice.Close()
	alice.recorded.Take()
	for name, err := range map[string]error{
		"wrap":           errorOf(alice.Wrap(nil, "c", "m", []byte("x"))),
		"wrap sync":      errorOf(alice.WrapSync(nil, "c")),
		"wrap ephemeral": errorOf(alice.WrapEphemeral(nil, "c", "m", []byte("x"))),
		"unwrap":         errorOf(alice.Unwrap(payload)),
		"mark met":       alice.MarkDependenciesMet("c", []string{"x"}),
		"ensure":         alice.EnsureChannel("c"),
		"remove":         alice.RemoveChannel("c"),
		"reset":          alice.Reset(),
		"start":          alice.Start(),
	} {
		if !errors.Is(err, core.ErrClosed) || core.StatusOf(err) != core.StatusInvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
	if calls := briefCalls(alice.recorded.Take()); !slices.Equal(calls, nil) {
		t.Errorf("backend calls: %v", calls)
	}
	if len(alice.Channels()) != 0 {
		t.Error("there are channels")
	}
}

func errorOf[T any](_ T, err error) error { return err }
