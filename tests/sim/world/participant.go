package world

import (
	"bytes"
	"errors"
	"hash/crc32"
	"strconv"
	"strings"

	"github.com/libsds/libsds/core"
	"github.com/libsds/libsds/core/limits"
)

// room is the one channel of a run.
const room = "room"

// poll bounds how long a host waits before it ticks again, as the library's own
// timer does.
const poll = 10_000

// participant is a host with its manager, its clock and its disk.
type participant struct {
	w      *World
	member *Member
	name   string
	index  int
	skew   int64 // of its clock
	fault  fault
	disk   *disk

	manager *core.Manager // nil while it is down
	life    int           // how often it was started
	// disturbed is when it was started, or its clock set, the last time.
	disturbed int64
	ticks     int          // numbers the next tick: an older one does not come any more
	events    []core.Event // that the host has not looked at yet
	hearing   *payload     // that is being taken in
	// idle: what it does just now changes nothing.
	idle    bool
	syncs   int
	answers map[string]int

	ledger ledger
}

// local is the time by its clock, in Unix milliseconds.
func (p *participant) local() int64 { return epoch + p.w.agenda.now + p.skew }

// start begins a life: the first, or after a crash.
func (p *participant) start() {
	if p.manager != nil || p.w.agenda.now < p.member.Joins {
		return
	}
	p.w.trace.note(p.w.agenda.now, p.name, "starts")
	config := p.w.config
	if p.member.Keeps == KeepsShared {
		config.StoreSync = core.StoreSyncBatch
	}
	if p.fault.config != nil {
		p.fault.config(&config)
	}
	p.disk.load = p.fault.loading
	manager, err := core.New(core.Options{
		ParticipantID: p.name, Config: &config, Backend: p.disk.backend(p.member.Keeps), Handler: p.announced, Now: p.local,
	})
	if err != nil {
		p.w.violate(NoError, p.name, "it does not start: %v", err)
		return
	}
	if p.w.store != nil {
		manager.SetHints(func(_, id string) []byte { return []byte(hintPrefix + id) })
	}
	p.manager = manager
	p.life++
	p.events = nil
	p.disturbed = p.w.agenda.now
	if err := manager.EnsureChannel(room); err != nil {
		p.w.violate(NoError, p.name, "its channel is not loaded: %v", err)
		return
	}
	p.ledger.loaded(p)
	interval := min(config.SyncMessageIntervalMs, p.w.stagger)
	p.tickIn(1 + p.w.network.random(p.name, "start "+decimal(p.life)).Int64N(interval))
}

// announced is the manager's handler.
func (p *participant) announced(e core.Event) {
	if p.fault.events == nil {
		p.events = append(p.events, e)
		return
	}
	p.events = append(p.events, p.fault.events(p, e)...)
}

// operate does something with the manager, then what its events ask for, and
// then holds the participant to the invariants. The process may end in the
// middle of it.
func (p *participant) operate(what string, step bool, do func() error) {
	defer func() {
		switch problem := recover(); problem {
		case nil:
		case crashed{}:
			p.w.trace.note(p.w.agenda.now, p.name, "crashes in the middle of", what)
			p.ends(false, p.disk.crash(p.ledger.lose))
		default:
			panic(problem)
		}
	}()
	if err := do(); err != nil {
		p.w.violate(NoError, p.name, "%s: %v", what, err)
		return
	}
	if step { // a tick may have done nothing
		p.ledger.deliveredNow = 0
	}
	p.idle = p.idle && len(p.events) == 0
	for len(p.events) > 0 {
		e := p.events[0]
		p.events = p.events[1:]
		p.handle(&e)
	}
	p.events = nil
	if !p.idle {
		p.ledger.check(p, step)
	}
}

// handle is what a host does about an event.
func (p *participant) handle(e *core.Event) {
	if e.Type != core.PeriodicSync {
		p.w.trace.note(p.w.agenda.now, p.name, e.Type.String(), e.MessageID)
	}
	switch e.Type {
	case core.MessageReady:
		p.ledger.ready(p, e.MessageID)
	case core.MessageSent:
		p.ledger.sent(p, e.MessageID)
	case core.MissingDependencies:
		p.w.measures.Waits++
		if p.w.store != nil {
			for _, dependency := range e.Deps {
				p.w.store.ask(p, &dependency)
			}
		}
	case core.PeriodicSync:
		for _, id := range e.ChannelIDs {
			p.sync(id)
		}
	case core.RepairReady:
		if p.answers == nil {
			p.answers = map[string]int{}
		}
		p.answers[e.MessageID]++
		p.broadcast(repairPayload, e.MessageID+"@"+p.name+"."+decimal(p.answers[e.MessageID]), e.Message)
	case core.ResendReady:
		p.broadcast(resendPayload, e.MessageID+"+"+decimal(e.Attempts), e.Message)
	case core.DeliveryFailed:
		p.w.measures.Failed++
	case core.DependenciesLost:
		p.ledger.gaveUp(p, e)
	}
}

func (p *participant) sync(channelID string) {
	payload, err := p.manager.WrapSync(nil, channelID)
	if err != nil {
		p.w.violate(NoError, p.name, "a sync message: %v", err)
		return
	}
	p.syncs++
	p.broadcast(syncPayload, p.name+"."+decimal(p.syncs), payload)
}

