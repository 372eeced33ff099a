"""Beginnings and ends: closing, garbage, forks, the end of the interpreter."""

import copy
import gc
import os
import pickle
import threading
import unittest
import warnings
import weakref
from typing import Any, Callable, List, Optional, Tuple

import libsds
from libsds import Config, MessageReady, ReliabilityManager, _callbacks, bindings
from support import Unraisable, chain, listening, run_python, until

USES: Tuple[Callable[[ReliabilityManager], object], ...] = (
    lambda m: m.wrap("c", "m", b"x"),
    lambda m: m.wrap_sync("c"),
    lambda m: m.wrap_ephemeral("c", "m", b"x"),
    lambda m: m.unwrap(b"x"),
    lambda m: m.mark_met("c", []),
    lambda m: m.ensure_channel("c"),
    lambda m: m.drop_channel("c"),
    lambda m: m.reset(),
    lambda m: m.start(),
    lambda m: m.tick(),
    lambda m: m.channels(),
    lambda m: m.inspect("c"),
    lambda m: m.stats(),
)


class Closing(unittest.TestCase):
    def test_after_closing_every_method_raises(self) -> None:
        with ReliabilityManager() as manager:
            pass
        for use in USES:
            with self.assertRaises(libsds.InvalidContext):
                use(manager)

    def test_closing_again_does_nothing(self) -> None:
        manager = ReliabilityManager()
        manager.close()
        manager.close()
        with manager:
            pass
        self.assertIn("closed", repr(manager))

    def test_an_exception_leaves_the_context_manager_closed(self) -> None:
        with self.assertRaises(ZeroDivisionError):
            with ReliabilityManager() as manager:
                raise ZeroDivisionError
        with self.assertRaises(libsds.InvalidContext):
            manager.stats()

    def test_a_manager_that_could_not_be_made_leaves_nothing_to_close(self) -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            with self.assertRaises(libsds.InvalidArgument):
                ReliabilityManager(config=Config(max_channels=-1))
            with self.assertRaises(libsds.PersistenceError) as error:
                ReliabilityManager(config=Config(store_path="/nowhere/at/all"))
            self.assertIn("/nowhere/at/all", str(error.exception))
            del error
            gc.collect()
        self.assertEqual(caught, [])

    def test_a_manager_cannot_be_copied_or_sent_elsewhere(self) -> None:
        with ReliabilityManager() as manager:
            uses: Tuple[Callable[[object], object], ...] = (copy.copy, copy.deepcopy, pickle.dumps)
            for use in uses:
                with self.assertRaisesRegex(TypeError, "make one there"):
                    use(manager)
            manager.stats()

    def test_arguments_are_named(self) -> None:
        with self.assertRaises(TypeError):
            ReliabilityManager("alice")  # type: ignore[misc]


