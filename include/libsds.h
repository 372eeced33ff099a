/**
 * @file libsds.h
 * @brief End-to-end reliability for group messaging (SDS), version 0.1.0.
 */
/**
 * @mainpage libsds
 *
 * End-to-end reliability for group messaging (SDS).
 *
 * The host gives every outgoing message to SdsWrap and broadcasts what it gets; it
 * gives every payload that its transport receives to SdsUnwrap. The library notices
 * what was lost, asks for it, and tells the host through events. Nothing is sent by
 * the library itself.
 *
 * There are two APIs on the same contexts. The native one takes and gives bytes and
 * structs, and is what a new host should use; examples/c/native.c is a complete one. The
 * eleven functions with callbacks at the end are those of nim-sds' libsds, with the same
 * names, types and meaning, for hosts that were written for it; docs/compat.md lists what
 * differs. A context made with one can be used with the other.
 *
 * @section contexts Contexts
 * A context is one participant with its channels, made by SdsOpen (or by a constructor
 * of the replaced library) and ended by SdsClose (or SdsCleanupReliabilityManager). Its
 * address is never used again for another one while the process lives: a context that
 * was closed, a pointer that never was one, and NULL are an error
 * (SDS_ERR_INVALID_CONTEXT), not a crash. That takes about a quarter of a kilobyte for
 * each context that ever was.
 *
 * A channel is made, or loaded if something keeps it, by the first message sent or
 * received in it, or by SdsEnsureChannel. From then on it is in memory, until it is
 * dropped or the context ends. It outlives the process only where something keeps it; see
 * Persistence.
 *
 * @section threads Threads
 * Every function may be called from any thread at any time, from inside event and
 * result callbacks too. A function works on its caller's thread; operations on
 * different channels run side by side. Time passes for a context in one of two ways:
 * on a thread of the library, after SdsStart, or where the host calls SdsTick. Without
 * either, no message is sent again or given up, no peer who asks for one is answered, and
 * nothing reminds of sync messages.
 *
 * @section callbacks Callbacks
 * The events of an operation come before it returns (or before its result callback), in
 * their order and in that of the operations; another call on the same context may be
 * the one that delivers them, on its thread. Callbacks of one context never run at the
 * same time as each other, whatever threads they are on; the retrieval hint provider
 * counts as one. A function that takes a result callback calls it exactly once, on the
 * calling thread, before it returns.
 *
 * A context can have two receivers of events: a handler (SdsSetEventHandler, SdsOptions)
 * that is given structs, and a callback (SdsSetEventCallback) that is given JSON. If
 * both are set, each event goes to the callback and then to the handler.
 *
 * A callback may call any function of any context, also SdsClose of its own, and two
 * threads whose callbacks call into each other's context do not deadlock. While such a
 * nested call has to wait for another thread's callback, a third thread's callback of
 * the outer context may run in between; no two of them ever execute at once. What a
 * callback must not do is wait for another thread that is itself in a call on its
 * context.
 *
 * Three kinds of callbacks run while something is locked and may call next to nothing:
 * the hint provider and the log handler nothing but SdsFree, SdsVersion, SdsAbiVersion
 * and SdsStatusString; persistence procedures these, and SdsLoadMeta, SdsLoadMessage,
 * SdsLoadHint and SdsFail. Any other call fails at once (SDS_ERR_INVALID_ARGUMENT or
 * RET_ERR), and the error names where it came from: "libsds error: called from inside a
 * retrieval hint provider". Nothing deadlocks.
 *
 * A callback should not take long: other calls on its context may return only after it.
 * Other contexts go on meanwhile.
 *
 * Callbacks, handlers, providers and procedures must return: they must not throw C++
 * exceptions, longjmp or end their thread. An exception that leaves one ends the process
 * at once, with std::terminate(), whatever catches it further out. A thread that has left
 * one with longjmp() is refused from its next call on ("libsds error: a callback on this
 * thread never returned"), unless that comes from further down the stack than the callback
 * was, which looks like a call from inside it. Other threads may wait for ever for what
 * was left, as they do for a thread that has ended inside a callback. Where the jump goes to
 * a callback further out, the process ends when that one returns.
 *
 * @section memory Memory
 * What the host passes is read during the call and copied where it is kept: contents,
 * payloads and structs are the host's again when the function returns.
 *
 * What a native function returns through a pointer (a payload, an SdsUnwrapped, a text)
 * is one block of memory that is the host's from then on, and is freed with one call of
 * SdsFree, on any thread and at any time, also after the context was closed. When a
 * function fails, its outputs are NULL and 0, so that they can be freed in any case. An
 * SdsEvent and everything that it points to is valid during its handler only. Texts that
 * result callbacks get are the library's: they stay readable for at least 1 s after the
 * callback returned (100 ms where more than 256 MiB of them are held); an event's JSON
 * only during its callback.
 *
 * Strings end with a NUL, which their lengths do not count; contents, payloads and other
 * bytes do not. Bytes of length 0 that the library gives are NULL, and those that it is
 * given may be.
 *
 * @section ids Ids and strings
 * Ids of participants, channels and messages are UTF-8, not empty (that of a participant
 * may be), at most maxIdBytes long, and compared byte by byte. A peer may have put a NUL
 * into one, which no C string can hold: native functions, persistence procedures and the hint
 * provider show each such NUL as the two bytes C0 80, which UTF-8 never has, and take them
 * back, so to the host an id is a key like any other. Functions that have result callbacks
 * do not take them, and JSON has an escaped NUL (backslash, u0000).
 *
 * @section persistence Persistence
 * A participant that restarts without its state sends with a clock that went back,
 * delivers again what it had, and forgets what nobody has acknowledged yet. The key
 * storePath of the configuration has the library keep everything itself, in a file
 * that serves one context at a time, without a line of the host's code. A host with a
 * database of its own gives the library procedures over it instead (SdsOptions,
 * SdsSetPersistence). The rest of this section is about these.
 *
 * What is kept of a channel is a meta, which is small, complete and replaced as a
 * whole, its log of up to maxMessageHistory messages, and retrieval hints for
 * messages of the log. All of it is bytes that the host need not understand.
 *
 * Save points. Every operation that changes a channel saves once, at its end and
 * before any of its events: first the meta, then what joined and left the log, then
 * each retrieval hint that was learnt. A process that ends between the first two
 * loses what the second would have kept. A host with transactions therefore sets
 * `commit`, which is called in place of the first two: then an operation is kept as
 * a whole or not at all. The timers save what they change, too.
 *
 *   | procedure        | called                                     | when it fails                   |
 *   |------------------|--------------------------------------------|---------------------------------|
 *   | loadChannel      | on the first use of a channel              | so does the operation, with SDS_ERR_PERSISTENCE and the host's words |
 *   | saveChannelMeta  | at each save point; not with `commit`      | the next operation saves again, and that holds everything |
 *   | updateHistory    | after it, if the log changed; not with `commit` | the same changes come again, with later ones, at the next save point |
 *   | commit           | at each save point                         | the same, hints included        |
 *   | setRetrievalHint | after these, for each new hint             | it comes again at the next save point |
 *   | dropChannel      | when a channel is dropped or all are reset | so does the operation, with SDS_ERR_PERSISTENCE and the host's words, and the channel stays |
 *
 * A failing save fails no operation and holds nothing up: the library goes on from
 * memory, and the host, who returned the error, knows of it. Of the file of storePath the
 * log handler is told.
 *
 * Threads. A procedure runs on the thread of the operation, which is the library's for
 * what SdsStart does, while its channel is locked. (With storeSync "batch", `commit`
 * and the setRetrievalHint after it run without that lock, and maybe on the thread of
 * another operation that is committed at the same time.) Procedures of one context
 * never run at the same time as each other; an event callback or a hint provider of
 * the context may be running meanwhile on another thread.
 *
 * Calling back. From inside a procedure only SdsLoadMeta, SdsLoadMessage,
 * SdsLoadHint and SdsFail may be called, beside what may be called anywhere (see
 * Callbacks); any other function fails with "libsds error: called from inside a
 * persistence procedure". A procedure may have
 * another thread do its work and wait for it, and that one may call these four for
 * it; but it must not wait for a thread that is itself in another call of the
 * library.
 *
 * Ownership. Memory never changes owner: what a procedure is passed is valid until
 * it returns, and what it passes is copied at once.
 *
 * @section errors Errors
 * A native function returns an SdsStatus, SDS_OK or what kind of thing went wrong;
 * SdsStatusString names it. Where it has a parameter `error`, which may be NULL, that
 * receives NULL or a text in UTF-8 for people, which says what was wrong with which
 * argument, channel or key, to be freed with SdsFree. The texts begin with
 * "libsds error: "; their wording may change, the numbers of the statuses never do. Where
 * there is no memory for a text, it is NULL.
 *
 *   | status                    | meaning                                              |
 *   |---------------------------|------------------------------------------------------|
 *   | SDS_ERR_INVALID_ARGUMENT  | an argument or a key of the configuration, or a call at a wrong moment: from inside a procedure, after a longjmp() out of a callback, SdsTick after SdsStart, a channel that is not in memory |
 *   | SDS_ERR_OUT_OF_MEMORY     | no memory for the result; the operation may have taken effect |
 *   | SDS_ERR_INTERNAL          | a defect of the library                              |
 *   | SDS_ERR_SERIALIZATION     | frozen; does not occur                               |
 *   | SDS_ERR_DESERIALIZATION   | not an SDS message: deliver the payload as it is     |
 *   | SDS_ERR_MESSAGE_TOO_LARGE | content over maxContentBytes                         |
 *   | SDS_ERR_PERSISTENCE       | the store or a procedure failed                      |
 *   | SDS_ERR_LIMIT_EXCEEDED    | a configured limit                                   |
 *   | SDS_ERR_INVALID_CONTEXT   | the context was closed, never was one, or is NULL    |
 *   | SDS_ERR_FORKED            | called in a child of fork()                          |
 *
 * Of several things that are wrong with a call, the first that applies is reported:
 * a forked child, a call from inside something that may not call, an output that is
 * NULL, the context, the other arguments, the operation itself.
 *
 * Of the functions that take a result callback, each returns, the first that applies,
 * - RET_ERR in a forked child and from inside what may not call; a callback gets RET_ERR
 *   and a text that says so;
 * - RET_MISSING_CALLBACK when the callback is NULL; nothing else happened;
 * - RET_ERR when its arguments are wrong; the callback gets RET_ERR and a text
 *   that begins with "libsds error: ";
 * - RET_OK otherwise. The callback gets RET_OK and the result, or RET_ERR and a
 *   text such as "error processing WRAP_MESSAGE request: reMessageTooLarge". The
 *   request is WRAP_MESSAGE, UNWRAP_MESSAGE, MARK_DEPENDENCIES_MET,
 *   RESET_RELIABILITY_MANAGER, START_PERIODIC_TASKS or REMOVE_CHANNEL, the error one of
 *
 *   | error                  | meaning                                              |
 *   |------------------------|------------------------------------------------------|
 *   | reInvalidArgument      | empty content, unknown channel, an id that is too long or not UTF-8 (": " and which one follow), timers of a context that SdsTick drives |
 *   | reOutOfMemory          | no memory for the result; the operation took effect  |
 *   | reInternalError        | a defect of the library; ": " and details follow     |
 *   | reSerializationError   | frozen; does not occur                               |
 *   | reDeserializationError | not an SDS message: deliver the payload as it is     |
 *   | reMessageTooLarge      | content over maxContentBytes                         |
 *   | rePersistenceError     | the store failed; ": " and its words follow, or what is damaged of what it kept |
 *   | reLimitExceeded        | a configured limit; ": " and which one follow        |
 *
 * @section logs Logs, counters, inspection
 * The library writes nothing to stdout or stderr. What it does and what goes wrong
 * without failing a call goes to a log handler if one is set (SdsSetLogHandler): lines
 * that name operation, channel and message id, never content. Counters and gauges come
 * from SdsStats (docs/metrics.md lists them), and what a channel holds, and why a message
 * is not delivered, from SdsInspect.
 *
 * @section fork Fork
 * A child of fork() cannot use the library, not even contexts of its own: every
 * function fails at once with SDS_ERR_FORKED or RET_ERR and "libsds error: used in a
 * forked child process".
 * SdsFree, SdsVersion, SdsAbiVersion and SdsStatusString still work, exec() is fine, and
 * so is the parent. A child forked inside a
 * callback or a procedure must end there, with exec() or _exit(): there is nothing to
 * return to. A child that lives on without exec() keeps the files in use that its
 * parent had opened with storePath.
 *
 * @section signals Signals and loading
 * Loading the library sets handlers for SIGSEGV, SIGBUS and SIGFPE, which forward
 * what does not happen inside it, and leaves every other signal as it was, but for
 * one flag: handlers that the host has set get SA_ONSTACK, because a signal may
 * arrive while its thread is inside the library, on a stack that is small. Handlers
 * that are set later should have that flag too.
 *
 * The library's threads block all signals that they can, so that one that the host
 * has blocked in order to wait for it (sigwait, signalfd) comes to the host. They
 * cannot block SIGCHLD: a host that waits for it that way, without a handler, may
 * miss it, and should call waitpid(). Threads that a callback of the timers creates
 * inherit the mask.
 *
 * dlclose() is harmless and unloads nothing. A crash inside a callback ends in a report
 * of the Go runtime on stderr unless the host handles the signal. GOGC and GOMEMLIMIT in
 * the environment do not reach it; GODEBUG, GOMAXPROCS and GOTRACEBACK do.
 *
 * @section versions Versions
 * The SONAME, libsds.so.1, and SdsAbiVersion change when the ABI breaks. Within it
 * functions, events, statuses and keys are only added, and each function says since when
 * it is there; types are as old as the functions that use them. Structs that begin with
 * `size` may grow at their ends: who fills one in sets `size` to its sizeof, and what lies
 * beyond that counts as zero; who reads one looks at no member that lies beyond its
 * `size`. A host ignores types of events that it does not know.
 *
 * @section configuration Configuration
 * A JSON object; every key is optional. A key that is not listed, a value of the
 * wrong type and one out of range are errors that name the key, what was given and what
 * it takes. A context made without a configuration takes that of the environment variable
 * SDS_CONFIG, if set, as getenv() finds it at that moment.
 *
 *   | key                        | default    | meaning                                     |
 *   |----------------------------|------------|---------------------------------------------|
 *   | bloomFilterCapacity        | 10000      | ids that the filter in each message covers  |
 *   | bloomFilterErrorRate       | 0.001      | its share of false positives when full      |
 *   | maxMessageHistory          | 1000       | messages that the log of a channel keeps    |
 *   | maxCausalHistory           | 10         | messages that each message cites: it waits for these, not for older ones |
 *   | resendIntervalMs           | 60000      | unacknowledged for so long: sent again      |
 *   | maxResendAttempts          | 5          | and given up after so many times            |
 *   | syncMessageIntervalMs      | 30000      | between SDS_EVENT_PERIODIC_SYNC events      |
 *   | bufferSweepIntervalMs      | 60000      | between looks for what to resend or give up |
 *   | repairTMinMs, repairTMaxMs | 30000, 300000 | range of the delay before asking for repair; asking ends the latter after it was first due |
 *   | numResponseGroups          | 1          | groups that share the work of answering     |
 *   | maxRepairRequests          | 3          | repairs that one message asks for           |
 *   | repairSweepIntervalMs      | 5000       | between looks for what to answer            |
 *   | wireFormat                 | "sds-0.4"  | what is written: "sds-0.2", "sds-0.3", "sds-0.4", "lip-109"; all are read |
 *   | channelWireFormats         | {}         | an object from channel ids to formats, for channels that are to write another: {"lobby": "lip-109"} |
 *   | lamportUnit                | "auto"     | "seconds", "milliseconds", or by the format that a channel writes |
 *   | ackConfidence              | 1e-6       | a filter with fewer false positives acknowledges alone |
 *   | possibleAckThreshold       | 2          | and otherwise so many do together           |
 *   | missingDependencyTimeoutMs | 600000     | how long a message waits for others; 0: for ever |
 *   | maxLamportDriftMs          | 86400000   | how far a peer can move the clock ahead; what is further ahead is not cited |
 *   | storePath                  | ""         | a file that keeps the channels, made if missing; see Persistence |
 *   | storeSync                  | "full"     | "full": an operation is committed by itself; "batch": those that run at the same time share a commit |
 *   | maxContentBytes            | 1048576    | content of a message                        |
 *   | maxWireBytes               | 8388608    | a received payload                          |
 *   | maxHistoryEntries          | 4096       | entries of a received causal history, or of its repair requests |
 *   | maxIdBytes                 | 1024       | an id; at most 32752 with storePath         |
 *   | maxChannels                | 0          | channels of a context; 0: no bound, not even for strangers |
 *   | acceptUnknownChannels      | true       | a received message may create its channel   |
 *   | maxIncomingMessages        | 10000      | messages per channel that wait for others   |
 *   | maxIncomingBytes           | 67108864   | and their size; past either, the oldest waits no longer |
 *   | maxOutgoingMessages        | 10000      | unacknowledged messages per channel         |
 *   | maxRepairEntries           | 1000       | entries of each repair buffer               |
 *
 * A channel that channelWireFormats does not name writes wireFormat, unless a received
 * message makes it: if one of wireFormat and that message is "lip-109" and the other is not,
 * the channel takes the format of the message and keeps it, over restarts too. To have no
 * stranger decide, name the channel or make it first (SdsEnsureChannel).
 */
