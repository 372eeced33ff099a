package world

import (
	"maps"
	"slices"
	"strings"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/persistence"
	"github.com/libsds/libsds/core/snapshot"
	"github.com/libsds/libsds/core/wire"
)

// fault is what is wrong with a participant on purpose: it shows that the
// invariants notice.
type fault struct {
	// says is what the fault is, and breaks which invariant notices it.
	says   string
	breaks Invariant

	events   func(*participant, core.Event) []core.Event
	arriving func(*participant, *payload) []byte
	leaving  func(*participant, payloadKind, []byte) []byte
	loading  func(persistence.Kept) persistence.Kept
	config   func(*core.Config)
}

// Faults returns the names of the faults, sorted.
func Faults() []string { return slices.Sorted(maps.Keys(faults)) }

// Says returns what a fault is, and the invariant that it breaks.
func Says(fault string) (string, Invariant) { return faults[fault].says, faults[fault].breaks }

var faults = map[string]fault{
	"": {},
	"twice": {says: "announces every delivery twice", breaks: AtMostOnce,
		events: func(_ *participant, e core.Event) []core.Event {
			if e.Type == core.MessageReady {
				return []core.Event{e, e}
			}
			return []core.Event{e}
		}},
	"secretive": {says: "does not announce every other delivery", breaks: Order,
		events: func(p *participant, e core.Event) []core.Event {
			if e.Type == core.MessageReady && p.w.message(e.MessageID).index%2 == 1 {
				return nil
			}
			return []core.Event{e}
		}},
	"hasty": {says: "delivers what arrives without its causal history", breaks: CausalOrder,
		arriving: func(p *participant, arrived *payload) []byte {
			return rewrite(p.w, arrived.bytes, func(m *wire.Message) { m.History = nil })
		}},
	"deaf": {says: "loses messages between its transport and the library, every other one", breaks: NothingLost,
		arriving: func(_ *participant, arrived *payload) []byte {
			if m := arrived.message; m != nil && m.index%2 == 1 {
				return nil
			}
			return arrived.bytes
		}},
	"silent": {says: "never asks for what it lacks", breaks: Convergence,
		config: func(c *core.Config) { c.MaxRepairRequests = 0 }},
	"boastful": {says: "announces an acknowledgement when it resends", breaks: Acknowledged,
		events: func(_ *participant, e core.Event) []core.Event {
			if e.Type == core.ResendReady {
				return []core.Event{e, {Type: core.MessageSent, ChannelID: e.ChannelID, MessageID: e.MessageID}}
			}
			return []core.Event{e}
		}},
	"greedy": {says: "keeps ten times as much as it is allowed", breaks: Bounds,
		config: func(c *core.Config) {
			c.MaxMessageHistory *= 10
			c.Limits.MaxIncomingMessages *= 10
			c.Limits.MaxRepairEntries *= 10
		}},
	"forgetful": {says: "comes back without the last message of its log", breaks: SavedLoaded,
		loading: func(kept persistence.Kept) persistence.Kept {
			kept.History = kept.History[:max(len(kept.History)-1, 0)]
			return kept
		}},
	"rejuvenated": {says: "comes back with an older clock", breaks: SavedLoaded,
		loading: func(kept persistence.Kept) persistence.Kept {
			meta, err := snapshot.DecodeMeta(kept.Meta)
			if err != nil || len(kept.Meta) == 0 {
				return kept
			}
			meta.Lamport /= 2
			kept.Meta = snapshot.AppendMeta(nil, meta)
			return kept
		}},
	"backward": {says: "writes every third message with a timestamp of the past", breaks: LamportClock,
		leaving: func(p *participant, kind payloadKind, payload []byte) []byte {
			if kind != contentPayload || p.ledger.delivered.len()%3 != 2 {
				return payload
			}
			return rewrite(p.w, payload, func(m *wire.Message) { m.Lamport = 1 })
		}},
	"fickle": {says: "changes what it wrote when it sends it again", breaks: OneMessage,
		leaving: func(p *participant, kind payloadKind, payload []byte) []byte {
			if kind != resendPayload && kind != repairPayload {
				return payload
			}
			return rewrite(p.w, payload, func(m *wire.Message) { m.Content = []byte(strings.ToUpper(string(m.Content)) + "!") })
		}},
	"stubborn": {says: "never gives up waiting", breaks: Patience,
		config: func(c *core.Config) { c.MissingDependencyTimeoutMs = 0 }},
	"verbose": {says: "broadcasts what is no message", breaks: NoError,
		leaving: func(_ *participant, _ payloadKind, payload []byte) []byte { return payload[:len(payload)/2] }},
}

// rewrite decodes a payload, changes it and encodes it again.
func rewrite(w *World, payload []byte, change func(*wire.Message)) []byte {
	var m wire.Message
	if wire.Decode(payload, &w.config.Limits, &m) != nil {
		return payload
	}
	change(&m)
	return wire.Append(nil, w.config.WireFormat, &m, nil)
}
