"""Every event comes, as a value of its class, through its callback."""

import time
import unittest
from typing import Any, List

from libsds import (
    Config,
    DeliveryFailed,
    DependenciesLost,
    Dependency,
    MessageReady,
    MessageSent,
    MissingDependencies,
    PeriodicSync,
    ReliabilityManager,
    RepairReady,
    ResendReady,
)
from support import chain, listening, of

QUICK = Config(
    resend_interval_ms=1,
    max_resend_attempts=2,
    buffer_sweep_interval_ms=1,
    repair_sweep_interval_ms=1,
    sync_message_interval_ms=1,
    repair_t_min_ms=0,
    repair_t_max_ms=500,  # for so long a slow machine may take to ask
    missing_dependency_timeout_ms=20,
    possible_ack_threshold=1,
)


def tick_until(manager: ReliabilityManager, events: List[Any], kind: Any, count: int = 1) -> List[Any]:
    """Lets time pass until there are so many events of a class."""
    end = time.monotonic() + 30
    while len(of(kind, events)) < count and time.monotonic() < end:
        due = manager.tick()
        time.sleep(max(0.0, due / 1000 - time.time()))
    return of(kind, events)


class Events(unittest.TestCase):
    def manager(self, events: List[Any], participant_id: str = "alice", **given: Any) -> ReliabilityManager:
        manager = ReliabilityManager(participant_id=participant_id, config=QUICK, **{**listening(events), **given})
        self.addCleanup(manager.close)
        return manager

    def test_message_sent_tells_of_an_acknowledgement(self) -> None:
        events: List[Any] = []
        alice, bob = self.manager(events), self.manager([], "bob")
        bob.unwrap(alice.wrap("c", "m1", b"one"))
        alice.unwrap(bob.wrap("c", "m2", b"two"))
        self.assertEqual(events, [MessageSent("c", "m1"), MessageReady("c", "m2", b"two")])

    def test_missing_dependencies_have_hint_and_sender(self) -> None:
        events: List[Any] = []
        asked: List[str] = []

        def provide(message_id: str) -> bytes:
            asked.append(message_id)
            return b"in the \0 archive"

        alice, bob = self.manager([], hint_provider=provide), self.manager(events, "bob")
        alice.wrap("c", "m\0001", b"one")
        bob.unwrap(alice.wrap("c", "m2", b"two"))
        self.assertEqual(asked, ["m\0001"])
        self.assertEqual(
            of(MissingDependencies, events),
            [MissingDependencies("c", "m2", (Dependency("m\0001", b"in the \0 archive", "alice"),))],
        )

    def test_periodic_sync_lists_the_channels_that_hold_anything(self) -> None:
        events: List[Any] = []
        alice = self.manager(events)
        alice.wrap("b", "m", b"x")
        alice.wrap("a\0", "m", b"x")
        self.assertEqual(tick_until(alice, events, PeriodicSync)[0], PeriodicSync(("a\0", "b")))

    def test_repair_ready_has_the_payload_that_a_peer_asked_for(self) -> None:
        answers: List[Any] = []
        alice, bob = self.manager(answers), self.manager([], "bob")
        lost = alice.wrap("c", "m1", b"one")
        bob.unwrap(alice.wrap("c", "m2", b"two"))
        end = time.monotonic() + 30
        while not of(RepairReady, answers) and time.monotonic() < end:
            bob.tick()
            alice.unwrap(bob.wrap_sync("c"))
            alice.tick()
            time.sleep(0.002)
        answer = of(RepairReady, answers)[0]
        self.assertEqual((answer.channel_id, answer.message_id), ("c", "m1"))
        self.assertEqual(bob.unwrap(answer.payload).content, b"one")
        self.assertNotEqual(lost, b"")

    def test_resend_ready_and_delivery_failed_count_the_attempts(self) -> None:
        events: List[Any] = []
        alice, bob = self.manager(events), self.manager([], "bob")
        alice.wrap("c", "m", b"x")
        self.assertEqual(tick_until(alice, events, DeliveryFailed), [DeliveryFailed("c", "m", 2)])
        resends = of(ResendReady, events)
        self.assertEqual([(r.channel_id, r.message_id, r.attempts) for r in resends], [("c", "m", 1), ("c", "m", 2)])
        self.assertEqual(bob.unwrap(resends[0].payload).content, b"x")

    def test_dependencies_lost_come_before_the_message_is_ready(self) -> None:
        events: List[Any] = []
        bob = self.manager(events, "bob")
        bob.unwrap(chain("c", "m1", "m2")[1])
        tick_until(bob, events, MessageReady)
        lost = of(DependenciesLost, events)
        self.assertEqual(lost, [DependenciesLost("c", "m2", (Dependency("m1", b"", "sender"),))])
        self.assertEqual(events[events.index(lost[0]) + 1], MessageReady("c", "m2", b"m2"))

    def test_events_without_a_callback_are_dropped(self) -> None:
        with ReliabilityManager(participant_id="bob") as bob:
            for payload in chain("c", "m1", "m2"):
                bob.unwrap(payload)
            stats = {metric["name"]: metric["samples"] for metric in bob.stats()}
        self.assertEqual(stats["sds_events_waiting"], [{"value": 0}])

    def test_a_hint_provider_may_have_no_hint(self) -> None:
        for nothing in (None, b""):
            events: List[Any] = []
            with ReliabilityManager(participant_id="alice", hint_provider=lambda _: nothing) as alice:
                alice.wrap("c", "m1", b"x")
                second = alice.wrap("c", "m2", b"x")
            self.manager(events, "bob").unwrap(second)
            self.assertEqual(of(MissingDependencies, events)[0].dependencies[0].hint, b"")

    def test_callbacks_must_be_callable(self) -> None:
        with self.assertRaisesRegex(TypeError, "MESSAGE_READY"):
            ReliabilityManager(on_message_ready=5)  # type: ignore[arg-type]
        with self.assertRaisesRegex(TypeError, "hint_provider"):
            ReliabilityManager(hint_provider=b"")  # type: ignore[arg-type]


if __name__ == "__main__":
    unittest.main()
