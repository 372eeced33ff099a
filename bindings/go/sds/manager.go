package sds

import (
	"math"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/libsds/libsds/core"
)

// ReliabilityManager is one participant with its channels, which are made by the first
// message sent or received in them. It must not be copied.
type ReliabilityManager struct {
	logger  *zap.Logger
	manager *core.Manager // nil in the zero value only

	callbacks  atomic.Pointer[EventCallbacks] // nil until some were registered
	register   sync.Mutex                     // held while they are set
	delivering sync.Mutex                     // held while they are called
	told       told
	timer      timer

	// underWay counts the calls under way, from closing below 0 on.
	underWay atomic.Int64
	closed   atomic.Bool
	end      sync.Once
	done     chan struct{} // closed when all is over
}

// closing is what underWay bears from Cleanup on.
const closing = math.MinInt64 / 2

// NewReliabilityManager makes a participant without an id (so without repairs) and
// with the configuration of SDS_CONFIG, or the default one. A nil logger is silence.
func NewReliabilityManager(logger *zap.Logger) (*ReliabilityManager, error) {
	return NewReliabilityManagerWithOptions(logger)
}

// NewReliabilityManagerWithOptions makes a participant. A nil logger is silence, and a
// nil option nothing.
//
// Errors: ErrInvalidArgument for the configuration or an id, ErrPersistence when the
// store cannot be opened.
func NewReliabilityManagerWithOptions(logger *zap.Logger, options ...Option) (*ReliabilityManager, error) {
	const call = "creating reliability manager"
	if logger == nil {
		logger = zap.NewNop()
	}
	settings, err := gather(logger, options)
	if err != nil {
		return nil, fail(call, "", err)
	}
	manager, err := core.New(settings.core)
	if err != nil {
		return nil, fail(call, "", err)
	}
	rm := &ReliabilityManager{logger: logger, manager: manager, done: make(chan struct{})}
	rm.timer.now = settings.core.Now
	if rm.timer.now == nil {
		rm.timer.now = core.WallClock
	}
	if settings.callbacks != nil {
		rm.RegisterCallbacks(*settings.callbacks)
	}
	return rm, nil
}

// begin admits a call, which ends with leave.
func (rm *ReliabilityManager) begin() error {
	if rm == nil || rm.manager == nil {
		return ErrEmptyManager
	}
	if rm.underWay.Add(1) < 0 {
		rm.leave()
		return ErrClosed
	}
	return nil
}

// leave ends a call. The last one after Cleanup closes what is below, so that none
// finds its store gone in its midst.
func (rm *ReliabilityManager) leave() {
	if rm.underWay.Add(-1) == closing {
		rm.end.Do(rm.close)
	}
}

func (rm *ReliabilityManager) close() {
	rm.timer.stop()
	rm.manager.Close()
	close(rm.done)
}

// operate runs an operation and then the callbacks of what it caused.
func (rm *ReliabilityManager) operate(call, request string, step func(*core.Manager) error) error {
	switch err := rm.begin(); err {
	case nil:
	case ErrEmptyManager:
		return err
	default:
		return fail(call, request, err)
	}
	defer rm.leave()
	err := step(rm.manager)
	rm.deliver()
	return fail(call, request, err)
}

// WrapOutgoingMessage makes the payload that carries a new message, to be broadcast.
// The message is copied.
//
// Errors: ErrInvalidArgument for an empty message, ErrInvalidID, ErrMessageTooLarge,
// ErrLimitExceeded when maxOutgoingMessages wait for an acknowledgement or maxChannels
// exist, ErrPersistence.
func (rm *ReliabilityManager) WrapOutgoingMessage(message []byte, messageId MessageID, channelId string) (payload []byte, err error) {
	err = rm.operate("WrapOutgoingMessage", "WRAP_MESSAGE", func(m *core.Manager) (err error) {
		if err := checkNames(channelId, messageId); err != nil {
			return err
		}
		payload, err = m.Wrap(nil, channelId, string(messageId), message)
		return err
	})
	return payload, err
}

// WrapSyncMessage makes a payload without content, which tells and asks what a message
// would: for a channel that has been quiet (OnSyncDue). Peers that run the replaced
// library take it for an empty message: send none where there are such peers. Errors
// as for WrapOutgoingMessage.
func (rm *ReliabilityManager) WrapSyncMessage(channelId string) (payload []byte, err error) {
	err = rm.operate("WrapSyncMessage", "", func(m *core.Manager) (err error) {
		payload, err = m.WrapSync(nil, channelId)
		return err
	})
	return payload, err
}

