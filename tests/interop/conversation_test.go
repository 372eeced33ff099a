//go:build interop

package interop

import (
	"cmp"
	"crypto/sha256"
	"flag"
	"fmt"
	"hash"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/libsds/libsds/core/wire"
)

var (
	seedFlag  = flag.Uint64("interop.seed", 0, "the one seed to run; 0 runs -interop.seeds of them")
	seedsFlag = flag.Int("interop.seeds", 20, "how many seeds are run, from 1 on")
	pairsFlag = flag.Int("interop.pairs", runtime.GOMAXPROCS(0), "how many pairs of children run them side by side")
)

// tally counts what was seen of each thing that is to be shown.
type tally map[string]int

func (t tally) String() string {
	var lines []string
	for _, what := range slices.Sorted(maps.Keys(t)) {
		lines = append(lines, fmt.Sprintf("%7d %s", t[what], what))
	}
	return strings.Join(lines, "\n")
}

func (t tally) add(other tally) {
	for what, n := range other {
		t[what] += n
	}
}

// TestConversations: participants of both kinds in one channel, over a network
// that loses, repeats and reorders; one of each kind restarts, one of each comes
// late. When the network is well again, all end with the same log, in which
// everything has arrived, and nothing waits for an acknowledgement.
func TestConversations(t *testing.T) {
	seeds := make(chan uint64, *seedsFlag+1)
	if *seedFlag != 0 {
		seeds <- *seedFlag
	} else {
		for seed := range uint64(*seedsFlag) {
			seeds <- seed + 1
		}
	}
	close(seeds)
	tallies := make(chan tally, cap(seeds))
	t.Run("side by side", func(t *testing.T) {
		for number := range *pairsFlag {
			t.Run(fmt.Sprint("pair ", number), func(t *testing.T) {
				t.Parallel()
				c, children := pair(t)
				for seed := range seeds {
					t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
						v := newConversation(t, c, children, seed)
						v.run()
						tallies <- v.tally
					})
				}
			})
		}
	})
	close(tallies)
	all, conversations := tally{}, 0
	for one := range tallies {
		all.add(one)
		conversations++
	}
	t.Logf("in %d conversations:\n%v", conversations, all)
	if *seedFlag != 0 || t.Failed() {
		return
	}
	for _, k := range []kind{libsds, waku} {
		for _, what := range []string{"acknowledged to %v by causal history", "acknowledged to %v by filter", "messages that came to %v too early", "copies that came to %v",
			"ephemeral messages that came to %v", "sync messages of %v", "restarts of %v", "sent again by %v"} {
			if what := fmt.Sprintf(what, k); all[what] == 0 {
				t.Errorf("there were no %s", what)
			}
		}
		for _, other := range []kind{libsds, waku} {
			if what := fmt.Sprintf("repairs that %v asked for and %v answered", k, other); all[what] == 0 {
				t.Errorf("there were no %s", what)
			}
		}
	}
}

// TestASeedGivesTheSameConversationAgain, payload by payload and to the
// millisecond, also in processes that had other ones before.
func TestASeedGivesTheSameConversationAgain(t *testing.T) {
	c, children := pair(t)
	seen := map[string]bool{}
	for _, seed := range []uint64{7, 8, 7} {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			v := newConversation(t, c, children, seed)
			v.run()
			seen[fmt.Sprintf("%x", v.transcript.Sum(nil))] = true
		})
	}
	if len(seen) != 2 {
		t.Errorf("two seeds gave %d conversations", len(seen))
	}
}

// speaker is a participant in a conversation, and what is known of it.
type speaker struct {
	*participant
	log       map[string]bool // what it sent, or announced as delivered
	delivered map[string]int  // how often it announced a content message
	asked     map[string]bool // what its messages asked for
	seen      map[string]bool // what came to it
}

// conversation is one seed of TestConversations.
type conversation struct {
	t      *testing.T
	tally  tally
	seed   uint64
	random *rand.Rand
	agenda *agenda
	net    *network

	speakers   []*speaker
	messages   map[string]*wire.Message // what was said, as it first was written
	contents   map[string]string
	ephemeral  map[string]bool
	transcript hash.Hash // of all that was received, when, by whom
	// fetching: hosts of waku look into the archive for what is missing.
	fetching bool
}

const (
	tick     = 1_000
	interval = 5_000 // of sync messages
	repeat   = 20_000
)

