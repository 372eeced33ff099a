// Package wire reads and writes SDS messages (PROTOCOL, section 1).
//
// Four formats are in the field. [Decode] reads each of them, telling them
// apart by shape; [Append] writes the one that it is told to, byte for byte as
// its other writers do. [Stored] is the form in which messages are kept.
//
// # Strictness
//
// Hosts pass every payload through Decode and deliver as it is what Decode
// refuses. So Decode refuses what no writer would write: overlong varints,
// groups and unknown wire types, truncation, trailing bytes, empty ids, ids
// that are not UTF-8, and whatever is over a limit. Unknown fields are skipped.
//
// Where the specification is silent, these rules hold:
//
//   - A repeated singular field: the last occurrence counts. Earlier ones must
//     be well-formed but are not looked at.
//   - sds-*: 1 and 4 are required. With 2 present, 5 may be absent, since
//     sds-0.4 omits it when the content is empty. Without 2, an ephemeral
//     message, 5 must be present.
//   - lip-109: 2 and 3 are required, and at least one of 10 and 20: three
//     strings alone are too common a shape to be called SDS.
//   - Of the fields that make a message what it is (1, 2, 4, 5 in sds-*; 2, 3,
//     10, 20 in lip-109) the last occurrence must have the right wire type.
//     Wrong ones of any other known field are skipped like unknown fields; the
//     replaced library does so.
//   - In sds-*, a value of field 3 without a field 8 beside it is an entry if it
//     is well-formed throughout and has a field 1. If that is empty, the
//     message is refused. Every other value is a bare id. With a field 8, all
//     values of field 3 are bare ids.
//   - A lamport beyond [limits.MaxLamport] is malformed in every format.
//
// # Views
//
// Decode copies nothing: the strings and slices of a decoded [Message] are
// views of the payload.
package wire

// A Message is one SDS message, whatever its format.
//
// After [Decode], every string and slice is a view of the payload: it holds
// only while the payload is neither changed nor freed. Clone what is kept. As
// input of [Append] and [Store], a Message may alias any memory that does not
// change during the call.
type Message struct {
	// Format is set by Decode to the format that the payload has. Several
	// sds-* generations can fit the same bytes; then it is the first of:
	// sds-0.4 when field 8 is present; sds-0.3 when field 3 holds a
	// HistoryEntry; when field 6 is present but empty, which only the older
	// generations write, sds-0.2 if there are bare ids and no sender or
	// repair request, and sds-0.3 if there are no bare ids; and else sds-0.4,
	// which can carry whatever the bytes held. Append and Store ignore it.
	Format Format

	// ID, ChannelID and SenderID are UTF-8. SenderID is empty when the sender
	// is not named.
	ID, ChannelID, SenderID string

	// Lamport is the logical time, at most limits.MaxLamport, in the unit of
	// the channel. It means something only where HasLamport is set.
	Lamport    uint64
	HasLamport bool

	// History names the messages that this one depends on, oldest first.
	History []Entry
	// RepairRequests names messages that the sender asks others to repeat.
	RepairRequests []Entry

	// Content is what the host sent; nil or empty in a sync message.
	Content []byte
	// Filter is the encoded bloom filter as it came: field 6, or 12 in
	// lip-109. It is nil when absent, and has not been looked into.
	Filter []byte

	layout layout
}

// An Entry (HistoryEntry in the schemas) names one message.
type Entry struct {
	// ID is the message's id.
	ID string
	// SenderID is who sent it, empty when not known. sds-0.2 does not carry it.
	SenderID string
	// Hint is opaque to the library and helps a host to fetch the message;
	// nil or empty when there is none. sds-0.2 does not carry it.
	Hint []byte
}

// IsSync reports whether m tells of its sender's state only: it has a Lamport
// timestamp and no content.
func (m *Message) IsSync() bool { return m.HasLamport && len(m.Content) == 0 }

// IsEphemeral reports whether m stands outside the causal order: it has no
// Lamport timestamp, is delivered at once and not repaired.
func (m *Message) IsEphemeral() bool { return !m.HasLamport }
