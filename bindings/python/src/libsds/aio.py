"""libsds for asyncio: the event loop makes time pass, and no thread of the library runs.

::

    async with aio.ReliabilityManager(participant_id="alice", on_resend_ready=resend) as alice:
        await broadcast(alice.wrap("lobby", "m-1", b"hello"))
"""

import asyncio
from collections import deque
from types import TracebackType
from typing import Any, Awaitable, Callable, Deque, Optional, Type, TypeVar

from . import bindings
from ._callbacks import call
from .config import Config
from .errors import InvalidContext
from .manager import HintProvider, Participant, now_in_ms
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
)
from .persistence import Persistence

__all__ = ["ReliabilityManager"]

E = TypeVar("E")

# After a tick that failed, in seconds.
_RETRY = 1.0


class ReliabilityManager(Participant):
    """A participant with its channels, whose timers run in the event loop.

    Make it inside a coroutine and use it with `async with`, which begins to look after what
    is due; leaving, or `close`, ends that. Parameters and methods are those of
    `libsds.ReliabilityManager`, without `start` and `tick`. Methods other than `close` are
    plain functions, because they wait for nothing but the disk, if something keeps the
    channels. Where that is too long for the loop, `asyncio.to_thread` may run them.

    Callbacks may be plain functions, which run inside the call, or coroutine functions. What
    these return is awaited later, by one task, one after the other in the order of the
    events, so that they do not overlap either. Exceptions of a plain callback are raised by
    the call, or given to the loop's exception handler if the loop made it; those of a
    coroutine go to that handler, too.
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
        self._loop = asyncio.get_running_loop()
        self._timer: Optional[asyncio.TimerHandle] = None
        self._due = 0
        self._waiting: Deque[Awaitable[Any]] = deque()
        self._worker: Optional["asyncio.Task[None]"] = None
        handlers = {
            EventType.MESSAGE_READY: on_message_ready,
            EventType.MESSAGE_SENT: on_message_sent,
            EventType.MISSING_DEPENDENCIES: on_missing_dependencies,
            EventType.PERIODIC_SYNC: on_periodic_sync,
            EventType.REPAIR_READY: on_repair_ready,
            EventType.RESEND_READY: on_resend_ready,
            EventType.DELIVERY_FAILED: on_delivery_failed,
            EventType.DEPENDENCIES_LOST: on_dependencies_lost,
        }
        super().__init__(
            participant_id,
            config,
            persistence,
            hint_provider,
            {event_type: self._awaiting(handler) for event_type, handler in handlers.items()},
        )

    # ---- Time ----

    def _tick(self) -> None:
        self._due = bindings.sds_tick(self._ctx, now_in_ms())

    def _run_what_is_due(self) -> None:
        self._due = 0
        try:
            call(self._tick)
        finally:
            # A callback may have closed the manager, or raised.
            if self._open:
                wait = max(0.0, (self._due - now_in_ms()) / 1000) if self._due else _RETRY
                self._timer = self._loop.call_later(wait, self._run_what_is_due)

    async def __aenter__(self) -> "ReliabilityManager":
        try:
            self._run_what_is_due()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        exc_type: Optional[Type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the manager, its timer, and the coroutines of callbacks, which are cancelled. Once
        it returned, no callback comes any more. From inside such a coroutine it does not
        cancel that one. Closing again does nothing."""
        self._end()
        if self._timer is not None:
            self._timer.cancel()
        while self._waiting:
            _discard(self._waiting.popleft())
        worker = self._worker
        if worker is not None and worker is not asyncio.current_task():
            worker.cancel()
            await asyncio.wait([worker])

    # ---- Callbacks that are coroutines ----

    def _awaiting(self, handler: Optional[Callable[[E], object]]) -> Optional[Callable[[E], object]]:
        """Makes a handler that has what `handler` returns awaited, if it can be."""
        if not callable(handler):
            return handler  # None, or an error that Participant reports

        def handle(event: E) -> None:
            result = handler(event)  # type: ignore[misc]
            if isinstance(result, Awaitable):
                # Safe on any thread: asyncio.to_thread may have made the call.
                self._loop.call_soon_threadsafe(self._await_later, result)

        return handle

    def _await_later(self, awaitable: Awaitable[Any]) -> None:
        if not self._open:
            _discard(awaitable)
            return
        self._waiting.append(awaitable)
        if self._worker is None or self._worker.done():
            self._worker = self._loop.create_task(self._await_all())

    async def _await_all(self) -> None:
        try:
            while self._waiting:
                try:
                    await self._waiting.popleft()
                except Exception as error:
                    self._loop.call_exception_handler(
                        {"message": f"a callback of {self!r} raised", "exception": error}
                    )
        finally:
            # One that was cancelled takes none of the others with it, unless the end is near.
            if self._waiting and self._open:
                self._worker = self._loop.create_task(self._await_all())


def _discard(awaitable: Awaitable[Any]) -> None:
    """Gives up what was never awaited."""
    if asyncio.iscoroutine(awaitable):
        awaitable.close()
    elif isinstance(awaitable, asyncio.Future):
        awaitable.cancel()
