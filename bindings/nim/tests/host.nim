## What the tests do with managers, and a diary of their callbacks.
import std/[json, strutils, times]
import libsds

export json, strutils, times, libsds

type Diary* = ref object
  entries*: seq[string]
  payloads*: seq[seq[byte]] ## to broadcast, of repairs and resends

func bytes*(text: string): seq[byte] =
  for letter in text:
    result.add byte(letter)

func text*(data: seq[byte]): string =
  for letter in data:
    result.add char(letter)

func ms*(count: int): Duration =
  initDuration(milliseconds = count)

proc manager*(id: string, config = defaultConfig(), persistence = noOpPersistence()): ReliabilityManager =
  newReliabilityManager(id, config, persistence).valueOr:
    raise newException(ValueError, $error & ": " & lastErrorMessage())

func told(deps: seq[HistoryEntry]): string =
  for dep in deps:
    result.add " " & dep.messageId & "/" & dep.senderId & "/" & dep.retrievalHint.text

proc keep*(rm: ReliabilityManager, hint: RetrievalHintProvider = nil): Diary {.discardable.} =
  ## Sets callbacks that write down what they are told.
  let diary = Diary()
  let done = rm.setCallbacks(
    onMessageReady = proc(messageId: SdsMessageID, channelId: SdsChannelID) =
      diary.entries.add("ready " & messageId & " in " & channelId),
    onMessageSent = proc(messageId: SdsMessageID, channelId: SdsChannelID) =
      diary.entries.add("sent " & messageId & " in " & channelId),
    onMissingDependencies = proc(messageId: SdsMessageID, missingDeps: seq[HistoryEntry], channelId: SdsChannelID) =
      diary.entries.add("missing " & messageId & " in " & channelId & ":" & told(missingDeps)),
    onPeriodicSync = proc() =
      diary.entries.add("sync"),
    onRetrievalHint = hint,
    onRepairReady = proc(message: seq[byte], channelId: SdsChannelID) =
      diary.entries.add("repair in " & channelId)
      diary.payloads.add(message),
    onResendReady = proc(message: seq[byte], messageId: SdsMessageID, channelId: SdsChannelID, attempt: int) =
      diary.entries.add("resend " & messageId & " in " & channelId & " #" & $attempt)
      diary.payloads.add(message),
    onDeliveryFailed = proc(messageId: SdsMessageID, channelId: SdsChannelID, attempts: int) =
      diary.entries.add("failed " & messageId & " in " & channelId & " after " & $attempts),
    onDependenciesLost = proc(messageId: SdsMessageID, lostDeps: seq[HistoryEntry], channelId: SdsChannelID) =
      diary.entries.add("lost " & messageId & " in " & channelId & ":" & told(lostDeps)),
    onMessageDelivered = proc(message: seq[byte], messageId: SdsMessageID, channelId: SdsChannelID) =
      diary.entries.add("delivered " & messageId & ": " & message.text),
    onSyncDue = proc(channelIds: seq[SdsChannelID]) =
      diary.entries.add("sync due in " & channelIds.join(",")),
  )
  if done.isErr:
    raise newException(ValueError, lastErrorMessage())
  diary

proc wrapped*(rm: ReliabilityManager, id, content: string, channel = "channel"): seq[byte] =
  rm.wrapOutgoingMessage(content.bytes, id, channel).valueOr:
    raise newException(ValueError, $error & ": " & lastErrorMessage())

proc received*(rm: ReliabilityManager, payload: seq[byte]): UnwrappedMessage {.discardable.} =
  rm.unwrapMessage(payload).valueOr:
    raise newException(ValueError, $error & ": " & lastErrorMessage())
