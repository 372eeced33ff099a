package core_test

import (
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/libsds/libsds/core"
)

func wallClock() int64 { return time.Now().UnixMilli() }

// stopped ends a runner and waits for it, which a bubble of synctest needs.
func stopped(r *core.Runner) {
	r.Stop()
	r.Wait()
}

func TestRunnerTicksAtOnceAndAtEachDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := wallClock()
		var at []int64
		delays := []int64{250, 1, 9999, 3}
		r := core.StartRunner(wallClock, func(now int64) int64 {
			at = append(at, now-began)
			return now + delays[(len(at)-1)%len(delays)]
		})
		time.Sleep(10_253 * time.Millisecond)
		synctest.Wait()
		stopped(r)
		if diff := cmp.Diff([]int64{0, 250, 251, 10_250, 10_253}, at); diff != "" {
			t.Error(diff)
		}
	})
}

// TestRunnerSurvivesAnyDeadline: one in the past does not make it spin, and
// one that never comes does not make it sleep for ever or overflow.
func TestRunnerSurvivesAnyDeadline(t *testing.T) {
	for _, test := range []struct {
		name        string
		deadline    func(now int64) int64
		least, most int // ticks within a minute
	}{
		{"in the past", func(now int64) int64 { return now - 1 }, 1000, 60_001},
		{"long past", func(int64) int64 { return math.MinInt64 }, 1000, 60_001},
		{"now", func(now int64) int64 { return now }, 1000, 60_001},
		{"never", func(int64) int64 { return math.MaxInt64 }, 2, 60},
		{"in a year", func(now int64) int64 { return now + 365*24*3600*1000 }, 2, 60},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ticks := 0
				r := core.StartRunner(wallClock, func(now int64) int64 {
					ticks++
					return test.deadline(now)
				})
				time.Sleep(time.Minute)
				synctest.Wait()
				stopped(r)
				if ticks < test.least || ticks > test.most {
					t.Errorf("%d ticks in a minute, not %d to %d", ticks, test.least, test.most)
				}
			})
		})
	}
}

func TestRunnerStopsFromInsideATick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ticks := 0
		self := make(chan *core.Runner, 1)
		r := core.StartRunner(wallClock, func(now int64) int64 {
			ticks++
			(<-self).Stop()
			return now + 1
		})
		self <- r
		r.Wait()
		r.Stop() // once more is the same as once
		time.Sleep(time.Hour)
		if ticks != 1 {
			t.Errorf("%d ticks", ticks)
		}
	})
}

func TestRunnerWaitWaitsForTheTickUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		entered, ended := make(chan struct{}), false
		r := core.StartRunner(wallClock, func(now int64) int64 {
			close(entered)
			time.Sleep(time.Second)
			ended = true
			return now
		})
		<-entered
		r.Stop()
		r.Wait()
		if !ended {
			t.Error("Wait returned before the tick")
		}
	})
}

// timed is a peer on the wall clock, which in a bubble of synctest is fake.
func timed(t *testing.T, id string, handle func(core.Event), changes ...func(*core.Config)) *core.Manager {
	t.Helper()
	config := core.DefaultConfig()
	for _, change := range changes {
		change(&config)
	}
	m, err := core.New(core.Options{ParticipantID: id, Config: &config, Handler: handle})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// schedule is when the events of each kind came, in milliseconds after the
// beginning.
type schedule struct {
	mu    sync.Mutex
	began int64
	at    map[string][]int64
}

func newSchedule() *schedule { return &schedule{began: wallClock(), at: map[string][]int64{}} }

func (s *schedule) note(event core.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at[event.Type.String()] = append(s.at[event.Type.String()], wallClock()-s.began)
}

// syncs is how often it was time to say something.
func (s *schedule) syncs() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.at[core.PeriodicSync.String()])
}

// gaps returns the differences between neighbours.
func gaps(times []int64) []int64 {
	var gaps []int64
	for i := 1; i < len(times); i++ {
		gaps = append(gaps, times[i]-times[i-1])
	}
	return gaps
}

// TestADayOfTimers: started three times, which is the same as once.
func TestADayOfTimers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := newSchedule()
		m := timed(t, "alice", seen.note)
		if _, err := m.Wrap(nil, "c", "m", []byte("x")); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := m.Start(); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		m.Close()

		config := core.DefaultConfig()
		syncs := seen.at["periodic_sync"]
		if want := int((24 * time.Hour).Milliseconds() / config.SyncMessageIntervalMs); len(syncs) != want {
			t.Errorf("%d periodic syncs, not %d", len(syncs), want)
		}
		for _, gap := range gaps(syncs) {
			if gap != config.SyncMessageIntervalMs {
				t.Errorf("%d ms between two periodic syncs", gap)
			}
		}
		// Resent at the first sweep at which the interval has passed.
		resends := seen.at["resend_ready"]
		if len(resends) != config.MaxResendAttempts {
			t.Errorf("resent %d times", len(resends))
		}
		for _, gap := range gaps(slices.Concat([]int64{0}, resends, seen.at["message_delivery_failed"])) {
			if gap <= config.ResendIntervalMs || gap > config.ResendIntervalMs+config.BufferSweepIntervalMs {
				t.Errorf("%d ms between two sendings", gap)
			}
		}
		if failures := seen.at["message_delivery_failed"]; len(failures) != 1 {
			t.Errorf("given up %d times", len(failures))
		}
	})
}

func TestNoTimerFiresAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := newSchedule()
		m := timed(t, "alice", seen.note)
		if err := m.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Second)
		m.Close()
		before := seen.syncs()
		time.Sleep(time.Hour)
		if after := seen.syncs(); before == 0 || after != before {
			t.Errorf("%d periodic syncs before Close, %d after", before, after-before)
		}
		m.Close() // once more is the same as once
	})
}

// TestHandlerClosesTheManagerInATick: it does not wait for itself.
func TestHandlerClosesTheManagerInATick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m *core.Manager
		calls := 0
		m = timed(t, "alice", func(core.Event) {
			calls++
			m.Close()
		})
		if err := m.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if calls != 1 {
			t.Errorf("%d events", calls)
		}
	})
}

// TestPanicOfAHandlerDoesNotEndTheTimer: it is logged, with where it was.
func TestPanicOfAHandlerDoesNotEndTheTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logged strings.Builder
		seen := newSchedule()
		m, err := core.New(core.Options{
			Logger: slog.New(slog.NewTextHandler(&logged, nil)),
			Handler: func(event core.Event) {
				seen.note(event)
				if seen.syncs()%2 == 1 {
					panic("a defect of the host")
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(601 * time.Second)
		synctest.Wait()
		m.Close()
		if n := seen.syncs(); n != 20 {
			t.Errorf("%d periodic syncs", n)
		}
		if text := logged.String(); strings.Count(text, "a defect of the host") != 10 || !strings.Contains(text, "runner_test.go") {
			t.Errorf("logged: %.300s", text)
		}
	})
}

// TestTimerReadsTheClockOfTheHost: what the host's clock says is due, soon
// after it says so.
func TestTimerReadsTheClockOfTheHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		virtual, events := newClock(), 0
		m, err := core.New(core.Options{Now: virtual.read, Handler: func(core.Event) { events++ }})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if events != 0 {
			t.Errorf("%d events while the host's clock stood still", events)
		}
		virtual.advance(core.DefaultConfig().SyncMessageIntervalMs)
		time.Sleep(time.Minute)
		synctest.Wait()
		if events != 1 {
			t.Errorf("%d events when it was set forward", events)
		}
		m.Close()
	})
}

// taskPeer is a peer with a task of each kind that shows: a message to resend,
// again and again; a request to answer is added by the tests that need one.
func taskPeer(t *testing.T) *peer {
	t.Helper()
	alice := newPeer(t, "alice", newClock(), func(c *core.Config) {
		c.BufferSweepIntervalMs, c.ResendIntervalMs, c.MaxResendAttempts = 60_000, 1, 1000
		c.RepairSweepIntervalMs = 5_000
		c.SyncMessageIntervalMs = 30_000
	})
	alice.wrap("c", "m")
	return alice
}

// tick sets the clock and ticks; it returns what was announced.
func (p *peer) tick(now int64) (events []string, next int64) {
	p.clock.advance(now - p.clock.read())
	next = p.Tick(now)
	return briefs(p.takeEvents()), next
}

func TestFirstTickOnlySchedules(t *testing.T) {
	alice := taskPeer(t)
	events, next := alice.tick(start + 1_000_000)
	if len(events) != 0 || next != start+1_005_000 {
		t.Errorf("it announces %v and wants to be called again after %d ms", events, next-start-1_000_000)
	}
}

func TestTasksFireWhenTheirIntervalHasPassed(t *testing.T) {
	alice := taskPeer(t)
	alice.tick(start)
	for _, step := range []struct {
		at, next int64
		events   []string
	}{
		{4_999, 5_000, nil},
		{5_000, 10_000, nil},
		{29_999, 30_000, nil},
		{30_000, 34_999, []string{"periodic_sync /c"}},
		{30_000, 34_999, nil},
		{59_999, 60_000, nil},
		{60_000, 64_999, []string{"resend_ready c/m #1", "periodic_sync /c"}},
	} {
		events, next := alice.tick(start + step.at)
		if diff := cmp.Diff(step.events, events); diff != "" || next-start != step.next {
			t.Errorf("at %d ms: next at %d, not %d %s", step.at, next-start, step.next, diff)
		}
	}
}