class Garbage(unittest.TestCase):
    def forget(self, make: Callable[[], ReliabilityManager]) -> int:
        """Makes a manager, forgets it, and returns its context."""
        manager: Optional[ReliabilityManager] = make()
        assert manager is not None
        ctx = manager._ctx
        bindings.sds_stats(ctx)
        with self.assertWarnsRegex(ResourceWarning, "unclosed <libsds.manager.ReliabilityManager 'alice'>"):
            manager = None
            gc.collect()
        return ctx

    def assert_closed(self, ctx: int) -> None:
        with self.assertRaises(libsds.InvalidContext):
            bindings.sds_stats(ctx)

    def test_a_forgotten_manager_is_closed_with_a_warning(self) -> None:
        self.assert_closed(self.forget(lambda: ReliabilityManager(participant_id="alice")))

    def test_a_manager_whose_callbacks_refer_to_it_can_be_collected(self) -> None:
        class Host:
            def __init__(self) -> None:
                self.manager = ReliabilityManager(participant_id="alice", on_message_ready=self.ready)

            def ready(self, _: MessageReady) -> None: ...

        self.assert_closed(self.forget(lambda: Host().manager))

    def test_a_forgotten_manager_with_a_timer_is_closed(self) -> None:
        def make() -> ReliabilityManager:
            manager = ReliabilityManager(
                participant_id="alice", config=Config(sync_message_interval_ms=1), **listening([])
            )
            manager.ensure_channel("c")
            manager.start()
            return manager

        for _ in range(5):
            self.assert_closed(self.forget(make))

    def test_it_is_closed_also_where_warnings_are_errors(self) -> None:
        manager = ReliabilityManager(participant_id="alice")
        ctx = manager._ctx
        with warnings.catch_warnings(), Unraisable() as unraisable:
            warnings.simplefilter("error")
            del manager
            gc.collect()
        self.assertEqual([type(error) for error in unraisable], [ResourceWarning])
        self.assert_closed(ctx)

    def test_it_is_closed_also_if_it_is_noticed_inside_a_hint_provider(self) -> None:
        forgotten: List[ReliabilityManager] = [ReliabilityManager(participant_id="alice")]
        ctx = forgotten[0]._ctx

        def provide(_: str) -> None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                forgotten.clear()
                gc.collect()

        with ReliabilityManager(hint_provider=provide) as other:
            other.wrap("c", "m1", b"x")
            other.wrap("c", "m2", b"x")

        def closed() -> bool:
            try:
                bindings.sds_stats(ctx)
            except libsds.InvalidContext:
                return True
            return False

        until(closed)

    def test_a_closed_manager_lets_its_callbacks_go(self) -> None:
        class Host:
            def ready(self, _: MessageReady) -> None: ...

        host = Host()
        seen = weakref.ref(host)
        manager = ReliabilityManager(on_message_ready=host.ready)
        del host
        gc.collect()
        self.assertIsNotNone(seen())  # kept alive for the library
        manager.close()
        gc.collect()
        self.assertIsNone(seen())

    def test_callbacks_are_kept_alive_while_garbage_is_collected(self) -> None:
        payloads = chain("c", *(f"m{i}" for i in range(50)))
        heard: List[str] = []

        def make() -> ReliabilityManager:
            return ReliabilityManager(on_message_ready=lambda event: heard.append(event.message_id))

        with make() as bob:
            for payload in payloads:
                gc.collect()
                bob.unwrap(payload)
        self.assertEqual(len(heard), 50)

    def test_managers_leave_no_threads_and_no_memory_behind(self) -> None:
        before = threading.active_count()
        for _ in range(300):
            with ReliabilityManager(participant_id="alice", **listening([])) as manager:
                manager.ensure_channel("c")
        gc.collect()
        self.assertEqual(threading.active_count(), before)
        self.assertLess(len(_callbacks._receivers), 20)


