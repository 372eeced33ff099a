package channel

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write what the scenarios print into their files")

// The scenarios are conversations of some participants in one channel, at
// times that the script sets. Its commands:
//
//	participant NAME [OPTION=VALUE ...]  joins, or begins anew without a memory
//	send NAME ID "CONTENT"               wraps a message
//	sync NAME ID                         wraps a sync message, known to the script as ID
//	ephemeral NAME ID "CONTENT"          wraps an ephemeral message
//	deliver ID NAME ...                  hands over the last encoding of a message
//	mark NAME ID ...                     declares dependencies met
//	advance DURATION                     lets time pass for everybody; negative: sets it back
//	sweep buffers|repairs NAME ...       runs a periodic task
//	restart NAME                         goes on from the snapshot
//	log NAME                             prints the log: lamport, id, sender
//	state NAME                           prints everything else that is not empty
//
// What a resend or an answer encodes becomes the last encoding of its message.
func TestScenario(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			w := &world{t: t, now: start, peers: map[string]*peer{}, network: map[string][]byte{}}
			runScript(t, path, *update, w.execute)
		})
	}
}

// world is what a script acts upon.
type world struct {
	t       *testing.T
	now     int64
	peers   map[string]*peer
	network map[string][]byte
}

// arity is how many arguments a command takes at least.
var arity = map[string]int{
	"participant": 1, "send": 2, "sync": 2, "ephemeral": 2, "deliver": 2, "mark": 2,
	"advance": 1, "sweep": 2, "restart": 1, "log": 1, "state": 1,
}

func (w *world) execute(c command) (string, error) {
	least, known := arity[c.verb]
	if !known || len(c.args) < least {
		return "", errors.New("no such command, or too few arguments")
	}
	switch c.verb {
	case "participant":
		return "", w.join(c.args[0], c.args[1:])
	case "advance":
		pause, err := time.ParseDuration(c.args[0])
		w.now += pause.Milliseconds()
		return "", err
	case "deliver":
		return w.forEach(c.args[1:], func(p *peer) (string, error) { return w.deliver(p, c.args[0]) })
	case "sweep":
		sweep, ok := map[string]Op{"buffers": OpSweepBuffers, "repairs": OpSweepRepairs}[c.args[0]]
		if !ok {
			return "", fmt.Errorf("no such sweep: %s", c.args[0])
		}
		return w.forEach(c.args[1:], func(p *peer) (string, error) {
			p.step(Input{Op: sweep})
			return w.announced(p), nil
		})
	}
	return w.forEach(c.args[:1], func(p *peer) (string, error) { return w.act(p, c) })
}

// act executes a command of one participant.
func (w *world) act(p *peer, c command) (string, error) {
	switch c.verb {
	case "send":
		return w.send(p, c.args[1], Input{Op: OpSend, MessageID: c.args[1], Content: []byte(c.content)})
	case "sync":
		return w.send(p, c.args[1], Input{Op: OpSendSync})
	case "ephemeral":
		return w.send(p, c.args[1], Input{Op: OpSendEphemeral, MessageID: c.args[1], Content: []byte(c.content)})
	case "mark":
		p.markMet(c.args[1:]...)
		return w.announced(p), nil
	case "restart":
		w.peers[c.args[0]] = p.restarted()
		return "", nil
	case "log":
		return printLog(p), nil
	}
	return printState(p), nil
}

// forEach runs f for participants. Where they are many, their names stand
// above what is printed of each.
func (w *world) forEach(names []string, f func(*peer) (string, error)) (string, error) {
	var output strings.Builder
	for _, name := range names {
		p := w.peers[name]
		if p == nil {
			return "", fmt.Errorf("no such participant: %s", name)
		}
		p.now = w.now
		printed, err := f(p)
		if err != nil {
			return "", err
		}
		if len(names) > 1 {
			output.WriteString(name + ":\n")
			printed = indent(printed)
		}
		output.WriteString(printed)
	}
	return output.String(), nil
}

// options are what a participant can be told, as integers.
var options = map[string]func(*Config, int){
	"attempts": func(c *Config, n int) { c.MaxResendAttempts = n },
	"causal":   func(c *Config, n int) { c.MaxCausalHistory = n },
	"filter":   func(c *Config, n int) { c.FilterCapacity = n },
	"groups":   func(c *Config, n int) { c.ResponseGroups = n },
	"history":  func(c *Config, n int) { c.MaxHistory = n },
	"incoming": func(c *Config, n int) { c.Limits.MaxIncomingMessages = n },
	"requests": func(c *Config, n int) { c.MaxRepairRequests = n },
}

