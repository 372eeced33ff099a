"""The native API of libsds.h, function by function.

Each takes and gives values of Python, raises the exception of a status that is not
SDS_OK, and frees what the library returned. A context is a number; one that was closed,
or never was one, is an error and no crash. Most programs use the classes instead.
"""

import operator
from ctypes import POINTER, byref, c_char_p, c_int64, c_size_t, c_void_p, pointer, sizeof, string_at
from typing import Any, Iterable, List, Optional

from . import _convert
from ._convert import encode_bytes, encode_text
from ._declarations import SdsOptions, SdsPersistence, SdsUnwrapped
from ._library import library
from .errors import InvalidArgument, SdsError, error_of
from .messages import Unwrapped

__all__ = [
    "sds_abi_version",
    "sds_channels",
    "sds_close",
    "sds_drop_channel",
    "sds_ensure_channel",
    "sds_fail",
    "sds_inspect",
    "sds_load_hint",
    "sds_load_message",
    "sds_load_meta",
    "sds_mark_met",
    "sds_open",
    "sds_reset",
    "sds_set_log_handler",
    "sds_start",
    "sds_stats",
    "sds_status_string",
    "sds_tick",
    "sds_unwrap",
    "sds_version",
    "sds_wrap",
    "sds_wrap_ephemeral",
    "sds_wrap_sync",
]


def sds_version() -> str:
    """The version of the loaded library, such as "1.2.3"."""
    version: bytes = library.SdsVersion()
    return version.decode()


def sds_abi_version() -> int:
    """The version of the loaded library's ABI."""
    version: int = library.SdsAbiVersion()
    return version


def sds_status_string(status: int) -> str:
    """A few words on a status, such as "not an SDS message"."""
    words: bytes = library.SdsStatusString(status)
    return words.decode()


def _error(status: int, words: Optional[int] = None) -> SdsError:
    """Makes the exception for a status and the text of an `error` parameter."""
    text = string_at(words).decode(errors="replace") if words else "libsds error: " + sds_status_string(status)
    return error_of(status, text)


# In the three functions below the outputs exist before the call, so that `finally` frees
# them also where an interrupt from the keyboard arrives right after it.


def _do(function: Any, *arguments: Any) -> None:
    """Calls a function without a result."""
    error = c_void_p()
    try:
        status = function(*arguments, byref(error))
        if status != 0:
            raise _error(status, error.value)
    finally:
        library.SdsFree(error)


def _payload(function: Any, *arguments: Any) -> bytes:
    """Calls a function that makes a payload."""
    message, length, error = c_void_p(), c_size_t(), c_void_p()
    try:
        status = function(*arguments, byref(message), byref(length), byref(error))
        if status != 0:
            raise _error(status, error.value)
        return _convert.read_bytes(message.value, length.value)
    finally:
        library.SdsFree(message)
        library.SdsFree(error)


def _json(function: Any, *arguments: Any) -> bytes:
    """Calls a function that makes a text."""
    text, error = c_void_p(), c_void_p()
    try:
        status = function(*arguments, byref(text), byref(error))
        if status != 0:
            raise _error(status, error.value)
        return string_at(text.value or 0)
    finally:
        library.SdsFree(text)
        library.SdsFree(error)


def sds_open(
    participant_id: str = "",
    config_json: Optional[str] = None,
    persistence: Optional[SdsPersistence] = None,
    event_handler: Any = None,
    hint_provider: Any = None,
    user_data: int = 0,
) -> int:
    """Makes a context. The callbacks are of the types in `_declarations`; they and the
    procedures are given `user_data`, and have to live until `sds_close` returned."""
    options = SdsOptions(size=sizeof(SdsOptions))
    options.participantId = encode_text(participant_id, "participant_id")
    if config_json is not None:
        options.configJson = encode_text(config_json, "config_json")
    if persistence is not None:
        options.persistence = pointer(persistence)
        options.persistenceUserData = user_data
    if event_handler is not None:
        options.eventHandler = event_handler
        options.eventUserData = user_data
    if hint_provider is not None:
        options.hintProvider = hint_provider
        options.hintUserData = user_data
    ctx = c_void_p()
    _do(library.SdsOpen, byref(options), byref(ctx))
    return ctx.value or 0


def sds_close(ctx: int) -> None:
    """Ends a context. Waits for calls and callbacks that run on other threads."""
    status = library.SdsClose(ctx)
    if status != 0:
        raise _error(status)


def sds_wrap(ctx: int, channel_id: str, message_id: str, content: _convert.Buffer) -> bytes:
    """Makes the payload to broadcast for a new message."""
    data = encode_bytes(content, "content")
    channel, message = encode_text(channel_id, "channel_id"), encode_text(message_id, "message_id")
    return _payload(library.SdsWrap, ctx, channel, message, data, len(data))


