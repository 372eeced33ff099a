package conformance

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/channel"
	"github.com/libsds/libsds/core/limits"
	"github.com/libsds/libsds/core/wire"
)

var generations = []wire.Format{wire.SDS02, wire.SDS03, wire.SDS04}

// generation writes a message as the schema of one says (proto/sds_v0?.proto),
// knowing nothing of core/wire.
func generation(f wire.Format, m *wire.Message) (b []byte) {
	old := f != wire.SDS04 // writes fields that are empty
	str := func(b []byte, number protowire.Number, value string, always bool) []byte {
		if value == "" && !always {
			return b
		}
		return protowire.AppendString(protowire.AppendTag(b, number, protowire.BytesType), value)
	}
	entry := func(e wire.Entry) string {
		return string(str(str(str(nil, 1, e.ID, true), 2, string(e.Hint), false), 3, e.SenderID, false))
	}
	b = str(b, 1, m.ID, old)
	b = protowire.AppendVarint(protowire.AppendTag(b, 2, protowire.VarintType), m.Lamport)
	for _, e := range m.History {
		if f == wire.SDS03 {
			b = str(b, 3, entry(e), true)
		} else {
			b = str(b, 3, e.ID, true)
		}
	}
	b = str(b, 4, m.ChannelID, old)
	b = str(b, 5, string(m.Content), old)
	b = str(b, 6, string(m.Filter), old)
	if f == wire.SDS02 {
		return b
	}
	b = str(b, 7, m.SenderID, false)
	if f == wire.SDS04 {
		for _, e := range m.History {
			if len(e.Hint) > 0 || e.SenderID != "" {
				b = str(b, 8, entry(e), true)
			}
		}
	}
	for _, e := range m.RepairRequests {
		b = str(b, 13, entry(e), true)
	}
	return b
}

// TestEveryGenerationIsReadAndWritten: a message that each writes is read as what
// that generation can say, and written again with the same bytes.
func TestEveryGenerationIsReadAndWritten(t *testing.T) {
	lim := limits.Default()
	random := rand.New(rand.NewPCG(109, 1))
	anyEntries := func(n int) (entries []wire.Entry) {
		for i := range random.IntN(n) {
			e := wire.Entry{ID: fmt.Sprintf("message %d of %x", i, random.Uint32())}
			if random.IntN(2) == 0 {
				e.SenderID = fmt.Sprint("sender ", random.IntN(3))
			}
			if random.IntN(2) == 0 {
				e.Hint = fmt.Appendf(nil, "hint %d", random.IntN(3))
			}
			entries = append(entries, e)
		}
		return entries
	}
	const each = 500
	for _, f := range generations {
		for i := range each {
			m := &wire.Message{
				ID: fmt.Sprint("message ", i), ChannelID: "garden", SenderID: []string{"", "alice"}[i%2],
				Lamport: random.Uint64() >> (1 + random.IntN(63)), HasLamport: true,
				History: anyEntries(12), RepairRequests: anyEntries(4), Content: []byte(fmt.Sprint("content ", i))[:random.IntN(10)],
				Filter: []byte("filter")[:6*random.IntN(2)],
			}
			payload := generation(f, m)
			if f == wire.SDS02 { // has neither of these
				m.SenderID, m.RepairRequests = "", nil
				for j := range m.History {
					m.History[j].SenderID, m.History[j].Hint = "", nil
				}
			}
			var got wire.Message
			if err := wire.Decode(payload, &lim, &got); err != nil {
				t.Fatalf("%v: %x: %v", f, payload, err)
			}
			// That some bytes are those of two generations, Message.Format says.
			if len(m.History) > 0 && f == wire.SDS03 && got.Format != f {
				t.Errorf("%v is taken for %v: %x", f, got.Format, payload)
			}
			got.Format = 0
			if diff := gocmp.Diff(m, &got, cmpopts.IgnoreUnexported(wire.Message{}), cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("%v: %x: %s", f, payload, diff)
			}
			if again := wire.Append(nil, f, m, wire.RawFilter(m.Filter)); string(again) != string(payload) {
				t.Fatalf("%v is written as %x, not %x", f, again, payload)
			}
		}
	}
	t.Logf("%d messages of each of %d generations", each, len(generations))
}

// TestAConversationInWhichEveryParticipantWritesAnotherGeneration ends with equal
// logs, over a network that loses, repeats and reorders, and with all acknowledged.
func TestAConversationInWhichEveryParticipantWritesAnotherGeneration(t *testing.T) {
	const seeds, rounds = 20, 60
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			newMixedConversation(t, seed).run(rounds)
		})
	}
}

// mixedConversation is participants of all generations, two of each.
type mixedConversation struct {
	t       *testing.T
	random  *rand.Rand
	now     int64
	writers []*writer
	sent    map[string]*wire.Message
	carried map[string][]byte // what an archive would have of each message
}

type writer struct {
	*core.Manager
	name   string
	format wire.Format
	inbox  [][]byte
	ready  map[string]bool
	wanted map[string]bool // was missing at some time
}

