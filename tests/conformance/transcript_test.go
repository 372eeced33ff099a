package conformance

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/limits"
	"github.com/libsds/libsds/core/wire"
)

// transcript is a recorded conversation between peers that ran the replaced
// library: what each was told, and what it did and was then.
type transcript struct {
	Scenario string          `json:"scenario"`
	Config   json.RawMessage `json:"config"`
	Peers    []struct {
		Name          string `json:"name"`
		ParticipantID string `json:"participantId"`
		Hints         string `json:"hints"`
	} `json:"peers"`
	Steps []step `json:"steps"`
}

type step struct {
	Op   string `json:"op"`
	Peer string `json:"peer"`

	// What the peer was told.
	Channel     string   `json:"channel"`
	MessageID   string   `json:"messageId"`
	ContentHex  string   `json:"contentHex"` // of an unwrap: what came out
	ContentLen  int      `json:"contentLen"`
	ContentNote string   `json:"contentNote"`
	NowUnix     int64    `json:"nowUnix"`
	NowStable   *bool    `json:"nowStable"`
	NowUnixMs   json64   `json:"nowUnixMs"`
	Wire        string   `json:"wire"` // the label of an earlier payload
	IDs         []string `json:"ids"`
	Ms          int64    `json:"ms"`

	// What it did.
	Error         string          `json:"error"`
	Label         string          `json:"label"`
	WireHex       *string         `json:"wireHex"` // of an unwrap: what it was told, where no label names it
	Lamport       json64          `json:"lamport"`
	CausalHistory []citation      `json:"causalHistory"`
	RepairRequest []citation      `json:"repairRequest"`
	SenderID      string          `json:"senderId"`
	MissingDeps   []citation      `json:"missingDeps"`
	Events        []recordedEvent `json:"events"`
	RepairLabels  []string        `json:"repairLabels"`
	Persistence   []recordedCall  `json:"persistence"`

	// What it was then, by channel.
	State map[string]recordedState `json:"state"`
}

type citation struct {
	MessageID string `json:"messageId"`
	HintHex   string `json:"retrievalHintHex"`
	SenderID  string `json:"senderId"`
}

type recordedEvent struct {
	Event       string     `json:"event"`
	Channel     string     `json:"channel"`
	MessageID   string     `json:"messageId"`
	MissingDeps []citation `json:"missingDeps"`
	MessageHex  string     `json:"messageHex"`
}

type recordedCall struct {
	Op             string   `json:"op"`
	Channel        string   `json:"channel"`
	Lamport        json64   `json:"lamport"`
	Outgoing       []string `json:"outgoing"`
	Incoming       []string `json:"incoming"`
	OutgoingRepair []string `json:"outRepair"`
	IncomingRepair []string `json:"inRepair"`
	Append         []string `json:"append"`
	Evict          []string `json:"evict"`
}

type recordedState struct {
	Lamport        json64              `json:"lamport"`
	History        []string            `json:"history"`
	Outgoing       []string            `json:"outgoing"`
	Incoming       map[string][]string `json:"incoming"`
	OutgoingRepair map[string]citation `json:"outgoingRepair"`
	IncomingRepair map[string]struct {
		Entry        citation `json:"entry"`
		CachedSHA256 string   `json:"cachedSha256"`
	} `json:"incomingRepair"`
	FilterSHA256   string `json:"bloomSha256"`
	FilterIDs      int    `json:"bloomMessages"`
	FilterCapacity int    `json:"bloomCapacity"`
}

// Every step of every transcript is replayed, and everything that was recorded
// of it compared. Where libsds differs by design, designedDifferences says what
// it does instead; nothing else may differ, and nothing listed may be equal.
//
// The replaced library moves its clock one beyond a received timestamp. So
// that one step's clock does not make all later ones differ, each peer hears a
// timestamp before each step: the one that the recorded peer had then.
func TestTranscriptsReplayedAsRecordedButForDesignedDifferences(t *testing.T) {
	names, err := filepath.Glob(filepath.Join("vectors", "transcript_*.json"))
	if err != nil {
		t.Fatal(err)
	}
	tally, steps := newTally(t), 0
	for _, name := range names {
		var recorded transcript
		loadVectors(t, strings.TrimSuffix(filepath.Base(name), ".json"), &recorded)
		steps += len(recorded.Steps)
		tally.replayed[recorded.Scenario] = false
		t.Run(recorded.Scenario, func(t *testing.T) {
			r := newReplay(t, &recorded, tally)
			for i := range recorded.Steps {
				r.perform(i, &recorded.Steps[i])
			}
		})
	}
	tally.report(t)
	if len(names) != 7 || steps != 113 {
		t.Errorf("%d transcripts with %d steps, want 7 with 113", len(names), steps)
	}
}