def sds_wrap_sync(ctx: int, channel_id: str) -> bytes:
    """Makes a payload without content."""
    return _payload(library.SdsWrapSync, ctx, encode_text(channel_id, "channel_id"))


def sds_wrap_ephemeral(ctx: int, channel_id: str, message_id: str, content: _convert.Buffer) -> bytes:
    """Makes the payload of a message that leaves no trace."""
    data = encode_bytes(content, "content")
    channel, message = encode_text(channel_id, "channel_id"), encode_text(message_id, "message_id")
    return _payload(library.SdsWrapEphemeral, ctx, channel, message, data, len(data))


def sds_unwrap(ctx: int, payload: _convert.Buffer) -> Unwrapped:
    """Takes in a received payload."""
    data = encode_bytes(payload, "payload")
    result, error = POINTER(SdsUnwrapped)(), c_void_p()
    try:
        status = library.SdsUnwrap(ctx, data, len(data), byref(result), byref(error))
        if status != 0:
            raise _error(status, error.value)
        return _convert.unwrapped(result.contents)
    finally:
        library.SdsFree(result)
        library.SdsFree(error)


def sds_mark_met(ctx: int, channel_id: str, message_ids: Iterable[str]) -> None:
    """Declares that the host has messages by other means."""
    if isinstance(message_ids, str):
        raise TypeError("message_ids must be an iterable of ids, not one str")
    channel = encode_text(channel_id, "channel_id")
    ids: List[bytes] = [encode_text(message_id, "a message id") for message_id in message_ids]
    _do(library.SdsMarkMet, ctx, channel, (c_char_p * len(ids))(*ids), len(ids))


def sds_ensure_channel(ctx: int, channel_id: str) -> None:
    """Makes a channel, or loads what is kept of it."""
    _do(library.SdsEnsureChannel, ctx, encode_text(channel_id, "channel_id"))


def sds_drop_channel(ctx: int, channel_id: str) -> None:
    """Forgets a channel, what is kept of it first."""
    _do(library.SdsDropChannel, ctx, encode_text(channel_id, "channel_id"))


def sds_reset(ctx: int) -> None:
    """Forgets all channels, what is kept of them first."""
    _do(library.SdsReset, ctx)


def sds_start(ctx: int) -> None:
    """Starts the library's own timer."""
    _do(library.SdsStart, ctx)


def sds_tick(ctx: int, now_unix_ms: int) -> int:
    """Runs what is due, and tells when to call again, in milliseconds since 1970."""
    now = operator.index(now_unix_ms)
    if not -(2**63) <= now < 2**63:  # ctypes would cut it off
        raise InvalidArgument(f"now_unix_ms is no time in milliseconds since 1970: {now}")
    due = c_int64()
    _do(library.SdsTick, ctx, now, byref(due))
    return due.value


def sds_channels(ctx: int) -> bytes:
    """Lists the channels in memory, as JSON."""
    return _json(library.SdsChannels, ctx)


def sds_inspect(ctx: int, channel_id: str) -> bytes:
    """Shows what a channel holds, as JSON."""
    return _json(library.SdsInspect, ctx, encode_text(channel_id, "channel_id"))


def sds_stats(ctx: int) -> bytes:
    """Counters and gauges, as JSON."""
    return _json(library.SdsStats, ctx)


def sds_set_log_handler(handler: Any, level: int, user_data: int) -> None:
    """Sets who gets the log of the process: an `SdsLogHandler` of `_declarations`."""
    status = library.SdsSetLogHandler(handler, level, user_data)
    if status != 0:
        raise _error(status)


def sds_load_meta(call: int, meta: _convert.Buffer) -> None:
    """From inside loadChannel: hands over the meta."""
    data = encode_bytes(meta, "meta")
    library.SdsLoadMeta(call, data, len(data))


def sds_load_message(call: int, message: _convert.Buffer) -> None:
    """From inside loadChannel: hands over a message of the log."""
    data = encode_bytes(message, "message")
    library.SdsLoadMessage(call, data, len(data))


def sds_load_hint(call: int, message_id: str, hint: _convert.Buffer) -> None:
    """From inside loadChannel: hands over a retrieval hint."""
    data = encode_bytes(hint, "hint")
    library.SdsLoadHint(call, encode_text(message_id, "message_id"), data, len(data))


def sds_fail(call: int, reason: str) -> None:
    """From inside a procedure that is about to fail: says why."""
    library.SdsFail(call, reason.encode("utf-8", "replace").replace(b"\0", b" "))
