package core_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/persistence"
)

// savePoint is one operation and what it must ask of the backend.
type savePoint struct {
	name string
	// config changes the configuration of the peer under test.
	config func(*core.Config)
	// prepare brings alice, who is under test, into the state before. bob is
	// her peer in the channel "c".
	prepare func(alice, bob *peer) (argument []byte)
	act     func(alice *peer, argument []byte) error
	fails   error
	calls   []string
	events  []string
}

func unwrapArgument(alice *peer, argument []byte) error {
	_, err := alice.Unwrap(argument)
	return err
}

// tickAfter ticks once to schedule and once when the interval has passed.
func tickAfter(ms int64) func(*peer, []byte) error {
	return func(alice *peer, _ []byte) error {
		alice.Tick(alice.clock.read())
		alice.clock.advance(ms)
		alice.Tick(alice.clock.read())
		return nil
	}
}

func sweepBuffersEvery(ms int64) func(*core.Config) {
	return func(c *core.Config) { c.BufferSweepIntervalMs = ms }
}

func sweepRepairsEvery(ms int64) func(*core.Config) {
	return func(c *core.Config) { c.RepairSweepIntervalMs = ms }
}

// known makes "c" known to alice, empty.
func known(alice, _ *peer) []byte {
	if err := alice.EnsureChannel("c"); err != nil {
		alice.t.Fatal(err)
	}
	return nil
}

// second returns bob's second message, alice lacking the first.
func second(alice, bob *peer) []byte {
	known(alice, bob)
	bob.wrap("c", "first")
	return bob.wrap("c", "second")
}

// waiting lets alice buffer bob's second message.
func waiting(alice, bob *peer) []byte {
	alice.unwrap(second(alice, bob))
	return nil
}

