package sds

import (
	"bytes"

	"github.com/libsds/libsds/core"
)

// MessageID names a message in its channel: UTF-8, not empty, at most maxIdBytes
// (1024) bytes.
type MessageID string

// HistoryEntry is a message that another one cites.
type HistoryEntry struct {
	MessageID MessageID `json:"messageId"`
	// RetrievalHint is what the citing participant said about where the message can be
	// fetched; empty where it said nothing.
	RetrievalHint []byte `json:"retrievalHint"`
}

// UnwrappedMessage is a received message. None of the pointers is nil.
type UnwrappedMessage struct {
	// Message is the content; empty for a sync message.
	Message *[]byte `json:"message"`
	// MissingDeps are the messages that this one waits for. Until they came, or were
	// declared met or lost, it is not delivered (OnMessageReady).
	MissingDeps *[]HistoryEntry `json:"missingDeps"`
	ChannelId   *string         `json:"channelId"`
}

// entries are dependencies as the callbacks and results show them: never nil, nor
// are their hints, as in what the shared library's JSON was read into.
func entries(deps []core.Dependency) []HistoryEntry {
	shown := make([]HistoryEntry, len(deps))
	for i := range deps {
		shown[i] = HistoryEntry{MessageID: MessageID(deps[i].ID), RetrievalHint: own(deps[i].Hint)}
	}
	return shown
}

// own is a copy that is not nil.
func own(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return bytes.Clone(b)
}