#ifndef LIBSDS_H
#define LIBSDS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- versions, statuses, memory -------------------------------------------------- */
/** @defgroup api_versions Versions, statuses, memory
 *  @{ */

/** The version of this header. */
#define SDS_VERSION "0.1.0"

/** The version of the ABI that this header declares: the number in the SONAME. */
#define SDS_ABI_VERSION 1

/**
 * What native functions return; see Errors. The numbers are frozen.
 */
typedef enum {
    /** Done. */
    SDS_OK = 0,
    /** As RET_ERR; no native function returns it. */
    SDS_ERR = 1,
    /** As RET_MISSING_CALLBACK; no native function returns it. */
    SDS_ERR_MISSING_CALLBACK = 2,
    /** An argument is wrong, or the call comes at a wrong moment. */
    SDS_ERR_INVALID_ARGUMENT = 10,
    /** No memory. */
    SDS_ERR_OUT_OF_MEMORY = 11,
    /** A defect of the library. */
    SDS_ERR_INTERNAL = 12,
    /** Frozen; does not occur. */
    SDS_ERR_SERIALIZATION = 13,
    /** Not an SDS message. */
    SDS_ERR_DESERIALIZATION = 14,
    /** Content over maxContentBytes. */
    SDS_ERR_MESSAGE_TOO_LARGE = 15,
    /** The store or a persistence procedure failed. */
    SDS_ERR_PERSISTENCE = 16,
    /** A configured limit. */
    SDS_ERR_LIMIT_EXCEEDED = 17,
    /** The context was closed, never was one, or is NULL. */
    SDS_ERR_INVALID_CONTEXT = 20,
    /** Called in a child of fork(). */
    SDS_ERR_FORKED = 21
} SdsStatus;

