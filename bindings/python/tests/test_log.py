"""The log of the library."""

import logging
import threading
import unittest
from typing import Any, Callable, List, Tuple

import libsds
from libsds import LogLevel, ReliabilityManager, log, log_to, set_log_handler
from support import Unraisable, chain


class Log(unittest.TestCase):
    def setUp(self) -> None:
        self.lines: List[Tuple[int, str]] = []
        self.addCleanup(set_log_handler, None)

    def keep(self, level: int, line: str) -> None:
        self.lines.append((level, line))

    def talk(self) -> None:
        with ReliabilityManager(participant_id="bob") as bob:
            for payload in chain("c \0 \u00fc", "m1", "m2"):
                bob.unwrap(payload)

    def test_a_handler_gets_lines_from_its_level_on(self) -> None:
        set_log_handler(self.keep, LogLevel.DEBUG)
        self.talk()
        self.assertTrue(any("operation=unwrap" in line for _, line in self.lines))
        self.assertFalse(any("\n" in line for _, line in self.lines))
        self.lines.clear()
        for level in (LogLevel.ERROR, 2**31, 2**80):
            set_log_handler(self.keep, level)
            self.talk()
        self.assertEqual(self.lines, [])
        set_log_handler(self.keep, -(2**80))
        self.talk()
        self.assertGreater(len(self.lines), 0)

    def test_none_is_nobody_and_a_new_handler_takes_the_place_of_the_old(self) -> None:
        other: List[Any] = []
        set_log_handler(self.keep, LogLevel.DEBUG)
        set_log_handler(lambda *line: other.append(line), LogLevel.DEBUG)
        self.talk()
        self.assertEqual(self.lines, [])
        count = len(other)
        self.assertGreater(count, 0)
        set_log_handler(None)
        self.talk()
        self.assertEqual(len(other), count)

    def test_what_a_handler_raises_is_unraisable_and_disturbs_nothing(self) -> None:
        def handler(level: int, line: str) -> None:
            raise ZeroDivisionError

        set_log_handler(handler, LogLevel.DEBUG)
        with Unraisable() as unraisable:
            self.talk()
            set_log_handler(None)
        self.assertEqual({type(error) for error in unraisable}, {ZeroDivisionError})

    def test_a_handler_must_not_call_a_manager_or_set_a_handler(self) -> None:
        refused: List[str] = []

        def handler(level: int, line: str) -> None:
            uses: Tuple[Callable[[], object], ...] = (ReliabilityManager, lambda: set_log_handler(None))
            for use in uses:
                try:
                    use()
                except libsds.InvalidArgument as error:
                    refused.append(str(error))

        set_log_handler(handler, LogLevel.DEBUG)
        self.talk()
        set_log_handler(None)
        self.assertGreater(len(refused), 1)
        self.assertIn("log handler", refused[0])

    def test_handlers_may_be_set_from_several_threads_while_lines_come(self) -> None:
        stop = threading.Event()

        def set_often() -> None:
            while not stop.is_set():
                set_log_handler(self.keep, LogLevel.DEBUG)
                set_log_handler(None)

        threads = [threading.Thread(target=set_often) for _ in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(50):
            self.talk()
        stop.set()
        for thread in threads:
            thread.join(60)
            self.assertFalse(thread.is_alive())

    def test_a_handler_must_be_callable(self) -> None:
        with self.assertRaises(TypeError):
            set_log_handler("stderr")  # type: ignore[arg-type]

    def test_log_to_connects_a_logger_at_its_level(self) -> None:
        with self.assertLogs("libsds", logging.DEBUG) as logs:
            log_to()
            self.talk()
        self.assertTrue(any("operation=unwrap" in record.getMessage() for record in logs.records))
        self.assertEqual({record.name for record in logs.records}, {"libsds"})
        mine = logging.getLogger("libsds.test")
        with self.assertLogs(mine, logging.DEBUG) as logs:
            mine.setLevel(logging.CRITICAL)
            log_to(mine)
            mine.setLevel(logging.DEBUG)
            self.talk()
            mine.critical("only this")
        self.assertEqual([record.getMessage() for record in logs.records], ["only this"])

    def test_levels_become_those_of_logging(self) -> None:
        levels = {-8: 10, -4: 10, 0: 20, 2: 20, 4: 30, 8: 40, 12: 40}
        self.assertEqual({ours: log._level_of_logging(ours) for ours in levels}, levels)


if __name__ == "__main__":
    unittest.main()
