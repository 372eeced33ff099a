## End-to-end reliability for group messaging (SDS): the library libsds for Nim, in the
## shape of nim-sds.
##
## Give every outgoing message to `wrapOutgoingMessage` and broadcast what it returns; give
## every payload that arrives to `unwrapReceivedMessage`. The manager notices what was
## lost, asks for it, and tells through the callbacks of `setCallbacks`. It sends nothing
## by itself.
##
## **Errors.** Every call returns a `Result`; where it has a `ReliabilityError`,
## `lastErrorMessage` has the words. No call raises an exception of its own.
##
## **Threads.** A manager belongs to the thread that made it, as what it keeps of the host
## does under every memory manager of Nim: on another thread all calls fail with
## `reInvalidArgument`. Several threads have a manager each. All callbacks come on that
## thread, from inside the calls: no thread of the library runs, because the host's loop
## drives the time, by `startPeriodicTasks` or `tick`. A manager is cleaned up before its
## thread ends.
##
## **Callbacks.** They come before the call that caused them returns, one at a time, and
## may call anything, `cleanup` and `setCallbacks` included. An exception in one does not
## get lost, and does not disturb the library: it goes to the hook `onCallbackError`, once
## the call is done; without a hook the call, which took effect all the same, returns
## `reCallbackFailed`. (With `--panics:on` a `Defect` ends the process, as everywhere.)
##
## **Lifetime.** `cleanup` ends a manager; one that is dropped without it is ended by its
## destructor, or under `--mm:refc` by its finalizer.

import std/[json, strutils, times]
import ./libsds/[abi, config, types]
export config, types

type
  ContextObj = object
    address: pointer
  Context = ref ContextObj
    # A context of the library, which ends with it.

  Callbacks = object
    onMessageReady: MessageReadyCallback
    onMessageSent: MessageSentCallback
    onMissingDependencies: MissingDependenciesCallback
    onPeriodicSync: PeriodicSyncCallback
    onRetrievalHint: RetrievalHintProvider
    onRepairReady: RepairReadyCallback
    onResendReady: ResendReadyCallback
    onDeliveryFailed: DeliveryFailedCallback
    onDependenciesLost: DependenciesLostCallback
    onMessageDelivered: MessageDeliveredCallback
    onSyncDue: SyncDueCallback
    onCallbackError: CallbackErrorHook

  ReliabilityManager* = ref object
    ## One participant with its channels.
    config*: ReliabilityConfig ## As it was made with; to change it changes nothing.
    participantId*: SdsParticipantID
    context: Context
    owner: pointer ## the thread; see `here`
    callbacks: Callbacks
    retired: seq[Callbacks] ## replaced, and maybe still running
    persistence: Persistence
    raised: seq[ref Exception] ## by callbacks of the calls that are under way
    calls: int ## how many of them there are
    setTimer: TimerSetter ## `nil` until the periodic tasks were started

  CallbackDefect* = object of Defect
    ## A callback raised its `parent` during a periodic task, and there is no hook.

  TimerTask* = proc() {.gcsafe, raises: [].}
    ## What a timer of the host's loop runs.
  TimerSetter* = proc(wait: Duration, task: TimerTask) {.gcsafe.}
    ## Has the host's loop run a task once, on the thread of the manager, after a while.

  LogLevel* = enum
    ## How much a line of the log matters.
    llDebug = -4
    llInfo = 0
    llWarning = 4
    llError = 8

  LogHandler* = proc(level: LogLevel, line: string) {.nimcall, gcsafe, raises: [].}
    ## Receives a line of the log: words and then key=value pairs.

  Call = object
    # A call of the library, from `begin` to `finish`.
    words: cstring # what went wrong
    before: int # how many exceptions there were already
    problem: ReliabilityError

  Unclosed = object
    next: ptr Unclosed
    address: pointer

proc malloc(size: csize_t): pointer {.importc, header: "<stdlib.h>".}
proc free(p: pointer) {.importc, header: "<stdlib.h>".}

# ---- errors and threads ---------------------------------------------------------------

# Plain memory: a string of a thread would not be freed with it.
var lastWords {.threadvar.}: tuple[length: int, text: array[1024, char]]

proc lastErrorMessage*(): string =
  ## What was wrong with which argument, channel or key in the last call on this thread
  ## that failed; `""` if none did. For people: the wording may change.
  result = newString(lastWords.length)
  if lastWords.length > 0:
    copyMem(addr result[0], addr lastWords.text[0], lastWords.length)

proc remember(words: cstring) =
  var length = min(words.len, lastWords.text.len)
  while length > 0 and length < words.len and (words[length].uint8 and 0xC0) == 0x80:
    dec length # not in the middle of a letter
  copyMem(addr lastWords.text[0], words, length)
  lastWords.length = length

