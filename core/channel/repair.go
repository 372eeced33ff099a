package channel

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/google/btree"

	"github.com/libsds/libsds/core/farmhash"
	"github.com/libsds/libsds/core/wire"
)

// repairItem is an entry of a repair buffer.
type repairItem struct {
	entry wire.Entry
	// due is T_req in the outgoing repair buffer, T_resp in the incoming one.
	due int64
	// firstDue is when it was due for the first time.
	firstDue int64
	// asked and askedAt are how often it was asked for, and when the last time
	// was. They are for people, and not kept: a restart begins anew.
	asked   int
	askedAt int64
	// message is what answers it; nil in the outgoing repair buffer.
	message *entry
	// sequence breaks ties by insertion.
	sequence uint64
}

// repairBuffer holds entries by id and by urgency.
type repairBuffer struct {
	byID     map[string]*repairItem
	byDue    *btree.BTreeG[*repairItem]
	sequence uint64
}

func moreUrgent(a, b *repairItem) bool {
	if a.due != b.due {
		return a.due < b.due
	}
	return a.sequence < b.sequence
}

func (b *repairBuffer) len() int { return len(b.byID) }

func (b *repairBuffer) get(id string) *repairItem { return b.byID[id] }

func (b *repairBuffer) has(id string) bool { return b.get(id) != nil }

// add inserts an item; past capacity the least urgent gives way.
func (b *repairBuffer) add(item *repairItem, capacity int) {
	if b.byDue == nil {
		b.byID = make(map[string]*repairItem)
		b.byDue = btree.NewG(branching, moreUrgent)
	}
	b.sequence++
	item.sequence = b.sequence
	b.byID[item.entry.ID] = item
	b.byDue.ReplaceOrInsert(item)
	if len(b.byID) > capacity {
		if least, ok := b.byDue.DeleteMax(); ok {
			delete(b.byID, least.entry.ID)
		}
	}
}

func (b *repairBuffer) remove(id string) {
	if item, ok := b.byID[id]; ok {
		delete(b.byID, id)
		b.byDue.Delete(item)
	}
}

// takeDue removes and returns the most urgent item if it is due.
func (b *repairBuffer) takeDue(now int64) (*repairItem, bool) {
	if b.len() == 0 {
		return nil, false
	}
	item, _ := b.byDue.Min()
	if item.due > now {
		return nil, false
	}
	b.byDue.DeleteMin()
	delete(b.byID, item.entry.ID)
	return item, true
}

// advance makes everything due at the latest at a time, in the order it had.
// It is for a clock that was set back, which must not make anything wait
// longer. It tells whether anything was due later.
func (b *repairBuffer) advance(latest int64) (changed bool) {
	var late []*repairItem // least urgent first
	for b.len() > 0 {
		item, ok := b.byDue.Max()
		if !ok || item.due <= latest {
			break
		}
		b.byDue.DeleteMax()
		late = append(late, item)
	}
	for _, item := range slices.Backward(late) {
		b.sequence++
		item.due, item.firstDue, item.sequence = latest, min(item.firstDue, latest), b.sequence
		b.byDue.ReplaceOrInsert(item)
	}
	return len(late) > 0
}

// all calls visit for every item, most urgent first.
func (b *repairBuffer) all(visit func(*repairItem)) {
	if b.byDue == nil {
		return
	}
	b.byDue.Ascend(func(item *repairItem) bool {
		visit(item)
		return true
	})
}

// scheduleRequests notes missing messages to be asked for. One that waits in
// the incoming buffer was received and needs no asking for.
func (c *Channel) scheduleRequests(now int64, missing []Dependency) {
	if c.cfg.ParticipantID == "" {
		return
	}
	for _, dependency := range missing {
		if c.asking.has(dependency.ID) || c.incoming.get(dependency.ID) != nil {
			continue
		}
		due := saturatingAdd(now, c.requestDelay(dependency.ID))
		c.asking.add(&repairItem{entry: dependency, due: due, firstDue: due}, c.cfg.Limits.MaxRepairEntries)
	}
}

// dueRequests takes what is due to be asked for, most overdue first. What was
// asked for comes up again, until T_max has passed since it was first due.
func (c *Channel) dueRequests(now int64) []wire.Entry {
	requests := c.scratch.repair[:0]
	var again []*repairItem
	for len(requests) < c.cfg.MaxRepairRequests {
		item, ok := c.asking.takeDue(now)
		if !ok {
			break
		}
		requests = append(requests, item.entry)
		if !c.stale(now, item) {
			again = append(again, item)
		}
	}
	for _, item := range again {
		item.asked++
		item.askedAt = now
		item.due = saturatingAdd(now, c.requestDelay(item.entry.ID))
		c.asking.add(item, c.cfg.Limits.MaxRepairEntries)
	}
	c.scratch.repair = requests
	return requests
}

