package channel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/libsds/libsds/core/limits"
	"github.com/libsds/libsds/core/snapshot"
	"github.com/libsds/libsds/core/wire"
	"github.com/libsds/libsds/internal/corpus"
)

// FuzzStep reads bytes as what happens to three participants of a channel, and
// has each be a Channel and a [model] side by side. After every step both must say
// the same and hold the same, and a backend that is told of every change the log.
func FuzzStep(f *testing.F) {
	for _, story := range append(stories, corpus.Inputs(f, "../../tests/fuzz/corpus/step")...) {
		f.Add(story)
	}
	f.Fuzz(func(t *testing.T, story []byte) { tell(t, story) })
}

// TestStepDoesWhatTheModelDoes is FuzzStep with random stories.
func TestStepDoesWhatTheModelDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Every byte as likely as any other, which rapid's own are not.
		story := make([]byte, rapid.IntRange(1, 600).Draw(t, "length"))
		random := rand.NewChaCha8([32]byte(binary.LittleEndian.AppendUint64(make([]byte, 24), rapid.Uint64().Draw(t, "seed"))))
		_, _ = random.Read(story)
		tell(t, story)
	})
}

// stories are seeds: the first byte is the configuration, see readConfig; then
// each happening is a byte that says who and what, see happen, and its arguments.
var stories = [][]byte{
	{0x00, 0x00, 1, 0x03, 1, 0x40, 2, 0x03, 0x41, 0, 0x00, 0x43, 1},
	{0x0a, 0x00, 1, 0x00, 2, 0x08, 5, 0x06, 0x08, 6, 0x06, 0x08, 6, 0x06},
	{0x15, 0x44, 3, 2, 0x25, 0x11, 0x33, 7, 0x48, 5, 0x41, 0x43, 0, 0x09, 0x47},
	{0xff, 0x04, 1, 1, 0xff, 0xff, 0xff, 0xff, 0x05, 0xff, 0x46, 0x49, 0x09},
}

// bytesOf reads a story; at its end there are zeros.
type bytesOf struct{ left []byte }

func (s *bytesOf) more() bool { return len(s.left) > 0 }

func (s *bytesOf) next() byte {
	if len(s.left) == 0 {
		return 0
	}
	b := s.left[0]
	s.left = s.left[1:]
	return b
}

// pick chooses one of list.
func pick[T any](s *bytesOf, list []T) T { return list[int(s.next())%len(list)] }

// readConfig makes every bound one that a short story meets, and puts some out of
// reach.
func readConfig(s *bytesOf) func(*Config) {
	first, then := s.next(), s.next()
	return func(c *Config) {
		tight(c)
		c.Format = []wire.Format{wire.SDS04, wire.SDS03, wire.SDS02, wire.LIP109}[first&3]
		if c.Format == wire.LIP109 {
			c.LamportUnit = Milliseconds
		}
		c.PossibleAckThreshold = 1 + int(first>>2&3)
		c.MaxRepairRequests = int(first >> 4 & 3)
		c.ResponseGroups = int(first >> 6)
		c.MaxHistory = []int{5, 1, 2, 30}[then&3]
		c.FilterCapacity = []int{10, 1, 4, 100}[then>>2&3]
		if then&0x10 != 0 {
			c.Limits.MaxIncomingBytes = 700
		}
		if then&0x20 != 0 {
			c.MissingTimeout = 0
		}
		if then&0x40 != 0 {
			c.RepairTMin, c.RepairTMax = 0, 31*second
		}
		c.Limits.MaxContentBytes = 8
	}
}

// A twin is a participant in both forms, with a backend.
type twin struct {
	*peer
	model *model
	kept  map[string]string
}

// A stage is where a story happens: what was sent can be handed over there.
type stage struct {
	t       failer
	twins   []*twin
	network [][]byte
	now     int64
	log     []string // what happened, for the reader of a failure
}

const mostInNetwork = 32

// mostHappenings bounds a story: an endless one is taken for one that hangs.
const mostHappenings = 300