func newMixedConversation(t *testing.T, seed uint64) *mixedConversation {
	v := &mixedConversation{
		t: t, random: rand.New(rand.NewPCG(seed, 3)), now: 1_760_000_000_000,
		sent: map[string]*wire.Message{}, carried: map[string][]byte{},
	}
	for i := range 2 * len(generations) {
		w := &writer{name: fmt.Sprint("writer ", i), format: generations[i%len(generations)], ready: map[string]bool{}, wanted: map[string]bool{}}
		config := core.DefaultConfig()
		config.WireFormat, config.MissingDependencyTimeoutMs = w.format, 0
		config.RepairTMinMs, config.RepairTMaxMs = 1_000, 10_000
		config.MaxResendAttempts = 1000
		manager, err := core.New(core.Options{ParticipantID: w.name, Config: &config, Now: func() int64 { return v.now }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(manager.Close)
		w.Manager = manager
		v.writers = append(v.writers, w)
	}
	return v
}

// broadcast loses, repeats, and puts what is left somewhere into the inboxes.
func (v *mixedConversation) broadcast(from *writer, payload []byte, losing bool) {
	m := decodeMessage(v.t, payload)
	// A message that has what only one generation has shows who wrote it.
	if len(m.History) > 0 && from.format == wire.SDS03 && m.Format != wire.SDS03 {
		v.t.Errorf("%s writes %v, not %v", from.name, m.Format, from.format)
	}
	for _, to := range v.writers {
		copies := 1
		if losing {
			copies = []int{0, 1, 1, 1, 2}[v.random.IntN(5)]
		}
		for range copies {
			if to != from {
				to.inbox = slices.Insert(to.inbox, v.random.IntN(len(to.inbox)+1), payload)
			}
		}
	}
}

func (v *mixedConversation) step(w *writer, losing bool) {
	for _, payload := range w.inbox[:v.random.IntN(len(w.inbox)+1)] {
		w.inbox = w.inbox[1:]
		if _, err := w.Unwrap(payload); err != nil {
			v.t.Errorf("%s: %v", w.name, err)
		}
	}
	if !losing { // sds-0.2 cannot ask: its host fetches
		for _, id := range slices.Sorted(maps.Keys(w.wanted)) {
			if !w.ready[id] {
				w.inbox = append(w.inbox, v.carried[id])
			}
		}
	}
	w.Tick(v.now)
	for {
		event, ok := w.NextEvent()
		if !ok {
			return
		}
		switch event.Type {
		case channel.MessageReady:
			for _, cited := range v.sent[event.MessageID].History {
				if v.sent[cited.ID] != nil && !w.ready[cited.ID] {
					v.t.Errorf("%s got %s before %s", w.name, event.MessageID, cited.ID)
				}
			}
			w.ready[event.MessageID] = true
		case channel.RepairReady, channel.ResendReady:
			v.broadcast(w, event.Message, losing)
		case channel.MissingDependencies:
			for _, missing := range event.Deps {
				w.wanted[missing.ID] = true
			}
		case channel.DeliveryFailed, channel.DependenciesLost:
			v.t.Errorf("%s: %v %s", w.name, event.Type, event.MessageID)
		}
	}
}

func (v *mixedConversation) run(rounds int) {
	for i := range rounds {
		v.now += v.random.Int64N(2_000)
		from := v.writers[v.random.IntN(len(v.writers))]
		id := fmt.Sprintf("%016x-%d", v.random.Uint64(), i)
		payload, err := from.Wrap(nil, "garden", id, []byte("content of "+id))
		if err != nil {
			v.t.Fatal(err)
		}
		m := decodeMessage(v.t, payload)
		v.sent[id], v.carried[id] = &m, payload
		from.ready[id] = true
		v.broadcast(from, payload, true)
		for _, w := range v.writers {
			v.step(w, true)
		}
	}
	for range 400 {
		v.now += 5_000
		for _, w := range v.writers {
			if payload, err := w.WrapSync(nil, "garden"); err == nil {
				v.broadcast(w, payload, false)
			}
			v.step(w, false)
		}
		if v.settled() {
			break
		}
	}
	want := slices.SortedFunc(maps.Keys(v.sent), func(a, b string) int {
		return cmp.Or(cmp.Compare(v.sent[a].Lamport, v.sent[b].Lamport), cmp.Compare(a, b))
	})
	for _, w := range v.writers {
		i, err := w.Inspect("garden")
		if err != nil {
			v.t.Fatal(err)
		}
		var got []string
		for _, logged := range i.Log {
			got = append(got, logged.MessageID)
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			v.t.Errorf("%s, %v: %s", w.name, w.format, diff)
		}
		if i.WireFormat != w.format.String() {
			v.t.Errorf("%s ends up writing %s", w.name, i.WireFormat)
		}
		if len(i.Outgoing) > 0 {
			v.t.Errorf("%s, %v: %d messages wait for an acknowledgement", w.name, w.format, len(i.Outgoing))
		}
	}
}

func (v *mixedConversation) settled() bool {
	for _, w := range v.writers {
		i, err := w.Inspect("garden")
		if err != nil || len(i.Log) < len(v.sent) || len(i.Outgoing) > 0 {
			return false
		}
	}
	return true
}