// replay is one transcript while it is replayed.
type replay struct {
	t        *testing.T
	recorded *transcript
	tally    *tally
	peers    map[string]*peer
	now      int64
	payloads map[string][]byte        // recorded, by label
	before   map[string]recordedState // of each peer, by name and channel
	at       int                      // the step being replayed
}

func newReplay(t *testing.T, recorded *transcript, tally *tally) *replay {
	r := &replay{
		t: t, recorded: recorded, tally: tally,
		peers:    make(map[string]*peer),
		payloads: make(map[string][]byte),
		before:   make(map[string]recordedState),
	}
	tally.replayed[recorded.Scenario] = true
	config, err := core.ParseConfig(recorded.Config)
	if err != nil {
		t.Fatal(err)
	}
	config.WireFormat = wire.SDS03
	for _, p := range recorded.Peers {
		if p.Hints != "" && p.Hints != "hint:<messageId>" {
			t.Fatalf("unknown hints %q", p.Hints)
		}
		r.peers[p.Name] = newPeer(t, peerSetting{participantID: p.ParticipantID, hints: p.Hints != "", config: config})
	}
	return r
}

// perform replays one step and compares all that was recorded of it.
func (r *replay) perform(at int, s *step) {
	r.at = at
	r.tally.steps++
	if s.NowStable != nil && !*s.NowStable {
		r.t.Fatalf("step %d: its time was not stable while it was recorded", at)
	}
	r.now = max(r.now, s.NowUnix*1000, int64(s.NowUnixMs))
	p := r.peers[s.Peer]
	if p == nil && s.Op != "sleep" {
		r.t.Fatalf("step %d: unknown peer %q", at, s.Peer)
	}
	switch s.Op {
	case "sleep":
		r.now += s.Ms
		return
	case "wrap":
		r.wrap(p, s)
	case "unwrap":
		r.unwrap(p, s)
	case "markDependenciesMet":
		r.align(p, s.Channel, r.clockBefore(s, s.Channel))
		r.compareOutcome(s, p.markMet(r.now, s.Channel, s.IDs))
	case "repairSweep":
		for channelID := range s.State {
			r.align(p, channelID, r.clockBefore(s, channelID))
		}
		p.sweepRepairs(r.now)
	default:
		r.t.Fatalf("step %d: unknown operation %q", at, s.Op)
	}
	r.compareEvents(p, s)
	r.compareCalls(p, s)
	r.compareState(p, s)
	p.forgetTraces()
	for channelID, state := range s.State {
		r.before[s.Peer+" "+channelID] = state
	}
}

func (r *replay) clockBefore(s *step, channelID string) uint64 {
	return uint64(r.before[s.Peer+" "+channelID].Lamport)
}

// align gives a peer the clock that the recorded one had, without any trace of
// how.
func (r *replay) align(p *peer, channelID string, clock uint64) {
	p.hearClock(r.now, channelID, clock)
	p.forgetTraces()
}

func (r *replay) wrap(p *peer, s *step) {
	content := r.contentToWrap(s)
	before := r.clockBefore(s, s.Channel)
	unaligned := p.fork(p.setting)
	clock := before
	if s.Error == "" {
		clock = uint64(s.Lamport) - 1
	}
	r.align(p, s.Channel, clock)
	payload, err := p.wrap(r.now, s.Channel, s.MessageID, content)
	r.compareOutcome(s, err)
	if s.Error != "" {
		return
	}
	recorded := unhex(r.t, *s.WireHex)
	r.payloads[s.Label] = recorded
	ours := "none"
	if err == nil {
		ours = r.describeWire(recorded, payload)
	}
	r.compare("wire", "as recorded", ours)
	if s.MessageID == "" || s.Channel == "" {
		return // nothing to read, and no clock
	}
	r.compareReading(s, recorded)

	unaligned.hearClock(r.now, s.Channel, before)
	payload, err = unaligned.wrap(r.now, s.Channel, s.MessageID, content)
	if err != nil {
		r.t.Fatalf("step %d: %v", r.at, err)
	}
	base := max(before, uint64(r.now)/1000)
	r.compareClock("max(now, clock)", base, uint64(s.Lamport), decodeMessage(r.t, payload).Lamport)
}

