package persistence

import (
	"slices"
	"sync"

	"github.com/libsds/libsds/core/snapshot"
)

// Call is one call of a Backend, without the bulk of its arguments.
type Call struct {
	Procedure Procedure
	ChannelID string
	// MessageID is whose hint was set.
	MessageID string
	// Appended and Evicted are the ids of a history update, in its order, and
	// Hinted those whose hint a commit has.
	Appended, Evicted, Hinted []string
	// Err is what the backend inside returned.
	Err error
}

// Recording is a Backend for tests that notes the calls to the one inside, in
// the order in which they returned. It is safe for concurrent use.
type Recording struct {
	inner Backend

	mu    sync.Mutex
	calls []Call
	watch Watch
}

// Watch is called before and after every call of a procedure, for who wants to
// see what a process that ends there leaves behind.
type Watch func(procedure Procedure, before bool)

// NewRecording returns a Backend that passes everything on to inner.
func NewRecording(inner Backend) *Recording { return &Recording{inner: inner} }

// Calls returns the calls noted so far; the caller owns the slice.
func (r *Recording) Calls() []Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.calls)
}

// Take returns the calls noted since the last Take and forgets them.
func (r *Recording) Take() []Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	calls := r.calls
	r.calls = nil
	return calls
}

// Watch has watch called from now on.
func (r *Recording) Watch(watch Watch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watch = watch
}

// watched calls the watcher, and returns what to call after the call.
func (r *Recording) watched(procedure Procedure) (after func()) {
	r.mu.Lock()
	watch := r.watch
	r.mu.Unlock()
	if watch == nil {
		return func() {}
	}
	watch(procedure, true)
	return func() { watch(procedure, false) }
}

func (r *Recording) note(call Call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, call)
}

// SaveChannelMeta passes the call on and notes it.
func (r *Recording) SaveChannelMeta(channelID string, meta []byte) error {
	defer r.watched(SaveChannelMeta)()
	err := r.inner.SaveChannelMeta(channelID, meta)
	r.note(Call{Procedure: SaveChannelMeta, ChannelID: channelID, Err: err})
	return err
}

// UpdateHistory passes the call on and notes it.
func (r *Recording) UpdateHistory(channelID string, update snapshot.HistoryUpdate) error {
	defer r.watched(UpdateHistory)()
	err := r.inner.UpdateHistory(channelID, update)
	call := Call{Procedure: UpdateHistory, ChannelID: channelID, Err: err}
	call.describe(&update)
	r.note(call)
	return err
}

func (c *Call) describe(update *snapshot.HistoryUpdate) {
	c.Evicted = slices.Clone(update.Evict)
	for _, record := range update.Append {
		c.Appended = append(c.Appended, record.MessageID)
	}
}

// LoadChannel passes the call on and notes it.
func (r *Recording) LoadChannel(channelID string) (Kept, error) {
	defer r.watched(LoadChannel)()
	data, err := r.inner.LoadChannel(channelID)
	r.note(Call{Procedure: LoadChannel, ChannelID: channelID, Err: err})
	return data, err
}

// DropChannel passes the call on and notes it.
func (r *Recording) DropChannel(channelID string) error {
	defer r.watched(DropChannel)()
	err := r.inner.DropChannel(channelID)
	r.note(Call{Procedure: DropChannel, ChannelID: channelID, Err: err})
	return err
}

// SetRetrievalHint passes the call on and notes it.
func (r *Recording) SetRetrievalHint(channelID, messageID string, hint []byte) error {
	defer r.watched(SetRetrievalHint)()
	err := r.inner.SetRetrievalHint(channelID, messageID, hint)
	r.note(Call{Procedure: SetRetrievalHint, ChannelID: channelID, MessageID: messageID, Err: err})
	return err
}

// RecordingCommitter is a Recording around a Committer.
type RecordingCommitter struct {
	*Recording
	inner Committer
}

// NewRecordingCommitter returns a Committer that passes everything on to inner.
func NewRecordingCommitter(inner Committer) *RecordingCommitter {
	return &RecordingCommitter{NewRecording(inner), inner}
}

// Commit passes the call on and notes it, as one call for each change.
func (r *RecordingCommitter) Commit(changes []Change) error {
	defer r.watched(Commit)()
	err := r.inner.Commit(changes)
	for i := range changes {
		call := Call{Procedure: Commit, ChannelID: changes[i].ChannelID, Err: err}
		call.describe(&changes[i].History)
		for _, hint := range changes[i].Hints {
			call.Hinted = append(call.Hinted, hint.MessageID)
		}
		r.note(call)
	}
	return err
}
