"""What a wrap costs through the class, for `make bench`: prints `wrap NANOSECONDS`.

Alice and bob talk in one channel until both logs are full. Then rounds of wraps of 1 KiB
with ids of 64 characters are timed, as time_wraps() in tests/bench/c/native.c does.
"""

import statistics
import time
from typing import List

from libsds import Config, ReliabilityManager

BATCH, ROUNDS, WARM_UP = 200, 60, 10
CONTENT = bytes(1024)

_sequence = 0


def next_id() -> str:
    global _sequence
    _sequence += 1
    return f"{_sequence:064}"


def participant(participant_id: str) -> ReliabilityManager:
    # One peer is all there is to witness an acknowledgement.
    return ReliabilityManager(
        participant_id=participant_id, config=Config(possible_ack_threshold=1, max_outgoing_messages=1_000_000)
    )


def tell(speaker: ReliabilityManager, listener: ReliabilityManager) -> None:
    """What speaker says, listener hears: both acknowledge what the other has."""
    listener.unwrap(speaker.wrap("channel", next_id(), CONTENT))


def main() -> None:
    wraps: List[float] = []
    with participant("alice") as alice, participant("bob") as bob:
        for i in range(1100):
            tell(alice, bob)
            if i % 50 == 0:
                tell(bob, alice)
        for number in range(-WARM_UP, ROUNDS):
            ids = [next_id() for _ in range(BATCH)]
            last = b""
            began = time.perf_counter_ns()
            for message_id in ids:
                last = alice.wrap("channel", message_id, CONTENT)
            if number >= 0:
                wraps.append((time.perf_counter_ns() - began) / BATCH)
            # Bob catches up with all but the last by his word, and tells.
            bob.mark_met("channel", ids)
            bob.unwrap(last)
            tell(bob, alice)
            tell(alice, bob)
    print(f"wrap {statistics.median(wraps):.3f}")


if __name__ == "__main__":
    main()
