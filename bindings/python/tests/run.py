"""Runs all tests from the sources, with a line for each: `--- PASS: PREFIX/test`.

    python3 tests/run.py PREFIX [PATTERN]
"""

import faulthandler
import os
import sys
import unittest
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SOURCES = str(HERE.parent / "src")


class Lines(unittest.TextTestResult):
    """Prints what came of each test once it is known, and its trouble before."""

    def __init__(self, *arguments: Any, **given: Any) -> None:
        super().__init__(*arguments, **given)
        self._bad = 0

    def _troubles(self) -> int:
        # A skipped test proves nothing.
        return len(self.errors) + len(self.failures) + len(self.unexpectedSuccesses) + len(self.skipped)

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self._bad = self._troubles()
        # A test that hangs says where, and ends the run.
        faulthandler.dump_traceback_later(300, exit=True)

    def stopTest(self, test: unittest.TestCase) -> None:
        faulthandler.cancel_dump_traceback_later()
        super().stopTest(test)
        for _, text in (self.errors + self.failures + self.skipped)[self._bad :]:
            print(text)
        name = test._testMethodName
        verdict = "PASS" if self._troubles() == self._bad else "FAIL"
        print(f"--- {verdict}: {sys.argv[1]}/{type(test).__name__}.{name[len('test_'):]}", flush=True)


def main() -> int:
    # For the processes that tests start, too.
    paths = [SOURCES, str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    sys.path[:0] = [SOURCES, str(HERE)]
    pattern = sys.argv[2] if len(sys.argv) > 2 else "test_*.py"
    suite = unittest.TestLoader().discover(str(HERE), pattern)
    # Not its dots and summary: what has to be said is in the lines.
    with open(os.devnull, "w") as nowhere:
        result = unittest.TextTestRunner(nowhere, resultclass=Lines, warnings=None).run(suite)
    for test, text in result.errors:
        if not isinstance(test, unittest.TestCase) or type(test).__name__ == "_FailedTest":
            print(text)  # of a module or a class that could not be set up
            print(f"--- FAIL: {sys.argv[1]}/{test}")
    return 0 if result.wasSuccessful() and not result.skipped and result.testsRun > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