proc fail(problem: ReliabilityError, words: string): ReliabilityError =
  remember(words.cstring)
  problem

proc fail(status: cint, words: cstring): ReliabilityError =
  ## Takes the words over and frees them.
  remember(if words.isNil: SdsStatusString(status) else: words)
  SdsFree(words)
  case status
  of SDS_ERR_INVALID_ARGUMENT: reInvalidArgument
  of SDS_ERR_OUT_OF_MEMORY: reOutOfMemory
  of SDS_ERR_SERIALIZATION: reSerializationError
  of SDS_ERR_DESERIALIZATION: reDeserializationError
  of SDS_ERR_MESSAGE_TOO_LARGE: reMessageTooLarge
  of SDS_ERR_PERSISTENCE: rePersistenceError
  of SDS_ERR_LIMIT_EXCEEDED: reLimitExceeded
  of SDS_ERR_INVALID_CONTEXT: reInvalidContext
  of SDS_ERR_FORKED: reForked
  else: reInternalError

var anchor {.threadvar.}: byte

proc here(): pointer =
  # What tells threads apart, with --threads:off as well.
  addr anchor

# ---- contexts -------------------------------------------------------------------------

var unclosed {.threadvar.}: ptr Unclosed

proc closeNow(address: pointer) =
  # A destructor may run where the library cannot be called, inside a persistence
  # procedure for example: then the next call that ends closes it.
  if address != nil and SdsClose(address) == SDS_ERR_INVALID_ARGUMENT:
    let entry = cast[ptr Unclosed](malloc(csize_t sizeof(Unclosed)))
    if entry != nil:
      entry[] = Unclosed(next: unclosed, address: address)
      unclosed = entry

proc closeDropped() =
  while unclosed != nil:
    let entry = unclosed
    if SdsClose(entry.address) == SDS_ERR_INVALID_ARGUMENT:
      return
    unclosed = entry.next
    free(entry)

when defined(gcDestructors):
  when (NimMajor, NimMinor) >= (2, 0):
    proc `=destroy`(context: ContextObj) {.raises: [].} =
      closeNow(context.address)
  else:
    proc `=destroy`(context: var ContextObj) {.raises: [].} =
      closeNow(context.address)
      context.address = nil

  proc newContext(): Context =
    Context()
else:
  proc newContext(): Context =
    new(result, proc(context: Context) {.nimcall.} = closeNow(context.address))

# ---- ids and bytes --------------------------------------------------------------------

proc toC(id: string, escaped: var string): cstring =
  ## The library shows and takes a NUL in an id as C0 80, which UTF-8 never has.
  if '\0' in id:
    escaped = id.replace("\0", "\xC0\x80")
    escaped.cstring
  else:
    id.cstring

proc fromC(id: cstring): string =
  if id.isNil:
    return ""
  result = $id
  if '\xC0' in result:
    result = result.replace("\xC0\x80", "\0")

proc toSeq(data: SdsBytes, length: csize_t): seq[byte] =
  result = newSeq[byte](int length)
  if length > 0:
    copyMem(addr result[0], data, int length)

proc toIds(ids: ptr UncheckedArray[cstring], count: csize_t): seq[string] =
  for i in 0 ..< int(count):
    result.add fromC(ids[i])

proc toEntries(deps: ptr UncheckedArray[SdsDependency], count: csize_t): seq[HistoryEntry] =
  for i in 0 ..< int(count):
    result.add HistoryEntry(
      messageId: fromC(deps[i].messageId),
      retrievalHint: toSeq(deps[i].hint, deps[i].hintLen),
      senderId: fromC(deps[i].senderId),
    )

template first(data: openArray[byte]): pointer =
  (if data.len > 0: cast[pointer](unsafeAddr data[0]) else: nil)

# ---- calls ----------------------------------------------------------------------------

proc begin(rm: ReliabilityManager, call: var Call): bool =
  if rm.isNil:
    call.problem = fail(reInvalidContext, "libsds error: the manager is nil")
  elif rm.owner != here():
    call.problem = fail(reInvalidArgument, "libsds error: the manager belongs to another thread")
  else:
    call.before = rm.raised.len
    inc rm.calls
    GC_ref(rm) # a callback may drop the last other reference
    return true

proc forgetHost(rm: ReliabilityManager) =
  # What the callbacks have captured may well be the manager.
  rm.retired = @[]
  if rm.context.address.isNil:
    rm.callbacks = Callbacks()
    rm.persistence = Persistence()
    rm.setTimer = nil

