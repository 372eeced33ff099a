// Writes what @waku/sds writes and how it reads, as tests/conformance/vectors/lip109.json:
// so that the wire stays proven where there is no Node. It prints the file to stdout; the same
// version of @waku/sds prints the same.

import { setSeed, setTime } from "./clock.mjs";
import "./older_node.mjs";

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { dirname, join } from "node:path";

import { ContentMessage, EphemeralMessage, Message, MessageChannel, SyncMessage } from "@waku/sds";

// Not exported, but what every channel has and does.
const inside = (path) => join(dirname(fileURLToPath(import.meta.resolve("@waku/sds"))), path);
const { DefaultBloomFilter } = await import(inside("bloom_filter/bloom.js"));
const { hashN } = await import(inside("nim_hashn/nim_hashn.mjs"));
const { RepairManager } = await import(inside("message_channel/repair/repair.js"));

const hex = (bytes) => Buffer.from(bytes).toString("hex");
const bytes = (text) => new TextEncoder().encode(text);
const idOf = (content) => MessageChannel.getMessageId(bytes(content));
const sha256 = (data) => createHash("sha256").update(data).digest("hex");

const packageFile = JSON.parse(readFileSync(inside("../package.json"), "utf8"));

/** A message as JSON: what is absent in it is absent here. */
const told = (m) => ({
  kind: m instanceof ContentMessage ? "content" : m instanceof SyncMessage ? "sync" : "ephemeral",
  messageId: m.messageId,
  channelId: m.channelId,
  senderId: m.senderId,
  lamport: m.lamportTimestamp?.toString(),
  causalHistory: m.causalHistory.map(entry),
  repairRequest: m.repairRequest.map(entry),
  bloomFilterHex: m.bloomFilter && (m.bloomFilter.length > 1000 ? undefined : hex(m.bloomFilter)),
  bloomFilterSha256: m.bloomFilter && sha256(m.bloomFilter),
  contentHex: m.content && hex(m.content)
});
const entry = (e) => ({
  messageId: e.messageId,
  senderId: e.senderId,
  retrievalHintHex: e.retrievalHint && hex(e.retrievalHint)
});

// ---- messages ------------------------------------------------------------------------

const filter = new Uint8Array([0, 1, 2, 3, 0xfe, 0xff, 0, 8]); // short, to be looked at; read as it is
const entries = (n, from = 0) =>
  Array.from({ length: n }, (_, i) => ({
    messageId: idOf(`message ${from + i}`),
    retrievalHint: i % 3 === 0 ? undefined : bytes(`hint ${i}`),
    senderId: i % 4 === 3 ? undefined : `sender ${i % 5}`
  }));

const written = [
  ["content", new ContentMessage(idOf("hi"), "garden", "alice", [], 1760000000000n, undefined, bytes("hi"))],
  ["content with a filter", new ContentMessage(idOf("hi"), "garden", "alice", [], 1760000000001n, filter, bytes("hi"))],
  ["no sender", new ContentMessage(idOf("hi"), "garden", "", [], 1n, filter, bytes("hi"))],
  ["lamport 0", new ContentMessage("m", "c", "s", [], 0n, undefined, bytes("x"))],
  ["lamport 2^53", new ContentMessage("m", "c", "s", [], 2n ** 53n, undefined, bytes("x"))],
  ["lamport 2^63-1", new ContentMessage("m", "c", "s", [], 2n ** 63n - 1n, undefined, bytes("x"))],
  ["ids outside ASCII", new ContentMessage("grüße", "世界", "🌱", entries(1), 5n, filter, bytes("x"))],
  ["one entry", new ContentMessage(idOf("b"), "garden", "bob", entries(1), 7n, filter, bytes("b"))],
  ["entries of every kind", new ContentMessage(idOf("b"), "garden", "bob", entries(12), 7n, filter, bytes("b"))],
  ["200 entries", new ContentMessage(idOf("c"), "garden", "bob", entries(200), 8n, filter, bytes("c"))],
  ["repair requests", new ContentMessage(idOf("d"), "garden", "bob", entries(4), 9n, filter, bytes("d"), entries(3, 20))],
  ["an empty sender in an entry", new ContentMessage(idOf("e"), "g", "b", [{ messageId: "m", senderId: "" }], 9n, undefined, bytes("e"))],
  ["an empty hint in an entry", new ContentMessage(idOf("e"), "g", "b", [{ messageId: "m", retrievalHint: new Uint8Array(), senderId: "a" }], 9n, undefined, bytes("e"))],
  ["content of 300 bytes", new ContentMessage(idOf("f"), "g", "b", [], 9n, undefined, new Uint8Array(300).fill(0xa5))],
  ["sync", new SyncMessage("sync-abc", "garden", "alice", entries(2), 11n, filter, undefined)],
  ["sync with repair requests", new SyncMessage("sync-abd", "garden", "alice", [], 11n, filter, undefined, entries(3))],
  ["ephemeral", new EphemeralMessage(idOf("typing"), "garden", "alice", [], undefined, undefined, bytes("typing"))]
].map(([name, message]) => ({ name, message: told(message), wireHex: hex(message.encode()) }));

