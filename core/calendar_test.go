package core_test

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/channel"
	"github.com/libsds/libsds/core/wire"
)

// ends are moments at which numbers that hold seconds or milliseconds run over.
var ends = []struct {
	name string
	at   int64
}{
	{"2038, where 31 bits of seconds end", 1 << 31 * 1000},
	{"2106, where 32 bits of seconds end", 1 << 32 * 1000},
	{"2109, where 42 bits of milliseconds end", 1 << 42},
}

// era is a conversation across a moment: what was announced, said and kept, with
// all times counted from that moment.
type era struct {
	t          *testing.T
	at         int64
	unit       int64 // of Lamport times, in milliseconds
	clock      *clock
	alice, bob *peer
	transcript []string
}

func (e *era) note(format string, arguments ...any) {
	e.transcript = append(e.transcript, fmt.Sprintf(format, arguments...))
}

// since counts from the moment, unless it is no time.
func (e *era) since(time int64) int64 {
	if time == 0 {
		return 0
	}
	return time - e.at
}

func (e *era) wrap(p *peer, id string) []byte {
	payload := p.wrap("c", id)
	e.note("%s has the time %d", id, int64(decoded(e.t, payload).Lamport)-e.at/e.unit)
	return payload
}

// let lets time pass, with ticks where the peers want them.
func (e *era) let(ms int64) {
	end := e.clock.read() + ms
	for {
		now := e.clock.read()
		next := min(e.alice.Tick(now), e.bob.Tick(now))
		for _, p := range []*peer{e.alice, e.bob} {
			for _, line := range briefs(p.takeEvents()) {
				e.note("%d: %s", e.since(now), line)
			}
		}
		if now >= end {
			return
		}
		e.clock.advance(min(next, end) - now)
	}
}

// look notes what is kept with a time.
func (e *era) look(p *peer) {
	meta := p.kept("c").Meta
	for _, m := range meta.Outgoing {
		e.note("sent at %d", e.since(m.SendTime))
	}
	for _, m := range meta.IncomingRepair {
		e.note("answer at %d", e.since(m.TResp))
	}
	for _, m := range meta.OutgoingRepair {
		e.note("request at %d", e.since(m.TReq))
	}
	e.note("clock %d", int64(meta.Lamport)-e.at/e.unit)
}

// acrossIt holds a conversation that begins a minute before a moment and ends
// some after it: with a gap, a resend, a repair and a restart.
func acrossIt(t *testing.T, at int64, format wire.Format, unit channel.Unit) []string {
	clock := newClock()
	clock.advance(at - 60_000 - clock.read())
	change := func(c *core.Config) { c.WireFormat, c.LamportUnit = format, unit }
	e := &era{t: t, at: at, unit: 1, clock: clock, alice: newPeer(t, "alice", clock, change), bob: newPeer(t, "bob", clock, change)}
	if unit == channel.Seconds {
		e.unit = 1000
	}
	e.let(0)
	e.bob.unwrap(e.wrap(e.alice, "a1"))
	lost := e.wrap(e.alice, "a2")
	e.let(30_000)
	e.bob.unwrap(e.wrap(e.alice, "a3")) // waits for a2, across the moment
	e.let(29_999)
	e.alice.unwrap(e.wrap(e.bob, "b1"))
	e.let(2)
	e.alice.unwrap(e.wrap(e.bob, "b2"))
	e.look(e.alice)
	e.look(e.bob)
	for _, p := range []*peer{e.alice, e.bob} {
		p.Close()
	}
	e.alice = newPeerOn(t, byProcedures, "alice", clock, e.alice.memory, change)
	e.bob = newPeerOn(t, byProcedures, "bob", clock, e.bob.memory, change)
	for _, p := range []*peer{e.alice, e.bob} {
		if err := p.EnsureChannel("c"); err != nil {
			t.Fatal(err)
		}
	}
	e.let(400_000)
	e.look(e.alice)
	e.look(e.bob)
	e.bob.unwrap(lost)
	e.alice.unwrap(e.wrap(e.bob, "b3"))
	e.let(120_000)
	for _, p := range []*peer{e.alice, e.bob} {
		e.note("log: %s", strings.Join(cited(t, p.wrapSync("c")), " "))
	}
	return e.transcript
}

