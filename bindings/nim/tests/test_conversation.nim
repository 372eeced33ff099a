## Three participants over a network that loses; one of them comes back from its file.
import std/[deques, os, random, sets, tempfiles, unittest]
import ./host

type
  Peer = ref object
    name: string
    config: ReliabilityConfig
    rm: ReliabilityManager
    order: seq[string] # own messages and deliveries, as they came
    net: Network

  Network = ref object
    peers: seq[Peer]
    losses: Rand # of messages; seeded, so that the same are lost in every run
    lost: int
    answered: HashSet[string]
    air: Deque[tuple[sender: Peer, payload: seq[byte], lossy: bool]]

const channel = "garden"

proc broadcast(peer: Peer, payload: seq[byte], lossy = false) =
  peer.net.air.addLast (peer, payload, lossy)

proc start(peer: Peer) =
  peer.rm = manager(peer.name, peer.config)
  let done = peer.rm.setCallbacks(
    onMessageReady = proc(messageId: SdsMessageID, channelId: SdsChannelID) =
      peer.order.add(messageId),
    onMessageSent = nil,
    onMissingDependencies = nil,
    onRepairReady = proc(message: seq[byte], channelId: SdsChannelID) =
      # The first answer to anything is lost as well.
      if peer.net.answered.containsOrIncl(message.text):
        peer.broadcast(message),
    onResendReady = proc(message: seq[byte], messageId: SdsMessageID, channelId: SdsChannelID, attempt: int) =
      peer.broadcast(message),
    onSyncDue = proc(channelIds: seq[SdsChannelID]) =
      for channelId in channelIds:
        peer.broadcast(peer.rm.wrapSyncMessage(channelId).get()),
  )
  check done.isOk

proc deliver(net: Network) =
  while net.air.len > 0:
    let (sender, payload, lossy) = net.air.popFirst()
    for peer in net.peers:
      if peer != sender:
        if lossy and net.losses.rand(1.0) < 0.4:
          inc net.lost
        elif peer.rm != nil:
          check peer.rm.unwrapReceivedMessage(payload).isOk

proc log(peer: Peer): seq[string] =
  for entry in peer.rm.inspect(channel).get()["log"]:
    result.add entry["messageId"].getStr

proc heal(net: Network, said: int) =
  ## Until everybody has everything.
  let ends = getTime() + initDuration(seconds = 120)
  while getTime() < ends:
    var wait = ms(50)
    for peer in net.peers:
      wait = min(wait, peer.rm.tick().get())
    net.deliver()
    var behind = false
    for peer in net.peers:
      behind = behind or peer.order.len < said
    if not behind:
      return
    sleep max(1, int wait.inMilliseconds)

proc checkConversation() =
  suite "a conversation":
    test "three participants end with equal logs over losses and a restart":
      let folder = createTempDir("libsds-", "-nim")
      let net = Network(losses: initRand(20260101), air: initDeque[(Peer, seq[byte], bool)]())
      for name in ["alice", "bob", "carol"]:
        let peer = Peer(
          name: name,
          net: net,
          config: ReliabilityConfig.init(
            # A sync message cites all that was said at a time. So what is missing is asked for
            # again, however long the machine sleeps; otherwise asking ends after repairTMax.
            maxCausalHistory = 20,
            bloomFilterCapacity = 500, repairTMin = ms(0), repairTMax = ms(60), repairSweepInterval = ms(10),
            syncMessageInterval = ms(40), bufferSweepInterval = ms(1000), resendInterval = ms(2000),
            storePath = if name == "carol": folder / "carol.sds" else: "",
          ),
        )
        net.peers.add peer
        start peer
        check peer.rm.ensureChannel(channel).isOk
      var said = 0
      for round in 0 ..< 6:
        # One speaks at a time, so that there is one causal order of all.
        let speaker = net.peers[round mod 3]
        for _ in 0 ..< 15:
          inc said
          let id = speaker.name & "-" & $said
          speaker.order.add id
          speaker.broadcast(speaker.rm.wrapped(id, "message " & $said, channel), lossy = true)
          net.deliver()
          if said == 27: # bob speaks; carol has gaps, and messages that wait
            let carol = net.peers[2]
            check carol.rm.inspect(channel).get()["incomingBuffer"].len > 0
            carol.rm.cleanup()
            start carol
        net.heal(said)
      check net.lost > 50 and net.answered.len > 30
      for peer in net.peers:
        checkpoint peer.name
        check peer.order == net.peers[0].order and peer.order.len == said
        check peer.log == peer.order
      for peer in net.peers:
        peer.rm.cleanup()
      removeDir folder

checkConversation()