proc reportRaised(rm: ReliabilityManager, call: var Call): bool =
  ## False where nobody took what was raised during the call.
  result = true
  while rm.raised.len > call.before:
    let problem = rm.raised[call.before]
    rm.raised.delete(call.before)
    let hook = rm.callbacks.onCallbackError
    var untaken = problem
    if not hook.isNil:
      try:
        hook(problem)
        untaken = nil
      except Exception:
        untaken = getCurrentException()
    if not untaken.isNil:
      if result: # the first one is what the words are about
        call.problem = fail(reCallbackFailed, "a callback raised " & $untaken.name & ": " & untaken.msg)
      result = false

proc finish(rm: ReliabilityManager, call: var Call, status: cint): bool =
  ## True where the call and its callbacks went well. The manager may be gone then.
  let taken = rm.reportRaised(call)
  dec rm.calls
  if rm.calls == 0:
    rm.forgetHost()
  if status != SDS_OK:
    call.problem = fail(status, call.words)
  closeDropped()
  GC_unref(rm)
  status == SDS_OK and taken

# ---- what the library calls -----------------------------------------------------------

# What a callback is given are variables outside of its `try`, because Nim 1.6 forgets those
# inside, and temporary ones, when an exception passes.

template tell(rm: ReliabilityManager, callback, argument, body: untyped) =
  ## Runs the body, if the callback is set, with the callback as `it` and the argument as
  ## `its`. Nothing unwinds across C.
  if not rm.callbacks.callback.isNil:
    let
      it {.inject.} = rm.callbacks.callback
      its {.inject, used.} = argument
    try:
      body
    except Exception:
      rm.raised.add getCurrentException()

proc onEvent(event: ptr SdsEvent, userData: pointer) {.cdecl, gcsafe, raises: [].} =
  let
    rm = cast[ReliabilityManager](userData)
    messageId = fromC(event.messageId)
    channelId = fromC(event.channelId)
    attempts = int(event.attempts)

  template message(): seq[byte] = toSeq(event.message, event.messageLen)
  template deps(): seq[HistoryEntry] = toEntries(event.deps, event.depCount)
  template channelIds(): seq[SdsChannelID] = toIds(event.channelIds, event.channelCount)

  case event.`type`
  of SDS_EVENT_MESSAGE_READY:
    rm.tell(onMessageReady, 0): it(messageId, channelId)
    rm.tell(onMessageDelivered, message): it(its, messageId, channelId)
  of SDS_EVENT_MESSAGE_SENT:
    rm.tell(onMessageSent, 0): it(messageId, channelId)
  of SDS_EVENT_MISSING_DEPENDENCIES:
    rm.tell(onMissingDependencies, deps): it(messageId, its, channelId)
  of SDS_EVENT_PERIODIC_SYNC:
    rm.tell(onPeriodicSync, 0): it()
    rm.tell(onSyncDue, channelIds): it(its)
  of SDS_EVENT_REPAIR_READY:
    rm.tell(onRepairReady, message): it(its, channelId)
  of SDS_EVENT_RESEND_READY:
    rm.tell(onResendReady, message): it(its, messageId, channelId, attempts)
  of SDS_EVENT_DELIVERY_FAILED:
    rm.tell(onDeliveryFailed, 0): it(messageId, channelId, attempts)
  of SDS_EVENT_DEPENDENCIES_LOST:
    rm.tell(onDependenciesLost, deps): it(messageId, its, channelId)
  else:
    discard # of a later version

proc onHint(
    messageId: cstring, hint: ptr pointer, hintLen: ptr csize_t, userData: pointer
) {.cdecl, gcsafe, raises: [].} =
  let rm = cast[ReliabilityManager](userData)
  rm.tell(onRetrievalHint, fromC(messageId)):
    let bytes = it(its)
    if bytes.len > 0:
      hint[] = malloc(csize_t bytes.len) # freed by the library
      if hint[] != nil:
        copyMem(hint[], unsafeAddr bytes[0], bytes.len)
        hintLen[] = csize_t bytes.len

template procedure(userData: pointer, handle: SdsCall, body: untyped): cint =
  ## Runs the body, which gives a `Result`, and tells the library how it went.
  let rm {.inject.} = cast[ReliabilityManager](userData)
  var status = cint 1
  try:
    let outcome = body
    if outcome.isOk:
      status = 0
    else:
      SdsFail(handle, outcome.error.cstring)
  except Exception:
    let problem = getCurrentException()
    SdsFail(handle, problem.msg.cstring)
    rm.raised.add problem
  status

