// Package limits holds every bound that libsds sets on what comes from
// outside, each with its reason. It imports nothing, so that every layer can
// name the same numbers.
package limits

// Limits are the bounds that a host may move (PROTOCOL, section 7). Each is a
// key of the same name in the JSON configuration.
type Limits struct {
	// MaxContentBytes bounds the content of one message, sent or received.
	MaxContentBytes int
	// MaxWireBytes bounds a whole payload before any of it is parsed.
	MaxWireBytes int
	// MaxHistoryEntries bounds the causal history and, separately, the repair
	// requests of one message.
	MaxHistoryEntries int
	// MaxIDBytes bounds message, channel and participant ids, in bytes.
	MaxIDBytes int
	// MaxChannels bounds the channels of one manager; 0 means no bound.
	MaxChannels int
	// AcceptUnknownChannels lets a received message create its channel.
	AcceptUnknownChannels bool
	// MaxIncomingMessages and MaxIncomingBytes bound what waits for missing
	// dependencies in one channel. Past either, the oldest gives way.
	MaxIncomingMessages int
	MaxIncomingBytes    int
	// MaxOutgoingMessages bounds the unacknowledged messages of one channel.
	MaxOutgoingMessages int
	// MaxRepairEntries bounds each repair buffer of one channel. Past it, the
	// least urgent entry gives way.
	MaxRepairEntries int
}

// Default returns the limits that hold where the host names none.
func Default() Limits {
	return Limits{
		MaxContentBytes:       1 << 20, // what the replaced library accepts
		MaxWireBytes:          8 << 20, // a full content, a 1 MiB filter and 4096 entries with room to spare
		MaxHistoryEntries:     4096,    // twenty times what any known writer sends
		MaxIDBytes:            1024,    // ids in the field are hashes of 64 characters
		MaxChannels:           0,
		AcceptUnknownChannels: true,
		MaxIncomingMessages:   10000,
		MaxIncomingBytes:      64 << 20,
		MaxOutgoingMessages:   10000, // a test against a filter costs some ns for each of them
		MaxRepairEntries:      1000,
	}
}

// Bounds that no host can move.
const (
	// MaxFilterHashes is the largest number of hashes (k) of a received bloom
	// filter that is tested: past it a filter only costs time.
	MaxFilterHashes = 64
	// MaxFilterBytes is the largest bit array of a received bloom filter that
	// is looked at.
	MaxFilterBytes = 1 << 20
	// MissingOverhead is what one missing dependency of a buffered message is
	// taken to weigh against MaxIncomingBytes beside its own bytes: the index
	// entry and the strings that are kept for it. Without it, a message of
	// many short ids would cost a hundred times its size.
	MissingOverhead = 160
	// MaxLamport is the largest Lamport timestamp: the field's writers hold an
	// int64.
	MaxLamport = 1<<63 - 1
	// MaxHintBytes is the longest retrieval hint that a host can give and that
	// is taken from a peer: it is a hash or an address, travels with every
	// citation, and is kept for every missing message.
	MaxHintBytes = 4096
	// LongestID is the largest maxIdBytes that a configuration can name, so that
	// any id that was ever kept is read back.
	LongestID = 1 << 30
	// MaxLoadedPart is the longest meta or message that a host can hand back when
	// a channel is loaded. A length beyond it is a mistake of the host's: it could
	// not have been saved in one piece either.
	MaxLoadedPart = 1 << 30
	// MaxLoadedBytes bounds all that is handed back for one channel, for a host
	// that does not stop: sixteen times a log full of the largest messages.
	MaxLoadedBytes = 16 << 30
	// LoadedOverhead is what one message or hint is taken to weigh against
	// MaxLoadedBytes beside its own bytes.
	LoadedOverhead = 64
	// MaxReasonBytes bounds the words in which a host says why a procedure of
	// its own failed.
	MaxReasonBytes = 1024
	// KeptEvents is how many events, the newest, wait for a handler that is
	// not set yet.
	KeptEvents = 1024
)