/**
 * Tells which library was loaded. Like the three functions that follow, it works
 * anywhere: on any thread, inside procedures and handlers, and in a forked child.
 *
 * @return The version of the library, such as "1.2.3", for as long as the process lives.
 * @since 0.1.0
 */
const char *SdsVersion(void);

/**
 * Tells which ABI the loaded library has. A host that loads it by name compares this
 * with SDS_ABI_VERSION.
 *
 * @return The number in the SONAME.
 * @since 0.1.0
 */
uint32_t SdsAbiVersion(void);

/**
 * Says what a status means.
 *
 * @param status An SdsStatus, or any other number.
 * @return A few words in English such as "not an SDS message", for as long as the
 *         process lives; never NULL.
 * @since 0.1.0
 */
const char *SdsStatusString(int status);

/**
 * Frees what a function of the library gave the host to free: payloads, an
 * SdsUnwrapped, texts. A context is ended with SdsClose.
 *
 * @param p The memory; NULL is fine.
 * @since 0.1.0
 */
void SdsFree(void *p);

/** @} */

/* ---- messages and events --------------------------------------------------------- */
/** @defgroup api_events What is received and announced
 *  @{ */

/** What a message is for. */
typedef enum {
    /** It has a content, and is delivered in causal order. */
    SDS_KIND_CONTENT = 1,
    /** It has none: it tells and asks what a message would, and is not delivered. */
    SDS_KIND_SYNC = 2,
    /** It is delivered at once or lost, and leaves no trace. */
    SDS_KIND_EPHEMERAL = 3
} SdsKind;

/** A message that another one cites. */
typedef struct {
    /** Its id. */
    const char *messageId;
    /** What the host of a peer said about where it can be fetched; NULL if nothing. */
    const uint8_t *hint;
    /** The length of the hint. */
    size_t hintLen;
    /** Who sent it; "" when that is not known. */
    const char *senderId;
} SdsDependency;

/** A received message, in one block that SdsFree frees. */
typedef struct {
    /** The size of this struct as the library was compiled with it. */
    uint32_t size;
    /** An SdsKind. */
    uint32_t kind;
    /** The content; NULL for a sync message. */
    const uint8_t *content;
    /** Its length in bytes. */
    size_t contentLen;
    /** The channel. */
    const char *channelId;
    /** The message. */
    const char *messageId;
    /** Who sent it; "" when not named. */
    const char *senderId;
    /** Its logical time, in the unit of its sender; 0 for an ephemeral message. */
    uint64_t lamport;
    /** 1 when it was delivered before, else 0. */
    uint32_t duplicate;
    /** 1 when it waits for them: SDS_EVENT_MESSAGE_READY comes when it is delivered. */
    uint32_t buffered;
    /** What it cites that was not delivered yet; NULL if nothing. */
    const SdsDependency *missing;
    /** How many there are. */
    size_t missingCount;
} SdsUnwrapped;