// tell runs a story.
func tell(t failer, story []byte) {
	s := &bytesOf{story}
	change := readConfig(s)
	w := &stage{t: t, now: start}
	for _, name := range []string{"alice", "bob", ""} {
		p := newPeer(t, name, change)
		w.twins = append(w.twins, &twin{peer: p, model: newModel(p.id, p.cfg), kept: map[string]string{}})
	}
	for n := 0; s.more() && n < mostHappenings; n++ {
		w.happen(s)
	}
}

// happen reads one happening: who it happens to in the highest two bits, what in
// the others.
func (w *stage) happen(s *bytesOf) {
	head := s.next()
	p := w.twins[int(head>>6)%len(w.twins)]
	switch head & 0x3f % 13 {
	case 0, 1:
		input := Input{Op: OpSend, MessageID: pick(s, names), Content: []byte("content")}
		if head&0x3f == 13 {
			input.Content = pick(s, [][]byte{nil, []byte("x"), []byte("too long by far"), []byte("limit is")})
		}
		w.step(p, input)
	case 2:
		w.step(p, Input{Op: OpSendSync})
	case 3, 4:
		if len(w.network) > 0 {
			w.receive(p, pick(s, w.network))
		}
	case 5:
		w.receive(p, w.craft(s))
	case 6:
		w.step(p, Input{Op: OpSweepBuffers})
	case 7:
		w.step(p, Input{Op: OpSweepRepairs})
	case 8:
		w.now = max(w.now+pick(s, []int64{0, 1, second, 31 * second, 61 * second, 121 * second, 601 * second, -3600 * second, -61 * second}), 1)
	case 9:
		w.restart(p)
	case 10:
		id, hint := pick(s, names), pick(s, [][]byte{[]byte("here"), nil, {0}})
		w.log = append(w.log, fmt.Sprintf("%q learns the hint %q of %s", p.cfg.ParticipantID, hint, id))
		p.LearnHint(id, hint)
		p.model.learn(id, hint)
		w.compareState(p)
	case 11:
		mask := s.next()
		var ids []string
		for i := range 8 {
			if mask>>i&1 != 0 {
				ids = append(ids, names[i])
			}
		}
		w.step(p, Input{Op: OpMarkMet, MetIDs: ids})
	case 12:
		if head&0x20 != 0 {
			w.step(p, Input{Op: OpSendEphemeral, MessageID: pick(s, names), Content: []byte("eph")})
			return
		}
		length := int(s.next())
		length = min(length, len(s.left))
		w.receive(p, s.left[:length])
		s.left = s.left[length:]
	}
}

// craft reads a message that nobody sent.
func (w *stage) craft(s *bytesOf) []byte {
	head := s.next()
	m := wire.Message{
		ID: pick(s, names), ChannelID: "room", SenderID: []string{"alice", "bob", "", "carol"}[head&3],
		HasLamport: true, Lamport: pick(s, []uint64{1000, 999, 1001, 1002, 0, 5000, 1_000_000, 1_000_001, 1 << 40, limits.MaxLamport}),
		Content: []byte("craft"),
	}
	switch head >> 2 & 7 {
	case 0:
		m.Content = nil
	case 1:
		m.HasLamport, m.Lamport = false, 0
	}
	list := func() (entries []wire.Entry) {
		for range s.next() % 5 {
			b := s.next()
			entries = append(entries, wire.Entry{
				ID:       names[int(b&15)%len(names)],
				SenderID: []string{"", "alice", "bob", "carol"}[b>>4&3],
				Hint:     [][]byte{nil, nil, nil, []byte("where")}[b>>6],
			})
		}
		return entries
	}
	m.History = list()
	if head&0x20 != 0 {
		m.RepairRequests = list()
	}
	if head&0x40 != 0 {
		m.Filter = pick(s, filters)
	}
	format := wire.SDS04
	if head&0x80 != 0 {
		format = pick(s, []wire.Format{wire.SDS03, wire.SDS02, wire.LIP109})
	}
	return wire.Append(nil, format, &m, wire.RawFilter(m.Filter))
}

// receive hands over a payload that is written as its format's writers do: the
// model keeps messages as they write them.
func (w *stage) receive(p *twin, payload []byte) {
	bounds := limits.Default()
	var m wire.Message
	view := bytes.Clone(payload)
	if wire.Decode(view, &bounds, &m) != nil || !bytes.Equal(wire.Append(nil, m.Format, &m, wire.RawFilter(m.Filter)), payload) {
		return
	}
	own := decode(w.t, bytes.Clone(payload)) // the model's, which keeps it
	w.stepBoth(p, Input{Op: OpReceive, Received: &m}, Input{Op: OpReceive, Received: own})
	for i := range view {
		view[i] = 0xff
	}
}