class Forks(unittest.TestCase):
    FLAGS = ("-W", "ignore::DeprecationWarning")  # of os.fork with threads, from Python 3.12 on

    def test_a_forked_child_is_told_to_spawn(self) -> None:
        code = (
            "import os, libsds\n"
            "parent = libsds.ReliabilityManager(participant_id='alice')\n"
            "def refused(use):\n"
            "    try: use()\n"
            "    except libsds.Forked as error:\n"
            "        assert 'spawn' in str(error) and error.status == 21, error\n"
            "        return True\n"
            "pid = os.fork()\n"
            "if pid == 0:\n"
            "    ok = all(map(refused, (libsds.ReliabilityManager, parent.stats, parent.close,\n"
            "        lambda: parent.wrap('c', 'm', b'x'), lambda: libsds.set_log_handler(print))))\n"
            "    ok = ok and libsds.version() != ''\n"
            "    del parent\n"
            "    os._exit(0 if ok else 1)\n"
            "print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
            "parent.wrap('c', 'm', b'x')\n"
            "parent.close()\n"
        )
        self.assertEqual(run_python(code, *self.FLAGS), (0, "0\n", ""))

    def test_a_forked_child_ends_in_good_order(self) -> None:
        code = (
            "import os, libsds\n"
            "parent = libsds.ReliabilityManager(participant_id='alice')\n"
            "parent.start()\n"
            "pid = os.fork()\n"
            "if pid:\n"
            "    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)\n"
            "    parent.close()\n"
        )
        self.assertEqual(run_python(code, *self.FLAGS), (0, "0\n", ""))

    def test_multiprocessing_works_with_spawn_and_not_with_fork(self) -> None:
        code = (
            "import multiprocessing, sys, types\n"
            "import libsds, support\n"
            "if __name__ == '__main__':\n"
            "    libsds.ReliabilityManager().close()\n"
            "    for method in ('spawn', 'fork'):\n"
            "        with multiprocessing.get_context(method).Pool(1) as pool:\n"
            "            try: print(len(pool.apply(support.chain, ('c', 'm'))))\n"
            "            except libsds.Forked as error: print('spawn' in str(error))\n"
            "            pool.close()\n"
            "            pool.join()\n"
        )
        folder = os.path.dirname(os.path.abspath(__file__))
        path = os.pathsep.join([folder, *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
        self.assertEqual(run_python(code, *self.FLAGS, PYTHONPATH=path), (0, "1\nTrue\n", ""))


class Shutdown(unittest.TestCase):
    BUSY = (
        "import threading, time, libsds\n"
        "heard = []\n"
        "def busy(**given):\n"
        "    config = libsds.Config(sync_message_interval_ms=1)\n"
        "    manager = libsds.ReliabilityManager(participant_id='alice', config=config,\n"
        "        on_periodic_sync=heard.append, **given)\n"
        "    manager.ensure_channel('c')\n"
        "    manager.start()\n"
        "    return manager\n"
    )

    def test_a_manager_that_is_open_at_the_end_does_no_harm(self) -> None:
        code = self.BUSY + (
            "managers = [busy() for _ in range(3)]\n"
            "libsds.set_log_handler(lambda level, line: None, libsds.LogLevel.DEBUG)\n"
            "while len(heard) < 5: time.sleep(0.001)\n"
            "print('end')\n"
        )
        for _ in range(5):
            self.assertEqual(run_python(code), (0, "end\n", ""))

    def test_daemon_threads_in_calls_do_no_harm(self) -> None:
        code = self.BUSY + (
            "manager = busy()\n"
            "def work():\n"
            "    try:\n"
            "        while True: manager.wrap_ephemeral('c', 'm', b'x' * 1000)\n"
            "    except libsds.InvalidContext: time.sleep(60)\n"
            "for _ in range(4): threading.Thread(target=work, daemon=True).start()\n"
            "while len(heard) < 5: time.sleep(0.001)\n"
            "print('end')\n"
        )
        for _ in range(5):
            self.assertEqual(run_python(code), (0, "end\n", ""))

    def test_an_exception_that_ends_the_program_shows_and_nothing_else(self) -> None:
        code = self.BUSY + "manager = busy()\nraise SystemExit(3)\n"
        self.assertEqual(run_python(code), (3, "", ""))

    def test_a_manager_cannot_be_made_after_the_end(self) -> None:
        code = (
            "import atexit\n"
            "def late():\n"
            "    import libsds\n"
            "    try: libsds.ReliabilityManager()\n"
            "    except RuntimeError as error: print(error)\n"
            "atexit.register(late)\n"
            "import libsds\n"
        )
        self.assertEqual(run_python(code), (0, "the interpreter is shutting down\n", ""))

    def test_a_keyboard_interrupt_during_a_call_surfaces_and_leaves_a_sound_manager(self) -> None:
        code = (
            "import os, signal, threading, time, libsds\n"
            "with libsds.ReliabilityManager(participant_id='alice') as manager:\n"
            "    main = threading.main_thread().ident\n"
            "    threading.Timer(0.2, lambda: signal.pthread_kill(main, signal.SIGINT)).start()\n"
            "    try:\n"
            "        while True: manager.wrap_ephemeral('c', 'm', b'x' * 100000)\n"
            "    except KeyboardInterrupt: print('interrupted')\n"
            "    print(len(manager.wrap('c', 'm', b'x')) > 1)\n"
        )
        self.assertEqual(run_python(code), (0, "interrupted\nTrue\n", ""))


if __name__ == "__main__":
    unittest.main()