// stale tells whether asking for an item has been going on for T_max.
func (c *Channel) stale(now int64, item *repairItem) bool {
	return now > c.askingEnds(item)
}

func (c *Channel) askingEnds(item *repairItem) int64 {
	return saturatingAdd(item.firstDue, c.cfg.RepairTMax)
}

// noteRequests looks at what a peer asks for: we need not ask for it too, and
// may have to answer. Nobody answers a request that names no sender, so it changes
// nothing.
func (c *Channel) noteRequests(now int64, requests []wire.Entry) {
	for i := range requests {
		request := &requests[i]
		if request.SenderID == "" {
			continue
		}
		c.asking.remove(request.ID)
		if c.cfg.ParticipantID == "" || c.asked.has(request.ID) {
			continue // the first request's timer stands
		}
		e := c.log.get(request.ID)
		if e == nil || !InResponseGroup(c.cfg.Format, c.cfg.ParticipantID, request.SenderID, request.ID, c.cfg.ResponseGroups) {
			continue
		}
		due := saturatingAdd(now, ResponseDelay(c.cfg.ParticipantID, request.SenderID, request.ID, c.cfg.RepairTMax))
		item := &repairItem{entry: cloneEntry(request), due: due, firstDue: due, message: e}
		item.entry.ID = e.id
		c.asked.add(item, c.cfg.Limits.MaxRepairEntries)
	}
}

// sweepRepairs answers what is due and stops asking for what does not come.
//
// An answer carries no bloom filter: ours would be taken for its sender's.
func (c *Channel) sweepRepairs(now int64, effects *Effects) {
	if c.asked.advance(saturatingAdd(now, c.cfg.RepairTMax)) {
		effects.Changed = true
	}
	if c.asking.advance(saturatingAdd(now, max(c.cfg.RepairTMin, c.cfg.RepairTMax))) {
		effects.Changed = true
	}
	for {
		item, ok := c.asked.takeDue(now)
		if !ok {
			break
		}
		effects.Changed = true
		effects.announce(Event{Type: RepairReady, MessageID: item.entry.ID, Message: item.message.stored.Bytes()})
	}
	var stale []string
	c.asking.all(func(item *repairItem) {
		if c.stale(now, item) {
			stale = append(stale, item.entry.ID)
		}
	})
	for _, id := range stale {
		effects.Changed = true
		c.asking.remove(id)
	}
}

func (c *Channel) requestDelay(messageID string) int64 {
	return RequestDelay(c.cfg.ParticipantID, messageID, c.cfg.RepairTMin, c.cfg.RepairTMax)
}

// RequestDelay is T_req - now: how long a participant waits before it asks for
// a missing message, in milliseconds.
func RequestDelay(participant, messageID string, tMin, tMax int64) int64 {
	if tMax <= tMin {
		return tMin
	}
	return tMin + int64(magnitude(farmhash.Sum64(participant+messageID))%uint64(tMax-tMin))
}

// ResponseDelay is T_resp - now: how long a participant waits before it
// answers a request, in milliseconds; the sender itself does not wait.
func ResponseDelay(participant, sender, messageID string, tMax int64) int64 {
	distance := magnitude(farmhash.Sum64(participant) ^ farmhash.Sum64(sender))
	if distance == 0 || tMax <= 0 {
		return 0
	}
	period := uint64(tMax) // below 2^31, so that the product cannot overflow
	return int64((distance % period) * (magnitude(farmhash.Sum64(messageID)) % period) % period)
}

// InResponseGroup tells whether a participant is among those that answer for a
// message of sender.
func InResponseGroup(format wire.Format, participant, sender, messageID string, groups int) bool {
	if groups <= 1 {
		return true
	}
	hash := func(name string) uint64 { return magnitude(farmhash.Sum64(name + messageID)) }
	if format == wire.LIP109 {
		hash = func(name string) uint64 {
			sum := sha256.Sum256([]byte(name + messageID))
			return binary.BigEndian.Uint64(sum[:8])
		}
	}
	return hash(participant)%uint64(groups) == hash(sender)%uint64(groups)
}

// magnitude is the absolute value of a hash read as a signed integer.
func magnitude(hash uint64) uint64 {
	if int64(hash) < 0 {
		return -hash
	}
	return hash
}
