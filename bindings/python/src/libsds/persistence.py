"""What keeps channels across restarts, where the library's own file (`Config.store_path`)
is not wanted.

The header's section Persistence says what is called when. In short: every operation that
changes a channel saves once, before its events. A process that ends between
`save_channel_meta` and `update_history` loses what the second would have kept; an object
with transactions therefore has `commit`, which is called in place of the two.

Methods of one manager's persistence never run at the same time as each other, but on
whatever thread the operation is on, which is the library's after `start`. They must not
call a manager: that raises `InvalidArgument`. All bytes are the library's own and need not
be understood.

What a method raises tells the library that it failed, and why. If it is loading or
dropping, the operation fails with a `PersistenceError` whose `__cause__` it is. A failing
save fails no operation: the library goes on from memory and saves the same again with the
next one. What it raised is given to `sys.unraisablehook`, because no caller hears of it.
"""

from dataclasses import dataclass, field
from typing import Iterable, Mapping, Optional, Protocol, Sequence, Union

__all__ = ["HistoryRecord", "Persistence", "ProcedurePersistence", "StoredChannel", "TransactionalPersistence"]


@dataclass(frozen=True)
class HistoryRecord:
    """A message that joins the log of a channel."""

    #: Its id, a key within its channel.
    message_id: str
    #: Its logical time. The log is ordered by it, and by the bytes of the id where it is equal.
    lamport: int
    #: What to hand back in `StoredChannel.messages`.
    message: bytes


@dataclass(frozen=True)
class StoredChannel:
    """What is kept of a channel."""

    #: As it was saved last.
    meta: bytes = b""
    #: The messages of the log, oldest first: by (lamport, message_id). May be a generator.
    messages: Iterable[bytes] = ()
    #: The retrieval hints, by message id.
    hints: Mapping[str, bytes] = field(default_factory=dict)


class _Keeper(Protocol):
    def load_channel(self, channel_id: str) -> Optional[StoredChannel]:
        """Returns what is kept of a channel, or None where nothing is."""

    def drop_channel(self, channel_id: str) -> None:
        """Forgets a channel: meta, log and hints. One that is not known is no error."""

    def set_retrieval_hint(self, channel_id: str, message_id: str, hint: bytes) -> None:
        """Keeps where a message of the log can be fetched, in place of a former hint."""


class ProcedurePersistence(_Keeper, Protocol):
    """Keeps channels without transactions."""

    def save_channel_meta(self, channel_id: str, meta: bytes) -> None:
        """Replaces the meta of a channel."""

    def update_history(self, channel_id: str, append: Sequence[HistoryRecord], evict: Sequence[str]) -> None:
        """Changes the log of a channel, all of it or nothing.

        A message to append replaces one of the same id; one to evict need not be there, and
        its hint goes with it. None is in both.
        """


class TransactionalPersistence(_Keeper, Protocol):
    """Keeps each operation as a whole or not at all. `save_channel_meta` and
    `update_history`, if there are such, are not called."""

    def commit(
        self, channel_id: str, meta: bytes, append: Sequence[HistoryRecord], evict: Sequence[str]
    ) -> None:
        """`save_channel_meta` and `update_history` in one transaction. Both `append` and
        `evict` may be empty."""


#: What a manager takes.
Persistence = Union[ProcedurePersistence, TransactionalPersistence]
