## The module libsds/abi against the header, which the C compiler reads.
import std/[os, strutils, unittest]
import libsds/abi

template inC(expression: string): int =
  # A global, so not to be used in a procedure.
  block:
    var number {.importc: expression, header: "libsds.h", nodecl.}: clonglong
    int number

template sizeInC(T: untyped): int =
  inC("((long long)sizeof(" & astToStr(T) & "))")

template offsetInC(T, member: untyped): int =
  inC("((long long)offsetof(" & astToStr(T) & ", " & astToStr(member) & "))")

template valueInC(name: untyped): int =
  inC("((long long)" & astToStr(name) & ")")

suite "abi":
  test "structs are laid out as in the header":
    check sizeof(SdsDependency) == sizeInC(SdsDependency)
    check offsetOf(SdsDependency, hint) == offsetInC(SdsDependency, hint)
    check offsetOf(SdsDependency, hintLen) == offsetInC(SdsDependency, hintLen)
    check offsetOf(SdsDependency, senderId) == offsetInC(SdsDependency, senderId)
    check sizeof(SdsUnwrapped) == sizeInC(SdsUnwrapped)
    check offsetOf(SdsUnwrapped, kind) == offsetInC(SdsUnwrapped, kind)
    check offsetOf(SdsUnwrapped, content) == offsetInC(SdsUnwrapped, content)
    check offsetOf(SdsUnwrapped, contentLen) == offsetInC(SdsUnwrapped, contentLen)
    check offsetOf(SdsUnwrapped, channelId) == offsetInC(SdsUnwrapped, channelId)
    check offsetOf(SdsUnwrapped, messageId) == offsetInC(SdsUnwrapped, messageId)
    check offsetOf(SdsUnwrapped, senderId) == offsetInC(SdsUnwrapped, senderId)
    check offsetOf(SdsUnwrapped, lamport) == offsetInC(SdsUnwrapped, lamport)
    check offsetOf(SdsUnwrapped, duplicate) == offsetInC(SdsUnwrapped, duplicate)
    check offsetOf(SdsUnwrapped, buffered) == offsetInC(SdsUnwrapped, buffered)
    check offsetOf(SdsUnwrapped, missing) == offsetInC(SdsUnwrapped, missing)
    check offsetOf(SdsUnwrapped, missingCount) == offsetInC(SdsUnwrapped, missingCount)
    check sizeof(SdsEvent) == sizeInC(SdsEvent)
    check offsetOf(SdsEvent, `type`) == inC("((long long)offsetof(SdsEvent, type))")
    check offsetOf(SdsEvent, channelId) == offsetInC(SdsEvent, channelId)
    check offsetOf(SdsEvent, messageId) == offsetInC(SdsEvent, messageId)
    check offsetOf(SdsEvent, message) == offsetInC(SdsEvent, message)
    check offsetOf(SdsEvent, messageLen) == offsetInC(SdsEvent, messageLen)
    check offsetOf(SdsEvent, deps) == offsetInC(SdsEvent, deps)
    check offsetOf(SdsEvent, depCount) == offsetInC(SdsEvent, depCount)
    check offsetOf(SdsEvent, attempts) == offsetInC(SdsEvent, attempts)
    check offsetOf(SdsEvent, channelIds) == offsetInC(SdsEvent, channelIds)
    check offsetOf(SdsEvent, channelCount) == offsetInC(SdsEvent, channelCount)
    check sizeof(SdsHistoryRecord) == sizeInC(SdsHistoryRecord)
    check offsetOf(SdsHistoryRecord, lamport) == offsetInC(SdsHistoryRecord, lamport)
    check offsetOf(SdsHistoryRecord, message) == offsetInC(SdsHistoryRecord, message)
    check offsetOf(SdsHistoryRecord, messageLen) == offsetInC(SdsHistoryRecord, messageLen)
    check sizeof(SdsPersistence) == sizeInC(SdsPersistence)
    check offsetOf(SdsPersistence, saveChannelMeta) == offsetInC(SdsPersistence, saveChannelMeta)
    check offsetOf(SdsPersistence, updateHistory) == offsetInC(SdsPersistence, updateHistory)
    check offsetOf(SdsPersistence, loadChannel) == offsetInC(SdsPersistence, loadChannel)
    check offsetOf(SdsPersistence, dropChannel) == offsetInC(SdsPersistence, dropChannel)
    check offsetOf(SdsPersistence, setRetrievalHint) == offsetInC(SdsPersistence, setRetrievalHint)
    check offsetOf(SdsPersistence, commit) == offsetInC(SdsPersistence, commit)
    check sizeof(SdsOptions) == sizeInC(SdsOptions)
    check offsetOf(SdsOptions, participantId) == offsetInC(SdsOptions, participantId)
    check offsetOf(SdsOptions, configJson) == offsetInC(SdsOptions, configJson)
    check offsetOf(SdsOptions, persistence) == offsetInC(SdsOptions, persistence)
    check offsetOf(SdsOptions, persistenceUserData) == offsetInC(SdsOptions, persistenceUserData)
    check offsetOf(SdsOptions, eventHandler) == offsetInC(SdsOptions, eventHandler)
    check offsetOf(SdsOptions, eventUserData) == offsetInC(SdsOptions, eventUserData)
    check offsetOf(SdsOptions, hintProvider) == offsetInC(SdsOptions, hintProvider)
    check offsetOf(SdsOptions, hintUserData) == offsetInC(SdsOptions, hintUserData)

  test "constants have the values of the header":
    check int(SDS_HEADER_ABI_VERSION) == valueInC(SDS_ABI_VERSION)
    check SDS_OK == valueInC(SDS_OK) and SDS_ERR == valueInC(SDS_ERR)
    check SDS_ERR_MISSING_CALLBACK == valueInC(SDS_ERR_MISSING_CALLBACK)
    check SDS_ERR_INVALID_ARGUMENT == valueInC(SDS_ERR_INVALID_ARGUMENT)
    check SDS_ERR_OUT_OF_MEMORY == valueInC(SDS_ERR_OUT_OF_MEMORY)
    check SDS_ERR_INTERNAL == valueInC(SDS_ERR_INTERNAL)
    check SDS_ERR_SERIALIZATION == valueInC(SDS_ERR_SERIALIZATION)
    check SDS_ERR_DESERIALIZATION == valueInC(SDS_ERR_DESERIALIZATION)
    check SDS_ERR_MESSAGE_TOO_LARGE == valueInC(SDS_ERR_MESSAGE_TOO_LARGE)
    check SDS_ERR_PERSISTENCE == valueInC(SDS_ERR_PERSISTENCE)
    check SDS_ERR_LIMIT_EXCEEDED == valueInC(SDS_ERR_LIMIT_EXCEEDED)
    check SDS_ERR_INVALID_CONTEXT == valueInC(SDS_ERR_INVALID_CONTEXT)
    check SDS_ERR_FORKED == valueInC(SDS_ERR_FORKED)
    check int(SDS_KIND_CONTENT) == valueInC(SDS_KIND_CONTENT) and int(SDS_KIND_SYNC) == valueInC(SDS_KIND_SYNC)
    check int(SDS_KIND_EPHEMERAL) == valueInC(SDS_KIND_EPHEMERAL)
    check int(SDS_EVENT_MESSAGE_READY) == valueInC(SDS_EVENT_MESSAGE_READY)
    check int(SDS_EVENT_MESSAGE_SENT) == valueInC(SDS_EVENT_MESSAGE_SENT)
    check int(SDS_EVENT_MISSING_DEPENDENCIES) == valueInC(SDS_EVENT_MISSING_DEPENDENCIES)
    check int(SDS_EVENT_PERIODIC_SYNC) == valueInC(SDS_EVENT_PERIODIC_SYNC)
    check int(SDS_EVENT_REPAIR_READY) == valueInC(SDS_EVENT_REPAIR_READY)
    check int(SDS_EVENT_RESEND_READY) == valueInC(SDS_EVENT_RESEND_READY)
    check int(SDS_EVENT_DELIVERY_FAILED) == valueInC(SDS_EVENT_DELIVERY_FAILED)
    check int(SDS_EVENT_DEPENDENCIES_LOST) == valueInC(SDS_EVENT_DEPENDENCIES_LOST)
    check RET_OK == valueInC(RET_OK) and RET_ERR == valueInC(RET_ERR)
    check RET_MISSING_CALLBACK == valueInC(RET_MISSING_CALLBACK)

  test "every function of the header is declared and every name the header's":
    let root = currentSourcePath().parentDir
    let declared = readFile(root / "../src/libsds/abi.nim")
    let frozen = readFile(root / "../../../tests/abi/symbols.txt")
    let header = readFile(root / "../../../include/libsds.h")
    var functions = 0
    for name in frozen.splitLines:
      if name.startsWith("Sds"):
        inc functions
        checkpoint name
        check "\nproc " & name & "*(" in declared
    check functions >= 37
    var declarations = 0
    for line in declared.splitLines:
      if line.startsWith("proc Sds"):
        inc declarations
        let name = line["proc ".len ..< line.find('*')]
        checkpoint name
        check (name & "(") in header
    check declarations == functions

  test "what is loaded is what was declared":
    check SdsAbiVersion() == SDS_HEADER_ABI_VERSION and SdsVersion() != nil
    check $SdsStatusString(SDS_ERR_DESERIALIZATION) == "not an SDS message"
    SdsFree(nil)

  test "the functions of the replaced library call back":
    var got: array[2, string]
    proc take(code: cint, msg: cstring, len: csize_t, userData: pointer) {.cdecl, gcsafe, raises: [].} =
      let place = cast[ptr string](userData)
      place[] = $code & ":" & $msg
    let ctx = SdsNewReliabilityManagerWithConfig("alice", nil, take, addr got[0])
    check ctx != nil and got[0] == "0:"
    var content = [104'u8, 105]
    check SdsWrapOutgoingMessage(ctx, addr content[0], 2, "m1", "channel", take, addr got[1]) == RET_OK
    check got[1].startsWith("0:") and ',' in got[1]
    check SdsCleanupReliabilityManager(ctx, take, addr got[0]) == RET_OK
