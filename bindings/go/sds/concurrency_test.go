package sds

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/zap"
)

// messages are payloads each of which cites the ones before, so that receiving the last
// one alone says what is missing.
func messages(t *testing.T, n int) (payloads [][]byte) {
	t.Helper()
	sender := newPeer(t)
	for i := range n {
		payloads = append(payloads, must(sender.WrapOutgoingMessage([]byte("x"), MessageID(fmt.Sprint("m-", i)), lobby)))
	}
	return payloads
}

// What the old bindings crashed at: their registry of managers was a map without a lock.
// Where a timer runs, it may be the one that is to call the callbacks when Cleanup comes,
// which ends that; where none does, every operation calls its own before it returns.
func TestManagersComeAndGoWhileOthersTellOfEvents(t *testing.T) {
	payloads := messages(t, 4)
	const workers, managers, events = 16, 50, 3 + 4 // three messages wait, four are ready
	var told [workers]atomic.Int64
	var work sync.WaitGroup
	for w := range workers {
		work.Go(func() {
			for range managers {
				rm, err := NewReliabilityManager(zap.NewNop())
				if err != nil {
					t.Error(err)
					return
				}
				rm.RegisterCallbacks(EventCallbacks{
					OnMessageReady:        func(MessageID, string) { told[w].Add(1) },
					OnMissingDependencies: func(MessageID, []HistoryEntry, string) { told[w].Add(1) },
				})
				if w%2 == 1 {
					if err := rm.StartPeriodicTasks(); err != nil {
						t.Error(err)
					}
				}
				for i := range payloads {
					if _, err := rm.UnwrapReceivedMessage(payloads[len(payloads)-1-i]); err != nil {
						t.Error(err)
					}
				}
				if err := rm.Cleanup(); err != nil {
					t.Error(err)
				}
				<-rm.Done()
			}
		})
	}
	work.Wait()
	for w := range told {
		if got := told[w].Load(); got > managers*events || w%2 == 0 && got != managers*events {
			t.Errorf("worker %d is told of %d events, not %d", w, got, managers*events)
		}
	}
}

func TestCallbacksOfAManagerNeverRunAtOnceAndNoneIsLost(t *testing.T) {
	const channels, each = 8, 50
	sender, receiver := newPeer(t), newPeer(t)
	var running atomic.Int32
	var ready atomic.Int64
	callbacks := EventCallbacks{OnMessageReady: func(id MessageID, channel string) {
		if running.Add(1) != 1 {
			t.Error("two callbacks run at once")
		}
		ready.Add(1)
		if _, err := receiver.WrapOutgoingMessage([]byte("reply"), "re: "+id, channel); err != nil {
			t.Error(err)
		}
		running.Add(-1)
	}}
	receiver.RegisterCallbacks(callbacks)
	stop := make(chan struct{})
	var registering sync.WaitGroup
	registering.Go(func() { // the same ones again and again, while messages arrive
		for {
			select {
			case <-stop:
				return
			default:
				receiver.RegisterCallbacks(callbacks)
			}
		}
	})
	var workers sync.WaitGroup
	for c := range channels {
		workers.Go(func() {
			channel := fmt.Sprint("channel ", c)
			for i := range each {
				payload := must(sender.WrapOutgoingMessage([]byte("x"), MessageID(fmt.Sprint("m-", i)), channel))
				if _, err := receiver.UnwrapReceivedMessage(payload); err != nil {
					t.Error(err)
				}
			}
		})
	}
	workers.Wait()
	close(stop)
	registering.Wait()
	receiver.RegisterCallbacks(callbacks) // what another goroutine is at, is over
	if ready.Load() != channels*each {
		t.Errorf("%d messages became ready, not %d", ready.Load(), channels*each)
	}
}

func TestEveryCallWorksOrIsRefusedAsClosedWhileCleanupComes(t *testing.T) {
	payloads := messages(t, 8)
	for round := range 30 {
		path := t.TempDir() + "/store"
		p := newPeer(t, WithStorePath(path))
		mustNot(t, p.StartPeriodicTasks())
		start := make(chan struct{})
		var kept atomic.Int64
		var workers sync.WaitGroup
		call := func(f func(i int) error) {
			workers.Go(func() {
				<-start
				for i := range 8 {
					if err := f(i); err != nil && !errors.Is(err, ErrClosed) {
						t.Error(err)
					}
				}
			})
		}
		call(func(i int) error {
			_, err := p.UnwrapReceivedMessage(payloads[i])
			if err == nil {
				kept.Add(1)
			}
			return err
		})
		call(func(i int) error {
			_, err := p.WrapOutgoingMessage([]byte("x"), MessageID(fmt.Sprint("own-", i)), lobby)
			if err == nil {
				kept.Add(1)
			}
			return err
		})
		call(func(int) error { _, err := p.Overview(); return err })
		call(func(int) error { p.RegisterCallbacks(p.noting()); return nil })
		call(func(i int) error {
			if i < round%8 {
				return nil
			}
			return p.Cleanup()
		})
		close(start)
		workers.Wait()
		<-p.Done()
		again := newPeer(t, WithStorePath(path))
		mustNot(t, again.EnsureChannel(lobby))
		if held := must(again.Inspect(lobby)); int64(len(held.Log)) != kept.Load() {
			t.Fatalf("%d messages were taken, and %d are kept", kept.Load(), len(held.Log))
		}
		mustNot(t, again.Cleanup())
	}
}

func TestTwoManagersMayCallIntoEachOtherFromCallbacks(t *testing.T) {
	alice, bob := newPeer(t), newPeer(t)
	answer := func(self, other *peer) EventCallbacks {
		return EventCallbacks{OnMessageReady: func(id MessageID, channel string) {
			if len(id) > 30 {
				return
			}
			payload, err := self.WrapOutgoingMessage([]byte("x"), id+"+", channel)
			if err == nil {
				_, err = other.UnwrapReceivedMessage(payload)
			}
			if err != nil {
				t.Error(err)
			}
		}}
	}
	alice.RegisterCallbacks(answer(alice, bob))
	bob.RegisterCallbacks(answer(bob, alice))
	var talk sync.WaitGroup
	for i := range 4 {
		talk.Go(func() {
			channel := fmt.Sprint("channel ", i)
			must(bob.UnwrapReceivedMessage(must(alice.WrapOutgoingMessage([]byte("x"), "a", channel))))
			must(alice.UnwrapReceivedMessage(must(bob.WrapOutgoingMessage([]byte("x"), "b", channel))))
		})
	}
	talk.Wait()
}