/** The types of events; see SdsEvent for what each holds. */
typedef enum {
    /** A message was delivered, in causal order. */
    SDS_EVENT_MESSAGE_READY = 1,
    /** An own message was acknowledged. */
    SDS_EVENT_MESSAGE_SENT = 2,
    /** A message, also a sync message, cites others that were not delivered yet. */
    SDS_EVENT_MISSING_DEPENDENCIES = 3,
    /** It is time to say something, with SdsWrapSync where there is nothing to say. */
    SDS_EVENT_PERIODIC_SYNC = 4,
    /** Broadcast this answer to a peer who asked. */
    SDS_EVENT_REPAIR_READY = 5,
    /** Broadcast this own message again: nobody acknowledged it. */
    SDS_EVENT_RESEND_READY = 6,
    /** An own message was given up: nobody acknowledged it. */
    SDS_EVENT_DELIVERY_FAILED = 7,
    /** A message was delivered without others that never came. */
    SDS_EVENT_DEPENDENCIES_LOST = 8
} SdsEventType;

/**
 * Something that a channel announces. What a type does not have is NULL or 0.
 *
 *   | type                           | members, beside channelId and messageId            |
 *   |--------------------------------|-----------------------------------------------------|
 *   | SDS_EVENT_MESSAGE_READY        | message: the content                                |
 *   | SDS_EVENT_MESSAGE_SENT         | none                                                |
 *   | SDS_EVENT_MISSING_DEPENDENCIES | deps                                                |
 *   | SDS_EVENT_PERIODIC_SYNC        | channelIds: those in memory that hold anything, if any; not channelId, messageId |
 *   | SDS_EVENT_REPAIR_READY         | message: the payload to broadcast                   |
 *   | SDS_EVENT_RESEND_READY         | message: the payload to broadcast; attempts: which one this is |
 *   | SDS_EVENT_DELIVERY_FAILED      | attempts: how many there were                       |
 *   | SDS_EVENT_DEPENDENCIES_LOST    | deps; SDS_EVENT_MESSAGE_READY follows               |
 *
 * A host that shows each message on its SDS_EVENT_MESSAGE_READY shows them in causal order,
 * and needs the result of SdsUnwrap for nothing else than senderId and lamport.
 */
typedef struct {
    /** The size of this struct as the library was compiled with it. */
    uint32_t size;
    /** An SdsEventType. */
    uint32_t type;
    /** The channel. */
    const char *channelId;
    /** The message that the event is about. */
    const char *messageId;
    /** A content or a payload. */
    const uint8_t *message;
    /** Its length in bytes. */
    size_t messageLen;
    /** What the message lacks or lacked. */
    const SdsDependency *deps;
    /** How many there are. */
    size_t depCount;
    /** How often the message was sent again, without the first time. */
    uint32_t attempts;
    /** Channels, in the order of their ids. */
    const char *const *channelIds;
    /** How many there are. */
    size_t channelCount;
} SdsEvent;

/**
 * Receives the events of a context; see Callbacks.
 *
 * @param event    The event, with all it points to valid until the handler returns.
 * @param userData What was passed beside the handler.
 */
typedef void (*SdsEventHandler)(const SdsEvent *event, void *userData);

/** @} */

/* ---- what a host may provide ----------------------------------------------------- */
/** @defgroup api_provide What a host may provide
 *  @{ */

/**
 * Tells where a message can be fetched: bytes that mean something to the host and
 * its peers, such as the hash that a store knows it by. They travel with every
 * citation of the message and reach peers as the hint of an SdsDependency
 * ("retrievalHint").
 *
 * Called while a message or a sync message is wrapped, for each message that it cites
 * without a hint, until it gives one. It may call next to nothing; see Callbacks.
 *
 * @param messageId The message, in the channel that is wrapped for.
 * @param hint      Receives memory from malloc(), which the library frees with
 *                  free(), or stays NULL when there is no hint.
 * @param hintLen   Receives its length, at most 4096; longer hints are not used.
 * @param userData  What was passed beside the provider.
 */
typedef void (*SdsRetrievalHintProvider)(const char *messageId, char **hint, size_t *hintLen, void *userData);

/**
 * One call of a persistence procedure, for the functions that a procedure may call.
 * It names the call and is not memory to look into. It is valid until the procedure
 * returns; after that, and for any other value, those functions do nothing.
 */
typedef struct SdsCall SdsCall;

/** A message that joins the log. */
typedef struct {
    /** Its id, a key within its channel. */
    const char *messageId;
    /** Its logical time. The log is ordered by it, and by the id where it is equal. */
    int64_t lamport;
    /** What to hand back to SdsLoadMessage. */
    const uint8_t *message;
    /** Its length in bytes. */
    size_t messageLen;
} SdsHistoryRecord;

/**
 * The procedures through which a host keeps channels; see Persistence.
 *
 * Each is given the call, the channel and, as userData, what was passed beside the table.
 * It returns 0 if it did what it was asked to. Otherwise it may first say why with
 * SdsFail; without that, the error is of the form "loadChannel returned 5".
 *
 * Set the table to zero, `size` to sizeof(SdsPersistence), and then what there is to
 * set: `loadChannel` and `dropChannel`, and either `commit` or both of
 * `saveChannelMeta` and `updateHistory`.
 */
typedef struct {
    /** The size of this struct as the host was compiled with it. */
    uint32_t size;

    /**
     * Replaces the meta of a channel.
     *
     * @param meta    The meta; its former value need not be kept.
     * @param metaLen Its length, not 0.
     */
    int (*saveChannelMeta)(SdsCall *call, const char *channelId, const uint8_t *meta, size_t metaLen, void *userData);

    /**
     * Changes the log of a channel, all of it or nothing. A message to append that is
     * there already replaces the one of the same id; one to evict that is not there is
     * no error. The retrieval hint of an evicted message goes with it.
     *
     * @param append      The messages that join the log, NULL when there are none.
     * @param appendCount How many there are.
     * @param evict       The ids that leave the log, NULL when there are none. None is
     *                    also in append.
     * @param evictCount  How many there are; not both counts are 0.
     */
    int (*updateHistory)(SdsCall *call, const char *channelId, const SdsHistoryRecord *append, size_t appendCount,
                         const char *const *evict, size_t evictCount, void *userData);

    /**
     * Hands over what is kept of a channel, with SdsLoadMeta, SdsLoadMessage and
     * SdsLoadHint. To find nothing is a success: the channel is new.
     */
    int (*loadChannel)(SdsCall *call, const char *channelId, void *userData);

    /**
     * Forgets a channel: meta, log and hints. One that is not known is a success. It
     * is called for channels that were not used since the start, too, but a reset can
     * only name those that were.
     */
    int (*dropChannel)(SdsCall *call, const char *channelId, void *userData);

    /**
     * Keeps where a message of the log can be fetched, in place of what was kept of
     * that before. May be NULL: hints are then asked for again after a restart.
     *
     * @param messageId The message.
     * @param hint      The hint.
     * @param hintLen   Its length, from 1 to 4096.
     */
    int (*setRetrievalHint)(SdsCall *call, const char *channelId, const char *messageId, const uint8_t *hint,
                            size_t hintLen, void *userData);

    /**
     * saveChannelMeta and updateHistory in one transaction. May be NULL; if it is set,
     * the two are not called. append and evict may both be empty here.
     */
    int (*commit)(SdsCall *call, const char *channelId, const uint8_t *meta, size_t metaLen,
                  const SdsHistoryRecord *append, size_t appendCount, const char *const *evict, size_t evictCount,
                  void *userData);
} SdsPersistence;

/** @} */

/* ---- contexts -------------------------------------------------------------------- */
/** @defgroup api_contexts Contexts
 *  @{ */

/**
 * What a context is made of. Set it to zero, `size` to its sizeof, and then what there
 * is to set.
 */
