"""Persistence by objects in Python."""

import sqlite3
import tempfile
import threading
import unittest
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence

import libsds
from libsds import (
    Config,
    HistoryRecord,
    PersistenceError,
    ReliabilityManager,
    SqlitePersistence,
    StoredChannel,
)
from support import Unraisable, listening, of, run_python, until


class Memory:
    """Keeps channels in dictionaries, and notes what it was called for."""

    def __init__(self) -> None:
        self.metas: Dict[str, bytes] = {}
        self.logs: Dict[str, Dict[str, HistoryRecord]] = {}
        self.hints: Dict[str, Dict[str, bytes]] = {}
        self.calls: List[str] = []
        self.failing: Dict[str, BaseException] = {}

    def note(self, name: str) -> None:
        self.calls.append(name)
        if name in self.failing:
            raise self.failing[name]

    def save_channel_meta(self, channel_id: str, meta: bytes) -> None:
        self.note("save_channel_meta")
        self.metas[channel_id] = meta

    def update_history(self, channel_id: str, append: Sequence[HistoryRecord], evict: Sequence[str]) -> None:
        self.note("update_history")
        log = self.logs.setdefault(channel_id, {})
        for record in append:
            log[record.message_id] = record
        for message_id in evict:
            log.pop(message_id, None)
            self.hints.get(channel_id, {}).pop(message_id, None)

    def load_channel(self, channel_id: str) -> Optional[StoredChannel]:
        self.note("load_channel")
        if channel_id not in self.metas:
            return None
        records = sorted(self.logs.get(channel_id, {}).values(), key=lambda r: (r.lamport, r.message_id.encode()))
        return StoredChannel(self.metas[channel_id], (r.message for r in records), self.hints.get(channel_id, {}))

    def drop_channel(self, channel_id: str) -> None:
        self.note("drop_channel")
        for kept in (self.metas, self.logs, self.hints):
            kept.pop(channel_id, None)  # type: ignore[attr-defined]

    def set_retrieval_hint(self, channel_id: str, message_id: str, hint: bytes) -> None:
        self.note("set_retrieval_hint")
        self.hints.setdefault(channel_id, {})[message_id] = hint


class Transactional(Memory):
    def commit(
        self, channel_id: str, meta: bytes, append: Sequence[HistoryRecord], evict: Sequence[str]
    ) -> None:
        self.note("commit")
        self.metas[channel_id] = meta
        calls = self.calls
        self.calls = []
        self.update_history(channel_id, append, evict)
        self.calls = calls


def assert_a_restart_loses_nothing(case: unittest.TestCase, make: Callable[[], ReliabilityManager]) -> None:
    with make() as alice:
        alice.wrap("c\0", "m\0001", b"one")
        alice.wrap("c\0", "m2", b"two \0 and \xff")
        before = alice.inspect("c\0")
    with make() as alice:
        alice.ensure_channel("c\0")
        after = alice.inspect("c\0")
        for key in ("log", "clock", "outgoingBuffer"):
            case.assertEqual(after[key], before[key])
        case.assertEqual([e["messageId"] for e in after["log"]], ["m\0001", "m2"])


