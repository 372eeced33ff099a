/**
 * @file libsds.h
 * @brief End-to-end reliability for group messaging (SDS), version 0.1.0.
 *
 * The host gives every outgoing message to SdsWrapOutgoingMessage and broadcasts
 * what it gets; it gives every payload that its transport receives to
 * SdsUnwrapReceivedMessage. The library notices what was lost, asks for it, and
 * tells the host through events. Nothing is sent by the library itself.
 *
 * The first eleven functions are those of nim-sds' libsds, with the same names,
 * types and meaning; docs/compat.md lists what differs. What follows them is this
 * library's own.
 *
 * @section contexts Contexts
 * A context is one participant with its channels, made by a constructor and
 * ended by SdsCleanupReliabilityManager. Its address is never used again for
 * another one while the process lives: a context that was cleaned up, one that
 * never was, and NULL are an error ("libsds error: invalid context"), not a
 * crash. That takes about a quarter of a kilobyte for each context that ever was.
 * Channels come into being with the first message sent or received in them. Their
 * state is in memory, and outlives the process only where something keeps it; see
 * Persistence.
 *
 * @section threads Threads
 * Every function may be called from any thread at any time, from inside
 * callbacks too. A function works on its caller's thread; operations on different
 * channels run side by side. After SdsStartPeriodicTasks, the events of the timers
 * come on a thread of the library.
 *
 * @section callbacks Callbacks
 * A function that takes a callback calls it exactly once, on the calling thread,
 * before it returns. The events of an operation come before its result, in their
 * order and in that of the operations; another call on the same context may be the
 * one that delivers them, on its thread. Callbacks of one context never run at the
 * same time as each other, whatever threads they are on; the retrieval hint provider
 * counts as one.
 *
 * A callback may call any function of any context, also
 * SdsCleanupReliabilityManager of its own, and two threads whose callbacks call
 * into each other's context do not deadlock. While such a nested call has to wait
 * for another thread's callback, a third thread's callback of the outer context
 * may run in between; no two of them ever execute at once. What a callback must
 * not do is wait for another thread that is itself in a call on its context.
 *
 * A hint provider may call nothing: it runs while its channel is locked. Calls
 * from inside it fail with "libsds error: called from inside a retrieval hint
 * provider". The same holds for persistence procedures, a few functions aside; see
 * Persistence. Callbacks, providers and procedures must return; they must not throw
 * C++ exceptions, longjmp or end their thread.
 *
 * @section memory Memory
 * What the host passes is read during the call and copied where it is kept. Ids
 * and configurations are strings, UTF-8, and end with a NUL.
 * Texts that callbacks get are the library's and end with a NUL that their length
 * does not count. A result stays readable for at least 1 s after its callback
 * returned (100 ms where more than 256 MiB of results are held); an event only
 * during its callback.
 *
 * @section persistence Persistence
 * A participant that restarts without its state sends with a clock that went back,
 * delivers again what it had, and forgets what nobody has acknowledged yet. The key
 * storePath of the configuration has the library keep everything itself, in a file
 * that serves one context at a time, without a line of the host's code. A host with a
 * database of its own gives the library procedures over it instead
 * (SdsSetPersistence). The rest of this section is about these.
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
 *   | loadChannel      | on the first use of a channel              | so does the operation, with rePersistenceError and the host's words |
 *   | saveChannelMeta  | at each save point; not with `commit`      | the next operation saves again, and that holds everything |
 *   | updateHistory    | after it, if the log changed; not with `commit` | the same changes come again, with later ones, at the next save point |
 *   | commit           | at each save point                         | the same, hints included        |
 *   | setRetrievalHint | after these, for each new hint             | it comes again at the next save point |
 *   | dropChannel      | when a channel is removed or all are reset | so does the operation, with rePersistenceError and the host's words, and the channel stays |
 *
 * A failing save fails no operation and holds nothing up: the library goes on from
 * memory, and the host, who returned the error, knows of it.
 *
 * Threads. A procedure runs on the thread of the operation, or on the library's for
 * what the timers do, while its channel is locked. (With storeSync "batch", `commit`
 * and the setRetrievalHint after it run without that lock, and maybe on the thread of
 * another operation that is committed at the same time.) Procedures of one context
 * never run at the same time as each other; an event callback or a hint provider of
 * the context may be running meanwhile on another thread.
 *
 * Calling back. From inside a procedure only SdsLoadMeta, SdsLoadMessage,
 * SdsLoadHint, SdsFail and SdsFree may be called; any other function fails with
 * "libsds error: called from inside a persistence procedure". A procedure may have
 * another thread do its work and wait for it, and that one may call these four for
 * it; but it must not wait for a thread that is itself in another call of the
 * library.
 *
 * Ownership. Memory never changes owner: what a procedure is passed is valid until
 * it returns, and what it passes is copied at once.
 *
 * Ids. An id is UTF-8 and a peer may have put a NUL into one, which no C string can
 * hold. Procedures are given each such NUL as the two bytes C0 80, which UTF-8 never
 * has, and SdsLoadHint takes them back: to the host an id is a key like any other.
 *
 * @section errors Errors
 * Of the functions that take a callback, each returns, the first that applies,
 * - RET_ERR in a forked child and from inside a hint provider or a persistence
 *   procedure; a callback gets RET_ERR and a text that says so;
 * - RET_MISSING_CALLBACK when the callback is NULL; nothing else happened;
 * - RET_ERR when its arguments are wrong; the callback gets RET_ERR and a text
 *   that begins with "libsds error: ";
 * - RET_OK otherwise. The callback gets RET_OK and the result, or RET_ERR and a
 *   text such as "error processing WRAP_MESSAGE request: reMessageTooLarge". The
 *   request is WRAP_MESSAGE, UNWRAP_MESSAGE, MARK_DEPENDENCIES_MET,
 *   RESET_RELIABILITY_MANAGER or REMOVE_CHANNEL (START_PERIODIC_TASKS does not
 *   fail today), the error one of
 *
 *   | error                  | meaning                                              |
 *   |------------------------|------------------------------------------------------|
 *   | reInvalidArgument      | empty content, unknown channel, an id that is too long or not UTF-8 (": " and which one follow) |
 *   | reOutOfMemory          | no memory for the result; the operation took effect  |
 *   | reInternalError        | a defect of the library; ": " and details follow     |
 *   | reSerializationError   | frozen; does not occur                               |
 *   | reDeserializationError | not an SDS message: deliver the payload as it is     |
 *   | reMessageTooLarge      | content over maxContentBytes                         |
 *   | rePersistenceError     | the store failed; ": " and its words follow, or what is damaged of what it kept |
 *   | reLimitExceeded        | a configured limit; ": " and which one follow        |
 *
 * @section fork Fork
 * A child of fork() cannot use the library, not even contexts of its own: every
 * function fails at once with "libsds error: used in a forked child process".
 * SdsFree still works, exec() is fine, and so is the parent. A child forked inside a
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
 * dlclose() is harmless and unloads nothing. The library writes nothing to stdout or
 * stderr, a crash inside a callback aside: that ends in a report of the Go runtime
 * unless the host handles the signal. GOGC and GOMEMLIMIT in the environment do not
 * reach it; GODEBUG, GOMAXPROCS and GOTRACEBACK do.
 *
 * @section versions Versions
 * The SONAME, libsds.so.1, changes when the ABI breaks. Functions are only added
 * within it; each says since when it is there.
 *
 * @section configuration Configuration
 * A JSON object; every key is optional. A key that is not listed, a value of the
 * wrong type and one out of range are errors that name the key and what it takes.
 * A context made without a configuration takes that of the environment variable
 * SDS_CONFIG, if set, as getenv() finds it at that moment.
 *
 *   | key                        | default    | meaning                                     |
 *   |----------------------------|------------|---------------------------------------------|
 *   | bloomFilterCapacity        | 10000      | ids that the filter in each message covers  |
 *   | bloomFilterErrorRate       | 0.001      | its share of false positives when full      |
 *   | maxMessageHistory          | 1000       | messages that the log of a channel keeps    |
 *   | maxCausalHistory           | 10         | messages that each message cites            |
 *   | resendIntervalMs           | 60000      | unacknowledged for so long: sent again      |
 *   | maxResendAttempts          | 5          | and given up after so many times            |
 *   | syncMessageIntervalMs      | 30000      | between periodic_sync events                |
 *   | bufferSweepIntervalMs      | 60000      | between looks for what to resend            |
 *   | repairTMinMs, repairTMaxMs | 30000, 300000 | range of the delay before asking for repair |
 *   | numResponseGroups          | 1          | groups that share the work of answering     |
 *   | maxRepairRequests          | 3          | repairs that one message asks for           |
 *   | repairSweepIntervalMs      | 5000       | between looks for what to answer            |
 *   | wireFormat                 | "sds-0.4"  | what is written: "sds-0.2", "sds-0.3", "sds-0.4", "lip-109"; all are read |
 *   | lamportUnit                | "auto"     | "seconds", "milliseconds", or by wireFormat |
 *   | ackConfidence              | 1e-6       | a filter with fewer false positives acknowledges alone |
 *   | possibleAckThreshold       | 2          | and otherwise so many do together           |
 *   | missingDependencyTimeoutMs | 600000     | how long a message waits for others; 0: for ever |
 *   | maxLamportDriftMs          | 86400000   | how far a peer can move the clock ahead     |
 *   | storePath                  | ""         | a file that keeps the channels; see Persistence |
 *   | storeSync                  | "full"     | "full": an operation is committed by itself; "batch": those that run at the same time share a commit |
 *   | maxContentBytes            | 1048576    | content of a message                        |
 *   | maxWireBytes               | 8388608    | a received payload                          |
 *   | maxHistoryEntries          | 4096       | entries of a received causal history        |
 *   | maxIdBytes                 | 1024       | an id                                       |
 *   | maxChannels                | 0          | channels of a context; 0: no bound, not even for strangers |
 *   | acceptUnknownChannels      | true       | a received message may create its channel   |
 *   | maxIncomingMessages        | 10000      | messages per channel that wait for others   |
 *   | maxIncomingBytes           | 67108864   | and their size; past either, the oldest gives way |
 *   | maxOutgoingMessages        | 10000      | unacknowledged messages per channel         |
 *   | maxRepairEntries           | 1000       | entries of each repair buffer               |
 */