func newConversation(t *testing.T, c *clock, children [2]*child, seed uint64) *conversation {
	random := rand.New(rand.NewPCG(seed, 109))
	c.set(epoch + int64(seed)*10_000_000)
	agenda := &agenda{clock: c}
	v := &conversation{
		t: t, tally: tally{}, seed: seed, random: random, agenda: agenda,
		net: &network{
			agenda: agenda, random: random, archive: map[string][]byte{},
			lost: 0.05 + 0.3*random.Float64(), doubled: 0.2 * random.Float64(), delay: 50 + random.Int64N(2_000),
		},
		transcript: sha256.New(),
		messages:   map[string]*wire.Message{}, contents: map[string]string{}, ephemeral: map[string]bool{},
	}
	if _, _, err := children[waku].do("seed", fmt.Sprint(seed)); err != nil {
		t.Fatal(err)
	}
	groups := 1 + random.IntN(2)
	history := []int{10, 50, 200}[random.IntN(3)]
	files := folder(t)
	join := func(k kind, name string) {
		options := repairing(k, groups)
		if k == libsds {
			maps.Copy(options, map[string]any{
				"storePath": filepath.Join(files, name), "maxCausalHistory": history, "missingDependencyTimeoutMs": 0,
				"resendIntervalMs": 8_000, "bufferSweepIntervalMs": tick, "maxResendAttempts": 1000, "syncMessageIntervalMs": interval,
			})
		} else {
			options["causalHistorySize"] = 200
		}
		v.add(children[k].join(t, name, options))
	}
	for _, name := range []string{"alice", "bob"} {
		join(libsds, name+" of libsds")
		join(waku, name+" of waku")
	}
	agenda.after(15_000+random.Int64N(15_000), func() { join(libsds, "late of libsds") })
	agenda.after(15_000+random.Int64N(15_000), func() { join(waku, "late of waku") })
	return v
}

// add lets a participant take part: its timers run, and its host keeps its
// promises.
func (v *conversation) add(p *participant) {
	s := &speaker{p, map[string]bool{}, map[string]int{}, map[string]bool{}, map[string]bool{}}
	v.speakers = append(v.speakers, s)
	v.t.Cleanup(s.leave)
	s.tick()
	v.agenda.every(v.random.Int64N(tick), tick, func() {
		s.tick()
		v.note(s, nil)
	})
	v.agenda.every(v.random.Int64N(interval), interval, func() {
		if payload := s.sync(); payload != nil {
			v.tally[fmt.Sprintf("sync messages of %v", s.kind())]++
			v.broadcast(s, payload, false)
		}
		v.note(s, nil)
	})
	v.agenda.every(repeat, repeat, func() {
		s.resend()
		v.note(s, nil)
	})
}

// broadcast gives everybody else a payload; answer says that it answers a request.
func (v *conversation) broadcast(from *speaker, payload []byte, answer bool) {
	v.net.archive[string(hintOf(payload))] = payload
	if !answer {
		for _, request := range decode(v.t, payload).RepairRequests {
			from.asked[request.ID] = true
		}
	}
	for _, to := range v.speakers {
		if to != from {
			v.net.deliver(payload, func(payload []byte) { v.receive(from.kind(), to, payload, answer) })
		}
	}
}

func (v *conversation) receive(from kind, to *speaker, payload []byte, answer bool) {
	fmt.Fprintln(v.transcript, v.agenda.clock.now, to.name, toHex(hintOf(payload)))
	m := decode(v.t, payload)
	got := to.participant.receive(payload)
	if got.messageID != m.ID || got.senderID != m.SenderID || got.lamport != int64(m.Lamport) || got.channelID != m.ChannelID || string(got.content) != string(m.Content) {
		v.t.Errorf("%v reads %+v, not %v", to.kind(), got, m.ID)
	}
	switch {
	case m.IsEphemeral():
		v.tally[fmt.Sprintf("ephemeral messages that came to %v", to.kind())]++
	case m.IsSync():
	case to.seen[m.ID]:
		v.tally[fmt.Sprintf("copies that came to %v", to.kind())]++
	default:
		to.seen[m.ID] = true
		if len(got.missing) > 0 {
			v.tally[fmt.Sprintf("messages that came to %v too early", to.kind())]++
		}
		if answer && to.asked[m.ID] {
			v.tally[fmt.Sprintf("repairs that %v asked for and %v answered", to.kind(), from)]++
		}
	}
	v.note(to, m)
}

// note looks at what a participant announced when it received a message, or at a
// tick, and does its host's part.
func (v *conversation) note(s *speaker, received *wire.Message) {
	missing := map[string]dependency{}
	for _, e := range s.take() {
		switch e.name {
		case "ready":
			if v.ephemeral[e.messageID] {
				continue
			}
			if string(e.bytes) != v.contents[e.messageID] {
				v.t.Errorf("%s got %q as %s", s.name, e.bytes, e.messageID)
			}
			s.delivered[e.messageID]++
			if s.kind() == libsds {
				for _, cited := range v.messages[e.messageID].History {
					if !s.log[cited.ID] {
						v.t.Errorf("%s got %s before %s, which it cites", s.name, e.messageID, cited.ID)
					}
				}
			}
			s.log[e.messageID] = true
		case "acknowledged":
			how := "filter"
			if received != nil && slices.ContainsFunc(received.History, func(entry wire.Entry) bool { return entry.ID == e.messageID }) {
				how = "causal history"
			}
			v.tally[fmt.Sprintf("acknowledged to %v by %s", s.kind(), how)]++
			if m := v.messages[e.messageID]; m == nil || m.SenderID != s.name {
				v.t.Errorf("%s is told that %s was acknowledged, which is not its own", s.name, e.messageID)
			}
		case "repair":
			v.tally[fmt.Sprintf("answers of %v", s.kind())]++
			v.broadcast(s, e.bytes, true)
		case "resend":
			v.tally[fmt.Sprintf("sent again by %v", s.kind())]++
			v.broadcast(s, e.bytes, false)
		case "missing":
			for _, d := range e.deps {
				missing[d.ID] = d
			}
		case "failed", "lost":
			v.t.Errorf("%s: %s %s", s.name, e.name, e.messageID)
		}
	}
	if !v.fetching || s.kind() != waku || received != nil {
		return
	}
	for _, id := range slices.Sorted(maps.Keys(missing)) {
		payload, there := v.net.archive[string(missing[id].Hint)]
		if there && !s.seen[id] {
			v.tally["messages that hosts of waku fetched by hint"]++
			v.receive(waku, s, payload, false)
		}
	}
}

