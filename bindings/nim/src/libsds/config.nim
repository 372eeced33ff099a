## What a manager is configured with. Names, order and defaults of the first thirteen
## parameters are those of nim-sds; the others are keys of libsds.

import std/[json, tables, times]

const
  DefaultBloomFilterCapacity* = 10000
  DefaultBloomFilterErrorRate* = 0.001
  DefaultMaxMessageHistory* = 1000
  DefaultMaxCausalHistory* = 10
  DefaultResendInterval* = initDuration(seconds = 60)
  DefaultMaxResendAttempts* = 5
  DefaultSyncMessageInterval* = initDuration(seconds = 30)
  DefaultBufferSweepInterval* = initDuration(seconds = 60)
  DefaultRepairTMin* = initDuration(seconds = 30)
  DefaultRepairTMax* = initDuration(seconds = 300)
  DefaultNumResponseGroups* = 1
  DefaultMaxRepairRequests* = 3
  DefaultRepairSweepInterval* = initDuration(seconds = 5)
  DefaultWireFormat* = "sds-0.4"
  DefaultLamportUnit* = "auto"
  DefaultAckConfidence* = 1e-6
  DefaultPossibleAckThreshold* = 2
  DefaultMissingDependencyTimeout* = initDuration(minutes = 10)
  DefaultMaxLamportDrift* = initDuration(days = 1)
  DefaultStoreSync* = "full"
  MaxMessageSize* = 1024 * 1024
    ## The bytes that a content may have, unless `maxContentBytes` says otherwise.
  DefaultMaxWireBytes* = 8 * 1024 * 1024
  DefaultMaxHistoryEntries* = 4096
  DefaultMaxIdBytes* = 1024
  DefaultMaxIncomingMessages* = 10000
  DefaultMaxIncomingBytes* = 64 * 1024 * 1024
  DefaultMaxOutgoingMessages* = 10000
  DefaultMaxRepairEntries* = 1000

type ReliabilityConfig* {.requiresInit.} = object
  ## Made by `init` or `defaultConfig`; the fields may be changed until it is passed on.
  ## What is out of range is reported by `newReliabilityManager`, with the name of the key.
  ## The library counts in whole milliseconds: fractions are rounded up.
  bloomFilterCapacity*: int        ## Ids that the filter in each message covers.
  bloomFilterErrorRate*: float     ## Its share of false positives when full.
  maxMessageHistory*: int          ## Messages that the log of a channel keeps.
  maxCausalHistory*: int           ## Messages that each message cites.
  resendInterval*: Duration        ## Unacknowledged for so long: sent again,
  maxResendAttempts*: int          ## and given up after so many times.
  syncMessageInterval*: Duration   ## Between calls of `onPeriodicSync`.
  bufferSweepInterval*: Duration   ## Between looks for what to resend or give up.
  repairTMin*: Duration            ## The least delay before asking for a repair,
  repairTMax*: Duration            ## and the greatest.
  numResponseGroups*: int          ## Groups that share the work of answering.
  maxRepairRequests*: int          ## Repairs that one message asks for.
  repairSweepInterval*: Duration   ## Between looks for what to answer.
  storePath*: string               ## A file that keeps the channels; `""`: none.
  storeSync*: string               ## `"full"`, or `"batch"`: commits are shared.
  wireFormat*: string              ## What is written: `"sds-0.2"`, `"sds-0.3"`, `"sds-0.4"`, `"lip-109"`.
  channelWireFormats*: OrderedTable[string, string]
    ## What is written in single channels, by their ids: `{"lobby": "lip-109"}.toOrderedTable`.
  lamportUnit*: string             ## `"seconds"`, `"milliseconds"`, or `"auto"`: by the format.
  ackConfidence*: float            ## A filter with fewer false positives acknowledges alone,
  possibleAckThreshold*: int       ## and otherwise so many do together.
  missingDependencyTimeout*: Duration ## How long a message waits for others; 0: for ever.
  maxLamportDrift*: Duration       ## How far a peer can move the clock ahead.
  maxContentBytes*: int            ## Content of a message.
  maxWireBytes*: int               ## A received payload.
  maxHistoryEntries*: int          ## Entries of a received causal history.
  maxIdBytes*: int                 ## An id.
  maxChannels*: int                ## Channels of a manager; 0: no bound.
  acceptUnknownChannels*: bool     ## A received message may create its channel.
  maxIncomingMessages*: int        ## Messages per channel that wait for others,
  maxIncomingBytes*: int           ## and their size.
  maxOutgoingMessages*: int        ## Unacknowledged messages per channel.
  maxRepairEntries*: int           ## Entries of each repair buffer.