#ifndef LIBSDS_H
#define LIBSDS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The version of this header. */
#define SDS_VERSION "0.1.0"

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
 * Tells where a message can be fetched: bytes that mean something to the host and
 * its peers, such as the hash that a store knows it by. They travel with every
 * citation of the message and reach peers as "retrievalHint".
 *
 * Called while a message is wrapped, for each cited message without a hint, until
 * it gives one. It must not call the library.
 *
 * @param messageId The message.
 * @param hint      Receives memory from malloc(), which the library frees with
 *                  free(), or stays NULL when there is no hint.
 * @param hintLen   Receives its length, at most 4096; longer hints are not used.
 * @param userData  What was passed beside the provider.
 */
typedef void (*SdsRetrievalHintProvider)(const char *messageId, char **hint, size_t *hintLen, void *userData);

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
 *   | missing_dependencies    | a message waits for others         | messageId, channelId, missingDeps     |
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
 *   | missingDeps      | what it waits for: array of {"messageId", "retrievalHint"}  |
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
 * @param messageLen Its length, at most maxWireBytes.
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
 * @param channelId  A channel that exists; reInvalidArgument otherwise.
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
 * @param callback Gets RET_OK and "".
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

/**
 * What a function without a callback returns. The numbers are frozen.
 */
typedef enum {
    /** Done. */
    SDS_OK = 0,
    /** As RET_ERR. */
    SDS_ERR = 1,
    /** As RET_MISSING_CALLBACK. */
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
    /** The store failed. */
    SDS_ERR_PERSISTENCE = 16,
    /** A configured limit. */
    SDS_ERR_LIMIT_EXCEEDED = 17,
    /** The context was cleaned up, never was one, or is NULL. */
    SDS_ERR_INVALID_CONTEXT = 20,
    /** Called in a child of fork(). */
    SDS_ERR_FORKED = 21
} SdsStatus;

