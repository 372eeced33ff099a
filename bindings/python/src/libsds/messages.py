"""What is received and announced, as values that can be kept, compared and hashed."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Tuple

__all__ = [
    "DeliveryFailed",
    "DependenciesLost",
    "Dependency",
    "EventType",
    "Kind",
    "MessageReady",
    "MessageSent",
    "MissingDependencies",
    "PeriodicSync",
    "RepairReady",
    "ResendReady",
    "Unwrapped",
]


class Kind(IntEnum):
    """What a message is for: SdsKind."""

    #: It has a content, and is delivered in causal order.
    CONTENT = 1
    #: It has none: it tells and asks what a message would, and is not delivered.
    SYNC = 2
    #: It is delivered at once or lost, and leaves no trace.
    EPHEMERAL = 3


class EventType(IntEnum):
    """The types of events: SdsEventType."""

    MESSAGE_READY = 1
    MESSAGE_SENT = 2
    MISSING_DEPENDENCIES = 3
    PERIODIC_SYNC = 4
    REPAIR_READY = 5
    RESEND_READY = 6
    DELIVERY_FAILED = 7
    DEPENDENCIES_LOST = 8


@dataclass(frozen=True)
class Dependency:
    """A message that another one cites."""

    message_id: str
    #: What the host of a peer said about where it can be fetched; b"" if nothing.
    hint: bytes
    #: Who sent it; "" when that is not known.
    sender_id: str


@dataclass(frozen=True)
class Unwrapped:
    """A received message."""

    kind: Kind
    #: The content, also of a message that has to wait; b"" for a sync message.
    content: bytes
    channel_id: str
    message_id: str
    #: Who sent it; "" when not named.
    sender_id: str
    #: Its logical time, in the unit of its sender; 0 for an ephemeral message.
    lamport: int
    #: Whether it was delivered before.
    duplicate: bool
    #: Whether it waits for `missing`: MessageReady comes when it is delivered.
    buffered: bool
    #: What it cites that was not delivered yet.
    missing: Tuple[Dependency, ...]


@dataclass(frozen=True)
class MessageReady:
    """A message was delivered, in causal order."""

    channel_id: str
    message_id: str
    content: bytes


@dataclass(frozen=True)
class MessageSent:
    """An own message was acknowledged."""

    channel_id: str
    message_id: str


@dataclass(frozen=True)
class MissingDependencies:
    """A message, also a sync message, cites others that were not delivered yet. A host that
    can fetch them elsewhere does, and calls `mark_met`."""

    channel_id: str
    message_id: str
    dependencies: Tuple[Dependency, ...]


@dataclass(frozen=True)
class PeriodicSync:
    """It is time to say something, with `wrap_sync` where there is nothing to say."""

    #: The channels in memory that hold anything, in the order of their ids.
    channel_ids: Tuple[str, ...]


@dataclass(frozen=True)
class RepairReady:
    """A peer asked for a message: broadcast the payload."""

    channel_id: str
    message_id: str
    payload: bytes


@dataclass(frozen=True)
class ResendReady:
    """Nobody acknowledged an own message: broadcast the payload again."""

    channel_id: str
    message_id: str
    payload: bytes
    #: How often the message was sent again, this one included: from 1.
    attempts: int


@dataclass(frozen=True)
class DeliveryFailed:
    """An own message was given up: nobody acknowledged it."""

    channel_id: str
    message_id: str
    #: How often it was sent again, without the first time.
    attempts: int


@dataclass(frozen=True)
class DependenciesLost:
    """A message is delivered without others that never came; its MessageReady follows."""

    channel_id: str
    message_id: str
    dependencies: Tuple[Dependency, ...]