typedef struct {
    /** The size of this struct as the host was compiled with it. */
    uint32_t size;
    /**
     * Names this participant to its peers, the same after every restart; NULL or ""
     * switches repairs (SDS-R) off.
     */
    const char *participantId;
    /** See Configuration; NULL or "" takes SDS_CONFIG or defaults. */
    const char *configJson;
    /** What keeps the channels; NULL if nothing or the key storePath does. Copied. */
    const SdsPersistence *persistence;
    /** Handed to the procedures; it must live until the context was closed. */
    void *persistenceUserData;
    /** Receives the events; may be NULL, and set later. */
    SdsEventHandler eventHandler;
    /** Handed to the handler. */
    void *eventUserData;
    /** Is asked for retrieval hints; may be NULL. */
    SdsRetrievalHintProvider hintProvider;
    /** Handed to the provider. */
    void *hintUserData;
} SdsOptions;

/**
 * Makes a context. No channel is loaded yet, and no event announced.
 *
 * @param options What it is made of; read during the call. NULL is all defaults.
 * @param ctx     Receives the context, to be ended with SdsClose.
 * @param error   See Errors. Of a configuration the text names the key, what was given
 *                and what it takes.
 * @return SDS_OK; SDS_ERR_INVALID_ARGUMENT, also when there are both procedures and a
 *         storePath; SDS_ERR_PERSISTENCE when the file of storePath cannot be opened, in
 *         use by another context for example; SDS_ERR_OUT_OF_MEMORY; SDS_ERR_FORKED;
 *         SDS_ERR_INTERNAL.
 * @since 0.1.0
 */
int SdsOpen(const SdsOptions *options, void **ctx, char **error);

/**
 * Ends a context. Waits for calls and callbacks that run on other threads; once it
 * returned, no callback of this context comes any more. From inside a callback it does
 * not wait for that callback, nor for those it was called from. Of an operation that it
 * interrupts there, the remaining events are dropped. Where callbacks on several threads
 * close each other's context, the call that would wait for ever leaves out those that
 * wait for it. What is kept of the channels stays, and the file of storePath is free.
 *
 * @param ctx The context; not valid afterwards.
 * @return SDS_OK; SDS_ERR_INVALID_CONTEXT, also for a context that another thread is
 *         closing; SDS_ERR_INVALID_ARGUMENT from inside what may not call;
 *         SDS_ERR_FORKED.
 * @since 0.1.0
 */
int SdsClose(void *ctx);

/**
 * Sets who gets the events of a context as structs; NULL is nobody. Waits for callbacks
 * that run on other threads: once it returned, the handler that was set before is not
 * called any more. (One that waits inside a call of its own on another context may still
 * have to return.) Events that occur while neither a handler nor a callback is set are
 * kept, the newest 1024, and delivered from inside this function.
 *
 * @param ctx      The context.
 * @param handler  Receives the events.
 * @param userData Handed to the handler.
 * @return SDS_OK; SDS_ERR_INVALID_CONTEXT; SDS_ERR_INVALID_ARGUMENT from inside what may
 *         not call; SDS_ERR_FORKED; SDS_ERR_INTERNAL.
 * @since 0.1.0
 */
int SdsSetEventHandler(void *ctx, SdsEventHandler handler, void *userData);

/** @} */

/* ---- messages -------------------------------------------------------------------- */
/** @defgroup api_messages Messages
 *  @{ */

/**
 * Makes the payload to broadcast for a new message. It is in the sender's log at once,
 * without an event, and may be broadcast as soon as this returns. A message with an id that
 * was wrapped before takes the place of that one.
 *
 * @param ctx        The context.
 * @param channelId  The channel, made or loaded when it is new.
 * @param messageId  An id that no other message of the channel has.
 * @param content    The content, at least one byte; read in place.
 * @param contentLen Its length, at most maxContentBytes.
 * @param message    Receives the payload, to be freed with SdsFree.
 * @param messageLen Receives its length.
 * @param error      See Errors.
 * @return SDS_OK; SDS_ERR_INVALID_ARGUMENT; SDS_ERR_MESSAGE_TOO_LARGE;
 *         SDS_ERR_LIMIT_EXCEEDED when maxOutgoingMessages wait for an acknowledgement or
 *         maxChannels exist; SDS_ERR_PERSISTENCE when the channel cannot be loaded;
 *         SDS_ERR_OUT_OF_MEMORY; SDS_ERR_INVALID_CONTEXT; SDS_ERR_FORKED;
 *         SDS_ERR_INTERNAL.
 * @since 0.1.0
 */
int SdsWrap(void *ctx, const char *channelId, const char *messageId, const void *content, size_t contentLen,
            uint8_t **message, size_t *messageLen, char **error);

/**
 * Makes a payload without content, which tells and asks what a message would: for a
 * channel that has been quiet, on SDS_EVENT_PERIODIC_SYNC for example. It is not
 * logged, acknowledged or sent again.
 *
 * Peers that run the replaced library take it for a message and cite it: send none
 * where there are such peers.
 *
 * @param ctx        The context.
 * @param channelId  The channel, made or loaded when it is new.
 * @param message    Receives the payload, to be freed with SdsFree.
 * @param messageLen Receives its length.
 * @param error      See Errors.
 * @return As SdsWrap, but for content and maxOutgoingMessages, which do not concern it.
 * @since 0.1.0
 */
int SdsWrapSync(void *ctx, const char *channelId, uint8_t **message, size_t *messageLen, char **error);

/**
 * Makes the payload of a message that is delivered or lost and leaves no trace: "is
 * typing", say. It is not logged, acknowledged or sent again.
 *
 * @param ctx        The context.
 * @param channelId  The channel, made or loaded when it is new.
 * @param messageId  An id, which peers are told and nobody remembers.
 * @param content    The content, at least one byte; read in place.
 * @param contentLen Its length, at most maxContentBytes.
 * @param message    Receives the payload, to be freed with SdsFree.
 * @param messageLen Receives its length.
 * @param error      See Errors.
 * @return As SdsWrap, but for maxOutgoingMessages, which does not concern it.
 * @since 0.1.0
 */
int SdsWrapEphemeral(void *ctx, const char *channelId, const char *messageId, const void *content, size_t contentLen,
                     uint8_t **message, size_t *messageLen, char **error);

/**
 * Takes in a payload that the transport received. Give it everything: what is not an SDS
 * message fails with SDS_ERR_DESERIALIZATION and changes nothing.
 *
 * The content is handed out at once, even when the message has to wait; the events, which
 * come before this returns, say what is delivered and in which order. See SdsEvent.
 *
 * @param ctx        The context.
 * @param message    The payload; read in place.
 * @param messageLen Its length.
 * @param result     Receives the message, to be freed with SdsFree.
 * @param error      See Errors.
 * @return SDS_OK; SDS_ERR_DESERIALIZATION, also for a payload over maxWireBytes and one
 *         with content, ids or histories over the other limits; SDS_ERR_LIMIT_EXCEEDED
 *         when it is of a channel that may not be made (maxChannels,
 *         acceptUnknownChannels); SDS_ERR_PERSISTENCE when its channel cannot be loaded;
 *         SDS_ERR_INVALID_ARGUMENT; SDS_ERR_OUT_OF_MEMORY; SDS_ERR_INVALID_CONTEXT;
 *         SDS_ERR_FORKED; SDS_ERR_INTERNAL.
 * @since 0.1.0
 */
int SdsUnwrap(void *ctx, const void *message, size_t messageLen, SdsUnwrapped **result, char **error);

