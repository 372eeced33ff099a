package channel

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math/big"
	"slices"
	"strconv"

	"github.com/libsds/libsds/core/bloom"
	"github.com/libsds/libsds/core/farmhash"
	"github.com/libsds/libsds/core/limits"
	"github.com/libsds/libsds/core/wire"
)

// model is a channel as PROTOCOL describes it, written for being read beside
// it: lists that are searched from one end to the other, no index, nothing kept
// that can be worked out. Of the library it uses what has references of its own:
// reading and writing messages, received filters and the hash.
type model struct {
	id  string
	cfg *Config

	clock     uint64
	restarted bool // and not stepped since
	log       []*refMessage
	received  []string // what the rolling filter was built from, oldest first
	rolled    bool     // it was rebuilt once
	outgoing  []*refOwn
	incoming  []*refWaiting
	asking    refRepairs
	asked     refRepairs
	met       []string

	complete []*refMessage // lacks nothing any more, and is delivered next
	now      int64
	effects  Effects
}

// refMessage is a message as it is kept: without filter and repair requests.
type refMessage struct {
	wire.Message
	hint    []byte
	thisNow bool // it was delivered in this operation
}

type refOwn struct {
	message   *refMessage
	sentAt    int64
	attempts  int
	witnesses []refWitness
}

type refWitness struct{ message, sender string }

type refWaiting struct {
	message    *refMessage
	receivedAt int64
	missing    []Dependency
	weight     int
}

type refRepair struct {
	entry         wire.Entry
	due, firstDue int64
	times         int
	message       *refMessage
}

func newModel(id string, cfg *Config) *model { return &model{id: id, cfg: cfg} }

// step does what Step does.
func (r *model) step(now int64, input Input) *Effects {
	r.now, r.effects = now, Effects{}
	if r.effects.Err = r.refusal(input); r.effects.Err != nil {
		return &r.effects
	}
	if r.restarted && len(r.log) > 0 { // the newest message, as if it came now
		r.witness(r.log[len(r.log)-1].Lamport)
	}
	r.restarted = false
	for _, m := range r.log {
		m.thisNow = false
	}
	switch input.Op {
	case OpSend:
		r.send(input)
	case OpSendSync:
		r.sendSync()
	case OpSendEphemeral:
		m := wire.Message{ID: input.MessageID, ChannelID: r.id, SenderID: r.cfg.ParticipantID, Content: input.Content}
		r.effects.Encoded = wire.Append(nil, r.cfg.Format, &m, nil)
	case OpReceive:
		r.receive(input.Received)
	case OpMarkMet:
		r.markMet(input.MetIDs)
	case OpSweepBuffers:
		r.sweepOutgoing()
		r.sweepIncoming()
	case OpSweepRepairs:
		r.sweepRepairs()
	}
	r.evict()
	return &r.effects
}

// refusal: content empty, invalid argument; over the limit, too large; and no more
// than maxOutgoingMessages unacknowledged, unless this one takes the place of one.
func (r *model) refusal(input Input) error {
	if input.Op != OpSend && input.Op != OpSendEphemeral {
		return nil
	}
	if len(input.Content) == 0 {
		return ErrEmptyContent
	}
	if len(input.Content) > r.cfg.Limits.MaxContentBytes {
		return ErrContentSize
	}
	if input.Op == OpSend && len(r.outgoing) >= r.cfg.Limits.MaxOutgoingMessages && r.ownOf(input.MessageID) == nil {
		return ErrOutgoingFull
	}
	return nil
}

// ---- sending

func (r *model) send(input Input) {
	r.effects.Changed = true
	known := r.logged(input.MessageID) != nil || r.waitingOf(input.MessageID) != nil
	r.outgoing = slices.DeleteFunc(r.outgoing, func(o *refOwn) bool { return o.message.ID == input.MessageID })
	r.log = slices.DeleteFunc(r.log, func(m *refMessage) bool { return m.ID == input.MessageID })
	r.incoming = slices.DeleteFunc(r.incoming, func(w *refWaiting) bool { return w.message.ID == input.MessageID })
	r.leaveRepairs(input.MessageID)

	r.clock = max(r.timestamp(r.now), r.nextClock())
	requests := r.dueRequests()
	own := &refMessage{Message: wire.Message{
		ID: input.MessageID, ChannelID: r.id, SenderID: r.cfg.ParticipantID,
		Lamport: r.clock, HasLamport: true, History: r.citations(), Content: bytes.Clone(input.Content),
	}}
	r.effects.Encoded = r.encode(own, r.filter(), requests)
	if !known {
		r.addToFilter(input.MessageID)
	}
	r.outgoing = append(r.outgoing, &refOwn{message: own, sentAt: r.now})
	r.insert(own)
	r.deliverComplete()
}

