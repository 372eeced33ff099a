// Participants that speak through @waku/sds, for the tests of the folder above.
//
// It reads commands from stdin, a line each, and answers each with a line that begins with
// "ok" or "error", after a line "event ..." for everything that @waku/sds announced: see
// c/participants.c, whose commands these are, but for
//
//   time MILLISECONDS
//   seed N
//   open N PARTICIPANT OPTIONS   OPTIONS are those of a MessageChannel, and `history`: what
//                                an earlier participant's `close` gave, and `arrayHistory`:
//                                keep the log in an array, which @waku/sds sorts no more
//   close N                      ok HISTORY: all that @waku/sds lets a host keep
//   send N CHANNEL ID CONTENT    ID must be the one that @waku/sds gives the content
//   tick N MILLISECONDS          delivers what became complete, and answers repair requests
//   resend N CHANNEL             what is unacknowledged, as events
//
// A participant that gives no hint to an own message is one whose transport knows none; here
// the hint is the SHA-256 of the payload, by which the test's archive knows it.

import { setSeed, setTime } from "./clock.mjs";
import "./older_node.mjs";

import { createHash } from "node:crypto";
import { createInterface } from "node:readline";

import { Message, MessageChannel, MessageChannelEvent, isContentMessage, isEphemeralMessage } from "@waku/sds";

const utf8 = { decoder: new TextDecoder("utf-8", { fatal: true }), encoder: new TextEncoder() };

const fromHex = (word) => (word === "-" ? new Uint8Array() : new Uint8Array(Buffer.from(word, "hex")));
const textFromHex = (word) => utf8.decoder.decode(fromHex(word));
const toHex = (bytes) => (bytes === undefined || bytes.length === 0 ? "-" : Buffer.from(bytes).toString("hex"));
const textToHex = (text) => toHex(utf8.encoder.encode(text ?? ""));
const dependencies = (entries) =>
  entries.map((e) => `${textToHex(e.messageId)}/${textToHex(e.senderId)}/${toHex(e.retrievalHint)}`).join(",") || "-";

const hintOf = (payload) => new Uint8Array(createHash("sha256").update(payload).digest());

/** @type {Map<string, {name: string, options: object, history: object, channels: Map<string, object>}>} */
const participants = new Map();
let events = [];
let failure; // what a task of @waku/sds threw, which it only announces

function note(name, channelId, messageId, bytes, deps = []) {
  events.push(`event ${name} ${textToHex(channelId)} ${textToHex(messageId)} ${toHex(bytes)} ${dependencies(deps)}`);
}

/** A channel of a participant, with its history in reach. */
function channelOf(participant, channelId) {
  let channel = participant.channels.get(channelId);
  if (channel === undefined) {
    const log = participant.options.arrayHistory ? [[]] : [];
    channel = new MessageChannel(channelId, participant.name, participant.options, ...log);
    // It is private, and the class that it has by default is not exported: else it could
    // be handed over, and held here.
    channel.log = channel.localHistory;
    for (const { message, hint } of participant.history[channelId] ?? []) {
      const kept = Message.decode(fromHex(message));
      kept.retrievalHint = hint === "-" ? undefined : fromHex(hint);
      channel.log.push(kept);
    }
    listen(channel, channelId);
    participant.channels.set(channelId, channel);
  }
  return channel;
}

function listen(channel, channelId) {
  const on = (type, listener) => channel.addEventListener(type, ({ detail }) => listener(detail));
  const content = (id) => channel.log.find((m) => m.messageId === id)?.content;
  on(MessageChannelEvent.InMessageDelivered, (id) => note("ready", channelId, id, content(id)));
  on(MessageChannelEvent.OutMessageAcknowledged, (id) => note("acknowledged", channelId, id));
  on(MessageChannelEvent.OutMessagePossiblyAcknowledged, ({ messageId }) => note("possible", channelId, messageId));
  on(MessageChannelEvent.InMessageMissing, (deps) => deps.length > 0 && note("missing", channelId, "", undefined, deps));
  on(MessageChannelEvent.InMessageLost, (deps) => note("lost", channelId, "", undefined, deps));
  on(MessageChannelEvent.ErrorTask, ({ error }) => (failure = error));
}

/** Sends by a function that is given what to do with the message. */
async function sent(send, success) {
  let payload;
  await send(async (message) => {
    payload = message.encode();
    return success(payload);
  });
  return payload;
}

