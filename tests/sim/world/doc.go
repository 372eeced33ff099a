// Package world runs participants of libsds in virtual time and holds them to what
// the protocol promises.
//
// # The model
//
// Participants are real managers (core.Manager) with hosts around them that do what
// the documentation tells hosts to do: they broadcast what they wrap, and what
// RepairReady and ResendReady bring; they send a sync message when PeriodicSync says
// so; they tick when Tick says so, and every ten seconds in any case; they fetch
// missing dependencies from the store node, by retrieval hint, three times at most.
// There is no goroutine and no clock: time goes from one occurrence to the next, ties
// are broken by insertion, and a Script, which a seed or a file gives, decides
// everything. So the same script gives the same trace, whose hash tells.
//
// The network is a broadcast: everybody hears everybody, late, once, twice or not at
// all, in any order; it can be split, and can return to its sender what was sent. Its
// chances hang on the names of payload and receiver, so that what happens to one
// payload does not change when another line of the script goes.
//
// A clock of a participant can be wrong from the beginning, and set forward and back.
// A process can end between two operations or in the middle of one, right after a call
// of its backend; what that disk was not told to keep for good is gone then, from the
// end. A disk can fail for a while. Somebody without a backend forgets all.
//
// From calm on nothing is lost and nobody is split off. A run ends once nothing is
// under way any more, or when everything should have come to an end.
//
// # The invariants
//
// A ledger is kept of each participant, by what it announced and broadcast alone:
//
//   - At most once: a message is announced once, unless the log had evicted it, or a
//     crash had taken it from the disk.
//   - Causal order: and only when every message that it cites was announced before,
//     was declared met by the host, or was named by DependenciesLost for it.
//   - Nothing that arrived is lost: in the end it is in the log, or was evicted.
//   - Nothing waits for ever: neither for a dependency, longer than
//     missingDependencyTimeoutMs and a sweep, nor for an acknowledgement.
//   - Acknowledgement: of a message that somebody else took in. It can be wrong only
//     when the filter of the message at hand has the id, and over all seeds not more
//     often than the filters' false-positive probabilities say.
//   - Lamport clock: it never goes back, nor do the timestamps of own messages.
//   - Bounds: log, buffers and sets are within their limits after every operation, but
//     for what it delivered below a full log, all but one of which goes with the next; and
//     a disk that works has been offered everything.
//   - What was saved is loaded: a restart gives what the disk has; all there was, if
//     the process ended between operations and the disk lost nothing.
//   - One id, one message: resends and repairs are what was sent first.
//   - Order of the log: by (timestamp, id), and of what was announced.
//   - No error: nothing fails that should not.
//   - Convergence: see below.
//
// # What the protocol does not promise
//
// That every participant has every message in the end is promised only where nothing
// was lost. Elsewhere convergence is this: the newest maxCausalHistory messages of each
// log, which its sync messages cite again and again, are in every log, if somebody in
// the response group still has them; and what a log lacks beside those has one of these
// reasons, all of which are counted:
//
//   - Unseen: nothing that arrived cites it. A message is cited only while it is among
//     the newest maxCausalHistory of somebody's log. When more than that many come at
//     about the same time, the older ones of them are cited by nobody; who lost such a
//     message never learns of it. Its sender does not send it again either once anybody
//     at all has it.
//   - Given up: it is known to be missing, but asking has ended. Asking ends after
//     repairTMaxMs, when a peer is heard to ask for the same (and the answer is lost),
//     and when maxRepairEntries are waiting. What is far down in a log that somebody
//     lacks is asked for a few at a time, maxRepairRequests in each message.
//   - Nobody asks in time: a message is asked for in messages of ours. Where
//     repairTMaxMs is shorter than syncMessageIntervalMs, asking may end before the
//     next one is sent. And without senders (sds-0.2) nobody answers.
//   - Past: it is older than what maxMessageHistory has room for.
//
// A log that is full has forgotten what it evicted. When such a message comes once
// more, because somebody lacked it and asked, it is delivered again; and what it cites
// is older still, was evicted, too, and is asked for as well. In small logs this can
// go on for ever: such runs are counted (Again, Restless), and not held to come to
// rest.
package world