// sendSync: the id is a function of clock, participant and channel.
func (r *model) sendSync() {
	r.effects.Changed = true
	r.clock = max(r.timestamp(r.now), r.nextClock())
	requests := r.dueRequests()
	m := &refMessage{Message: wire.Message{
		ID: r.syncID(r.clock), ChannelID: r.id, SenderID: r.cfg.ParticipantID,
		Lamport: r.clock, HasLamport: true, History: r.citations(),
	}}
	r.effects.Encoded = r.encode(m, r.filter(), requests)
}

func (r *model) syncID(lamport uint64) string {
	sum := farmhash.Sum64([]byte(fmt.Sprintf("%d\x00%s\x00%s", lamport, r.cfg.ParticipantID, r.id)))
	return "sync-" + strconv.FormatUint(sum, 16)
}

func (r *model) nextClock() uint64 { return min(r.clock, limits.MaxLamport-1) + 1 }

// citations are the last of the log that are not past the clock, oldest first, each
// with its hint and sender.
func (r *model) citations() (history []wire.Entry) {
	log := slices.Clone(r.log)
	for len(log) > 0 && log[len(log)-1].Lamport > r.clock {
		log = log[:len(log)-1]
	}
	for _, m := range log[max(0, len(log)-r.cfg.MaxCausalHistory):] {
		history = append(history, wire.Entry{ID: m.ID, SenderID: m.SenderID, Hint: m.hint})
	}
	return history
}

// dueRequests are due entries, the most overdue first. Each becomes due again after
// a fresh T_req, until T_max has passed since it was first due.
func (r *model) dueRequests() (requests []wire.Entry) {
	var again refRepairs
	for len(requests) < r.cfg.MaxRepairRequests && len(r.asking) > 0 && r.asking[0].due <= r.now {
		item := r.asking[0]
		r.asking = r.asking[1:]
		requests = append(requests, item.entry)
		if r.now <= item.firstDue+r.cfg.RepairTMax {
			again = append(again, item)
		}
	}
	for _, item := range again {
		item.due = r.now + r.requestDelay(item.entry.ID)
		item.times++
		r.asking = r.asking.with(item, r.cfg.Limits.MaxRepairEntries)
	}
	r.effects.Requested = len(requests)
	return requests
}

// encode writes a message for the wire.
func (r *model) encode(m *refMessage, filter []byte, requests []wire.Entry) []byte {
	whole := m.Message
	whole.RepairRequests = requests
	return wire.Append(nil, r.cfg.Format, &whole, wire.RawFilter(filter))
}

// ---- receiving, with the numbers of the steps

func (r *model) receive(m *wire.Message) {
	r.effects.Changed = true
	receipt := &r.effects.Receipt
	receipt.MessageID, receipt.SenderID = m.ID, m.SenderID
	if !m.HasLamport {
		r.announce(Event{Type: MessageReady, MessageID: m.ID, Content: m.Content})
		return
	}
	if len(m.Content) > 0 {
		r.leaveRepairs(m.ID) // 2
	}

	own := m.SenderID == r.cfg.ParticipantID
	if m.SenderID == "" { // ours are then those that we know to be
		own = r.ownOf(m.ID) != nil && r.logged(m.ID) == nil ||
			len(m.Content) == 0 && m.ID == r.syncID(m.Lamport)
	}
	if known := r.logged(m.ID); known != nil { // 3
		receipt.SenderID, receipt.Duplicate = known.SenderID, true
		if !own {
			r.noteRequests(m.RepairRequests)
		}
		return
	}
	if w := r.waitingOf(m.ID); w != nil { // 4
		receipt.SenderID, receipt.Buffered, receipt.Missing = w.message.SenderID, true, slices.Clone(w.missing)
		return
	}
	r.witness(m.Lamport) // 5
	if !own {
		r.acknowledge(m)                 // 6
		r.noteRequests(m.RepairRequests) // 7
	}

	var missing []Dependency // 8
	for _, e := range m.History {
		seen := slices.ContainsFunc(missing, func(d Dependency) bool { return d.ID == e.ID })
		if e.ID != m.ID && !seen && r.logged(e.ID) == nil && !slices.Contains(r.met, e.ID) {
			missing = append(missing, e)
		}
	}
	receipt.Missing = missing
	if len(m.Content) == 0 {
		r.noteMissing(m.ID, missing)
		return
	}
	kept := &refMessage{Message: *m}
	kept.Filter, kept.RepairRequests = nil, nil
	if mine := r.ownOf(m.ID); mine != nil { // the log forgot it, and it comes back as what it was
		kept = mine.message
		receipt.SenderID = kept.SenderID
	}
	r.addToFilter(m.ID)
	if len(missing) == 0 {
		r.deliver(kept) // 9
		return
	}
	r.incoming = append(r.incoming, &refWaiting{message: kept, receivedAt: r.now, missing: missing, weight: r.weight(kept, missing)})
	r.noteMissing(m.ID, missing)
	for len(r.incoming) > r.cfg.Limits.MaxIncomingMessages || r.incomingBytes() > r.cfg.Limits.MaxIncomingBytes {
		r.loseHope(r.incoming[0])
	}
	receipt.Buffered = r.waitingOf(m.ID) != nil
}

