"""Between what Python has and what the library reads and writes."""

from ctypes import string_at
from typing import Any, Callable, Dict, Optional, Tuple, Union

from .messages import (
    DeliveryFailed,
    DependenciesLost,
    Dependency,
    EventType,
    Kind,
    MessageReady,
    MessageSent,
    MissingDependencies,
    PeriodicSync,
    RepairReady,
    ResendReady,
    Unwrapped,
)

Buffer = Union[bytes, bytearray, memoryview]


def encode_text(text: str, name: str) -> bytes:
    """Encodes an id or another text. What is not UTF-8, a lone surrogate, crosses as it is, so
    that the library refuses it in its words."""
    if not isinstance(text, str):
        raise TypeError(f"{name} must be str, not {type(text).__name__}")
    return text.encode("utf-8", "surrogatepass").replace(b"\0", b"\xc0\x80")


def decode_text(text: bytes) -> str:
    """Decodes an id: a NUL in it crosses as C0 80, which UTF-8 never has."""
    return text.replace(b"\xc0\x80", b"\0").decode()


def encode_bytes(data: Buffer, name: str) -> bytes:
    """Takes what is like bytes. What can change is copied: other threads run during the call."""
    if isinstance(data, bytes):
        return data
    if isinstance(data, (bytearray, memoryview)):
        return bytes(data)
    raise TypeError(f"{name} must be bytes, bytearray or memoryview, not {type(data).__name__}")


def read_bytes(address: Optional[int], length: int) -> bytes:
    """Copies bytes of the library; those of length 0 are NULL."""
    return string_at(address, length) if address else b""


def _dependencies(array: Any, count: int) -> Tuple[Dependency, ...]:
    return tuple(
        Dependency(
            message_id=decode_text(array[i].messageId),
            hint=read_bytes(array[i].hint, array[i].hintLen),
            sender_id=decode_text(array[i].senderId),
        )
        for i in range(count)
    )


def unwrapped(result: Any) -> Unwrapped:
    """Copies an SdsUnwrapped."""
    return Unwrapped(
        kind=Kind(result.kind),
        content=read_bytes(result.content, result.contentLen),
        channel_id=decode_text(result.channelId),
        message_id=decode_text(result.messageId),
        sender_id=decode_text(result.senderId),
        lamport=result.lamport,
        duplicate=bool(result.duplicate),
        buffered=bool(result.buffered),
        missing=_dependencies(result.missing, result.missingCount),
    )


def _about(event: Any) -> Tuple[str, str]:
    return decode_text(event.channelId), decode_text(event.messageId)


def _message(event: Any) -> bytes:
    return read_bytes(event.message, event.messageLen)


#: What makes a value of an SdsEvent, by its type.
EVENTS: Dict[int, Callable[[Any], object]] = {
    EventType.MESSAGE_READY: lambda e: MessageReady(*_about(e), _message(e)),
    EventType.MESSAGE_SENT: lambda e: MessageSent(*_about(e)),
    EventType.MISSING_DEPENDENCIES: lambda e: MissingDependencies(*_about(e), _dependencies(e.deps, e.depCount)),
    EventType.PERIODIC_SYNC: lambda e: PeriodicSync(
        tuple(decode_text(e.channelIds[i]) for i in range(e.channelCount))
    ),
    EventType.REPAIR_READY: lambda e: RepairReady(*_about(e), _message(e)),
    EventType.RESEND_READY: lambda e: ResendReady(*_about(e), _message(e), e.attempts),
    EventType.DELIVERY_FAILED: lambda e: DeliveryFailed(*_about(e), e.attempts),
    EventType.DEPENDENCIES_LOST: lambda e: DependenciesLost(*_about(e), _dependencies(e.deps, e.depCount)),
}
