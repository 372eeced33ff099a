// Package persistence is the contract between a manager and whatever keeps its
// channels: five procedures, what each may rely on, and what its failure does.
package persistence

import "github.com/libsds/libsds/core/snapshot"

// Backend keeps the state of channels.
//
// The manager calls it on the goroutine of the operation, with the channel
// locked: calls for one channel never overlap, calls for different channels
// may. A procedure must not call back into the manager. Arguments are valid
// during the call only, message bytes excepted, which never change.
//
// The order within one operation: memory changes, SaveChannelMeta once,
// UpdateHistory once directly after it, then events are announced, then the
// operation returns.
type Backend interface {
	// SaveChannelMeta replaces the saved meta of a channel. A failure is
	// logged and never fails the operation: the next save holds everything.
	SaveChannelMeta(channelID string, meta *snapshot.ChannelMeta) error

	// UpdateHistory applies a change of the log, all of it or nothing. It is
	// not called for an empty change. After a failure the change is kept and
	// offered again, merged with what came since, by the next operation on
	// the channel: so it must tolerate an append of what it has and an
	// eviction of what it lacks.
	UpdateHistory(channelID string, update snapshot.HistoryUpdate) error

	// LoadChannel returns what is kept of a channel, history oldest first by
	// (lamport, id); a channel that is not known is an empty ChannelData. It
	// is called on the first use of a channel, whose operation fails with it.
	LoadChannel(channelID string) (snapshot.ChannelData, error)

	// DropChannel forgets a channel, hints included. The removal or reset
	// that asked for it fails with it and leaves memory as it was.
	DropChannel(channelID string) error

	// SetRetrievalHint keeps a hint for a message of the log, once, when the
	// host first gave it. A failure is logged.
	SetRetrievalHint(channelID, messageID string, hint []byte) error
}
