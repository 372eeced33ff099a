package channel

// Inspection is what a channel holds at a time, for people who ask why a
// message is not delivered, or not acknowledged. Contents are not in it. Times
// are Unix milliseconds. Its bytes are the channel's: who has it must not change
// them. Lists are never nil.
//
// A buffer's deadline is met by the first sweep of that buffer after it, so
// nothing happens at it where nobody sweeps.
type Inspection struct {
	Clock Clock `json:"clock"`
	// Log is what was delivered and not forgotten yet, oldest first.
	Log []Logged `json:"log"`
	// Incoming is what was received and waits, in the order of arrival.
	Incoming []Waiting `json:"incomingBuffer"`
	// Complete is what a restart found to lack nothing: the next operation on
	// the channel delivers it.
	Complete []Named `json:"completeMessages"`
	// Outgoing are our messages that nobody is known to have received, in the
	// order of sending.
	Outgoing []Unacknowledged `json:"outgoingBuffer"`
	// OutgoingRepairs is what messages of ours will ask for, IncomingRepairs what
	// peers asked for and we shall answer; both with the most urgent first.
	OutgoingRepairs []Request `json:"outgoingRepairBuffer"`
	IncomingRepairs []Answer  `json:"incomingRepairBuffer"`
	// Met are the dependencies that the host declared met and that did not come
	// since, oldest first.
	Met    []string     `json:"metDependencies"`
	Filter FilterCounts `json:"filter"`
}

// Clock is a Lamport clock: the timestamp that the channel gave or took last.
type Clock struct {
	Lamport uint64 `json:"lamportTimestamp"`
	Unit    Unit   `json:"unit"`
}

// MarshalText writes the name that the configuration gives the unit.
func (u Unit) MarshalText() ([]byte, error) {
	if u == Seconds {
		return []byte("seconds"), nil
	}
	return []byte("milliseconds"), nil
}

// Named is a message by its names and its place in the log. SenderID is empty
// where the sender is not known.
type Named struct {
	MessageID string `json:"messageId"`
	SenderID  string `json:"senderId"`
	Lamport   uint64 `json:"lamportTimestamp"`
}

// Logged is a message of the log. Hint is nil until the host gave one.
type Logged struct {
	Named
	Hint []byte `json:"retrievalHint,omitempty"`
}

// Waiting is a received message that lacks dependencies.
type Waiting struct {
	Named
	// Since is when it was received.
	Since int64 `json:"waitingSince"`
	// GivenUpAfter is when it is delivered without them; 0 is never.
	GivenUpAfter int64 `json:"givenUpAfter,omitempty"`
	// Missing are the dependencies that it lacks, in the order cited.
	Missing []Missing `json:"missingDependencies"`
}

// Missing is a dependency that a message waits for. SenderID is its sender, who
// certainly has it, and Hint where it can be fetched; both as the citation has
// them, or empty.
type Missing struct {
	MessageID string       `json:"messageId"`
	SenderID  string       `json:"senderId"`
	Hint      []byte       `json:"retrievalHint,omitempty"`
	State     MissingState `json:"state"`
	// Asking is set in the states AskingScheduled and AskingBegun.
	*Asking
}

// MissingState is what is done about a missing dependency.
type MissingState string

// The states of a missing dependency.
const (
	// MissingReceived: it waits in the incoming buffer itself, where it says for
	// what.
	MissingReceived MissingState = "received"
	// AskingScheduled: the first message of ours from NextAt on asks for it.
	AskingScheduled MissingState = "scheduled"
	// AskingBegun: it was asked for and will be again.
	AskingBegun MissingState = "asked"
	// AskingEnded: nobody asks for it any more, because a peer does, because
	// T_max has passed without an answer, or because it gave way to more urgent
	// ones. It can still come.
	AskingEnded MissingState = "ended"
	// AskingOff: nothing is asked for, because there is no participant id, or
	// because maxRepairRequests is 0.
	AskingOff MissingState = "off"
)

// Asking is how often a message was asked for. What a process before this one
// did is not counted: it is not kept.
type Asking struct {
	Times int `json:"timesAsked"`
	// LastAt is 0 before the first time.
	LastAt int64 `json:"lastAskedAt,omitempty"`
	// NextAt is T_req: the next message of ours from then on asks for it, after
	// those that are more urgent.
	NextAt int64 `json:"nextAskAt"`
	// EndsAfter is when asking ends without an answer.
	EndsAfter int64 `json:"askingEndsAfter"`
}

