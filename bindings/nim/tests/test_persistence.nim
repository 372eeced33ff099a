import std/[algorithm, tables, unittest]
import ./host

type
  Kept = object
    meta: ChannelMeta
    log: Table[SdsMessageID, HistoryRecord]
    hints: Table[SdsMessageID, seq[byte]]

  Memory = ref object
    channels: Table[SdsChannelID, Kept]
    calls: seq[string]
    failing: string # the procedure that fails
    raising: bool

proc entered(memory: Memory, name: string): Result[void, string] =
  memory.calls.add name
  if memory.failing == name:
    if memory.raising:
      raise newException(IOError, "the disk is raised")
    return err("the disk is full")
  ok()

proc change(kept: var Kept, update: HistoryUpdate) =
  for record in update.append:
    kept.log[record.messageId] = record
  for id in update.evict:
    kept.log.del id
    kept.hints.del id

proc procedures(memory: Memory, transactions = false): Persistence =
  result = Persistence(
    loadChannel: proc(channelId: SdsChannelID): Result[ChannelData, string] =
      let entered = memory.entered("load")
      if entered.isErr:
        return err(entered.error)
      var data: ChannelData
      if channelId in memory.channels:
        let kept = memory.channels[channelId]
        data.meta = kept.meta
        var log: seq[HistoryRecord]
        for record in kept.log.values:
          log.add record
        log.sort(proc(a, b: HistoryRecord): int = cmp((a.lamportTimestamp, a.messageId), (b.lamportTimestamp, b.messageId)))
        for record in log:
          data.messageHistory.add record.message
        for id, hint in kept.hints:
          data.retrievalHints.add (id, hint)
      ok(data),
    dropChannel: proc(channelId: SdsChannelID): Result[void, string] =
      result = memory.entered("drop")
      if result.isOk:
        memory.channels.del(channelId),
    setRetrievalHint: proc(channelId: SdsChannelID, messageId: SdsMessageID, hint: seq[byte]): Result[void, string] =
      result = memory.entered("hint")
      if result.isOk:
        memory.channels.mgetOrPut(channelId, Kept()).hints[messageId] = hint,
  )
  if transactions:
    result.commit = proc(channelId: SdsChannelID, meta: ChannelMeta, update: HistoryUpdate): Result[void, string] =
      result = memory.entered("commit")
      if result.isOk:
        memory.channels.mgetOrPut(channelId, Kept()).meta = meta
        memory.channels[channelId].change update
  else:
    result.saveChannelMeta = proc(channelId: SdsChannelID, meta: ChannelMeta): Result[void, string] =
      result = memory.entered("meta")
      if result.isOk:
        memory.channels.mgetOrPut(channelId, Kept()).meta = meta
    result.updateHistory = proc(channelId: SdsChannelID, update: HistoryUpdate): Result[void, string] =
      result = memory.entered("history")
      if result.isOk:
        check not update.isEmpty
        memory.channels.mgetOrPut(channelId, Kept()).change update