// WrapEphemeralMessage makes the payload of a message that is delivered or lost, and
// leaves no trace. Errors as for WrapOutgoingMessage.
func (rm *ReliabilityManager) WrapEphemeralMessage(message []byte, messageId MessageID, channelId string) (payload []byte, err error) {
	err = rm.operate("WrapEphemeralMessage", "", func(m *core.Manager) (err error) {
		payload, err = m.WrapEphemeral(nil, channelId, string(messageId), message)
		return err
	})
	return payload, err
}

// UnwrapReceivedMessage takes in a payload, which is read during the call only. The
// content is returned whether or not the message has to wait for others.
//
// Errors: ErrDeserialization for what is no SDS message, ErrLimitExceeded for a channel
// that may not be made, ErrPersistence.
func (rm *ReliabilityManager) UnwrapReceivedMessage(message []byte) (*UnwrappedMessage, error) {
	received, err := rm.unwrap("UnwrapReceivedMessage", message)
	if err != nil {
		return nil, err
	}
	content, missing := own(received.Content), entries(received.Missing)
	return &UnwrappedMessage{Message: &content, MissingDeps: &missing, ChannelId: &received.ChannelID}, nil
}

// Unwrap is UnwrapReceivedMessage with all that is known of the message: its id and
// sender, its kind, whether it is a copy or waits. The content is a view of payload.
func (rm *ReliabilityManager) Unwrap(payload []byte) (core.Unwrapped, error) {
	return rm.unwrap("Unwrap", payload)
}

func (rm *ReliabilityManager) unwrap(call string, payload []byte) (received core.Unwrapped, err error) {
	err = rm.operate(call, "UNWRAP_MESSAGE", func(m *core.Manager) (err error) {
		received, err = m.Unwrap(payload)
		return err
	})
	return received, err
}

// MarkDependenciesMet declares that the program has these messages by other means:
// nothing waits for them any longer. None is nothing to do.
//
// Errors: ErrInvalidArgument for a channel that is not in memory, ErrInvalidID.
func (rm *ReliabilityManager) MarkDependenciesMet(messageIDs []MessageID, channelId string) error {
	if rm != nil && len(messageIDs) == 0 {
		return nil
	}
	return rm.operate("MarkDependenciesMet", "MARK_DEPENDENCIES_MET", func(m *core.Manager) error {
		if err := checkNames(channelId, messageIDs...); err != nil {
			return err
		}
		ids := make([]string, len(messageIDs))
		for i, id := range messageIDs {
			ids[i] = string(id)
		}
		return m.MarkDependenciesMet(channelId, ids)
	})
}

// EnsureChannel makes or loads a channel before its first message.
func (rm *ReliabilityManager) EnsureChannel(channelId string) error {
	return rm.operate("EnsureChannel", "", func(m *core.Manager) error { return m.EnsureChannel(channelId) })
}

// RemoveChannel forgets a channel, also where it is kept.
//
// Errors: ErrInvalidID, ErrPersistence: then the channel stays.
func (rm *ReliabilityManager) RemoveChannel(channelId string) error {
	return rm.operate("RemoveChannel", "REMOVE_CHANNEL", func(m *core.Manager) error {
		if err := checkNames(channelId); err != nil {
			return err
		}
		return m.RemoveChannel(channelId)
	})
}

// Reset forgets all channels, also where they are kept. Callbacks, timers and
// configuration stay.
//
// Errors: ErrPersistence: then no channel in memory is forgotten.
func (rm *ReliabilityManager) Reset() error {
	return rm.operate("ResetReliabilityManager", "RESET_RELIABILITY_MANAGER", (*core.Manager).Reset)
}

// Cleanup ends the manager; what is kept of its channels stays. It waits for nothing,
// so that it may be called from anywhere: calls under way on other goroutines, or the
// one that it is called from inside of, end as they would have, though with no further
// callback than the one that is running or just beginning. Done tells when that is over.
// Where no call is under way, it is when Cleanup returns.
//
// A second Cleanup fails with ErrClosed and does nothing.
func (rm *ReliabilityManager) Cleanup() error {
	if rm == nil || rm.manager == nil {
		return ErrEmptyManager
	}
	if !rm.closed.CompareAndSwap(false, true) {
		return fail("CleanupReliabilityManager", "", ErrClosed)
	}
	if rm.underWay.Add(closing) == closing {
		rm.end.Do(rm.close)
	}
	return nil
}

// Done is closed when, after Cleanup, every call and callback has ended and the store
// is free for another manager. Waiting for it inside a callback is waiting for ever. It
// is nil, which never ends, for an empty manager.
func (rm *ReliabilityManager) Done() <-chan struct{} {
	if rm == nil {
		return nil
	}
	return rm.done
}
