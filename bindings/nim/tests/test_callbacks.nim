import std/[asyncdispatch, os, unittest]
import ./host

type Refusal = object of CatchableError

proc raising(rm: ReliabilityManager, hook: CallbackErrorHook = nil, defect = false) =
  rm.setCallbacks(
    onMessageReady = proc(messageId: SdsMessageID, channelId: SdsChannelID) =
      if defect:
        raise newException(FieldDefect, "not " & messageId)
      raise newException(Refusal, "not " & messageId),
    onMessageSent = nil,
    onMissingDependencies = nil,
    onSyncDue = proc(channelIds: seq[SdsChannelID]) =
      raise newException(Refusal, "no sync"),
    onCallbackError = hook,
  )

proc checkCallbacks() =
  suite "callbacks":
    setup:
      let alice = manager("alice")
      let bob = manager("bob")

    teardown:
      alice.cleanup()
      bob.cleanup()

    test "an exception in a callback surfaces from the call that caused it":
      raising bob
      let payload = alice.wrapped("m1", "one")
      check bob.unwrapReceivedMessage(payload).error == reCallbackFailed
      check lastErrorMessage() == "a callback raised Refusal: not m1"
      check bob.getMessageHistory("channel") == @["m1"] # it took effect
      check bob.unwrapMessage(payload).get().duplicate

    test "so does a defect":
      bob.raising(defect = true)
      check bob.unwrapReceivedMessage(alice.wrapped("m1", "one")).error == reCallbackFailed
      check lastErrorMessage() == "a callback raised FieldDefect: not m1"

    test "a hook takes the exceptions and nothing is lost":
      var taken: seq[ref Exception]
      bob.raising(proc(error: ref Exception) = taken.add error)
      let first = alice.wrapped("m1", "one")
      let second = alice.wrapped("m2", "two")
      check bob.unwrapMessage(second).get().buffered
      check bob.unwrapReceivedMessage(first).get().message.text == "one"
      check taken.len == 2 and taken[0] of Refusal and taken[0].msg == "not m1" and taken[1].msg == "not m2"

    test "an exception in the hook surfaces from the call":
      bob.raising(proc(error: ref Exception) = raise newException(Refusal, "nor the hook"))
      check bob.unwrapReceivedMessage(alice.wrapped("m1", "one")).error == reCallbackFailed
      check lastErrorMessage() == "a callback raised Refusal: nor the hook"

    test "an exception in the hint provider surfaces from the wrap":
      keep(alice, proc(messageId: SdsMessageID): seq[byte] = raise newException(Refusal, "no hint"))
      discard alice.wrapped("m1", "one")
      check alice.wrapOutgoingMessage("two".bytes, "m2", "channel").error == reCallbackFailed
      check lastErrorMessage() == "a callback raised Refusal: no hint"
      check alice.getMessageHistory("channel") == @["m1", "m2"]

    test "an exception in any callback stops no other one":
      let config = ReliabilityConfig.init(
        repairTMin = ms(0), repairTMax = ms(1), missingDependencyTimeout = ms(1000), maxResendAttempts = 1,
        bufferSweepInterval = ms(1000), resendInterval = ms(1000),
      )
      let peer = manager("carol", config)
      var taken: seq[string]
      let outcome = peer.setCallbacks(
        onMessageReady = proc(messageId: SdsMessageID, channelId: SdsChannelID) = raise newException(Refusal, "ready"),
        onMessageSent = proc(messageId: SdsMessageID, channelId: SdsChannelID) = raise newException(Refusal, "sent"),
        onMissingDependencies = proc(messageId: SdsMessageID, missingDeps: seq[HistoryEntry], channelId: SdsChannelID) =
          raise newException(Refusal, "missing"),
        onPeriodicSync = proc() = raise newException(Refusal, "sync"),
        onRetrievalHint = proc(messageId: SdsMessageID): seq[byte] = raise newException(Refusal, "hint"),
        onRepairReady = proc(message: seq[byte], channelId: SdsChannelID) = raise newException(Refusal, "repair"),
        onResendReady = proc(message: seq[byte], messageId: SdsMessageID, channelId: SdsChannelID, attempt: int) =
          raise newException(Refusal, "resend"),
        onDeliveryFailed = proc(messageId: SdsMessageID, channelId: SdsChannelID, attempts: int) =
          raise newException(Refusal, "failed"),
        onDependenciesLost = proc(messageId: SdsMessageID, lostDeps: seq[HistoryEntry], channelId: SdsChannelID) =
          raise newException(Refusal, "lost"),
        onMessageDelivered = proc(message: seq[byte], messageId: SdsMessageID, channelId: SdsChannelID) =
          raise newException(Refusal, "delivered"),
        onSyncDue = proc(channelIds: seq[SdsChannelID]) = raise newException(Refusal, "due"),
        onCallbackError = proc(error: ref Exception) = taken.add(error.msg),
      )
      check outcome.isOk
      let now = getTime()
      check peer.tick(now).isOk
      discard alice.wrapped("m1", "lost")
      peer.received(alice.wrapped("m2", "waits"))
      discard peer.wrapped("c1", "lost as well") # bob asks for it
      bob.received(peer.wrapped("c2", "cites it"))
      let asking = manager("dave", ReliabilityConfig.init(repairTMin = ms(0), repairTMax = ms(1)))
      asking.received(peer.wrapped("c3", "cites both"))
      sleep 5
      peer.received(asking.wrapped("d1", "asks for them"))
      for seconds in 1 .. 60:
        check peer.tick(now + initDuration(seconds = seconds)).isOk
      for told in [
        "ready", "delivered", "missing", "hint", "sync", "due", "repair", "resend", "failed", "lost", "sent",
      ]:
        checkpoint told & " in " & $taken
        check told in taken
      peer.cleanup()
      asking.cleanup()

    test "a nested call has the exceptions of its own callbacks only":
      var inner = ""
      let payloads = [alice.wrapped("m1", "one"), alice.wrapped("x1", "two", "another")]
      bob.setCallbacks(
        onMessageReady = proc(messageId: SdsMessageID, channelId: SdsChannelID) =
          if messageId == "m1":
            let outcome = alice.wrapOutgoingMessage("in between".bytes, "m2", "channel")
            inner = $outcome.isOk
            raise newException(Refusal, "outer"),
        onMessageSent = nil, onMissingDependencies = nil,
      )
      check bob.unwrapReceivedMessage(payloads[0]).error == reCallbackFailed
      check inner == "true"
      check bob.unwrapReceivedMessage(payloads[1]).isOk

    test "a callback may call its own manager":
      var answer: seq[byte]
      let heard = keep alice
      bob.setCallbacks(
        onMessageReady = proc(messageId: SdsMessageID, channelId: SdsChannelID) =
          answer = bob.wrapped("b1", "an answer", channelId),
        onMessageSent = nil, onMissingDependencies = nil,
      )
      bob.received(alice.wrapped("m1", "one"))
      alice.received(answer)
      check heard.entries == @["sent m1 in channel", "ready b1 in channel", "delivered b1: an answer"]

    test "a provider may not":
      var refused: seq[string]
      keep(alice, proc(messageId: SdsMessageID): seq[byte] =
        refused.add $alice.ensureChannel("x").error & ": " & lastErrorMessage()
        refused.add $alice.cleanup().error & ": " & lastErrorMessage())
      discard alice.wrapped("m1", "one")
      discard alice.wrapped("m2", "two")
      check refused.len == 2
      check refused[0] == "reInvalidArgument: libsds error: called from inside a retrieval hint provider"
      check refused[1] == "reInvalidArgument: invalid argument"
      check alice.ensureChannel("x").isOk

    test "a callback may replace itself":
      var entries: seq[string]
      proc second(messageId: SdsMessageID, channelId: SdsChannelID) =
        entries.add "second " & messageId
      proc first(): MessageReadyCallback =
        let own = "first " # a closure that nobody else keeps
        result = proc(messageId: SdsMessageID, channelId: SdsChannelID) =
          bob.setCallbacks(second, nil, nil)
          GC_fullCollect()
          entries.add own & messageId
      bob.setCallbacks(first(), nil, nil)
      bob.received(alice.wrapped("m1", "one"))
      bob.received(alice.wrapped("m2", "two"))
      check entries == @["first m1", "second m2"]

    test "a callback may clean up its manager":
      var entries: seq[string]
      proc ending(): MessageReadyCallback =
        let own = "the end after "
        result = proc(messageId: SdsMessageID, channelId: SdsChannelID) =
          check bob.cleanup().isOk and bob.cleanup().isOk
          GC_fullCollect()
          entries.add own & messageId
      bob.setCallbacks(ending(), nil, nil)
      let first = alice.wrapped("m1", "one")
      discard bob.unwrapReceivedMessage(alice.wrapped("m2", "two"))
      discard bob.unwrapReceivedMessage(first)
      check entries == @["the end after m1"] # and not after m2, which waited for it
      check bob.ensureChannel("channel").error == reInvalidContext

    test "events from before the first callback are kept":
      bob.received(alice.wrapped("m1", "one"))
      let heard = keep bob
      check heard.entries == @["ready m1 in channel", "delivered m1: one"]

    test "what is not wanted is not needed":
      bob.setCallbacks(nil, nil, nil)
      bob.received(alice.wrapped("m1", "one"))