// ---- a conversation, as channels write it ----------------------------------------------

setTime(1760000000000);
setSeed(109);
const said = [];
const channels = ["alice", "bob"].map((name) => new MessageChannel("garden", name, { repairConfig: { tMin: 1, tMax: 2 } }));
const hintOf = (payload) => new Uint8Array(createHash("sha256").update(payload).digest());

async function say(from, content, { lost = false } = {}) {
  let payload;
  const keep = async (m) => {
    payload = m.encode();
    return { success: true, retrievalHint: hintOf(payload) };
  };
  if (content === undefined) {
    await channels[from].pushOutgoingSyncMessage(keep);
  } else {
    channels[from].pushOutgoingMessage(bytes(content), keep);
    await channels[from].processTasks();
  }
  const { bloomFilterHex, ...rest } = told(Message.decode(payload));
  said.push({ lost, ...rest, wireLength: payload.length, wireSha256: sha256(payload) });
  if (!lost) {
    channels[1 - from].pushIncomingMessage(Message.decode(payload), hintOf(payload));
    await channels[1 - from].processTasks();
  }
}
for (let i = 0; i < 12; i++) {
  setTime(1760000000000 + Math.floor(i / 2) * 10);
  await say(i % 2, `line ${i}`, { lost: i === 4 });
}
await say(1);
await say(0);

// ---- filters, hashes, repairs -----------------------------------------------------------

const filters = [0, 1, 100, 5_000, 12_000].map((count) => {
  const f = new DefaultBloomFilter({ capacity: 10000, errorRate: 0.001 });
  for (let i = 0; i < count; i++) {
    f.insert(idOf(`message ${i}`));
  }
  const foreign = Array.from({ length: 5_000 }, (_, i) => idOf(`foreign ${i}`));
  const data = f.toBytes();
  return {
    count, // the ids are the SHA-256 of "message 0", "message 1" and so on, hexadecimal
    length: data.length,
    sha256: sha256(data),
    dataHex: count <= 1 ? hex(data).replace(/(00)+$/, "") : undefined, // without the zeros at its end
    falsePositives: foreign.flatMap((id, i) => (f.lookup(id) ? [i] : [])) // of "foreign 0" and so on
  };
});

const positions = ["", "a", "ab", "abc", "abcd", "abcde", idOf("x"), "a b c", "é", "世", "🌱"].map((id) => ({
  id,
  positions: Array.from({ length: 10 }, (_, n) => hashN(id, n, 150_000))
}));

const groups = [];
for (let i = 0; i < 60; i++) {
  const [participant, sender, messageId] = [`participant ${i % 7}`, `sender ${i % 5}`, idOf(`message ${i}`)];
  const inGroup = {};
  for (const numResponseGroups of [1, 2, 3, 10]) {
    inGroup[numResponseGroups] = new RepairManager(participant, { numResponseGroups }).isInResponseGroup(sender, messageId);
  }
  groups.push({ participant, sender, messageId, inGroup });
}

process.stdout.write(
  JSON.stringify(
    {
      writer: `${packageFile.name} ${packageFile.version}`,
      written,
      conversation: said,
      filters,
      positions,
      groups
    },
    undefined,
    1
  ) + "\n"
);