/**
 * Declares that the host has messages by other means, from a store for example: nothing
 * waits for them or asks for them any longer. What waited for nothing else is delivered,
 * with its events, before this returns.
 *
 * @param ctx        The context.
 * @param channelId  A channel in memory; see Contexts.
 * @param messageIds The ids; NULL when there are none.
 * @param count      How many there are, at most 1,000,000.
 * @param error      See Errors.
 * @return SDS_OK; SDS_ERR_INVALID_ARGUMENT, also when the channel is not in memory;
 *         SDS_ERR_INVALID_CONTEXT; SDS_ERR_FORKED; SDS_ERR_INTERNAL.
 * @since 0.1.0
 */
int SdsMarkMet(void *ctx, const char *channelId, const char *const *messageIds, size_t count, char **error);

/** @} */

/* ---- channels -------------------------------------------------------------------- */
/** @defgroup api_channels Channels
 *  @{ */

/**
 * Makes a channel, or loads what is kept of it, before its first message. For one that is
 * in memory it does nothing.
 *
 * @param ctx       The context.
 * @param channelId The channel.
 * @param error     See Errors.
 * @return SDS_OK; SDS_ERR_INVALID_ARGUMENT; SDS_ERR_LIMIT_EXCEEDED when maxChannels
 *         exist; SDS_ERR_PERSISTENCE when it cannot be loaded; SDS_ERR_INVALID_CONTEXT;
 *         SDS_ERR_FORKED; SDS_ERR_INTERNAL.
 * @since 0.1.0
 */
int SdsEnsureChannel(void *ctx, const char *channelId, char **error);

/**
 * Forgets a channel, what is kept of it first. One that does not exist is no error; the
 * next message that is sent or received in it makes it anew.
 *
 * @param ctx       The context.
 * @param channelId The channel; it need not be in memory.
 * @param error     See Errors.
 * @return SDS_OK; SDS_ERR_INVALID_ARGUMENT; SDS_ERR_PERSISTENCE, and then the channel
 *         stays; SDS_ERR_INVALID_CONTEXT; SDS_ERR_FORKED; SDS_ERR_INTERNAL.
 * @since 0.1.0
 */
int SdsDropChannel(void *ctx, const char *channelId, char **error);

/**
 * Forgets all channels of a context, what is kept of them first. With procedures of the
 * host these are the channels in memory; the file of storePath is emptied.
 *
 * @param ctx   The context.
 * @param error See Errors.
 * @return SDS_OK; SDS_ERR_PERSISTENCE, and then the channels stay;
 *         SDS_ERR_INVALID_ARGUMENT from inside what may not call;
 *         SDS_ERR_INVALID_CONTEXT; SDS_ERR_FORKED; SDS_ERR_INTERNAL.
 * @since 0.1.0
 */
int SdsReset(void *ctx, char **error);

/** @} */

/* ---- time ------------------------------------------------------------------------ */
/** @defgroup api_time Time
 *  @{ */

/**
 * Starts the library's own timer, one thread for the context: resends, repairs,
 * messages that waited too long, and SDS_EVENT_PERIODIC_SYNC. Events come on that
 * thread, too, from then on. It runs until the context is closed; starting twice is the
 * same as once.
 *
 * @param ctx   The context.
 * @param error See Errors.
 * @return SDS_OK; SDS_ERR_INVALID_ARGUMENT when SdsTick drives the context;
 *         SDS_ERR_INVALID_CONTEXT; SDS_ERR_FORKED; SDS_ERR_INTERNAL.
 * @since 0.1.0
 */
int SdsStart(void *ctx, char **error);

/**
 * In place of SdsStart, for a host with a loop of its own (a user interface, asyncio, a
 * game): runs what is due, on the calling thread, with its events, and says when it
 * wants to be called again. Call it once after opening, which makes the schedule and
 * loads what the file of storePath has under way, and then at those times; to call it
 * earlier costs little, to call it late delays what is due and loses nothing. No thread of
 * the library runs for such a context.
 *
 * @param ctx        The context.
 * @param nowUnixMs  The time of the system's clock in milliseconds since 1970, which
 *                   all other functions go by; from 0 to the end of the year 9999, so
 *                   that microseconds do not pass for it.
 * @param nextUnixMs Receives when to call again; may be NULL.
 * @param error      See Errors.
 * @return SDS_OK; SDS_ERR_INVALID_ARGUMENT when the library's own timer was started for
 *         the context, and for a time out of range; SDS_ERR_INVALID_CONTEXT;
 *         SDS_ERR_FORKED; SDS_ERR_INTERNAL.
 * @since 0.1.0
 */
int SdsTick(void *ctx, int64_t nowUnixMs, int64_t *nextUnixMs, char **error);

/** @} */

/* ---- insight --------------------------------------------------------------------- */
/** @defgroup api_insight Insight
 *  @{ */

/**
 * Lists the channels in memory, with how much each holds: {"channels": [...]}, in the
 * order of their ids. In each, "waits" tells whether something in it waits (a message for
 * others, one of ours for an acknowledgement, a repair, a change to be saved), and
 * SdsInspect says what. Beside it there are "channelId", "clock", "logMessages",
 * "outgoingMessages", "incomingMessages", "incomingBytes", "waitingSince" (when the one that
 * has waited longest came), "completeMessages", "outgoingRepairs", "incomingRepairs",
 * "metDependencies", "pendingChanges", "pendingHints" and "dirty".
 *
 * @param ctx   The context.
 * @param json  Receives a JSON object, to be freed with SdsFree.
 * @param error See Errors.
 * @return SDS_OK; SDS_ERR_INVALID_ARGUMENT; SDS_ERR_OUT_OF_MEMORY;
 *         SDS_ERR_INVALID_CONTEXT; SDS_ERR_FORKED; SDS_ERR_INTERNAL.
 * @since 0.1.0
 */
int SdsChannels(void *ctx, char **json, char **error);

/**
 * Shows what a channel holds: why a message is not delivered, or not acknowledged. There
 * is no content in it. Times are milliseconds since 1970; what is due at a time happens in
 * the first sweep after it, so nothing does where neither SdsStart nor SdsTick was called.
 * Keys may be added.
 *
 *   | key                  | value                                                       |
 *   |----------------------|-------------------------------------------------------------|
 *   | inspectedAt          | the time of the answer                                      |
 *   | channelId, participantId, wireFormat | which channel; of whom; what is written in it    |
 *   | timers               | "begun": whether time passes at all; nextBufferSweepAt, nextRepairSweepAt, nextPeriodicSyncAt |
 *   | clock                | lamportTimestamp, and its unit                              |
 *   | log                  | what was delivered, oldest first: messageId, senderId, lamportTimestamp, retrievalHint |
 *   | incomingBuffer       | what was received and waits: waitingSince, givenUpAfter, and missingDependencies, each with its senderId, who certainly has it, and a state |
 *   | completeMessages     | what a restart found to lack nothing: the next operation on the channel delivers it |
 *   | outgoingBuffer       | own messages that nobody acknowledged: lastSentAt, resends, resendsLeft, resendAfter or givenUpAfter, possibleAcknowledgements of possibleAcknowledgementsNeeded |
 *   | outgoingRepairBuffer | what messages of ours ask for: timesAsked, lastAskedAt, nextAskAt, askingEndsAfter |
 *   | incomingRepairBuffer | what peers asked for: answerAt                              |
 *   | metDependencies      | ids that were declared met and did not come since           |
 *   | filter               | ids, capacity, fill, bytes                                  |
 *   | persistence          | kept, dirty, pendingChanges, pendingHints: how far what keeps the channel is behind |
 *
 * The state of a missing dependency is
 *
 *   | state       | what is done about it                                                |
 *   |-------------|----------------------------------------------------------------------|
 *   | "received"  | it is in the incoming buffer itself, which says what it waits for    |
 *   | "scheduled" | the first message of ours from nextAskAt on asks everybody for it    |
 *   | "asked"     | so did one already: timesAsked, lastAskedAt; and again at nextAskAt  |
 *   | "ended"     | nothing more: a peer asks for it, T_max passed without an answer, or it gave way to more urgent ones |
 *   | "off"       | nothing: repairs are off, without a participant id for example       |
 *
 * @param ctx       The context.
 * @param channelId A channel in memory; it is not loaded or made.
 * @param json      Receives a JSON object, to be freed with SdsFree.
 * @param error     See Errors.
 * @return SDS_OK; SDS_ERR_INVALID_ARGUMENT, also when the channel is not in memory;
 *         SDS_ERR_OUT_OF_MEMORY; SDS_ERR_INVALID_CONTEXT; SDS_ERR_FORKED;
 *         SDS_ERR_INTERNAL.
 * @since 0.1.0
 */