var savePoints = []savePoint{
	{
		name:    "wrap, the first of its channel",
		prepare: func(*peer, *peer) []byte { return nil },
		act:     func(alice *peer, _ []byte) error { return wrapOnly(alice, "m") },
		calls:   []string{"LoadChannel c", "SaveChannelMeta c", "UpdateHistory c +m"},
	},
	{
		name:    "wrap",
		prepare: known,
		act:     func(alice *peer, _ []byte) error { return wrapOnly(alice, "m") },
		calls:   []string{"SaveChannelMeta c", "UpdateHistory c +m"},
	},
	{
		name:   "wrap that evicts",
		config: func(c *core.Config) { c.MaxMessageHistory = 1 },
		prepare: func(alice, _ *peer) []byte {
			alice.wrap("c", "old")
			return nil
		},
		act:   func(alice *peer, _ []byte) error { return wrapOnly(alice, "m") },
		calls: []string{"SaveChannelMeta c", "UpdateHistory c +m -old"},
	},
	{
		name: "wrap that learns a hint",
		prepare: func(alice, _ *peer) []byte {
			alice.wrap("c", "old")
			alice.SetHints(func(string, string) []byte { return []byte("hint") })
			return nil
		},
		act:   func(alice *peer, _ []byte) error { return wrapOnly(alice, "m") },
		calls: []string{"SaveChannelMeta c", "UpdateHistory c +m", "SetRetrievalHint c old"},
	},
	{
		name:    "wrap without content",
		prepare: known,
		act: func(alice *peer, _ []byte) error {
			_, err := alice.Wrap(nil, "c", "m", nil)
			return err
		},
		fails: core.ErrInvalidArgument,
	},
	{
		name:    "wrap sync",
		prepare: known,
		act: func(alice *peer, _ []byte) error {
			_, err := alice.WrapSync(nil, "c")
			return err
		},
		calls: []string{"SaveChannelMeta c"},
	},
	{
		// It leaves no trace, so there is nothing to save.
		name:    "wrap ephemeral",
		prepare: known,
		act: func(alice *peer, _ []byte) error {
			_, err := alice.WrapEphemeral(nil, "c", "m", []byte("x"))
			return err
		},
	},
	{
		name:    "unwrap, the first of its channel",
		prepare: func(_, bob *peer) []byte { return bob.wrap("c", "m") },
		act:     unwrapArgument,
		calls:   []string{"LoadChannel c", "SaveChannelMeta c", "UpdateHistory c +m"},
		events:  []string{"message_ready c/m"},
	},
	{
		name: "unwrap, delivered",
		prepare: func(alice, bob *peer) []byte {
			known(alice, bob)
			return bob.wrap("c", "m")
		},
		act:    unwrapArgument,
		calls:  []string{"SaveChannelMeta c", "UpdateHistory c +m"},
		events: []string{"message_ready c/m"},
	},
	{
		name: "unwrap, acknowledging",
		prepare: func(alice, bob *peer) []byte {
			bob.unwrap(alice.wrap("c", "mine"))
			return bob.wrap("c", "m")
		},
		act:    unwrapArgument,
		calls:  []string{"SaveChannelMeta c", "UpdateHistory c +m"},
		events: []string{"message_sent c/mine", "message_ready c/m"},
	},
	{
		name:    "unwrap, buffered",
		prepare: second,
		act:     unwrapArgument,
		calls:   []string{"SaveChannelMeta c"},
		events:  []string{"missing_dependencies c/second first"},
	},
	{
		name: "unwrap, already buffered",
		prepare: func(alice, bob *peer) []byte {
			payload := second(alice, bob)
			alice.unwrap(payload)
			return payload
		},
		act:   unwrapArgument,
		calls: []string{"SaveChannelMeta c"},
	},
	{
		name: "unwrap, releasing a cascade",
		prepare: func(alice, bob *peer) []byte {
			known(alice, bob)
			first := bob.wrap("c", "first")
			for _, id := range []string{"second", "third", "fourth"} {
				alice.unwrap(bob.wrap("c", id))
			}
			return first
		},
		act:    unwrapArgument,
		calls:  []string{"SaveChannelMeta c", "UpdateHistory c +first +second +third +fourth"},
		events: []string{"message_ready c/first", "message_ready c/second", "message_ready c/third", "message_ready c/fourth"},
	},
	{
		name: "unwrap, past the bound of the incoming buffer",
		config: func(c *core.Config) {
			c.Limits.MaxIncomingMessages = 0
		},
		prepare: second,
		act:     unwrapArgument,
		calls:   []string{"SaveChannelMeta c", "UpdateHistory c +second"},
		events:  []string{"missing_dependencies c/second first", "dependencies_lost c/second first", "message_ready c/second"},
	},
	{
		name: "unwrap, duplicate",
		prepare: func(alice, bob *peer) []byte {
			payload := bob.wrap("c", "m")
			alice.unwrap(payload)
			return payload
		},
		act:   unwrapArgument,
		calls: []string{"SaveChannelMeta c"},
	},
	{
		name: "unwrap, sync",
		prepare: func(alice, bob *peer) []byte {
			known(alice, bob)
			return bob.wrapSync("c")
		},
		act:   unwrapArgument,
		calls: []string{"SaveChannelMeta c"},
	},
	{
		name: "unwrap, ephemeral",
		prepare: func(alice, bob *peer) []byte {
			known(alice, bob)
			payload, err := bob.WrapEphemeral(nil, "c", "e", []byte("x"))
			if err != nil {
				bob.t.Fatal(err)
			}
			return payload
		},
		act:    unwrapArgument,
		calls:  []string{"SaveChannelMeta c"},
		events: []string{"message_ready c/e"},
	},
	{
		name: "unwrap, malformed",
		prepare: func(alice, bob *peer) []byte {
			known(alice, bob)
			return []byte("hello, I am no SDS message")
		},
		act:   unwrapArgument,
		fails: core.ErrDeserialization,
	},
	{
		name:    "mark met without a release",
		prepare: known,
		act:     func(alice *peer, _ []byte) error { return alice.MarkDependenciesMet("c", []string{"x", "y"}) },
		calls:   []string{"SaveChannelMeta c"},
	},
	{
		name:    "mark met with a release",
		prepare: waiting,
		act:     func(alice *peer, _ []byte) error { return alice.MarkDependenciesMet("c", []string{"first"}) },
		calls:   []string{"SaveChannelMeta c", "UpdateHistory c +second"},
		events:  []string{"message_ready c/second"},
	},
	{
		name:    "mark met with nothing",
		prepare: known,
		act:     func(alice *peer, _ []byte) error { return alice.MarkDependenciesMet("c", nil) },
		calls:   []string{"SaveChannelMeta c"},
	},
	{
		name:    "mark met in an unknown channel",
		prepare: known,
		act:     func(alice *peer, _ []byte) error { return alice.MarkDependenciesMet("unknown", []string{"x"}) },
		fails:   core.ErrInvalidArgument,
	},
	{
		name:    "buffers sweep with nothing to do",
		config:  sweepBuffersEvery(1000),
		prepare: func(alice, _ *peer) []byte { alice.wrap("c", "m"); return nil },
		act:     tickAfter(1000),
	},
	{
		name: "buffers sweep with a resend",
		config: func(c *core.Config) {
			c.BufferSweepIntervalMs, c.ResendIntervalMs = 1001, 1000
		},
		prepare: func(alice, _ *peer) []byte {
			alice.wrap("c", "m")
			return nil
		},
		act:    tickAfter(1001),
		calls:  []string{"SaveChannelMeta c"},
		events: []string{"resend_ready c/m #1"},
	},
	{
		name: "buffers sweep with a delivery failure",
		config: func(c *core.Config) {
			c.BufferSweepIntervalMs, c.ResendIntervalMs, c.MaxResendAttempts = 1001, 1000, 0
		},
		prepare: func(alice, _ *peer) []byte {
			alice.wrap("c", "m")
			return nil
		},
		act:    tickAfter(1001),
		calls:  []string{"SaveChannelMeta c"},
		events: []string{"message_delivery_failed c/m"},
	},
	{
		name: "buffers sweep with lost dependencies",
		config: func(c *core.Config) {
			c.BufferSweepIntervalMs, c.MissingDependencyTimeoutMs = 1001, 1000
		},
		prepare: waiting,
		act:     tickAfter(1001),
		calls:   []string{"SaveChannelMeta c", "UpdateHistory c +second"},
		events:  []string{"dependencies_lost c/second first", "message_ready c/second"},
	},
	{
		// The outgoing and the incoming sweep share a timer and a save.
		name: "buffers sweep with a resend and lost dependencies",
		config: func(c *core.Config) {
			c.BufferSweepIntervalMs, c.ResendIntervalMs, c.MissingDependencyTimeoutMs = 1001, 1000, 1000
		},
		prepare: func(alice, bob *peer) []byte {
			alice.wrap("c", "mine")
			return waiting(alice, bob)
		},
		act:    tickAfter(1001),
		calls:  []string{"SaveChannelMeta c", "UpdateHistory c +second"},
		events: []string{"resend_ready c/mine #1", "dependencies_lost c/second first", "message_ready c/second"},
	},
	{
		name: "buffers sweep of several channels, some of which change",
		config: func(c *core.Config) {
			c.BufferSweepIntervalMs, c.ResendIntervalMs = 1001, 1000
		},
		prepare: func(alice, _ *peer) []byte {
			alice.wrap("d", "m")
			alice.wrap("b", "m")
			alice.wrapSync("c")
			return nil
		},
		act:    tickAfter(1001),
		calls:  []string{"SaveChannelMeta b", "SaveChannelMeta d"},
		events: []string{"resend_ready b/m #1", "resend_ready d/m #1"},
	},
	{
		name:    "repair sweep with nothing to do",
		config:  sweepRepairsEvery(1000),
		prepare: waiting,
		act:     tickAfter(1000),
	},
	{
		name:   "repair sweep with an answer",
		config: sweepRepairsEvery(1000),
		prepare: func(alice, bob *peer) []byte {
			alice.wrap("c", "first")
			bob.unwrap(alice.wrap("c", "second"))
			bob.clock.advance(300_000)
			alice.unwrap(bob.wrapSync("c"))
			return nil
		},
		act:    tickAfter(1000),
		calls:  []string{"SaveChannelMeta c"},
		events: []string{"repair_ready c/first"},
	},
	{
		name: "repair sweep that gives up asking",
		config: func(c *core.Config) {
			c.RepairSweepIntervalMs, c.RepairTMinMs, c.RepairTMaxMs = 1000, 10, 20
		},
		prepare: waiting,
		act:     tickAfter(1000),
		calls:   []string{"SaveChannelMeta c"},
	},
	{
		name:   "periodic sync",
		config: func(c *core.Config) { c.SyncMessageIntervalMs = 1000 },
		prepare: func(alice, _ *peer) []byte {
			alice.wrap("c", "m")
			return nil
		},
		act:    tickAfter(1000),
		events: []string{"periodic_sync /c"},
	},
	{
		name:    "ensure an unknown channel",
		prepare: func(*peer, *peer) []byte { return nil },
		act:     func(alice *peer, _ []byte) error { return alice.EnsureChannel("c") },
		calls:   []string{"LoadChannel c"},
	},
	{
		name:    "ensure a known channel",
		prepare: known,
		act:     func(alice *peer, _ []byte) error { return alice.EnsureChannel("c") },
	},
	{
		name:    "remove",
		prepare: known,
		act:     func(alice *peer, _ []byte) error { return alice.RemoveChannel("c") },
		calls:   []string{"DropChannel c"},
	},
	{
		name:    "remove a channel that is not in memory",
		prepare: known,
		act:     func(alice *peer, _ []byte) error { return alice.RemoveChannel("elsewhere") },
		calls:   []string{"DropChannel elsewhere"},
	},
	{
		name: "reset",
		prepare: func(alice, bob *peer) []byte {
			alice.wrap("d", "m")
			alice.wrap("b", "m")
			return known(alice, bob)
		},
		act:   func(alice *peer, _ []byte) error { return alice.Reset() },
		calls: []string{"DropChannel b", "DropChannel c", "DropChannel d"},
	},
	{
		name:    "reset without channels",
		prepare: func(*peer, *peer) []byte { return nil },
		act:     func(alice *peer, _ []byte) error { return alice.Reset() },
	},
	{
		name:    "close",
		prepare: func(alice, _ *peer) []byte { alice.wrap("c", "m"); return nil },
		act:     func(alice *peer, _ []byte) error { alice.Close(); return nil },
	},
}

