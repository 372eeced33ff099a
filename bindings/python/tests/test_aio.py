"""libsds.aio: asyncio makes time pass."""

import asyncio
import gc
import tempfile
import threading
import time
import unittest
from pathlib import Path
from typing import Any, Dict, List

import libsds
from libsds import Config, MessageReady, MessageSent, PeriodicSync, ResendReady
from libsds.aio import ReliabilityManager
from support import chain, listening, of

QUICK = Config(
    resend_interval_ms=1,
    max_resend_attempts=3,
    buffer_sweep_interval_ms=1,
    repair_sweep_interval_ms=1,
    sync_message_interval_ms=5,
    possible_ack_threshold=1,
)


class Aio(unittest.IsolatedAsyncioTestCase):
    async def until(self, condition: Any, seconds: float = 30.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), end)
            await asyncio.sleep(0.001)

    def handled(self) -> List[Dict[str, Any]]:
        """What is given to the exception handler of the loop."""
        contexts: List[Dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: contexts.append(context))
        return contexts

    async def test_the_loop_runs_what_is_due_on_its_own_thread(self) -> None:
        events: List[Any] = []
        threads: List[int] = []
        before = threading.active_count()

        def sync(event: PeriodicSync) -> None:
            threads.append(threading.get_ident())

        async with ReliabilityManager(
            participant_id="alice", config=QUICK, on_periodic_sync=sync, on_resend_ready=events.append,
            on_delivery_failed=events.append,
        ) as alice:
            alice.wrap("c", "m", b"x")
            await self.until(lambda: of(libsds.DeliveryFailed, events) and len(threads) > 3)
            self.assertEqual(threading.active_count(), before)
        self.assertEqual([e.attempts for e in of(ResendReady, events)], [1, 2, 3])
        self.assertEqual(set(threads), {threading.get_ident()})

    async def test_it_wraps_and_unwraps_as_the_other_does(self) -> None:
        events: List[Any] = []
        async with ReliabilityManager(participant_id="alice", **listening(events)) as alice:
            async with ReliabilityManager(participant_id="bob") as bob:
                message = bob.unwrap(alice.wrap("c\0", "m1", b"hi \0"))
                self.assertEqual((message.content, message.channel_id), (b"hi \0", "c\0"))
                alice.unwrap(bob.wrap("c\0", "m2", b"ho"))
        self.assertEqual(events, [MessageSent("c\0", "m1"), MessageReady("c\0", "m2", b"ho")])

    async def test_coroutines_of_callbacks_are_awaited_in_order_and_do_not_overlap(self) -> None:
        active, overlaps = [0], [0]
        heard: List[str] = []

        async def ready(event: MessageReady) -> None:
            active[0] += 1
            overlaps[0] += active[0] != 1
            await asyncio.sleep(0.001)
            heard.append(event.message_id)
            active[0] -= 1

        ids = [f"m{i}" for i in range(20)]
        payloads = chain("c", *ids)
        async with ReliabilityManager(participant_id="bob", on_message_ready=ready) as bob:
            for payload in payloads:
                bob.unwrap(payload)
            self.assertEqual(heard, [])
            await self.until(lambda: len(heard) == 20)
        self.assertEqual((heard, overlaps[0]), (ids, 0))

    async def test_closing_cancels_what_is_awaited_and_forgets_what_waits(self) -> None:
        ends: List[str] = []

        async def ready(event: MessageReady) -> None:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                ends.append(event.message_id)
                raise

        async with ReliabilityManager(on_message_ready=ready) as bob:
            for payload in chain("c", "m1", "m2", "m3"):
                bob.unwrap(payload)
            await asyncio.sleep(0.01)
            tasks = len(asyncio.all_tasks())
        self.assertEqual(ends, ["m1"])
        self.assertEqual(len(asyncio.all_tasks()), tasks - 1)
        gc.collect()  # would warn of coroutines that were never awaited

    async def test_after_closing_nothing_is_due_and_every_method_raises(self) -> None:
        heard: List[Any] = []
        async with ReliabilityManager(participant_id="alice", config=QUICK, **listening(heard)) as alice:
            alice.ensure_channel("c")
            await self.until(lambda: heard)
        await alice.close()
        count = len(heard)
        await asyncio.sleep(0.03)
        self.assertEqual(len(heard), count)
        with self.assertRaises(libsds.InvalidContext):
            alice.wrap("c", "m", b"x")

    async def test_a_coroutine_of_a_callback_may_close_its_manager(self) -> None:
        ended = asyncio.Event()

        async def ready(_: MessageReady) -> None:
            await bob.close()
            ended.set()

        bob = ReliabilityManager(on_message_ready=ready)
        async with bob:
            bob.unwrap(chain("c", "m")[0])
            await asyncio.wait_for(ended.wait(), 30)

    async def test_a_plain_callback_may_raise_into_the_call(self) -> None:
        def ready(_: MessageReady) -> None:
            raise ZeroDivisionError

        async with ReliabilityManager(on_message_ready=ready) as bob:
            with self.assertRaises(ZeroDivisionError):
                bob.unwrap(chain("c", "m")[0])

    async def test_exceptions_of_the_loop_s_own_calls_go_to_its_handler_and_time_goes_on(self) -> None:
        contexts = self.handled()

        def sync(_: PeriodicSync) -> None:
            raise ZeroDivisionError

        async with ReliabilityManager(participant_id="alice", config=QUICK, on_periodic_sync=sync) as alice:
            alice.ensure_channel("c")
            await self.until(lambda: len(contexts) >= 3)
        self.assertIsInstance(contexts[0]["exception"], ZeroDivisionError)

    async def test_exceptions_of_coroutines_go_to_the_handler_and_the_next_one_runs(self) -> None:
        contexts = self.handled()

        async def ready(event: MessageReady) -> None:
            raise ZeroDivisionError(event.message_id)

        async with ReliabilityManager(participant_id="bob", on_message_ready=ready) as bob:
            for payload in chain("c", "m1", "m2"):
                bob.unwrap(payload)
            await self.until(lambda: len(contexts) == 2)
        self.assertEqual([str(c["exception"]) for c in contexts], ["m1", "m2"])
        self.assertIn("'bob'", contexts[0]["message"])

    async def test_a_coroutine_that_is_cancelled_takes_no_other_with_it(self) -> None:
        heard: List[str] = []

        async def ready(event: MessageReady) -> None:
            if event.message_id == "m1":
                raise asyncio.CancelledError
            heard.append(event.message_id)

        async with ReliabilityManager(participant_id="bob", on_message_ready=ready) as bob:
            for payload in chain("c", "m1", "m2", "m3"):
                bob.unwrap(payload)
            await self.until(lambda: heard == ["m2", "m3"])

    async def test_calls_from_other_threads_have_their_coroutines_awaited_in_the_loop(self) -> None:
        threads: List[int] = []

        async def ready(_: MessageReady) -> None:
            threads.append(threading.get_ident())

        (payload,) = chain("c", "m")
        async with ReliabilityManager(on_message_ready=ready) as bob:
            loop = asyncio.get_running_loop()
            message = await loop.run_in_executor(None, bob.unwrap, payload)
            self.assertEqual(message.message_id, "m")
            await self.until(lambda: threads)
        self.assertEqual(threads, [threading.get_ident()])

    async def test_the_first_tick_loads_what_a_file_has_under_way(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            config = Config(
                store_path=Path(folder, "alice.sds"), resend_interval_ms=1, buffer_sweep_interval_ms=1
            )
            async with ReliabilityManager(participant_id="alice", config=config) as alice:
                alice.wrap("c", "m", b"x")
            again: List[ResendReady] = []
            async with ReliabilityManager(
                participant_id="alice", config=config, on_resend_ready=again.append
            ) as alice:
                await self.until(lambda: again)
            self.assertEqual(again[0].message_id, "m")

    async def test_cancelling_the_task_that_uses_it_closes_it(self) -> None:
        managers: List[ReliabilityManager] = []

        async def use() -> None:
            async with ReliabilityManager(participant_id="alice") as alice:
                managers.append(alice)
                await asyncio.sleep(60)

        task = asyncio.get_running_loop().create_task(use())
        await self.until(lambda: managers)
        task.cancel()
        with self.assertRaises(asyncio.CancelledError):
            await task
        with self.assertRaises(libsds.InvalidContext):
            managers[0].stats()


class OutsideALoop(unittest.TestCase):
    def test_it_is_made_inside_a_running_loop(self) -> None:
        with self.assertRaisesRegex(RuntimeError, "no running event loop"):
            ReliabilityManager()

    def test_one_that_was_never_entered_is_closed_with_a_warning(self) -> None:
        async def forget() -> None:
            ReliabilityManager(participant_id="alice")

        with self.assertWarnsRegex(ResourceWarning, "unclosed <libsds.aio.ReliabilityManager 'alice'>"):
            asyncio.run(forget())
            gc.collect()


if __name__ == "__main__":
    unittest.main()