proc checkPeriodicTasks() =
  suite "periodic tasks":
    proc byDispatcher(wait: Duration, task: TimerTask) =
      addTimer(max(1, int wait.inMilliseconds), oneshot = true, proc(fd: AsyncFD): bool =
        task()
        true)

    template pollUntil(condition: bool) =
      let ends = getTime() + initDuration(seconds = 60)
      while not condition and hasPendingOperations() and getTime() < ends:
        poll(20)

    let config = ReliabilityConfig.init(syncMessageInterval = ms(50))

    test "an event loop drives them":
      let rm = manager("alice", config)
      let heard = keep rm
      check rm.startPeriodicTasks(byDispatcher).isOk and rm.startPeriodicTasks(byDispatcher).isOk
      pollUntil heard.entries.len >= 4
      check heard.entries.len >= 4 and heard.entries[0 .. 1] == @["sync", "sync due in "]
      rm.cleanup()
      let before = heard.entries.len
      pollUntil false # no timer is left
      check heard.entries.len == before and not hasPendingOperations()
      check rm.startPeriodicTasks(byDispatcher).error == reInvalidContext

    test "an exception reaches the loop where no hook takes it":
      let rm = manager("alice", config)
      raising rm
      rm.startPeriodicTasks(byDispatcher)
      expect CallbackDefect:
        pollUntil false
      expect CallbackDefect: # the tasks go on
        pollUntil false
      var taken = 0
      rm.raising(proc(error: ref Exception) = inc taken)
      pollUntil taken >= 2
      check taken >= 2
      rm.cleanup()
      pollUntil false

    test "a setter of timers is needed":
      let rm = manager("alice")
      check rm.startPeriodicTasks(nil).error == reInvalidArgument
      rm.cleanup()

checkCallbacks()
checkPeriodicTasks()
