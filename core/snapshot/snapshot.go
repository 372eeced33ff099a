// Package snapshot names what of a channel outlives the process: the small,
// complete ChannelMeta that every operation saves, the log that grows and
// shrinks one message at a time, and both together as they are loaded again.
//
// Times are Unix milliseconds. Message bytes are whole messages in one of the
// wire formats, without the bloom filter they travelled with; they are never
// changed once they are here, so a backend may keep them without a copy.
package snapshot

// SchemaVersion is the version of what this package describes.
const SchemaVersion = 1

// ChannelMeta is the state of a channel beside its log. It is complete: saving
// a later one repairs every earlier one that was missed.
type ChannelMeta struct {
	Lamport        uint64
	Outgoing       []Unacknowledged
	Incoming       []Incoming
	OutgoingRepair []OutgoingRepair
	IncomingRepair []IncomingRepair
	// Met holds the ids that the host declared met, oldest first.
	Met []string
}

// Unacknowledged is an own message that nobody is known to have received.
type Unacknowledged struct {
	Message  []byte
	SendTime int64
	Attempts int
	// Witnesses are the received messages whose filters held the id.
	Witnesses []Witness
}

// Witness is a message whose bloom filter held the id of an own message.
type Witness struct {
	MessageID string
	SenderID  string
}

// Incoming is a received message that waits for its dependencies.
type Incoming struct {
	Message      []byte
	Missing      []HistoryEntry
	ReceivedTime int64
}

// HistoryEntry names a message, and what is known for finding it.
type HistoryEntry struct {
	MessageID     string
	SenderID      string
	RetrievalHint []byte
}

// OutgoingRepair is a missing message that may be asked for.
type OutgoingRepair struct {
	Entry HistoryEntry
	// TReq is when it is asked for (again), FirstDue when it first was.
	TReq     int64
	FirstDue int64
}

// IncomingRepair is a message that was asked for and may be answered.
type IncomingRepair struct {
	Entry   HistoryEntry
	Message []byte
	TResp   int64
}

// HistoryRecord is one message of the log, under the key it is ordered by.
type HistoryRecord struct {
	MessageID string
	Lamport   uint64
	Message   []byte
}

// HistoryUpdate is a change of the log: first what joins it, then the ids that
// leave it. No id is in both.
type HistoryUpdate struct {
	Append []HistoryRecord
	Evict  []string
}

// RetrievalHint is what the host said about where a message can be fetched.
type RetrievalHint struct {
	MessageID string
	Hint      []byte
}

// ChannelData is everything that is loaded for a channel: its meta (nil when
// none was saved yet) and its log, oldest first by (lamport, id).
type ChannelData struct {
	Meta    *ChannelMeta
	History [][]byte
	Hints   []RetrievalHint
}
