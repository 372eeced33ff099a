// Package hostile holds a test for each way in which a peer can hurt: what it
// costs in memory and time, and that the others are served meanwhile.
package hostile

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/limits"
	"github.com/libsds/libsds/core/wire"
)

const (
	// channelID is where everybody talks.
	channelID = "room"
	// start is when every room opens, in Unix milliseconds: no round number in
	// either unit of the clock.
	start = int64(1_700_000_000_000)
	// honest begins the ids of what honest peers say. Ids of the attacker's begin
	// otherwise, unless it takes theirs.
	honest = "honest-"
)

// room is a broadcast channel with three honest participants, of whom the first
// is the victim: the network loses messages on their way to her. What the attacker
// says, all of them hear.
type room struct {
	t      *testing.T
	now    int64
	victim *participant
	others []*participant
	said   []utterance
	spoken int // how many were said, also those that are not expected any more
}

// utterance is a message of an honest participant.
type utterance struct {
	id, sender string
	payload    []byte
}

// participant is an honest manager and what it told its host.
type participant struct {
	*core.Manager
	room *room
	name string

	delivered []string       // honest ids of others, in the order of delivery
	contents  map[string]int // how often each content of an honest id was delivered
	sent      map[string]int // acknowledgements of its own messages
	failed    []string       // own messages that were given up
	lost      []string       // honest ids that were given up as dependencies
	foreign   int            // how many messages of the attacker were delivered
	hopeless  int            // how many messages were delivered without dependencies
	resent    int
	repairs   int
	replied   int // bytes of repairs

	outbox [][]byte // what it broadcasts next
	onSend func(payload []byte)
}

// openRoom opens a room. The configuration is the default but for what the
// changes do to it.
func openRoom(t *testing.T, changes ...func(*core.Config)) *room {
	t.Helper()
	r := &room{t: t, now: start}
	r.victim = r.enter("victim", changes...)
	r.others = []*participant{r.enter("alice", changes...), r.enter("bob", changes...)}
	return r
}

func (r *room) enter(name string, changes ...func(*core.Config)) *participant {
	r.t.Helper()
	p := &participant{room: r, name: name, contents: make(map[string]int), sent: make(map[string]int)}
	config := core.DefaultConfig()
	for _, change := range changes {
		change(&config)
	}
	m, err := core.New(core.Options{ParticipantID: name, Config: &config, Handler: p.handle, Now: func() int64 { return r.now }})
	if err != nil {
		r.t.Fatal(err)
	}
	p.Manager = m
	r.t.Cleanup(m.Close)
	return p
}

func (r *room) everybody() []*participant { return append([]*participant{r.victim}, r.others...) }

func (p *participant) handle(event core.Event) {
	ours := event.ChannelID == channelID && strings.HasPrefix(event.MessageID, honest)
	switch event.Type {
	case core.MessageReady:
		if !ours {
			p.foreign++
			return
		}
		p.contents[string(event.Content)]++
		if p.room.sender(event.MessageID) != p.name {
			p.delivered = append(p.delivered, event.MessageID)
		}
	case core.MessageSent:
		p.sent[event.MessageID]++
	case core.DeliveryFailed:
		p.failed = append(p.failed, event.MessageID)
	case core.DependenciesLost:
		p.hopeless++
		for _, dependency := range event.Deps {
			if strings.HasPrefix(dependency.ID, honest) {
				p.lost = append(p.lost, dependency.ID)
			}
		}
	case core.RepairReady:
		p.repairs++
		p.replied += len(event.Message)
		p.outbox = append(p.outbox, event.Message)
	case core.ResendReady:
		p.resent++
		p.outbox = append(p.outbox, event.Message)
	case core.PeriodicSync:
		if slices.Contains(event.ChannelIDs, channelID) {
			payload, err := p.WrapSync(nil, channelID)
			if err != nil {
				p.room.t.Error(err)
			}
			p.outbox = append(p.outbox, payload)
		}
	}
}

// sender tells who said an honest message.
func (r *room) sender(id string) string {
	sender, _, _ := strings.Cut(strings.TrimPrefix(id, honest), "-")
	return sender
}

// say has p say something that all but the deaf hear.
func (r *room) say(p *participant, deaf ...*participant) utterance {
	r.t.Helper()
	id := fmt.Sprintf("%s%s-%d", honest, p.name, r.spoken)
	r.spoken++
	payload, err := p.Wrap(nil, channelID, id, []byte("content of "+id))
	if err != nil {
		r.t.Fatal(err)
	}
	u := utterance{id, p.name, payload}
	r.said = append(r.said, u)
	r.broadcast(payload, append(deaf, p)...)
	return u
}

// sayUnheard has the victim say something n times that reaches nobody yet.
func (r *room) sayUnheard(n int) []utterance {
	r.t.Helper()
	unheard := make([]utterance, n)
	for i := range unheard {
		unheard[i] = r.say(r.victim, r.others...)
	}
	return unheard
}

// hear has the others hear what they did not hear from the victim.
func (r *room) hear(unheard []utterance) {
	r.t.Helper()
	for _, u := range unheard {
		r.broadcast(u.payload, r.victim)
	}
}

// broadcast hands a payload to all but the deaf, and then everything that this
// makes them send.
func (r *room) broadcast(payload []byte, deaf ...*participant) {
	r.t.Helper()
	for _, p := range r.everybody() {
		if !slices.Contains(deaf, p) {
			if _, err := p.Unwrap(payload); err != nil {
				r.t.Fatalf("%s refuses an honest payload: %v", p.name, err)
			}
		}
	}
}

