// Package core is SDS (Scalable Data Sync) for Go programs: end-to-end
// reliability for group messaging over a transport that loses, repeats and
// reorders. It is what the C library libsds is made of, and uses no cgo.
//
// A Manager is one participant. The host gives it outgoing messages (Wrap) and
// every payload that its transport receives (Unwrap); the manager adds what
// lets the receivers notice a gap and the sender notice an acknowledgement,
// delivers in causal order, and tells of it in events:
//
//	manager, err := core.New(core.Options{ParticipantID: "alice", Handler: handle})
//	payload, err := manager.Wrap(nil, "channel", "message-1", []byte("hello"))
//	// broadcast payload; at the other side:
//	received, err := manager.Unwrap(payload)
//
// What the protocol does in one page:
//
//   - Every message carries a Lamport timestamp, the ids of the messages that
//     its sender delivered last (its causal history), and a bloom filter of the
//     ids that its sender received.
//   - A received message whose history is known is delivered at once, and with
//     it everything that waited only for it. Otherwise it is buffered and
//     MissingDependencies says for what. The content is returned in both cases.
//   - A message of ours that somebody cites, or whose filter holds it, is
//     acknowledged (MessageSent). One that nobody acknowledges is encoded again
//     (ResendReady) and in the end given up (DeliveryFailed).
//   - A participant with an id asks for what it misses in its next message,
//     after a delay that spreads the asking; those who hold the message answer
//     after a delay that spreads the answers (RepairReady).
//   - Delivered messages form the log, ordered by (timestamp, id): it is the
//     same for all who received the same messages.
//
// State is in memory, unless something keeps it: Config.StorePath names a file,
// and then every operation is on disk before it is announced; or Options.Backend
// is the host's own (package persistence). A Manager made anew over what was kept
// goes on where the last one ended.
//
// Stats counts what happened, in the terms of Prometheus (docs/metrics.md).
// Inspect answers why a message is not delivered, or not acknowledged, and
// Overview which channel to inspect.
//
// Options.Logger hears of every operation and event, and of no content.
//
// The caveats: timers run only after Start, or when the host calls Tick.
// Neither confidentiality nor authenticity is provided: what peers say is taken
// as hostile, but who they are is for the host to know. Acknowledgement by
// bloom filter is right with a stated probability, not with certainty.
//
// The layers below: wire reads and writes messages, bloom and farmhash are the
// filter and its hash, channel is the deterministic state machine of one
// channel, snapshot and persistence describe what is kept and by whom, store is
// the file.
package core
