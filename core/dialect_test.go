package core_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/channel"
	"github.com/libsds/libsds/core/limits"
	"github.com/libsds/libsds/core/persistence"
	"github.com/libsds/libsds/core/snapshot"
	"github.com/libsds/libsds/core/wire"
)

func writing(format wire.Format) func(*core.Config) {
	return func(c *core.Config) { c.WireFormat = format }
}

// expectFormat fails the test unless the peer writes a format in a channel, in
// its messages as in what it says of itself, and counts in that format's unit.
func (p *peer) expectFormat(channelID string, want wire.Format) {
	p.t.Helper()
	// Not every message shows which of the sds-* formats it is in: one that cites
	// another does.
	p.wrap(channelID, "cited in "+channelID)
	payload := p.wrap(channelID, "cites in "+channelID)
	lim := limits.Default()
	var m wire.Message
	if err := wire.Decode(payload, &lim, &m); err != nil || m.Format != want {
		p.t.Errorf("%s: it writes %v (%v), not %v", channelID, m.Format, err, want)
	}
	unit := channel.Seconds
	if want == wire.LIP109 {
		unit = channel.Milliseconds
	}
	if i := p.inspect(channelID); i.WireFormat != want.String() || i.Clock.Unit != unit {
		p.t.Errorf("%s: it says that it writes %s and counts %v ms, not %v and %v", channelID, i.WireFormat, i.Clock.Unit, want, unit)
	}
}

func TestAChannelWritesWhatTheConfigurationNamesForIt(t *testing.T) {
	shared := newClock()
	formats := map[string]wire.Format{"lip": wire.LIP109, "old": wire.SDS03, "named as well": wire.SDS04}
	host := newPeer(t, "host", shared, func(c *core.Config) { c.ChannelWireFormats = formats })
	formats["lip"] = wire.SDS03 // the configuration was copied
	host.expectFormat("lip", wire.LIP109)
	host.expectFormat("old", wire.SDS03)
	host.expectFormat("named as well", wire.SDS04)
	host.expectFormat("any other", wire.SDS04)
}

// TestOneContextTalksInBothDialects: the two channels of a mixed host know
// nothing of each other.
func TestOneContextTalksInBothDialects(t *testing.T) {
	shared := newClock()
	mixed := newPeer(t, "mixed", shared, func(c *core.Config) { c.ChannelWireFormats = map[string]wire.Format{"lip": wire.LIP109} })
	others := map[string]*peer{"lip": newPeer(t, "ts", shared, writing(wire.LIP109)), "sds": newPeer(t, "nim", shared)}
	for _, id := range []string{"lip", "sds"} {
		other := others[id]
		other.unwrap(mixed.wrap(id, "m1"))
		got := mixed.unwrap(other.wrap(id, "m2"))
		if len(got.Missing) > 0 || mixed.inspect(id).Outgoing == nil || len(mixed.inspect(id).Outgoing) > 0 {
			t.Errorf("%s: m2 lacks %v, unacknowledged are %v", id, got.Missing, mixed.inspect(id).Outgoing)
		}
	}
	mixed.expectFormat("lip", wire.LIP109)
	mixed.expectFormat("sds", wire.SDS04)
}

// TestAReceivedMessageMakesItsChannelInItsDialect, unless the configuration names
// the channel or the host made it.
func TestAReceivedMessageMakesItsChannelInItsDialect(t *testing.T) {
	for _, test := range []struct {
		name                 string
		configured, received wire.Format
		want                 wire.Format
	}{
		{"lip-109 comes to sds-0.4", wire.SDS04, wire.LIP109, wire.LIP109},
		{"lip-109 comes to sds-0.3", wire.SDS03, wire.LIP109, wire.LIP109},
		{"lip-109 comes to its like", wire.LIP109, wire.LIP109, wire.LIP109},
		{"sds-0.2 comes to lip-109", wire.LIP109, wire.SDS02, wire.SDS04}, // its bare ids are those of sds-0.4, too
		{"sds-0.3 comes to lip-109", wire.LIP109, wire.SDS03, wire.SDS03},
		{"sds-0.4 comes to lip-109", wire.LIP109, wire.SDS04, wire.SDS04},
		// Among the sds-* formats the configuration decides: there may be older peers.
		{"sds-0.4 comes to sds-0.3", wire.SDS03, wire.SDS04, wire.SDS03},
		{"sds-0.3 comes to sds-0.4", wire.SDS04, wire.SDS03, wire.SDS04},
	} {
		t.Run(test.name, func(t *testing.T) {
			shared := newClock()
			writer := newPeer(t, "writer", shared, writing(test.received))
			writer.wrap("new", "m1")
			second := writer.wrap("new", "m2") // which shows its format by what it cites

			reader := newPeer(t, "reader", shared, writing(test.configured))
			reader.unwrap(second)
			reader.expectFormat("new", test.want)
			reader.expectFormat("its own", test.configured)

			reader = newPeer(t, "reader", shared, writing(test.configured))
			reader.wrap("new", "ours")
			reader.unwrap(second)
			reader.expectFormat("new", test.configured)

			reader = newPeer(t, "reader", shared, writing(test.configured), func(c *core.Config) {
				c.ChannelWireFormats = map[string]wire.Format{"new": wire.SDS03}
			})
			reader.unwrap(second)
			reader.expectFormat("new", wire.SDS03)
		})
	}
}

