"""What goes wrong, as exceptions.

Every status of the library is a class below `SdsError`, and a builtin exception where
there is one of the same meaning, so that code which knows nothing of libsds can handle
it: `NotSds` is a `ValueError`, `PersistenceError` an `OSError`. The text is the library's,
and names the argument, channel or key that was wrong; it is for people and may change.
"""

import sys
from enum import IntEnum
from typing import Dict, Sequence, Type

__all__ = [
    "CallbackErrors",
    "Forked",
    "InternalError",
    "InvalidArgument",
    "InvalidContext",
    "LibraryNotFound",
    "LimitExceeded",
    "MessageTooLarge",
    "NotSds",
    "OutOfMemory",
    "PersistenceError",
    "SdsError",
    "SerializationError",
    "Status",
]


class Status(IntEnum):
    """What the library's functions return: SdsStatus. The numbers are frozen."""

    OK = 0
    ERR = 1
    ERR_MISSING_CALLBACK = 2
    ERR_INVALID_ARGUMENT = 10
    ERR_OUT_OF_MEMORY = 11
    ERR_INTERNAL = 12
    ERR_SERIALIZATION = 13
    ERR_DESERIALIZATION = 14
    ERR_MESSAGE_TOO_LARGE = 15
    ERR_PERSISTENCE = 16
    ERR_LIMIT_EXCEEDED = 17
    ERR_INVALID_CONTEXT = 20
    ERR_FORKED = 21


class SdsError(Exception):
    """The root: a call of the library failed. Its own instances have a status that this
    version of the package does not know."""

    #: A `Status`, or the number of one that is newer than this package.
    status: int = Status.ERR


class InvalidArgument(SdsError, ValueError):
    """An argument or a key of the configuration is wrong, or the call comes at a wrong
    moment: from inside a persistence procedure, `tick` after `start`, for a channel that
    is not in memory."""

    status = Status.ERR_INVALID_ARGUMENT


class OutOfMemory(SdsError, MemoryError):
    """There is no memory for the result; the operation may have taken effect."""

    status = Status.ERR_OUT_OF_MEMORY


class InternalError(SdsError, RuntimeError):
    """A defect of the library."""

    status = Status.ERR_INTERNAL


class SerializationError(SdsError, ValueError):
    """Does not occur; its status is frozen."""

    status = Status.ERR_SERIALIZATION


class NotSds(SdsError, ValueError):
    """The payload is not an SDS message (SDS_ERR_DESERIALIZATION): deliver it as it is."""

    status = Status.ERR_DESERIALIZATION


class MessageTooLarge(SdsError, ValueError):
    """The content is over `max_content_bytes`."""

    status = Status.ERR_MESSAGE_TOO_LARGE


class PersistenceError(SdsError, OSError):
    """The file of `store_path` or a persistence procedure failed. If it was a procedure
    in Python, what that raised is the `__cause__`."""

    status = Status.ERR_PERSISTENCE


class LimitExceeded(SdsError, RuntimeError):
    """A configured limit was reached."""

    status = Status.ERR_LIMIT_EXCEEDED


class InvalidContext(SdsError, ValueError):
    """The manager was closed."""

    status = Status.ERR_INVALID_CONTEXT


class Forked(SdsError, RuntimeError):
    """The process is a child of fork(), where the library cannot work."""

    status = Status.ERR_FORKED


_CLASSES: Dict[int, Type[SdsError]] = {
    int(cls.status): cls
    for cls in (
        InvalidArgument,
        OutOfMemory,
        InternalError,
        SerializationError,
        NotSds,
        MessageTooLarge,
        PersistenceError,
        LimitExceeded,
        InvalidContext,
        Forked,
    )
}

_FORKED_ADVICE = (
    "; a child of fork() cannot use the library: start processes with the method 'spawn',"
    " as in multiprocessing.get_context('spawn')"
)


def error_of(status: int, words: str) -> SdsError:
    """Makes the exception for a status."""
    if status == Status.ERR_FORKED:
        words += _FORKED_ADVICE
    error = _CLASSES.get(status, SdsError)(words)
    if type(error) is SdsError:
        error.status = status
    return error


class LibraryNotFound(ImportError):
    """The shared library cannot be loaded, or is not one that this package can use."""


if sys.version_info >= (3, 11):

    class CallbackErrors(ExceptionGroup[Exception]):
        """Several callbacks raised during one call. `exceptions` has what, in their order.

        It is an ExceptionGroup where Python has these (3.11), for `except*`.
        """

else:

    class CallbackErrors(Exception):
        """Several callbacks raised during one call. `exceptions` has what, in their order.

        It is an ExceptionGroup where Python has these (3.11), for `except*`.
        """

        def __init__(self, message: str, exceptions: Sequence[Exception]) -> None:
            super().__init__(message, exceptions)
            self.message = message
            self.exceptions = tuple(exceptions)
            self.__cause__ = self.exceptions[0]  # shows in the traceback

        def __str__(self) -> str:
            return f"{self.message} ({len(self.exceptions)} exceptions)"