// witness: the clock follows what is received, never beyond now and the drift.
func (r *model) witness(lamport uint64) {
	r.clock = max(r.clock, min(lamport, r.timestamp(r.now+r.cfg.MaxLamportDrift)))
}

func (r *model) timestamp(now int64) uint64 { return uint64(max(now, 0) / int64(r.cfg.LamportUnit)) }

func (r *model) acknowledge(m *wire.Message) {
	view, usable := bloom.ParseSDS(m.Filter)
	if m.Format == wire.LIP109 {
		view, usable = bloom.ParseLIP(m.Filter)
	}
	fill := view.Fill()
	var left []*refOwn
	for _, o := range r.outgoing {
		acknowledged := slices.ContainsFunc(m.History, func(e wire.Entry) bool { return e.ID == o.message.ID })
		if !acknowledged && usable && fill <= 0.75 && view.Contains(view.Scheme().Sum(o.message.ID)) {
			acknowledged = view.FalsePositive(fill) < r.cfg.AckConfidence || r.possibly(o, m)
		}
		if acknowledged {
			r.announce(Event{Type: MessageSent, MessageID: o.message.ID})
		} else {
			left = append(left, o)
		}
	}
	r.outgoing = left
}

// possibly notes that a filter holds an own message, and tells whether enough did:
// each of another message and, where senders are named, of another sender.
func (r *model) possibly(o *refOwn, m *wire.Message) bool {
	for _, w := range o.witnesses {
		if w.message == m.ID || w.sender != "" && w.sender == m.SenderID {
			return false
		}
	}
	if len(o.witnesses)+1 >= r.cfg.PossibleAckThreshold {
		return true
	}
	o.witnesses = append(o.witnesses, refWitness{m.ID, m.SenderID})
	return false
}

// noteMissing announces what is missing, and notes what was not received with its
// T_req; the first one's stands.
func (r *model) noteMissing(id string, missing []Dependency) {
	if len(missing) == 0 {
		return
	}
	r.announce(Event{Type: MissingDependencies, MessageID: id, Deps: slices.Clone(missing)})
	r.ask(missing)
}

func (r *model) ask(missing []Dependency) {
	for _, d := range missing {
		if r.cfg.ParticipantID == "" || r.asking.of(d.ID) != nil || r.waitingOf(d.ID) != nil {
			continue
		}
		due := r.now + r.requestDelay(d.ID)
		r.asking = r.asking.with(&refRepair{entry: d, due: due, firstDue: due}, r.cfg.Limits.MaxRepairEntries)
	}
}

// noteRequests: what a peer asks for we need not ask for, and may have to answer; but
// nobody answers a request that names no sender.
func (r *model) noteRequests(requests []wire.Entry) {
	for _, e := range requests {
		if e.SenderID == "" {
			continue
		}
		r.asking = r.asking.without(e.ID)
		m := r.logged(e.ID)
		if r.cfg.ParticipantID == "" || m == nil || r.asked.of(e.ID) != nil || !r.inGroup(e.SenderID, e.ID) {
			continue
		}
		due := r.now + r.responseDelay(e.SenderID, e.ID)
		r.asked = r.asked.with(&refRepair{entry: e, due: due, firstDue: due, message: m}, r.cfg.Limits.MaxRepairEntries)
	}
}

