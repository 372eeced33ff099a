// Package sds has the API of github.com/logos-messaging/sds-go-bindings/sds, in
// pure Go: end-to-end reliability for group messaging without cgo and without a
// shared library. A program that uses those bindings replaces their module by this
// one and stays as it is; docs/porting-go.md of this repository says how.
//
// A [ReliabilityManager] is one participant. It makes payloads of outgoing messages
// ([ReliabilityManager.WrapOutgoingMessage]), which the program broadcasts, and takes
// in every payload that arrives ([ReliabilityManager.UnwrapReceivedMessage]). What
// is delivered, acknowledged, missing or to be sent comes in [EventCallbacks].
//
// # Goroutines
//
// All methods may be called from any goroutine at any time, from inside callbacks
// too. Operations on different channels run side by side. The methods of a nil or
// zero ReliabilityManager fail with [ErrEmptyManager], those of one that was cleaned
// up with [ErrClosed].
//
// # Callbacks
//
// Callbacks of one manager never run at the same time as each other, and come in the
// order of what they tell. Those of an operation run on its goroutine before it
// returns, unless callbacks are running on another goroutine at that moment, or the
// operation was called from inside one: then they come right after those. Those of
// the timers run on a goroutine of the manager. A callback may call any method, Cleanup
// included. One that panics does so through the operation that it runs in; in a timer
// it is logged, and the timer goes on.
//
// What callbacks are given is theirs to keep and to change.
//
// RetrievalHintProvider is different: it runs in the midst of an operation while its
// channel is locked, maybe beside a callback or itself for another channel, and must
// not call the manager.
//
// # Time
//
// Nothing is sent again or given up, and no peer who asks for a message is answered,
// before [ReliabilityManager.StartPeriodicTasks] or, for programs with a loop of their
// own, unless they call [ReliabilityManager.Tick].
//
// # Configuration
//
// [NewReliabilityManager] takes it from the environment variable SDS_CONFIG, as the
// shared library does: a JSON object with the keys that [github.com/libsds/libsds/core.ParseConfig] reads.
// [NewReliabilityManagerWithOptions] takes it as an option, and a participant id, which
// repairs (SDS-R) need, and what keeps the channels across restarts.
//
// # Logging
//
// The zap logger hears of every operation and event at Debug, of beginnings and ends at
// Info, of what was lost at Warn, and of what goes wrong without failing a call at Error.
// No line has contents in it. Lines about a channel are written while it is locked: a
// core of the logger must not call the manager.
package sds