func wrapOnly(p *peer, messageID string) error {
	_, err := p.Wrap(nil, "c", messageID, []byte("x"))
	return err
}

// begin makes the peers of a save point and brings them into the state before.
func (point *savePoint) begin(t testing.TB, keeping keeping) (alice *peer, argument []byte) {
	t.Helper()
	shared := newClock()
	configs := []func(*core.Config){quietTimers}
	if point.config != nil {
		configs = append(configs, point.config)
	}
	alice = newPeerOn(t, keeping, "alice", shared, new(persistence.Transactions), configs...)
	argument = point.prepare(alice, newPeer(t, "bob", shared, quietTimers))
	alice.takeEvents()
	alice.recorded.Take()
	return alice, argument
}

// inOne is the calls as a backend with transactions gets them: what is saved of
// a channel comes as one.
func inOne(calls []string) []string {
	var commits []string
	for _, call := range calls {
		procedure, rest, _ := strings.Cut(call, " ")
		last := len(commits) - 1
		switch procedure {
		case "SaveChannelMeta":
			commits = append(commits, "Commit "+rest)
		case "UpdateHistory":
			_, changes, _ := strings.Cut(rest, " ")
			commits[last] += " " + changes
		case "SetRetrievalHint":
			_, id, _ := strings.Cut(rest, " ")
			commits[last] += " ?" + id
		default:
			commits = append(commits, call)
		}
	}
	return commits
}

