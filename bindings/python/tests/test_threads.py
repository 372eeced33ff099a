"""Threads: the interpreter's lock, callbacks that do not overlap, closing while others work."""

import threading
import time
import unittest
from typing import Any, List

import libsds
from libsds import Config, MessageReady, PeriodicSync, ReliabilityManager, StoredChannel
from support import chain, until


class SlowStore:
    """Keeps nothing, and holds a save up until it is let go."""

    def __init__(self) -> None:
        self.inside = threading.Event()
        self.go = threading.Event()

    def load_channel(self, channel_id: str) -> StoredChannel:
        return StoredChannel()

    def drop_channel(self, channel_id: str) -> None: ...

    def set_retrieval_hint(self, channel_id: str, message_id: str, hint: bytes) -> None: ...

    def commit(self, channel_id: str, meta: bytes, append: Any, evict: Any) -> None:
        self.inside.set()
        assert self.go.wait(60)


class Threads(unittest.TestCase):
    def run_all(self, *threads: threading.Thread) -> None:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
            self.assertFalse(thread.is_alive())

    def test_other_threads_make_progress_while_a_call_is_slow(self) -> None:
        # A wrap waits inside the library for the channel that another thread's wrap has locked,
        # whose save waits, in Python, for this thread. Were the interpreter's lock held
        # meanwhile, nothing of this could go on.
        store = SlowStore()
        manager = ReliabilityManager(persistence=store)
        self.addCleanup(manager.close)
        done: List[str] = []

        def wrap(message_id: str) -> None:
            manager.wrap("c", message_id, b"x")
            done.append(message_id)

        first = threading.Thread(target=wrap, args=("m1",))
        first.start()
        self.assertTrue(store.inside.wait(60))
        second = threading.Thread(target=wrap, args=("m2",))
        second.start()
        steps = 0
        end = time.monotonic() + 0.2
        while time.monotonic() < end:
            steps += 1
            time.sleep(0)
        self.assertEqual(done, [])  # both calls are in the library all the time
        self.assertGreater(steps, 100)
        store.go.set()
        first.join(60)
        second.join(60)
        self.assertEqual(sorted(done), ["m1", "m2"])

    def test_other_threads_make_progress_while_the_library_computes(self) -> None:
        # The library is busy with a large content; this thread counts meanwhile. Copying the
        # result takes the interpreter's lock, and far less time.
        content = bytes(128 << 20)
        manager = ReliabilityManager(config=Config(max_content_bytes=1 << 30))
        self.addCleanup(manager.close)
        times: List[float] = []

        def wrap() -> None:
            times.append(time.perf_counter())
            manager.wrap_ephemeral("c", "m", content)
            times.append(time.perf_counter())

        thread = threading.Thread(target=wrap)
        ticks: List[float] = []
        thread.start()
        while thread.is_alive():
            ticks.append(time.perf_counter())
            time.sleep(0.001)
        thread.join()
        during = [t for t in ticks if times[0] < t < times[1]]
        longest = max((b - a for a, b in zip(during, during[1:])), default=0.0)
        self.assertGreater(len(during), 5)
        self.assertLess(longest, 0.8 * (times[1] - times[0]))

    def test_close_waits_for_a_callback_on_another_thread(self) -> None:
        (payload,) = chain("c", "m")
        inside, go, log = threading.Event(), threading.Event(), []

        def callback(_: MessageReady) -> None:
            inside.set()
            assert go.wait(60)
            log.append("callback")

        manager = ReliabilityManager(on_message_ready=callback)
        worker = threading.Thread(target=manager.unwrap, args=(payload,))
        worker.start()
        self.assertTrue(inside.wait(60))

        def close() -> None:
            manager.close()
            log.append("closed")

        closer = threading.Thread(target=close)
        closer.start()
        time.sleep(0.05)
        self.assertEqual(log, [])
        go.set()
        closer.join(60)
        worker.join(60)
        self.assertEqual(log, ["callback", "closed"])

    def test_callbacks_of_a_manager_never_overlap(self) -> None:
        active, overlaps, heard = [0], [0], [0]

        def callback(_: object) -> None:
            active[0] += 1
            overlaps[0] += active[0] != 1
            time.sleep(0)
            heard[0] += 1
            active[0] -= 1

        payloads = {f"c{i}": chain(f"c{i}", *(f"m{j}" for j in range(40))) for i in range(6)}
        config = Config(sync_message_interval_ms=1)
        with ReliabilityManager(config=config, on_message_ready=callback, on_periodic_sync=callback) as bob:
            bob.start()
            self.run_all(
                *(threading.Thread(target=lambda c=c: [bob.unwrap(p) for p in payloads[c]]) for c in payloads)
            )
            until(lambda: heard[0] >= 240)
        self.assertEqual(overlaps[0], 0)

    def test_many_threads_may_use_one_manager_while_it_is_closed(self) -> None:
        for _ in range(5):
            manager = ReliabilityManager(participant_id="alice", config=Config(sync_message_interval_ms=1))
            manager.start()
            ends: List[str] = []
            begun = threading.Barrier(9)

            def work(number: int, manager: ReliabilityManager = manager, ends: List[str] = ends) -> None:
                begun.wait()
                try:
                    for i in range(10_000):
                        manager.wrap(f"c{number % 3}", f"{number}-{i}", b"x")
                        manager.channels()
                except libsds.InvalidContext:
                    ends.append("closed")
                except libsds.LimitExceeded:
                    ends.append("limit")

            threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
            for thread in threads:
                thread.start()
            begun.wait()
            time.sleep(0.02)
            manager.close()
            for thread in threads:
                thread.join(60)
            self.assertEqual(ends, ["closed"] * 8)

    def test_closing_from_several_threads_at_once_closes_once(self) -> None:
        for _ in range(20):
            manager = ReliabilityManager()
            self.run_all(*(threading.Thread(target=manager.close) for _ in range(4)))
            with self.assertRaises(libsds.InvalidContext):
                manager.channels()

    def test_start_runs_callbacks_on_a_thread_of_the_library(self) -> None:
        threads: List[int] = []

        def callback(_: PeriodicSync) -> None:
            threads.append(threading.get_ident())

        config = Config(sync_message_interval_ms=1)
        with ReliabilityManager(config=config, on_periodic_sync=callback) as manager:
            manager.ensure_channel("c")
            time.sleep(0.02)
            self.assertEqual(threads, [])
            manager.start()
            manager.start()
            until(lambda: len(threads) >= 3)
            with self.assertRaisesRegex(libsds.InvalidArgument, "timer"):
                manager.tick()
        count = len(threads)
        time.sleep(0.02)
        self.assertEqual(len(threads), count)  # none after closing
        self.assertNotIn(threading.get_ident(), threads)

    def test_tick_excludes_start_and_wants_a_time(self) -> None:
        with ReliabilityManager() as manager:
            now = time.time_ns() // 1_000_000
            self.assertGreater(manager.tick(), now)
            self.assertGreater(manager.tick(now + 1), now + 1)
            with self.assertRaisesRegex(libsds.InvalidArgument, "SdsTick"):
                manager.start()
            for wrong in (-1, 2**63 - 1, 2**63, -(2**70), 2**64 + now):
                with self.assertRaises(libsds.InvalidArgument):
                    manager.tick(wrong)
            for no_time in ("now", 1.5):
                with self.assertRaises(TypeError):
                    manager.tick(no_time)  # type: ignore[arg-type]


if __name__ == "__main__":
    unittest.main()