// attack has everybody hear what must be accepted.
func (r *room) attack(payload []byte) {
	r.t.Helper()
	for _, p := range r.everybody() {
		if _, err := p.Unwrap(payload); err != nil {
			r.t.Fatalf("%s: %v", p.name, err)
		}
	}
}

// pass lets time pass, with a tick each second.
func (r *room) pass(seconds int) {
	r.t.Helper()
	for range seconds {
		r.now += 1000
		for _, p := range r.everybody() {
			p.Tick(r.now)
		}
		r.flush()
	}
}

// flush broadcasts what is to be broadcast.
func (r *room) flush() {
	r.t.Helper()
	for _, p := range r.everybody() {
		payloads := p.outbox
		p.outbox = nil
		for _, payload := range payloads {
			if p.onSend != nil {
				p.onSend(payload)
			}
			r.broadcast(payload, p)
		}
	}
}

// talk has everybody say something in turn, n times in all, while an attack, if
// any, goes on. Of what the others say, every fourth message does not reach the
// victim, and of what she says, every fourth does not reach alice.
func (r *room) talk(n int, attack func(i int)) {
	r.t.Helper()
	everybody := r.everybody()
	for i := range n {
		if attack != nil {
			attack(i)
		}
		speaker := everybody[i%len(everybody)]
		var deaf []*participant
		if i%4 == 3 {
			deaf = append(deaf, r.victim)
			if speaker == r.victim {
				deaf[0] = r.others[0]
			}
		}
		r.say(speaker, deaf...)
		r.pass(1)
	}
}

// startOver expects nothing of what was said so far any more.
func (r *room) startOver() {
	r.said = nil
	for _, p := range r.everybody() {
		p.delivered, p.failed, p.lost, p.repairs = nil, nil, nil, 0
		p.contents, p.sent = make(map[string]int), make(map[string]int)
	}
}

// talkBefore fills the end of everybody's log with what honest participants say: so
// they go on to cite that, whatever older messages one of them hears.
func (r *room) talkBefore() {
	r.t.Helper()
	r.talk(core.DefaultConfig().MaxCausalHistory+5, nil)
	r.expectService()
}

// expectService expects what expectDelivery does, and beside that: everything was
// delivered in order, and what the network had lost was asked for and repeated.
func (r *room) expectService() {
	r.t.Helper()
	r.expectDelivery()
	repairs := 0
	for _, p := range r.everybody() {
		repairs += p.repairs
		var wanted []string
		for _, u := range r.said {
			if u.sender != p.name {
				wanted = append(wanted, u.id)
			}
		}
		if !slices.Equal(p.delivered, wanted) {
			r.t.Errorf("%s: delivered %v, not %v", p.name, p.delivered, wanted)
		}
		if len(p.lost) > 0 {
			r.t.Errorf("%s: gave up waiting for %v", p.name, p.lost)
		}
	}
	if repairs == 0 {
		r.t.Error("nothing was repaired: the network is too good")
	}
}

// expectDelivery lets at most a quarter of an hour pass, and then expects of
// everything that was said so far: it was delivered to everybody else, once and
// with its content, and its sender knows.
func (r *room) expectDelivery() {
	r.t.Helper()
	for i := 0; i < 30 && !r.quiet(); i++ {
		r.pass(30)
	}
	for _, p := range r.everybody() {
		for _, u := range r.said {
			if u.sender != p.name {
				if n := p.contents["content of "+u.id]; n != 1 {
					r.t.Errorf("%s: %s was delivered %d times with its content", p.name, u.id, n)
				}
			} else if n := p.sent[u.id]; n != 1 {
				r.t.Errorf("%s: %s was acknowledged %d times", p.name, u.id, n)
			}
		}
		if len(p.failed) > 0 {
			r.t.Errorf("%s: gave up %v", p.name, p.failed)
		}
	}
}

// quiet tells whether nothing that was said is under way any more.
func (r *room) quiet() bool {
	for _, p := range r.everybody() {
		own := 0
		for _, u := range r.said {
			if u.sender == p.name {
				own++
			}
		}
		if len(p.delivered) < len(r.said)-own || len(p.sent)+len(p.failed) < own {
			return false
		}
	}
	return true
}

// held returns how much p holds in the room.
func (p *participant) held() core.ChannelSummary {
	for _, summary := range p.Overview().Channels {
		if summary.ChannelID == channelID {
			return summary
		}
	}
	return core.ChannelSummary{}
}

// clockOf returns the Lamport timestamp of a payload, whatever its format.
func clockOf(t *testing.T, payload []byte) uint64 {
	t.Helper()
	return decoded(t, payload).Lamport
}

func decoded(t *testing.T, payload []byte) *wire.Message {
	t.Helper()
	var m wire.Message
	bounds := limits.Default()
	if err := wire.Decode(payload, &bounds, &m); err != nil {
		t.Fatal(err)
	}
	return &m
}

// unwrap takes in what must be accepted.
func (p *participant) unwrap(payload []byte) core.Unwrapped {
	p.room.t.Helper()
	received, err := p.Unwrap(payload)
	if err != nil {
		p.room.t.Fatalf("%s: %v", p.name, err)
	}
	return received
}

func (p *participant) unwrapAll(payloads [][]byte) {
	p.room.t.Helper()
	for _, payload := range payloads {
		p.unwrap(payload)
	}
}

// limits are those that everybody in the room has who changed none.
func (r *room) limits() limits.Limits { return limits.Default() }