func (w *world) join(name string, settings []string) error {
	p := newPeer(w.t, name)
	for _, setting := range settings {
		key, value, _ := strings.Cut(setting, "=")
		n, err := strconv.Atoi(value)
		if options[key] == nil || err != nil {
			return fmt.Errorf("no such option: %s", setting)
		}
		options[key](p.cfg, n)
	}
	p.Channel = New("room", p.cfg)
	w.peers[name] = p
	return nil
}

func (w *world) send(p *peer, id string, input Input) (string, error) {
	effects := p.step(input)
	if effects.Err != nil {
		return "error: " + effects.Err.Error() + "\n", nil //nolint:nilerr // the script expects it
	}
	w.network[id] = bytes.Clone(effects.Encoded)
	m := decode(w.t, effects.Encoded)
	line := id
	if m.HasLamport {
		line += fmt.Sprintf(" at %d", m.Lamport)
	}
	if len(m.History) > 0 {
		line += " cites " + dependencyIDs(m.History)
	}
	if len(m.RepairRequests) > 0 {
		line += " asks for " + dependencyIDs(m.RepairRequests)
	}
	return line + "\n" + w.announced(p), nil
}

func (w *world) deliver(p *peer, id string) (string, error) {
	payload := w.network[id]
	if payload == nil {
		return "", fmt.Errorf("nobody has sent %s", id)
	}
	receipt := p.receive(payload)
	var line string
	switch m := decode(w.t, payload); {
	case receipt.Duplicate:
		line = "duplicate\n"
	case receipt.Buffered:
		line = "waits for " + dependencyIDs(receipt.Missing) + "\n"
	case m.IsSync():
		line = "sync\n"
	}
	return line + w.announced(p), nil
}

// announced prints the events of the last step, and puts what they ask to
// broadcast on the network.
func (w *world) announced(p *peer) string {
	for _, event := range p.effects.Events {
		if event.Message != nil {
			w.network[event.MessageID] = event.Message
		}
	}
	var output strings.Builder
	for _, line := range p.events() {
		output.WriteString(line + "\n")
	}
	return output.String()
}

func indent(text string) string {
	var output strings.Builder
	for line := range strings.Lines(text) {
		output.WriteString("  " + line)
	}
	return output.String()
}

func printLog(p *peer) string {
	var output strings.Builder
	p.log.all(func(e *entry) { fmt.Fprintf(&output, "%d %s %s\n", e.lamport, e.id, e.sender) })
	return output.String()
}

func printState(p *peer) string {
	var output strings.Builder
	meta := p.Meta()
	span := func(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }
	fmt.Fprintf(&output, "clock %d\n", meta.Lamport)
	fmt.Fprintf(&output, "filter of %d ids, %.0f%% full\n", p.filter.Len(), 100*p.filter.Fill())
	for _, u := range meta.Outgoing {
		fmt.Fprintf(&output, "unacknowledged %s, sent %v ago, resent %d times", decode(p.t, u.Message).ID, span(p.now-u.SendTime), u.Attempts)
		for _, witness := range u.Witnesses {
			fmt.Fprintf(&output, ", seen in the filter of %s", witness.MessageID)
		}
		output.WriteString("\n")
	}
	for _, waiting := range meta.Incoming {
		var missing []string
		for _, dependency := range waiting.Missing {
			missing = append(missing, dependency.MessageID)
		}
		fmt.Fprintf(&output, "%s waits for %v since %v\n", decode(p.t, waiting.Message).ID, missing, span(p.now-waiting.ReceivedTime))
	}
	for _, repair := range meta.OutgoingRepair {
		fmt.Fprintf(&output, "asks for %s in %v\n", repair.Entry.MessageID, span(repair.TReq-p.now))
	}
	for _, repair := range meta.IncomingRepair {
		fmt.Fprintf(&output, "answers for %s in %v\n", repair.Entry.MessageID, span(repair.TResp-p.now))
	}
	if len(meta.Met) > 0 {
		fmt.Fprintf(&output, "met %v\n", meta.Met)
	}
	return output.String()
}
