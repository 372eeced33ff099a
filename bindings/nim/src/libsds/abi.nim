## The C API of libsds as it is: every type, constant and function of `libsds.h`, under its
## name and with its meaning, which the header tells. The module `libsds` is made of it.
##
## A host that calls this module itself has the header's rules to keep, and those of Nim
## for what C calls back:
##
## - No exception leaves a callback: the types say `raises: []`, and a `Defect` must not
##   leave it either.
## - What is passed as `userData` is kept by the library. A `ref` needs `GC_ref` meanwhile.
## - After `SdsStart`, callbacks come on a thread that Nim did not make, and a log handler
##   may be called there. With `--mm:refc` each of them has to begin with
##   `setupForeignThreadGc()` and to end with `tearDownForeignThreadGc()`; with any memory
##   manager it must not touch a `ref`, `seq`, `string` or closure of another thread.
##
## The library is loaded when the program starts, under the name in `libsdsName`:
##
##   | compiled with | the library |
##   |---|---|
##   | nothing | libsds.so.1, where the loader of the system looks |
##   | `-d:libsdsName=/opt/sds/libsds.so.1` | this file |
##   | `--dynlibOverride:sds --passL:-lsds -d:noSignalHandler` | linked: `libsds.so`, or the archive with `--passL:libsds.a` |
##
## Linked, the library is there before Nim, whose signal handlers would take SIGSEGV away
## from it: hence `noSignalHandler`.

const nameHere =
  when defined(windows): "libsds.dll"
  elif defined(macosx): "libsds.1.dylib"
  else: "libsds.so.1"

const libsdsName* {.strdefine.} = nameHere
  ## The library that is loaded; `-d:libsdsName=...` names another one.

const loaded = libsdsName & "" # the pragma of Nim 1.6 sees the default of a `strdefine` only

const
  SDS_HEADER_VERSION* = "0.1.0"
    ## SDS_VERSION, which Nim takes for the name of the function SdsVersion.
  SDS_HEADER_ABI_VERSION* = 1'u32
    ## SDS_ABI_VERSION.

  SDS_OK* = cint 0
  SDS_ERR* = cint 1
  SDS_ERR_MISSING_CALLBACK* = cint 2
  SDS_ERR_INVALID_ARGUMENT* = cint 10
  SDS_ERR_OUT_OF_MEMORY* = cint 11
  SDS_ERR_INTERNAL* = cint 12
  SDS_ERR_SERIALIZATION* = cint 13
  SDS_ERR_DESERIALIZATION* = cint 14
  SDS_ERR_MESSAGE_TOO_LARGE* = cint 15
  SDS_ERR_PERSISTENCE* = cint 16
  SDS_ERR_LIMIT_EXCEEDED* = cint 17
  SDS_ERR_INVALID_CONTEXT* = cint 20
  SDS_ERR_FORKED* = cint 21

  SDS_KIND_CONTENT* = 1'u32
  SDS_KIND_SYNC* = 2'u32
  SDS_KIND_EPHEMERAL* = 3'u32

  SDS_EVENT_MESSAGE_READY* = 1'u32
  SDS_EVENT_MESSAGE_SENT* = 2'u32
  SDS_EVENT_MISSING_DEPENDENCIES* = 3'u32
  SDS_EVENT_PERIODIC_SYNC* = 4'u32
  SDS_EVENT_REPAIR_READY* = 5'u32
  SDS_EVENT_RESEND_READY* = 6'u32
  SDS_EVENT_DELIVERY_FAILED* = 7'u32
  SDS_EVENT_DEPENDENCIES_LOST* = 8'u32

  RET_OK* = cint 0
  RET_ERR* = cint 1
  RET_MISSING_CALLBACK* = cint 2