class Procedures(unittest.TestCase):
    def test_a_restart_loses_nothing(self) -> None:
        for store in (Memory(), Transactional()):
            with self.subTest(type(store).__name__):
                assert_a_restart_loses_nothing(
                    self,
                    lambda: ReliabilityManager(
                        participant_id="alice", persistence=store, hint_provider=lambda m: b"at " + m.encode()
                    ),
                )
                self.assertEqual(store.hints["c\0"], {"m\0001": b"at m\0001"})

    def test_the_methods_are_called_at_the_save_points(self) -> None:
        store = Memory()
        with ReliabilityManager(participant_id="alice", persistence=store, hint_provider=lambda _: b"h") as alice:
            alice.wrap("c", "m1", b"x")
            alice.wrap("c", "m2", b"x")
            alice.drop_channel("c")
        save = ["save_channel_meta", "update_history"]
        self.assertEqual(store.calls, ["load_channel", *save, *save, "set_retrieval_hint", "drop_channel"])

    def test_commit_is_called_in_place_of_two(self) -> None:
        store = Transactional()
        with ReliabilityManager(persistence=store) as alice:
            alice.wrap("c", "m1", b"x")
        self.assertEqual(store.calls, ["load_channel", "commit"])
        self.assertEqual(list(store.logs["c"]), ["m1"])

    def test_what_leaves_the_log_is_evicted(self) -> None:
        store = Memory()
        with ReliabilityManager(persistence=store, config=Config(max_message_history=2)) as alice:
            for i in range(4):
                alice.wrap("c", f"m{i}", b"x")
        self.assertEqual(sorted(store.logs["c"]), ["m2", "m3"])

    def test_what_loading_raises_fails_the_operation_in_its_words(self) -> None:
        store = Memory()
        store.failing["load_channel"] = error = KeyError("the \0 disk is \ud800 gone")
        with ReliabilityManager(persistence=store) as alice:
            with self.assertRaisesRegex(PersistenceError, "KeyError: .*disk is .* gone") as caught:
                alice.wrap("c", "m", b"x")
            self.assertIs(caught.exception.__cause__, error)
            del store.failing["load_channel"]
            alice.wrap("c", "m", b"x")

    def test_what_dropping_raises_fails_the_operation_and_the_channel_stays(self) -> None:
        store = Memory()
        store.failing["drop_channel"] = OSError("read-only")
        with ReliabilityManager(persistence=store) as alice:
            alice.ensure_channel("c")
            drops: Sequence[Callable[[], None]] = (lambda: alice.drop_channel("c"), alice.reset)
            for drop in drops:
                with self.assertRaisesRegex(PersistenceError, "OSError: read-only"):
                    drop()
            self.assertEqual(len(alice.channels()), 1)

    def test_a_failing_save_fails_no_operation_is_reported_and_made_up_for(self) -> None:
        for name in ("save_channel_meta", "update_history", "set_retrieval_hint"):
            with self.subTest(name):
                store = Memory()
                store.failing[name] = error = OSError("full")
                with ReliabilityManager(
                    participant_id="alice", persistence=store, hint_provider=lambda _: b"h"
                ) as alice:
                    with Unraisable() as unraisable:
                        alice.wrap("c", "m1", b"x")
                        alice.wrap("c", "m2", b"x")
                    self.assertIn(error, unraisable)
                    self.assertEqual(set(unraisable), {error})
                    store.failing.clear()
                    alice.wrap("c", "m3", b"x")
                self.assertEqual(sorted(store.logs["c"]), ["m1", "m2", "m3"])
                self.assertIn("m1", store.hints["c"])

    def test_what_ends_the_program_ends_it_also_from_a_save(self) -> None:
        store = Memory()
        store.failing["save_channel_meta"] = KeyboardInterrupt()
        with ReliabilityManager(persistence=store) as alice:
            with self.assertRaises(KeyboardInterrupt):
                alice.wrap("c", "m", b"x")
            store.failing.clear()

    def test_a_failure_on_the_library_s_thread_is_reported(self) -> None:
        store = Memory()
        config = Config(
            resend_interval_ms=1, buffer_sweep_interval_ms=1, repair_sweep_interval_ms=1, max_resend_attempts=1000
        )
        with ReliabilityManager(participant_id="alice", config=config, persistence=store) as alice:
            alice.wrap("c", "m", b"x")
            store.failing["save_channel_meta"] = error = OSError("full")
            with Unraisable() as unraisable:
                alice.start()
                until(lambda: unraisable)
                store.failing.clear()
                alice.close()
        self.assertIs(unraisable[0], error)

    def test_an_exception_that_cannot_be_printed_is_no_trouble(self) -> None:
        class Unprintable(Exception):
            def __str__(self) -> str:
                raise ValueError

        store = Memory()
        store.failing["load_channel"] = Unprintable()
        with ReliabilityManager(persistence=store) as alice, self.assertRaisesRegex(PersistenceError, "Unprintable"):
            alice.wrap("c", "m", b"x")

    def test_what_was_loaded_wrongly_fails_with_an_error(self) -> None:
        good = Memory()
        with ReliabilityManager(persistence=good) as alice:
            alice.wrap("c", "m", b"x")
        meta = good.metas["c"]
        wrong: Sequence[Any] = (
            StoredChannel(meta=b"\xff\xff\xff"),
            StoredChannel(meta="text"),  # type: ignore[arg-type]
            StoredChannel(meta=meta, messages=[b"\xff"]),
            StoredChannel(meta=meta, messages=[None]),  # type: ignore[list-item]
            StoredChannel(meta=meta, messages=5),  # type: ignore[arg-type]
            StoredChannel(meta=meta, hints={"": b"x"}),
            StoredChannel(meta=meta, hints={"m": 5}),  # type: ignore[dict-item]
            "not a StoredChannel",
            5,
        )
        for stored in wrong:
            with self.subTest(repr(stored)[:60]):
                store = Memory()
                setattr(store, "load_channel", lambda _, stored=stored: stored)
                with ReliabilityManager(persistence=store) as alice:
                    with self.assertRaises(PersistenceError):
                        alice.wrap("c", "m", b"x")

    def test_a_persistence_must_not_call_a_manager(self) -> None:
        refused: List[str] = []

        class Calling(Memory):
            def load_channel(self, channel_id: str) -> Optional[StoredChannel]:
                uses: Sequence[Callable[[], object]] = (
                    alice.stats,
                    alice.close,
                    lambda: other.wrap("c", "m", b"x"),
                )
                for use in uses:
                    try:
                        use()
                    except libsds.InvalidArgument as error:
                        refused.append(str(error))
                return None

        with ReliabilityManager() as other, ReliabilityManager(persistence=Calling()) as alice:
            alice.ensure_channel("c")
            self.assertEqual(len(refused), 3)
            self.assertIn("persistence procedure", refused[0])

    def test_an_object_that_lacks_methods_is_a_type_error_that_names_them(self) -> None:
        class Half:
            def load_channel(self, channel_id: str) -> None: ...

            drop_channel = 5

        with self.assertRaisesRegex(
            TypeError, "Half .* lacks drop_channel, set_retrieval_hint, save_channel_meta, update_history"
        ):
            ReliabilityManager(persistence=Half())  # type: ignore[arg-type]
        with self.assertRaises(TypeError):
            ReliabilityManager(persistence="store.sds")  # type: ignore[arg-type]

    def test_both_a_store_path_and_a_persistence_are_refused(self) -> None:
        with self.assertRaisesRegex(libsds.InvalidArgument, "storePath"):
            ReliabilityManager(config=Config(store_path="/tmp/never-made.sds"), persistence=Memory())

    def test_each_manager_has_its_own_persistence(self) -> None:
        stores = [Memory() for _ in range(5)]
        managers = [ReliabilityManager(participant_id=f"p{i}", persistence=s) for i, s in enumerate(stores)]
        for i, manager in enumerate(managers):
            manager.wrap(f"c{i}", "m", b"x")
        for i, (manager, store) in enumerate(zip(managers, stores)):
            self.assertEqual(list(store.metas), [f"c{i}"])
            manager.close()


