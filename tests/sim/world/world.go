package world

import (
	"fmt"
	"io"
	"math"
	"runtime"

	"github.com/libsds/libsds/core"
)

// World is one run of a script.
type World struct {
	script       *Script
	config       core.Config
	agenda       agenda
	network      network
	participants []*participant
	byName       map[string]*participant
	store        *storeNode // nil: there is none
	fetching     int        // what is on its way from it

	messages  map[string]*message
	inOrder   []*message // by index
	complete  int        // how many messages have come to everybody
	ephemeral map[string]bool

	trace     trace
	measures  Measures
	violation *Violation
	// unwatched runs are measured, and not held to invariants after every step.
	unwatched bool
	// stagger bounds when the timers of a participant begin.
	stagger int64
}

// Options say how a script is run.
type Options struct {
	// Trace gets every line of what happens; nil is nobody.
	Trace io.Writer
	// Explicit gets the fate of every payload that was not delivered once and as
	// fast as can be; nil is nobody.
	Explicit *[]Fate
	// Measured is a run that is only measured: nothing is checked and nothing
	// hashed, and its costs are those up to a time. Then it goes on until every
	// participant has every message, or the script's calm.
	Measured int64
}

// Result is what came of a run.
type Result struct {
	// Violation is the first invariant that did not hold, or nil.
	Violation *Violation
	// Hash is of everything that happened: equal for equal runs.
	Hash     string
	Steps    int
	Measures Measures

	// Of a run that is only measured: whether everybody got everything, when the
	// last message was delivered, how many deliveries are lacking, and what a
	// manager with its channel takes in memory.
	Consistent   bool
	LastDelivery int64
	Lacking      int
	ChannelBytes uint64
}

// Run runs a script to its end. The same script gives the same result, whatever
// the machine. An error is about the script.
func Run(s *Script, o Options) (Result, error) {
	w, err := newWorld(s, o)
	if err != nil {
		return Result{}, err
	}
	for i := range s.Participants {
		w.join(&s.Participants[i], i)
	}
	for i := range s.Actions {
		a := &s.Actions[i]
		w.agenda.at(a.At, func() { w.act(a) })
	}
	w.agenda.at(s.Calm, w.calm)
	if o.Measured > 0 {
		return w.measure(o.Measured), nil
	}
	begin := s.Calm + w.settleTime()
	w.step(begin)
	for deadline := w.deadline(); w.violation == nil && !w.restless() && w.agenda.now < deadline && !w.settled(); {
		w.step(w.agenda.now + w.config.SyncMessageIntervalMs)
	}
	switch {
	case w.violation != nil:
	case w.restless() && w.measures.Again > 0:
		w.measures.Restless = 1
	default: // also where somebody asks for ever, and nobody can answer
		w.judge()
	}
	w.measures.end(w)
	for _, p := range w.participants {
		if p.manager != nil {
			p.manager.Close()
		}
	}
	return Result{Violation: w.violation, Hash: w.trace.sum(), Steps: w.trace.lines, Measures: w.measures}, nil
}

// mostSteps bounds a run that is watched.
const mostSteps = 200_000

// restless tells whether a run does not come to its end.
func (w *World) restless() bool { return !w.unwatched && w.trace.lines > mostSteps }

// step lets time pass.
func (w *World) step(until int64) {
	for w.violation == nil && !w.restless() && w.agenda.next(until) {
	}
}

func newWorld(s *Script, o Options) (*World, error) {
	w := &World{
		script: s, byName: map[string]*participant{}, messages: map[string]*message{}, ephemeral: map[string]bool{},
		network: newNetwork(s), trace: newTrace(o.Trace), unwatched: o.Measured > 0, stagger: math.MaxInt64,
	}
	w.trace.skip = w.unwatched && o.Trace == nil
	w.network.explicit = o.Explicit
	config := s.Config
	if config == "" {
		config = "{}"
	}
	var err error
	if w.config, err = core.ParseConfig([]byte(config)); err != nil {
		return nil, fmt.Errorf("the script's config: %w", err)
	}
	if s.Store != nil {
		w.store = &storeNode{w: w, loss: s.Store.Loss, payloads: map[string]*payload{}, asked: map[asking]bool{}}
	}
	return w, nil
}

// join makes a participant, which starts when it joins.
func (w *World) join(m *Member, index int) {
	p := &participant{w: w, member: m, name: m.Name, index: index, skew: m.Skew, fault: faults[m.Fault], disk: &disk{always: m.Syncs == 0}}
	w.participants = append(w.participants, p)
	w.byName[m.Name] = p
	w.agenda.at(m.Joins, p.start)
	if m.Syncs > 0 {
		w.agenda.at(m.Joins+m.Syncs, p.syncDisk)
	}
}

// act does what a script says.
func (w *World) act(a *Action) {
	p := w.byName[a.Name]
	switch a.Verb {
	case verbSend, verbWhisper:
		p.send(a)
	case verbMet:
		p.met(a.Message)
	case verbSplit:
		w.trace.note(w.agenda.now, "network", a.String())
		w.network.split(a.Sides)
	case verbHeal:
		w.trace.note(w.agenda.now, "network", a.String())
		w.network.side = nil
	case verbCrash:
		p.crash(a.Calls, a.Lose)
	case verbRestart:
		p.restart()
	case verbClock:
		p.jump(a.Jump)
	case verbDisk:
		w.trace.note(w.agenda.now, a.Name, a.String())
		p.disk.fails = a.Fails
	}
}

// calm is when nothing goes wrong any more.
func (w *World) calm() {
	w.trace.note(w.agenda.now, "network", "calm")
	for _, p := range w.participants {
		p.disk.fails, p.disk.crashIn = false, 0
	}
}

// delivered takes down that a message came to a participant for the first time.
func (w *World) delivered(p *participant, m *message) {
	m.ready++
	if m.ready == len(w.participants)-1 {
		w.complete++
	}
	w.measures.Deliveries++
	if w.script.Participants[p.index].Joins <= m.sentAt {
		w.measures.Latency.add(w.agenda.now - m.sentAt)
	}
	w.measures.LastDelivery = w.agenda.now
}

// measure is a run that is only measured.
func (w *World) measure(window int64) Result {
	w.step(window)
	w.measures.end(w)
	r := Result{Measures: w.measures}
	for !w.consistent() && w.agenda.next(w.script.Calm) {
	}
	r.Violation = w.violation
	r.Consistent, r.LastDelivery = w.consistent(), w.measures.LastDelivery
	r.Measures.Latency = w.measures.Latency
	for _, m := range w.inOrder {
		r.Lacking += len(w.participants) - 1 - m.ready
	}
	r.ChannelBytes = w.weigh()
	return r
}

// consistent tells whether every message has been sent and has come to everybody.
func (w *World) consistent() bool {
	return w.complete == len(w.script.Actions)
}

// weigh returns what the manager of a participant takes in memory with its channel,
// on average. The run is over.
func (w *World) weigh() uint64 {
	w.agenda = agenda{now: w.agenda.now}
	heap := func() uint64 {
		runtime.GC()
		runtime.GC() // what pools keep goes with the second
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	with := heap()
	for _, p := range w.participants {
		p.manager = nil
	}
	without := heap()
	return (max(with, without) - without) / uint64(len(w.participants))
}
