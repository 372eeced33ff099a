"""How the library calls Python.

The functions that it is given live as long as the module. What belongs to one manager is
found by the user data, a number that is never used again. So a call that comes late finds
nothing, rather than another manager's callbacks or freed memory.

What a callback raises cannot pass through C. It is kept, and raised by `call` on the same
thread, once the function of the library returned. On a thread of the library there is no
such call: ctypes hands it to sys.unraisablehook.
"""

import ctypes
import itertools
import os
import threading
from ctypes import CDLL, CFUNCTYPE, c_size_t, c_void_p
from typing import Any, Callable, Dict, List, Mapping, Optional, TypeVar
from weakref import WeakValueDictionary

from . import bindings
from ._convert import EVENTS, decode_text, encode_bytes, read_bytes
from ._declarations import (
    Commit,
    DropChannel,
    LoadChannel,
    SaveChannelMeta,
    SdsEventHandler,
    SdsPersistence,
    SdsRetrievalHintProvider,
    SetRetrievalHint,
    UpdateHistory,
    callback,
)
from ._library import library
from .errors import CallbackErrors, PersistenceError
from .persistence import HistoryRecord

T = TypeVar("T")


class Receiver:
    """What is called for one context. The manager holds it; this module does not, so that
    callbacks which refer to their manager do not keep it for ever."""

    def __init__(
        self,
        handlers: Mapping[int, Callable[[Any], object]],
        hint_provider: Optional[Callable[[str], Optional[bytes]]],
        persistence: Any,
    ) -> None:
        self.handlers = handlers
        self.hint_provider = hint_provider
        self.persistence = persistence
        self.user_data = next(_user_data)
        _receivers[self.user_data] = self


_user_data = itertools.count(1)
_receivers: "WeakValueDictionary[int, Receiver]" = WeakValueDictionary()


# ---- Exceptions ----


class _Call:
    """A call of the library that is under way, on one thread."""

    def __init__(self) -> None:
        self.raised: List[BaseException] = []  # by callbacks
        self.cause: Optional[BaseException] = None  # of a PersistenceError


class _Thread(threading.local):
    call: Optional[_Call] = None  # the innermost
    locked = 0  # how many callbacks it is in that must not call the library


_thread = _Thread()


def call(function: Callable[..., T], *arguments: Any) -> T:
    """Calls a function of `bindings`, and raises what callbacks raised meanwhile.

    The operation itself took effect then, and what it returned is the attribute
    `sds_result` of the exception.
    """
    outer, current = _thread.call, _Call()
    _thread.call = current
    result: Optional[T] = None
    try:
        result = function(*arguments)
    except BaseException as error:
        if isinstance(error, PersistenceError) and current.cause is not None:
            error.__cause__ = current.cause
        if not current.raised:
            raise
        current.raised.append(error)
    finally:
        _thread.call = outer
    if not current.raised:
        return result  # type: ignore[return-value]
    raised = _one_of(current.raised)
    setattr(raised, "sds_result", result)
    try:
        raise raised
    finally:
        del raised, current  # the traceback refers to this frame


def _one_of(errors: List[BaseException]) -> BaseException:
    """A single exception is itself. What is to end the program goes before all others."""
    if len(errors) == 1:
        return errors[0]
    ordinary = [error for error in errors if isinstance(error, Exception)]
    for error in errors:
        if not isinstance(error, Exception):
            return error
    return CallbackErrors("several callbacks raised", ordinary)


def _surface(error: BaseException) -> None:
    """Has an exception raised by the call that is under way, or reported by ctypes."""
    if _thread.call is None:
        raise error
    _thread.call.raised.append(error)


def _report(error: BaseException) -> None:
    """Gives an exception to sys.unraisablehook: ctypes does that with what a callback raises."""

    def exception_of_a_procedure() -> None:
        raise error

    CFUNCTYPE(None)(exception_of_a_procedure)()


class _Locked:
    """Within it, something of the library is locked, and next to nothing may be called."""

    def __enter__(self) -> None:
        _thread.locked += 1

    def __exit__(self, *_: object) -> None:
        _thread.locked -= 1


locked = _Locked()


def inside_locked() -> bool:
    """Whether this thread is in a callback that must not call the library."""
    return _thread.locked > 0


# ---- Events ----


@callback(SdsEventHandler)
def event_handler(event: Any, user_data: int) -> None:
    receiver = _receivers.get(user_data)
    if receiver is None:
        return
    handler = receiver.handlers.get(event.contents.type)
    if handler is None:
        return
    try:
        handler(EVENTS[event.contents.type](event.contents))
    except BaseException as error:
        _surface(error)


# ---- Retrieval hints ----

# The library frees hints with free(), so they come from the malloc() that belongs to it: the
# process's.
_malloc = CDLL(None).malloc
_malloc.restype = c_void_p
_malloc.argtypes = [c_size_t]


@callback(SdsRetrievalHintProvider)
def hint_provider(message_id: bytes, hint: Any, hint_length: Any, user_data: int) -> None:
    receiver = _receivers.get(user_data)
    if receiver is None or receiver.hint_provider is None:
        return
    try:
        with locked:
            found = receiver.hint_provider(decode_text(message_id))
        if found is None or len(found) == 0:
            return
        data = encode_bytes(found, "a hint")
        address = _malloc(len(data))
        if not address:
            raise MemoryError
        ctypes.memmove(address, data, len(data))
        hint[0] = address
        hint_length[0] = len(data)
    except BaseException as error:
        _surface(error)


