"""The wheel, built and installed without a network, and used where it is installed."""

import csv
import importlib.util
import io
import os
import re
import subprocess
import sys
import tempfile
import unittest
import venv
import zipfile
from base64 import urlsafe_b64encode
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import ClassVar, Optional

from support import BINDING, TREE

LIBRARY = TREE / "build" / "libsds.so"
VERSION = (TREE / "VERSION").read_text().strip()


def backend() -> ModuleType:
    spec = importlib.util.spec_from_file_location("libsds_wheel", BINDING / "backend" / "libsds_wheel.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(*command: str, cwd: Optional[str] = None) -> str:
    """Runs a command in an environment that leads to no other libsds, and returns its output."""
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "LD_LIBRARY_PATH", "LIBSDS_PATH")}
    env.update(PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_NO_INDEX="1", PIP_NO_CACHE_DIR="1")
    done = subprocess.run(command, env=env, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise AssertionError(f"{command}: {done.stdout}")
    return done.stdout


class Wheel(unittest.TestCase):
    folder: ClassVar[str]
    wheel: ClassVar[Path]
    python: ClassVar[str]

    @classmethod
    def setUpClass(cls) -> None:
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name
        run("make", "-C", str(BINDING), "wheel", f"PYTHON={sys.executable}", f"OUT={cls.folder}")
        (cls.wheel,) = Path(cls.folder, "wheel").iterdir()
        venv.create(Path(cls.folder, "venv"), with_pip=True, symlinks=True)
        cls.python = str(Path(cls.folder, "venv", "bin", "python"))
        run(cls.python, "-m", "pip", "install", "--no-index", str(cls.wheel))

    def test_an_installed_wheel_works_with_the_library_that_it_carries(self) -> None:
        code = (
            "import libsds, libsds.aio, libsds._library, os\n"
            "with libsds.ReliabilityManager(participant_id='alice') as alice, libsds.ReliabilityManager() as bob:\n"
            "    print(bob.unwrap(alice.wrap('c', 'm', b'hello')).content)\n"
            "with open('/proc/self/maps') as maps:\n"
            "    loaded = {line.split()[-1] for line in maps if 'libsds.so' in line}\n"
            "print(loaded == {os.path.join(os.path.dirname(libsds.__file__), 'libsds.so.1')})\n"
        )
        self.assertEqual(run(self.python, "-X", "dev", "-c", code, cwd=self.folder), "b'hello'\nTrue\n")

    def test_pip_knows_its_name_and_version_and_finds_it_sound(self) -> None:
        self.assertIn(f"Version: {VERSION}\n", run(self.python, "-m", "pip", "show", "libsds"))
        run(self.python, "-m", "pip", "check")
        run(self.python, "-m", "pip", "uninstall", "--yes", "libsds")
        run(self.python, "-m", "pip", "install", "--no-index", str(self.wheel))

    def test_pip_builds_it_from_the_tree_without_a_network(self) -> None:
        out = str(Path(self.folder, "built by pip"))
        run(self.python, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", out, str(BINDING))
        (built,) = Path(out).iterdir()
        self.assertEqual(built.name, self.wheel.name)
        self.assertEqual(built.read_bytes(), self.wheel.read_bytes())  # the same bytes again

    def test_its_tag_is_the_newest_glibc_that_the_library_asks_for(self) -> None:
        output = run("readelf", "--version-info", "--wide", str(LIBRARY))
        versions = {tuple(map(int, v.split("."))) for v in re.findall(r"Name: GLIBC_([\d.]+)", output)}
        newest = max(versions)
        machine = os.uname().machine
        self.assertEqual(self.wheel.name, f"libsds-{VERSION}-py3-none-manylinux_{newest[0]}_{newest[1]}_{machine}.whl")
        needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "-d", str(LIBRARY))))
        elf = backend().Elf(LIBRARY.read_bytes())
        self.assertEqual(elf.needed(), needed)
        self.assertEqual({v for v in elf.versions() if v.startswith("GLIBC_2")}, {
            "GLIBC_" + ".".join(map(str, v)) for v in versions
        })

    def test_a_library_that_asks_for_more_is_not_called_manylinux(self) -> None:
        source, library = Path(self.folder, "more.c"), Path(self.folder, "more.so")
        compiler = os.environ.get("CC", "gcc")
        other = Path(self.folder, "libneeded.so")
        Path(self.folder, "needed.c").write_text("int needed(void) { return 1; }\n")
        source.write_text("int needed(void);\n#include <stdio.h>\nint f(void) { return puts(\"\") + needed(); }\n")
        run(compiler, "-shared", "-fPIC", str(Path(self.folder, "needed.c")), "-o", str(other))
        run(compiler, "-shared", "-fPIC", str(source), str(other), "-o", str(library))
        self.assertEqual(backend().platform_tag(library.read_bytes()), f"linux_{os.uname().machine}")
        with self.assertRaises(ValueError):
            backend().platform_tag(b"no library")

    def test_its_record_names_every_file_with_its_hash(self) -> None:
        with zipfile.ZipFile(self.wheel) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
            modes = {info.filename: info.external_attr >> 16 for info in archive.infolist()}
        info = f"libsds-{VERSION}.dist-info"
        rows = list(csv.reader(io.StringIO(files[f"{info}/RECORD"].decode())))
        self.assertEqual({row[0] for row in rows}, set(files))
        for name, digest, size in rows:
            if not name.endswith("RECORD"):
                expected = urlsafe_b64encode(sha256(files[name]).digest()).rstrip(b"=").decode()
                self.assertEqual((digest, size), (f"sha256={expected}", str(len(files[name]))))
        self.assertEqual(files["libsds/libsds.so.1"], LIBRARY.read_bytes())
        self.assertEqual(modes["libsds/libsds.so.1"] & 0o777, 0o755)
        for name in ("libsds/py.typed", "libsds/aio.py", f"{info}/licenses/LICENSE-MIT", f"{info}/METADATA"):
            self.assertIn(name, files)

    def test_there_is_no_source_distribution_and_no_wheel_without_a_library(self) -> None:
        with self.assertRaisesRegex(SystemExit, "no source distribution"):
            backend().build_sdist(self.folder)
        before = os.environ.get("LIBSDS_PATH")
        os.environ["LIBSDS_PATH"] = "/nowhere/libsds.so"
        try:
            with self.assertRaisesRegex(SystemExit, "make lib"):
                backend().build_wheel(self.folder)
        finally:
            del os.environ["LIBSDS_PATH"]
            if before is not None:
                os.environ["LIBSDS_PATH"] = before


if __name__ == "__main__":
    unittest.main()
