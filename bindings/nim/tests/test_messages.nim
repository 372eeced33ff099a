import std/[os, tables, unittest]
import ./host

proc checkMessages() =
  suite "messages":
    setup:
      let alice = manager("alice")
      let bob = manager("bob")
      let heard = keep bob

    teardown:
      alice.cleanup()
      bob.cleanup()

    test "a message comes back as it was wrapped":
      let payload = alice.wrapOutgoingMessage(@[1'u8, 2, 3], "m1", "channel")
      check payload.isOk and payload.get().len > 0
      let (message, missingDeps, channelId) = bob.unwrapReceivedMessage(payload.get()).get()
      check message == @[1'u8, 2, 3] and missingDeps.len == 0 and channelId == "channel"

    test "an unwrapped message is described in full":
      let told = bob.received(alice.wrapped("m1", "hello"))
      check told.kind == skContent and told.content.text == "hello" and told.channelId == "channel"
      check told.messageId == "m1" and told.senderId == "alice" and told.lamportTimestamp > 1_000_000_000
      check not told.duplicate and not told.buffered and told.missingDeps.len == 0
      check heard.entries == @["ready m1 in channel", "delivered m1: hello"]

    test "a message that waits is delivered in causal order":
      let first = alice.wrapped("m1", "one")
      let second = alice.wrapped("m2", "two")
      let told = bob.received(second)
      check told.buffered and told.content.text == "two"
      check told.missingDeps == @[HistoryEntry.init("m1", senderId = "alice")]
      check bob.unwrapReceivedMessage(second).get().missingDeps.getMessageIds() == @["m1"]
      check heard.entries == @["missing m2 in channel: m1/alice/"]
      bob.received(first)
      check heard.entries[1 .. ^1] == @[
        "ready m1 in channel", "delivered m1: one", "ready m2 in channel", "delivered m2: two"
      ]
      check bob.received(second).duplicate and heard.entries.len == 5

    test "what is marked as met is waited for no longer":
      discard alice.wrapped("m1", "one")
      discard alice.wrapped("m2", "two")
      bob.received(alice.wrapped("m3", "three"))
      check heard.entries.len == 1
      check bob.markDependenciesMet(@["m1", "m2"], "channel").isOk
      check heard.entries[^1] == "delivered m3: three"
      check bob.markDependenciesMet(newSeq[string](), "channel").isOk
      check bob.markDependenciesMet(@["m1"], "elsewhere").error == reInvalidArgument
      check "elsewhere" in lastErrorMessage()

    test "a cited message is acknowledged":
      let sent = keep alice
      bob.received(alice.wrapped("m1", "one"))
      alice.received(bob.wrapped("m2", "two"))
      check sent.entries == @["sent m1 in channel", "ready m2 in channel", "delivered m2: two"]

    test "a sync message tells and asks what a message would":
      let sent = keep alice
      bob.received(alice.wrapped("m1", "one"))
      let told = alice.received(bob.wrapSyncMessage("channel").get())
      check told.kind == skSync and told.content.len == 0 and told.senderId == "bob"
      check sent.entries == @["sent m1 in channel"]

    test "an ephemeral message leaves no trace":
      let payload = alice.wrapEphemeralMessage("...".bytes, "typing", "channel").get()
      let told = bob.received(payload)
      check told.kind == skEphemeral and told.lamportTimestamp == 0 and told.content.text == "..."
      bob.received(payload)
      check heard.entries == @["ready typing in channel", "delivered typing: ..."] & heard.entries[0 .. 1]
      check bob.received(alice.wrapped("m1", "one")).missingDeps.len == 0

    test "the hint of the host travels with the dependency":
      keep(alice, proc(messageId: SdsMessageID): seq[byte] = ("at " & messageId).bytes)
      discard alice.wrapped("m1", "one")
      check bob.received(alice.wrapped("m2", "two")).missingDeps[0].retrievalHint.text == "at m1"
      check heard.entries == @["missing m2 in channel: m1/alice/at m1"]

    test "contents of every size arrive":
      for size in [1, 1023, 1 shl 20, 2, 70000]:
        var content = newSeq[byte](size)
        for i in 0 ..< size:
          content[i] = byte((i * 7 + i div 251) and 255)
        let payload = alice.wrapOutgoingMessage(content, "m" & $size, "channel").get()
        check bob.unwrapReceivedMessage(payload).get().message == content

    test "a NUL in an id is a byte like any other":
      let payload = alice.wrapOutgoingMessage("x".bytes, "m\0x", "a\0b").get()
      let told = bob.received(payload)
      check told.messageId == "m\0x" and told.channelId == "a\0b"
      check heard.entries[0] == "ready m\0x in a\0b"
      check bob.getMessageHistory("a\0b") == @["m\0x"]
      discard alice.wrapped("n\0", "lost", "a\0b")
      check bob.received(alice.wrapped("n2", "two", "a\0b")).missingDeps.getMessageIds() == @["n\0"]
      check bob.markDependenciesMet(["n\0"], "a\0b").isOk and heard.entries[^1] == "delivered n2: two"
      check bob.removeChannel("a\0b").isOk and bob.getMessageHistory("a\0b").len == 0

    test "arguments that are wrong are errors with words":
      template refused(call: untyped, problem: ReliabilityError, words: string) =
        let outcome = call
        check outcome.isErr
        if outcome.isErr:
          checkpoint lastErrorMessage()
          check outcome.error == problem and lastErrorMessage().startsWith("libsds error: ") and words in lastErrorMessage()
      refused alice.wrapOutgoingMessage(newSeq[byte](), "m1", "channel"), reInvalidArgument, "content is empty"
      refused alice.wrapOutgoingMessage([1'u8], "", "channel"), reInvalidArgument, "message"
      refused alice.wrapOutgoingMessage([1'u8], "m1", ""), reInvalidArgument, "channel"
      refused alice.wrapOutgoingMessage([1'u8], "m\xFF", "channel"), reInvalidArgument, "UTF-8"
      refused alice.wrapOutgoingMessage([1'u8], "m\xC0", "channel"), reInvalidArgument, "UTF-8"
      refused alice.wrapOutgoingMessage([1'u8], repeat('m', 100_000), "channel"), reInvalidArgument, "1024"
      refused alice.wrapOutgoingMessage(newSeq[byte](MaxMessageSize + 1), "m1", "channel"), reMessageTooLarge, "1048576"
      refused alice.wrapSyncMessage(""), reInvalidArgument, "channel"
      refused alice.wrapEphemeralMessage([1'u8], "", "channel"), reInvalidArgument, "message"
      refused alice.ensureChannel(""), reInvalidArgument, "channel"
      refused alice.removeChannel(""), reInvalidArgument, "channel"
      refused alice.inspect("nowhere"), reInvalidArgument, "nowhere"
      refused alice.tick(fromUnix(-1)), reInvalidArgument, ""
      refused alice.unwrapReceivedMessage(newSeq[byte]()), reDeserializationError, ""
      refused alice.unwrapReceivedMessage("not one".bytes), reDeserializationError, ""

    test "no bytes of a peer do harm":
      let payload = alice.wrapped("m1", "hello")
      var seed = 7'u32
      for _ in 0 ..< 2000:
        var damaged = payload
        for _ in 0 .. int(seed mod 3):
          seed = seed * 1664525'u32 + 1013904223'u32
          damaged[int(seed shr 8) mod damaged.len] = byte(seed and 255)
        discard bob.unwrapMessage(damaged)
        discard bob.unwrapMessage(damaged[0 ..< int(seed shr 8) mod damaged.len])
      discard bob.wrapped("b1", "still there")

    test "channels come and go":
      check bob.ensureChannel("new").isOk and bob.ensureChannel("new").isOk
      check bob.channels().get()["channels"][0]["channelId"].getStr == "new"
      check bob.removeChannel("new").isOk and bob.removeChannel("new").isOk
      check bob.channels().get()["channels"].len == 0
      discard bob.wrapped("b1", "one")
      check bob.getMessageHistory("channel") == @["b1"]
      check bob.resetReliabilityManager().isOk and bob.getMessageHistory("channel").len == 0

    test "a manager tells what it holds and counted":
      discard bob.wrapped("b1", "one")
      let told = bob.inspect("channel").get()
      check told["log"][0]["messageId"].getStr == "b1" and told["outgoingBuffer"].len == 1
      check bob.stats().get()["metrics"].len > 10
      check sdsVersion().split('.').len == 3

proc checkTime() =
  suite "time":
    test "the loop of the host drives everything":
      let config = ReliabilityConfig.init(
        repairTMin = ms(0), repairTMax = ms(1), maxResendAttempts = 1, syncMessageInterval = ms(7000),
        repairSweepInterval = ms(5000), resendInterval = ms(20000), bufferSweepInterval = ms(60000),
      )
      let alice = manager("alice", config)
      let bob = manager("bob", config)
      let atAlice = keep alice
      let atBob = keep bob
      let now = getTime()
      discard alice.wrapped("m1", "lost")
      check alice.tick(now).get() == ms(5000) # the first makes the schedule
      check alice.tick(now + ms(4999)).get() == ms(1)
      check alice.tick(now + ms(5000)).get() == ms(2000)
      check atAlice.entries.len == 0
      check alice.tick(now + ms(7000)).get() == ms(3000)
      check atAlice.entries == @["sync", "sync due in channel"]

      bob.received(alice.wrapped("m2", "two"))
      sleep 2
      alice.received(bob.wrapped("b1", "asks"))
      discard alice.tick(now + ms(12000))
      check "repair in channel" in atAlice.entries
      bob.received(atAlice.payloads[^1])
      check atBob.entries[^4 .. ^1] == @[
        "ready m1 in channel", "delivered m1: lost", "ready m2 in channel", "delivered m2: two"
      ]

      discard alice.tick(now + ms(60000))
      check "resend m1 in channel #1" in atAlice.entries
      discard alice.tick(now + ms(120000))
      discard alice.tick(now + ms(180000))
      check "failed m1 in channel after 1" in atAlice.entries
      alice.cleanup()
      bob.cleanup()

    test "what never comes is lost in the end":
      let alice = manager("alice")
      let bob = manager("bob", ReliabilityConfig.init(missingDependencyTimeout = ms(1000)))
      let heard = keep bob
      let now = getTime()
      discard alice.wrapped("m1", "lost")
      bob.received(alice.wrapped("m2", "two"))
      discard bob.tick(now)
      discard bob.tick(now + ms(120_000))
      check heard.entries[0 .. 3] == @[
        "missing m2 in channel: m1/alice/", "lost m2 in channel: m1/alice/", "ready m2 in channel", "delivered m2: two"
      ]
      alice.cleanup()
      bob.cleanup()

proc checkConfiguration() =
  suite "configuration":
    test "only what is not the default is passed on":
      check defaultConfig().toJson() == "" and ReliabilityConfig.init().toJson() == ""
      var config = defaultConfig()
      config.resendInterval = initDuration(minutes = 2)
      config.acceptUnknownChannels = false
      config.storePath = "a \"file\""
      check parseJson(config.toJson()) == %*{
        "resendIntervalMs": 120000, "acceptUnknownChannels": false, "storePath": "a \"file\""
      }

    test "a fraction of a millisecond is rounded up":
      check ReliabilityConfig.init(resendInterval = initDuration(microseconds = 1)).toJson() == """{"resendIntervalMs":1}"""
      check ReliabilityConfig.init(resendInterval = initDuration(milliseconds = 3)).toJson() == """{"resendIntervalMs":3}"""
      check ReliabilityConfig.init(resendInterval = initDuration(milliseconds = -3)).toJson() == """{"resendIntervalMs":-3}"""

    test "the defaults are the library's":
      # The header lists them: a key, its default, its meaning.
      let header = readFile(currentSourcePath().parentDir / "../../../include/libsds.h")
      var changed = defaultConfig()
      var keys = 0
      for name, field in changed.fieldPairs:
        when field is Duration:
          let key = name & "Ms"
          let default = $field.inMilliseconds
        elif field is string:
          let key = name
          let default = "\"" & field & "\""
        elif field is OrderedTable[string, string]:
          let key = name
          let default = "{}"
          check field.len == 0
        elif field is float:
          let key = name
          let default = (if field == 1e-6: "1e-6" else: $field)
        else:
          let key = name
          let default = $field
        checkpoint key
        var found = false
        for line in header.splitLines:
          let columns = line.split('|')
          if columns.len > 3:
            let names = columns[1].split(", ")
            let defaults = columns[2].split(", ")
            for at, column in names:
              if column.strip == key and defaults.len == names.len:
                found = defaults[at].strip == default
        check found
        inc keys
      check keys == 32

    test "every key reaches the library, and what is out of range is named":
      template refused(key: string, settings: untyped) =
        block:
          var config {.inject.} = defaultConfig()
          settings
          let outcome = newReliabilityManager("alice", config)
          checkpoint key & ": " & lastErrorMessage()
          check outcome.isErr and outcome.error == reInvalidArgument and key in lastErrorMessage()
      refused "bloomFilterCapacity": config.bloomFilterCapacity = -1
      refused "bloomFilterErrorRate": config.bloomFilterErrorRate = 2
      refused "bloomFilterErrorRate": config.bloomFilterErrorRate = NaN
      refused "bloomFilterErrorRate": config.bloomFilterErrorRate = Inf
      refused "maxMessageHistory": config.maxMessageHistory = -1
      refused "maxCausalHistory": config.maxCausalHistory = -1
      refused "resendIntervalMs": config.resendInterval = ms(-1)
      refused "maxResendAttempts": config.maxResendAttempts = -1
      refused "syncMessageIntervalMs": config.syncMessageInterval = ms(-1)
      refused "bufferSweepIntervalMs": config.bufferSweepInterval = ms(-1)
      refused "repairTMinMs": config.repairTMin = ms(-1)
      refused "repairTMaxMs": config.repairTMax = ms(-1)
      refused "numResponseGroups": config.numResponseGroups = -1
      refused "maxRepairRequests": config.maxRepairRequests = -1
      refused "repairSweepIntervalMs": config.repairSweepInterval = ms(-1)
      refused "storeSync": config.storeSync = "no"
      refused "wireFormat": config.wireFormat = "sds-9"
      refused "channelWireFormats": config.channelWireFormats["channel"] = "sds-9"
      refused "lamportUnit": config.lamportUnit = "days"
      refused "ackConfidence": config.ackConfidence = -1
      refused "possibleAckThreshold": config.possibleAckThreshold = -1
      refused "missingDependencyTimeoutMs": config.missingDependencyTimeout = ms(-1)
      refused "maxLamportDriftMs": config.maxLamportDrift = ms(-1)
      refused "maxContentBytes": config.maxContentBytes = -1
      refused "maxWireBytes": config.maxWireBytes = -1
      refused "maxHistoryEntries": config.maxHistoryEntries = -1
      refused "maxIdBytes": config.maxIdBytes = -1
      refused "maxChannels": config.maxChannels = -1
      refused "maxIncomingMessages": config.maxIncomingMessages = -1
      refused "maxIncomingBytes": config.maxIncomingBytes = -1
      refused "maxOutgoingMessages": config.maxOutgoingMessages = -1
      refused "maxRepairEntries": config.maxRepairEntries = -1

    test "channels write what is named for them":
      let rm = manager("alice", ReliabilityConfig.init(channelWireFormats = {"lip": "lip-109"}.toOrderedTable))
      for (channel, format) in {"lip": "lip-109", "sds": "sds-0.4"}:
        check rm.ensureChannel(channel).isOk
        check rm.inspect(channel).get()["wireFormat"].getStr == format
      rm.cleanup()

    test "a limit that is reached is an error":
      let rm = manager("alice", ReliabilityConfig.init(maxChannels = 1, maxOutgoingMessages = 1))
      discard rm.wrapped("m1", "one")
      check rm.wrapOutgoingMessage([1'u8], "m2", "channel").error == reLimitExceeded
      check rm.ensureChannel("another").error == reLimitExceeded
      rm.cleanup()

    test "unknown channels are not made where that is off":
      let alice = manager("alice")
      let rm = manager("bob", ReliabilityConfig.init(acceptUnknownChannels = false))
      check rm.unwrapMessage(alice.wrapped("m1", "one")).error == reLimitExceeded
      alice.cleanup()
      rm.cleanup()

    test "the environment configures who has all defaults":
      putEnv("SDS_CONFIG", """{"maxChannels":1}""")
      let everywhere = manager("alice")
      let own = manager("bob", ReliabilityConfig.init(maxRepairRequests = 4))
      delEnv("SDS_CONFIG")
      check everywhere.ensureChannel("one").isOk and everywhere.ensureChannel("two").error == reLimitExceeded
      check own.ensureChannel("one").isOk and own.ensureChannel("two").isOk
      everywhere.cleanup()
      own.cleanup()

    test "a manager is made as in any version of nim-sds":
      let config = defaultConfig()
      for rm in [
        newReliabilityManager().get(), newReliabilityManager(config).get(), newReliabilityManager(config, "alice").get(),
        newReliabilityManager("alice").get(), newReliabilityManager("alice", config).get(),
        newReliabilityManager(participantId = "alice").get(), newReliabilityManager(config = config).get(),
        newReliabilityManager(participantId = "alice", config = config).get(),
        newReliabilityManager(config = config, participantId = "alice").get(),
        newReliabilityManager("alice", config, noOpPersistence()).get(),
      ]:
        check rm.participantId in ["", "alice"] and rm.config == config
        check rm.ensureChannel("channel").isOk
        rm.cleanup()

    test "a participant id that is none is refused":
      check newReliabilityManager("\xFF").error == reInvalidArgument
      check newReliabilityManager(repeat('a', 5000)).error == reInvalidArgument

checkMessages()
checkTime()
checkConfiguration()