func (r *replay) contentToWrap(s *step) []byte {
	switch s.ContentNote {
	case "":
		return unhex(r.t, s.ContentHex)
	case "contentLen bytes of 0x78":
		return bytes.Repeat([]byte{0x78}, s.ContentLen)
	}
	r.t.Fatalf("step %d: unknown content %q", r.at, s.ContentNote)
	return nil
}

func (r *replay) unwrap(p *peer, s *step) {
	payload, known := r.payloads[s.Wire]
	if s.WireHex != nil {
		payload, known = unhex(r.t, *s.WireHex), true
	}
	if !known {
		r.t.Fatalf("step %d: unknown payload %q", r.at, s.Wire)
	}
	before := r.clockBefore(s, s.Channel)
	if before != 0 {
		r.align(p, s.Channel, before)
	}
	got, err := p.unwrap(r.now, payload)
	r.compareOutcome(s, err)
	if s.Error != "" {
		return
	}
	ours := "none"
	if err == nil {
		ours = hex.EncodeToString(got.Content) + " in " + got.ChannelID
	}
	r.compare("content", s.ContentHex+" in "+s.Channel, ours)
	if err != nil {
		return
	}
	r.compare("missing", list(entries(r.t, s.MissingDeps), describeEntry), list(got.Missing, describeEntry))
	r.compareClock("max(clock, lamport)", max(before, got.Lamport), uint64(s.State[s.Channel].Lamport), p.backend.saved[s.Channel].Lamport)
}

func (r *replay) compareOutcome(s *step, err error) {
	theirs, ours := "ok", "ok"
	if s.Error != "" {
		theirs = s.Error
	}
	if err != nil {
		ours = core.StatusOf(err).Name()
	}
	r.compare("outcome", theirs, ours)
}

// compareClock compares how far the clocks are from what the rule names.
func (r *replay) compareClock(rule string, base, theirs, ours uint64) {
	r.compare("clock", fmt.Sprintf("%s%+d", rule, int64(theirs-base)), fmt.Sprintf("%s%+d", rule, int64(ours-base)))
}

// compareReading compares what we read in a recorded payload with what its
// writer put there.
func (r *replay) compareReading(s *step, payload []byte) {
	m := decodeMessage(r.t, payload)
	describe := func(id, sender string, lamport uint64, history, requests []wire.Entry) string {
		return fmt.Sprintf("%s by %s at %d, history %s, requests %s",
			id, sender, lamport, list(history, describeEntry), list(requests, describeEntry))
	}
	r.compare("reading",
		describe(s.MessageID, s.SenderID, uint64(s.Lamport), entries(r.t, s.CausalHistory), entries(r.t, s.RepairRequest)),
		describe(m.ID, m.SenderID, m.Lamport, m.History, m.RepairRequests))
}

func (r *replay) compareEvents(p *peer, s *step) {
	theirs := list(s.Events, func(e recordedEvent) string {
		text := e.Event
		switch {
		case e.MessageHex != "":
			text += " " + r.describePayload(unhex(r.t, e.MessageHex))
		case len(e.MissingDeps) > 0:
			text += " " + e.MessageID + " lacks " + list(entries(r.t, e.MissingDeps), describeEntry)
		default:
			text += " " + e.MessageID
		}
		return text + " in " + e.Channel
	})
	ours := list(p.events, func(e core.Event) string {
		text := e.Type.String()
		switch e.Type {
		case core.MessageReady, core.MessageSent:
			text += " " + e.MessageID
		case core.MissingDependencies:
			text += " " + e.MessageID + " lacks " + list(e.Deps, describeEntry)
		case core.RepairReady:
			text += " " + r.describePayload(e.Message)
		default:
			r.t.Fatalf("step %d: nothing like %v was recorded", r.at, e.Type)
		}
		return text + " in " + e.ChannelID
	})
	r.compare("events", theirs, ours)

	if len(s.RepairLabels) > len(s.Events) {
		r.t.Fatalf("step %d: more labels than events", r.at)
	}
	for i, label := range s.RepairLabels {
		r.payloads[label] = unhex(r.t, s.Events[i].MessageHex)
	}
}