const commands = {
  time(milliseconds) {
    setTime(Number(milliseconds));
  },

  seed(n) {
    setSeed(Number(n));
  },

  open(n, name, options) {
    const { history = {}, ...rest } = JSON.parse(textFromHex(options));
    participants.set(n, { name: textFromHex(name), options: rest, history, channels: new Map() });
  },

  close(n) {
    const { channels } = participants.get(n);
    participants.delete(n);
    const kept = {};
    for (const [id, { log }] of channels) {
      kept[id] = log.slice(0).map((m) => ({ message: toHex(m.encode()), hint: toHex(m.retrievalHint) }));
    }
    return textToHex(JSON.stringify(kept));
  },

  async send(n, channelId, id, content) {
    const channel = channelOf(participants.get(n), textFromHex(channelId));
    const bytes = fromHex(content);
    if (MessageChannel.getMessageId(bytes) !== textFromHex(id)) {
      throw new Error("the id is not that of the content");
    }
    const payload = await sent(
      async (callback) => {
        channel.pushOutgoingMessage(bytes, callback);
        await channel.processTasks();
      },
      (payload) => ({ success: true, retrievalHint: hintOf(payload) })
    );
    return toHex(payload);
  },

  async sync(n, channelId) {
    const channel = channelOf(participants.get(n), textFromHex(channelId));
    return toHex(await sent((callback) => channel.pushOutgoingSyncMessage(callback), () => true));
  },

  async ephemeral(n, channelId, _id, content) {
    const channel = channelOf(participants.get(n), textFromHex(channelId));
    const payload = await sent(
      async (callback) => {
        await channel.pushOutgoingEphemeralMessage(fromHex(content), callback);
        await channel.processTasks();
      },
      () => true
    );
    return toHex(payload);
  },

  async receive(n, payload, hint) {
    const message = Message.decode(fromHex(payload));
    if (message === undefined) {
      throw new Error("not an SDS message");
    }
    const channel = channelOf(participants.get(n), message.channelId);
    channel.pushIncomingMessage(message, hint === "-" ? undefined : fromHex(hint));
    await channel.processTasks();
    const kind = isContentMessage(message) ? "content" : isEphemeralMessage(message) ? "ephemeral" : "sync";
    const missing = message.causalHistory.filter((e) => !channel.log.some((m) => m.messageId === e.messageId));
    return [
      kind,
      textToHex(message.channelId),
      textToHex(message.messageId),
      textToHex(message.senderId),
      message.lamportTimestamp ?? 0n,
      "-",
      toHex(message.content),
      dependencies(missing)
    ].join(" ");
  },

  async tick(n) {
    for (const [id, channel] of participants.get(n).channels) {
      let before; // what one sweep delivers may be what another message waited for
      do {
        before = channel.log.length;
        channel.sweepIncomingBuffer();
      } while (channel.log.length > before);
      await channel.sweepRepairIncomingBuffer(async (message) => {
        note("repair", id, message.messageId, message.encode());
        return true;
      });
    }
    return "0";
  },

  async resend(n, channelId) {
    const channel = channelOf(participants.get(n), textFromHex(channelId));
    const { unacknowledged, possiblyAcknowledged } = channel.sweepOutgoingBuffer();
    for (const message of [...unacknowledged, ...possiblyAcknowledged]) {
      const payload = await sent(
        async (callback) => {
          channel.pushOutgoingMessage(message.content, callback);
          await channel.processTasks();
        },
        () => ({ success: true, retrievalHint: message.retrievalHint })
      );
      note("resend", textFromHex(channelId), message.messageId, payload);
    }
  },

  inspect(n, channelId) {
    const channel = channelOf(participants.get(n), textFromHex(channelId));
    const named = (m) => ({ messageId: m.messageId, senderId: m.senderId, lamportTimestamp: Number(m.lamportTimestamp) });
    const log = channel.log.slice(0).map((m) => ({
      ...named(m),
      retrievalHint: m.retrievalHint && Buffer.from(m.retrievalHint).toString("base64"),
      content: Buffer.from(m.content).toString("base64")
    }));
    return textToHex(
      JSON.stringify({
        clock: { lamportTimestamp: Number(channel.lamportTimestamp) },
        log,
        incomingBuffer: channel.incomingBuffer.map(named),
        outgoingBuffer: channel.outgoingBuffer.map(named)
      })
    );
  }
};

for await (const line of createInterface({ input: process.stdin })) {
  const [command, ...words] = line.split(" ");
  events = [];
  failure = undefined;
  let answer;
  try {
    answer = `ok ${(await commands[command](...words)) ?? "-"}`;
    if (failure !== undefined) {
      throw failure;
    }
  } catch (error) {
    answer = `error 1 ${textToHex(String(error))}`;
  }
  process.stdout.write([...events, answer, ""].join("\n"));
}