proc checkPersistence() =
  suite "persistence":
    for transactions in [false, true]:
      let how = if transactions: "with transactions" else: "with two procedures"

      test "a restart loses nothing " & how:
        let memory = Memory()
        let config = ReliabilityConfig.init(maxMessageHistory = 4)
        let alice = manager("alice")
        var bob = manager("bob", config, memory.procedures(transactions))
        keep(bob, proc(messageId: SdsMessageID): seq[byte] = ("at " & messageId).bytes)
        bob.received(alice.wrapped("m1\0", "one"))
        let lost = alice.wrapped("m2", "two")
        bob.received(alice.wrapped("m3", "three")) # waits for it
        discard bob.wrapped("b1", "own")
        discard bob.wrapped("b2", "cites it, with a hint")
        bob.cleanup()
        check memory.calls[0] == "load" and "hint" in memory.calls and ("commit" in memory.calls) == transactions

        bob = manager("bob", config, memory.procedures(transactions))
        let heard = keep bob
        check bob.ensureChannel("channel").isOk
        check bob.getMessageHistory("channel") == @["m1\0", "b1", "b2"]
        bob.received(lost)
        check "delivered m2: two" in heard.entries and "delivered m3: three" in heard.entries
        let told = bob.inspect("channel").get()
        check told["log"].len == 4 # m1 left it
        check memory.channels["channel"].log.len == 4 and "m1\0" notin memory.channels["channel"].hints
        let missing = alice.received(bob.wrapped("b3", "cites")).missingDeps
        check HistoryEntry.init("b1", "at b1".bytes, "bob") in missing
        check bob.removeChannel("channel").isOk and memory.channels.len == 0
        bob.cleanup()
        alice.cleanup()

      test "a failing save fails nothing and the next one has everything " & how:
        let memory = Memory(failing: if transactions: "commit" else: "history")
        let rm = manager("alice", persistence = memory.procedures(transactions))
        discard rm.wrapped("m1", "one")
        check "channel" notin memory.channels or memory.channels["channel"].log.len == 0
        memory.failing = ""
        discard rm.wrapped("m2", "two")
        check memory.channels["channel"].log.len == 2
        rm.cleanup()

    test "a channel that cannot be loaded or dropped fails the call with the words of the host":
      for (failing, raising, words) in [("load", false, "the disk is full"), ("load", true, "the disk is raised")]:
        let memory = Memory(failing: failing, raising: raising)
        let rm = manager("alice", persistence = memory.procedures())
        check rm.wrapOutgoingMessage([1'u8], "m1", "channel").error == rePersistenceError
        checkpoint lastErrorMessage()
        check words in lastErrorMessage()
        memory.failing = "drop"
        check rm.ensureChannel("channel").isOk
        check rm.removeChannel("channel").error == rePersistenceError and words in lastErrorMessage()
        check rm.resetReliabilityManager().error == rePersistenceError
        memory.failing = ""
        check rm.removeChannel("channel").isOk
        rm.cleanup()

    test "an exception in a save surfaces from the call and fails nothing":
      let memory = Memory(failing: "meta", raising: true)
      let rm = manager("alice", persistence = memory.procedures())
      check rm.wrapOutgoingMessage([1'u8], "m1", "channel").error == reCallbackFailed
      check "the disk is raised" in lastErrorMessage()
      memory.failing = ""
      discard rm.wrapped("m2", "two")
      check memory.channels["channel"].log.len == 2
      rm.cleanup()

    test "a procedure that is missing is named":
      let memory = Memory()
      var persistence = memory.procedures()
      persistence.loadChannel = nil
      check newReliabilityManager("alice", defaultConfig(), persistence).error == reInvalidArgument
      check "loadChannel" in lastErrorMessage()
      persistence = memory.procedures()
      persistence.updateHistory = nil
      check newReliabilityManager("alice", defaultConfig(), persistence).error == reInvalidArgument
      check "updateHistory" in lastErrorMessage()

    test "there is one keeper":
      check newReliabilityManager(
        "alice", ReliabilityConfig.init(storePath = "/nowhere"), Memory().procedures()
      ).error == reInvalidArgument

    test "damage is an error":
      let memory = Memory()
      memory.channels["channel"] = Kept(meta: @[0xFF'u8, 0xFF, 0xFF])
      let rm = manager("alice", persistence = memory.procedures())
      check rm.ensureChannel("channel").error == rePersistenceError
      rm.cleanup()

    test "a manager cannot be called from inside":
      let memory = Memory()
      var persistence = memory.procedures()
      var rm: ReliabilityManager
      var refused: seq[ReliabilityError]
      persistence.loadChannel = proc(channelId: SdsChannelID): Result[ChannelData, string] =
        refused.add rm.ensureChannel("another").error
        refused.add rm.cleanup().error
        ok(ChannelData())
      rm = manager("alice", persistence = persistence)
      check rm.ensureChannel("channel").isOk
      check refused == @[reInvalidArgument, reInvalidArgument]
      rm.cleanup()

checkPersistence()