# ---- Persistence ----


def _perform(call: int, user_data: int, saving: bool, procedure: Callable[[Any], object]) -> int:
    """Runs a procedure over the persistence of a context. Returns what C expects."""
    try:
        receiver = _receivers.get(user_data)
        if receiver is None:
            raise RuntimeError("the manager is gone")
        with locked:
            procedure(receiver.persistence)
    except BaseException as error:
        bindings.sds_fail(call, _words(error))
        current = _thread.call
        if current is not None and not isinstance(error, Exception):
            current.raised.append(error)
        elif current is None or saving:
            _report(error)
        else:
            current.cause = error
        return 1
    return 0


def _words(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # of its __str__
        return type(error).__name__


def _records(append: Any, count: int) -> List[HistoryRecord]:
    return [
        HistoryRecord(decode_text(r.messageId), r.lamport, read_bytes(r.message, r.messageLen))
        for r in (append[i] for i in range(count))
    ]


def _ids(array: Any, count: int) -> List[str]:
    return [decode_text(array[i]) for i in range(count)]


@callback(SaveChannelMeta)
def _save_channel_meta(call: int, channel: bytes, meta: int, length: int, user_data: int) -> int:
    return _perform(
        call, user_data, True, lambda p: p.save_channel_meta(decode_text(channel), read_bytes(meta, length))
    )


@callback(UpdateHistory)
def _update_history(
    call: int, channel: bytes, append: Any, append_count: int, evict: Any, evict_count: int, user_data: int
) -> int:
    return _perform(
        call,
        user_data,
        True,
        lambda p: p.update_history(decode_text(channel), _records(append, append_count), _ids(evict, evict_count)),
    )


@callback(Commit)
def _commit(
    call: int,
    channel: bytes,
    meta: int,
    length: int,
    append: Any,
    append_count: int,
    evict: Any,
    evict_count: int,
    user_data: int,
) -> int:
    return _perform(
        call,
        user_data,
        True,
        lambda p: p.commit(
            decode_text(channel),
            read_bytes(meta, length),
            _records(append, append_count),
            _ids(evict, evict_count),
        ),
    )


@callback(LoadChannel)
def _load_channel(call: int, channel: bytes, user_data: int) -> int:
    def load(persistence: Any) -> None:
        stored = persistence.load_channel(decode_text(channel))
        if stored is None:
            return
        bindings.sds_load_meta(call, stored.meta)
        for message in stored.messages:
            bindings.sds_load_message(call, message)
        for message_id, hint in stored.hints.items():
            bindings.sds_load_hint(call, message_id, hint)

    return _perform(call, user_data, False, load)


@callback(DropChannel)
def _drop_channel(call: int, channel: bytes, user_data: int) -> int:
    return _perform(call, user_data, False, lambda p: p.drop_channel(decode_text(channel)))


@callback(SetRetrievalHint)
def _set_retrieval_hint(
    call: int, channel: bytes, message_id: bytes, hint: int, length: int, user_data: int
) -> int:
    return _perform(
        call,
        user_data,
        True,
        lambda p: p.set_retrieval_hint(decode_text(channel), decode_text(message_id), read_bytes(hint, length)),
    )


_KEEPING = {
    "load_channel": ("loadChannel", _load_channel),
    "drop_channel": ("dropChannel", _drop_channel),
    "set_retrieval_hint": ("setRetrievalHint", _set_retrieval_hint),
}
_SAVING = {
    "save_channel_meta": ("saveChannelMeta", _save_channel_meta),
    "update_history": ("updateHistory", _update_history),
}
_COMMITTING = {"commit": ("commit", _commit)}


def procedures_of(persistence: Any) -> SdsPersistence:
    """Makes the table of procedures that fits an object; raises TypeError for what it lacks."""
    transactional = getattr(persistence, "commit", None) is not None
    wanted: Dict[str, Any] = {**_KEEPING, **(_COMMITTING if transactional else _SAVING)}
    missing = [name for name in wanted if not callable(getattr(persistence, name, None))]
    if missing:
        raise TypeError(f"{type(persistence).__name__} is no Persistence: it lacks {', '.join(missing)}")
    table = SdsPersistence(size=ctypes.sizeof(SdsPersistence))
    for member, procedure in wanted.values():
        setattr(table, member, procedure)
    return table


# ---- Ends ----

#: Whether this process is a child of fork(). What it inherited is its parent's to end.
forked = False


def _in_the_child() -> None:
    global forked
    forked = True


os.register_at_fork(after_in_child=_in_the_child)


def abandon(ctx: int) -> None:
    """Ends a context that nobody refers to any more, on whatever thread that was noticed."""
    if inside_locked():
        # Closing is refused here, and must not be waited for.
        threading.Thread(target=_close, args=(ctx,), daemon=True).start()
    else:
        _close(ctx)


def _close(ctx: int) -> None:
    library.SdsClose(ctx)