// TestSavePoints holds every operation to the table of PROTOCOL, section 5: so
// many calls, in this order, all of them before the first event.
func TestSavePoints(t *testing.T) {
	for _, point := range savePoints {
		for _, keeping := range keepings {
			t.Run(point.name+"/"+string(keeping), func(t *testing.T) { testSavePoint(t, &point, keeping) })
		}
	}
}

func testSavePoint(t *testing.T, point *savePoint, keeping keeping) {
	alice, argument := point.begin(t, keeping)
	want := point.calls
	if keeping != byProcedures {
		want = inOne(want)
	}
	var atFirstEvent []string
	alice.onEvent = func(core.Event) {
		if atFirstEvent == nil {
			atFirstEvent = briefCalls(alice.recorded.Calls())
		}
	}

	if err := point.act(alice, argument); !errors.Is(err, point.fails) {
		t.Errorf("it returns %v, not %v", err, point.fails)
	}

	calls, events := briefCalls(alice.recorded.Take()), briefs(alice.takeEvents())
	if diff := cmp.Diff(want, calls); diff != "" {
		t.Errorf("backend calls: %s", diff)
	}
	if diff := cmp.Diff(point.events, events); diff != "" {
		t.Errorf("events: %s", diff)
	}
	if len(events) > 0 {
		if diff := cmp.Diff(calls, atFirstEvent); diff != "" {
			t.Errorf("calls before the first event: %s", diff)
		}
	}
}