const hour = int64(3_600_000)

// TestClockSetBack: every task comes one interval later at the latest, by the
// new time, and nothing is put off for the hour that comes twice.
func TestClockSetBack(t *testing.T) {
	alice := taskPeer(t)
	alice.tick(start)
	alice.tick(start + 60_000)
	back := start + 60_000 - hour
	events, next := alice.tick(back)
	if len(events) != 0 || next != back+5_000 {
		t.Errorf("it announces %v and wants to be called again after %d ms", events, next-back)
	}
	events, _ = alice.tick(back + 30_000)
	if diff := cmp.Diff([]string{"periodic_sync /c"}, events); diff != "" {
		t.Error(diff)
	}
	// This sweep is the first to see the new time: it cannot tell how long the
	// message has waited. The next one can.
	alice.tick(back + 60_000)
	events, _ = alice.tick(back + 120_000)
	if diff := cmp.Diff([]string{"resend_ready c/m #2", "periodic_sync /c"}, events); diff != "" {
		t.Error(diff)
	}
}

func TestClockSetForwardFiresEachTaskOnce(t *testing.T) {
	alice := taskPeer(t)
	alice.tick(start)
	tomorrow := start + 24*hour
	events, next := alice.tick(tomorrow)
	if diff := cmp.Diff([]string{"resend_ready c/m #1", "periodic_sync /c"}, events); diff != "" || next != tomorrow+5_000 {
		t.Errorf("next after %d ms %s", next-tomorrow, diff)
	}
	if events, _ := alice.tick(tomorrow); len(events) != 0 {
		t.Errorf("announced again: %v", events)
	}
}

// TestNoTimeHurts: whatever the host says, the next tasks come in time.
func TestNoTimeHurts(t *testing.T) {
	for _, time := range []int64{math.MinInt64, math.MinInt64 + 1, -1, 0, 1, math.MaxInt64 - 1, math.MaxInt64} {
		t.Run(fmt.Sprint(time), func(t *testing.T) {
			alice := taskPeer(t)
			alice.tick(start)
			for range 3 {
				if _, next := alice.tick(time); next <= 0 {
					t.Errorf("it wants to be called again at %d", next)
				}
				alice.wrap("c", "at a strange time")
				alice.takeEvents()
			}
			alice.tick(start)
			alice.tick(start + 60_000)
			events, _ := alice.tick(start + 120_000)
			if len(events) != 3 || !slices.Contains(events, "periodic_sync /c") {
				t.Errorf("back to normal, it announces %v", events)
			}
		})
	}
}

func TestTickOfAClosedManagerNeverWantsAnother(t *testing.T) {
	alice := taskPeer(t)
	alice.Close()
	if events, next := alice.tick(start); len(events) != 0 || next != math.MaxInt64 {
		t.Errorf("it announces %v and wants to be called at %d", events, next)
	}
}

// TestPeriodicSyncNamesTheChannelsWithNews, sorted; it comes even when there
// are none, as it does in the replaced library.
func TestPeriodicSyncNamesTheChannelsWithNews(t *testing.T) {
	shared := newClock()
	alice, bob := newPeer(t, "alice", shared), newPeer(t, "bob", shared)
	alice.tick(start)
	events, _ := alice.tick(start + 30_000)
	if diff := cmp.Diff([]string{"periodic_sync /"}, events); diff != "" {
		t.Errorf("without channels: %s", diff)
	}
	for _, id := range []string{"quiet", "ephemeral only", "synced only"} {
		if err := alice.EnsureChannel(id); err != nil {
			t.Fatal(err)
		}
	}
	if payload, err := bob.WrapEphemeral(nil, "ephemeral only", "e", []byte("x")); err != nil {
		t.Fatal(err)
	} else {
		alice.unwrap(payload)
	}
	alice.unwrap(bob.wrapSync("synced only"))
	bob.wrap("waiting", "first")
	alice.unwrap(bob.wrap("waiting", "second"))
	bob.wrap("asking", "first")
	alice.unwrap(bob.wrapSync("asking"))
	alice.wrap("logged", "m")
	alice.takeEvents()
	events, _ = alice.tick(start + 60_000)
	if diff := cmp.Diff([]string{"periodic_sync /asking,logged,waiting"}, events); diff != "" {
		t.Error(diff)
	}
}

