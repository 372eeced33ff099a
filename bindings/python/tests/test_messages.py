"""Messages, channels and insight."""

import dataclasses
import json
import unittest
from typing import Any, Callable, List, Tuple

import libsds
from libsds import Config, Dependency, Kind, MessageReady, ReliabilityManager, Unwrapped, bindings
from support import TREE, chain, listening, of

ODD_IDS = ("\0", "a\0b", "\0\0", "grüße", "\N{PARTY POPPER}", "\ufffd", "x" * 1024, "a b\nc\"\\")


class Messages(unittest.TestCase):
    def setUp(self) -> None:
        self.heard: List[Any] = []
        self.alice = ReliabilityManager(participant_id="alice", **listening([]))
        self.bob = ReliabilityManager(participant_id="bob", **listening(self.heard))
        self.addCleanup(self.alice.close)
        self.addCleanup(self.bob.close)

    def test_the_version_is_that_of_the_tree(self) -> None:
        self.assertEqual(libsds.version(), (TREE / "VERSION").read_text().strip())
        self.assertEqual(bindings.sds_abi_version(), 1)

    def test_an_unwrapped_message_is_described_in_full(self) -> None:
        message = self.bob.unwrap(self.alice.wrap("lobby", "m1", b"hi"))
        self.assertGreater(message.lamport, 0)
        self.assertEqual(
            message,
            Unwrapped(Kind.CONTENT, b"hi", "lobby", "m1", "alice", message.lamport, False, False, ()),
        )
        self.assertEqual(self.heard, [MessageReady("lobby", "m1", b"hi")])

    def test_every_byte_value_survives(self) -> None:
        content = bytes(range(256)) * 3
        self.assertEqual(self.bob.unwrap(self.alice.wrap("c", "m", content)).content, content)

    def test_whatever_is_like_bytes_is_taken(self) -> None:
        for i, content in enumerate((b"abc", bytearray(b"abc"), memoryview(b"xabcx")[1:4], memoryview(b"a.b.c")[::2])):
            payload = self.alice.wrap("c", f"m{i}", content)
            self.assertEqual(self.bob.unwrap(bytearray(payload)).content, b"abc")
            self.assertTrue(self.bob.unwrap(memoryview(payload)).duplicate)

    def test_what_is_not_like_bytes_is_a_type_error(self) -> None:
        for content in ("text", 5, None, [1, 2], 1.5):
            with self.assertRaises(TypeError):
                self.alice.wrap("c", "m", content)  # type: ignore[arg-type]
            with self.assertRaises(TypeError):
                self.alice.wrap_ephemeral("c", "m", content)  # type: ignore[arg-type]
            with self.assertRaises(TypeError):
                self.alice.unwrap(content)  # type: ignore[arg-type]
        self.assertEqual(self.alice.channels(), [])

    def test_what_is_no_str_is_no_id(self) -> None:
        for wrong in (b"bytes", 5, None):
            uses: Tuple[Callable[[], object], ...] = (
                lambda: self.alice.wrap(wrong, "m", b"x"),  # type: ignore[arg-type]
                lambda: self.alice.wrap("c", wrong, b"x"),  # type: ignore[arg-type]
                lambda: self.alice.wrap_sync(wrong),  # type: ignore[arg-type]
                lambda: self.alice.ensure_channel(wrong),  # type: ignore[arg-type]
                lambda: self.alice.drop_channel(wrong),  # type: ignore[arg-type]
                lambda: self.alice.inspect(wrong),  # type: ignore[arg-type]
                lambda: self.alice.mark_met("c", [wrong]),  # type: ignore[list-item]
                lambda: ReliabilityManager(participant_id=wrong),  # type: ignore[arg-type]
            )
            for use in uses:
                with self.assertRaises(TypeError):
                    use()

    def test_ids_come_back_as_they_were_given_also_with_a_nul(self) -> None:
        for odd in ODD_IDS:
            with self.subTest(odd[:8]):
                with ReliabilityManager(participant_id=odd) as sender:
                    message = self.bob.unwrap(sender.wrap(odd, odd, b"x"))
                self.assertEqual((message.channel_id, message.message_id, message.sender_id), (odd, odd, odd))
                self.assertEqual(self.heard[-1], MessageReady(odd, odd, b"x"))
                log = self.bob.inspect(odd)["log"]
                self.assertEqual([(e["messageId"], e["senderId"]) for e in log], [(odd, odd)])
        self.assertEqual({c["channelId"] for c in self.bob.channels()}, set(ODD_IDS))

    def test_an_id_with_a_nul_can_be_marked_as_met_and_its_channel_dropped(self) -> None:
        first, second = chain("c\0", "m\0001", "m\0002")
        self.assertEqual([d.message_id for d in self.bob.unwrap(second).missing], ["m\0001"])
        self.bob.mark_met("c\0", ["m\0001"])
        self.assertIn(MessageReady("c\0", "m\0002", b"m\0002"), self.heard)
        self.bob.drop_channel("c\0")
        self.assertEqual(self.bob.channels(), [])

    def test_unusable_ids_are_refused_in_the_library_s_words(self) -> None:
        for unusable, words in (("", "empty"), ("\ud800", "UTF-8"), ("x" * 1025, "1025 bytes")):
            uses: Tuple[Callable[[], object], ...] = (
                lambda: self.alice.wrap(unusable, "m", b"x"),
                lambda: self.alice.wrap("c", unusable, b"x"),
                lambda: self.alice.ensure_channel(unusable),
            )
            for use in uses:
                with self.assertRaisesRegex(libsds.InvalidArgument, words):
                    use()

    def test_hostile_payloads_are_not_sds_and_change_nothing(self) -> None:
        payload = self.alice.wrap("c", "m", b"content")
        hostile = [b"", b"\0", b"\xff" * 1000, b"hello", payload[:-1], payload[1:], payload + b"\0", bytes(9 << 20)]
        for data in hostile:
            with self.subTest(data[:8]), self.assertRaises(libsds.NotSds):
                self.bob.unwrap(data)
        self.assertEqual(self.bob.channels(), [])
        self.assertEqual(self.bob.unwrap(payload).content, b"content")

    def test_a_message_waits_for_what_it_depends_on(self) -> None:
        first, second = chain("c", "m1", "m2")
        late = self.bob.unwrap(second)
        self.assertTrue(late.buffered)
        self.assertEqual(late.missing, (Dependency("m1", b"", "sender"),))
        self.bob.unwrap(first)
        self.assertEqual([e.message_id for e in of(MessageReady, self.heard)], ["m1", "m2"])

    def test_marking_met_takes_any_iterable_but_a_str(self) -> None:
        *_, last = chain("c", "m1", "m2", "m3")
        self.bob.unwrap(last)
        with self.assertRaises(TypeError):
            self.bob.mark_met("c", "m1")
        self.bob.mark_met("c", [])
        self.bob.mark_met("c", (f"m{i}" for i in (1, 2)))
        self.assertEqual([e.message_id for e in of(MessageReady, self.heard)], ["m3"])
        with self.assertRaisesRegex(libsds.InvalidArgument, "nowhere"):
            self.bob.mark_met("nowhere", ["m1"])

    def test_a_sync_message_has_no_content_and_is_not_delivered(self) -> None:
        message = self.bob.unwrap(self.alice.wrap_sync("c"))
        self.assertEqual((message.kind, message.content), (Kind.SYNC, b""))
        self.assertEqual(of(MessageReady, self.heard), [])

    def test_an_ephemeral_message_is_delivered_and_leaves_no_trace(self) -> None:
        message = self.bob.unwrap(self.alice.wrap_ephemeral("c", "typing", b"..."))
        self.assertEqual((message.kind, message.lamport), (Kind.EPHEMERAL, 0))
        self.assertEqual(self.heard, [MessageReady("c", "typing", b"...")])
        self.assertEqual(self.bob.inspect("c")["log"], [])

    def test_content_over_the_limit_is_too_large_and_none_is_an_error(self) -> None:
        with ReliabilityManager(config=Config(max_content_bytes=10)) as small:
            with self.assertRaises(libsds.MessageTooLarge):
                small.wrap("c", "m", b"x" * 11)
            with self.assertRaisesRegex(libsds.InvalidArgument, "empty"):
                small.wrap("c", "m", b"")
            self.assertGreater(len(small.wrap("c", "m", b"x" * 10)), 10)

    def test_configured_limits_raise_limit_exceeded(self) -> None:
        with ReliabilityManager(config=Config(max_channels=1, max_outgoing_messages=1)) as small:
            small.wrap("c", "m1", b"x")
            with self.assertRaisesRegex(libsds.LimitExceeded, "maxOutgoingMessages"):
                small.wrap("c", "m2", b"x")
            with self.assertRaisesRegex(libsds.LimitExceeded, "maxChannels"):
                small.ensure_channel("d")

    def test_channels_are_made_listed_dropped_and_reset(self) -> None:
        for channel in ("b", "a", "c"):
            self.alice.ensure_channel(channel)
        self.assertEqual([c["channelId"] for c in self.alice.channels()], ["a", "b", "c"])
        self.alice.drop_channel("b")
        self.alice.drop_channel("never was")
        self.assertEqual([c["channelId"] for c in self.alice.channels()], ["a", "c"])
        self.alice.reset()
        self.assertEqual(self.alice.channels(), [])
        with self.assertRaises(libsds.InvalidArgument):
            self.alice.inspect("a")

    def test_stats_count_what_was_done(self) -> None:
        self.alice.wrap("c", "m", b"x")
        metrics = {metric["name"]: metric for metric in self.alice.stats()}
        samples = metrics["sds_messages_wrapped_total"]["samples"]
        self.assertEqual({s["labels"]["kind"]: s["value"] for s in samples}, {"content": 1, "sync": 0, "ephemeral": 0})
        self.assertEqual(metrics["sds_channels"]["samples"], [{"value": 1}])
        json.dumps(list(metrics.values()))

    def test_results_and_events_cannot_be_changed_and_can_be_hashed(self) -> None:
        message = self.bob.unwrap(self.alice.wrap("c", "m", b"x"))
        for value in (message, *self.heard):
            hash(value)
            with self.assertRaises(dataclasses.FrozenInstanceError):
                value.channel_id = "other"

    def test_results_are_freed_also_when_they_are_many(self) -> None:
        def resident() -> int:
            with open("/proc/self/statm") as file:
                return int(file.read().split()[1]) * 4096

        content = bytes(1 << 20)
        before = 0
        for i in range(400):
            # An ephemeral message of a megabyte leaves nothing but what is not freed.
            self.bob.unwrap(self.alice.wrap_ephemeral("c", "m", content))
            self.heard.clear()
            with self.assertRaises(libsds.InvalidArgument):
                self.alice.wrap("c", "m", b"")
            if i == 100:
                before = resident()
        # 300 rounds of two blocks are 600 MB.
        self.assertLess(resident() - before, 150 << 20)


if __name__ == "__main__":
    unittest.main()
