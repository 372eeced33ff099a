"""A participant with its channels."""

import atexit
import json
import time
import warnings
import weakref
from types import TracebackType
from typing import Any, Callable, Dict, Iterable, List, Mapping, NoReturn, Optional, Type

from . import _callbacks, bindings
from ._callbacks import call
from ._convert import Buffer
from .config import Config
from .errors import InvalidContext
from .messages import (
    DeliveryFailed,
    DependenciesLost,
    EventType,
    MessageReady,
    MessageSent,
    MissingDependencies,
    PeriodicSync,
    RepairReady,
    ResendReady,
    Unwrapped,
)
from .persistence import Persistence

__all__ = ["ReliabilityManager"]

HintProvider = Callable[[str], Optional[bytes]]


class Participant:
    """What a manager is, whatever makes time pass for it: see `ReliabilityManager` and
    `libsds.aio.ReliabilityManager`."""

    _ctx: int = 0
    _open = False

    def __init__(
        self,
        participant_id: str,
        config: Optional[Config],
        persistence: Optional[Persistence],
        hint_provider: Optional[HintProvider],
        handlers: Mapping[EventType, Optional[Callable[[Any], object]]],
    ) -> None:
        given: Dict[int, Callable[[Any], object]] = {}
        for event_type, handler in handlers.items():
            if handler is not None:
                given[event_type] = _callable(handler, f"the callback for {event_type.name}")
        if hint_provider is not None:
            _callable(hint_provider, "hint_provider")
        if config is not None and not isinstance(config, Config):
            raise TypeError(f"config must be a Config, not {type(config).__name__}")
        if _closing_all:
            raise RuntimeError("the interpreter is shutting down")
        self._participant_id = participant_id
        self._procedures = None if persistence is None else _callbacks.procedures_of(persistence)
        self._receiver: Optional[_callbacks.Receiver] = _callbacks.Receiver(given, hint_provider, persistence)
        self._ctx = call(
            bindings.sds_open,
            participant_id,
            None if config is None else config.to_json(),
            self._procedures,
            _callbacks.event_handler,
            None if hint_provider is None else _callbacks.hint_provider,
            self._receiver.user_data,
        )
        self._open = True
        _open_ones[self._ctx] = weakref.ref(self)

    # ---- Messages ----

    def wrap(self, channel_id: str, message_id: str, content: Buffer) -> bytes:
        """Makes the payload to broadcast for a new message.

        It is in the own log at once, without an event. A message with an id that was wrapped
        before takes the place of that one.

        :param channel_id: The channel, made or loaded when it is new.
        :param message_id: An id that no other message of the channel has.
        :param content: At least one byte, at most `max_content_bytes`.
        :raises MessageTooLarge: when the content is over that.
        :raises LimitExceeded: when `max_outgoing_messages` wait for an acknowledgement or
            `max_channels` exist.
        :raises PersistenceError: when the channel cannot be loaded.
        :raises InvalidArgument: for an unusable id and for no content.
        """
        return call(bindings.sds_wrap, self._ctx, channel_id, message_id, content)

    def wrap_sync(self, channel_id: str) -> bytes:
        """Makes a payload without content, which tells and asks what a message would: for a
        channel that has been quiet, on `PeriodicSync` for example. It is not logged,
        acknowledged or sent again. Raises what `wrap` does.

        Peers that run nim-sds take it for a message and cite it: send none where there are
        such peers.
        """
        return call(bindings.sds_wrap_sync, self._ctx, channel_id)

    def wrap_ephemeral(self, channel_id: str, message_id: str, content: Buffer) -> bytes:
        """Makes the payload of a message that is delivered or lost and leaves no trace: "is
        typing", say. It is not logged, acknowledged or sent again. Raises what `wrap` does."""
        return call(bindings.sds_wrap_ephemeral, self._ctx, channel_id, message_id, content)

    def unwrap(self, payload: Buffer) -> Unwrapped:
        """Takes in a payload that the transport received. Give it everything.

        The content is returned at once, even when the message has to wait; the callbacks,
        which run before this returns, say what is delivered and in which order. Who shows
        each message on its `MessageReady` shows them in causal order.

        :raises NotSds: when it is not an SDS message, or over a limit; nothing changed.
        :raises LimitExceeded: when it is of a channel that may not be made (`max_channels`,
            `accept_unknown_channels`).
        :raises PersistenceError: when its channel cannot be loaded.
        """
        return call(bindings.sds_unwrap, self._ctx, payload)

    def mark_met(self, channel_id: str, message_ids: Iterable[str]) -> None:
        """Declares that the host has messages by other means, from an archive for example.

        Nothing waits for them or asks for them any longer. What waited for nothing else is
        delivered, with its callbacks, before this returns.

        :raises InvalidArgument: also when the channel is not in memory.
        """
        call(bindings.sds_mark_met, self._ctx, channel_id, message_ids)

    # ---- Channels ----

    def ensure_channel(self, channel_id: str) -> None:
        """Makes a channel, or loads what is kept of it, before its first message. Raises what
        `wrap` does."""
        call(bindings.sds_ensure_channel, self._ctx, channel_id)

    def drop_channel(self, channel_id: str) -> None:
        """Forgets a channel, what is kept of it first. One that does not exist is no error.

        :raises PersistenceError: and then the channel stays.
        """
        call(bindings.sds_drop_channel, self._ctx, channel_id)

    def reset(self) -> None:
        """Forgets all channels, what is kept of them first. With a `Persistence` these are the
        channels in memory; the file of `store_path` is emptied.

        :raises PersistenceError: and then the channels stay.
        """
        call(bindings.sds_reset, self._ctx)

    # ---- Insight ----

    def channels(self) -> List[Dict[str, Any]]:
        """Lists the channels in memory, in the order of their ids, with how much each holds.

        "waits" tells whether something in it waits, and `inspect` says what. The other keys
        are "channelId", "clock", "logMessages", "outgoingMessages" and those that the
        header lists at SdsChannels.
        """
        channels: List[Dict[str, Any]] = json.loads(call(bindings.sds_channels, self._ctx))["channels"]
        return channels

    def inspect(self, channel_id: str) -> Dict[str, Any]:
        """Shows what a channel holds, and why a message is not delivered or acknowledged.

        The header describes the keys at SdsInspect: "clock", "log", "incomingBuffer",
        "outgoingBuffer" and so on. Times are milliseconds since 1970. No content is in it.

        :raises InvalidArgument: also when the channel is not in memory.
        """
        held: Dict[str, Any] = json.loads(call(bindings.sds_inspect, self._ctx, channel_id))
        return held

    def stats(self) -> List[Dict[str, Any]]:
        """Counts what was done since the manager was made, and what it holds.

        Each metric has "name", "type", "help" and "samples", in the terms of Prometheus;
        docs/metrics.md lists them. What did not happen is 0, so all are always there.
        """
        metrics: List[Dict[str, Any]] = json.loads(call(bindings.sds_stats, self._ctx))["metrics"]
        return metrics

    # ---- The end ----

    def _end(self) -> None:
        try:
            call(bindings.sds_close, self._ctx)
        except InvalidContext:
            pass  # closed before, or by another thread at this moment
        self._open = False
        self._receiver = None
        self._procedures = None
        _open_ones.pop(self._ctx, None)

    def __del__(self) -> None:
        if not self._open or _callbacks.forked:
            return
        try:
            warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self)
        finally:
            self._open = False
            _open_ones.pop(self._ctx, None)
            _callbacks.abandon(self._ctx)

    def __repr__(self) -> str:
        state = "" if self._open else ", closed"
        return f"<{type(self).__module__}.{type(self).__qualname__} {self._participant_id!r}{state}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} cannot be copied or sent to another process: make one there")