class File(unittest.TestCase):
    """What store_path keeps."""

    def test_a_restart_loses_nothing(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for sync in ("full", "batch"):
                config = Config(store_path=Path(folder, sync), store_sync=sync)
                assert_a_restart_loses_nothing(
                    self, lambda: ReliabilityManager(participant_id="alice", config=config)
                )

    def test_a_file_in_use_is_a_persistence_error_that_names_it(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder, "alice.sds"))
            with ReliabilityManager(config=Config(store_path=path)):
                with self.assertRaisesRegex(PersistenceError, "alice.sds"):
                    ReliabilityManager(config=Config(store_path=path))
            ReliabilityManager(config=Config(store_path=path)).close()


class Sqlite(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name, "alice \N{PARTY POPPER}.db")

    def test_a_restart_loses_nothing(self) -> None:
        class Restarted(ReliabilityManager):
            store: SqlitePersistence

            def close(self) -> None:
                super().close()
                self.store.close()

        def make() -> ReliabilityManager:
            store = SqlitePersistence(self.path)
            manager = Restarted(participant_id="alice", persistence=store, hint_provider=lambda m: b"at " + m.encode())
            manager.store = store
            return manager

        assert_a_restart_loses_nothing(self, make)
        with SqlitePersistence(str(self.path)) as store:
            stored = store.load_channel("c\0")
            assert stored is not None
            self.assertEqual(stored.hints, {"m\0001": b"at m\0001"})
            self.assertEqual(len(list(stored.messages)), 2)

    def test_it_keeps_an_operation_as_a_whole_or_not_at_all(self) -> None:
        with SqlitePersistence(self.path) as store:
            store.commit("c", b"one", [HistoryRecord("m1", 1, b"x")], [])
            with self.assertRaises(sqlite3.Error):
                store.commit("c", b"two", [HistoryRecord("m2", 2, None)], ["m1"])  # type: ignore[arg-type]
            stored = store.load_channel("c")
            assert stored is not None
            self.assertEqual((stored.meta, list(stored.messages)), (b"one", [b"x"]))
            store.commit("c", b"three", [], [])  # and goes on

    def test_it_keeps_what_the_contract_says(self) -> None:
        with SqlitePersistence(self.path) as store:
            self.assertIsNone(store.load_channel("c"))
            store.commit("c", b"meta", [HistoryRecord("b", 5, b"1"), HistoryRecord("a", 5, b"2")], ["never"])
            store.commit("d", b"other", [HistoryRecord("a", 1, b"d")], [])
            store.commit("c", b"meta", [HistoryRecord("z", -(2**63), b"0"), HistoryRecord("b", 2**63 - 1, b"3")], [])
            store.set_retrieval_hint("c", "a", b"old")
            store.set_retrieval_hint("c", "a", b"\0new")
            stored = store.load_channel("c")
            assert stored is not None
            # Oldest first, by (lamport, id); what is appended again was replaced.
            self.assertEqual((list(stored.messages), stored.hints), ([b"0", b"2", b"3"], {"a": b"\0new"}))
            store.commit("c", b"meta", [], ["a"])
            stored = store.load_channel("c")
            assert stored is not None
            self.assertEqual(stored.hints, {})  # goes with its message
            store.drop_channel("c")
            store.drop_channel("never")
            self.assertIsNone(store.load_channel("c"))
            self.assertIsNotNone(store.load_channel("d"))

    def test_files_of_others_are_refused_and_not_touched(self) -> None:
        def database(*statements: str) -> bytes:
            path = self.path.with_name("made.db")
            db = sqlite3.connect(str(path))
            for statement in statements:
                db.execute(statement)
            db.commit()
            db.close()
            data = path.read_bytes()
            path.unlink()
            return data

        ours = f"PRAGMA application_id = {0x53445350}"
        foreign = {
            "text": b"these are notes, and no database" * 10,
            "short": b"SQLite format 3\0",
            "nulls": bytes(4096),
            "another program's": database("CREATE TABLE t (a)"),
            "with another mark": database("PRAGMA application_id = 7", "CREATE TABLE t (a)"),
            "of a later version": database(ours, "PRAGMA user_version = 2", "CREATE TABLE t (a)"),
        }
        for name, data in foreign.items():
            with self.subTest(name):
                self.path.write_bytes(data)
                before = self.path.stat().st_mtime_ns
                with self.assertRaises(PersistenceError) as caught:
                    SqlitePersistence(self.path)
                self.assertIn(str(self.path), str(caught.exception))
                self.assertEqual((self.path.read_bytes(), self.path.stat().st_mtime_ns), (data, before))
                self.assertEqual(list(self.path.parent.iterdir()), [self.path])

    def test_what_cannot_be_opened_is_a_persistence_error(self) -> None:
        for path in (self.path.parent, self.path / "below", Path("/nowhere/at/all.db")):
            with self.assertRaises(PersistenceError) as caught:
                SqlitePersistence(path)
            self.assertIn(str(path), str(caught.exception))
        self.path.touch()  # what another tool made empty is nobody's
        SqlitePersistence(self.path).close()

    def test_a_file_serves_one_at_a_time(self) -> None:
        with SqlitePersistence(self.path):
            with self.assertRaisesRegex(PersistenceError, "locked"):
                SqlitePersistence(self.path)
            code = f"import libsds\nlibsds.SqlitePersistence({str(self.path)!r})"
            status, _, errors = run_python(code)
            self.assertEqual(status, 1)
            self.assertIn("locked", errors)
        SqlitePersistence(self.path).close()

    def test_it_is_used_from_several_threads(self) -> None:
        events: List[Any] = []
        config = Config(resend_interval_ms=1, buffer_sweep_interval_ms=1, max_resend_attempts=3)
        with SqlitePersistence(self.path) as store, ReliabilityManager(
            participant_id="alice", config=config, persistence=store, **listening(events)
        ) as alice:
            alice.start()

            def work(number: int) -> None:
                for i in range(20):
                    alice.wrap(f"c{number}", f"m{i}", b"x")

            threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
            until(lambda: len(of(libsds.DeliveryFailed, events)) == 120)
            self.assertFalse([c for c in alice.channels() if c["pendingChanges"] or c["dirty"]])
            stored = [store.load_channel(f"c{n}") for n in range(6)]
        self.assertEqual([len(list(s.messages)) for s in stored if s is not None], [20] * 6)

    def test_a_killed_process_leaves_everything_that_it_was_told(self) -> None:
        code = (
            "import os, signal, libsds\n"
            f"store = libsds.SqlitePersistence({str(self.path)!r})\n"
            "alice = libsds.ReliabilityManager(participant_id='alice', persistence=store)\n"
            "for i in range(50): alice.wrap('c', f'm{i}', b'x')\n"
            "os.kill(os.getpid(), signal.SIGKILL)\n"
        )
        self.assertEqual(run_python(code), (-9, "", ""))
        with SqlitePersistence(self.path) as store, ReliabilityManager(
            participant_id="alice", persistence=store
        ) as alice:
            alice.ensure_channel("c")
            self.assertEqual(len(alice.inspect("c")["log"]), 50)

    def test_after_closing_it_fails_and_says_so(self) -> None:
        store = SqlitePersistence(self.path)
        store.close()
        store.close()
        with ReliabilityManager(persistence=store) as alice:
            with self.assertRaisesRegex(PersistenceError, "closed database"):
                alice.wrap("c", "m", b"x")


if __name__ == "__main__":
    unittest.main()