int SdsInspect(void *ctx, const char *channelId, char **json, char **error);

/**
 * Counts what a context did since it was opened, and what it holds: a JSON object
 * {"metrics": [{"name", "type", "help", "samples": [{"labels", "value"}]}]}. Names and
 * units are Prometheus'; docs/metrics.md lists them.
 *
 * @param ctx   The context.
 * @param json  Receives the JSON, to be freed with SdsFree.
 * @param error See Errors.
 * @return SDS_OK; SDS_ERR_INVALID_ARGUMENT; SDS_ERR_OUT_OF_MEMORY;
 *         SDS_ERR_INVALID_CONTEXT; SDS_ERR_FORKED; SDS_ERR_INTERNAL.
 * @since 0.1.0
 */
int SdsStats(void *ctx, char **json, char **error);

/**
 * Receives a line of the log. It is called on whichever thread has something to say,
 * never by two at the same time, and maybe while a channel is locked: it must return
 * soon, must not wait for a thread that is inside the library, and may call next to
 * nothing (see Callbacks).
 *
 * @param level    -4 for debugging, 0 for information, 4 for a warning, 8 for an error.
 * @param line     Words and then key=value pairs, such as
 *                 `msg="the channel was loaded" operation=wrap channel=lobby`; one line of
 *                 UTF-8, without time and level, valid until the handler returns.
 * @param len      Its length in bytes.
 * @param userData What was passed beside the handler.
 */
typedef void (*SdsLogHandler)(int level, const char *line, size_t len, void *userData);

/**
 * Sets who gets the log of all contexts of the process; NULL, as at first, is nobody.
 * Once it returned, the handler that was set before is not called any more.
 *
 * @param handler  Receives the lines.
 * @param level    The least level that it wants.
 * @param userData Handed to the handler.
 * @return SDS_OK; SDS_ERR_INVALID_ARGUMENT from inside what may not call;
 *         SDS_ERR_FORKED; SDS_ERR_INTERNAL.
 * @since 0.1.0
 */
int SdsSetLogHandler(SdsLogHandler handler, int level, void *userData);

/** @} */

/* ---- what persistence procedures may call ---------------------------------------- */
/** @defgroup api_procedures What persistence procedures may call
 *  @{ */

/**
 * From inside loadChannel: hands over the meta. At most once; where none was saved
 * yet, not at all or with a length of 0.
 *
 * Of this function and the two that follow: what cannot be is not taken (NULL with a
 * length, a length over 1 GiB, more than 16 GiB in all, an unusable id, a call from
 * inside another procedure), and then the procedure fails, whatever it returns, with
 * an error that says what it was.
 *
 * @param call    What the procedure was passed.
 * @param meta    The meta as it was saved.
 * @param metaLen Its length.
 * @since 0.1.0
 */
void SdsLoadMeta(SdsCall *call, const uint8_t *meta, size_t metaLen);

/**
 * From inside loadChannel: hands over a message of the log, oldest first, that is by
 * (lamport, messageId); the bytes of the ids are compared. The library sorts what
 * comes in another order, and drops what comes twice.
 *
 * @param call       What the procedure was passed.
 * @param message    The message as it was appended.
 * @param messageLen Its length.
 * @since 0.1.0
 */
void SdsLoadMessage(SdsCall *call, const uint8_t *message, size_t messageLen);

/**
 * From inside loadChannel: hands over a retrieval hint, at any time and in any order.
 * One for a message that is not in the log is not used.
 *
 * @param call      What the procedure was passed.
 * @param messageId The message.
 * @param hint      The hint as it was set.
 * @param hintLen   Its length, at most 4096.
 * @since 0.1.0
 */
void SdsLoadHint(SdsCall *call, const char *messageId, const uint8_t *hint, size_t hintLen);

/**
 * From inside any procedure that is about to fail: says why. The last reason counts,
 * and none where the procedure then returns 0.
 *
 * @param call   What the procedure was passed.
 * @param reason The words, UTF-8 of at most 1024 bytes; what lies beyond is cut off.
 * @since 0.1.0
 */
void SdsFail(SdsCall *call, const char *reason);

/**
 * Sets what keeps the channels of a context, for those that were not made by SdsOpen. It
 * must come before the first channel, that is before any message is sent or received.
 *
 * @param ctx         The context. Its configuration must not have a storePath.
 * @param persistence The procedures, copied; NULL keeps nothing, as at first.
 *                    Procedures that lie beyond `size` are taken for NULL, and what
 *                    lies beyond the procedures that the library knows is ignored.
 * @param userData    Handed to the procedures. It must live until the context was
 *                    cleaned up, or until other procedures were set.
 * @param error       See Errors.
 * @return SDS_OK; SDS_ERR_INVALID_ARGUMENT when a procedure is missing (the text names
 *         it), when `size` is too small, when there are channels already or a
 *         storePath, and from inside what may not call;
 *         SDS_ERR_INVALID_CONTEXT; SDS_ERR_FORKED; SDS_ERR_INTERNAL.
 * @since 0.1.0
 */
int SdsSetPersistence(void *ctx, const SdsPersistence *persistence, void *userData, char **error);

/** @} */

/* ---- the API of the replaced library --------------------------------------------- */
/** @defgroup api_replaced The API of the replaced library
 *  @{ */

/** The call was carried out; its callback has the outcome. */
#define RET_OK 0
/** The arguments are wrong, or the context is not valid. */
#define RET_ERR 1
/** The callback is NULL. */
#define RET_MISSING_CALLBACK 2

/**
 * Receives the outcome of a call, or an event.
 *
 * @param callerRet RET_OK or RET_ERR.
 * @param msg       The result, the JSON of the event, or what went wrong. NULL
 *                  only as the result of SdsCleanupReliabilityManager.
 * @param len       Its length in bytes.
 * @param userData  What was passed beside the callback.
 */
typedef void (*SdsCallBack)(int callerRet, const char *msg, size_t len, void *userData);

/**
 * Makes a context without a participant id: it neither asks for repairs nor
 * answers. Otherwise as SdsNewReliabilityManagerWithConfig with NULLs.
 *
 * @param callback Gets RET_OK and "", or RET_ERR and what is wrong.
 * @param userData Handed to the callback.
 * @return The context, or NULL on failure or without a callback.
 * @since 0.1.0
 */
void *SdsNewReliabilityManager(SdsCallBack callback, void *userData);

/**
 * Makes a context.
 *
 * @param participantId Names this participant to its peers, the same after every
 *                      restart; NULL or "" switches repairs (SDS-R) off.
 * @param configJson    See Configuration; NULL or "" takes SDS_CONFIG or defaults.
 * @param callback      Gets RET_OK and "", or RET_ERR and what is wrong.
 * @param userData      Handed to the callback.
 * @return The context, or NULL on failure or without a callback.
 * @since 0.1.0
 */
