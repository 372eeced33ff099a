package sds

import (
	"errors"
	"strings"

	"github.com/libsds/libsds/core"
)

// What a failed call may be, for errors.Is. An error is a [*core.Error] too, where an
// operation failed: errors.As gives all that is known.
var (
	// ErrEmptyManager is a manager that is nil or was not made by a constructor.
	ErrEmptyManager = errors.New("empty reliability manager")
	// ErrClosed is a manager that was cleaned up. It is an ErrInvalidArgument.
	ErrClosed = core.ErrClosed
	// ErrInvalidArgument is what cannot be done: an empty content, an unknown channel,
	// an unusable id or configuration, two clocks.
	ErrInvalidArgument = core.ErrInvalidArgument
	// ErrInvalidID is an id that is empty, too long or not UTF-8. It is an
	// ErrInvalidArgument.
	ErrInvalidID = core.ErrInvalidID
	// ErrDeserialization is a payload that is no SDS message: deliver it as it is.
	ErrDeserialization = core.ErrDeserialization
	// ErrMessageTooLarge is a content over maxContentBytes.
	ErrMessageTooLarge = core.ErrMessageTooLarge
	// ErrLimitExceeded is a configured limit that was reached.
	ErrLimitExceeded = core.ErrLimitExceeded
	// ErrPersistence is a store or backend that failed to load or drop a channel.
	ErrPersistence = core.ErrPersistence
	// ErrInternal is a defect of this library.
	ErrInternal = core.ErrInternal
)

// failure is how a call fails: in the words that a program of the replaced bindings
// gets with this repository's shared library, and may compare.
type failure struct {
	call    string // the method
	request string // what the shared library calls it; empty if it has no such call
	err     error
}

func fail(call, request string, err error) error {
	if err == nil {
		return nil
	}
	return &failure{call, request, err}
}

func (f *failure) Error() string { return "error " + f.call + ": " + f.words() }

// Unwrap returns what went wrong.
func (f *failure) Unwrap() error { return f.err }

func (f *failure) words() string {
	const ours = "libsds error: "
	status := core.StatusOf(f.err)
	switch {
	case errors.Is(f.err, core.ErrClosed):
		return ours + "invalid context"
	case f.request == "", errors.Is(f.err, errEmptyID):
		return ours + reason(f.err)
	}
	words := "error processing " + f.request + " request: " + status.Name()
	switch {
	case status == core.StatusPersistence, status == core.StatusLimitExceeded, status == core.StatusInternal,
		errors.Is(f.err, core.ErrInvalidID), errors.Is(f.err, errTwoClocks):
		words += ": " + reason(f.err)
	}
	return words
}

// reason is what went wrong, without operation and channel, which the caller knows.
func reason(err error) string {
	var operation *core.Error
	if errors.As(err, &operation) {
		err = operation.Err
	}
	return strings.TrimPrefix(err.Error(), core.ErrPersistence.Error()+": ")
}

// errEmptyID is the one unusable id that the shared library refuses before it processes
// anything.
var errEmptyID = errors.New("empty id")

// emptyID says which id is empty.
type emptyID string

func (e emptyID) Error() string { return string(e) }

// Is makes it all that it stands for.
func (e emptyID) Is(target error) bool {
	return target == errEmptyID || target == core.ErrInvalidID || target == core.ErrInvalidArgument
}

// checkNames tells which name of a message is missing.
func checkNames(channelId string, messageIDs ...MessageID) error {
	if channelId == "" {
		return emptyID("channel ID is empty string")
	}
	for _, id := range messageIDs {
		if id == "" {
			return emptyID("message ID is empty string")
		}
	}
	return nil
}