// TestNoYearIsSpecial: across the end of every number of seconds, everything
// goes as it goes today.
func TestNoYearIsSpecial(t *testing.T) {
	for _, format := range []wire.Format{wire.SDS02, wire.SDS03, wire.SDS04, wire.LIP109} {
		for _, unit := range []channel.Unit{channel.Seconds, channel.Milliseconds} {
			today := acrossIt(t, start+60_000, format, unit)
			if !slices.ContainsFunc(today, func(line string) bool { return strings.Contains(line, "resend_ready") }) {
				t.Fatalf("nothing was sent again: %q", today)
			}
			for _, end := range ends {
				t.Run(fmt.Sprint(format, unit, end.name), func(t *testing.T) {
					at := end.at - end.at%1000 // so that seconds begin at the same places
					if diff := cmp.Diff(today, acrossIt(t, at, format, unit)); diff != "" {
						t.Error(diff)
					}
				})
			}
		}
	}
}

// TestAnHourBackTurnsNoLamportTimeBack: messages that are sent in the hour that
// comes twice are behind those that were sent in it before, for everybody.
func TestAnHourBackTurnsNoLamportTimeBack(t *testing.T) {
	clock := newClock()
	alice, bob := newPeer(t, "alice", clock), newPeer(t, "bob", clock)
	var sent []string
	var last uint64
	say := func(from, to *peer) {
		id := fmt.Sprintf("m%02d", len(sent))
		payload := from.wrap("c", id)
		if lamport := decoded(t, payload).Lamport; lamport <= last {
			t.Errorf("%s has the time %d, after %d", id, lamport, last)
		} else {
			last = lamport
		}
		to.unwrap(payload)
		sent = append(sent, id)
	}
	for range 4 {
		say(alice, bob)
		clock.advance(1000)
		say(bob, alice)
		clock.advance(1000 - hour)
		alice = alice.restart()
	}
	for _, p := range []*peer{alice, bob} {
		if diff := cmp.Diff(sent[:8], cited(t, p.wrapSync("c"))); diff != "" {
			t.Error(diff)
		}
	}
	if ready := onlyReady(bob.takeEvents()); len(ready) != 4 {
		t.Errorf("bob was told of %v", ready)
	}
}

func onlyReady(events []core.Event) (ready []string) {
	for _, event := range events {
		if event.Type == core.MessageReady {
			ready = append(ready, event.MessageID)
		}
	}
	return ready
}

// TestTimerGoesOnWhenItsClockSteps: with the clock an hour back or forward while
// it sleeps, each task comes an interval later at the latest, and what it costs to
// see the step.
func TestTimerGoesOnWhenItsClockSteps(t *testing.T) {
	for _, step := range []int64{-hour, hour, -1000 * hour, 1000 * hour} {
		t.Run(fmt.Sprint(time.Duration(step)*time.Millisecond), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				offset := newClock()
				began := wallClock()
				now := func() int64 { return offset.read() + wallClock() - began }
				var syncs, resends atomic.Int64
				m, err := core.New(core.Options{ParticipantID: "alice", Now: now, Handler: func(e core.Event) {
					switch e.Type {
					case core.PeriodicSync:
						syncs.Add(1)
					case core.ResendReady:
						resends.Add(1)
					}
				}})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := m.Wrap(nil, "c", "m", []byte("content")); err != nil {
					t.Fatal(err)
				}
				if err := m.Start(); err != nil {
					t.Fatal(err)
				}
				config := core.DefaultConfig()
				interval := time.Duration(config.SyncMessageIntervalMs) * time.Millisecond
				sweep := time.Duration(config.BufferSweepIntervalMs) * time.Millisecond
				time.Sleep(10*interval + time.Second)
				synctest.Wait()
				if s, r := syncs.Swap(0), resends.Swap(0); s != 10 || r == 0 {
					t.Errorf("%d reminders and %d resends before the step", s, r)
				}
				offset.advance(step)
				time.Sleep(interval + 10*time.Second)
				synctest.Wait()
				if s := syncs.Load(); s < 1 || s > 2 {
					t.Errorf("%d reminders soon after the step", s)
				}
				time.Sleep(3 * sweep)
				synctest.Wait()
				if resends.Load() == 0 {
					t.Error("nothing is sent again after the step")
				}
				m.Close()
			})
		})
	}
}
