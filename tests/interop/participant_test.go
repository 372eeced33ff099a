//go:build interop

package interop

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"testing"

	"github.com/libsds/libsds/core/limits"
	"github.com/libsds/libsds/core/wire"
)

// channelID is the channel of most tests.
const channelID = "garden"

// participant is one participant of one kind, in its child.
type participant struct {
	t      testing.TB
	child  *child
	number string
	name   string
	// options are the keys of the configuration, or those of a MessageChannel.
	options map[string]any

	events []event // since the last take
}

// received is how a library read a payload.
type received struct {
	kind, channelID, messageID, senderID string
	lamport                              int64
	duplicate, buffered                  bool
	content                              []byte
	missing                              []dependency
}

// state is what there is to see of a channel.
type state struct {
	WireFormat string `json:"wireFormat"`
	Clock      struct {
		Lamport int64 `json:"lamportTimestamp"`
	} `json:"clock"`
	Log []struct {
		MessageID string `json:"messageId"`
		SenderID  string `json:"senderId"`
		Lamport   int64  `json:"lamportTimestamp"`
		Hint      []byte `json:"retrievalHint"`
		Content   []byte `json:"content"` // of waku only
	} `json:"log"`
	Incoming []any `json:"incomingBuffer"`
	Outgoing []any `json:"outgoingBuffer"`
}

// idOf is the id that @waku/sds gives a content; here, libsds' hosts do so too.
func idOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// hintOf is where the archive of these tests has a payload.
func hintOf(payload []byte) []byte {
	sum := sha256.Sum256(payload)
	return sum[:]
}

// join opens a participant, of libsds with lip-109 unless the options say
// otherwise. Each has a number of its own.
func (c *child) join(t testing.TB, name string, options map[string]any) *participant {
	t.Helper()
	all := map[string]any{}
	if c.kind == libsds {
		all["wireFormat"] = "lip-109"
	}
	maps.Copy(all, options)
	c.joined++
	p := &participant{t: t, child: c, number: strconv.Itoa(c.joined % mostParticipants), name: name, options: all}
	p.open()
	return p
}

func (p *participant) kind() kind { return p.child.kind }

func (p *participant) open() {
	p.t.Helper()
	text, err := json.Marshal(p.options)
	if err != nil {
		p.t.Fatal(err)
	}
	p.do("open", toHex(p.name), toHex(text))
}

// leave ends the participant.
func (p *participant) leave() { p.do("close") }

// restart ends the participant and begins it anew with what it could keep: its
// file, or its history.
func (p *participant) restart() {
	p.t.Helper()
	answer := p.do("close")
	if p.kind() == waku {
		p.options["history"] = json.RawMessage(fromHex(answer[0]))
	}
	p.open()
}

// do gives a command that must not fail.
func (p *participant) do(command string, words ...string) []string {
	p.t.Helper()
	answer, err := p.try(command, words...)
	if err != nil {
		p.t.Fatalf("%v %s: %s: %v", p.kind(), p.name, command, err)
	}
	return answer
}

func (p *participant) try(command string, words ...string) ([]string, error) {
	events, answer, err := p.child.do(append([]string{command, p.number}, words...)...)
	p.events = append(p.events, events...)
	return answer, err
}

// take returns the events since the last take.
func (p *participant) take() []event {
	events := p.events
	p.events = nil
	return events
}

// took counts events by name and message, and forgets them.
func (p *participant) took(name, messageID string) (n int) {
	for _, e := range p.take() {
		if e.name == name && e.messageID == messageID {
			n++
		}
	}
	return n
}

// send sends a content under the id that it has everywhere. The host knows where
// the payload can be fetched.
func (p *participant) send(content string) (id string, payload []byte) {
	p.t.Helper()
	return p.sendIn(channelID, content)
}

func (p *participant) sendIn(channelID, content string) (id string, payload []byte) {
	p.t.Helper()
	id = idOf([]byte(content))
	payload = fromHex(p.do("send", toHex(channelID), toHex(id), toHex(content))[0])
	if p.kind() == libsds { // the other does so itself
		p.do("hint", toHex(id), toHex(hintOf(payload)))
	}
	return id, payload
}

// sync makes a sync message; nil where there is nothing to say.
func (p *participant) sync() []byte {
	p.t.Helper()
	return fromHex(p.do("sync", toHex(channelID))[0])
}

func (p *participant) ephemeral(content string) []byte {
	p.t.Helper()
	return fromHex(p.do("ephemeral", toHex(channelID), toHex(idOf([]byte(content))), toHex(content))[0])
}

// receive takes in a payload that the transport can find again by its hint.
func (p *participant) receive(payload []byte) received {
	p.t.Helper()
	w := p.do("receive", toHex(payload), toHex(hintOf(payload)))
	return received{
		kind: w[0], channelID: string(fromHex(w[1])), messageID: string(fromHex(w[2])), senderID: string(fromHex(w[3])),
		lamport: number(w[4]), duplicate: w[5] == "d", buffered: w[5] == "b", content: fromHex(w[6]), missing: dependencies(w[7]),
	}
}

// tick does what is due.
func (p *participant) tick() {
	p.t.Helper()
	p.do("tick", fmt.Sprint(p.child.clock.now))
}

// resend has a host of waku send again what nobody acknowledged, which is not the
// library's task there.
func (p *participant) resend() {
	p.t.Helper()
	if p.kind() == waku {
		p.do("resend", toHex(channelID))
	}
}

func (p *participant) inspect() state {
	p.t.Helper()
	return p.inspectIn(channelID)
}

func (p *participant) inspectIn(channelID string) (s state) {
	p.t.Helper()
	if err := json.Unmarshal(fromHex(p.do("inspect", toHex(channelID))[0]), &s); err != nil {
		p.t.Fatal(err)
	}
	return s
}

// logged lists the ids of the log, in its order.
func (p *participant) logged() (ids []string) {
	p.t.Helper()
	for _, m := range p.inspect().Log {
		ids = append(ids, m.MessageID)
	}
	return ids
}

// decode reads a payload as libsds does.
func decode(t testing.TB, payload []byte) *wire.Message {
	t.Helper()
	lim := limits.Default()
	m := new(wire.Message)
	if err := wire.Decode(payload, &lim, m); err != nil {
		t.Fatalf("%d bytes, %.40x...: %v", len(payload), payload, err)
	}
	return m
}

// encode writes a message as lip-109, without a filter.
func encode(m *wire.Message) []byte { return wire.Append(nil, wire.LIP109, m, nil) }