// TestATakenDialectSurvivesARestart, and what the configuration says later comes
// first.
func TestATakenDialectSurvivesARestart(t *testing.T) {
	for _, keeping := range keepings {
		t.Run(string(keeping), func(t *testing.T) {
			shared := newClock()
			writer := newPeer(t, "writer", shared, writing(wire.LIP109))
			reader := newPeerOn(t, keeping, "reader", shared, new(persistence.Transactions))
			reader.unwrap(writer.wrap("new", "m1"))
			if kept := reader.kept("new"); kept.Meta.WireFormat != uint64(wire.LIP109) {
				t.Errorf("%d is kept", kept.Meta.WireFormat)
			}
			reader = reader.restart()
			reader.expectFormat("new", wire.LIP109)
			reader = reader.restart(writing(wire.SDS02))
			reader.expectFormat("new", wire.LIP109)
			reader = reader.restart(func(c *core.Config) { c.ChannelWireFormats = map[string]wire.Format{"new": wire.SDS03} })
			reader.expectFormat("new", wire.SDS03)

			if err := reader.RemoveChannel("new"); err != nil {
				t.Fatal(err)
			}
			reader = reader.restart()
			reader.expectFormat("new", wire.SDS04) // made by the host
		})
	}
}

// TestAChosenDialectIsNotKept: it goes with the configuration, and snapshots stay
// as they are without a field of ours.
func TestAChosenDialectIsNotKept(t *testing.T) {
	shared := newClock()
	writer := newPeer(t, "writer", shared, writing(wire.LIP109))
	reader := newPeer(t, "reader", shared, func(c *core.Config) { c.ChannelWireFormats = map[string]wire.Format{"new": wire.LIP109} })
	reader.unwrap(writer.wrap("new", "m1"))
	if kept := reader.kept("new"); kept.Meta.WireFormat != 0 {
		t.Errorf("%d is kept", kept.Meta.WireFormat)
	}
	reader = reader.restart(func(c *core.Config) { c.ChannelWireFormats = nil })
	reader.unwrap(writer.wrap("new", "m2")) // it makes nothing: the channel is there
	reader.expectFormat("new", wire.SDS04)
}

func TestAKeptDialectThatIsNotKnownIsDamage(t *testing.T) {
	memory := new(persistence.Transactions)
	if err := memory.SaveChannelMeta("new", snapshot.AppendMeta(nil, &snapshot.ChannelMeta{WireFormat: 5})); err != nil {
		t.Fatal(err)
	}
	reader := newPeerOn(t, byProcedures, "reader", newClock(), memory)
	if err := reader.EnsureChannel("new"); !errors.Is(err, core.ErrPersistence) {
		t.Errorf("%v", err)
	}
}

func TestAFormatForWhatCanBeNoChannelIsRefused(t *testing.T) {
	cfg := core.DefaultConfig()
	cfg.Limits.MaxIDBytes = 4
	cfg.ChannelWireFormats = map[string]wire.Format{"room": wire.LIP109, "rooms": wire.LIP109}
	_, err := core.New(core.Options{Config: &cfg})
	if !errors.Is(err, core.ErrInvalidArgument) || !strings.Contains(err.Error(), `"channelWireFormats"`) || !strings.Contains(err.Error(), "channel ID") {
		t.Errorf("it says %v", err)
	}
}