// Unacknowledged is a message of ours in the outgoing buffer.
type Unacknowledged struct {
	Named
	// LastSentAt is when it was sent, or announced to be sent again.
	LastSentAt int64 `json:"lastSentAt"`
	// Resends is how often that was, beside the first time, and ResendsLeft how
	// often it can be yet.
	Resends     int `json:"resends"`
	ResendsLeft int `json:"resendsLeft"`
	// ResendAfter is when it is sent again; 0 when no resend is left.
	ResendAfter int64 `json:"resendAfter,omitempty"`
	// GivenUpAfter is when it fails instead; 0 while a resend is left.
	GivenUpAfter int64 `json:"givenUpAfter,omitempty"`
	// Witnesses is how many filters of peers held it, of the WitnessesNeeded
	// that acknowledge it. A citation or a conclusive filter does so alone.
	Witnesses       int `json:"possibleAcknowledgements"`
	WitnessesNeeded int `json:"possibleAcknowledgementsNeeded"`
	// InLog tells whether the log still has it.
	InLog bool `json:"inLog"`
}

// Request is a message that is asked for.
type Request struct {
	MessageID string `json:"messageId"`
	SenderID  string `json:"senderId"`
	Hint      []byte `json:"retrievalHint,omitempty"`
	Asking
}

// Answer is a message of SenderID that a peer asked for; which one is not known.
type Answer struct {
	MessageID string `json:"messageId"`
	SenderID  string `json:"senderId"`
	// At is T_resp: the first repair sweep from then on answers.
	At int64 `json:"answerAt"`
}

// FilterCounts is how full the channel's own filter is.
type FilterCounts struct {
	// IDs is how many the filter was built from. Past a fifth more than Capacity
	// it is built anew from the newest.
	IDs      int `json:"ids"`
	Capacity int `json:"capacity"`
	// Fill is the share of its bits that are set, from 0 to 1.
	Fill float64 `json:"fill"`
	// Bytes is what it adds to a message.
	Bytes int `json:"bytes"`
}

// Inspect returns what the channel holds and changes nothing.
func (c *Channel) Inspect(now int64) Inspection {
	i := Inspection{
		Clock:           Clock{Lamport: c.clock, Unit: c.cfg.LamportUnit},
		Log:             make([]Logged, 0, c.log.len()),
		Incoming:        make([]Waiting, 0, c.incoming.len()),
		Complete:        []Named{},
		Outgoing:        make([]Unacknowledged, 0, c.outgoing.len()),
		OutgoingRepairs: make([]Request, 0, c.asking.len()),
		IncomingRepairs: make([]Answer, 0, c.asked.len()),
		Met:             make([]string, 0, len(c.met.byID)),
		Filter: FilterCounts{
			IDs: c.filter.Len(), Capacity: c.cfg.FilterCapacity, Fill: c.filter.Fill(), Bytes: c.filter.EncodedLen(),
		},
	}
	c.log.all(func(e *entry) { i.Log = append(i.Log, Logged{Named: e.named(), Hint: e.hint}) })
	for element := c.incoming.arrival.Front(); element != nil; element = element.Next() {
		i.Incoming = append(i.Incoming, c.inspectWaiting(now, element.Value.(*waiting)))
	}
	c.scratch.ready.all(func(e *entry) { i.Complete = append(i.Complete, e.named()) })
	for at := range c.outgoing.items {
		i.Outgoing = append(i.Outgoing, c.inspectUnacknowledged(now, c.outgoing.items[at].message))
	}
	c.asking.all(func(item *repairItem) {
		i.OutgoingRepairs = append(i.OutgoingRepairs, Request{
			MessageID: item.entry.ID, SenderID: item.entry.SenderID, Hint: item.entry.Hint, Asking: c.inspectAsking(item),
		})
	})
	c.asked.all(func(item *repairItem) {
		i.IncomingRepairs = append(i.IncomingRepairs, Answer{MessageID: item.entry.ID, SenderID: item.entry.SenderID, At: item.due})
	})
	for element := c.met.order.Front(); element != nil; element = element.Next() {
		i.Met = append(i.Met, element.Value.(string))
	}
	return i
}

func (e *entry) named() Named { return Named{MessageID: e.id, SenderID: e.sender, Lamport: e.lamport} }