type
  SdsBytes* = ptr UncheckedArray[byte]
    ## `const uint8_t *` beside a length.

  SdsDependency* {.bycopy.} = object
    messageId*: cstring
    hint*: SdsBytes
    hintLen*: csize_t
    senderId*: cstring

  SdsUnwrapped* {.bycopy.} = object
    size*: uint32
    kind*: uint32
    content*: SdsBytes
    contentLen*: csize_t
    channelId*: cstring
    messageId*: cstring
    senderId*: cstring
    lamport*: uint64
    duplicate*: uint32
    buffered*: uint32
    missing*: ptr UncheckedArray[SdsDependency]
    missingCount*: csize_t

  SdsEvent* {.bycopy.} = object
    size*: uint32
    `type`*: uint32
    channelId*: cstring
    messageId*: cstring
    message*: SdsBytes
    messageLen*: csize_t
    deps*: ptr UncheckedArray[SdsDependency]
    depCount*: csize_t
    attempts*: uint32
    channelIds*: ptr UncheckedArray[cstring]
    channelCount*: csize_t

  SdsHistoryRecord* {.bycopy.} = object
    messageId*: cstring
    lamport*: int64
    message*: SdsBytes
    messageLen*: csize_t

  SdsCallObj {.incompleteStruct.} = object
  SdsCall* = ptr SdsCallObj
    ## One call of a persistence procedure.

  SdsEventHandler* = proc(event: ptr SdsEvent, userData: pointer) {.cdecl, gcsafe, raises: [].}
  SdsRetrievalHintProvider* = proc(
    messageId: cstring, hint: ptr pointer, hintLen: ptr csize_t, userData: pointer
  ) {.cdecl, gcsafe, raises: [].}
    ## The hint is memory of C's `malloc`.
  SdsLogHandler* = proc(level: cint, line: cstring, len: csize_t, userData: pointer) {.cdecl, gcsafe, raises: [].}
  SdsCallBack* = proc(callerRet: cint, msg: cstring, len: csize_t, userData: pointer) {.cdecl, gcsafe, raises: [].}

  SdsPersistence* {.bycopy.} = object
    size*: uint32
    saveChannelMeta*: proc(
      call: SdsCall, channelId: cstring, meta: SdsBytes, metaLen: csize_t, userData: pointer
    ): cint {.cdecl, gcsafe, raises: [].}
    updateHistory*: proc(
      call: SdsCall, channelId: cstring, append: ptr UncheckedArray[SdsHistoryRecord], appendCount: csize_t,
      evict: ptr UncheckedArray[cstring], evictCount: csize_t, userData: pointer
    ): cint {.cdecl, gcsafe, raises: [].}
    loadChannel*: proc(call: SdsCall, channelId: cstring, userData: pointer): cint {.cdecl, gcsafe, raises: [].}
    dropChannel*: proc(call: SdsCall, channelId: cstring, userData: pointer): cint {.cdecl, gcsafe, raises: [].}
    setRetrievalHint*: proc(
      call: SdsCall, channelId, messageId: cstring, hint: SdsBytes, hintLen: csize_t, userData: pointer
    ): cint {.cdecl, gcsafe, raises: [].}
    commit*: proc(
      call: SdsCall, channelId: cstring, meta: SdsBytes, metaLen: csize_t,
      append: ptr UncheckedArray[SdsHistoryRecord], appendCount: csize_t,
      evict: ptr UncheckedArray[cstring], evictCount: csize_t, userData: pointer
    ): cint {.cdecl, gcsafe, raises: [].}

  SdsOptions* {.bycopy.} = object
    size*: uint32
    participantId*: cstring
    configJson*: cstring
    persistence*: ptr SdsPersistence
    persistenceUserData*: pointer
    eventHandler*: SdsEventHandler
    eventUserData*: pointer
    hintProvider*: SdsRetrievalHintProvider
    hintUserData*: pointer

# What these functions call back into is Nim's and gcsafe; see the types above.
{.push importc, cdecl, dynlib: loaded, gcsafe, raises: [].}

# Versions, statuses, memory
proc SdsVersion*(): cstring
proc SdsAbiVersion*(): uint32
proc SdsStatusString*(status: cint): cstring
proc SdsFree*(p: pointer)

# Contexts
proc SdsOpen*(options: ptr SdsOptions, ctx: ptr pointer, error: ptr cstring): cint
proc SdsClose*(ctx: pointer): cint
proc SdsSetEventHandler*(ctx: pointer, handler: SdsEventHandler, userData: pointer): cint