// ---- the log

// deliver announces a message and whatever it completes, each after what released
// it, the smallest first.
func (r *model) deliver(m *refMessage) {
	r.announce(Event{Type: MessageReady, MessageID: m.ID, Content: m.Content})
	r.insert(m)
	r.deliverComplete()
}

func (r *model) deliverComplete() {
	for len(r.complete) > 0 {
		slices.SortFunc(r.complete, inLogOrder)
		next := r.complete[0]
		r.complete = r.complete[1:]
		r.effects.Changed = true
		r.announce(Event{Type: MessageReady, MessageID: next.ID, Content: next.Content})
		r.insert(next)
	}
}

func (r *model) insert(m *refMessage) {
	m.thisNow = true
	r.log = append(r.log, m)
	slices.SortFunc(r.log, inLogOrder)
	r.met = slices.DeleteFunc(r.met, func(id string) bool { return id == m.ID })
	r.strike(m.ID)
}

// strike takes an id out of every missing set.
func (r *model) strike(id string) {
	var left []*refWaiting
	for _, w := range r.incoming {
		w.missing = slices.DeleteFunc(slices.Clone(w.missing), func(d Dependency) bool { return d.ID == id })
		if len(w.missing) == 0 {
			r.complete = append(r.complete, w.message)
		} else {
			left = append(left, w)
		}
	}
	r.incoming = left
}

// evict: first what is past the clock, the largest first, then the smallest, never one
// delivered in the same operation. In place of all of those at either end goes one that
// is not, so that a message there does not make the log longer, and a chain of them not
// make it forget everything else.
func (r *model) evict() {
	excess := len(r.log) - r.cfg.MaxHistory
	replaced := false
	for i := len(r.log) - 1; i >= 0 && r.log[i].Lamport > r.clock && excess > 0; i-- {
		switch {
		case !r.log[i].thisNow:
			r.log[i].hint = nil
			r.log = slices.Delete(r.log, i, i+1)
			excess--
		case replaced:
			excess--
		default:
			replaced = true
		}
	}
	spared := false
	for i := 0; i < len(r.log) && (excess > 0 || spared); excess-- {
		if r.log[i].thisNow {
			spared = true
			i++
			continue
		}
		spared = spared && excess > 0
		r.log[i].hint = nil
		r.log = slices.Delete(r.log, i, i+1)
	}
}

func inLogOrder(a, b *refMessage) int {
	return cmp.Or(cmp.Compare(a.Lamport, b.Lamport), cmp.Compare(a.ID, b.ID))
}

func (r *model) markMet(ids []string) {
	r.effects.Changed = true
	for _, id := range ids {
		if r.logged(id) == nil && !slices.Contains(r.met, id) {
			r.met = append(r.met, id)
			r.addToFilter(id)
			if len(r.met) > r.cfg.FilterCapacity {
				r.met = r.met[1:]
			}
		}
		r.leaveRepairs(id)
		r.strike(id)
	}
	r.deliverComplete()
}

// ---- time passes

func (r *model) sweepOutgoing() {
	var left []*refOwn
	for _, o := range r.outgoing {
		if o.sentAt > r.now { // a clock that was set back makes nothing wait longer
			o.sentAt, r.effects.Changed = r.now, true
		}
		patience := r.cfg.ResendInterval
		if len(o.witnesses) > 0 {
			patience *= 2
		}
		switch {
		case r.now-o.sentAt <= patience:
		case o.attempts < r.cfg.MaxResendAttempts:
			o.attempts++
			o.sentAt = r.now
			r.effects.Changed = true
			r.announce(Event{Type: ResendReady, MessageID: o.message.ID, Message: r.encode(o.message, r.filter(), nil), Attempts: o.attempts})
		default:
			r.effects.Changed = true
			r.announce(Event{Type: DeliveryFailed, MessageID: o.message.ID, Attempts: o.attempts})
			continue
		}
		left = append(left, o)
	}
	r.outgoing = left
}

func (r *model) sweepIncoming() {
	if r.cfg.MissingTimeout == 0 {
		return
	}
	for _, w := range slices.Clone(r.incoming) {
		if since := r.since(w); since != w.receivedAt {
			w.receivedAt, r.effects.Changed = since, true
		}
		if r.now-w.receivedAt > r.cfg.MissingTimeout && r.waitingOf(w.message.ID) == w {
			r.loseHope(w)
		}
	}
}