func (r *replay) compareCalls(p *peer, s *step) {
	theirs := list(s.Persistence, func(c recordedCall) string {
		switch c.Op {
		case "loadChannel":
			return describeCall(c.Op, c.Channel)
		case "saveChannelMeta":
			r.checkSaved(s.State[c.Channel], c)
			return describeCall(c.Op, c.Channel)
		case "updateHistory":
			return describeCall(c.Op, c.Channel, describeUpdate(c.Append, c.Evict)...)
		}
		r.t.Fatalf("step %d: unknown call %q", r.at, c.Op)
		return ""
	})
	r.compare("calls", theirs, strings.Join(p.backend.calls, ", "))
}

// checkSaved holds the record against itself: what was saved is what there is.
// So it is enough to compare, in compareState, what we saved with the latter.
func (r *replay) checkSaved(state recordedState, c recordedCall) {
	saved := fmt.Sprint(c.Lamport, c.Outgoing, c.Incoming, c.OutgoingRepair, c.IncomingRepair)
	is := fmt.Sprint(state.Lamport, state.Outgoing,
		slices.Sorted(maps.Keys(state.Incoming)), slices.Sorted(maps.Keys(state.OutgoingRepair)), slices.Sorted(maps.Keys(state.IncomingRepair)))
	if saved != is {
		r.t.Errorf("step %d: the record saves %s of %s", r.at, saved, is)
	}
}

func (r *replay) compareState(p *peer, s *step) {
	channels := p.manager.Channels()
	r.compare("channels", list(slices.Sorted(maps.Keys(s.State)), strconv.Quote), list(channels, strconv.Quote))
	for _, channelID := range channels {
		theirs, shared := s.State[channelID]
		if !shared {
			continue // the difference in channels is on record
		}
		ours := p.inspect(channelID)
		r.compare("log", join(theirs.History), join(ours.log))
		r.compare("outgoing", join(theirs.Outgoing), join(ours.outgoing))
		r.compare("incoming",
			list(slices.Sorted(maps.Keys(theirs.Incoming)), func(id string) string { return describeWaiting(id, theirs.Incoming[id]) }),
			list(slices.Sorted(maps.Keys(ours.incoming)), func(id string) string { return describeWaiting(id, ours.incoming[id]) }))
		r.compare("outgoing repair",
			list(sortedEntries(entries(r.t, slices.Collect(maps.Values(theirs.OutgoingRepair)))), describeEntry),
			list(sortedEntries(ours.asking), describeEntry))
		r.compare("incoming repair",
			list(slices.Sorted(maps.Keys(theirs.IncomingRepair)), func(id string) string {
				item := theirs.IncomingRepair[id]
				return describeEntry(item.Entry.entry(r.t)) + " answered with " + r.describeHash(item.CachedSHA256)
			}),
			list(slices.Sorted(maps.Keys(ours.asked)), func(id string) string {
				item := ours.asked[id]
				return describeEntry(item.entry) + " answered with " + r.describePayload(item.message)
			}))
		r.compare("filter", theirs.FilterSHA256, ours.filterSHA256)
		r.compare("filter capacity", strconv.Itoa(theirs.FilterCapacity), strconv.Itoa(ours.filterCapacity))
		r.compare("ids in the filter", strconv.Itoa(theirs.FilterIDs), strconv.Itoa(ours.filterIDs))
	}
}

