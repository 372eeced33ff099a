## What a wrap of 1 KiB costs through `libsds`, for `make bench`: two participants talk in
## one channel until both logs are full, and then rounds of calls are timed. One line goes
## to stdout: `wrap` and the median of the rounds, in nanoseconds per call.
import std/[algorithm, monotimes, strutils, times]
import libsds

const
  batch = 200
  rounds = 60
  warmUp = 10

var sequence = 0
let content = newSeq[byte](1024)

proc nextId(): string =
  inc sequence
  align($sequence, 64, '0')

proc fail(problem: ReliabilityError) {.noreturn.} =
  quit "bench: " & $problem & ": " & lastErrorMessage()

proc participant(id: string): ReliabilityManager =
  # One peer is all there is to witness an acknowledgement.
  let config = ReliabilityConfig.init(possibleAckThreshold = 1, maxOutgoingMessages = 1_000_000)
  result = newReliabilityManager(id, config).valueOr: fail error
  result.setCallbacks(
    proc(messageId: SdsMessageID, channelId: SdsChannelID) = discard,
    proc(messageId: SdsMessageID, channelId: SdsChannelID) = discard,
    proc(messageId: SdsMessageID, missingDeps: seq[HistoryEntry], channelId: SdsChannelID) = discard,
  )

proc wrap(rm: ReliabilityManager, id: SdsMessageID): seq[byte] =
  rm.wrapOutgoingMessage(content, id, "channel").valueOr: fail error

proc receive(rm: ReliabilityManager, payload: seq[byte]) =
  discard rm.unwrapReceivedMessage(payload).valueOr: fail error

proc tell(speaker, listener: ReliabilityManager) =
  ## What speaker says, listener hears: both acknowledge what the other has.
  listener.receive speaker.wrap(nextId())

proc main() =
  let alice = participant("alice")
  let bob = participant("bob")
  for i in 0 ..< 1100:
    tell alice, bob
    if i mod 50 == 0:
      tell bob, alice
  var wraps: seq[float]
  for round in -warmUp ..< rounds:
    var
      ids: seq[string]
      last: seq[byte]
    for _ in 0 ..< batch:
      ids.add nextId()
    let began = getMonoTime()
    for id in ids:
      last = alice.wrap(id)
    if round >= 0:
      wraps.add float((getMonoTime() - began).inNanoseconds) / batch
    # Bob catches up with all but the last by his word, and tells.
    bob.markDependenciesMet(ids, "channel").isOkOr: fail error
    bob.receive last
    tell bob, alice
    tell alice, bob
  wraps.sort()
  echo "wrap ", formatFloat(wraps[rounds div 2], ffDecimal, 3)
  alice.cleanup()
  bob.cleanup()

main()