// since is when a message began to wait: what was kept without a time, or with one
// that is still to come, waits from now on.
func (r *model) since(w *refWaiting) int64 {
	if w.receivedAt == 0 {
		return r.now
	}
	return min(w.receivedAt, r.now)
}

// loseHope names what did not come, and delivers without it.
func (r *model) loseHope(w *refWaiting) {
	r.effects.Changed = true
	r.announce(Event{Type: DependenciesLost, MessageID: w.message.ID, Deps: slices.Clone(w.missing)})
	r.incoming = slices.DeleteFunc(r.incoming, func(other *refWaiting) bool { return other == w })
	r.deliver(w.message)
}

func (r *model) sweepRepairs() {
	answers := r.asked.until(r.now + r.cfg.RepairTMax)
	requests := r.asking.until(r.now + max(r.cfg.RepairTMin, r.cfg.RepairTMax))
	r.effects.Changed = answers || requests
	for len(r.asked) > 0 && r.asked[0].due <= r.now {
		item := r.asked[0]
		r.asked = r.asked[1:]
		r.effects.Changed = true
		r.announce(Event{Type: RepairReady, MessageID: item.entry.ID, Message: r.encode(item.message, nil, nil)})
	}
	for _, item := range r.asking {
		if r.now > item.firstDue+r.cfg.RepairTMax {
			r.effects.Changed = true
			r.asking = r.asking.without(item.entry.ID)
		}
	}
}

// ---- SDS-R, with integers that cannot overflow

func magnitudeOf(h uint64) *big.Int {
	return new(big.Int).Abs(big.NewInt(int64(h)))
}

func (r *model) requestDelay(id string) int64 {
	span := r.cfg.RepairTMax - r.cfg.RepairTMin
	if span <= 0 {
		return r.cfg.RepairTMin
	}
	h := magnitudeOf(farmhash.Sum64([]byte(r.cfg.ParticipantID + id)))
	return r.cfg.RepairTMin + h.Mod(h, big.NewInt(span)).Int64()
}

func (r *model) responseDelay(sender, id string) int64 {
	most := big.NewInt(r.cfg.RepairTMax)
	distance := magnitudeOf(farmhash.Sum64([]byte(r.cfg.ParticipantID)) ^ farmhash.Sum64([]byte(sender)))
	if r.cfg.RepairTMax <= 0 || distance.Sign() == 0 {
		return 0
	}
	product := new(big.Int).Mul(distance.Mod(distance, most), magnitudeOf(farmhash.Sum64([]byte(id))))
	return product.Mod(product, most).Int64()
}

// inGroup: lip-109 has another hash.
func (r *model) inGroup(sender, id string) bool {
	if r.cfg.ResponseGroups <= 1 || r.cfg.Format == wire.LIP109 {
		return InResponseGroup(r.cfg.Format, r.cfg.ParticipantID, sender, id, r.cfg.ResponseGroups)
	}
	group := func(name string) int64 {
		h := magnitudeOf(farmhash.Sum64([]byte(name + id)))
		return h.Mod(h, big.NewInt(int64(r.cfg.ResponseGroups))).Int64()
	}
	return group(r.cfg.ParticipantID) == group(sender)
}

// ---- repair buffers

// refRepairs lists entries by urgency, those of the same time by their coming.
type refRepairs []*refRepair

func (l refRepairs) of(id string) *refRepair {
	for _, item := range l {
		if item.entry.ID == id {
			return item
		}
	}
	return nil
}

func (l refRepairs) without(id string) refRepairs {
	return slices.DeleteFunc(slices.Clone(l), func(item *refRepair) bool { return item.entry.ID == id })
}

// with adds an entry; past the bound the least urgent gives way.
func (l refRepairs) with(item *refRepair, bound int) refRepairs {
	l = append(slices.Clone(l), item)
	slices.SortStableFunc(l, func(a, b *refRepair) int { return cmp.Compare(a.due, b.due) })
	return l[:min(len(l), bound)]
}

// until brings forward what would come later only because the clock was set back, and
// tells whether there was any.
func (l refRepairs) until(latest int64) (changed bool) {
	for _, item := range l {
		if item.due > latest {
			item.due, item.firstDue = latest, min(item.firstDue, latest)
			changed = true
		}
	}
	return changed
}

