package crash

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/limits"
	"github.com/libsds/libsds/core/wire"
)

// What is small here is so in order that there is much of it: evictions,
// resends, messages that lose hope, and buffers that overflow.
const (
	workers     = 4
	maxHistory  = 40
	maxIncoming = 8
)

// sharedChannels are used by all workers. Each worker has another channel to
// itself, which it also removes.
var sharedChannels = []string{"shared-0", "shared-1"}

// participant is the process that is killed: a manager over the built-in store,
// whose workers send and receive. What it was told by the manager it passes on
// at once, as lines of a pipe, which its parent holds it to:
//
//	open                          the store is open
//	wrapped CHANNEL ID LAMPORT    Wrap has returned
//	payload CHANNEL ID LAMPORT    a peer has made a message; nothing was done with it yet
//	buffered CHANNEL ID           Unwrap has returned, and the message waits
//	delivered CHANNEL ID          Unwrap has returned, and the message was delivered
//	EVENT CHANNEL ID              an event was handled
//	removing CHANNEL GENERATION   RemoveChannel will be called
//	wrong WHAT                    what should not happen
type participant struct {
	config core.Config
	pipe   *os.File
	seed   uint64
	run    int

	manager *core.Manager
}

func (p *participant) say(format string, arguments ...any) {
	if _, err := p.pipe.Write(fmt.Appendf(nil, format+"\n", arguments...)); err != nil {
		os.Exit(3)
	}
}

func (p *participant) crew(random *rand.Rand, size int) []*worker {
	crew := make([]*worker, size)
	for i := range crew {
		crew[i] = &worker{
			participant: p, number: i, random: rand.New(rand.NewPCG(random.Uint64(), 0)),
			generation: p.run << 16, peers: map[string]*peer{},
		}
	}
	return crew
}

// work does one thing after the other, and ends.
func (p *participant) work(operations int) {
	p.open()
	w := p.crew(rand.New(rand.NewPCG(p.seed, 0)), 1)[0]
	for range operations {
		w.operate()
	}
	p.manager.Close()
}

// live runs until the process is killed. In some runs it keeps closing and
// opening.
func (p *participant) live() {
	random := rand.New(rand.NewPCG(p.seed, uint64(p.run)))
	crew := p.crew(random, workers)
	closes := random.IntN(5) == 0
	for {
		p.open()
		operations := -1
		if closes {
			operations = random.IntN(5)
		}
		var group sync.WaitGroup
		for _, w := range crew {
			group.Go(func() {
				for done := 0; done != operations; done++ {
					w.operate()
				}
			})
		}
		group.Wait()
		p.manager.Close()
	}
}