proc toUpdate(
    append: ptr UncheckedArray[SdsHistoryRecord], appendCount: csize_t,
    evict: ptr UncheckedArray[cstring], evictCount: csize_t,
): HistoryUpdate =
  for i in 0 ..< int(appendCount):
    result.append.add HistoryRecord(
      messageId: fromC(append[i].messageId),
      lamportTimestamp: append[i].lamport,
      message: toSeq(append[i].message, append[i].messageLen),
    )
  result.evict = toIds(evict, evictCount)

proc onSaveChannelMeta(
    handle: SdsCall, channelId: cstring, meta: SdsBytes, metaLen: csize_t, userData: pointer
): cint {.cdecl, gcsafe, raises: [].} =
  let
    channel = fromC(channelId)
    bytes = toSeq(meta, metaLen)
  procedure(userData, handle):
    rm.persistence.saveChannelMeta(channel, bytes)

proc onUpdateHistory(
    handle: SdsCall, channelId: cstring, append: ptr UncheckedArray[SdsHistoryRecord], appendCount: csize_t,
    evict: ptr UncheckedArray[cstring], evictCount: csize_t, userData: pointer
): cint {.cdecl, gcsafe, raises: [].} =
  let
    channel = fromC(channelId)
    update = toUpdate(append, appendCount, evict, evictCount)
  procedure(userData, handle):
    rm.persistence.updateHistory(channel, update)

proc onCommit(
    handle: SdsCall, channelId: cstring, meta: SdsBytes, metaLen: csize_t,
    append: ptr UncheckedArray[SdsHistoryRecord], appendCount: csize_t,
    evict: ptr UncheckedArray[cstring], evictCount: csize_t, userData: pointer
): cint {.cdecl, gcsafe, raises: [].} =
  let
    channel = fromC(channelId)
    bytes = toSeq(meta, metaLen)
    update = toUpdate(append, appendCount, evict, evictCount)
  procedure(userData, handle):
    rm.persistence.commit(channel, bytes, update)

proc handOver(handle: SdsCall, data: ChannelData) =
  SdsLoadMeta(handle, first(data.meta), csize_t data.meta.len)
  for message in data.messageHistory:
    SdsLoadMessage(handle, first(message), csize_t message.len)
  for (messageId, hint) in data.retrievalHints:
    var escaped: string
    SdsLoadHint(handle, toC(messageId, escaped), first(hint), csize_t hint.len)

proc onLoadChannel(
    handle: SdsCall, channelId: cstring, userData: pointer
): cint {.cdecl, gcsafe, raises: [].} =
  let channel = fromC(channelId)
  procedure(userData, handle):
    let loaded = rm.persistence.loadChannel(channel)
    if loaded.isOk:
      handOver(handle, loaded.get())
    loaded

proc onDropChannel(
    handle: SdsCall, channelId: cstring, userData: pointer
): cint {.cdecl, gcsafe, raises: [].} =
  let channel = fromC(channelId)
  procedure(userData, handle):
    rm.persistence.dropChannel(channel)

proc onSetRetrievalHint(
    handle: SdsCall, channelId, messageId: cstring, hint: SdsBytes, hintLen: csize_t, userData: pointer
): cint {.cdecl, gcsafe, raises: [].} =
  let
    channel = fromC(channelId)
    message = fromC(messageId)
    bytes = toSeq(hint, hintLen)
  procedure(userData, handle):
    rm.persistence.setRetrievalHint(channel, message, bytes)

proc toTable(persistence: Persistence): SdsPersistence =
  # What is missing of it the library says.
  result.size = uint32 sizeof(SdsPersistence)
  if not persistence.saveChannelMeta.isNil: result.saveChannelMeta = onSaveChannelMeta
  if not persistence.updateHistory.isNil: result.updateHistory = onUpdateHistory
  if not persistence.loadChannel.isNil: result.loadChannel = onLoadChannel
  if not persistence.dropChannel.isNil: result.dropChannel = onDropChannel
  if not persistence.setRetrievalHint.isNil: result.setRetrievalHint = onSetRetrievalHint
  if not persistence.commit.isNil: result.commit = onCommit

# ---- managers -------------------------------------------------------------------------

