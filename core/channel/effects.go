package channel

import (
	"errors"

	"github.com/libsds/libsds/core/wire"
)

// Op is what an Input asks for.
type Op uint8

// The inputs of a channel.
const (
	// OpSend wraps Content as the message MessageID.
	OpSend Op = iota + 1
	// OpSendSync makes a message without content.
	OpSendSync
	// OpSendEphemeral wraps Content outside all bookkeeping.
	OpSendEphemeral
	// OpReceive takes in Received.
	OpReceive
	// OpMarkMet declares MetIDs met.
	OpMarkMet
	// OpSweepBuffers resends what nobody acknowledged and gives up waiting for
	// dependencies that do not come.
	OpSweepBuffers
	// OpSweepRepairs answers due repair requests and drops stale ones of ours.
	OpSweepRepairs
)

// Input is one thing that happens to a channel. Which fields count is said at
// its Op.
type Input struct {
	Op        Op
	MessageID string
	// Content is copied.
	Content []byte
	// Encoded is what the wire bytes of a send are appended to.
	Encoded []byte
	// Received is read during the step only; what is kept of it is copied.
	Received *wire.Message
	MetIDs   []string
}

// Why a step can fail.
var (
	ErrEmptyContent = errors.New("content is empty")
	ErrContentSize  = errors.New("content is too large")
	ErrOutgoingFull = errors.New("too many unacknowledged messages")
)

// Effects is what follows from a step: data, for the caller to carry out in
// the order of the fields. First comes the state (Changed: save Meta, then the
// pending history), then the announcements, then the answer.
type Effects struct {
	// Err is why nothing happened, or nil.
	Err error
	// Changed asks for the channel's meta to be saved.
	Changed bool
	// Events are to be announced in this order.
	Events []Event
	// Encoded is Input.Encoded with the wire bytes of a send appended.
	Encoded []byte
	// Requested is how many messages a send asks for.
	Requested int
	// Receipt answers OpReceive.
	Receipt Receipt
}

func (e *Effects) reset() {
	clear(e.Events)
	*e = Effects{Events: e.Events[:0]}
}

// keptEvents is the room for events that an idle channel keeps.
const keptEvents = 16

// Release drops what was carried out, so that idle channels hold no messages.
func (e *Effects) Release() {
	e.reset()
	if cap(e.Events) > keptEvents {
		e.Events = nil
	}
}

func (e *Effects) announce(event Event) { e.Events = append(e.Events, event) }

// Receipt says what became of a received message.
type Receipt struct {
	// MessageID and SenderID are copies that outlive the payload.
	MessageID, SenderID string
	// Missing are the dependencies that it waits for, in the order cited.
	Missing []Dependency
	// Duplicate: the log had it already. Buffered: it waits for Missing.
	Duplicate, Buffered bool
}

// Dependency is a message that another one cites: its id, and what is known
// for finding it (sender and retrieval hint may be empty).
type Dependency = wire.Entry

// EventType says what an Event announces.
type EventType uint8

// The events, with the numbers of the native C API.
const (
	// MessageReady: MessageID was delivered. Content is its content, so that a host
	// which shows what is announced shows it in causal order.
	MessageReady EventType = iota + 1
	// MessageSent: the own message MessageID was acknowledged.
	MessageSent
	// MissingDependencies: MessageID waits for Deps.
	MissingDependencies
	// PeriodicSync: it is time to say something in ChannelIDs.
	PeriodicSync
	// RepairReady: Message answers a repair request and should be broadcast.
	RepairReady
	// ResendReady: Message is MessageID encoded afresh, for broadcast number
	// Attempts beyond the first.
	ResendReady
	// DeliveryFailed: MessageID was never acknowledged and is given up after
	// Attempts resends.
	DeliveryFailed
	// DependenciesLost: MessageID was delivered although Deps never came.
	DependenciesLost
)

var eventNames = [...]string{
	MessageReady:        "message_ready",
	MessageSent:         "message_sent",
	MissingDependencies: "missing_dependencies",
	PeriodicSync:        "periodic_sync",
	RepairReady:         "repair_ready",
	ResendReady:         "resend_ready",
	DeliveryFailed:      "message_delivery_failed",
	DependenciesLost:    "dependencies_lost",
}

// String returns the name that the JSON events of the C API bear.
func (t EventType) String() string {
	if int(t) < len(eventNames) && eventNames[t] != "" {
		return eventNames[t]
	}
	return "unknown"
}

// Event is something that the host should know. Which fields are set is said
// at its type. Its bytes are the channel's own: they never change, and the host
// must not change them.
type Event struct {
	Type       EventType
	ChannelID  string
	MessageID  string
	Message    []byte
	Content    []byte
	Deps       []Dependency
	Attempts   int
	ChannelIDs []string
}