void *SdsNewReliabilityManagerWithConfig(const char *participantId, const char *configJson, SdsCallBack callback,
                                         void *userData);

/**
 * Sets who gets the events of a context; NULL is nobody. Waits for callbacks that
 * run on other threads: once it returned, the callback that was set before is not
 * called any more. (One that waits inside a call of its own on another context may
 * still have to return.) Events that occur while nobody is set are kept, the newest
 * 1024, and delivered from inside this function to the callback that it sets.
 *
 * Each event is a JSON object with an "eventType":
 *
 *   | eventType               | meaning                            | further fields                        |
 *   |-------------------------|------------------------------------|---------------------------------------|
 *   | message_ready           | delivered, in causal order         | messageId, channelId                  |
 *   | message_sent            | an own message was acknowledged    | messageId, channelId                  |
 *   | missing_dependencies    | a message cites undelivered ones   | messageId, channelId, missingDeps     |
 *   | periodic_sync           | time to say something              | channelIds: where there is something  |
 *   | repair_ready            | broadcast this answer              | channelId, message                    |
 *   | resend_ready            | broadcast this own message again   | messageId, channelId, message, attempt |
 *   | message_delivery_failed | an own message was given up        | messageId, channelId, attempts        |
 *   | dependencies_lost       | delivered without these            | messageId, channelId, lostDeps        |
 *
 * "message" is a payload in base64. "missingDeps" and "lostDeps" are arrays of
 * {"messageId", "retrievalHint"}, the hint in base64 and empty where there is none.
 *
 * @param ctx      The context; nothing happens when it is not valid.
 * @param callback Gets RET_OK and the JSON; NULL unsets.
 * @param userData Handed to the callback.
 * @since 0.1.0
 */
void SdsSetEventCallback(void *ctx, SdsCallBack callback, void *userData);

/**
 * Sets who is asked for retrieval hints; NULL is nobody. It waits for callbacks
 * that run on other threads: once it returned, the provider that was set before is
 * not called any more.
 *
 * @param ctx      The context; nothing happens when it is not valid.
 * @param callback The provider.
 * @param userData Handed to the provider.
 * @since 0.1.0
 */
void SdsSetRetrievalHintProvider(void *ctx, SdsRetrievalHintProvider callback, void *userData);

/**
 * Ends a context. Waits for callbacks that run on other threads; once it returned,
 * no callback of this context comes any more. From inside a callback it does not
 * wait for that callback, nor for those it was called from. Of an operation that it
 * interrupts there, the remaining events are dropped; its result still comes,
 * because that call has yet to return. Where callbacks on several threads clean up
 * each other's context, the call that would wait for ever leaves out those that
 * wait for it.
 *
 * @param ctx      The context; not valid afterwards.
 * @param callback Gets RET_OK, NULL and 0.
 * @param userData Handed to the callback.
 * @return RET_OK, RET_ERR or RET_MISSING_CALLBACK; see Errors.
 * @since 0.1.0
 */
int SdsCleanupReliabilityManager(void *ctx, SdsCallBack callback, void *userData);

/**
 * Forgets all channels of a context, what is stored of them first.
 *
 * @param ctx      The context.
 * @param callback Gets RET_OK and "", or RET_ERR and what went wrong.
 * @param userData Handed to the callback.
 * @return RET_OK, RET_ERR or RET_MISSING_CALLBACK; see Errors.
 * @since 0.1.0
 */
int SdsResetReliabilityManager(void *ctx, SdsCallBack callback, void *userData);

/**
 * Makes the payload to broadcast for a new message.
 *
 * The result is the payload as decimal numbers joined by commas, "10,3,105".
 * An id that was wrapped before replaces that message.
 *
 * @param ctx        The context.
 * @param message    The content, at least one byte.
 * @param messageLen Its length, at most maxContentBytes.
 * @param messageId  An id that no other message of the channel has.
 * @param channelId  The channel, made when it is new.
 * @param callback   Gets RET_OK and the payload, or RET_ERR and what went wrong.
 * @param userData   Handed to the callback.
 * @return RET_OK, RET_ERR or RET_MISSING_CALLBACK; see Errors.
 * @since 0.1.0
 */
int SdsWrapOutgoingMessage(void *ctx, void *message, size_t messageLen, const char *messageId, const char *channelId,
                           SdsCallBack callback, void *userData);

/**
 * Takes in a payload that the transport received. Give it everything: what is not
 * an SDS message fails with reDeserializationError and changes nothing.
 *
 * The result is a JSON object:
 *
 *   | key              | value                                                       |
 *   |------------------|-------------------------------------------------------------|
 *   | message          | the content, an array of numbers                            |
 *   | channelId        | the channel                                                 |
 *   | missingDeps      | what it cites that was not delivered yet: array of {"messageId", "retrievalHint"} |
 *   | messageId        | the message                                                 |
 *   | senderId         | who sent it, "" when not named                              |
 *   | lamportTimestamp | its logical time                                            |
 *   | kind             | "content", "sync" (no content) or "ephemeral"               |
 *   | duplicate        | true when it was delivered before                           |
 *   | buffered         | true when it waits; message_ready comes when it is delivered |
 *
 * The content is handed out at once, even when the message has to wait.
 *
 * @param ctx        The context.
 * @param message    The payload.
 * @param messageLen Its length.
 * @param callback   Gets RET_OK and the JSON, or RET_ERR and what went wrong.
 * @param userData   Handed to the callback.
 * @return RET_OK, RET_ERR or RET_MISSING_CALLBACK; see Errors.
 * @since 0.1.0
 */
int SdsUnwrapReceivedMessage(void *ctx, void *message, size_t messageLen, SdsCallBack callback, void *userData);

/**
 * Declares that the host has messages by other means, from a store for example:
 * nothing waits for them any longer.
 *
 * @param ctx        The context.
 * @param messageIDs The ids.
 * @param count      How many there are, at most 1,000,000.
 * @param channelId  A channel in memory; reInvalidArgument otherwise.
 * @param callback   Gets RET_OK and "", or RET_ERR and what went wrong.
 * @param userData   Handed to the callback.
 * @return RET_OK, RET_ERR or RET_MISSING_CALLBACK; see Errors.
 * @since 0.1.0
 */
int SdsMarkDependenciesMet(void *ctx, char **messageIDs, size_t count, const char *channelId, SdsCallBack callback,
                           void *userData);

/**
 * Starts the timers: resends, repairs, messages that waited too long, and
 * periodic_sync. Without them none of these happen. Starting twice is the same as
 * once.
 *
 * @param ctx      The context.
 * @param callback Gets RET_OK and "", or RET_ERR when SdsTick drives the context.
 * @param userData Handed to the callback.
 * @return RET_OK, RET_ERR or RET_MISSING_CALLBACK; see Errors.
 * @since 0.1.0
 */
int SdsStartPeriodicTasks(void *ctx, SdsCallBack callback, void *userData);

/**
 * Forgets a channel, what is stored of it first. One that does not exist is no
 * error.
 *
 * @param ctx       The context.
 * @param channelId The channel.
 * @param callback  Gets RET_OK and "", or RET_ERR and what went wrong.
 * @param userData  Handed to the callback.
 * @return RET_OK, RET_ERR or RET_MISSING_CALLBACK; see Errors.
 * @since 0.1.0
 */
int SdsRemoveChannel(void *ctx, const char *channelId, SdsCallBack callback, void *userData);

/** @} */

#ifdef __cplusplus
}
#endif

#endif