proc newReliabilityManager*(
    participantId: SdsParticipantID,
    config: ReliabilityConfig = defaultConfig(),
    persistence: Persistence = noOpPersistence(),
): Result[ReliabilityManager, ReliabilityError] =
  ## Makes a manager. No channel is loaded yet.
  ##
  ## `participantId` names this participant to its peers, the same after every restart;
  ## `""` switches repairs (SDS-R) off. What is wrong with the configuration, or that the
  ## file of `storePath` is in use, is in `lastErrorMessage`.
  type R = Result[ReliabilityManager, ReliabilityError]
  if SdsAbiVersion() != SDS_HEADER_ABI_VERSION:
    return R.err(fail(reInternalError,
      "libsds error: the library " & $SdsVersion() & " has ABI " & $SdsAbiVersion() & ", not " & $SDS_HEADER_ABI_VERSION))
  let rm = ReliabilityManager(
    config: config, participantId: participantId, context: newContext(), owner: here(), persistence: persistence
  )
  var
    call: Call
    escaped: string
    table = toTable(persistence)
    json = config.toJson()
    options = SdsOptions(
      size: uint32 sizeof(SdsOptions),
      participantId: toC(participantId, escaped),
      configJson: json.cstring,
    )
  if persistence != noOpPersistence():
    options.persistence = addr table
    # Not counted as a reference: no procedure is called but from inside a call, which is.
    options.persistenceUserData = cast[pointer](rm)
  discard rm.begin(call)
  let status = SdsOpen(addr options, addr rm.context.address, addr call.words)
  if rm.finish(call, status):
    R.ok(rm)
  else:
    R.err(call.problem)

proc newReliabilityManager*[Id: SdsParticipantID](
    config: ReliabilityConfig, participantId: Id
): Result[ReliabilityManager, ReliabilityError] =
  ## The order of nim-sds up to 0.3.
  # Generic, so that a call that names both of its arguments is of the other one.
  newReliabilityManager(participantId, config, noOpPersistence())

proc newReliabilityManager*(config: ReliabilityConfig): Result[ReliabilityManager, ReliabilityError] =
  ## One that neither asks for repairs nor answers.
  newReliabilityManager("", config, noOpPersistence())

proc newReliabilityManager*(): Result[ReliabilityManager, ReliabilityError] =
  ## One with all defaults that neither asks for repairs nor answers.
  newReliabilityManager("", defaultConfig(), noOpPersistence())

proc cleanup*(rm: ReliabilityManager): Result[void, ReliabilityError] {.discardable.} =
  ## Ends a manager; it may be called again, and for `nil`. Once it returned, no callback
  ## comes any more, and what is kept of the channels stays. From inside a callback the
  ## remaining events of that call are dropped.
  type R = Result[void, ReliabilityError]
  if rm.isNil:
    return R.ok()
  var call: Call
  if not rm.begin(call):
    return R.err(call.problem)
  var status = SDS_OK
  if rm.context.address != nil:
    status = SdsClose(rm.context.address)
    if status in [SDS_OK, SDS_ERR_INVALID_CONTEXT]:
      status = SDS_OK
      rm.context.address = nil
  if rm.finish(call, status): R.ok() else: R.err(call.problem)

template done(rm: ReliabilityManager, call: var Call, status: cint): Result[void, ReliabilityError] =
  if rm.finish(call, status):
    ok(Result[void, ReliabilityError])
  else:
    err(Result[void, ReliabilityError], call.problem)

proc setCallbacks*(
    rm: ReliabilityManager,
    onMessageReady: MessageReadyCallback,
    onMessageSent: MessageSentCallback,
    onMissingDependencies: MissingDependenciesCallback,
    onPeriodicSync: PeriodicSyncCallback = nil,
    onRetrievalHint: RetrievalHintProvider = nil,
    onRepairReady: RepairReadyCallback = nil,
    onResendReady: ResendReadyCallback = nil,
    onDeliveryFailed: DeliveryFailedCallback = nil,
    onDependenciesLost: DependenciesLostCallback = nil,
    onMessageDelivered: MessageDeliveredCallback = nil,
    onSyncDue: SyncDueCallback = nil,
    onCallbackError: CallbackErrorHook = nil,
): Result[void, ReliabilityError] {.discardable.} =
  ## Sets all callbacks, in place of those that were set before. Events that occurred
  ## before the first time are kept, the newest 1024, and delivered from inside it.
  var call: Call
  if not rm.begin(call):
    return err(Result[void, ReliabilityError], call.problem)
  # One that is being replaced may be the caller.
  rm.retired.add rm.callbacks
  rm.callbacks = Callbacks(
    onMessageReady: onMessageReady,
    onMessageSent: onMessageSent,
    onMissingDependencies: onMissingDependencies,
    onPeriodicSync: onPeriodicSync,
    onRetrievalHint: onRetrievalHint,
    onRepairReady: onRepairReady,
    onResendReady: onResendReady,
    onDeliveryFailed: onDeliveryFailed,
    onDependenciesLost: onDependenciesLost,
    onMessageDelivered: onMessageDelivered,
    onSyncDue: onSyncDue,
    onCallbackError: onCallbackError,
  )
  let context = rm.context.address
  if onRetrievalHint.isNil:
    SdsSetRetrievalHintProvider(context, nil, nil)
  else:
    SdsSetRetrievalHintProvider(context, onHint, cast[pointer](rm))
  rm.done(call, SdsSetEventHandler(context, onEvent, cast[pointer](rm)))