// say has a participant send what nobody said before.
func (v *conversation) say(s *speaker) {
	content := fmt.Sprintf("%s says number %d: %x", s.name, len(v.messages), v.random.Uint64())
	id, payload := s.send(content)
	v.messages[id], v.contents[id] = decode(v.t, payload), content
	s.log[id], s.seen[id] = true, true
	v.note(s, nil)
	v.broadcast(s, payload, false)
}

func (v *conversation) run() {
	number := 50 + v.random.IntN(20)
	at := int64(0)
	for range number {
		if v.random.IntN(5) > 0 { // else at the time of the one before
			at += v.random.Int64N(1_500)
		}
		v.agenda.after(at, func() { v.say(v.speakers[v.random.IntN(len(v.speakers))]) })
	}
	for range 4 {
		v.agenda.after(v.random.Int64N(at), func() {
			from := v.speakers[v.random.IntN(len(v.speakers))]
			content := fmt.Sprintf("%s types, %x", from.name, v.random.Uint64())
			v.ephemeral[idOf([]byte(content))] = true
			v.broadcast(from, from.participant.ephemeral(content), false)
		})
	}
	for k := range 2 {
		v.agenda.after(10_000+v.random.Int64N(at/2), func() {
			s := v.speakers[k+2*v.random.IntN(2)]
			v.note(s, nil)
			v.tally[fmt.Sprintf("restarts of %v", s.kind())]++
			s.restart()
			if s.kind() == waku { // what waited is lost
				s.seen = map[string]bool{}
				for _, id := range s.logged() {
					s.seen[id] = true
				}
			}
			s.tick()
			v.note(s, nil)
		})
	}
	v.agenda.until(v.agenda.clock.now + max(at, 35_000))
	if len(v.messages) != number || len(v.speakers) != 6 {
		v.t.Fatalf("%d messages of %d participants", len(v.messages), len(v.speakers))
	}

	// The network is well again.
	well := v.agenda.clock.now
	v.net.lost, v.net.doubled = 0, 0
	for v.agenda.clock.now < well+10*60_000 && !v.settled() {
		v.agenda.until(v.agenda.clock.now + interval)
		// A host of waku goes to its archive for what nobody repeats: it asks for
		// each message once only.
		v.fetching = v.agenda.clock.now > well+45_000
	}
	v.check()
	v.tally["messages"] += number
	v.tally["payloads to deliver"] += v.net.sent
	v.tally["payloads lost"] += v.net.losses
	v.tally["payloads doubled"] += v.net.copies
	v.tally["seconds until the logs were equal, of a network that was well"] += int(v.agenda.clock.now-well) / 1000
}

// settled tells whether everything is everywhere.
func (v *conversation) settled() bool {
	for _, s := range v.speakers {
		if state := s.inspect(); len(state.Log) != len(v.messages) || len(state.Outgoing) > 0 {
			return false
		}
	}
	return true
}

// check compares what all have in the end with what was said.
func (v *conversation) check() {
	want := slices.SortedFunc(maps.Keys(v.messages), func(a, b string) int {
		return cmp.Or(cmp.Compare(v.messages[a].Lamport, v.messages[b].Lamport), cmp.Compare(a, b))
	})
	for _, s := range v.speakers {
		state := s.inspect()
		var got []string
		for _, logged := range state.Log {
			got = append(got, logged.MessageID)
			m := v.messages[logged.MessageID]
			if m == nil || m.SenderID != logged.SenderID || int64(m.Lamport) != logged.Lamport {
				v.t.Errorf("%s has %+v", s.name, logged)
			}
			if s.kind() == waku && string(logged.Content) != v.contents[logged.MessageID] {
				v.t.Errorf("%s has %q as %s", s.name, logged.Content, logged.MessageID)
			}
			own := m != nil && m.SenderID == s.name
			if n := s.delivered[logged.MessageID]; s.kind() == libsds && (own && n != 0 || !own && n != 1) {
				v.t.Errorf("%s was told %d times of %s", s.name, n, logged.MessageID)
			}
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			v.t.Errorf("%s: %s", s.name, diff)
		}
		if len(state.Outgoing) > 0 {
			v.t.Errorf("%s: %v wait for an acknowledgement", s.name, state.Outgoing)
		}
	}
	if v.t.Failed() {
		v.t.Logf("to repeat it: -interop.seed=%d", v.seed)
	}
}
