## Compiled with --threads:on.
import std/[atomics, os, unittest]
import libsds/abi
import ./host

var
  failures: Atomic[int]
  lines: Atomic[int]
  events: Atomic[int]
  shared: pointer # a manager of the main thread, which others must not use

proc expectThat(holds: bool) =
  if not holds:
    failures.atomicInc

proc converse(number: int) {.thread.} =
  {.cast(gcsafe).}:
    let alice = manager("alice " & $number)
    let bob = manager("bob " & $number)
    let heard = keep bob
    for i in 0 ..< 200:
      discard bob.unwrapReceivedMessage(alice.wrapped("m" & $i, "content " & $i))
      if i mod 20 == 0:
        discard alice.unwrapReceivedMessage(bob.wrapped("b" & $i, "answer"))
        GC_fullCollect()
    expectThat heard.entries.len >= 400
    expectThat bob.getMessageHistory("channel").len == 210
    discard alice.cleanup()
    discard bob.cleanup()

proc trespass() {.thread.} =
  {.cast(gcsafe).}:
    template rm(): ReliabilityManager = cast[ReliabilityManager](shared)
    expectThat rm.wrapOutgoingMessage([1'u8], "m1", "channel").error == reInvalidArgument
    expectThat "another thread" in lastErrorMessage()
    expectThat rm.cleanup().error == reInvalidArgument
    expectThat rm.tick().error == reInvalidArgument
    expectThat rm.setCallbacks(nil, nil, nil).error == reInvalidArgument
    expectThat rm.stats().error == reInvalidArgument

proc count(level: LogLevel, line: string) {.nimcall, gcsafe, raises: [].} =
  if line.len > 0 and "msg=" in line:
    lines.atomicInc

proc onForeignThread(event: ptr SdsEvent, userData: pointer) {.cdecl, gcsafe, raises: [].} =
  # As the documentation of libsds/abi says.
  when not defined(gcDestructors):
    setupForeignThreadGc()
  var texts: seq[string]
  for i in 0 ..< 100:
    texts.add $event.`type` & repeat('x', i)
  if texts[99].len == 100:
    events.atomicInc
  texts.setLen(0)
  when not defined(gcDestructors):
    tearDownForeignThreadGc()

proc checkThreads() =
  suite "threads":
    test "each thread has managers of its own":
      var threads: array[8, Thread[int]]
      for i, thread in threads.mpairs:
        createThread(thread, converse, i)
      joinThreads threads
      check failures.load == 0

    test "a manager refuses other threads":
      let rm = manager("alice")
      shared = cast[pointer](rm)
      var thread: Thread[void]
      createThread(thread, trespass)
      joinThread thread
      check failures.load == 0
      check rm.wrapped("m1", "one").len > 0
      rm.cleanup()

    test "the log comes from every thread":
      check setLogHandler(count, llDebug).isOk
      var threads: array[4, Thread[int]]
      for i, thread in threads.mpairs:
        createThread(thread, converse, i)
      joinThreads threads
      check setLogHandler(nil).isOk
      let counted = lines.load
      check counted > 1000
      let rm = manager("alice")
      rm.cleanup()
      check lines.load == counted

    test "the library's own thread may call back in the way of the abi module":
      setLogHandler(count, llDebug)
      let before = lines.load
      var
        options = SdsOptions(
          size: uint32 sizeof(SdsOptions), participantId: "alice",
          configJson: """{"syncMessageIntervalMs":5,"repairSweepIntervalMs":5}""", eventHandler: onForeignThread,
        )
        ctx: pointer
        words: cstring
      check SdsOpen(addr options, addr ctx, addr words) == SDS_OK
      check SdsStart(ctx, addr words) == SDS_OK
      for _ in 0 ..< 6000:
        if events.load > 20: break
        sleep 10
      check events.load > 20
      check SdsClose(ctx) == SDS_OK
      setLogHandler(nil)
      check lines.load > before

checkThreads()