# ---- messages -------------------------------------------------------------------------

template wrapping(rm: ReliabilityManager, function: untyped): Result[seq[byte], ReliabilityError] =
  type R = Result[seq[byte], ReliabilityError]
  var
    call {.inject.}: Call
    payload {.inject.}: SdsBytes
    length {.inject.}: csize_t
  if not rm.begin(call):
    return R.err(call.problem)
  let status = function
  var bytes = toSeq(payload, length)
  SdsFree(payload)
  if rm.finish(call, status):
    R.ok(move bytes)
  else:
    R.err(call.problem)

proc wrapOutgoingMessage*(
    rm: ReliabilityManager, message: openArray[byte], messageId: SdsMessageID, channelId: SdsChannelID
): Result[seq[byte], ReliabilityError] =
  ## Makes the payload to broadcast for a new message, of at least one byte. `messageId` is
  ## one that no other message of the channel has; a message with an id that was wrapped
  ## before takes the place of that one. The channel is made, or loaded, when it is new.
  var escapedMessage, escapedChannel: string
  rm.wrapping:
    SdsWrap(
      rm.context.address, toC(channelId, escapedChannel), toC(messageId, escapedMessage), first(message),
      csize_t message.len, addr payload, addr length, addr call.words,
    )

proc wrapSyncMessage*(rm: ReliabilityManager, channelId: SdsChannelID): Result[seq[byte], ReliabilityError] =
  ## Makes a payload without content, which tells and asks what a message would, on
  ## `onSyncDue` for example. Peers that run nim-sds take it for a message: send none where
  ## there are such peers.
  var escaped: string
  rm.wrapping:
    SdsWrapSync(rm.context.address, toC(channelId, escaped), addr payload, addr length, addr call.words)

proc wrapEphemeralMessage*(
    rm: ReliabilityManager, message: openArray[byte], messageId: SdsMessageID, channelId: SdsChannelID
): Result[seq[byte], ReliabilityError] =
  ## Makes the payload of a message that is delivered or lost and leaves no trace: "is
  ## typing", say.
  var escapedMessage, escapedChannel: string
  rm.wrapping:
    SdsWrapEphemeral(
      rm.context.address, toC(channelId, escapedChannel), toC(messageId, escapedMessage), first(message),
      csize_t message.len, addr payload, addr length, addr call.words,
    )

proc unwrapMessage*(rm: ReliabilityManager, message: openArray[byte]): Result[UnwrappedMessage, ReliabilityError] =
  ## Takes in a payload that the transport received, and tells all about it. What is not an
  ## SDS message fails with `reDeserializationError` and changes nothing.
  ##
  ## The content is given at once, even when the message has to wait: the callbacks say
  ## what is delivered, and in which order.
  type R = Result[UnwrappedMessage, ReliabilityError]
  var
    call: Call
    unwrapped: ptr SdsUnwrapped
  if not rm.begin(call):
    return R.err(call.problem)
  let status = SdsUnwrap(rm.context.address, first(message), csize_t message.len, addr unwrapped, addr call.words)
  var told: UnwrappedMessage
  if unwrapped != nil:
    told = UnwrappedMessage(
      kind: (
        case unwrapped.kind
        of SDS_KIND_SYNC: skSync
        of SDS_KIND_EPHEMERAL: skEphemeral
        else: skContent
      ),
      content: toSeq(unwrapped.content, unwrapped.contentLen),
      channelId: fromC(unwrapped.channelId),
      messageId: fromC(unwrapped.messageId),
      senderId: fromC(unwrapped.senderId),
      lamportTimestamp: unwrapped.lamport,
      duplicate: unwrapped.duplicate != 0,
      buffered: unwrapped.buffered != 0,
      missingDeps: toEntries(unwrapped.missing, unwrapped.missingCount),
    )
    SdsFree(unwrapped)
  if rm.finish(call, status):
    R.ok(move told)
  else:
    R.err(call.problem)

proc unwrapReceivedMessage*(
    rm: ReliabilityManager, message: openArray[byte]
): Result[
  tuple[message: seq[byte], missingDeps: seq[HistoryEntry], channelId: SdsChannelID], ReliabilityError
] =
  ## As `unwrapMessage`, with what nim-sds tells: the content, what it cites that was not
  ## delivered yet, and the channel.
  type R = Result[
    tuple[message: seq[byte], missingDeps: seq[HistoryEntry], channelId: SdsChannelID], ReliabilityError
  ]
  let told = rm.unwrapMessage(message)
  if told.isOk:
    let unwrapped = told.get()
    R.ok((unwrapped.content, unwrapped.missingDeps, unwrapped.channelId))
  else:
    R.err(told.error)

