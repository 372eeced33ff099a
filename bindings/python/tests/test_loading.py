"""Finding and loading the library."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

from support import BINDING, TREE, run_python

LIBRARY = TREE / "build" / "libsds.so"
SOURCES = str(BINDING / "src")
PRINT = "import libsds; print(libsds.version())"
VERSION = (TREE / "VERSION").read_text()


class Loading(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def compiled(self, source: str) -> str:
        """A shared library that is none of ours."""
        path = self.folder / "libother.so"
        code = self.folder / "other.c"
        code.write_text(source)
        compiler = os.environ.get("CC", "gcc")
        subprocess.run([compiler, "-shared", "-fPIC", str(code), "-o", str(path)], check=True)
        return str(path)

    def assert_refused(self, path: str, *words: str) -> None:
        code = "try: import libsds\nexcept ImportError as error: print(type(error).__name__, error)"
        status, output, errors = run_python(code, PYTHONPATH=SOURCES, LIBSDS_PATH=path)
        self.assertEqual((status, errors), (0, ""))
        for word in ("LibraryNotFound", "LIBSDS_PATH", path, *words):
            self.assertIn(word, output)

    def test_libsds_path_names_the_file(self) -> None:
        got = run_python(PRINT, PYTHONPATH=SOURCES, LIBSDS_PATH=str(LIBRARY))
        self.assertEqual(got, (0, VERSION, ""))

    def test_libsds_path_may_be_relative(self) -> None:
        # Bare, too: the loader would look for such a name elsewhere.
        self.folder.joinpath("library.so").symlink_to(LIBRARY)
        code = f"import os; os.chdir({str(self.folder)!r}); {PRINT}"
        self.assertEqual(run_python(code, PYTHONPATH=SOURCES, LIBSDS_PATH="library.so"), (0, VERSION, ""))

    def test_where_libsds_path_is_set_nothing_else_is_looked_at(self) -> None:
        path = str(self.folder / "missing.so")
        self.assert_refused(path, "No such file")

    def test_a_file_that_is_no_library_is_refused(self) -> None:
        path = self.folder / "text.so"
        path.write_text("no library" * 100)
        self.assert_refused(str(path), "invalid ELF header")
        self.assert_refused(str(self.folder), "cannot read file data")

    def test_another_library_is_refused(self) -> None:
        self.assert_refused(self.compiled("int x;"), "SdsAbiVersion")

    def test_another_abi_is_refused(self) -> None:
        path = self.compiled("unsigned SdsAbiVersion(void) { return 2; }")
        self.assert_refused(path, "it has ABI version 2, this package needs 1")

    def test_a_library_that_lacks_functions_is_refused(self) -> None:
        path = self.compiled("unsigned SdsAbiVersion(void) { return 1; }")
        self.assert_refused(path, "SdsVersion")

    def test_the_system_s_loader_finds_it(self) -> None:
        got = run_python(PRINT, PYTHONPATH=SOURCES, LIBSDS_PATH=None, LD_LIBRARY_PATH=str(LIBRARY.parent))
        self.assertEqual(got, (0, VERSION, ""))

    def test_where_there_is_none_the_error_says_where_was_looked_and_what_to_do(self) -> None:
        code = "try: import libsds\nexcept ImportError as error: print(error)"
        _, output, errors = run_python(code, PYTHONPATH=SOURCES, LIBSDS_PATH=None, LD_LIBRARY_PATH=None)
        self.assertEqual(errors, "")
        for words in ("this package: ", SOURCES, "the system's loader: libsds.so.1", "make install", "LIBSDS_PATH"):
            self.assertIn(words, output)


if __name__ == "__main__":
    unittest.main()