func (c *Channel) inspectWaiting(now int64, w *waiting) Waiting {
	waiting := Waiting{Named: w.entry.named(), Since: w.since(now), Missing: make([]Missing, 0, w.open)}
	if c.cfg.MissingTimeout > 0 {
		waiting.GivenUpAfter = saturatingAdd(waiting.Since, c.cfg.MissingTimeout)
	}
	for i := range w.missing {
		if !w.missing[i].resolved {
			waiting.Missing = append(waiting.Missing, c.inspectMissing(&w.missing[i].Dependency))
		}
	}
	return waiting
}

func (c *Channel) inspectMissing(d *Dependency) Missing {
	missing := Missing{MessageID: d.ID, SenderID: d.SenderID, Hint: d.Hint}
	item := c.asking.get(d.ID)
	switch {
	case c.incoming.get(d.ID) != nil:
		missing.State = MissingReceived
	case c.cfg.MaxRepairRequests == 0, item == nil && c.cfg.ParticipantID == "":
		missing.State = AskingOff
	case item == nil:
		missing.State = AskingEnded
	default:
		asking := c.inspectAsking(item)
		missing.State, missing.Asking = AskingScheduled, &asking
		if item.asked > 0 {
			missing.State = AskingBegun
		}
	}
	return missing
}

func (c *Channel) inspectAsking(item *repairItem) Asking {
	return Asking{Times: item.asked, LastAt: item.askedAt, NextAt: item.due, EndsAfter: c.askingEnds(item)}
}

func (c *Channel) inspectUnacknowledged(now int64, u *unacknowledged) Unacknowledged {
	own := Unacknowledged{
		Named:           u.entry.named(),
		LastSentAt:      min(u.sentAt, now),
		Resends:         u.attempts,
		ResendsLeft:     max(c.cfg.MaxResendAttempts-u.attempts, 0),
		Witnesses:       len(u.witnesses),
		WitnessesNeeded: c.cfg.PossibleAckThreshold,
		InLog:           c.log.get(u.entry.id) != nil,
	}
	due := saturatingAdd(own.LastSentAt, c.patience(u))
	if own.ResendsLeft > 0 {
		own.ResendAfter = due
	} else {
		own.GivenUpAfter = due
	}
	return own
}

// Counts is how much a channel holds.
type Counts struct {
	Clock Clock `json:"clock"`
	// The messages, entries and ids in its parts; see Inspection.
	Log             int `json:"logMessages"`
	Outgoing        int `json:"outgoingMessages"`
	Incoming        int `json:"incomingMessages"`
	Complete        int `json:"completeMessages"`
	OutgoingRepairs int `json:"outgoingRepairs"`
	IncomingRepairs int `json:"incomingRepairs"`
	Met             int `json:"metDependencies"`
	// IncomingBytes is what the incoming buffer weighs against
	// maxIncomingBytes.
	IncomingBytes int `json:"incomingBytes"`
	// WaitingSince is when the oldest message of the incoming buffer was
	// received; 0 when none waits.
	WaitingSince int64 `json:"waitingSince,omitempty"`
	// PendingChanges and PendingHints are what the backend has not confirmed of
	// the log.
	PendingChanges int `json:"pendingChanges"`
	PendingHints   int `json:"pendingHints"`
}

// Waits tells whether something in the channel waits for a peer, for time to
// pass, or for the backend.
func (n *Counts) Waits() bool {
	return n.Outgoing > 0 || n.Incoming > 0 || n.Complete > 0 || n.OutgoingRepairs > 0 || n.IncomingRepairs > 0 ||
		n.PendingChanges > 0 || n.PendingHints > 0
}

// Count returns how much the channel holds and changes nothing.
func (c *Channel) Count(now int64) Counts {
	n := Counts{
		Clock:           Clock{Lamport: c.clock, Unit: c.cfg.LamportUnit},
		Log:             c.log.len(),
		Outgoing:        c.outgoing.len(),
		Incoming:        c.incoming.len(),
		Complete:        c.scratch.ready.len(),
		OutgoingRepairs: c.asking.len(),
		IncomingRepairs: c.asked.len(),
		Met:             len(c.met.byID),
		IncomingBytes:   c.incoming.bytes,
		PendingChanges:  c.PendingLen(),
		PendingHints:    len(c.pendingHints),
	}
	if oldest := c.incoming.oldest(); oldest != nil {
		n.WaitingSince = oldest.since(now)
	}
	return n
}

// FilterFill returns the share of bits of the channel's own filter that are set,
// from 0 to 1. It counts them.
func (c *Channel) FilterFill() float64 { return c.filter.Fill() }
