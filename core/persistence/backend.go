// Package persistence is the contract between a manager and whatever keeps its
// channels: five procedures, what each may rely on, and what its failure does.
//
// What is kept of a channel is a meta, which is small and complete and replaced
// as a whole, and its log, which changes by a message or two at a time. Both are
// bytes to a backend: it needs to understand neither.
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
// UpdateHistory once directly after it, SetRetrievalHint for each hint that was
// learnt, then events are announced, then the operation returns. A process that
// ends between the first two loses what the second would have kept: a backend
// that can do both at once is a [Committer].
type Backend interface {
	// SaveChannelMeta replaces the saved meta of a channel, the blob of a
	// snapshot.ChannelMeta. A failure is logged and never fails the operation:
	// the next operation on the channel, whatever it is, saves again, and that
	// save holds everything.
	SaveChannelMeta(channelID string, meta []byte) error

	// UpdateHistory applies a change of the log, all of it or nothing. It is
	// not called for an empty change. After a failure, which is logged, the
	// change is kept and offered again, merged with what came since, by the
	// next operation on the channel: so it must tolerate an append of what it
	// has, which replaces it, and an eviction of what it lacks. The hint of an
	// evicted message goes with it.
	UpdateHistory(channelID string, update snapshot.HistoryUpdate) error

	// LoadChannel returns what is kept of a channel; one that is not known is
	// an empty Kept. It is called on the first use of a channel, whose
	// operation fails with it.
	LoadChannel(channelID string) (Kept, error)

	// DropChannel forgets a channel, hints included. The removal or reset
	// that asked for it fails with it and leaves memory as it was.
	DropChannel(channelID string) error

	// SetRetrievalHint keeps a hint for a message of the log. After a failure,
	// which is logged, it is offered again by the next operation.
	SetRetrievalHint(channelID, messageID string, hint []byte) error
}

// Kept is what a backend returns of a channel. It becomes the caller's.
type Kept struct {
	// Meta is the blob that was saved last; empty when there was none yet.
	Meta []byte
	// History is the log, oldest first by (lamport, id).
	History [][]byte
	// Hints are the retrieval hints, in any order.
	Hints []snapshot.RetrievalHint
}

// Change is all that changed in a channel since it was last saved.
type Change struct {
	ChannelID string
	// Meta is always there: it is complete, so to write it again costs little
	// and repairs every save that was missed.
	Meta    []byte
	History snapshot.HistoryUpdate
	Hints   []snapshot.RetrievalHint
}

// Committer is a Backend with transactions: Commit is called in place of
// SaveChannelMeta, UpdateHistory and SetRetrievalHint.
type Committer interface {
	Backend

	// Commit keeps all of the changes or nothing, and returns once they are as
	// safe as the backend makes them. A failure is one of all three procedures:
	// it is logged, and everything is offered again; unless it is a HintsError.
	//
	// There is one change, unless operations share their commits (the
	// configuration's storeSync is "batch"): then there is one for each channel
	// that changed, and a channel may go on while they are written, though no
	// other call for it comes before Commit has returned.
	Commit(changes []Change) error
}

// HintsError is how a Commit fails that has kept everything but some retrieval
// hints: only these are offered again.
type HintsError struct {
	Unkept []HintOf
	Err    error
}

// HintOf names a retrieval hint.
type HintOf struct{ ChannelID, MessageID string }

// Error is what the backend says.
func (e *HintsError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *HintsError) Unwrap() error { return e.Err }

// Lister is a Backend that knows which channels it keeps. With it, a reset
// forgets also those that were not used since the start, and the periodic tasks
// of a restarted participant serve them too.
type Lister interface {
	Backend

	// VisitChannels calls visit for every channel with the blob of its meta
	// (empty when there is none), which is valid during that call only, until
	// visit returns false. visit must not call the backend.
	VisitChannels(visit func(channelID string, meta []byte) bool) error
}