proc markDependenciesMet*(
    rm: ReliabilityManager, messageIds: openArray[SdsMessageID], channelId: SdsChannelID
): Result[void, ReliabilityError] =
  ## Declares that the host has messages by other means, from a store for example: nothing
  ## waits for them or asks for them any longer. The channel must be in memory.
  var
    call: Call
    escapedChannel: string
    escaped = newSeq[string](messageIds.len)
    ids = newSeq[cstring](messageIds.len)
  if not rm.begin(call):
    return err(Result[void, ReliabilityError], call.problem)
  for i in 0 ..< messageIds.len:
    ids[i] = toC(messageIds[i], escaped[i])
  rm.done(call, SdsMarkMet(
    rm.context.address, toC(channelId, escapedChannel), (if ids.len > 0: addr ids[0] else: nil),
    csize_t ids.len, addr call.words,
  ))

# ---- channels -------------------------------------------------------------------------

proc ensureChannel*(rm: ReliabilityManager, channelId: SdsChannelID): Result[void, ReliabilityError] =
  ## Makes a channel, or loads what is kept of it, before its first message.
  var
    call: Call
    escaped: string
  if not rm.begin(call):
    return err(Result[void, ReliabilityError], call.problem)
  rm.done(call, SdsEnsureChannel(rm.context.address, toC(channelId, escaped), addr call.words))

proc removeChannel*(rm: ReliabilityManager, channelId: SdsChannelID): Result[void, ReliabilityError] =
  ## Forgets a channel, what is kept of it first. One that does not exist is no error.
  var
    call: Call
    escaped: string
  if not rm.begin(call):
    return err(Result[void, ReliabilityError], call.problem)
  rm.done(call, SdsDropChannel(rm.context.address, toC(channelId, escaped), addr call.words))

proc resetReliabilityManager*(rm: ReliabilityManager): Result[void, ReliabilityError] =
  ## Forgets all channels, what is kept of them first.
  var call: Call
  if not rm.begin(call):
    return err(Result[void, ReliabilityError], call.problem)
  rm.done(call, SdsReset(rm.context.address, addr call.words))

# ---- time -----------------------------------------------------------------------------

proc toUnixMs(time: Time): int64 =
  time.toUnix * 1000 + time.nanosecond div 1_000_000

proc advance(rm: ReliabilityManager, now: Time, wait: var Duration): Result[void, ReliabilityError] =
  var
    call: Call
    next: int64
  if not rm.begin(call):
    return err(Result[void, ReliabilityError], call.problem)
  let status = SdsTick(rm.context.address, now.toUnixMs, addr next, addr call.words)
  if status == SDS_OK:
    wait = initDuration(milliseconds = next - now.toUnixMs)
  rm.done(call, status)

proc tick*(rm: ReliabilityManager, now: Time = getTime()): Result[Duration, ReliabilityError] =
  ## Runs what is due (resends, repairs, messages that waited too long, and the periodic
  ## sync), with its callbacks, and says how long after `now` it wants to be called again.
  ## For a loop that `startPeriodicTasks` does not suit. To call it earlier costs little;
  ## later delays what is due and loses nothing. `now` is the time of the system's clock.
  type R = Result[Duration, ReliabilityError]
  var wait: Duration
  let advanced = rm.advance(now, wait)
  if advanced.isOk: R.ok(wait) else: R.err(advanced.error)

proc runTasks(rm: ReliabilityManager) {.gcsafe, raises: [].} =
  var wait = initDuration(seconds = 1) # where it fails otherwise, it is tried again
  let advanced = rm.advance(getTime(), wait)
  if advanced.isErr and advanced.error in {reInvalidContext, reForked}:
    return
  let words = lastErrorMessage()
  if not rm.setTimer.isNil: # a callback may have cleaned up
    try:
      rm.setTimer(wait, proc() {.gcsafe, raises: [].} = rm.runTasks())
    except Exception:
      raise newException(CallbackDefect, "no timer was set: " & getCurrentExceptionMsg(), getCurrentException())
  if advanced.isErr and advanced.error == reCallbackFailed:
    raise newException(CallbackDefect, words)