// TestRequestIsAnsweredAtTheSweepAfterItsTime and asked for no earlier than
// T_min.
func TestRequestIsAnsweredAtTheSweepAfterItsTime(t *testing.T) {
	shared := newClock()
	change := func(c *core.Config) { c.RepairTMinMs, c.RepairTMaxMs = 30_000, 40_000 }
	alice, bob := newPeer(t, "alice", shared, change), newPeer(t, "bob", shared, change)
	alice.tick(start)
	alice.wrap("c", "lost")
	bob.unwrap(alice.wrap("c", "m"))

	requests := func() []core.Dependency {
		payload := bob.wrapSync("c")
		alice.unwrap(payload)
		return decoded(t, payload).RepairRequests
	}
	shared.advance(29_999)
	if early := requests(); len(early) != 0 {
		t.Errorf("asked for before T_min: %v", early)
	}
	shared.advance(10_001)
	if due := requests(); len(due) != 1 || due[0].ID != "lost" || due[0].SenderID != "alice" {
		t.Errorf("after T_max, asked for: %+v", due)
	}
	alice.takeEvents()
	now := shared.read()
	alice.Tick(now) // who sent a message answers without delay
	events := alice.takeEvents()
	at := slices.IndexFunc(events, func(e core.Event) bool { return e.Type == core.RepairReady })
	if at < 0 {
		t.Fatalf("the sweep announces %v", briefs(events))
	}
	if received := bob.unwrap(events[at].Message); received.MessageID != "lost" || string(received.Content) != "content of lost" {
		t.Errorf("the answer is %+v", received)
	}
	if diff := cmp.Diff([]string{"missing_dependencies c/m lost", "message_ready c/lost", "message_ready c/m"}, briefs(bob.takeEvents())); diff != "" {
		t.Error(diff)
	}
	alice.clock.advance(5_000)
	alice.Tick(alice.clock.read())
	if again := briefs(alice.takeEvents()); slices.ContainsFunc(again, func(line string) bool { return strings.HasPrefix(line, "repair_ready") }) {
		t.Errorf("answered twice: %v", again)
	}
}

// TestConversationOverALossyNetwork: two managers with running timers; every
// fourth message is lost on its way. It comes by repair alone, and both end
// with the same log.
func TestConversationOverALossyNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var net network
		const messages = 60
		for _, id := range []string{"alice", "bob"} {
			net.join(t, id, func(c *core.Config) {
				c.ResendIntervalMs = 24 * hour // only repairs can help
				c.MaxCausalHistory = 2 * messages
			})
		}
		wrapped := map[string]int{}
		for i := range messages {
			speaker := net.members[i%3%2]
			payload, err := speaker.Wrap(nil, "c", fmt.Sprintf("%s-%d", speaker.id, i), fmt.Append(nil, "message ", i))
			if err != nil {
				t.Fatal(err)
			}
			wrapped[speaker.id]++
			if i%4 != 3 {
				net.broadcast(speaker, payload)
			}
			time.Sleep(time.Duration(1+i%7) * time.Second)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		for _, member := range net.members {
			member.Close()
			if got := member.events[core.MessageReady]; got != messages-wrapped[member.id] {
				t.Errorf("%s is told of %d messages", member.id, got)
			}
			if got := member.events[core.MessageSent]; got != wrapped[member.id] {
				t.Errorf("%s has %d messages acknowledged of %d", member.id, got, wrapped[member.id])
			}
			if diff := cmp.Diff(net.members[0].log, member.log); diff != "" || len(member.log) != messages {
				t.Errorf("%s logs %d messages %s", member.id, len(member.log), diff)
			}
		}
		if net.repairs < messages/4 {
			t.Errorf("%d messages were lost and %d repaired", messages/4, net.repairs)
		}
	})
}

// network is a broadcast among members.
type network struct {
	members []*member

	mu      sync.Mutex
	repairs int
}

type member struct {
	*core.Manager
	id     string
	mu     sync.Mutex
	events map[core.EventType]int
	// log is what the member's last sync message cites: all of it.
	log []string
}

func (n *network) join(t *testing.T, id string, changes ...func(*core.Config)) {
	joined := &member{id: id, events: map[core.EventType]int{}}
	joined.Manager = timed(t, id, func(event core.Event) { n.handle(t, joined, event) }, changes...)
	n.members = append(n.members, joined)
	if err := joined.Start(); err != nil {
		t.Fatal(err)
	}
}

func (n *network) handle(t *testing.T, m *member, event core.Event) {
	m.mu.Lock()
	m.events[event.Type]++
	m.mu.Unlock()
	switch event.Type {
	case core.PeriodicSync:
		for _, id := range event.ChannelIDs {
			payload, err := m.WrapSync(nil, id)
			if err != nil {
				t.Error(err)
			}
			m.mu.Lock()
			m.log = cited(t, payload)
			m.mu.Unlock()
			n.broadcast(m, payload)
		}
	case core.RepairReady:
		n.mu.Lock()
		n.repairs++
		n.mu.Unlock()
		n.broadcast(m, event.Message)
	}
}

func (n *network) broadcast(from *member, payload []byte) {
	for _, to := range n.members {
		if to == from {
			continue
		}
		// A transport delivers on a goroutine of its own.
		go func() { _, _ = to.Unwrap(payload) }()
	}
}
