package crash

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/libsds/libsds/core/limits"
	"github.com/libsds/libsds/core/persistence"
	"github.com/libsds/libsds/core/snapshot"
	"github.com/libsds/libsds/core/store"
	"github.com/libsds/libsds/core/wire"
)

// ledger is what a participant was told, over all of its lives, and so what its
// store must have. More than that may be there: what was committed when it was
// killed, before it was told.
type ledger struct {
	told     map[string]int // how often what was told; also what was seen to be evicted
	lamports map[string]uint64
	channels map[string]*account
}

type account struct {
	// present must be in the log, until they are evicted.
	present map[string]bool
	// waiting must be in the incoming buffer, or have got further.
	waiting map[string]bool
	// settled must not be unacknowledged.
	settled map[string]bool
	// clock is the largest timestamp that was sent.
	clock uint64
	// removed is the generation up to which nothing must be there any more, or
	// must not: nobody was told.
	removed int
}

// kinds are what a participant is told when it does everything.
var kinds = []string{
	"open", "wrapped", "delivered", "buffered", "removing", "evicted", "message_ready", "message_sent",
	"missing_dependencies", "resend_ready", "message_delivery_failed", "dependencies_lost",
}

func newLedger(told map[string]int) *ledger {
	return &ledger{told: told, lamports: map[string]uint64{}, channels: map[string]*account{}}
}

func newAccount() *account {
	return &account{present: map[string]bool{}, waiting: map[string]bool{}, settled: map[string]bool{}, removed: -1}
}

func (l *ledger) account(channel string) *account {
	if l.channels[channel] == nil {
		l.channels[channel] = newAccount()
	}
	return l.channels[channel]
}

// enter takes up a line of the participant.
func (l *ledger) enter(line string) error {
	fields := strings.Fields(line)
	l.told[fields[0]]++
	switch {
	case fields[0] == "open":
		return nil
	case fields[0] == "wrong" || len(fields) < 3:
		return errors.New(line)
	}
	a := l.account(fields[1])
	if fields[0] == "removing" {
		generation, err := strconv.Atoi(fields[2])
		*a = *newAccount()
		a.removed = generation
		return err
	}
	id := fields[2]
	if generation, err := strconv.Atoi(id[:strings.IndexByte(id, '.')]); err != nil || generation <= a.removed {
		return err // an event that was late
	}
	switch fields[0] {
	case "payload", "wrapped":
		n, err := strconv.ParseUint(fields[3], 10, 64)
		if err != nil {
			return err
		}
		l.lamports[id] = n
		if fields[0] == "wrapped" {
			a.present[id] = true
			a.clock = max(a.clock, n)
		}
	case "delivered", "message_ready":
		a.present[id] = true
	case "buffered", "missing_dependencies":
		a.waiting[id] = true
	case "message_sent", "message_delivery_failed":
		a.settled[id] = true
	}
	return nil
}

// audit compares the store at path with the ledger.
func (l *ledger) audit(path string) error {
	s, err := store.Open(path)
	if err != nil {
		return err
	}
	var failures []error
	for id, a := range l.channels {
		kept, err := s.LoadChannel(id)
		if err == nil {
			err = l.auditChannel(a, &kept)
		}
		if err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", id, err))
		}
	}
	return errors.Join(append(failures, s.Close())...)
}

// place is where a message is in the order of a log.
type place struct {
	lamport uint64
	id      string
}

func comparePlaces(a, b place) int {
	return cmp.Or(cmp.Compare(a.lamport, b.lamport), strings.Compare(a.id, b.id))
}

// placeOf reads what was kept of a message.
func placeOf(message []byte) (place, error) {
	var m wire.Message
	bounds := limits.Default()
	if err := wire.Decode(message, &bounds, &m); err != nil {
		return place{}, err
	}
	return place{m.Lamport, strings.Clone(m.ID)}, nil
}

func (l *ledger) auditChannel(a *account, kept *persistence.Kept) error {
	meta := &snapshot.ChannelMeta{}
	if len(kept.Meta) > 0 {
		var err error
		if meta, err = snapshot.DecodeMeta(kept.Meta); err != nil {
			return err
		}
	} else if len(kept.History)+len(kept.Hints) > 0 {
		return errors.New("it has a log and no meta")
	}
	var log []place
	logged, incoming := map[string]bool{}, map[string]bool{}
	for _, message := range kept.History {
		at, err := placeOf(message)
		if err != nil {
			return err
		}
		if len(log) > 0 && comparePlaces(log[len(log)-1], at) >= 0 {
			return fmt.Errorf("%v comes after %v", at, log[len(log)-1])
		}
		if logged[at.id] {
			return fmt.Errorf("%s is twice in the log", at.id)
		}
		log, logged[at.id] = append(log, at), true
	}
	if len(log) > maxHistory+mostDelivered-1 { // what was delivered below a full log goes with the next operation, all but one
		return fmt.Errorf("the log has %d messages", len(log))
	}
	for _, waiting := range meta.Incoming {
		at, err := placeOf(waiting.Message)
		if err != nil {
			return err
		}
		if logged[at.id] || incoming[at.id] {
			return fmt.Errorf("%s waits, and is elsewhere too", at.id)
		}
		incoming[at.id] = true
	}
	for _, hint := range kept.Hints {
		if !logged[hint.MessageID] || string(hint.Hint) != "hint of "+hint.MessageID {
			return fmt.Errorf("there is a hint %q of %s, which is in the log: %t", hint.Hint, hint.MessageID, logged[hint.MessageID])
		}
	}
	for _, unacknowledged := range meta.Outgoing {
		at, err := placeOf(unacknowledged.Message)
		if err != nil {
			return err
		}
		if a.settled[at.id] {
			return fmt.Errorf("%s was announced as settled, and is unacknowledged", at.id)
		}
	}
	if meta.Lamport < a.clock {
		return fmt.Errorf("the clock is %d, and %d was sent", meta.Lamport, a.clock)
	}
	for id := range a.waiting {
		switch {
		case incoming[id]:
		case logged[id] || l.evicted(id, log):
			delete(a.waiting, id)
			a.present[id] = true
		default:
			return fmt.Errorf("%s was buffered, and is lost", id)
		}
	}
	for id := range a.present {
		if logged[id] {
			continue
		}
		if !l.evicted(id, log) {
			return fmt.Errorf("%s was delivered or sent, and is lost", id)
		}
		l.told["evicted"]++
		delete(a.present, id)
	}
	return nil
}

// mostDelivered is how many messages one operation can deliver.
const mostDelivered = maxIncoming + 2

// evicted tells whether a message may have had to leave the log: that is full,
// and begins after it. A message is not evicted by the operation that delivers
// it, so as many may be before it as one operation can deliver.
func (l *ledger) evicted(id string, log []place) bool {
	return len(log) >= maxHistory && comparePlaces(place{l.lamports[id], id}, log[mostDelivered]) < 0
}
