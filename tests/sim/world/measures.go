package world

import (
	"math"

	"github.com/libsds/libsds/core/channel"
)

// Measures are what a run counted. They add up over runs.
type Measures struct {
	Runs, Participants int
	// Messages were broadcast by their senders, Deliveries made to others.
	// Silenced are those that were not sent because their sender was down.
	Messages, Deliveries, Silenced uint64
	// Payloads and Bytes are what was broadcast, by its reason.
	Payloads, Bytes [payloadKinds]uint64
	// Received counts what participants took in.
	Received, ReceivedBytes uint64
	// Waits are messages that had to wait for others.
	Waits uint64
	// Acks are acknowledgements, FalseAcks those of messages that nobody had.
	// AckTests are how often an id that nobody had was looked for in a filter,
	// and AckRisk how often it is to be found there by chance, at most.
	Acks, FalseAcks, AckTests uint64
	AckRisk                   float64
	// Failed are messages that nobody acknowledged.
	Failed uint64
	// GivenUp are dependencies that messages were delivered without.
	GivenUp uint64
	// Again are deliveries of what the log had evicted.
	Again   uint64
	Fetched uint64 // from the store node
	Crashes uint64
	// In the end, of the pairs of a participant and a message that another has in
	// its log: Missing were known to be missing and did not come, Unseen are cited
	// by nothing that arrived, Evicted are past maxMessageHistory, Waiting still
	// wait.
	Missing, Unseen, Evicted, Waiting uint64
	// Restless counts runs that were ended because evicted messages went round in
	// them, asked for and delivered again and again.
	Restless int
	// Incomplete counts runs in which somebody lacks a message in the end.
	Incomplete int
	// Latency is from a broadcast to its deliveries.
	Latency Histogram
	// LastDelivery is when the last message was delivered, Ended when the run
	// ended, and Calm when its network healed.
	LastDelivery, Ended, Calm int64
	Most                      Held
}

// Held is the most that any channel held at a time.
type Held struct {
	Log, Incoming, IncomingBytes, Outgoing, OutgoingRepairs, IncomingRepairs int
}

func (m *Measures) sent(kind payloadKind, bytes int) {
	m.Payloads[kind]++
	m.Bytes[kind] += uint64(bytes)
}

func (m *Measures) mostHeld(c *channel.Counts) {
	m.Most.add(&Held{c.Log, c.Incoming, c.IncomingBytes, c.Outgoing, c.OutgoingRepairs, c.IncomingRepairs})
}

func (h *Held) add(other *Held) {
	h.Log = max(h.Log, other.Log)
	h.Incoming = max(h.Incoming, other.Incoming)
	h.IncomingBytes = max(h.IncomingBytes, other.IncomingBytes)
	h.Outgoing = max(h.Outgoing, other.Outgoing)
	h.OutgoingRepairs = max(h.OutgoingRepairs, other.OutgoingRepairs)
	h.IncomingRepairs = max(h.IncomingRepairs, other.IncomingRepairs)
}

// end takes down what is known at the end of a run.
func (m *Measures) end(w *World) {
	m.Runs, m.Participants = 1, len(w.participants)
	m.Ended, m.Calm = w.agenda.now, w.script.Calm
	if m.Missing+m.Unseen > 0 {
		m.Incomplete = 1
	}
}

// Add adds what another run counted.
func (m *Measures) Add(other *Measures) {
	m.Runs += other.Runs
	m.Participants += other.Participants
	for i := range m.Payloads {
		m.Payloads[i] += other.Payloads[i]
		m.Bytes[i] += other.Bytes[i]
	}
	for _, pair := range [][2]*uint64{
		{&m.Messages, &other.Messages}, {&m.Deliveries, &other.Deliveries}, {&m.Silenced, &other.Silenced},
		{&m.Received, &other.Received}, {&m.ReceivedBytes, &other.ReceivedBytes}, {&m.Waits, &other.Waits},
		{&m.Acks, &other.Acks}, {&m.FalseAcks, &other.FalseAcks}, {&m.AckTests, &other.AckTests},
		{&m.Failed, &other.Failed}, {&m.GivenUp, &other.GivenUp}, {&m.Again, &other.Again}, {&m.Fetched, &other.Fetched},
		{&m.Crashes, &other.Crashes}, {&m.Missing, &other.Missing}, {&m.Unseen, &other.Unseen}, {&m.Evicted, &other.Evicted},
		{&m.Waiting, &other.Waiting},
	} {
		*pair[0] += *pair[1]
	}
	m.AckRisk += other.AckRisk
	m.Incomplete += other.Incomplete
	m.Restless += other.Restless
	m.Ended += other.Ended
	m.Latency.Add(&other.Latency)
	m.Most.add(&other.Most)
}

// Repairs, Resends and Syncs are how many were broadcast.
func (m *Measures) Repairs() uint64 { return m.Payloads[repairPayload] }

// Resends are broadcasts of what nobody had acknowledged.
func (m *Measures) Resends() uint64 { return m.Payloads[resendPayload] }

// Syncs are broadcasts without content.
func (m *Measures) Syncs() uint64 { return m.Payloads[syncPayload] }

// Broadcasts is how many payloads there were.
func (m *Measures) Broadcasts() (n uint64) {
	for _, k := range m.Payloads {
		n += k
	}
	return n
}

// BroadcastBytes is how much was broadcast.
func (m *Measures) BroadcastBytes() (n uint64) {
	for _, k := range m.Bytes {
		n += k
	}
	return n
}

// Histogram counts times in milliseconds, in classes that each are an eighth of
// an octave wide.
type Histogram struct {
	Classes [histogramClasses]uint64
	N       uint64
}

const (
	perOctave        = 8
	histogramClasses = 28 * perOctave // up to three days
)

func (h *Histogram) add(ms int64) {
	class := 0
	if ms > 1 {
		class = int(math.Ceil(perOctave * math.Log2(float64(ms))))
	}
	h.Classes[min(class, histogramClasses-1)]++
	h.N++
}

// Add adds another.
func (h *Histogram) Add(other *Histogram) {
	for i, n := range other.Classes {
		h.Classes[i] += n
	}
	h.N += other.N
}

// Percentile returns a time, in milliseconds, that the share of all does not
// exceed: the upper end of its class, a tenth more at most.
func (h *Histogram) Percentile(share float64) float64 {
	left := uint64(math.Ceil(share * float64(h.N)))
	for class, n := range h.Classes {
		if n >= left {
			return math.Pow(2, float64(class)/perOctave)
		}
		left -= n
	}
	return 0
}
