package sds

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

var zeroTime = time.UnixMilli(0)

func TestPeriodicTasksResendGiveUpAndRemind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t, WithConfigJSON(`{"maxResendAttempts":1,"resendIntervalMs":1000,"bufferSweepIntervalMs":1000,"syncMessageIntervalMs":1500}`))
		mustNot(t, p.StartPeriodicTasks())
		mustNot(t, p.StartPeriodicTasks())
		must(p.WrapOutgoingMessage([]byte("hello"), "m-1", lobby))
		time.Sleep(6500 * time.Millisecond)
		got := p.take()
		for _, want := range []string{"resend m-1 lobby 1 true", "failed m-1 lobby 1", "sync", "due [lobby]"} {
			if !slices.Contains(got, want) {
				t.Errorf("%q is not among %q", want, got)
			}
		}
		if _, err := p.Tick(time.Now()); !errors.Is(err, ErrInvalidArgument) {
			t.Errorf("a tick beside the timer gives %v", err)
		}
		mustNot(t, p.Cleanup())
		<-p.Done()
		time.Sleep(time.Hour)
		if late := p.take(); len(late) > 0 {
			t.Errorf("after Cleanup come %q", late)
		}
	})
}

func TestAPanicInACallbackOfTheTimerIsLoggedAndTheTimerGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reminders int
		rm := must(NewReliabilityManagerWithOptions(nil, WithConfigJSON(`{"syncMessageIntervalMs":1000}`),
			WithCallbacks(EventCallbacks{OnPeriodicSync: func() {
				reminders++
				if reminders == 1 {
					panic("oh")
				}
			}})))
		mustNot(t, rm.StartPeriodicTasks())
		time.Sleep(10 * time.Second)
		mustNot(t, rm.Cleanup())
		<-rm.Done()
		synctest.Wait()
		if reminders < 5 {
			t.Errorf("there were %d reminders", reminders)
		}
	})
}

func TestCleanupInsideACallbackOfTheTimerEndsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rm *ReliabilityManager
		var reminders int
		rm = must(NewReliabilityManagerWithOptions(nil, WithConfigJSON(`{"syncMessageIntervalMs":1000}`),
			WithCallbacks(EventCallbacks{OnPeriodicSync: func() {
				reminders++
				mustNot(t, rm.Cleanup())
			}})))
		mustNot(t, rm.StartPeriodicTasks())
		time.Sleep(10 * time.Second)
		<-rm.Done()
		if reminders != 1 {
			t.Errorf("there were %d reminders", reminders)
		}
	})
}

func TestALoopOfTheProgramDrivesTheManager(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	p := newPeer(t, WithClock(func() time.Time { return now }))
	must(p.WrapOutgoingMessage([]byte("hello"), "m-1", lobby))
	for end := now.Add(70 * time.Second); now.Before(end); {
		next := must(p.Tick(now))
		if !next.After(now) {
			t.Fatalf("at %v it is to be called again at %v", now, next)
		}
		now = next
	}
	if got := p.take(); !slices.Contains(got, "due [lobby]") {
		t.Errorf("it tells %q", got)
	}
	if err := p.StartPeriodicTasks(); !errors.Is(err, ErrInvalidArgument) {
		t.Errorf("the timer beside a loop gives %v", err)
	}
	for _, wrong := range []time.Time{{}, time.UnixMilli(-1), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if _, err := p.Tick(wrong); !errors.Is(err, ErrInvalidArgument) {
			t.Errorf("a tick at %v gives %v", wrong, err)
		}
	}
}

func TestRepairsGoBetweenParticipantsWithIDs(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	clock := WithClock(func() time.Time { return now })
	alice, bob := newPeer(t, clock, WithParticipantID("alice")), newPeer(t, clock, WithParticipantID("bob"))
	var repairs [][]byte
	callbacks := alice.noting()
	callbacks.OnRepairReady = func(message []byte, _ string) { repairs = append(repairs, message) }
	alice.RegisterCallbacks(callbacks)
	must(alice.WrapOutgoingMessage([]byte("lost"), "m-1", lobby))
	must(bob.UnwrapReceivedMessage(must(alice.WrapOutgoingMessage([]byte("two"), "m-2", lobby))))
	for i := 0; len(repairs) == 0 && i < 200; i++ {
		now = now.Add(5 * time.Second)
		must(bob.Tick(now))
		must(alice.Tick(now))
		if i%10 == 9 { // bob asks in his next message
			must(alice.UnwrapReceivedMessage(must(bob.WrapSyncMessage(lobby))))
		}
	}
	if len(repairs) == 0 {
		t.Fatal("alice does not answer")
	}
	must(bob.UnwrapReceivedMessage(repairs[0]))
	if got := bob.take(); !slices.Contains(got, "delivered m-1 lobby lost") || !slices.Contains(got, "delivered m-2 lobby two") {
		t.Errorf("bob is told %q", got)
	}
}
