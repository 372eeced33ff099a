import std/[os, tempfiles, unittest]
import ./host

let folder = createTempDir("libsds-", "-nim")

proc stored(name: string): ReliabilityConfig =
  ReliabilityConfig.init(storePath = folder / name)

proc drop(name: string, capturing = false) {.noinline.} =
  let rm = manager("alice", stored(name))
  if capturing:
    rm.setCallbacks(
      onMessageReady = nil, onMessageSent = nil, onMissingDependencies = nil,
      onSyncDue = proc(channelIds: seq[SdsChannelID]) =
        for channelId in channelIds:
          discard rm.wrapSyncMessage(channelId),
    )
  discard rm.wrapped("m1", "one")
  check newReliabilityManager("alice", stored(name)).error == rePersistenceError # it is in use

proc overwrite(depth: int): int {.noinline.} =
  # What a conservative collector might take for a reference on the stack.
  var filler {.volatile.}: array[512, int]
  for i in 0 ..< filler.len:
    filler[i] = depth
  if depth == 0: filler[7] else: overwrite(depth - 1) + filler[9]

proc free(name: string): bool =
  ## The file is in use as long as its context is open.
  for _ in 0 ..< 20:
    discard overwrite(20)
    GC_fullCollect()
    let again = newReliabilityManager("alice", stored(name))
    if again.isOk:
      check again.get().ensureChannel("channel").isOk
      check again.get().getMessageHistory("channel") == @["m1"]
      again.get().cleanup()
      return true
  false

proc checkLifetime() =
  suite "lifetime":
    test "cleanup may come again":
      let rm = manager("alice")
      check rm.cleanup().isOk and rm.cleanup().isOk

    test "after cleanup every call is an error":
      let rm = manager("alice")
      let payload = rm.wrapped("m1", "one")
      rm.cleanup()
      for rm in [rm, nil]:
        check rm.wrapOutgoingMessage([1'u8], "m2", "channel").error == reInvalidContext
        check rm.wrapSyncMessage("channel").error == reInvalidContext
        check rm.wrapEphemeralMessage([1'u8], "m2", "channel").error == reInvalidContext
        check rm.unwrapMessage(payload).error == reInvalidContext
        check rm.unwrapReceivedMessage(payload).error == reInvalidContext
        check rm.markDependenciesMet(["m1"], "channel").error == reInvalidContext
        check rm.setCallbacks(nil, nil, nil).error == reInvalidContext
        check rm.ensureChannel("channel").error == reInvalidContext
        check rm.removeChannel("channel").error == reInvalidContext
        check rm.resetReliabilityManager().error == reInvalidContext
        check rm.tick().error == reInvalidContext
        check rm.channels().error == reInvalidContext
        check rm.inspect("channel").error == reInvalidContext
        check rm.stats().error == reInvalidContext
        check rm.getMessageHistory("channel").len == 0
        check lastErrorMessage().startsWith("libsds error: ")
        check rm.cleanup().isOk

    test "a manager that is dropped is ended":
      drop "dropped"
      check free("dropped")

    when not defined(gcArc):
      test "so is one that its callbacks refer to":
        drop("cycle", capturing = true)
        check free("cycle")

    test "a manager outlives the call that drops its last reference":
      var rm = manager("bob")
      let alice = manager("alice")
      var after = ""
      proc ending(): MessageReadyCallback =
        let own = "still there"
        result = proc(messageId: SdsMessageID, channelId: SdsChannelID) =
          rm = nil
          GC_fullCollect()
          after = own & " " & channelId
      rm.setCallbacks(ending(), nil, nil)
      check rm.unwrapReceivedMessage(alice.wrapped("m1", "one")).get().message.text == "one"
      check after == "still there channel" and rm.isNil
      alice.cleanup()

    test "one that is dropped where nothing may be called is ended later":
      let alice = manager("alice")
      var held = manager("held", stored("held"))
      discard held.wrapped("m1", "one")
      keep(alice, proc(messageId: SdsMessageID): seq[byte] =
        held = nil
        discard overwrite(20)
        GC_fullCollect())
      discard alice.wrapped("m1", "one")
      discard alice.wrapped("m2", "two")
      check held.isNil
      check free("held")
      alice.cleanup()

    test "thousands of managers leave nothing behind":
      proc once() =
        let alice = manager("alice")
        let bob = manager("bob")
        keep bob
        bob.received(alice.wrapped("m1", "one"))
      for round in 0 ..< 300:
        once()
        if round mod 50 == 0:
          GC_fullCollect()
      GC_fullCollect()
      let before = getOccupiedMem()
      for round in 0 ..< 300:
        once()
        if round mod 50 == 0:
          GC_fullCollect()
      GC_fullCollect()
      checkpoint $before & " then " & $getOccupiedMem()
      check getOccupiedMem() < before + 200_000

checkLifetime()
removeDir folder