func (p *participant) open() {
	var err error
	p.manager, err = core.New(core.Options{
		ParticipantID: "alice", Config: &p.config, Logger: slog.New(slog.NewTextHandler(complaints{p}, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Handler: func(e core.Event) {
			if e.Type != core.PeriodicSync {
				p.say("%v %s %s", e.Type, e.ChannelID, e.MessageID)
			}
		},
	})
	if err != nil {
		p.say("wrong %v", err)
		os.Exit(3)
	}
	p.manager.SetHints(func(_, messageID string) []byte { return []byte("hint of " + messageID) })
	p.say("open")
}

// complaints are what the manager warns of, events excepted: nothing, if all goes
// well.
type complaints struct{ *participant }

func (c complaints) Write(line []byte) (int, error) {
	if !bytes.Contains(line, []byte(" event=")) { // it is told of those by its handler
		c.say("wrong %s", line[:len(line)-1])
	}
	return len(line), nil
}

// worker is one goroutine.
type worker struct {
	*participant
	number     int
	random     *rand.Rand
	generation int // of its own channel: it rises with every removal, and ids begin with it
	made       int
	peers      map[string]*peer
}

// peer is somebody else in a channel, in memory.
type peer struct {
	*core.Manager
	held [][]byte // payloads that have not arrived yet
}

func (w *worker) own() string { return fmt.Sprint("own-", w.number) }

// newID makes an id: those of a worker's own channel begin with its generation,
// the others with 0.
func (w *worker) newID(channel, of string) string {
	generation := 0
	if channel == w.own() {
		generation = w.generation
	}
	w.made++
	return fmt.Sprintf("%d.%s.%d.%d.%d", generation, of, w.run, w.number, w.made)
}

func (w *worker) must(err error) {
	if err != nil && !errors.Is(err, core.ErrLimitExceeded) {
		w.say("wrong %v", err)
		os.Exit(3)
	}
}

// peer returns the worker's peer in a channel. A new one is told the time.
func (w *worker) peer(channel string) *peer {
	if w.peers[channel] == nil {
		config := w.config
		config.StorePath, config.Limits.MaxOutgoingMessages = "", 1<<20
		m, err := core.New(core.Options{ParticipantID: fmt.Sprint("bob-", w.number), Config: &config})
		w.must(err)
		w.peers[channel] = &peer{Manager: m}
		w.tell(channel, w.sync(channel))
	}
	return w.peers[channel]
}

func (w *worker) sync(channel string) []byte {
	payload, err := w.manager.WrapSync(nil, channel)
	w.must(err)
	return payload
}

// tell has the peer receive a payload, and miss nothing.
func (w *worker) tell(channel string, payload []byte) {
	p := w.peer(channel)
	received, err := p.Unwrap(payload)
	w.must(err)
	var missing []string
	for _, dependency := range received.Missing {
		missing = append(missing, dependency.ID)
	}
	if len(missing) > 0 {
		w.must(p.MarkDependenciesMet(channel, missing))
	}
}

// payload has the peer make a message.
func (w *worker) payload(channel string) []byte {
	id := w.newID(channel, "b")
	payload, err := w.peer(channel).Wrap(nil, channel, id, make([]byte, w.random.IntN(300)+1))
	w.must(err)
	w.say("payload %s %s %d", channel, id, lamport(payload))
	return payload
}

func (w *worker) receive(payload []byte) core.Unwrapped {
	received, err := w.manager.Unwrap(payload)
	w.must(err)
	how := "delivered"
	if received.Buffered {
		how = "buffered"
	}
	w.say("%s %s %s", how, received.ChannelID, received.MessageID)
	return received
}

func (w *worker) operate() {
	channel := w.own()
	if w.random.IntN(3) > 0 {
		channel = sharedChannels[w.random.IntN(len(sharedChannels))]
	}
	peer := w.peer(channel)
	switch what := w.random.IntN(100); {
	case what < 30:
		w.send(channel)
	case what < 55: // an answer, which acknowledges
		w.receive(w.payload(channel))
	case what < 70: // a gap
		peer.held = append(peer.held, w.payload(channel))
		received := w.receive(w.payload(channel))
		if len(received.Missing) > 0 && w.random.IntN(4) == 0 {
			w.must(w.manager.MarkDependenciesMet(channel, []string{received.Missing[0].ID}))
		}
	case what < 85: // what was late
		if n := len(peer.held); n > 0 {
			i := w.random.IntN(n)
			payload := peer.held[i]
			peer.held = append(peer.held[:i], peer.held[i+1:]...)
			if w.random.IntN(5) > 0 { // or lost
				w.receive(payload)
			}
		}
	case what < 91:
		w.manager.Tick(time.Now().UnixMilli())
	case what < 97:
		w.tell(channel, w.sync(channel))
	case channel == w.own():
		w.say("removing %s %d", channel, w.generation)
		w.must(w.manager.RemoveChannel(channel))
		w.generation++
		delete(w.peers, channel)
	}
}

func (w *worker) send(channel string) {
	id := w.newID(channel, "a")
	payload, err := w.manager.Wrap(nil, channel, id, make([]byte, w.random.IntN(300)+1))
	w.must(err)
	if err != nil { // too many wait for an acknowledgement
		return
	}
	w.say("wrapped %s %s %d", channel, id, lamport(payload))
	if w.random.IntN(3) > 0 { // or it is lost
		w.tell(channel, payload)
	}
}

func lamport(payload []byte) uint64 {
	var message wire.Message
	bounds := limits.Default()
	if err := wire.Decode(payload, &bounds, &message); err != nil {
		panic(err)
	}
	return message.Lamport
}
