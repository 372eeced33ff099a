## The module libsds/abi against the header, which the C compiler reads.
import std/[os, strutils, unittest]
import libsds/abi

template inC(expression: string): int =
  # A global, so not to be used in a procedure.
  block:
    var number {.importc: expression, header: "libsds.h", nodecl.}: clonglong
    int number

template sameLayout(T: typedesc) =
  check sizeof(T) == inC("((long long)sizeof(" & $T & "))")
  var value: T
  for name, field in value.fieldPairs:
    checkpoint $T & "." & name
    check cast[int](addr field) - cast[int](addr value) == inC("((long long)offsetof(" & $T & ", " & name & "))")
    check sizeof(field) == inC("((long long)sizeof(((" & $T & " *)0)->" & name & "))")

template valueInC(name: untyped): int =
  inC("((long long)" & astToStr(name) & ")")

suite "abi":
  test "structs are laid out as in the header":
    sameLayout SdsDependency
    sameLayout SdsUnwrapped
    sameLayout SdsEvent
    sameLayout SdsHistoryRecord
    sameLayout SdsPersistence
    sameLayout SdsOptions

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
