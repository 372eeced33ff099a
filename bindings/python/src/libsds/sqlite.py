"""Channels in a SQLite database."""

import os
import sqlite3
import threading
from types import TracebackType
from typing import Any, Optional, Sequence, Type, Union
from urllib.parse import quote

from .errors import PersistenceError
from .persistence import HistoryRecord, StoredChannel

__all__ = ["SqlitePersistence"]

_APPLICATION_ID = 0x53445350  # "SDSP": whose file it is
_SCHEMA_VERSION = 1

_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE meta (channel TEXT NOT NULL PRIMARY KEY, meta BLOB NOT NULL);
CREATE TABLE history (channel TEXT NOT NULL, id TEXT NOT NULL, lamport INTEGER NOT NULL,
                      message BLOB NOT NULL, PRIMARY KEY (channel, id));
CREATE INDEX history_in_order ON history (channel, lamport, id);
CREATE TABLE hints (channel TEXT NOT NULL, id TEXT NOT NULL, hint BLOB NOT NULL,
                    PRIMARY KEY (channel, id));
PRAGMA application_id = {_APPLICATION_ID};
PRAGMA user_version = {_SCHEMA_VERSION};
COMMIT;
"""


class SqlitePersistence:
    """Keeps the channels of one participant in one file, each operation in one transaction.

    It may be used from several threads. It outlives the manager that it is given to: close it
    after that one, or use it as a context manager around it. The file serves one participant,
    and one SqlitePersistence at a time. What was committed survives a power cut: the log ahead
    of the file (WAL) is flushed at every commit, which takes the time of the disk.

    :param path: The file, made if missing.
    :raises PersistenceError: when it cannot be opened, is in use, is another program's or was
        written by another version of this class. It is not touched then.
    """

    def __init__(self, path: Union[str, "os.PathLike[str]"]) -> None:
        self._path = os.fspath(path)
        if not isinstance(self._path, str):
            raise TypeError(f"path must be str or a path of str, not {type(path).__name__}")
        self._lock = threading.Lock()
        try:
            new = _is_new(self._path)
            self._db = sqlite3.connect(self._path, timeout=1, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise PersistenceError(f"{self._path}: {error}") from error
        try:
            self._prepare(new)
        except sqlite3.Error as error:
            self._db.close()
            raise PersistenceError(f"{self._path}: {error}") from error
        except BaseException:
            self._db.close()
            raise

    def _prepare(self, new: bool) -> None:
        # Two users of the file would be two participants of one name.
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        tables = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if new and tables == 0:
            # Before WAL, so that the file says whose it is from its first commit on.
            self._db.executescript(_SCHEMA)
        else:
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version != _SCHEMA_VERSION:
                raise PersistenceError(f"{self._path}: it has version {version}, not {_SCHEMA_VERSION}")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")

    def close(self) -> None:
        """Closes the file. Every other method fails from then on; closing again does nothing."""
        with self._lock:
            self._db.close()

    def __enter__(self) -> "SqlitePersistence":
        return self

    def __exit__(
        self,
        exc_type: Optional[Type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()

    def commit(
        self, channel_id: str, meta: bytes, append: Sequence[HistoryRecord], evict: Sequence[str]
    ) -> None:
        """Keeps what an operation changed."""
        gone = [(channel_id, message_id) for message_id in evict]
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO meta (channel, meta) VALUES (?, ?)", (channel_id, meta))
            db.executemany(
                "INSERT OR REPLACE INTO history (channel, id, lamport, message) VALUES (?, ?, ?, ?)",
                [(channel_id, record.message_id, record.lamport, record.message) for record in append],
            )
            db.executemany("DELETE FROM history WHERE channel = ? AND id = ?", gone)
            db.executemany("DELETE FROM hints WHERE channel = ? AND id = ?", gone)

    def load_channel(self, channel_id: str) -> Optional[StoredChannel]:
        """Returns what is kept of a channel."""
        key = (channel_id,)
        with self._lock:
            meta = self._db.execute("SELECT meta FROM meta WHERE channel = ?", key).fetchone()
            messages = self._db.execute(
                "SELECT message FROM history WHERE channel = ? ORDER BY lamport, id", key
            ).fetchall()
            hints = self._db.execute("SELECT id, hint FROM hints WHERE channel = ?", key).fetchall()
        if meta is None:
            return None
        return StoredChannel(meta[0], [message for (message,) in messages], dict(hints))

    def drop_channel(self, channel_id: str) -> None:
        """Forgets a channel."""
        with self._transaction() as db:
            for table in ("meta", "history", "hints"):
                db.execute(f"DELETE FROM {table} WHERE channel = ?", (channel_id,))

    def set_retrieval_hint(self, channel_id: str, message_id: str, hint: bytes) -> None:
        """Keeps where a message can be fetched."""
        with self._transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO hints (channel, id, hint) VALUES (?, ?, ?)", (channel_id, message_id, hint)
            )

    def _transaction(self) -> "_Transaction":
        return _Transaction(self._lock, self._db)


class _Transaction:
    """Holds the lock, and keeps all or nothing of what is done within it."""

    def __init__(self, lock: threading.Lock, db: sqlite3.Connection) -> None:
        self._lock = lock
        self._db = db

    def __enter__(self) -> sqlite3.Connection:
        self._lock.acquire()
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except BaseException:
            self._lock.release()
            raise
        return self._db

    def __exit__(self, exc_type: Any, exc: Any, traceback: Any) -> None:
        try:
            if exc_type is None:
                self._db.execute("COMMIT")
        finally:
            try:
                if self._db.in_transaction:  # also where COMMIT failed
                    self._db.execute("ROLLBACK")
            finally:
                self._lock.release()


def _is_new(path: str) -> bool:
    """Tells whether there is no such database yet; raises PersistenceError for another one's.

    It looks at the file as at one that does not change: SQLite may otherwise complete what
    another program had begun. It has SQLite open it, because the locks that a process has on a
    file are gone once it closes any descriptor of that file, unless SQLite sees to it.
    """
    try:
        if os.stat(path).st_size == 0:
            return True
    except FileNotFoundError:
        return True
    db = sqlite3.connect(f"file:{quote(os.fsencode(os.path.abspath(path)))}?immutable=1", uri=True)
    try:
        if db.execute("PRAGMA application_id").fetchone() != (_APPLICATION_ID,):
            raise PersistenceError(f"{path}: it is another program's database")
    finally:
        db.close()
    return False
