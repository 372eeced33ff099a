"""Three participants, a network that loses, and a restart: equal logs at the end."""

import random
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any, Dict, List, Tuple

from libsds import (
    Config,
    DeliveryFailed,
    DependenciesLost,
    MessageReady,
    PeriodicSync,
    ReliabilityManager,
    RepairReady,
    ResendReady,
    Unwrapped,
)
from support import of

NAMES = ("alice", "bob", "carol")
ROUNDS = 30
LOSS = 0.3


class Participant:
    """A host: it shows what is delivered, and sends what the library wants sent."""

    def __init__(self, name: str, network: "Network", **config: Any) -> None:
        self.name = name
        self.network = network
        self.config = Config(
            resend_interval_ms=50,
            max_resend_attempts=1000,
            buffer_sweep_interval_ms=10,
            repair_sweep_interval_ms=10,
            sync_message_interval_ms=20,
            repair_t_min_ms=0,
            repair_t_max_ms=2000,  # and for so long it is asked
            **config,
        )
        # What was delivered, by channel, in order; it outlives a restart as a screen does.
        self.shown: Dict[str, List[Tuple[str, bytes]]] = {}
        self.other: List[Any] = []
        self.open()

    def open(self) -> None:
        self.manager = ReliabilityManager(
            participant_id=self.name,
            config=self.config,
            on_message_ready=self.show,
            on_periodic_sync=self.sync,
            on_repair_ready=self.send_again,
            on_resend_ready=self.send_again,
            on_delivery_failed=self.other.append,
            on_dependencies_lost=self.other.append,
        )

    def close(self) -> None:
        self.manager.close()

    def restart(self) -> None:
        self.close()
        self.open()

    def show(self, event: MessageReady) -> None:
        self.shown.setdefault(event.channel_id, []).append((event.message_id, event.content))

    def sync(self, event: PeriodicSync) -> None:
        for channel in event.channel_ids:
            self.network.send(self, self.manager.wrap_sync(channel))

    def send_again(self, event: Any) -> None:
        assert isinstance(event, (RepairReady, ResendReady))
        self.network.send(self, event.payload)

    def say(self, channel: str, message_id: str) -> None:
        content = f"{self.name} says {message_id}".encode()
        self.network.send(self, self.manager.wrap(channel, message_id, content), lossy=True)


class Network:
    """Loses and reorders what is said; the dice are seeded and thrown for nothing else, so they
    fall the same in every run."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.members: List[Participant] = []
        self.under_way: List[Tuple[Participant, bytes]] = []
        self.lost = 0

    def send(self, sender: Participant, payload: bytes, lossy: bool = False) -> None:
        for member in self.members:
            if member is not sender:
                if lossy and self.dice.random() < LOSS:
                    self.lost += 1
                else:
                    self.under_way.append((member, payload))

    def deliver(self, shuffled: bool = False) -> None:
        while self.under_way:
            arriving, self.under_way = self.under_way, []
            if shuffled:
                self.dice.shuffle(arriving)
            for member, payload in arriving:
                assert isinstance(member.manager.unwrap(payload), Unwrapped)


class Conversation(unittest.TestCase):
    def test_three_participants_end_with_equal_logs(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            self.converse(Path(folder, "bob.sds"))

    def converse(self, store: Path) -> None:
        network = Network(seed=20240607)
        alice = Participant("alice", network)
        bob = Participant("bob", network, store_path=store)
        carol = Participant("carol", network)
        network.members = [alice, bob, carol]
        for member in network.members:
            self.addCleanup(member.close)

        for number in range(ROUNDS):
            for member in network.members:
                member.say("lobby", f"{member.name}-{number}")
                member.say(member.name, f"{member.name}'s {number}")  # where nobody else speaks
            network.deliver(shuffled=True)
            if number == ROUNDS // 2:
                bob.restart()
        self.assertEqual(network.lost, 115)  # the dice fell as ever

        channels = ("lobby", *NAMES)
        end = time.monotonic() + 60
        while not self.agreed(network.members, channels):
            self.assertLess(time.monotonic(), end, "they do not agree")
            for member in network.members:
                member.manager.tick()
            network.deliver()
            time.sleep(0.005)
        bob.restart()
        bob.manager.tick()

        for member in network.members:
            self.assertEqual(of(DeliveryFailed, member.other) + of(DependenciesLost, member.other), [])
        # The logs are equal.
        for channel in channels:
            logs = [self.log(member, channel) for member in network.members]
            self.assertEqual(len(logs[0]), ROUNDS * (3 if channel == "lobby" else 1))
            self.assertEqual(logs[0], logs[1])
            self.assertEqual(logs[0], logs[2])
        for member in network.members:
            for channel in NAMES:
                if channel != member.name:
                    # One speaker: everybody hears it in the same order, each message once.
                    self.assertEqual(
                        member.shown[channel],
                        [(f"{channel}'s {n}", f"{channel} says {channel}'s {n}".encode()) for n in range(ROUNDS)],
                    )
            # Three: each message once, and what one of them says in the order it was said.
            for speaker in NAMES:
                heard = [m for m, _ in member.shown["lobby"] if m.startswith(f"{speaker}-")]
                expected = [] if speaker == member.name else [f"{speaker}-{n}" for n in range(ROUNDS)]
                self.assertEqual(heard, expected)

    def log(self, member: Participant, channel: str) -> List[Tuple[str, str, int]]:
        member.manager.ensure_channel(channel)
        log = member.manager.inspect(channel)["log"]
        return [(entry["messageId"], entry["senderId"], entry["lamportTimestamp"]) for entry in log]

    def agreed(self, members: List[Participant], channels: Tuple[str, ...]) -> bool:
        return all(
            len(self.log(member, channel)) == ROUNDS * (3 if channel == "lobby" else 1)
            and not member.manager.inspect(channel)["outgoingBuffer"]
            for member in members
            for channel in channels
        )


if __name__ == "__main__":
    unittest.main()