func (r *model) leaveRepairs(id string) {
	r.asking, r.asked = r.asking.without(id), r.asked.without(id)
}

// ---- the filter

// addToFilter: past a fifth more than the capacity, it is rebuilt from the newest
// four fifths, for a fifth more than the capacity.
func (r *model) addToFilter(id string) {
	r.received = append(r.received, id)
	if len(r.received) > r.cfg.FilterCapacity*6/5 {
		r.received = r.received[len(r.received)-r.cfg.FilterCapacity*4/5:]
		r.rolled = true
	}
}

// filter is the rolling filter as it travels.
func (r *model) filter() []byte {
	if r.cfg.Format == wire.LIP109 {
		return r.filterLIP109()
	}
	capacity := r.cfg.FilterCapacity
	if r.rolled {
		capacity = capacity * 6 / 5
	}
	filter := bloom.NewFilter(capacity, r.cfg.FilterErrorRate)
	for _, id := range r.received {
		filter.Add(bloom.FarmHash.Sum(id))
	}
	return filter.AppendTo(nil)
}

// filterLIP109 has the size of capacity 10,000 and error rate 0.001.
func (r *model) filterLIP109() []byte {
	const m, k = 150_000, 10
	words := make([]uint64, 1+m/64)
	for _, id := range r.received {
		h := bloom.Murmur3.Sum(id)
		for i := range uint64(k) {
			position := (h.A%m + i*(h.B%m)) % m
			words[position/64] |= 1 << (position % 64)
		}
	}
	var data []byte
	for _, word := range words {
		data = binary.BigEndian.AppendUint64(data, word)
	}
	return data
}

// ---- looking things up

func (r *model) logged(id string) *refMessage {
	for _, m := range r.log {
		if m.ID == id {
			return m
		}
	}
	return nil
}

func (r *model) ownOf(id string) *refOwn {
	for _, o := range r.outgoing {
		if o.message.ID == id {
			return o
		}
	}
	return nil
}

func (r *model) waitingOf(id string) *refWaiting {
	for _, w := range r.incoming {
		if w.message.ID == id {
			return w
		}
	}
	return nil
}

func (r *model) weight(m *refMessage, missing []Dependency) int {
	weight := len(r.encode(m, nil, nil))
	for _, d := range missing {
		weight += limits.MissingOverhead + len(d.ID) + len(d.SenderID) + len(d.Hint)
	}
	return weight
}

func (r *model) incomingBytes() (sum int) {
	for _, w := range r.incoming {
		sum += w.weight
	}
	return sum
}

func (r *model) announce(event Event) { r.effects.Events = append(r.effects.Events, event) }

// learn keeps a hint with a message of the log.
func (r *model) learn(id string, hint []byte) {
	if m := r.logged(id); m != nil && len(hint) > 0 {
		m.hint = hint
	}
}

// restart forgets what is not kept. Messages come back as their format carries
// them, each once, however many parts have it; the filter is rebuilt from the log,
// the met set and the incoming buffer.
func (r *model) restart(reread func(payload []byte) *wire.Message) *model {
	n := newModel(r.id, r.cfg)
	n.clock, n.restarted = r.clock, true
	again := map[*refMessage]*refMessage{}
	back := func(m *refMessage) *refMessage {
		if again[m] == nil {
			again[m] = &refMessage{Message: *reread(r.encode(m, nil, nil))}
		}
		return again[m]
	}
	for _, m := range r.log {
		back(m).hint = m.hint
		n.log = append(n.log, back(m))
		n.addToFilter(m.ID)
	}
	for _, o := range r.outgoing {
		n.outgoing = append(n.outgoing, &refOwn{back(o.message), o.sentAt, o.attempts, slices.Clone(o.witnesses)})
	}
	for _, id := range r.met {
		n.met = append(n.met, id)
		n.addToFilter(id)
	}
	for _, w := range r.incoming {
		m := back(w.message)
		n.incoming = append(n.incoming, &refWaiting{m, w.receivedAt, slices.Clone(w.missing), n.weight(m, w.missing)})
		n.addToFilter(m.ID)
	}
	for _, item := range r.asking {
		n.asking = append(n.asking, &refRepair{entry: item.entry, due: item.due, firstDue: item.firstDue})
	}
	for _, item := range r.asked {
		n.asked = append(n.asked, &refRepair{entry: item.entry, due: item.due, firstDue: item.due, message: back(item.message)})
	}
	return n
}