func (w *stage) step(p *twin, input Input) { w.stepBoth(p, input, input) }

// stepBoth steps channel and model and compares them.
func (w *stage) stepBoth(p *twin, input, modelInput Input) {
	w.log = append(w.log, fmt.Sprintf("%d: %q %s", w.now, p.cfg.ParticipantID, describeInput(modelInput)))
	p.now = w.now
	got := p.peer.step(input)
	want := p.model.step(w.now, modelInput)
	w.compareEffects(got, want)
	w.compareState(p)
	w.keep(p)
	for _, event := range want.Events {
		w.send(event.Message)
	}
	w.send(want.Encoded)
}

func (w *stage) send(payload []byte) {
	if len(payload) == 0 {
		return
	}
	w.network = append(w.network, payload)
	if len(w.network) > mostInNetwork {
		w.network = w.network[1:]
	}
}

// keep has the backend save what the log did.
func (w *stage) keep(p *twin) {
	apply(p.kept, p.PendingHistory())
	p.HistorySaved()
	want := map[string]string{}
	for _, m := range p.model.log {
		want[m.ID] = string(p.log.get(m.ID).stored.Bytes())
	}
	w.expect("what the backend keeps", p.kept, want)
}

// restart goes on from what is kept.
func (w *stage) restart(p *twin) {
	w.log = append(w.log, fmt.Sprintf("%q restarts", p.cfg.ParticipantID))
	p.peer = p.reloaded()
	p.model = p.model.restart(func(payload []byte) *wire.Message { return decode(w.t, payload) })
	w.compareState(p)
}

func (w *stage) compareEffects(got, want *Effects) {
	w.expect("the error", got.Err != nil, want.Err != nil)
	if !errors.Is(got.Err, want.Err) {
		w.fail("the error is %v, want %v", got.Err, want.Err)
	}
	w.expect("whether something changed", got.Changed, want.Changed)
	w.expect("the events", events(w.t, got), events(w.t, want))
	w.expect("what is sent", got.Encoded, want.Encoded)
	w.expect("how many are asked for", got.Requested, want.Requested)
	w.expect("the receipt", got.Receipt, want.Receipt)
}

// events are the events with their messages read: received ones are kept as they
// came, perhaps in more bytes than the model's.
func events(t failer, effects *Effects) (list []any) {
	for _, event := range effects.Events {
		message := event.Message
		event.Message = nil
		list = append(list, event)
		if message != nil {
			m := *decode(t, message)
			list = append(list, readMessage(&m))
		}
	}
	return list
}

// keptMessage is what is compared of a message.
type keptMessage struct {
	ID, Sender, Channel string
	Lamport             uint64
	Content, Filter     string
	History, Requests   []wire.Entry
}

func readMessage(m *wire.Message) keptMessage {
	return keptMessage{m.ID, m.SenderID, m.ChannelID, m.Lamport, string(m.Content), string(m.Filter), m.History, m.RepairRequests}
}

// A state is all that a channel or its model holds, for comparing.
type state struct {
	Clock    uint64
	Log      []Logged
	Messages []keptMessage
	Incoming []waitingState
	Bytes    int
	Outgoing []ownState
	Asking   []repairState
	Asked    []repairState
	Met      []string
	Filter   int
	News     bool
}

type waitingState struct {
	ID      string
	Since   int64
	Missing []Dependency
}

type ownState struct {
	ID        string
	SentAt    int64
	Attempts  int
	Witnesses []snapshot.Witness
}

type repairState struct {
	Entry         wire.Entry
	Due, FirstDue int64
	Times         int
}

func (w *stage) compareState(p *twin) {
	w.expect("the state", w.stateOf(p.peer), w.stateOfModel(p.model))
}

