package world

import (
	"hash"
	"hash/fnv"
	"math/rand/v2"
	"strings"

	"github.com/libsds/libsds/core/wire"
)

// payload is something that was broadcast.
type payload struct {
	name  string
	bytes []byte
	from  *participant
	kind  payloadKind
	// message is the message in it; nil for a sync or an ephemeral one.
	message *message
	cites   []*message
	filter  []byte // a view of bytes
}

// payloadKind is why a payload was broadcast.
type payloadKind uint8

const (
	contentPayload payloadKind = iota
	syncPayload
	ephemeralPayload
	resendPayload
	repairPayload

	payloadKinds
)

// message is a content message, as everybody must agree on it.
type message struct {
	index   int
	id      string
	sender  string
	lamport uint64
	content string
	cites   []*message
	sentAt  int64 // when it was broadcast first
	heard   set   // of participants that took it in
	ready   int   // how often it was delivered for the first time
}

// network is what is between the participants: everybody hears everybody, but
// for chance and splits.
type network struct {
	seed   uint64
	chance Network
	calm   int64
	side   map[string]int // whom the split has where; nil: nobody is split off
	fates  map[fateKey]*Fate
	// inFlight counts the payloads on their way that are more than a sync.
	inFlight int
	// explicit, when it is not nil, takes down the fate of every payload.
	explicit *[]Fate
	delays   []int64

	// Reused for the chances of each payload.
	hash    hash.Hash64
	source  *rand.PCG
	chances *rand.Rand
	name    []byte
}

type fateKey struct{ payload, receiver string }

func newNetwork(s *Script) network {
	source := rand.NewPCG(0, 0)
	n := network{seed: s.Seed, chance: s.Network, calm: s.Calm, hash: fnv.New64a(), source: source, chances: rand.New(source)}
	if len(s.Fates) > 0 {
		n.fates = make(map[fateKey]*Fate, len(s.Fates))
		for i := range s.Fates {
			n.fates[fateKey{s.Fates[i].Payload, s.Fates[i].Receiver}] = &s.Fates[i]
		}
	}
	return n
}

// split cuts the network into sides; those that none names are one more.
func (n *network) split(sides [][]string) {
	n.side = make(map[string]int)
	for i, side := range sides {
		for _, name := range side {
			n.side[name] = i + 1
		}
	}
}

// cut tells whether a split is between two.
func (n *network) cut(now int64, from, to string) bool {
	return now < n.calm && n.side != nil && n.side[from] != n.side[to]
}

// copies returns the delays of the copies of a payload that reach a receiver,
// valid until the next call. Chance hangs on the names alone, so that what
// happens to one payload is the same whatever else a script has.
func (n *network) copies(now int64, payload, receiver string) []int64 {
	n.delays = n.delays[:0]
	if n.fates != nil {
		fate := n.fates[fateKey{payload, receiver}]
		switch {
		case fate == nil:
			return append(n.delays, n.chance.Fastest)
		case len(fate.Delays) == 0 && now >= n.calm:
			return append(n.delays, n.chance.Fastest)
		}
		return fate.Delays
	}
	random := n.random(payload, receiver)
	lost := random.Float64() < n.chance.Loss && now < n.calm
	if !lost {
		n.delays = append(n.delays, n.delay(random))
		if n.chance.Duplicate > 0 && random.Float64() < n.chance.Duplicate {
			n.delays = append(n.delays, n.delay(random)+n.delay(random))
		}
	}
	if n.explicit != nil && (lost || len(n.delays) > 1 || n.delays[0] != n.chance.Fastest) {
		*n.explicit = append(*n.explicit, Fate{payload, receiver, append([]int64(nil), n.delays...)})
	}
	return n.delays
}

// delay is mostly short and sometimes long.
func (n *network) delay(random *rand.Rand) int64 {
	x := random.Float64()
	return n.chance.Fastest + int64(x*x*x*float64(n.chance.Slowest-n.chance.Fastest))
}

// random is the chances of a payload with a receiver, until it is called again.
func (n *network) random(payload, receiver string) *rand.Rand {
	n.hash.Reset()
	n.name = append(append(append(n.name[:0], payload...), 0), receiver...)
	_, _ = n.hash.Write(n.name) // never fails
	n.source.Seed(n.seed, n.hash.Sum64())
	return n.chances
}

// broadcast sends a payload to everybody else, and to its sender where the
// network has echoes.
func (w *World) broadcast(from *participant, kind payloadKind, name string, bytes []byte) {
	p := &payload{name: name, bytes: bytes, from: from, kind: kind}
	w.look(p)
	w.trace.note(w.agenda.now, from.name, "broadcasts", name, decimal(len(bytes)), checksum(bytes))
	w.measures.sent(kind, len(bytes))
	n := &w.network
	for _, to := range w.participants {
		if to == from && (n.chance.Echo == 0 || n.random(name, "echo").Float64() >= n.chance.Echo) || n.cut(w.agenda.now, from.name, to.name) {
			continue
		}
		for _, delay := range n.copies(w.agenda.now, name, to.name) {
			if kind != syncPayload {
				n.inFlight++
			}
			w.agenda.arrives(w.agenda.now+delay, p, to)
		}
	}
	if w.store != nil && !n.cut(w.agenda.now, from.name, storeName) {
		w.store.hear(p)
	}
}

// look reads what is in a payload, and holds a message to what it was before.
func (w *World) look(p *payload) {
	var m wire.Message
	if err := wire.Decode(p.bytes, &w.config.Limits, &m); err != nil {
		w.violate(NoError, p.from.name, "it broadcast %s, which is no message: %v", p.name, err)
		return
	}
	p.filter = m.Filter
	if m.IsEphemeral() {
		return
	}
	p.cites = make([]*message, len(m.History))
	for i := range m.History {
		p.cites[i] = w.message(m.History[i].ID)
	}
	if m.IsSync() {
		return
	}
	p.message = w.message(m.ID)
	p.message.register(w, p, &m)
}

// message returns what is known of a message, or begins to know it.
func (w *World) message(id string) *message {
	known := w.messages[id]
	if known == nil {
		known = &message{index: len(w.messages), id: strings.Clone(id), sentAt: -1}
		w.messages[known.id] = known
		w.inOrder = append(w.inOrder, known)
	}
	return known
}

// register holds every copy of a message to the first.
func (f *message) register(w *World, p *payload, m *wire.Message) {
	if f.sentAt < 0 {
		f.sentAt = w.agenda.now
		f.sender, f.lamport, f.content, f.cites = p.from.name, m.Lamport, string(m.Content), p.cites
		return
	}
	same := f.lamport == m.Lamport && f.content == string(m.Content) && len(f.cites) == len(p.cites)
	for i := range p.cites {
		same = same && f.cites[i] == p.cites[i]
	}
	if !same {
		w.violate(OneMessage, p.from.name, "%s is another message than %s was before", p.name, f.id)
	}
}
