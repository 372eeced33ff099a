import std/unittest
import ./host

proc callEverything() {.raises: [], gcsafe.} =
  # As in a chronos procedure with raises: [].
  let rm = newReliabilityManager("alice").valueOr:
    return
  rm.setCallbacks(nil, nil, nil)
  discard rm.wrapOutgoingMessage(@[1'u8], "m", "c")
  discard rm.wrapSyncMessage("c")
  discard rm.wrapEphemeralMessage(@[1'u8], "m", "c")
  discard rm.unwrapReceivedMessage(@[1'u8])
  discard rm.unwrapMessage(@[1'u8])
  discard rm.markDependenciesMet(@["m"], "c")
  discard rm.ensureChannel("c")
  discard rm.removeChannel("c")
  discard rm.resetReliabilityManager()
  discard rm.tick()
  discard rm.inspect("c")
  discard rm.stats()
  discard rm.channels()
  discard rm.getMessageHistory("c")
  rm.startPeriodicTasks(nil)
  rm.cleanup()
  discard lastErrorMessage()

suite "effects":
  test "whoever must not raise may make every call":
    callEverything()
    check "" != lastErrorMessage() # one of the calls was wrong
