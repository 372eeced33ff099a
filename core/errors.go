package core

import (
	"errors"
	"fmt"
	"strings"

	"github.com/libsds/libsds/core/channel"
	"github.com/libsds/libsds/core/wire"
)

// What the host asked for cannot be done.
var (
	ErrInvalidArgument = errors.New("invalid argument")
	// ErrInvalidID is an id that is empty, too long or not UTF-8. It is an
	// ErrInvalidArgument too.
	ErrInvalidID = fmt.Errorf("%w: unusable id", ErrInvalidArgument)
	// ErrMessageTooLarge is a content over maxContentBytes.
	ErrMessageTooLarge = errors.New("message too large")
	// ErrLimitExceeded is a configured limit that was reached.
	ErrLimitExceeded = errors.New("limit exceeded")
	// ErrClosed is a manager that was closed. It is an ErrInvalidArgument.
	ErrClosed = fmt.Errorf("%w: the manager is closed", ErrInvalidArgument)
)

// What came from outside is unusable.
var (
	// ErrDeserialization is a payload that is not an SDS message.
	ErrDeserialization = errors.New("not an SDS message")
)

// What the manager stands on failed.
var (
	// ErrPersistence is a backend that failed to load or to drop a channel.
	ErrPersistence = errors.New("persistence failed")
	// ErrInternal is a defect of this library.
	ErrInternal = errors.New("internal error")
	// ErrOutOfMemory is memory that the system did not give.
	ErrOutOfMemory = errors.New("out of memory")
)

// Error is how every operation of a Manager fails.
type Error struct {
	// Op is the operation, e.g. "wrap".
	Op string
	// ChannelID is the channel concerned, empty where there is none.
	ChannelID string
	// Err wraps one of the sentinels above and says what is wrong.
	Err error
}

// Error names the operation and the channel before what is wrong.
func (e *Error) Error() string {
	if e.ChannelID == "" {
		return fmt.Sprintf("sds: %s: %v", e.Op, e.Err)
	}
	return fmt.Sprintf("sds: %s in channel %q: %v", e.Op, e.ChannelID, e.Err)
}

// Unwrap returns what is wrong, without the operation.
func (e *Error) Unwrap() error { return e.Err }

// invalidID says what is wrong with an id.
type invalidID string

func (e invalidID) Error() string { return string(e) }

// Is makes it both sentinels that it stands for.
func (e invalidID) Is(target error) bool {
	return target == ErrInvalidID || target == ErrInvalidArgument
}

// fail wraps what went wrong; the channel id may be a view of a payload.
func fail(op, channelID string, err error) *Error {
	return &Error{Op: op, ChannelID: strings.Clone(channelID), Err: err}
}

// Status is an outcome as the C API numbers it. The numbers are frozen.
type Status int

// The statuses of operations.
const (
	StatusOK              Status = 0
	StatusInvalidArgument Status = 10
	StatusOutOfMemory     Status = 11
	StatusInternal        Status = 12
	StatusSerialization   Status = 13
	StatusDeserialization Status = 14
	StatusMessageTooLarge Status = 15
	StatusPersistence     Status = 16
	StatusLimitExceeded   Status = 17
)

// statuses is the one table from what went wrong to its code and its name.
var statuses = []struct {
	sentinel error
	status   Status
	name     string
}{
	{ErrInvalidArgument, StatusInvalidArgument, "reInvalidArgument"},
	{ErrOutOfMemory, StatusOutOfMemory, "reOutOfMemory"},
	{ErrInternal, StatusInternal, "reInternalError"},
	{nil, StatusSerialization, "reSerializationError"}, // frozen; our writers cannot fail
	{ErrDeserialization, StatusDeserialization, "reDeserializationError"},
	{ErrMessageTooLarge, StatusMessageTooLarge, "reMessageTooLarge"},
	{ErrPersistence, StatusPersistence, "rePersistenceError"},
	{ErrLimitExceeded, StatusLimitExceeded, "reLimitExceeded"},
}

// StatusOf returns the status of an operation that returned err.
func StatusOf(err error) Status {
	if err == nil {
		return StatusOK
	}
	for _, row := range statuses {
		if row.sentinel != nil && errors.Is(err, row.sentinel) {
			return row.status
		}
	}
	return StatusInternal
}

// Name returns the name that the part 1 of the C API prints.
func (s Status) Name() string {
	for _, row := range statuses {
		if row.status == s {
			return row.name
		}
	}
	return "reInternalError"
}

// classify puts what a lower layer said under the sentinel of this package.
func classify(err error) error {
	switch {
	case errors.Is(err, channel.ErrEmptyContent):
		return fmt.Errorf("%w: %w", ErrInvalidArgument, err)
	case errors.Is(err, channel.ErrContentSize):
		return fmt.Errorf("%w: %w", ErrMessageTooLarge, err)
	case errors.Is(err, channel.ErrOutgoingFull):
		return fmt.Errorf("%w: %w", ErrLimitExceeded, err)
	case errors.Is(err, wire.ErrMalformed), errors.Is(err, wire.ErrTooLarge):
		return fmt.Errorf("%w: %w", ErrDeserialization, err)
	}
	return fmt.Errorf("%w: %w", ErrInternal, err)
}
