// Package snapshot names what of a channel outlives the process: the small,
// complete ChannelMeta that every operation saves, the log that grows and
// shrinks one message at a time, and both together as they are loaded again.
//
// Times are Unix milliseconds. Message bytes are whole messages in one of the
// wire formats, without the bloom filter they travelled with; they are never
// changed once they are here, so a backend may keep them without a copy.
//
// # Encoding
//
// Each of the three is also a protobuf blob (PROTOCOL, section 5; the schema is
// proto/snapshot.proto), for backends that keep bytes. The same value is always
// the same bytes. The functions that append write what they are given and judge
// nothing; those that decode refuse what no writer would write:
//
//   - What is not well-formed: truncation, trailing bytes, overlong varints,
//     groups and unknown wire types.
//   - A known field of a wrong wire type, a required field that is missing, a
//     singular field that comes twice, as in two blobs joined into one.
//   - An id that is empty, senders excepted, or not UTF-8; a Lamport timestamp
//     beyond the range of int64; a number of attempts beyond that of int32; a
//     repair entry under an id that is not its message's.
//
// Every time is valid, also one before 1970. Unknown fields are skipped.
// Embedded messages are copied as they are and not looked into. A blob that was
// cut between two fields cannot be told from one that is whole: to keep blobs
// whole is the backend's task.
package snapshot

// SchemaVersion is the version of what this package describes, and the only
// one that it decodes.
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
	// WireFormat is the wire.Format that the channel took from the message that
	// made it; 0 where the configuration says what is written.
	WireFormat uint64 `json:",omitempty"`
	// Appending holds the ids that the history update which follows this meta
	// appends, where Incoming may have waited for them: one that is not in the log
	// was lost with an update that did not happen.
	Appending []string `json:",omitempty"`
}

// UnderWay tells whether time alone would make the channel do something.
func (m *ChannelMeta) UnderWay() bool {
	return len(m.Outgoing)+len(m.Incoming)+len(m.OutgoingRepair)+len(m.IncomingRepair) > 0
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
	Message []byte
	Missing []HistoryEntry
	// ReceivedTime is 0 when the writer did not know it.
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
	// TReq is when it is asked for (again), FirstDue when it first was: 0 when
	// the writer did not know it.
	TReq     int64
	FirstDue int64
}

// IncomingRepair is a message that was asked for and may be answered.
type IncomingRepair struct {
	Entry   HistoryEntry
	Message []byte
	TResp   int64
}

// HistoryRecord is one message of the log, under the key it is ordered by. One
// that was decoded has no key if its writer left that to the message.
type HistoryRecord struct {
	MessageID string
	Lamport   uint64
	Message   []byte
}

// HistoryUpdate is a change of the log: what joins it, and the ids that leave
// it. No id is in both.
type HistoryUpdate struct {
	Append []HistoryRecord
	Evict  []string
	// Gone are the keys that hold nothing any more: those of Evict, and those of
	// messages in whose place Append puts one of the same id. It is for backends
	// whose key is not the id alone, and is no part of a blob.
	Gone []HistoryKey
}

// HistoryKey is what the log is ordered by.
type HistoryKey struct {
	MessageID string
	Lamport   uint64
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
