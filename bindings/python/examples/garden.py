"""The shortest complete host: alice and bob on a network that loses a message.

Bob notices and ends, starts again from his file, asks for what is missing, and gets it.
To make it yours, put your transport into `transmit`, your user into `say` and the
callbacks, and your loop into `run`.
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import List, Optional, Union

from libsds import (
    Config,
    DependenciesLost,
    MessageReady,
    MessageSent,
    MissingDependencies,
    NotSds,
    PeriodicSync,
    ReliabilityManager,
    RepairReady,
    ResendReady,
)


class Peer:
    """A participant and what it does with what the library announces."""

    def __init__(self, name: str, config: Config) -> None:
        self.name = name
        self.config = config
        self.peers: List["Peer"] = []
        self.losing = False  # the network loses what is sent now
        self.confirmed = 0  # how many own messages were acknowledged
        self.manager: Optional[ReliabilityManager] = None

    def open(self) -> ReliabilityManager:
        self.manager = ReliabilityManager(
            participant_id=self.name,
            config=self.config,
            on_message_ready=self.hear,
            on_message_sent=self.confirm,
            on_missing_dependencies=self.lack,
            on_dependencies_lost=self.lack,
            on_periodic_sync=self.sync,
            on_repair_ready=self.send_again,
            on_resend_ready=self.send_again,
        )
        return self.manager

    def say(self, message_id: str, text: str) -> None:
        assert self.manager is not None
        print(f"{self.name:5} says  {message_id}: {text}{' (but that is lost)' if self.losing else ''}")
        self.transmit(self.manager.wrap("garden", message_id, text.encode()))

    def transmit(self, payload: bytes) -> None:
        """Broadcasts a payload. This network is a call."""
        if not self.losing:
            for peer in self.peers:
                peer.receive(payload)

    def receive(self, payload: bytes) -> None:
        """Takes in what the network brings, all of it. What is delivered comes through `hear`."""
        assert self.manager is not None
        try:
            self.manager.unwrap(payload)
        except NotSds:
            print(f"{self.name:5} hears, from somebody without SDS: {payload!r}")

    def hear(self, event: MessageReady) -> None:
        print(f"{self.name:5} hears {event.message_id}: {event.content.decode()}")

    def confirm(self, event: MessageSent) -> None:
        print(f"{self.name:5} knows that {event.message_id} has arrived")
        self.confirmed += 1

    def lack(self, event: Union[MissingDependencies, DependenciesLost]) -> None:
        # A host with an archive looks there, and calls mark_met.
        for dependency in event.dependencies:
            lost = isinstance(event, DependenciesLost)
            print(f"{self.name:5} {'goes on without' if lost else 'lacks'} {dependency.message_id}")

    def sync(self, event: PeriodicSync) -> None:
        # Tells peers what was received, and asks for what is missing.
        assert self.manager is not None
        for channel in event.channel_ids:
            self.transmit(self.manager.wrap_sync(channel))

    def send_again(self, event: Union[RepairReady, ResendReady]) -> None:
        print(f"{self.name:5} sends {event.message_id} again")
        self.transmit(event.payload)


def run(alice: Peer, bob: Peer) -> None:
    """The loop of the host. It ends when all that alice said has arrived."""
    end = time.monotonic() + 60
    while alice.confirmed < 3 and time.monotonic() < end:
        assert alice.manager is not None and bob.manager is not None
        due = min(alice.manager.tick(), bob.manager.tick())
        time.sleep(max(0.0, due / 1000 - time.time()))


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        # Intervals for people who watch; the defaults are for networks.
        alice = Peer("alice", Config(repair_sweep_interval_ms=100))
        bob = Peer(
            "bob",
            Config(
                store_path=Path(folder, "bob.sds"),
                sync_message_interval_ms=100,
                repair_t_min_ms=0,
                repair_t_max_ms=1000,
            ),
        )
        alice.peers, bob.peers = [bob], [alice]
        with alice.open():
            with bob.open():
                alice.say("m1", "The beans are up.")
                alice.losing = True
                alice.say("m2", "Frost tonight!")
                alice.losing = False
                alice.say("m3", "Cover them.")
            print("      (bob ends, and starts again from his file)")
            with bob.open():
                run(alice, bob)
        return 0 if alice.confirmed == 3 else 1


if __name__ == "__main__":
    sys.exit(main())