func (p *participant) broadcast(kind payloadKind, name string, payload []byte) {
	if p.fault.leaving != nil {
		payload = p.fault.leaving(p, kind, payload)
	}
	p.w.broadcast(p, kind, name, payload)
}

// send wraps and broadcasts a message.
func (p *participant) send(a *Action) {
	if p.manager == nil {
		p.w.measures.Silenced++
		return
	}
	content := bytes.Repeat([]byte(a.Message+" "), a.Bytes/(len(a.Message)+1)+1)[:a.Bytes]
	defer func() { p.idle = false }()
	p.operate("send "+a.Message, a.Verb == verbSend, func() error {
		kind, wrap := contentPayload, p.manager.Wrap
		if a.Verb == verbWhisper {
			kind, wrap = ephemeralPayload, p.manager.WrapEphemeral
			p.w.ephemeral[a.Message] = true
		}
		payload, err := wrap(nil, room, a.Message, content)
		if errors.Is(err, core.ErrLimitExceeded) {
			p.w.measures.Silenced++
			p.idle = true
			return nil
		}
		if err != nil {
			return err
		}
		p.broadcast(kind, a.Message, payload)
		if kind == contentPayload {
			p.ledger.wrote(p, p.w.message(a.Message))
		}
		return nil
	})
}

// hear takes in what the network brings.
func (p *participant) hear(arrived *payload) {
	if arrived.kind != syncPayload {
		p.w.network.inFlight--
	}
	p.takeIn(arrived)
}

func (p *participant) takeIn(arrived *payload) {
	if p.manager == nil {
		return
	}
	payload := arrived.bytes
	if p.fault.arriving != nil {
		payload = p.fault.arriving(p, arrived)
	}
	p.w.trace.note(p.w.agenda.now, p.name, "hears", arrived.name)
	p.w.measures.Received++
	p.w.measures.ReceivedBytes += uint64(len(payload))
	p.hearing = arrived
	p.ledger.hears(p, arrived)
	p.operate("hear "+arrived.name, payload != nil, func() error {
		if payload == nil {
			return nil
		}
		_, err := p.manager.Unwrap(payload)
		return err
	})
	p.hearing = nil
}

// met declares that the host has a message by other means.
func (p *participant) met(id string) {
	if p.manager == nil {
		return
	}
	m := p.w.message(id)
	p.ledger.met.add(m.index)
	m.heard.add(p.index) // as its filter says from now on
	p.operate("have "+id, true, func() error { return p.manager.MarkDependenciesMet(room, []string{id}) })
}

// tickIn has the periodic tasks looked after in a while, and not before.
func (p *participant) tickIn(wait int64) {
	p.ticks++
	number := p.ticks
	p.w.agenda.at(p.w.agenda.now+wait, func() {
		if p.manager != nil && number == p.ticks {
			p.tick()
		}
	})
}

func (p *participant) tick() {
	now := p.local()
	var next int64
	// Most ticks have nothing to do: some are looked at all the same.
	p.idle = p.ticks%4 != 0
	defer func() { p.idle = false }()
	p.operate("tick", false, func() error {
		next = p.manager.Tick(now)
		return nil
	})
	if p.manager != nil {
		p.tickIn(min(max(next-now, 1), poll))
	}
}

// jump sets the clock. The host notices and ticks.
func (p *participant) jump(by int64) {
	p.w.trace.note(p.w.agenda.now, p.name, "sets its clock by", span(by))
	p.skew += by
	p.disturbed = p.w.agenda.now
	p.ledger.before = "" // times may be shown otherwise by the new clock
	if p.manager != nil {
		p.tickIn(1)
	}
}

// crash ends the process: at once, or in the middle of a later call.
func (p *participant) crash(calls, lose int) {
	if p.manager == nil {
		return
	}
	p.ledger.lose = lose
	if calls > 0 && p.member.Keeps != KeepsNothing {
		p.disk.crashIn = calls
		return
	}
	p.w.trace.note(p.w.agenda.now, p.name, "crashes")
	p.ledger.ends(p)
	p.ends(true, p.disk.crash(lose))
}

// ends is what is left of a process.
func (p *participant) ends(between bool, lost int) {
	p.w.measures.Crashes++
	if !between || lost > 0 || p.member.Keeps == KeepsNothing {
		p.ledger.before = ""
	}
	p.ledger.between = between && lost == 0
	p.manager.Close()
	p.manager = nil
	p.events = nil
	if p.member.Keeps == KeepsNothing {
		p.disk = &disk{always: true}
	}
}

// restart begins the next life. What is not dead yet ends first.
func (p *participant) restart() {
	p.crash(0, 0)
	p.start()
}

// syncDisk has the disk keep for good what was written, over and over again.
func (p *participant) syncDisk() {
	p.disk.sync()
	p.w.agenda.at(p.w.agenda.now+p.member.Syncs, p.syncDisk)
}

// hintPrefix makes a retrieval hint of a message's id.
const hintPrefix = "store/"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) string {
	return strconv.FormatUint(uint64(crc32.Checksum(b, castagnoli)), 16)
}

// hinted returns the id that a retrieval hint is made of.
func hinted(hint []byte) (id string, ok bool) { return strings.CutPrefix(string(hint), hintPrefix) }

// keptLimits are for what is read back from a disk.
var keptLimits = limits.Limits{MaxContentBytes: 1 << 30, MaxWireBytes: 1 << 30, MaxHistoryEntries: 1 << 20, MaxIDBytes: 1 << 20}
