package persistence

import "github.com/libsds/libsds/core/snapshot"

// None keeps nothing: the backend of a manager that was given none.
type None struct{}

// SaveChannelMeta does nothing.
func (None) SaveChannelMeta(string, []byte) error { return nil }

// UpdateHistory does nothing.
func (None) UpdateHistory(string, snapshot.HistoryUpdate) error { return nil }

// LoadChannel finds nothing.
func (None) LoadChannel(string) (Kept, error) { return Kept{}, nil }

// DropChannel does nothing.
func (None) DropChannel(string) error { return nil }

// SetRetrievalHint does nothing.
func (None) SetRetrievalHint(string, string, []byte) error { return nil }