func init*(
    T: type ReliabilityConfig,
    bloomFilterCapacity: int = DefaultBloomFilterCapacity,
    bloomFilterErrorRate: float = DefaultBloomFilterErrorRate,
    maxMessageHistory: int = DefaultMaxMessageHistory,
    maxCausalHistory: int = DefaultMaxCausalHistory,
    resendInterval: Duration = DefaultResendInterval,
    maxResendAttempts: int = DefaultMaxResendAttempts,
    syncMessageInterval: Duration = DefaultSyncMessageInterval,
    bufferSweepInterval: Duration = DefaultBufferSweepInterval,
    repairTMin: Duration = DefaultRepairTMin,
    repairTMax: Duration = DefaultRepairTMax,
    numResponseGroups: int = DefaultNumResponseGroups,
    maxRepairRequests: int = DefaultMaxRepairRequests,
    repairSweepInterval: Duration = DefaultRepairSweepInterval,
    storePath: string = "",
    storeSync: string = DefaultStoreSync,
    wireFormat: string = DefaultWireFormat,
    channelWireFormats: OrderedTable[string, string] = initOrderedTable[string, string](),
    lamportUnit: string = DefaultLamportUnit,
    ackConfidence: float = DefaultAckConfidence,
    possibleAckThreshold: int = DefaultPossibleAckThreshold,
    missingDependencyTimeout: Duration = DefaultMissingDependencyTimeout,
    maxLamportDrift: Duration = DefaultMaxLamportDrift,
    maxContentBytes: int = MaxMessageSize,
    maxWireBytes: int = DefaultMaxWireBytes,
    maxHistoryEntries: int = DefaultMaxHistoryEntries,
    maxIdBytes: int = DefaultMaxIdBytes,
    maxChannels: int = 0,
    acceptUnknownChannels: bool = true,
    maxIncomingMessages: int = DefaultMaxIncomingMessages,
    maxIncomingBytes: int = DefaultMaxIncomingBytes,
    maxOutgoingMessages: int = DefaultMaxOutgoingMessages,
    maxRepairEntries: int = DefaultMaxRepairEntries,
): T =
  ## A configuration; what is not given has its default.
  T(
    bloomFilterCapacity: bloomFilterCapacity,
    bloomFilterErrorRate: bloomFilterErrorRate,
    maxMessageHistory: maxMessageHistory,
    maxCausalHistory: maxCausalHistory,
    resendInterval: resendInterval,
    maxResendAttempts: maxResendAttempts,
    syncMessageInterval: syncMessageInterval,
    bufferSweepInterval: bufferSweepInterval,
    repairTMin: repairTMin,
    repairTMax: repairTMax,
    numResponseGroups: numResponseGroups,
    maxRepairRequests: maxRepairRequests,
    repairSweepInterval: repairSweepInterval,
    storePath: storePath,
    storeSync: storeSync,
    wireFormat: wireFormat,
    channelWireFormats: channelWireFormats,
    lamportUnit: lamportUnit,
    ackConfidence: ackConfidence,
    possibleAckThreshold: possibleAckThreshold,
    missingDependencyTimeout: missingDependencyTimeout,
    maxLamportDrift: maxLamportDrift,
    maxContentBytes: maxContentBytes,
    maxWireBytes: maxWireBytes,
    maxHistoryEntries: maxHistoryEntries,
    maxIdBytes: maxIdBytes,
    maxChannels: maxChannels,
    acceptUnknownChannels: acceptUnknownChannels,
    maxIncomingMessages: maxIncomingMessages,
    maxIncomingBytes: maxIncomingBytes,
    maxOutgoingMessages: maxOutgoingMessages,
    maxRepairEntries: maxRepairEntries,
  )

func defaultConfig*(): ReliabilityConfig =
  ## All defaults.
  ReliabilityConfig.init()

func milliseconds(duration: Duration): int64 =
  # Half a millisecond must not become 0, which has a meaning of its own.
  result = duration.inMilliseconds
  if duration > initDuration(milliseconds = result):
    inc result

proc toJson*(config: ReliabilityConfig): string =
  ## The configuration as the library reads it: an object of what is not the default, or
  ## `""` where everything is, in which case the library takes `SDS_CONFIG` of the
  ## environment, if that is set.
  let defaults = defaultConfig()
  let keys = newJObject()

  template key(field: untyped) =
    if config.field != defaults.field:
      when config.field is Duration:
        keys[astToStr(field) & "Ms"] = %milliseconds(config.field)
      else:
        keys[astToStr(field)] = %config.field

  key bloomFilterCapacity
  key bloomFilterErrorRate
  key maxMessageHistory
  key maxCausalHistory
  key resendInterval
  key maxResendAttempts
  key syncMessageInterval
  key bufferSweepInterval
  key repairTMin
  key repairTMax
  key numResponseGroups
  key maxRepairRequests
  key repairSweepInterval
  key storePath
  key storeSync
  key wireFormat
  key channelWireFormats
  key lamportUnit
  key ackConfidence
  key possibleAckThreshold
  key missingDependencyTimeout
  key maxLamportDrift
  key maxContentBytes
  key maxWireBytes
  key maxHistoryEntries
  key maxIdBytes
  key maxChannels
  key acceptUnknownChannels
  key maxIncomingMessages
  key maxIncomingBytes
  key maxOutgoingMessages
  key maxRepairEntries
  if keys.len == 0: "" else: $keys