/**
 * Frees what a function of the library gave the caller to free. Works anywhere, also
 * inside procedures and in a forked child.
 *
 * @param p The memory; NULL is fine.
 * @since 0.1.0
 */
void SdsFree(void *p);

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
 * Each returns 0 if it did what it was asked to. Otherwise it may first say why with
 * SdsFail; without that, the error is of the form "loadChannel returned 5". userData
 * is what was passed to SdsSetPersistence.
 *
 * Set what lies beyond what you know of to zero, and `size` to sizeof(SdsPersistence).
 * `loadChannel` and `dropChannel` must be set, and either `commit` or both of
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
 * Sets what keeps the channels of a context. It must come before the first channel,
 * that is before any message is sent or received.
 *
 * @param ctx         The context. Its configuration must not have a storePath.
 * @param persistence The procedures, copied; NULL keeps nothing, as at first.
 *                    Procedures that lie beyond `size` are taken for NULL, and what
 *                    lies beyond the procedures that the library knows is ignored.
 * @param userData    Handed to the procedures. It must live until the context was
 *                    cleaned up, or until other procedures were set.
 * @param error       Receives NULL, or on failure a text that says what is wrong, to
 *                    be freed with SdsFree. May be NULL.
 * @return SDS_OK; SDS_ERR_INVALID_ARGUMENT when a procedure is missing (the text names
 *         it), when `size` is too small, when there are channels already or a
 *         storePath, and from inside a procedure or a hint provider;
 *         SDS_ERR_INVALID_CONTEXT; SDS_ERR_FORKED; SDS_ERR_INTERNAL.
 * @since 0.1.0
 */
int SdsSetPersistence(void *ctx, const SdsPersistence *persistence, void *userData, char **error);

#ifdef __cplusplus
}
#endif

#endif