func (w *stage) stateOf(p *peer) state {
	i, n := p.Inspect(w.now), p.Count(w.now)
	s := state{Clock: i.Clock.Lamport, Log: orNil(i.Log), Bytes: n.IncomingBytes, Met: orNil(i.Met), Filter: i.Filter.IDs, News: p.HasNews()}
	p.log.all(func(e *entry) {
		s.Messages = append(s.Messages, readMessage(decode(w.t, e.stored.Bytes())))
	})
	for _, waiting := range i.Incoming {
		ws := waitingState{ID: waiting.MessageID, Since: waiting.Since}
		for _, d := range waiting.Missing {
			ws.Missing = append(ws.Missing, Dependency{ID: d.MessageID, SenderID: d.SenderID, Hint: d.Hint})
		}
		s.Incoming = append(s.Incoming, ws)
	}
	for _, item := range p.outgoing.items {
		u := item.message
		s.Outgoing = append(s.Outgoing, ownState{u.entry.id, u.sentAt, u.attempts, u.witnesses})
	}
	repairs := func(b *repairBuffer) (list []repairState) {
		b.all(func(item *repairItem) {
			list = append(list, repairState{item.entry, item.due, item.firstDue, item.asked})
		})
		return list
	}
	s.Asking, s.Asked = repairs(&p.asking), repairs(&p.asked)
	return s
}

func (w *stage) stateOfModel(m *model) state {
	s := state{Clock: m.clock, Bytes: m.incomingBytes(), Met: orNil(m.met), Filter: len(m.received)}
	s.News = len(m.log)+len(m.incoming)+len(m.asking) > 0
	for _, logged := range m.log {
		s.Log = append(s.Log, Logged{Named: Named{logged.ID, logged.SenderID, logged.Lamport}, Hint: logged.hint})
		s.Messages = append(s.Messages, readMessage(decode(w.t, m.encode(logged, nil, nil))))
	}
	for _, waiting := range m.incoming {
		since := min(waiting.receivedAt, w.now)
		if waiting.receivedAt == 0 {
			since = w.now
		}
		s.Incoming = append(s.Incoming, waitingState{waiting.message.ID, since, waiting.missing})
	}
	for _, o := range m.outgoing {
		own := ownState{o.message.ID, o.sentAt, o.attempts, nil}
		for _, witness := range o.witnesses {
			own.Witnesses = append(own.Witnesses, snapshot.Witness{MessageID: witness.message, SenderID: witness.sender})
		}
		s.Outgoing = append(s.Outgoing, own)
	}
	repairs := func(l refRepairs) (list []repairState) {
		for _, item := range l {
			list = append(list, repairState{item.entry, item.due, item.firstDue, item.times})
		}
		return list
	}
	s.Asking, s.Asked = repairs(m.asking), repairs(m.asked)
	return s
}

// orNil is a list, or nil for an empty one, so that equal states are deeply equal and
// need no slower comparison.
func orNil[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return list
}

// expect fails the story unless the channel's is the model's, an empty list being
// as good as none.
func (w *stage) expect(what string, got, want any) {
	w.t.Helper()
	if reflect.DeepEqual(got, want) {
		return
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		w.fail("%s (-model +channel):\n%s", what, diff)
	}
}

func (w *stage) fail(format string, arguments ...any) {
	w.t.Helper()
	var happened bytes.Buffer
	for _, line := range w.log {
		happened.WriteString("\n" + line)
	}
	w.t.Fatalf("%s\nafter%s", fmt.Sprintf(format, arguments...), happened.String())
}

func describeInput(input Input) string {
	switch input.Op {
	case OpReceive:
		m := *input.Received
		filter := len(m.Filter)
		return fmt.Sprintf("receives %s by %q at %d (%v) citing %v asking %v, content %q, %d bytes of filter",
			m.ID, m.SenderID, m.Lamport, m.HasLamport, m.History, m.RepairRequests, m.Content, filter)
	case OpMarkMet:
		return fmt.Sprintf("marks %v met", slices.Clone(input.MetIDs))
	}
	name := map[Op]string{OpSend: "sends", OpSendSync: "sends a sync message", OpSendEphemeral: "sends ephemerally",
		OpSweepBuffers: "sweeps its buffers", OpSweepRepairs: "sweeps its repairs"}[input.Op]
	return fmt.Sprintf("%s %s %q", name, input.MessageID, input.Content)
}
