## What messages, events, errors and persistence are made of. Names and members are those
## of nim-sds where it has them.

when defined(libsdsResults):
  import pkg/results
else:
  import ./results
export results

type
  SdsMessageID* = string
  SdsChannelID* = string
  SdsParticipantID* = string
    ## Ids are UTF-8, not empty (that of a participant may be), at most `maxIdBytes` long,
    ## and compared byte by byte. A NUL is a byte like any other.

  HistoryEntry* = object
    ## A message that another one cites.
    messageId*: SdsMessageID
    retrievalHint*: seq[byte] ## Where it can be fetched, as its sender's host says.
    senderId*: SdsParticipantID ## Who sent it; `""` when that is not known.

  SdsMessageKind* = enum
    ## What a message is for.
    skContent = 1 ## It has a content, and is delivered in causal order.
    skSync = 2 ## It has none: it tells and asks what a message would.
    skEphemeral = 3 ## It is delivered at once or lost, and leaves no trace.

  UnwrappedMessage* = object
    ## All that `unwrapMessage` tells of a payload.
    kind*: SdsMessageKind
    content*: seq[byte]
    channelId*: SdsChannelID
    messageId*: SdsMessageID
    senderId*: SdsParticipantID ## `""` when not named.
    lamportTimestamp*: uint64 ## In the unit of its sender; 0 for an ephemeral message.
    duplicate*: bool ## It was delivered before.
    buffered*: bool ## It waits for `missingDeps`: `onMessageReady` comes when it is delivered.
    missingDeps*: seq[HistoryEntry] ## What it cites that was not delivered yet.

  ReliabilityError* {.pure.} = enum
    ## Why a call failed; `lastErrorMessage` has the words.
    reInvalidArgument ## An argument or a key of the configuration, or a call at a wrong moment.
    reOutOfMemory ## No memory for the result; the operation may have taken effect.
    reInternalError ## A defect of the library.
    reSerializationError ## Does not occur.
    reDeserializationError ## Not an SDS message: deliver the payload as it is.
    reMessageTooLarge ## Content over `maxContentBytes`.
    rePersistenceError ## The store, or a procedure of `Persistence`, failed.
    reLimitExceeded ## A configured limit.
    reInvalidContext ## The manager is `nil` or was cleaned up.
    reForked ## Called in a child of fork().
    reCallbackFailed ## The operation took effect; a callback raised an exception during it.

  MessageReadyCallback* = proc(messageId: SdsMessageID, channelId: SdsChannelID) {.gcsafe.}
    ## A message was delivered, in causal order.
  MessageSentCallback* = proc(messageId: SdsMessageID, channelId: SdsChannelID) {.gcsafe.}
    ## An own message was acknowledged.
  MissingDependenciesCallback* = proc(
    messageId: SdsMessageID, missingDeps: seq[HistoryEntry], channelId: SdsChannelID
  ) {.gcsafe.}
    ## A message cites others that were not delivered yet.
  PeriodicSyncCallback* = proc() {.gcsafe.}
    ## It is time to say something, with `wrapSyncMessage` where there is nothing to say.
  RetrievalHintProvider* = proc(messageId: SdsMessageID): seq[byte] {.gcsafe.}
    ## Tells where a message can be fetched, in at most 4096 bytes; `@[]` when nothing is
    ## known. It runs while a channel is locked: calls of a manager fail in it.
  RepairReadyCallback* = proc(message: seq[byte], channelId: SdsChannelID) {.gcsafe.}
    ## Broadcast this answer to a peer who asked.

  MessageDeliveredCallback* = proc(
    message: seq[byte], messageId: SdsMessageID, channelId: SdsChannelID
  ) {.gcsafe.}
    ## As `MessageReadyCallback`, with the content, so that nobody has to keep what waits.
  SyncDueCallback* = proc(channelIds: seq[SdsChannelID]) {.gcsafe.}
    ## As `PeriodicSyncCallback`, with the channels in memory that hold anything.
  ResendReadyCallback* = proc(
    message: seq[byte], messageId: SdsMessageID, channelId: SdsChannelID, attempt: int
  ) {.gcsafe.}
    ## Broadcast this own message again: nobody acknowledged it.
  DeliveryFailedCallback* = proc(
    messageId: SdsMessageID, channelId: SdsChannelID, attempts: int
  ) {.gcsafe.}
    ## An own message was given up: nobody acknowledged it.
  DependenciesLostCallback* = proc(
    messageId: SdsMessageID, lostDeps: seq[HistoryEntry], channelId: SdsChannelID
  ) {.gcsafe.}
    ## A message is delivered without others that never came; `onMessageReady` follows.
  CallbackErrorHook* = proc(error: ref Exception) {.gcsafe.}
    ## A callback, a provider or a procedure raised this.

  ChannelMeta* = seq[byte]
    ## All of a channel but its log; bytes that the host need not understand.

  HistoryRecord* = object
    ## A message that joins the log.
    messageId*: SdsMessageID
    lamportTimestamp*: int64 ## The log is ordered by it, and by the id where it is equal.
    message*: seq[byte] ## What to hand back in `ChannelData.messageHistory`.

  HistoryUpdate* = object
    ## What joins and leaves the log of a channel, all of it or nothing.
    append*: seq[HistoryRecord] ## One of the same id is replaced.
    evict*: seq[SdsMessageID] ## One that is not there is no error; its hint goes with it.

  ChannelData* = object
    ## What is kept of a channel; empty for a new one.
    meta*: ChannelMeta
    messageHistory*: seq[seq[byte]] ## Oldest first: by (lamportTimestamp, messageId).
    retrievalHints*: seq[tuple[messageId: SdsMessageID, hint: seq[byte]]]

  Persistence* = object
    ## Keeps channels in a database of the host. (Without one, name a file in
    ## `ReliabilityConfig.storePath`.) `loadChannel` and `dropChannel` must be there, and
    ## either `commit` or both of `saveChannelMeta` and `updateHistory`.
    ##
    ## They run on the thread of the operation, while its channel is locked: calls of a
    ## manager fail in them. An error of `loadChannel` or `dropChannel` fails the operation
    ## with `rePersistenceError` and its words; of the others it fails nothing, and the
    ## next save has everything. To raise an exception is to return an error.
    saveChannelMeta*: proc(channelId: SdsChannelID, meta: ChannelMeta): Result[void, string] {.gcsafe.}
      ## Replaces the meta of a channel.
    updateHistory*: proc(channelId: SdsChannelID, update: HistoryUpdate): Result[void, string] {.gcsafe.}
      ## Changes the log of a channel.
    loadChannel*: proc(channelId: SdsChannelID): Result[ChannelData, string] {.gcsafe.}
      ## What is kept of a channel. To find nothing is a success.
    dropChannel*: proc(channelId: SdsChannelID): Result[void, string] {.gcsafe.}
      ## Forgets a channel: meta, log and hints. One that is not known is a success.
    setRetrievalHint*: proc(
      channelId: SdsChannelID, messageId: SdsMessageID, hint: seq[byte]
    ): Result[void, string] {.gcsafe.}
      ## Keeps where a message of the log can be fetched. May be `nil`.
    commit*: proc(
      channelId: SdsChannelID, meta: ChannelMeta, update: HistoryUpdate
    ): Result[void, string] {.gcsafe.}
      ## `saveChannelMeta` and `updateHistory` in one transaction. May be `nil`; if it is
      ## set, the two are not called.

func init*(
    T: type HistoryEntry,
    messageId: SdsMessageID,
    retrievalHint: seq[byte] = @[],
    senderId: SdsParticipantID = "",
): T =
  T(messageId: messageId, retrievalHint: retrievalHint, senderId: senderId)

func getMessageIds*(entries: seq[HistoryEntry]): seq[SdsMessageID] =
  ## The ids of cited messages, in their order.
  for entry in entries:
    result.add entry.messageId

func isEmpty*(update: HistoryUpdate): bool =
  update.append.len == 0 and update.evict.len == 0

func noOpPersistence*(): Persistence =
  ## Keeps nothing.
  Persistence()