class ReliabilityManager(Participant):
    """A participant with its channels: give it every outgoing message and every payload that
    arrives.

    ::

        with ReliabilityManager(participant_id="alice", on_message_ready=show) as alice:
            alice.start()
            broadcast(alice.wrap("lobby", "m-1", b"hello"))

    Nothing is sent by the library: payloads of `wrap`, `on_repair_ready` and
    `on_resend_ready` are the host's to broadcast. Time passes either on a thread of the
    library, after `start`, or where the host calls `tick`; without either, nothing is sent
    again, given up or answered.

    Every method may be called from any thread at any time, from inside callbacks too, and
    lets other Python threads run while the library works. Callbacks of one manager never
    run at the same time as each other. Those of an operation run before it returns, and on
    its thread, unless another call on the same manager delivers them on its own; those of
    `start` run on the library's thread. A callback may call anything, also `close`, but must
    not wait for another thread that is itself in a call on its manager.

    What a callback raises is raised by the call that it ran in; several exceptions are
    raised as `CallbackErrors`. The operation took effect all the same: what it returned is
    the attribute `sds_result` of the exception. On the library's thread exceptions go to
    `sys.unraisablehook`.

    :param participant_id: Names this participant to its peers, the same after every restart;
        "" switches repairs (SDS-R) off.
    :param config: None takes the environment variable SDS_CONFIG, or defaults.
    :param persistence: What keeps the channels, if not `Config.store_path`. It is not closed
        with the manager.
    :param on_message_ready: A message was delivered, in causal order.
    :param on_message_sent: An own message was acknowledged.
    :param on_missing_dependencies: A message cites others that were not delivered yet.
    :param on_periodic_sync: It is time to say something.
    :param on_repair_ready: Broadcast this answer to a peer who asked.
    :param on_resend_ready: Broadcast this own message again.
    :param on_delivery_failed: An own message was given up.
    :param on_dependencies_lost: A message is delivered without others that never came.
    :param hint_provider: Is given the id of a message that is cited, and returns where it can
        be fetched, in bytes that travel with the citation, or None. More than 4096 bytes are
        not used. It must not call a manager: that raises `InvalidArgument`.
    :raises InvalidArgument: for a value of the configuration, which it names, and for both a
        `store_path` and a `persistence`.
    :raises PersistenceError: when the file of `store_path` cannot be opened.
    :raises Forked: in a child of fork(), as everything does there.
    """

    def __init__(
        self,
        *,
        participant_id: str = "",
        config: Optional[Config] = None,
        persistence: Optional[Persistence] = None,
        on_message_ready: Optional[Callable[[MessageReady], object]] = None,
        on_message_sent: Optional[Callable[[MessageSent], object]] = None,
        on_missing_dependencies: Optional[Callable[[MissingDependencies], object]] = None,
        on_periodic_sync: Optional[Callable[[PeriodicSync], object]] = None,
        on_repair_ready: Optional[Callable[[RepairReady], object]] = None,
        on_resend_ready: Optional[Callable[[ResendReady], object]] = None,
        on_delivery_failed: Optional[Callable[[DeliveryFailed], object]] = None,
        on_dependencies_lost: Optional[Callable[[DependenciesLost], object]] = None,
        hint_provider: Optional[HintProvider] = None,
    ) -> None:
        super().__init__(
            participant_id,
            config,
            persistence,
            hint_provider,
            {
                EventType.MESSAGE_READY: on_message_ready,
                EventType.MESSAGE_SENT: on_message_sent,
                EventType.MISSING_DEPENDENCIES: on_missing_dependencies,
                EventType.PERIODIC_SYNC: on_periodic_sync,
                EventType.REPAIR_READY: on_repair_ready,
                EventType.RESEND_READY: on_resend_ready,
                EventType.DELIVERY_FAILED: on_delivery_failed,
                EventType.DEPENDENCIES_LOST: on_dependencies_lost,
            },
        )

    def start(self) -> None:
        """Starts the library's own timer, one thread for this manager, on which callbacks run
        from then on, too. It runs until `close`; starting twice is the same as once.

        :raises InvalidArgument: when `tick` drives this manager.
        """
        call(bindings.sds_start, self._ctx)

    def tick(self, now_unix_ms: Optional[int] = None) -> int:
        """In place of `start`, for a host with a loop of its own: runs what is due, with its
        callbacks, and returns when to call again, in milliseconds since 1970.

        Call it once after opening, and then at those times; earlier costs little, later delays
        what is due and loses nothing.

        :param now_unix_ms: The time of the system's clock in milliseconds since 1970, by
            default as it is.
        :raises InvalidArgument: when `start` was called, and for a time out of range.
        """
        return call(bindings.sds_tick, self._ctx, now_in_ms() if now_unix_ms is None else now_unix_ms)

    def close(self) -> None:
        """Ends the manager. Waits for calls and callbacks on other threads; once it returned, no
        callback comes any more, and every other method raises `InvalidContext`. From inside a
        callback it does not wait for that one. What is kept of the channels stays. Closing
        again does nothing.

        :raises InvalidArgument: from inside a persistence, a hint provider or a log handler.
        """
        self._end()

    def __enter__(self) -> "ReliabilityManager":
        return self

    def __exit__(
        self,
        exc_type: Optional[Type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()


def now_in_ms() -> int:
    """The time of the system's clock in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def _callable(value: Any, name: str) -> Any:
    if not callable(value):
        raise TypeError(f"{name} must be callable, not {type(value).__name__}")
    return value


# ---- The end of the interpreter ----

_open_ones: Dict[int, "weakref.ref[Participant]"] = {}
_closing_all = False


def _close_all() -> None:
    """Ends what is still open before the interpreter does: a thread of the library that called
    it after that would be ended in the middle of the library."""
    global _closing_all
    _closing_all = True
    while _open_ones and not _callbacks.forked:
        _, reference = _open_ones.popitem()
        manager = reference()
        if manager is not None and manager._open:
            manager._end()


atexit.register(_close_all)