// compare holds one aspect of the current step to the record, or to the
// difference that is listed for it.
func (r *replay) compare(aspect, theirs, ours string) {
	r.t.Helper()
	d := r.tally.listed[place{r.recorded.Scenario, r.at, aspect}]
	switch {
	case d == nil && theirs != ours:
		r.t.Errorf("step %d, %s: an unlisted difference:\ntheirs: %s\nours:   %s", r.at, aspect, theirs, ours)
	case d == nil:
		r.tally.equal[aspect]++
	case theirs == ours:
		r.t.Errorf("step %d, %s: listed as a difference, and there is none: %s", r.at, aspect, ours)
	case d.theirs != theirs:
		r.t.Errorf("step %d, %s: the record is not as the list quotes it:\nrecord: %s\nquoted: %s", r.at, aspect, theirs, d.theirs)
	case d.ours != ours:
		r.t.Errorf("step %d, %s: not the difference that is listed:\nours:   %s\nlisted: %s", r.at, aspect, ours, d.ours)
	default:
		r.tally.met(place{r.recorded.Scenario, r.at, aspect}, d)
	}
}

// describeWire says in what a payload of ours differs from the recorded one.
// Every byte counts: ours must be what a writer makes of the recorded message
// with those parts replaced.
func (r *replay) describeWire(recorded, ours []byte) string {
	if bytes.Equal(recorded, ours) {
		return "as recorded"
	}
	want, got := decodeMessage(r.t, recorded), decodeMessage(r.t, ours)
	if list(want.History, describeEntry) != list(got.History, describeEntry) {
		want.History = got.History
		if bytes.Equal(wire.Append(nil, wire.SDS03, &want, wire.RawFilter(want.Filter)), ours) {
			return "as recorded but for the history: " + list(got.History, describeEntry)
		}
	}
	return hex.EncodeToString(ours)
}

// describePayload names a message by the recorded payload that it repeats.
func (r *replay) describePayload(payload []byte) string {
	for _, label := range slices.Sorted(maps.Keys(r.payloads)) {
		switch m := decodeMessage(r.t, r.payloads[label]); {
		case bytes.Equal(r.payloads[label], payload):
			return label + " as sent"
		case bytes.Equal(wire.Append(nil, wire.SDS03, &m, nil), payload):
			return label + " without its filter"
		}
	}
	return hex.EncodeToString(payload)
}

// describeHash is describePayload for a payload of which only the hash is
// recorded.
func (r *replay) describeHash(hash string) string {
	for _, label := range slices.Sorted(maps.Keys(r.payloads)) {
		if sha256Hex(r.payloads[label]) == hash {
			return label + " as sent"
		}
	}
	return hash
}

func (c citation) entry(t *testing.T) wire.Entry {
	return wire.Entry{ID: c.MessageID, SenderID: c.SenderID, Hint: unhex(t, c.HintHex)}
}

func entries(t *testing.T, citations []citation) []wire.Entry {
	made := make([]wire.Entry, len(citations))
	for i, c := range citations {
		made[i] = c.entry(t)
	}
	return made
}

func sortedEntries(unsorted []wire.Entry) []wire.Entry {
	return slices.SortedFunc(slices.Values(unsorted), func(a, b wire.Entry) int { return strings.Compare(a.ID, b.ID) })
}

func describeEntry(e wire.Entry) string {
	text := e.ID
	if e.SenderID != "" {
		text += " by " + e.SenderID
	}
	if len(e.Hint) > 0 {
		text += " at " + string(e.Hint)
	}
	return text
}

func describeWaiting(id string, missing []string) string {
	return id + " lacks " + strings.Join(slices.Sorted(slices.Values(missing)), " ")
}

func describeCall(name, channelID string, details ...string) string {
	return name + "(" + strings.Join(append([]string{channelID}, details...), " ") + ")"
}

func describeUpdate(appended, evicted []string) []string {
	var changes []string
	for _, id := range appended {
		changes = append(changes, "+"+id)
	}
	for _, id := range evicted {
		changes = append(changes, "-"+id)
	}
	return changes
}

func list[T any](items []T, describe func(T) string) string {
	described := make([]string, len(items))
	for i, item := range items {
		described[i] = describe(item)
	}
	return strings.Join(described, ", ")
}

func join(ids []string) string { return strings.Join(ids, " ") }

func sha256Hex(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// decodeMessage decodes a payload that must be one.
func decodeMessage(t *testing.T, payload []byte) wire.Message {
	t.Helper()
	bounds := limits.Default()
	var m wire.Message
	if err := wire.Decode(payload, &bounds, &m); err != nil {
		t.Fatal(err)
	}
	return m
}