proc startPeriodicTasks*(
    rm: ReliabilityManager, setTimer: TimerSetter
): Result[void, ReliabilityError] {.discardable.} =
  ## Has the host's event loop drive what happens with time: `setTimer` runs a task after
  ## a while, once, on this thread. With asyncdispatch:
  ##
  ## ```nim
  ## rm.startPeriodicTasks(proc(wait: Duration, task: TimerTask) =
  ##   addTimer(int wait.inMilliseconds, oneshot = true, proc(fd: AsyncFD): bool =
  ##     task()
  ##     true))
  ## ```
  ##
  ## The tasks keep the manager alive, and end with `cleanup`. Starting twice is the same
  ## as once. An exception in a callback goes to `onCallbackError`; without that hook it
  ## reaches the loop as a `CallbackDefect`.
  var
    call: Call
    status = SDS_OK
    starting = false
  if not rm.begin(call):
    return err(Result[void, ReliabilityError], call.problem)
  if rm.context.address.isNil:
    status = SDS_ERR_INVALID_CONTEXT
  elif setTimer.isNil:
    status = SDS_ERR_INVALID_ARGUMENT
  elif rm.setTimer.isNil:
    rm.setTimer = setTimer
    starting = true
  result = rm.done(call, status)
  if starting:
    rm.runTasks()

proc startPeriodicTasks*(rm: ReliabilityManager) {.
  error: "startPeriodicTasks needs a timer of your event loop: see docs/porting-from-nim-sds.md"
.}

# ---- insight --------------------------------------------------------------------------

template describing(rm: ReliabilityManager, function: untyped): Result[JsonNode, ReliabilityError] =
  type R = Result[JsonNode, ReliabilityError]
  var
    call {.inject.}: Call
    text {.inject.}: cstring
  if not rm.begin(call):
    return R.err(call.problem)
  let status = function
  let copy = if text.isNil: "" else: $text
  SdsFree(text)
  if rm.finish(call, status):
    try:
      R.ok(parseJson(copy))
    except Exception:
      R.err(fail(reInternalError, "libsds error: JSON that cannot be read: " & getCurrentExceptionMsg()))
  else:
    R.err(call.problem)

proc channels*(rm: ReliabilityManager): Result[JsonNode, ReliabilityError] =
  ## The channels in memory and how much each holds; see SdsChannels in libsds.h.
  rm.describing:
    SdsChannels(rm.context.address, addr text, addr call.words)

proc inspect*(rm: ReliabilityManager, channelId: SdsChannelID): Result[JsonNode, ReliabilityError] =
  ## What a channel in memory holds: why a message is not delivered, or not acknowledged.
  ## There is no content in it; see SdsInspect in libsds.h.
  var escaped: string
  rm.describing:
    SdsInspect(rm.context.address, toC(channelId, escaped), addr text, addr call.words)

proc stats*(rm: ReliabilityManager): Result[JsonNode, ReliabilityError] =
  ## Counters and gauges; docs/metrics.md lists them.
  rm.describing:
    SdsStats(rm.context.address, addr text, addr call.words)

proc getMessageHistory*(rm: ReliabilityManager, channelId: SdsChannelID): seq[SdsMessageID] =
  ## The ids in the log of a channel, oldest first; none when it is not in memory.
  let told = rm.inspect(channelId)
  if told.isOk:
    for entry in told.get(){"log"}:
      result.add entry{"messageId"}.getStr

proc sdsVersion*(): string =
  ## The version of the library that was loaded, such as "1.2.3".
  $SdsVersion()

# ---- the log --------------------------------------------------------------------------

proc onLog(level: cint, line: cstring, len: csize_t, userData: pointer) {.cdecl, gcsafe, raises: [].} =
  when compileOption("threads") and not defined(gcDestructors) and not compileOption("tlsEmulation"):
    # Where somebody called SdsStart, it may be a thread that Nim does not know. It is not
    # torn down again: a callback that this is called from may have set it up as well.
    setupForeignThreadGc()
  try:
    var text = newString(int len)
    if len > 0:
      copyMem(addr text[0], line, int len)
    cast[LogHandler](userData)(
      (if level < 0: llDebug elif level < 4: llInfo elif level < 8: llWarning else: llError), text
    )
  except Exception:
    discard # a Defect, and nobody to tell

proc setLogHandler*(handler: LogHandler, level: LogLevel = llInfo): Result[void, ReliabilityError] {.discardable.} =
  ## Sets who gets the log of all managers of the process; `nil`, as at first, is nobody.
  ##
  ## The handler is called on the thread of whichever manager has something to say, never
  ## by two at once, and so is no closure: it must not touch what belongs to one thread. It
  ## must return soon, and calls of a manager fail in it.
  let status =
    if handler.isNil: SdsSetLogHandler(nil, 0, nil)
    else: SdsSetLogHandler(onLog, cint ord(level), cast[pointer](handler))
  if status == SDS_OK:
    ok(Result[void, ReliabilityError])
  else:
    err(Result[void, ReliabilityError], fail(status, nil))
