"""The log of the library, which is silent until somebody wants it.

Lines consist of words and key=value pairs, name operation, channel and message id, and
never show content::

    msg="the channel was loaded" operation=wrap channel=lobby
"""

import atexit
import logging
import threading
from enum import IntEnum
from typing import Any, Callable, Dict, Optional

from . import _callbacks, bindings
from ._convert import read_bytes
from ._declarations import SdsLogHandler, callback

__all__ = ["LogLevel", "log_to", "set_log_handler"]

LogHandler = Callable[[int, str], object]


class LogLevel(IntEnum):
    """How much a line of the log matters."""

    DEBUG = -4
    INFO = 0
    WARNING = 4
    ERROR = 8


# The handler that is set, by the number that the library was given for it.
_handlers: Dict[int, LogHandler] = {}
_setting = threading.Lock()
_last = 0


@callback(SdsLogHandler)
def _receive(level: int, line: int, length: int, user_data: int) -> None:
    # What this raises, ctypes gives to sys.unraisablehook.
    handler = _handlers.get(user_data)
    if handler is not None:
        text = read_bytes(line, length).decode("utf-8", "replace")
        with _callbacks.locked:
            handler(level, text)


_NOBODY: Any = SdsLogHandler()  # type: ignore[call-overload]  # a NULL


def set_log_handler(handler: Optional[LogHandler], level: int = LogLevel.INFO) -> None:
    """Sets who gets the log of all managers of the process; None is nobody.

    Once this returned, the handler that was set before is not called any more.

    :param handler: Is given a level, of `LogLevel`, and a line without time and level. It is
        called on whichever thread has something to say, never by two at the same time, and
        maybe while a channel is locked: it must return soon, must not wait for a thread that
        is in a call of a manager, and must not call one itself. What it raises goes to
        `sys.unraisablehook`.
    :param level: The least level that it wants.
    :raises InvalidArgument: from inside a log handler, a persistence or a hint provider.
    """
    global _last
    if handler is not None and not callable(handler):
        raise TypeError(f"handler must be callable, not {type(handler).__name__}")
    level = _clamped(level)
    if _callbacks.forked or _callbacks.inside_locked():
        bindings.sds_set_log_handler(_NOBODY, level, 0)  # is refused, in the library's words
        return
    with _setting:
        _last += 1
        if handler is not None:
            _handlers[_last] = handler
        try:
            bindings.sds_set_log_handler(_NOBODY if handler is None else _receive, level, _last)
        except BaseException:
            _handlers.pop(_last, None)
            raise
        for number in [number for number in _handlers if number != _last]:
            del _handlers[number]


def _clamped(level: int) -> int:
    """Any int is a level; those beyond C's are as good as the nearest of them."""
    return max(-(2**31), min(int(level), 2**31 - 1))


_LEVELS = (
    (LogLevel.ERROR, logging.ERROR),
    (LogLevel.WARNING, logging.WARNING),
    (LogLevel.INFO, logging.INFO),
    (LogLevel.DEBUG, logging.DEBUG),
)


def log_to(logger: Optional[logging.Logger] = None) -> None:
    """Connects the library's log to a logger, by default "libsds", at the level that the
    logger has now.

    Its logging handlers must keep to what `set_log_handler` says: they must not call a
    manager, nor hold a lock while they do elsewhere.
    """
    target = logging.getLogger("libsds") if logger is None else logger

    def handle(level: int, line: str) -> None:
        target.log(_level_of_logging(level), "%s", line)

    wanted = target.getEffectiveLevel()
    set_log_handler(handle, min((ours for ours, theirs in _LEVELS if theirs >= wanted), default=LogLevel.ERROR))


def _level_of_logging(level: int) -> int:
    return next((theirs for ours, theirs in _LEVELS if level >= ours), logging.DEBUG)


def _unset() -> None:
    """Before the interpreter ends: see manager.py."""
    if not _callbacks.forked:
        set_log_handler(None)


atexit.register(_unset)
