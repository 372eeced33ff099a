"""End-to-end reliability for group messaging (SDS): the shared library libsds, for Python.

The host gives every outgoing message to `ReliabilityManager.wrap` and broadcasts what it
gets; it gives every payload that its transport receives to `ReliabilityManager.unwrap`.
The library notices what was lost, asks for it, and tells the host through callbacks.
Nothing is sent by the library itself.

`libsds.aio` is the same for asyncio. `libsds.bindings` is the C API function by function.

A child of fork() cannot use the library: everything raises `Forked` there. Processes that
are started with multiprocessing's method "spawn" can.
"""

from .bindings import sds_version as _sds_version
from .config import Config
from .errors import (
    CallbackErrors,
    Forked,
    InternalError,
    InvalidArgument,
    InvalidContext,
    LibraryNotFound,
    LimitExceeded,
    MessageTooLarge,
    NotSds,
    OutOfMemory,
    PersistenceError,
    SdsError,
    SerializationError,
    Status,
)
from .log import LogLevel, log_to, set_log_handler
from .manager import ReliabilityManager
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
from .persistence import (
    HistoryRecord,
    Persistence,
    ProcedurePersistence,
    StoredChannel,
    TransactionalPersistence,
)
from .sqlite import SqlitePersistence

__all__ = [
    "CallbackErrors",
    "Config",
    "DeliveryFailed",
    "DependenciesLost",
    "Dependency",
    "EventType",
    "Forked",
    "HistoryRecord",
    "InternalError",
    "InvalidArgument",
    "InvalidContext",
    "Kind",
    "LibraryNotFound",
    "LimitExceeded",
    "LogLevel",
    "MessageReady",
    "MessageSent",
    "MessageTooLarge",
    "MissingDependencies",
    "NotSds",
    "OutOfMemory",
    "PeriodicSync",
    "Persistence",
    "PersistenceError",
    "ProcedurePersistence",
    "ReliabilityManager",
    "RepairReady",
    "ResendReady",
    "SdsError",
    "SerializationError",
    "SqlitePersistence",
    "Status",
    "StoredChannel",
    "TransactionalPersistence",
    "Unwrapped",
    "log_to",
    "set_log_handler",
    "version",
]


def version() -> str:
    """The version of the loaded library, such as "1.2.3"."""
    return _sds_version()
