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
	// Appended and Evicted are the ids of a history update, in its order.
	Appended, Evicted []string
	// Err is what the backend inside returned.
	Err error
}

// Recording is a Backend for tests that notes the calls to the one inside, in
// the order in which they returned. It is safe for concurrent use.
type Recording struct {
	inner Backend

	mu    sync.Mutex
	calls []Call
}

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

func (r *Recording) note(call Call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, call)
}

// SaveChannelMeta passes the call on and notes it.
func (r *Recording) SaveChannelMeta(channelID string, meta []byte) error {
	err := r.inner.SaveChannelMeta(channelID, meta)
	r.note(Call{Procedure: SaveChannelMeta, ChannelID: channelID, Err: err})
	return err
}

// UpdateHistory passes the call on and notes it.
func (r *Recording) UpdateHistory(channelID string, update snapshot.HistoryUpdate) error {
	err := r.inner.UpdateHistory(channelID, update)
	call := Call{Procedure: UpdateHistory, ChannelID: channelID, Evicted: slices.Clone(update.Evict), Err: err}
	for _, record := range update.Append {
		call.Appended = append(call.Appended, record.MessageID)
	}
	r.note(call)
	return err
}

// LoadChannel passes the call on and notes it.
func (r *Recording) LoadChannel(channelID string) (Kept, error) {
	data, err := r.inner.LoadChannel(channelID)
	r.note(Call{Procedure: LoadChannel, ChannelID: channelID, Err: err})
	return data, err
}

// DropChannel passes the call on and notes it.
func (r *Recording) DropChannel(channelID string) error {
	err := r.inner.DropChannel(channelID)
	r.note(Call{Procedure: DropChannel, ChannelID: channelID, Err: err})
	return err
}

// SetRetrievalHint passes the call on and notes it.
func (r *Recording) SetRetrievalHint(channelID, messageID string, hint []byte) error {
	err := r.inner.SetRetrievalHint(channelID, messageID, hint)
	r.note(Call{Procedure: SetRetrievalHint, ChannelID: channelID, MessageID: messageID, Err: err})
	return err
}
