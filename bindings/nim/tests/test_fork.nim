import std/[posix, unittest]
import ./host

proc checkFork() =
  suite "fork":
    test "a forked child is told at once":
      let rm = manager("alice")
      let payload = rm.wrapped("m1", "one")
      let child = fork()
      if child == 0:
        var told = 0
        if rm.wrapOutgoingMessage([1'u8], "m2", "channel").error == reForked: inc told
        if rm.unwrapReceivedMessage(payload).error == reForked: inc told
        if newReliabilityManager("bob").error == reForked: inc told
        if rm.tick().error == reForked: inc told
        if rm.cleanup().error == reForked: inc told
        if "forked" in lastErrorMessage(): inc told
        exitnow(cint told)
      var status: cint
      check waitpid(child, status, 0) == child
      check WIFEXITED(status) and WEXITSTATUS(status) == 6
      check rm.wrapped("m3", "the parent goes on").len > 0
      rm.cleanup()

checkFork()