# Messages
proc SdsWrap*(
  ctx: pointer, channelId, messageId: cstring, content: pointer, contentLen: csize_t,
  message: ptr SdsBytes, messageLen: ptr csize_t, error: ptr cstring
): cint
proc SdsWrapSync*(
  ctx: pointer, channelId: cstring, message: ptr SdsBytes, messageLen: ptr csize_t, error: ptr cstring
): cint
proc SdsWrapEphemeral*(
  ctx: pointer, channelId, messageId: cstring, content: pointer, contentLen: csize_t,
  message: ptr SdsBytes, messageLen: ptr csize_t, error: ptr cstring
): cint
proc SdsUnwrap*(
  ctx: pointer, message: pointer, messageLen: csize_t, unwrapped: ptr ptr SdsUnwrapped, error: ptr cstring
): cint
proc SdsMarkMet*(
  ctx: pointer, channelId: cstring, messageIds: ptr cstring, count: csize_t, error: ptr cstring
): cint

# Channels
proc SdsEnsureChannel*(ctx: pointer, channelId: cstring, error: ptr cstring): cint
proc SdsDropChannel*(ctx: pointer, channelId: cstring, error: ptr cstring): cint
proc SdsReset*(ctx: pointer, error: ptr cstring): cint

# Time
proc SdsStart*(ctx: pointer, error: ptr cstring): cint
proc SdsTick*(ctx: pointer, nowUnixMs: int64, nextUnixMs: ptr int64, error: ptr cstring): cint

# Insight
proc SdsChannels*(ctx: pointer, json: ptr cstring, error: ptr cstring): cint
proc SdsInspect*(ctx: pointer, channelId: cstring, json: ptr cstring, error: ptr cstring): cint
proc SdsStats*(ctx: pointer, json: ptr cstring, error: ptr cstring): cint
proc SdsSetLogHandler*(handler: SdsLogHandler, level: cint, userData: pointer): cint

# What persistence procedures may call
proc SdsLoadMeta*(call: SdsCall, meta: pointer, metaLen: csize_t)
proc SdsLoadMessage*(call: SdsCall, message: pointer, messageLen: csize_t)
proc SdsLoadHint*(call: SdsCall, messageId: cstring, hint: pointer, hintLen: csize_t)
proc SdsFail*(call: SdsCall, reason: cstring)
proc SdsSetPersistence*(
  ctx: pointer, persistence: ptr SdsPersistence, userData: pointer, error: ptr cstring
): cint

# The API of the replaced library
proc SdsNewReliabilityManager*(callback: SdsCallBack, userData: pointer): pointer
proc SdsNewReliabilityManagerWithConfig*(
  participantId, configJson: cstring, callback: SdsCallBack, userData: pointer
): pointer
proc SdsSetEventCallback*(ctx: pointer, callback: SdsCallBack, userData: pointer)
proc SdsSetRetrievalHintProvider*(ctx: pointer, callback: SdsRetrievalHintProvider, userData: pointer)
proc SdsCleanupReliabilityManager*(ctx: pointer, callback: SdsCallBack, userData: pointer): cint
proc SdsResetReliabilityManager*(ctx: pointer, callback: SdsCallBack, userData: pointer): cint
proc SdsWrapOutgoingMessage*(
  ctx: pointer, message: pointer, messageLen: csize_t, messageId, channelId: cstring, callback: SdsCallBack,
  userData: pointer
): cint
proc SdsUnwrapReceivedMessage*(
  ctx: pointer, message: pointer, messageLen: csize_t, callback: SdsCallBack, userData: pointer
): cint
proc SdsMarkDependenciesMet*(
  ctx: pointer, messageIDs: ptr cstring, count: csize_t, channelId: cstring, callback: SdsCallBack,
  userData: pointer
): cint
proc SdsStartPeriodicTasks*(ctx: pointer, callback: SdsCallBack, userData: pointer): cint
proc SdsRemoveChannel*(ctx: pointer, channelId: cstring, callback: SdsCallBack, userData: pointer): cint

{.pop.}
